"""The first click says at once what it waits for, progress only rises, and a core is left to the window."""

import os
import time
from pathlib import Path

from support import begin, clear, enable, engine_process, fault, module, until, works

enable()
api, calls, jobs, verbs, status = (module(name) for name in ("api", "calls", "jobs", "verbs", "status"))
quality = module("memory").Quality(32)
clear()
calls.stop()

# Cold: the button answers at once, and each phase has a name, though it takes PyTorch seconds to begin.
began = time.monotonic()
job = begin("Generate", verbs.generate("toy-blobs", range(1, 9), quality))
assert time.monotonic() - began < 0.5, "the click stood still"
assert job.text.startswith("Starting the engine"), job.text
seen: list[tuple[float, str]] = []


def look() -> bool:
    """Notes what the panel would show."""
    if job.finish is None:
        seen.append((job.fraction, job.text))
    return job.finish is not None


until(look)
words = list(dict.fromkeys(text.partition(",")[0] for _, text in seen))
assert words[0] == "Starting the engine", words
assert "Loading Toy Blobs" in words, words
assert words[-1] == "Generating", words
fractions = [fraction for fraction, _ in seen]
assert fractions == sorted(fractions), "progress fell"
assert 0 < fractions[-1] <= 1
assert job.fraction == 1
jobs.cancel()

# A verb of several requests has one progress: no bar that starts again with each.
a, b = api.generate("toy-blobs", (1, 2), 32)
import bpy  # noqa: E402

bpy.ops.mesh.primitive_cone_add()
cone = bpy.context.active_object
bpy.ops.mesh.primitive_cube_add()
job = begin("Interpolate", verbs.interpolate(cone, bpy.context.active_object, "toy-blobs", 8, quality))
seen.clear()
until(look)
fractions = [fraction for fraction, _ in seen]
assert fractions == sorted(fractions), "progress fell between two steps"
assert len(set(fractions)) > 3, set(fractions)
jobs.cancel()

# It ends, also where nothing can come of it.
begin("Generate", fault("surprise"))
until(lambda: not jobs.active())
assert status.status.error is not None

# Threads: one core fewer than there are, for the window; those that wait do not spin.
works()
cores = max((os.cpu_count() or 2) - 1, 1)
assert f"{cores} thread" in " ".join(status.status.verdict.lines), status.status.verdict
environment = Path(f"/proc/{engine_process().pid}/environ").read_bytes().split(b"\0")
assert b"OMP_WAIT_POLICY=PASSIVE" in environment
begin("Generate", fault("well", 100))
until(lambda: len(jobs.active()[0].call.results) > 3)
calm = Path(f"/proc/{engine_process().pid}/status").read_text(encoding="ascii")
running = [
    one.name
    for one in Path(f"/proc/{engine_process().pid}/task").iterdir()
    if (one / "stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "R"
]
assert len(running) <= cores + 1, (running, calm)
jobs.cancel()
