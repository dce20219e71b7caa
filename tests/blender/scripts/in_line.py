"""Several tasks in line: each has its state, its own cancel, and survives another's."""

import os
import signal
import time

import bpy
from support import clear, enable, engine_process, module

enable()
jobs, calls, verbs, clock = module("jobs"), module("calls"), module("verbs"), module("clock")
status, quality = module("status").status, module("memory").Quality(32)
clear()


def goes_on(condition: object, seconds: float = 120.0) -> None:
    """Ticks as the clock would, until something is so."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        assert status.error is None, status.error
        calls.poll()
        time.sleep(0.005)


def start(label: str, count: int) -> object:
    jobs.start(label, verbs.generate("toy-blobs", range(1, count + 1), quality))
    return jobs.active()[-1]


# In line: the first works, the others say that they wait.
first, second, third = start("First", 500), start("Second", 2), start("Third", 500)
goes_on(lambda: len(first.call.results) > 2)
assert [job.queued for job in jobs.active()] == [False, True, True]
assert "of 500" in first.text, first.text
assert second.text == "Waits for its turn"
assert 0 < first.fraction < 1
assert second.fraction == 0

# The one in the middle goes on when the one before it is cancelled: gone at once, and let go by the engine soon.
process = engine_process()
began = time.monotonic()
jobs.cancel([first.number])
assert time.monotonic() - began < 0.2
assert [job.label for job in jobs.active()] == ["Second", "Third"]
goes_on(lambda: not calls._leaving)
assert time.monotonic() - began < 2.0
assert engine_process() is process
goes_on(lambda: second.finish is not None)
assert len(second.call.results) == 2
assert second.text.startswith("Second") or "waits" in second.text
goes_on(lambda: third.call.results)
assert not third.queued

# An engine that does not let go is replaced, and what else was asked of it is asked again.
fourth = start("Fourth", 3)
os.kill(process.pid, signal.SIGSTOP)
began = time.monotonic()
jobs.cancel([third.number])
goes_on(lambda: calls._engine._process is not process, 10.0)
assert time.monotonic() - began < 2.0, time.monotonic() - began
assert process.poll() is not None
goes_on(lambda: fourth.finish is not None)
assert len(fourth.call.results) == 3

# Done, but Blender is in Edit Mode: held with a sentence, then made; cancelled, nothing is left.
assert [job.label for job in jobs.active()] == ["Second", "Fourth"]
bpy.ops.mesh.primitive_cube_add()
bpy.ops.object.mode_set(mode="EDIT")
count = len(bpy.data.objects)
assert jobs.tick() == jobs.HELD_SECONDS
assert all("waits for" in job.text for job in jobs.active())
jobs.cancel([fourth.number])
assert [job.label for job in jobs.active()] == ["Second"]
bpy.ops.object.mode_set(mode="OBJECT")
assert len(bpy.data.objects) == count
assert jobs.apply(second.number)
assert len(bpy.data.objects) == count + 2
start("Fifth", 500)
jobs.cancel()
assert not jobs.active()
