"""The live slider: a mesh follows its object's properties, coarse while they move and fine when they rest.

The mesh is a keyed cache of the properties. It carries the key of what it shows, so that whatever changes the one
without the other (undo, redo, animation, a file that was opened) is seen and repaired. What the properties ask for is
in :mod:`.wanted`, what changes them besides the artist's hand in :mod:`.following`.
"""

import time
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import bpy
from bpy.types import Context, Mesh, Object, PropertyGroup

from ..gen3d_core.errors import BadRequest, Gen3DError
from . import calls, clock, objects
from .calls import Call, Cancelled
from .memory import BLEND, Quality, store_latent
from .status import record, redraw, status
from .wanted import Wanted, follows, wanted

#: After so long without a change the shape is made in its full resolution.
REST_SECONDS = 0.25
#: Between two looks at an object whose mesh cannot be replaced now.
HELD_SECONDS = 0.25
TICK_SECONDS = 0.008
#: A frame of a moving blend should take no longer; where it would, the coarser resolution is used.
FRAME_SECONDS = 0.04
COARSE, FINE = 32, 64


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
    """A property that a mesh follows was changed by hand or by a script."""
    obj = group.id_data
    if isinstance(obj, Object) and follows(obj):
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


def refresh(obj: Object, seen: Any = None, *, replace_edits: bool = False) -> None:
    """Brings the mesh of what follows its properties up to date, and waits for it.

    Args:
        obj: any object.
        seen: as for :func:`.wanted.wanted`.
        replace_edits: whether what an artist changed in the mesh by hand may go.

    Raises:
        BadRequest: its mesh must not be replaced.
        Gen3DError: the engine could not make it.
    """
    want = wanted(obj, seen)
    if want is None or (objects.shown(_mesh(obj)) == want.key and not replace_edits):
        return
    reason = objects.refusal(obj, replace_edits=replace_edits)
    if reason:
        raise BadRequest(f"The mesh of '{obj.name}' stays as it is. {reason}.", "Change that, then move the slider.")
    call = _send(want)
    calls.wait(call)
    show(obj, call, want)


def settle(obj: Object) -> None:
    """Notes that an object's mesh shows what its properties ask for."""
    want = wanted(obj)
    group: Any = _mesh(obj).gen3d  # pyright: ignore[reportAttributeAccessIssue]
    group.key = want.key if want else ""


def reconcile() -> None:
    """Compares every mesh that follows its object's properties with them; what differs is made again."""
    for obj in bpy.data.objects:
        want = wanted(obj)
        if want is None or objects.shown(_mesh(obj)) == want.key or obj.library:
            continue
        if bpy.app.background:
            follow(obj)
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
        stream.call = _send(want, stream=str(uid), draft=rest > 0)
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
        show(obj, call, want)
    except Gen3DError as error:
        record(error)
        return False
    return True


def _send(want: Wanted, stream: str = "", draft: bool = False) -> Call:
    """Asks the engine for it.

    Raises:
        BadModel: see :meth:`.wanted.Wanted.step`.
        EngineError: there is no engine.
    """
    step = want.step(draft)
    return calls.send(step.task, step.model, step.options, step.arrays, stream)


def show(obj: Object, call: Call, want: Wanted) -> None:
    """Fills an object's mesh with what the engine made.

    Raises:
        ProtocolError, BadRequest: that is no shape.
    """
    if not call.results:
        raise BadRequest("The engine sent no shape.", "Restart the engine in the preferences.")
    (result, *_) = call.results
    objects.fill(_mesh(obj), want.shape(result), want.key)
    if objects.task_of(obj) == BLEND:
        # Of other shapes the latent is where their sliders begin, and stays.
        store_latent(obj, "latent", result.arrays.get("latent"))
    status.error = None


def _draft_quality(quality: Quality) -> Quality:
    """The finest that stays inside a frame."""
    # Before the finer one was tried, it is expected to take four times as long: the surface has four times the cells.
    expected = _draft_seconds.get(FINE, 4 * _draft_seconds.get(COARSE, inf))
    resolution = FINE if expected < FRAME_SECONDS else COARSE
    return replace(quality, resolution=min(quality.resolution, resolution), faces=0)


def _drop(uid: int) -> float:
    stream = _streams.pop(uid, None)
    _draft_seconds.clear()
    if stream is not None and stream.call is not None:
        calls.cancel(stream.call)
    return inf


def _mesh(obj: Object) -> Mesh:
    assert isinstance(obj.data, Mesh)
    return obj.data


def follow(obj: Object, seen: Any = None) -> None:
    """As :func:`refresh`; an error is kept for the panel and for the report."""
    try:
        refresh(obj, seen)
    except Gen3DError as error:
        record(error)


def forget() -> None:
    """Drops everything under way: it was asked for in a state of the file that no longer is."""
    for uid in list(_streams):
        _drop(uid)


def clear() -> None:
    """Forgets everything under way, without a word to the engine: the objects are gone."""
    _streams.clear()
    _draft_seconds.clear()
