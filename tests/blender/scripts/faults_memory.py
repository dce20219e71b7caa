"""Memory runs out in the engine: it says so and goes on, and Blender has not grown."""

import os
from pathlib import Path

import bpy
from support import clear, enable, engine_process, fails, module, works

enable()
status = module("status").status
clear()
works()
process = engine_process()


def resident() -> int:
    """Bytes of memory that Blender holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


before = resident()
for _ in range(3):
    # An allocation of a petabyte, by PyTorch, in the middle of a request.
    with fails("There is not enough memory for this.", "Choose a lower resolution"):
        bpy.ops.gen3d.generate(model="toy-faulty", category="memory", count=3, resolution=32)
    assert status.error.kind == "out-of-memory"
    works()
assert engine_process() is process, "the engine did not survive"

# A grid that cannot fit is refused before anything is allocated; where it can, it is no fault.
available = next(
    int(line.split()[1]) * 1024
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    if line.startswith("MemAvailable")
)
if available < 1024**3 * 48:
    with fails("Resolution 1024 needs about 48 GiB of memory", "Choose a resolution of at most"):
        bpy.ops.gen3d.generate(resolution=1024)
    works()
assert resident() - before < 64 << 20, "Blender has grown"
