"""The one application timer: it runs while somebody has something to wait for, and never else."""

from collections.abc import Callable
from math import inf

import bpy

#: Seconds between two looks while a render job owns the data.
RENDERING_SECONDS = 0.25

#: Called at every tick; the answer is the seconds until the next wanted tick, or infinity where there is nothing to do.
Hand = Callable[[], float]

_hands: list[Hand] = []


def register(*hands: Hand) -> None:
    """Sets what is called, in this order."""
    _hands[:] = hands


def unregister() -> None:
    """Stops the timer."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    _hands.clear()


def wake() -> None:
    """Ticks soon. Application timers do not run without a window: there, callers wait themselves."""
    if not bpy.app.background and not rendering() and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.0, persistent=True)


def rendering() -> bool:
    """Whether a render job runs, in whose thread handlers may be called."""
    return bpy.app.is_job_running("RENDER")


def _tick() -> float | None:
    if rendering():
        return RENDERING_SECONDS
    seconds = min((hand() for hand in _hands), default=inf)
    return None if seconds == inf else seconds
