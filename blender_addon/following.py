"""What moves the properties of shapes besides the artist's hand: undo, files, animation and rendering."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.types import Depsgraph, Mesh, Scene

from ..gen3d_core.errors import BadRequest
from . import clock, objects, slider
from .status import record, status
from .wanted import follows, wanted

#: A render job calls handlers in its own thread: only where the window is locked may they change a mesh.
UNLOCKED = BadRequest(
    "An animated shape did not follow, because the window was not locked while rendering.",
    "Turn on Render > Lock Interface, then render again.",
)


_paused = False


@contextmanager
def paused() -> Iterator[None]:
    """Lets no mesh follow the frames that are passed through inside."""
    global _paused
    before, _paused = _paused, True
    try:
        yield
    finally:
        _paused = before


@persistent
def _after_undo(*_: object) -> None:
    slider.forget()
    slider.reconcile()


@persistent
def _after_load(*_: object) -> None:
    slider.clear()
    status.notes.clear()
    slider.reconcile()


@persistent
def _after_frame(scene: Scene, depsgraph: Depsgraph) -> None:
    if _paused:
        return
    for obj in scene.objects:
        if not follows(obj):
            continue
        assert isinstance(obj.data, Mesh)
        # Of a render job the evaluated object alone has the values of its frame.
        evaluated: Any = obj.evaluated_get(depsgraph)
        want = wanted(obj, evaluated)
        if want is None or objects.shown(obj.data) == want.key:
            continue
        # A picture waits for its shape; the window does not.
        if bpy.app.background or (clock.rendering() and scene.render.use_lock_interface):
            slider.follow(obj, evaluated)
        elif clock.rendering():
            record(UNLOCKED)
        else:
            slider.mark(obj)


@persistent
def _after_render(*_: object) -> None:
    slider.reconcile()


HANDLERS = (
    ("undo_post", _after_undo),
    ("redo_post", _after_undo),
    ("load_post", _after_load),
    ("frame_change_post", _after_frame),
    ("render_complete", _after_render),
    ("render_cancel", _after_render),
)


def register() -> None:
    """Adds the handlers."""
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Removes them, and forgets what was under way."""
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    slider.clear()
