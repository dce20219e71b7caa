"""Gen3D in Blender: the interface of the engine, and the only part that knows Blender.

The engine runs as a process of its own, in a Python that has PyTorch; nothing here imports it.
"""

import atexit

import bpy

from . import (
    asset_operators,
    asset_panels,
    calls,
    clock,
    engine_operators,
    extension,
    findings,
    following,
    given_operators,
    install_operators,
    installs,
    job_operators,
    job_panels,
    jobs,
    keep_operators,
    models,
    operators,
    outliers,
    outline_operators,
    panels,
    pictures,
    preferences,
    properties,
    recipe_operators,
    shape_operators,
    shape_panels,
    slider,
    start_panels,
    train_operators,
    trainings,
)
from .status import status

CLASSES = (
    *preferences.CLASSES,
    *properties.CLASSES,
    *operators.CLASSES,
    *engine_operators.CLASSES,
    *job_operators.CLASSES,
    *given_operators.CLASSES,
    *outline_operators.CLASSES,
    *shape_operators.CLASSES,
    *recipe_operators.CLASSES,
    *keep_operators.CLASSES,
    *asset_operators.CLASSES,
    *train_operators.CLASSES,
    *install_operators.CLASSES,
    *start_panels.CLASSES,
    *panels.CLASSES,
    *shape_panels.CLASSES,
    *asset_panels.CLASSES,
    *job_panels.CLASSES,
)


def register() -> None:
    """Adds everything to Blender.

    Raises:
        RuntimeError: another copy of the extension has done so: Blender would take its operators away from it.
    """
    if other := extension.other_copy():
        raise RuntimeError(f"Another copy of Gen3D is enabled: {other}. Disable it in the preferences, or this one.")
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    properties.register()
    following.register()
    jobs.register()
    outliers.register()
    findings.register()
    clock.register(calls.poll, jobs.tick, slider.tick, trainings.tick, installs.tick)
    trainings.register()
    atexit.register(calls.stop)
    atexit.register(installs.stop)


def unregister() -> None:
    """Takes everything away, in the opposite order; the engine ends, and a training pauses."""
    atexit.unregister(installs.stop)
    installs.stop()
    atexit.unregister(calls.stop)
    calls.stop()
    trainings.unregister()
    clock.unregister()
    findings.unregister()
    outliers.unregister()
    jobs.unregister()
    following.unregister()
    properties.unregister()
    models.refresh()
    pictures.unregister()
    status.reset()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
