"""Where the extension is: its package, its folder, and where it may write."""

import os
from pathlib import Path
from typing import Any

import bpy

from .. import gen3d_core

#: The package that Blender enables: it holds this one and the engine, and names the preferences.
ROOT = (__package__ or "").rpartition(".")[0]
#: The folder that holds ``gen3d_core``: the engine process finds it there.
FOLDER = Path(gen3d_core.__file__).resolve().parent.parent


def other_copy() -> str:
    """The package of a copy that is enabled from another repository; empty where there is none."""
    panel: Any = getattr(bpy.types, "GEN3D_PT_generate", None)
    package = panel.__module__.partition(".blender_addon")[0] if panel else ROOT
    return "" if package == ROOT else package


def user_folder() -> Path:
    """A folder that may be written to: the extension's own, or Blender's temporary one where that is impossible."""
    try:
        return Path(bpy.utils.extension_path_user(ROOT, create=True))
    except (OSError, ValueError):  # no place to write, or not installed as an extension
        return Path(bpy.app.tempdir)


def log_folder() -> Path:
    """Where the engine works and logs: the user's folder, or Blender's temporary one where nothing can be written."""
    folder = user_folder()
    return folder if os.access(folder, os.W_OK) else Path(bpy.app.tempdir)


def my_models() -> Path:
    """The folder of the models that the artist trained; it may not be there yet."""
    return user_folder() / "models"


def my_trainings() -> Path:
    """The folder of trainings, each a folder in it; it may not be there yet."""
    return user_folder() / "trainings"


def my_engine() -> Path:
    """The folder of the engine's own Python, as the installer makes it; it may not be there yet."""
    return user_folder() / "engine"
