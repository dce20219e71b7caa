"""The built extension in real Blenders: each scenario is a script that runs inside a fresh one."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

import build_addon
from gen3d_core import runs
from tests import stand_ins

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE / "scripts"
CHECKOUT = HERE.parent.parent
LTS = "GEN3D_BLENDER_LTS"
SECONDS = 1500
#: Blender's own modules can be imported only after ``bpy``, whose C++ part can wait for itself for ever at the end.
LAUNCH = """
import atexit, os, runpy, sys
import bpy
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
atexit._run_exitfuncs()
sys.stdout.flush()
os._exit(0)
"""


@dataclass(frozen=True)
class Blender:
    """A Python with ``bpy`` in which the extension is installed.

    Args:
        python: its executable.
        resources: the folder of its user's files.
        zoo: a folder of models.
    """

    python: str
    resources: Path
    zoo: Path

    def run(self, script: str, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Runs a script inside; returns what it prints, and fails where it fails."""
        variables = {
            **os.environ,
            "BLENDER_USER_RESOURCES": str(self.resources),
            "GEN3D_ZOO": str(self.zoo),
            "GEN3D_PYTHON": sys.executable,
            **(environment or {}),
        }
        command = [self.python, "-c", LAUNCH, str(SCRIPTS / script), *arguments]
        done = subprocess.run(
            command, env=variables, cwd=SCRIPTS, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, f"{script} failed:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        return done.stdout


@pytest.fixture(scope="session")
def toy() -> ModuleType:
    """``toy.py``."""
    spec = importlib.util.spec_from_file_location("toy", HERE / "toy.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def toy_models(tmp_path_factory: pytest.TempPathFactory, toy: ModuleType) -> Path:
    """A folder with three models that give closed surfaces."""
    folder = tmp_path_factory.mktemp("zoo")
    toy.make(folder, ("toy-blobs", "toy-copy"))
    return folder


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory, toy: ModuleType) -> Path:
    """The built zip, with the system of one of the models."""
    return toy.add_to(build_addon.pack(tmp_path_factory.mktemp("dist")))


@pytest.fixture(scope="session", params=["current", "lts"])
def blender(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, extension: Path, toy_models: Path
) -> Blender:
    """A Blender with the extension; once the newest and once the one with long-term support."""
    if request.param == "lts":
        default = CHECKOUT / ".venv-blender-4.5" / "bin" / "python"
        python = os.environ.get(LTS, str(default))
        if not Path(python).exists():
            pytest.skip(f"There is no Blender at {python}: set {LTS} to a Python with an older bpy.")
    else:
        python = sys.executable
        pytest.importorskip("bpy", reason="This Python has no bpy.", exc_type=ImportError)
    blender = Blender(python, tmp_path_factory.mktemp(f"blender-{request.param}"), toy_models)
    blender.run("install.py", str(extension))
    return blender


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [
        "generate.py",
        "quads.py",
        "in_line.py",
        "held.py",
        "blend.py",
        "sliders.py",
        "bake.py",
        "shapes.py",
        "given.py",
        "views.py",
        "told.py",
        "assets.py",
        "many.py",
        "random_edits.py",
        "keep.py",
        "selected.py",
        "library.py",
        "provenance.py",
    ],
)
def test_script(blender: Blender, script: str) -> None:
    blender.run(script)


@pytest.mark.slow
def test_install_engine(blender: Blender, tmp_path: Path) -> None:
    numpy = importlib.util.find_spec("numpy")
    assert numpy
    assert numpy.origin
    wheels = tmp_path / "some wheels" / "inner"
    # Installing it makes the packages of this Python importable: as good as PyTorch, and as large as a line of text.
    stand_ins.wheel(wheels, "torch", "2.13.0+cpu", {"engine.pth": f"{Path(numpy.origin).parent.parent}\n"})
    stand_ins.wheel(wheels, "stand-in", "1.0")
    blender.run("install_engine.py", environment={"GEN3D_TEST_WHEELS": str(wheels), "GEN3D_TEST_BASE": sys.executable})


@pytest.mark.slow
def test_errors(blender: Blender, tmp_path: Path) -> None:
    bare, without_torch = tmp_path / "bare", tmp_path / "without torch"
    for folder in (bare, without_torch):
        venv.EnvBuilder(symlinks=True).create(folder)
    numpy = importlib.util.find_spec("numpy")
    assert numpy
    assert numpy.origin
    packages = Path(numpy.origin).parent.parent
    (site,) = without_torch.glob("lib/python*/site-packages")
    for name in ("numpy", "numpy.libs"):
        if (packages / name).exists():
            (site / name).symlink_to(packages / name)
    garbage = tmp_path / "garbage"
    garbage.write_text("#!/bin/sh\necho 'Welcome to some other program, which likes to talk'\nexec sleep 60\n")
    garbage.chmod(0o755)
    environment = {
        "GEN3D_TEST_BARE": str(bare / "bin" / "python"),
        "GEN3D_TEST_WITHOUT_TORCH": str(without_torch / "bin" / "python"),
        "GEN3D_TEST_NO_PYTHON": "/bin/false",
        "GEN3D_TEST_GARBAGE": str(garbage),
    }
    blender.run("errors.py", environment=environment)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "made"), [("family.py", "family.blend"), ("complete.py", "chair.glb"), ("morph.py", "morph.blend")]
)
def test_example(blender: Blender, tmp_path: Path, example: str, made: str) -> None:
    # As it ships: with the models in the extension, and no others.
    path, place = str(CHECKOUT / "examples" / example), str(tmp_path / made)
    out = blender.run("example.py", path, "--", place, environment={"GEN3D_ZOO": ""})
    assert (tmp_path / made).stat().st_size > 10_000
    assert "Chair" in out or "frame 24: " in out, out


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Memory is read as Linux tells it.")
def test_soak(blender: Blender) -> None:
    # GEN3D_TEST_GENERATIONS=500 GEN3D_TEST_SLIDES=2000 for a long one.
    usual = {"GEN3D_TEST_GENERATIONS": "80", "GEN3D_TEST_SLIDES": "300"}
    out = blender.run("soak.py", environment={name: os.environ.get(name, value) for name, value in usual.items()})
    assert "slider steps" in out


@pytest.mark.slow
def test_registering(blender: Blender) -> None:
    words = blender.run("registering.py").split()
    _ends(int(words[words.index("engine") + 1]), 10)


@pytest.mark.slow
def test_training(blender: Blender) -> None:
    ((process, folder),) = re.findall(r"^training (\d+) folder (.+)$", blender.run("train.py"), re.MULTILINE)
    _ends(int(process), 60)
    status = runs.read(Path(folder.strip()))
    assert status
    assert status.state == "paused", "a training whose Blender has gone did not pause"


def _ends(process: int, seconds: float) -> None:
    """Waits for the end of a process that nobody may be left to reap."""
    end = time.monotonic() + seconds
    while runs.identity(process):
        assert time.monotonic() < end, f"process {process} outlived Blender"
        time.sleep(0.05)
