"""No thread touches Blender, and nothing is printed where it should be told: a terminal is not where artists look."""

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import bpy
from support import begin, clear, enable, engine_process, fault, module, select, state, until, works

# From the start: whoever begins a thread is noted, and timers that are set are counted with their thread.
started: list[str] = []
begin_thread = threading.Thread.start


def noted(thread: threading.Thread) -> None:
    started.append(repr(thread))
    begin_thread(thread)


threading.Thread.start = noted  # type: ignore[method-assign]

enable()
api, jobs, status = module("api"), module("jobs"), module("status").status
clear()


@contextmanager
def listened() -> Iterator[list[str]]:
    """What this process and its libraries print inside, by any way."""
    words: list[str] = []
    with tempfile.TemporaryFile() as file:
        sys.stdout.flush(), sys.stderr.flush()
        before = [os.dup(number) for number in (1, 2)]
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        try:
            yield words
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            for number, copy in zip((1, 2), before, strict=True):
                os.dup2(copy, number)
                os.close(copy)
            file.seek(0)
            words += file.read().decode().splitlines()


# Faults of every kind, in the background as the panel's buttons begin them: told in the panel, printed nowhere.
with listened() as words:
    works()
    for name in ("surprise", "empty", "killed", "noise", "garbage"):
        before = state()
        job = begin("Generate", fault(name, 1 if name == "noise" else 3))
        until(lambda job=job: job.finish or not jobs.active())
        assert (status.error is None) == (name == "noise"), (name, status.error)
        jobs.cancel()
        assert state() == before
    a, b = api.generate("toy-blobs", (1, 2), 32)
    (blend,) = api.interpolate(a, b, resolution=32)
    blend.gen3d.t = 0.3
    select(a, b)
assert words == [], words

# Everything above was done by one thread; the engine has its own in its own process.
assert started == [], started
assert threading.active_count() == 1, threading.enumerate()
assert engine_process().pid != os.getpid()
assert not {"torch", "concurrent.futures.thread", "multiprocessing"} & set(sys.modules)
works()
assert bpy.context.mode == "OBJECT"
