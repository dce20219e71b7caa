"""Open requests: each is sent to the engine, which is started where needed, and ends done, failed or cancelled."""

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from ..gen3d_core import protocol
from ..gen3d_core.errors import Gen3DError
from ..gen3d_core.protocol import Arrays, Event, Request
from . import clock, engine, preferences
from .status import Verdict, redraw, status

POLL_SECONDS = 0.008
#: An engine that does not see a cancellation by then is ended, and started again for what else was asked of it.
CANCEL_SECONDS = 1.5


class Failure(Gen3DError):
    """An error that the engine reported."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(str(values["message"]), str(values.get("remedy", "")), str(values.get("details", "")))
        self.kind = str(values.get("kind", "error"))


class Cancelled(Gen3DError):
    """The artist asked to stop."""

    kind = "cancelled"


@dataclass(eq=False)
class Call:
    """One open request.

    Args:
        request: as sent.
        on_end: called once at the end; ``error`` is then None, a :class:`Cancelled` or what went wrong.
        results: what came so far.
        values: of the ``done`` event.
        fraction, text: the progress.
        begun: when the engine first said something of it, in seconds of the monotonic clock; infinity before.
        error: how it ended, unless well.
        ended: whether nothing more comes.
    """

    request: Request
    on_end: Callable[["Call"], None]
    results: list[Event] = field(default_factory=list)
    values: Mapping[str, Any] = field(default_factory=dict)
    fraction: float = 0.0
    text: str = ""
    begun: float = inf
    error: Gen3DError | None = None
    ended: bool = False


_engine = engine.Engine()
_open: dict[str, Call] = {}
#: What was cancelled and the engine has not let go of yet, with the time from which it counts as late.
_leaving: dict[str, float] = {}
_numbers = itertools.count(1)


def send(
    task: str,
    model: str = "",
    options: Mapping[str, Any] | None = None,
    arrays: Arrays | None = None,
    stream: str = "",
    on_end: Callable[[Call], None] = lambda call: None,
) -> Call:
    """Asks the engine for something; see :class:`gen3d_core.protocol.Request`.

    Raises:
        EngineError: there is no Python to run it.
    """
    _start()
    call = Call(protocol.Request(str(next(_numbers)), task, model, options or {}, arrays or {}, stream), on_end)
    call.text = "" if _engine.ready else "Starting the engine"
    _open[call.request.id] = call
    _engine.send(call.request)
    clock.wake()
    return call


def wait(call: Call) -> None:
    """Pauses until the call has ended.

    Raises:
        Gen3DError: it did not end well.
    """
    try:
        while not call.ended:
            poll()
            if not call.ended:
                _engine.wait(0.1)
    except KeyboardInterrupt:
        cancel(call)
        raise
    if call.error is not None:
        raise call.error


def cancel(call: Call) -> None:
    """Ends a call at once. The engine is asked to stop working on it, and has a moment for that.

    One of a stream is short, and another will follow: a new engine would take longer than to wait for its end.
    """
    if call.ended:
        return
    if _engine.running:
        _engine.send(protocol.Request(str(next(_numbers)), "cancel", options={"request": call.request.id}))
        if not call.request.stream:
            _leaving[call.request.id] = time.monotonic() + CANCEL_SECONDS
        clock.wake()
    _end(call, Cancelled("The task was cancelled.", "Start it again when you like."))


def forget() -> None:
    """Cancels everything without a word: the file that wanted it is gone."""
    for call in list(_open.values()):
        call.on_end = lambda call: None
        cancel(call)


def poll() -> float:
    """Passes on what the engine said since; returns when it wants to be called again, for the clock."""
    if not _engine.running:
        _end_all(Cancelled("The engine was stopped.", "Try again."))
        return inf
    try:
        for event in _engine.poll():
            _accept(event)
    except Gen3DError as error:
        status.verdict = Verdict(False, [error.message])
        _end_all(error)
        return inf
    now = time.monotonic()
    if not _engine.ready:
        # One that still starts cannot answer; what waits there is dropped before anything is done for it.
        _leaving.update(dict.fromkeys(_leaving, now + CANCEL_SECONDS))
    if any(late < now for late in _leaving.values()):
        _restart()
    return POLL_SECONDS if _open or _leaving else inf


def stop() -> None:
    """Ends the engine, and with it every open call."""
    _engine.stop()
    _leaving.clear()
    _end_all(Cancelled("The engine was stopped.", "Try again."))


def log_tail() -> str:
    """The end of the engine's log."""
    return _engine.log_tail()


def _start() -> None:
    """A running engine with the present settings; one that is at work is not replaced."""
    settings = preferences.engine_settings()
    if _engine.running:
        poll()  # notices one that died in the meantime
    if _engine.running and (_open or _engine.settings == settings):
        return
    _engine.start(settings)
    _leaving.clear()
    status.verdict = None
    hello = Call(protocol.Request(str(next(_numbers)), "hello"), _hear)
    _open[hello.request.id] = hello
    _engine.send(hello.request)


def _restart() -> None:
    """Another engine in the place of one that does not let go; what else was asked of it is asked again."""
    waiting = [call for call in _open.values() if call.request.task != "hello"]
    _engine.stop()
    _open.clear()
    try:
        _start()
    except Gen3DError as error:
        _open.update({call.request.id: call for call in waiting})
        _end_all(error)
        return
    for call in waiting:
        call.results.clear()
        call.fraction, call.text, call.begun = 0.0, "Starting the engine again", inf
        _open[call.request.id] = call
        _engine.send(call.request)


def _hear(hello: Call) -> None:
    """Turns the engine's account of itself into a verdict."""
    if hello.error is not None:
        if not isinstance(hello.error, Cancelled):
            status.verdict = Verdict(False, [hello.error.message, hello.error.remedy])
        return
    values = hello.values
    missing = list(values["missing"])
    if missing and _engine.settings:
        error = engine.lacking(_engine.settings, missing)
        status.verdict = Verdict(False, [f"Python {values['python']}", error.message, error.remedy])
        _end_all(error)
        return
    count = int(values["models"])
    models = f"{count} model{'' if count == 1 else 's'}"
    device = f"{values['device_name']} ({values['device']})"
    status.verdict = Verdict(
        True, [f"Python {values['python']}, torch {values['torch']}", f"{device}, {values['threads']} threads", models]
    )


def _accept(event: Event) -> None:
    if event.final:
        _leaving.pop(event.id, None)
    call = _open.get(event.id)
    if call is None:
        return
    call.begun = min(call.begun, time.monotonic())
    if event.kind == "result":
        call.results.append(event)
    elif event.kind == "progress":
        call.fraction = max(call.fraction, float(event.values.get("fraction", 0.0)))
        call.text = str(event.values.get("text", ""))
    elif event.final:
        call.values = event.values
        if event.kind == "error":
            _end(call, Failure(event.values))
        elif event.kind == "cancelled":
            _end(call, Cancelled("The task was cancelled.", "Start it again when you like."))
        else:
            _end(call, None)


def _end(call: Call, error: Gen3DError | None) -> None:
    del _open[call.request.id]
    call.ended, call.error = True, error
    call.on_end(call)
    redraw()


def _end_all(error: Gen3DError) -> None:
    for call in list(_open.values()):
        if not call.ended:
            _end(call, error)
