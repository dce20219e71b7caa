"""Verbs under way: in the background for the panel, at once for scripts. One result is one undo step."""

import itertools
import time
from collections.abc import Container, Sequence
from dataclasses import dataclass
from math import inf

import bpy
from bpy.app.handlers import persistent
from bpy.types import Object, Window

from ..gen3d_core.errors import BadRequest, Gen3DError
from . import calls, clock, verbs
from .calls import Call, Cancelled
from .holding import ForObject
from .status import record, redraw, status
from .steps import Step

TICK_SECONDS = 0.05
HELD_SECONDS = 0.25
#: Before that, an estimate of the time left would only jump.
ESTIMATE_SECONDS = 2.0


@dataclass(eq=False)
class Job:
    """One verb in the background.

    Args:
        number: tells it from others.
        label: what the artist reads: "Generate".
        verb: begun already.
        step: that the engine works on.
        call: its request.
        finish: makes the objects, once all results are there.
        waits_for: why the objects are not made yet, as a sentence without its full stop; empty where they may be.
        held: whether that is for the artist to decide: see :mod:`.holding`.
        begun: when the engine began with it, in seconds of the monotonic clock; infinity before.
    """

    number: str
    label: str
    verb: verbs.Verb
    step: Step
    call: Call
    finish: verbs.Finish | None = None
    waits_for: str = ""
    held: bool = False
    begun: float = inf

    @property
    def queued(self) -> bool:
        """Whether the engine is still busy with those before it."""
        return min(self.begun, self.call.begun) == inf and next(iter(_jobs.values()), self) is not self

    @property
    def shapes(self) -> int:
        """How many the engine makes in the present step."""
        return len(self.step.options.get("seeds", ())) or 1

    @property
    def can_be_anew(self) -> bool:
        """Whether what is held can be had as a new object."""
        return self.held and isinstance(self.finish, ForObject) and self.finish.anew is not None

    @property
    def fraction(self) -> float:
        """The progress, 0 to 1."""
        if self.finish:
            return 1.0
        # What is there already is progress, too.
        fraction = max(self.call.fraction, min(len(self.call.results) / self.shapes, 1.0))
        return self.step.begin + (self.step.end - self.step.begin) * fraction

    @property
    def left(self) -> float:
        """An estimate of the seconds left; infinity while there is too little to go by."""
        seconds, fraction = time.monotonic() - min(self.begun, self.call.begun), self.fraction
        if self.finish or seconds < ESTIMATE_SECONDS or fraction < 0.05:
            return inf
        return seconds / fraction - seconds

    @property
    def text(self) -> str:
        """What it is doing: the phase, which shape of how many, and the time left."""
        if self.finish:
            return "Done, waits for the render" if clock.rendering() else self.waits_for or self.label
        if self.queued:
            return "Waits for its turn"
        parts = [self.call.text or self.label]
        if self.shapes > 1:
            parts.append(f"{min(len(self.call.results) + 1, self.shapes)} of {self.shapes}")
        if self.left < inf:
            parts.append(f"{self.left:.0f} s left")
        return ", ".join(parts)


_jobs: dict[str, Job] = {}
_numbers = itertools.count(1)


def active() -> Sequence[Job]:
    """The jobs under way, oldest first."""
    return list(_jobs.values())


def run(verb: verbs.Verb) -> list[Object]:
    """Runs a verb to its end, and waits for it.

    Raises:
        Gen3DError: it cannot be done; nothing in Blender has changed then.
    """
    mode = bpy.context.mode
    if mode != "OBJECT":
        raise BadRequest(f"Blender is in {mode.replace('_', ' ').title()} mode.", "Switch to Object Mode.")
    try:
        step = next(verb)
        while True:
            call = calls.send(step.task, step.model, step.options, step.arrays)
            try:
                calls.wait(call)
            except Cancelled:
                raise
            except Gen3DError as error:
                step = verb.throw(error)
            else:
                step = verb.send(call)
    except StopIteration as end:
        status.error = None
        return end.value()


def start(label: str, verb: verbs.Verb) -> None:
    """Runs a verb in the background; what goes wrong later is kept as the last error.

    Raises:
        Gen3DError: it cannot even begin.
    """
    step = next(verb)
    number = str(next(_numbers))
    call = calls.send(step.task, step.model, step.options, step.arrays, on_end=lambda call: _continue(number, call))
    _jobs[number] = Job(number, label, verb, step, call)
    status.error = None
    redraw()


def cancel(numbers: Container[str] | None = None) -> None:
    """Stops some jobs, or every one; nothing of them is left."""
    for job in active():
        if numbers is None or job.number in numbers:
            calls.cancel(job.call)
            _jobs.pop(job.number, None)
    redraw()


def tick() -> float:
    """Makes the objects of what is done, as soon as Blender is in a state for it; the clock calls it."""
    waiting = False
    for number, job in list(_jobs.items()):
        if job.finish is None:
            continue
        if not _ready(job):
            waiting = True
            continue
        with bpy.context.temp_override(window=_main_window()):
            bpy.ops.gen3d.apply("EXEC_DEFAULT", True, job=number)  # pyright: ignore[reportAttributeAccessIssue]
    if waiting:
        return HELD_SECONDS
    return TICK_SECONDS if _jobs else inf


def apply(number: str) -> bool:
    """Makes the objects of a finished job, or shows what it found out; whether there are objects.

    A result whose object is gone, or must not be changed, stays held.
    """
    job = _jobs.get(number)
    if job is None or job.finish is None or _obstacle(job.finish):
        return False
    return _end(job, job.finish)


def add_anew(number: str) -> list[Object]:
    """Makes a new object of a held result; returns it.

    Raises:
        BadRequest: there is no such result, or Blender is in no state for it.
    """
    job = _jobs.get(number)
    if job is None or not isinstance(job.finish, ForObject) or job.finish.anew is None:
        raise BadRequest("There is no such result.", "Start the task again.")
    if bpy.context.mode != "OBJECT":
        raise BadRequest("A new object is added in Object Mode.", "Switch to Object Mode, then try again.")
    created: list[Object] = []
    anew = job.finish.anew
    _end(job, lambda: created.extend(anew()) or created)
    return created


def _end(job: Job, finish: verbs.Finish) -> bool:
    """Takes a job off the list, with its objects made; whether there are any."""
    del _jobs[job.number]
    redraw()
    try:
        return bool(finish())
    except Gen3DError as error:
        record(error)
        return False


def _ready(job: Job) -> bool:
    """Whether the objects of a finished job can be made now; notes what they wait for."""
    obstacle, reason = _obstacle(job.finish), reason_to_wait()
    # What is gone is gone in every mode.
    job.held = bool(obstacle) and (not reason or _gone(job.finish))
    text = f"Done, but {obstacle}" if job.held else f"Done, waits for {reason}" if reason else ""
    if text != job.waits_for:
        job.waits_for = text
        redraw()
    return not text


def _gone(finish: verbs.Finish | None) -> bool:
    return isinstance(finish, ForObject) and finish.found is None


def _obstacle(finish: verbs.Finish | None) -> str:
    return finish.obstacle if isinstance(finish, ForObject) else ""


def _continue(number: str, call: Call) -> None:
    """The engine has ended one step of a job."""
    job = _jobs.get(number)
    if job is None:
        return
    if isinstance(call.error, Cancelled):
        del _jobs[number]
        return
    job.begun = min(job.begun, call.begun)
    try:
        # A verb of many steps may go on without the one that failed; the others raise the error again.
        job.step = job.verb.send(call) if call.error is None else job.verb.throw(call.error)
        job.call = calls.send(
            job.step.task,
            job.step.model,
            job.step.options,
            job.step.arrays,
            on_end=lambda call: _continue(number, call),
        )
    except StopIteration as end:
        job.finish = end.value
    except Gen3DError as error:
        del _jobs[number]
        record(error)


def _main_window() -> Window | None:
    manager = bpy.context.window_manager
    return manager.windows[0] if manager and len(manager.windows) else None


def reason_to_wait() -> str:
    """What has to happen before anything may be made or read; empty where it may be now."""
    window = _main_window()
    if window is None:
        return "a window"
    with bpy.context.temp_override(window=window):
        if bpy.context.mode != "OBJECT":
            return "Object Mode"
    # Moving something with the mouse ends in an undo step of its own.
    if any(operator.bl_idname.startswith("TRANSFORM_OT_") for operator in window.modal_operators):
        return "the mouse"
    return ""


@persistent
def _after_load(*_: object) -> None:
    # What was asked for in another file has no place in this one.
    dropped = [job.label for job in active() if job.finish]
    _jobs.clear()
    calls.forget()
    if dropped:
        what = f"{len(dropped)} result{' that was' if len(dropped) == 1 else 's that were'} held for the one before"
        sentence = f"Another file was opened: {what} went with it ({', '.join(dropped)})."
        record(BadRequest(sentence, "Open that file again, and start anew what you need."))


def register() -> None:
    """Adds the handler."""
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """Removes it, and forgets what was under way."""
    bpy.app.handlers.load_post.remove(_after_load)
    _jobs.clear()
