"""The built extension in real Blenders: each scenario is a script that runs inside a fresh one."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import venv
from pathlib import Path

import pytest

from gen3d_core import runs
from tests import stand_ins
from tests.blender.blenders import CHECKOUT, Blender, ends


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
        "outline.py",
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
    ends(int(words[words.index("engine") + 1]), 10)


@pytest.mark.slow
def test_training(blender: Blender) -> None:
    ((process, folder),) = re.findall(r"^training (\d+) folder (.+)$", blender.run("train.py"), re.MULTILINE)
    ends(int(process), 60)
    status = runs.read(Path(folder.strip()))
    assert status
    assert status.state == "paused", "a training whose Blender has gone did not pause"
