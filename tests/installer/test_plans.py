"""What the installer plans: versions, the build of PyTorch, and which Python."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.installer.parts import ROOT, driver, engine, interpreters, packages, posix_only

pytestmark = posix_only


def test_versions_are_those_that_are_tested_with() -> None:
    pinned: dict[str, set[str]] = {}
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"([\w.-]+)==([\w.]+)", line):
            pinned.setdefault(packages.normal(found[1]), set()).add(found[2])
    for package in (*packages.CONTENTS.packages, *packages.CONTENTS.extras):
        assert package.version in pinned[packages.normal(package.name)], package
    assert f'"torch=={packages.TORCH}"' in (ROOT / "build_addon.py").read_text(encoding="utf-8")
    names = {package.name for package in packages.CONTENTS.packages if package.fits((3, 13, 1))} | {"torch"}
    assert {engine.PIP_NAMES.get(name, name) for name in engine.PACKAGES} <= names
    numpys = [package.version for package in packages.CONTENTS.packages if package.name == "numpy"]
    assert [p.version for p in packages.CONTENTS.packages if p.name == "numpy" and p.fits((3, 11))] == [numpys[0]]
    assert [p.version for p in packages.CONTENTS.packages if p.name == "numpy" and p.fits((3, 14))] == [numpys[1]]


@pytest.mark.parametrize(
    ("text", "version", "cuda"),
    [
        ("| NVIDIA-SMI 550.54.14  Driver Version: 550.54.14  CUDA Version: 12.4 |", "550.54.14", (12, 4)),
        ("| NVIDIA-SMI 595.10  KMD Version: 1  Driver Version: 595.10  CUDA UMD Version: 13.2 |", "595.10", (13, 2)),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", "", (0, 0)),
        ("| NVIDIA-SMI 390.1  Driver Version: 390.1  CUDA Version: N/A |", "", (0, 0)),
    ],
)
def test_driver_is_read(text: str, version: str, cuda: tuple[int, int]) -> None:
    assert driver.parse(text) == (driver.Driver(version, cuda) if version else None)


def test_driver_is_asked(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Driver Version: 560.1 CUDA Version: 12.6'\n")
    assert driver.find(str(program)) is None, "it cannot be executed"
    program.chmod(0o755)
    assert driver.find(str(program)) == driver.Driver("560.1", (12, 6))
    program.write_text("#!/bin/sh\necho 'Driver Version: 560.1 CUDA Version: 12.6'\nexit 9\n")
    assert driver.find(str(program)) is None
    assert driver.find("no-such-program-here") is None


@pytest.mark.parametrize(
    ("build", "cuda", "platform", "chosen", "first", "word"),
    [
        ("auto", None, "linux", "cpu", "2.0+cpu", "No NVIDIA driver"),
        ("auto", (12, 4), "linux", "cuda", "2.0+cu129", "the build for CUDA"),
        ("auto", (13, 0), "win32", "cuda", "2.0+cu132", "the build for CUDA"),
        ("auto", (14, 1), "linux", "cuda", "2.0+cu132", "the build for CUDA"),
        ("auto", (11, 4), "linux", "cpu", "2.0+cpu", "too old"),
        ("auto", None, "darwin", "cpu", "2.0", "Apple"),
        ("cpu", (13, 0), "linux", "cpu", "2.0+cpu", "as chosen"),
        ("cuda", None, "linux", "cuda", "2.0+cu129", "no NVIDIA driver was found"),
        ("cuda", (11, 4), "linux", "cuda", "2.0+cu129", "renew the driver"),
    ],
)
def test_build_is_chosen(
    build: str, cuda: tuple[int, int] | None, platform: str, chosen: str, first: str, word: str
) -> None:
    choice = packages.choose(build, driver.Driver("1.2", cuda) if cuda else None, "2.0", platform)
    assert (choice.build, choice.versions[0], choice.versions[-1]) == (chosen, first, "2.0")
    assert word in choice.reason


def test_large_builds_are_known() -> None:
    assert packages.is_large("2.0", "linux")
    assert not packages.is_large("2.0+cpu", "linux")
    assert not packages.is_large("2.0", "win32")
    assert not packages.is_large("2.0", "darwin")


def test_other_contents_have_another_name(plan: Any) -> None:
    other = replace(plan, contents=replace(plan.contents, torch="1.1"))
    assert other.key != plan.key
    assert plan.key.startswith("cpu-")
    assert len(plan.key) < 20, "paths inside it are long enough"


def test_pythons_are_found_and_judged(tmp_path: Path) -> None:
    def script(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    stub = script("python3.14", "exit 9")
    (tmp_path / "python3.13").touch(mode=0o755)
    found = interpreters.candidates(str(tmp_path))
    assert stub in found
    assert tmp_path / "python3.13" not in found, "an empty file is no Python"
    assert found.index(stub) > 0, "Blender's own comes first"
    assert Path(os.path.realpath(sys.executable)) in [Path(os.path.realpath(path)) for path in found]

    def judge(path: Path) -> Any:
        done = subprocess.run(interpreters.command(path), capture_output=True, text=True, check=False)
        return interpreters.answer(path, done.returncode, done.stdout)

    good = judge(Path(sys.executable))
    assert (good.fault, good.version) == ("", sys.version_info[:3])
    assert not good.path.is_symlink(), "a link may lead elsewhere after an upgrade"
    assert not good.path.is_relative_to(Path(sys.prefix)), "a virtual environment is no base for another one"
    faults = [
        judge(stub),
        judge(script("a", """echo 'probe [[3, 10, 4], "/x", [], 64]'""")),
        judge(script("b", """echo 'probe [[3, 12, 4], "/x", ["ensurepip"], 64]'""")),
        judge(script("c", """echo 'probe [[3, 12, 4], "/x", [], 32]'""")),
    ]
    words = interpreters.complaint(faults)
    for word in ("does not start (exit status 9)", "it is Python 3.10", "it lacks ensurepip", "32 bits"):
        assert word in words
