"""The engine dies, talks nonsense or falls silent amid a request: one sentence, and the next click works."""

import os
import signal
import time

import bpy
import numpy as np
from support import begin, clear, enable, engine_process, fails, fault, module, select, state, until, works

enable()
jobs, calls, status = module("jobs"), module("calls"), module("status").status
clear()
bpy.ops.mesh.primitive_cube_add()
select(bpy.context.active_object)
usual, before = works(), state()

# Each way to end, in the background and where a script waits.
ENDS = (
    ("killed", "exit status -9", "perhaps because memory ran out"),
    ("crash", "exit status -11", ""),
    ("abort", "exit status -6", ""),
    ("exit", "exit status 7", ""),
)
for name, code, cause in ENDS:
    job = begin("Generate", fault(name))
    until(lambda: not jobs.active())
    assert "The engine stopped unexpectedly" in status.error.message, status.error
    assert code in status.error.message, status.error
    assert cause in status.error.message, status.error
    assert "starts anew" in status.error.remedy
    assert job.call.results, "it had begun"
    assert engine_process() is None
    assert state() == before
    assert np.array_equal(works(), usual), "another engine makes another shape"
    assert status.error is None, "what works again is no error any more"
with fails("The engine stopped unexpectedly (exit status -11)", "Try again"):
    bpy.ops.gen3d.generate(model="toy-faulty", category="crash", count=3, resolution=32)
assert np.array_equal(works(), usual)

# Words that are no message, between two shapes.
process = engine_process()
begin("Generate", fault("garbage"))
until(lambda: not jobs.active())
assert status.error.message == "What arrived is not a Gen3D message.", status.error
assert status.error.remedy
assert process.poll() is not None, "an engine that talks nonsense still runs"
assert state() == before
assert np.array_equal(works(), usual)

# Silence, and a process that was stopped: nothing else stands still, and the cross gets rid of it. What waits behind it
# is done by the next engine.
for name in ("mute", "stopped"):
    process = engine_process()
    silent = begin("Silent", fault("slow" if name == "stopped" else name, 50))
    waiting = begin("Next", module("verbs").generate("toy-blobs", (1,), module("memory").Quality(32)))
    until(lambda silent=silent: silent.call.results)
    if name == "stopped":
        os.kill(process.pid, signal.SIGSTOP)
    longest, end = 0.0, time.monotonic() + 1.0
    while time.monotonic() < end:
        began = time.monotonic()
        calls.poll()
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.005)
    assert longest < 0.2, longest
    assert [job.label for job in jobs.active()] == ["Silent", "Next"]
    jobs.cancel([silent.number])
    assert [job.label for job in jobs.active()] == ["Next"]
    until(lambda waiting=waiting: waiting.finish)
    assert process.poll() is not None, "the silent engine still runs"
    assert engine_process() is not process
    assert status.error is None, status.error
    jobs.cancel()
    assert state() == before
    assert np.array_equal(works(), usual)

# Silence in the middle of a message: nothing can be told from what follows it, so that the engine has to go.
process = engine_process()
silent = begin("Silent", fault("half a message"))
until(lambda: silent.call.results)
jobs.cancel([silent.number])
until(lambda: not calls._leaving or not calls._engine.running)
until(lambda: process.poll() is not None)
assert not jobs.active()
assert state() == before
assert np.array_equal(works(), usual)

# A print of a library is no message, and does no harm.
(made,) = module("api").generate("toy-faulty", (1,), 32, category="noise")
assert "noise on standard output" in calls.log_tail()
assert "noise on standard error" in calls.log_tail()
