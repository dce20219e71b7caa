"""What an installation needs: a Python, a folder of wheels, a plan, and a disk that is soon full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import stand_ins
from tests.installer.parts import packages, plans


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_ins.quick_python(tmp_path_factory.mktemp("python"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of wheels that make a whole engine, as far as the trial can tell."""
    folder = tmp_path / "my wheels"
    stand_ins.torch(folder, "1.0+cpu", ["beta"])
    stand_ins.wheel(folder, "alpha", "1.0", requires=["beta"])
    stand_ins.wheel(folder, "beta", "2.0")
    return folder


@pytest.fixture
def plan(tmp_path: Path, folder: Path, python: Path) -> Any:
    contents = packages.Contents(
        torch="1.0",
        packages=(
            packages.Package("alpha", "1.0"),
            packages.Package("beta", "2.0", stand_ins.sha256(folder / "beta-2.0-py3-none-any.whl")),
            packages.Package("old", "0.1", marker="python_version < '3.11'"),
        ),
        extras=(packages.Package("gamma", "3.0"),),
        modules=("torch", "alpha", "beta"),
    )
    choice = packages.choose("cpu", None, "1.0", "linux")
    # A name that is hard to quote: artists are called so.
    return plans.Plan(tmp_path / "Łukasz O'Hara" / "engine", choice, contents, folder, bases=(python,), room=0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    where = tmp_path / "disk"
    where.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(where)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("A small disk can be made by root only.")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)
