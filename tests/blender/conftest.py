"""The built extension, models of little weight, and Blenders that have both."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

import build_addon
from tests.blender.blenders import HERE, Blender

#: The Blender of this Python, and the older ones.
BLENDERS = ("current", *build_addon.OLDER)


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


@pytest.fixture(scope="session", params=BLENDERS)
def blender(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, extension: Path, toy_models: Path
) -> Blender:
    """A Blender with the extension, each in turn; GEN3D_BLENDER_4_5 and the like name another Python for an older."""
    python = sys.executable
    if request.param == "current":
        pytest.importorskip("bpy", reason="This Python has no bpy.", exc_type=ImportError)
    else:
        variable = f"GEN3D_BLENDER_{request.param.replace('.', '_')}"
        python = os.environ.get(variable, str(build_addon.OLDER[request.param].python))
        if not Path(python).exists():
            pytest.skip(f"There is no Blender at {python}: set {variable} to a Python with bpy {request.param}.")
    blender = Blender(python, tmp_path_factory.mktemp(f"blender-{request.param}"), toy_models)
    blender.run("install.py", str(extension))
    return blender
