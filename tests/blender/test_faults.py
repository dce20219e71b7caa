"""What breaks add-ons of this kind, provoked in real Blenders: docs/faults.md lists the faults, each with its test."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from tests.blender.blenders import Blender, ends

pytestmark = [
    pytest.mark.slow,
    # What lies between the newest and the oldest is like one of them.
    pytest.mark.parametrize("blender", ["current", "4.2"], indirect=True),
    pytest.mark.skipif(sys.platform != "linux", reason="The faults are made, and looked at, as Linux lets one."),
]


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory, toy: ModuleType, toy_models: Path) -> str:
    """The folders of models, with the one that goes wrong as it is told."""
    folder = tmp_path_factory.mktemp("faulty")
    toy.make_faulty(folder)
    return f"{toy_models}{os.pathsep}{folder}"


@pytest.mark.parametrize(
    "script",
    [
        "faults_engine_dies.py",
        "faults_bad_shapes.py",
        "faults_memory.py",
        "faults_late.py",
        "faults_redo_panel.py",
        "faults_first_click.py",
        "faults_quiet.py",
        "faults_models.py",
        "faults_device.py",
    ],
)
def test_script(blender: Blender, faulty: str, script: str) -> None:
    blender.run(script, environment={"GEN3D_ZOO": faulty})


def test_other_packages(blender: Blender, tmp_path: Path) -> None:
    blender.run("faults_other_packages.py", environment={"GEN3D_TEST_FOREIGN": str(tmp_path / "foreign")})


def test_second_copy(blender: Blender, extension: Path) -> None:
    blender.run("faults_second_copy.py", str(extension))


def test_upgrade_and_removal(blender: Blender, extension: Path, faulty: str) -> None:
    blender.run("faults_upgrade.py", str(extension), environment={"GEN3D_ZOO": faulty})


def test_saved_paths(blender: Blender, extension: Path, faulty: str, tmp_path: Path) -> None:
    home = tmp_path / "home" / "jane.doe-9c1"
    home.mkdir(parents=True)
    environment = {"GEN3D_ZOO": faulty, "HOME": str(home), "USER": "jane.doe", "LOGNAME": "jane.doe"}
    blender.run("faults_saved_paths.py", environment=environment)


def test_network(blender: Blender, tmp_path: Path) -> None:
    # Where this system lets one, there is no network at all.
    alone = ["unshare", "--net"]
    prefix = alone if _works([*alone, "true"]) else []
    blender.run("faults_network.py", environment={"GEN3D_TEST_WATCHED": str(tmp_path / "watched")}, prefix=prefix)


def test_no_room(blender: Blender, faulty: str) -> None:
    # The disks that are put over the extension's folder are seen by this one Blender, and go with it.
    alone = ["unshare", "--mount"]
    if os.geteuid() != 0 or not _works([*alone, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]):
        pytest.skip("Small and read-only disks can be made by root only.")
    blender.run("faults_no_room.py", environment={"GEN3D_ZOO": faulty}, prefix=alone)


def test_paths(blender: Blender, extension: Path, tmp_path: Path) -> None:
    home = tmp_path / "Łukasz O'Hara & Söhne" / "椅子 100% $HOME" / ("far down " * 8).strip()
    zoo = home / "modèles"
    shutil.copytree(blender.zoo, zoo)
    engine = home / "engine ünd mehr"
    venv.EnvBuilder(symlinks=True).create(engine)
    numpy = importlib.util.find_spec("numpy")
    assert numpy
    assert numpy.origin
    (site,) = engine.glob("lib/python*/site-packages")
    (site / "packages.pth").write_text(f"{Path(numpy.origin).parent.parent}\n", encoding="utf-8")
    other = replace(blender, resources=home / "blender", zoo=zoo)
    other.run("install.py", str(extension))
    other.run("faults_paths.py", environment={"GEN3D_TEST_HOME": str(home), "GEN3D_PYTHON": ""})


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_killed(blender: Blender, faulty: str, number: signal.Signals) -> None:
    environment = {"GEN3D_ZOO": faulty}
    out = blender.run("faults_killed.py", str(int(number)), environment=environment, status=-number)
    ((process,),) = [re.findall(r"^engine (\d+)$", out, re.MULTILINE)]
    ends(int(process), 10)


def _works(command: Sequence[str]) -> bool:
    return (
        shutil.which(command[0]) is not None
        and not subprocess.run(command, capture_output=True, check=False).returncode
    )
