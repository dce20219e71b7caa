"""The live blend: a mesh follows its object's properties, coarse while they move and fine when they rest.

The mesh is a keyed cache of the properties. It carries the key of what it shows, so that whatever changes the one
without the other (undo, redo, animation, a file that was opened) is seen and repaired.
"""

import hashlib
import json
import time
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.types import Context, Depsgraph, Mesh, Object, PropertyGroup, Scene

from ..gen3d_core.errors import BadModel, BadRequest, Gen3DError
from . import calls, clock, models, objects
from .calls import Call, Cancelled
from .memory import Latent, Quality, recall, store_latent
from .objects import Geometry
from .status import record, redraw, status

TASK = "interpolate"

#: After so long without a change the shape is made in its full resolution.
REST_SECONDS = 0.25
#: Between two looks at an object whose mesh cannot be replaced now.
HELD_SECONDS = 0.25
TICK_SECONDS = 0.008
#: A frame of a moving blend should take no longer; where it would, the coarser resolution is used.
FRAME_SECONDS = 0.04
COARSE, FINE = 32, 64


#: A render job calls handlers in its own thread: only where the window is locked may they change a mesh.
UNLOCKED = BadRequest(
    "An animated blend did not follow, because the window was not locked while rendering.",
    "Turn on Render > Lock Interface, then render again.",
)


@dataclass(frozen=True)
class Wanted:
    """What an object's properties ask for.

    Args:
        model, weights: id and SHA-256 of the model.
        a, b: the ends, with shape (L,).
        t: the place between them.
        quality: of the mesh.
    """

    model: str
    weights: str
    a: Latent
    b: Latent
    t: float
    quality: Quality

    @property
    def key(self) -> str:
        """The same for the same mesh, another for another."""
        facts = [self.model, self.weights, f"{self.t:.7f}", self.quality.options()]
        digest = hashlib.sha1(json.dumps(facts).encode(), usedforsecurity=False)
        digest.update(self.a.tobytes() + b"/" + self.b.tobytes())
        return digest.hexdigest()

    def send(self, stream: str = "", draft: bool = False) -> Call:
        """Asks the engine for it.

        Raises:
            BadModel: the model is not the one that the latents belong to.
            EngineError: there is no engine.
        """
        card = models.find(self.model)
        if self.weights != card.sha256:
            raise BadModel(
                f"The model '{card.title}' is another version than the one this shape was made with.",
                "Restore that version, or interpolate between two new shapes.",
            )
        options = {"t": self.t, "draft": draft, **self.quality.options()}
        return calls.send("decode", str(card.folder), options, {"a": self.a, "b": self.b}, stream)


@dataclass
class Stream:
    """One object whose mesh is behind its properties.

    Args:
        name: under which the object was last found.
        changed: when its properties last moved, in seconds of the monotonic clock.
        call: what the engine works on; at most one.
        wanted: what that is.
        sent: when it was.
        held_until: not looked at before.
    """

    name: str
    changed: float
    call: Call | None = None
    wanted: Wanted | None = None
    sent: float = 0.0
    held_until: float = 0.0


_streams: dict[int, Stream] = {}
#: Moving average of the seconds that a draft took, by resolution.
_draft_seconds: dict[int, float] = {}


def changed(group: PropertyGroup, context: Context) -> None:
    """A property of a slider was changed by hand or by a script."""
    obj = group.id_data
    if isinstance(obj, Object) and objects.task_of(obj) == TASK:
        if not bpy.app.background:
            mark(obj)
            return
        try:
            refresh(obj)
        except Gen3DError as error:
            record(error)
            raise


def mark(obj: Object, resting: bool = False) -> None:
    """The mesh is behind: the clock will see to it, at once in full resolution where nothing is moving."""
    now = 0.0 if resting else time.monotonic()
    stream = _streams.setdefault(obj.session_uid, Stream(obj.name, now))
    stream.changed, stream.held_until = now, 0.0
    clock.wake()


def wanted(obj: Object, t: float | None = None) -> Wanted | None:
    """What an object's properties ask for; None where it is no slider.

    Args:
        obj: any object.
        t: instead of its own.
    """
    if objects.task_of(obj) != TASK or not isinstance(obj.data, Mesh):
        return None
    memory = recall(obj)
    if memory.a is None or memory.b is None:
        return None
    place = memory.t if t is None else t
    return Wanted(memory.model, memory.weights, memory.a, memory.b, place, memory.quality)


def refresh(obj: Object, t: float | None = None, *, replace_edits: bool = False) -> None:
    """Brings a slider's mesh up to date, and waits for it.

    Raises:
        BadRequest: its mesh must not be replaced.
        Gen3DError: the engine could not make it.
    """
    want = wanted(obj, t)
    if want is None or (objects.shown(_mesh(obj)) == want.key and not replace_edits):
        return
    reason = objects.refusal(obj, replace_edits=replace_edits)
    if reason:
        raise BadRequest(f"The mesh of '{obj.name}' stays as it is. {reason}.", "Change that, then move the slider.")
    call = want.send()
    calls.wait(call)
    _apply(obj, call, want.key)


def settle(obj: Object) -> None:
    """Notes that an object's mesh was just made from its properties."""
    want = wanted(obj)
    group: Any = _mesh(obj).gen3d  # pyright: ignore[reportAttributeAccessIssue]
    group.key = want.key if want else ""


def reconcile() -> None:
    """Compares every slider's mesh with its properties; what differs is made again."""
    for obj in bpy.data.objects:
        want = wanted(obj)
        if want is None or objects.shown(_mesh(obj)) == want.key or obj.library:
            continue
        if bpy.app.background:
            _try(obj)
        else:
            mark(obj, resting=True)


def tick() -> float:
    """Shows what has come and asks for what is wanted next; the clock calls it."""
    waits = [_advance(uid, stream) for uid, stream in list(_streams.items())]
    return min(waits, default=inf)


def _advance(uid: int, stream: Stream) -> float:
    now = time.monotonic()
    if now < stream.held_until:
        return stream.held_until - now
    obj = objects.find(uid, stream.name)
    want = wanted(obj) if obj else None
    if obj is None or want is None:
        return _drop(uid)
    stream.name = obj.name
    if stream.call is not None:
        if not stream.call.ended:
            return TICK_SECONDS
        reason = objects.refusal(obj)
        if reason:
            status.notes[uid] = reason
            stream.held_until = now + HELD_SECONDS
            return HELD_SECONDS
        if not _receive(obj, stream):
            return _drop(uid)
    status.notes.pop(uid, None)
    key = objects.shown(_mesh(obj))
    if key == want.key:
        return _drop(uid)
    rest = stream.changed + REST_SECONDS - now
    if rest > 0:
        want = replace(want, quality=_draft_quality(want.quality))
        if key == want.key:
            return rest
    reason = objects.refusal(obj)
    if reason:
        status.notes[uid] = reason
        stream.held_until = now + HELD_SECONDS
        redraw()
        return HELD_SECONDS
    try:
        stream.call = want.send(stream=str(uid), draft=rest > 0)
    except Gen3DError as error:
        record(error)
        return _drop(uid)
    stream.wanted, stream.sent = want, now
    return TICK_SECONDS


def _receive(obj: Object, stream: Stream) -> bool:
    """Shows what has come; whether to go on."""
    call, want = stream.call, stream.wanted
    assert call is not None
    assert want is not None
    stream.call = None
    if call.error is not None:
        # A newer request of the stream took its place, or the artist stopped it: neither is an error.
        if not isinstance(call.error, Cancelled):
            record(call.error)
        return False
    seconds = time.monotonic() - stream.sent
    resolution = want.quality.resolution
    _draft_seconds[resolution] = 0.7 * _draft_seconds.get(resolution, seconds) + 0.3 * seconds
    try:
        _apply(obj, call, want.key)
    except Gen3DError as error:
        record(error)
        return False
    return True


def _apply(obj: Object, call: Call, key: str) -> None:
    if not call.results:
        raise BadRequest("The engine sent no shape.", "Restart the engine in the preferences.")
    result = call.results[0]
    objects.fill(_mesh(obj), Geometry.of(result), key)
    store_latent(obj, "latent", result.arrays.get("latent"))
    status.error = None


def _draft_quality(quality: Quality) -> Quality:
    """The finest that stays inside a frame."""
    # Before the finer one was tried, it is expected to take four times as long: the surface has four times the cells.
    expected = _draft_seconds.get(FINE, 4 * _draft_seconds.get(COARSE, inf))
    resolution = FINE if expected < FRAME_SECONDS else COARSE
    return Quality(min(quality.resolution, resolution), 0, quality.debris)


def _drop(uid: int) -> float:
    stream = _streams.pop(uid, None)
    _draft_seconds.clear()
    if stream is not None and stream.call is not None:
        calls.cancel(stream.call)
    return inf


def _mesh(obj: Object) -> Mesh:
    assert isinstance(obj.data, Mesh)
    return obj.data


def _try(obj: Object, t: float | None = None) -> None:
    """As :func:`refresh`; an error is kept for the panel and for the report."""
    try:
        refresh(obj, t)
    except Gen3DError as error:
        record(error)


@persistent
def _after_undo(*_: object) -> None:
    # What is under way was asked for in a state of the file that no longer is.
    for uid in list(_streams):
        _drop(uid)
    reconcile()


@persistent
def _after_load(*_: object) -> None:
    _streams.clear()
    status.notes.clear()
    reconcile()


@persistent
def _after_frame(scene: Scene, depsgraph: Depsgraph) -> None:
    for obj in scene.objects:
        if objects.task_of(obj) != TASK or not isinstance(obj.data, Mesh):
            continue
        evaluated: Any = obj.evaluated_get(depsgraph)
        t = evaluated.gen3d.t
        want = wanted(obj, t)
        if want is None or objects.shown(_mesh(obj)) == want.key:
            continue
        # A picture waits for its shape; the window does not.
        if bpy.app.background or (clock.rendering() and scene.render.use_lock_interface):
            _try(obj, t)
        elif clock.rendering():
            record(UNLOCKED)
        else:
            mark(obj)


@persistent
def _after_render(*_: object) -> None:
    reconcile()


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
    _streams.clear()
    _draft_seconds.clear()
