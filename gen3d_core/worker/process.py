"""The engine as a process: requests on standard input, events on standard output.

One thread reads, so that a cancellation is seen while the other computes. Whatever a library prints goes to standard
error. The process ends as soon as standard input closes: no engine outlives its interface.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, BinaryIO

from .. import __version__, protocol
from ..errors import BadRequest, EngineError, Gen3DError, OutOfMemory, ProtocolError
from ..protocol import Event, Request
from .verbs import Verbs

PROTOCOL = 1
#: What PyTorch and the operating systems say when there is no more memory, besides MemoryError.
NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


def serve(device: str = "auto", threads: int = 0) -> None:
    """Serves standard input until it closes.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        threads: of torch; 0 is one less than the processor has, which leaves one to the interface.
    """
    # A print of some library must not land between two frames: keep the pipe for us, give it standard error instead.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    Worker(sys.stdin.buffer, out, device, threads).run()


class Worker:
    """Requests in, events out.

    Args:
        requests, events: the two streams.
        device, threads: see :func:`serve`.
    """

    def __init__(self, requests: BinaryIO, events: BinaryIO, device: str, threads: int) -> None:
        self._requests, self._events = requests, events
        self._writing = threading.Lock()
        self._waiting: deque[Request] = deque()
        self._changed = threading.Condition()
        self._current: str | None = None
        self._cancelled: set[str] = set()
        self._verbs = Verbs(self._send, lambda identifier: identifier in self._cancelled, device, threads)

    def run(self) -> None:
        """Works until the process ends."""
        self._send(Event("", "ready", {"version": __version__, "protocol": PROTOCOL}))
        threading.Thread(target=self._read, daemon=True).start()
        # The first click should not pay for the import; a broken torch is reported by the request that needs it.
        if find_spec("torch"):
            try:
                self._verbs.device()
            except (Gen3DError, ImportError, OSError):
                traceback.print_exc()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                request = self._waiting.popleft()
                self._current = request.id
            self._answer(request)
            with self._changed:
                self._current = None
                self._cancelled.discard(request.id)

    # Reading

    def _read(self) -> None:
        while True:
            try:
                message = protocol.read(self._requests)
            except ProtocolError as error:
                # The place of the next frame is unknown: say so and end, the client starts a new process.
                self._send(protocol.error_event("", error))
                os._exit(3)
            if message is None:
                os._exit(0)
            if isinstance(message, Request):
                self._accept(message)

    def _accept(self, request: Request) -> None:
        dropped: list[str] = []
        with self._changed:
            if request.task == "cancel":
                target = str(request.options.get("request", ""))
                if self._current == target:
                    self._cancelled.add(target)
                dropped = self._drop(lambda waiting: waiting.id == target)
            else:
                if request.stream:
                    dropped = self._drop(lambda waiting: waiting.stream == request.stream)
                self._waiting.append(request)
                self._changed.notify()
        for identifier in dropped:
            self._send(Event(identifier, "cancelled"))
        if request.task == "cancel":
            self._send(Event(request.id, "done"))

    def _drop(self, condition: Callable[[Request], bool]) -> list[str]:
        out = [waiting for waiting in self._waiting if condition(waiting)]
        for waiting in out:
            self._waiting.remove(waiting)
        return [waiting.id for waiting in out]

    # Answering

    def _answer(self, request: Request) -> None:
        try:
            task = self._verbs.tasks.get(request.task)
            if task is None:
                raise BadRequest(f"There is no task '{request.task}'.", f"Known tasks: {', '.join(self._verbs.tasks)}.")
            values: Mapping[str, Any] = {}
            for event in task(request):
                if event.kind == "done":
                    values = event.values
                else:
                    self._send(event)
            self._send(Event(request.id, "done", values))
        except Gen3DError as error:
            self._send(protocol.error_event(request.id, error))
        except Exception as error:  # noqa: BLE001 - the boundary: whatever happens, the request ends with one event
            self._send(self._unexpected(request.id, error))

    def _unexpected(self, request_id: str, error: Exception) -> Event:
        details = traceback.format_exc()
        with suppress(OSError):  # a full disk must not cost the answer
            print(details, file=sys.stderr, flush=True)  # noqa: T201 - the log
        if type(error).__name__ == "Cancelled":
            return Event(request_id, "cancelled")
        if isinstance(error, ImportError):
            failure: Gen3DError = EngineError(
                f"The engine's Python {sys.executable} cannot import {error.name or 'a package'}.",
                "Install what the engine needs into it, or choose another Python in the preferences.",
                details,
            )
        elif isinstance(error, MemoryError) or any(words in str(error).lower() for words in NO_MEMORY):
            failure = OutOfMemory("There is not enough memory for this.", "Choose a lower resolution.", details)
        elif isinstance(error, (KeyError, TypeError, ValueError)) and not details.count("site-packages"):
            failure = BadRequest("The request cannot be understood.", "Update the interface and the engine.", details)
        else:
            failure = Gen3DError("The engine met an unexpected problem.", "Copy the report and send it to us.", details)
        return protocol.error_event(request_id, failure)

    def _send(self, event: Event) -> None:
        try:
            with self._writing:
                protocol.write(self._events, event)
        except (BrokenPipeError, ValueError):
            os._exit(0)
