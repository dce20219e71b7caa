"""Gen3D in Blender: the interface of the engine, and the only part that knows Blender.

The engine runs as a process of its own, in a Python that has PyTorch; nothing here imports it.
"""

import atexit

import bpy

from . import calls, clock, jobs, models, operators, panels, preferences, properties, slider
from .status import status

CLASSES = (*preferences.CLASSES, *properties.CLASSES, *operators.CLASSES, *panels.CLASSES)


def register() -> None:
    """Adds everything to Blender."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    properties.register()
    slider.register()
    jobs.register()
    clock.register(calls.poll, jobs.tick, slider.tick)
    atexit.register(calls.stop)


def unregister() -> None:
    """Takes everything away, in the opposite order; the engine ends."""
    atexit.unregister(calls.stop)
    calls.stop()
    clock.unregister()
    jobs.unregister()
    slider.unregister()
    properties.unregister()
    models.refresh()
    status.reset()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
