"""The built extension, models of little weight, and Blenders that have both."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

import build_addon
from tests.blender.blenders import CHECKOUT, HERE, Blender

LTS = "GEN3D_BLENDER_LTS"


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
