"""A device that this machine has not: told before anything is computed, never silently replaced."""

import bpy
from support import clear, enable, fails, module, works

enable()
calls, preferences, status = module("calls"), module("preferences"), module("status").status
clear()
bpy.ops.mesh.primitive_cube_add()
usual = works()

# What the engine computes on is said by the test of it, whatever it is.
assert bpy.ops.gen3d.test_engine() == {"FINISHED"}
assert any("(cpu)" in line or "(cuda)" in line or "(mps)" in line for line in status.verdict.lines), status.verdict.lines
here = "mps" if any("(mps)" in line for line in status.verdict.lines) else "cuda"
missing = "cuda" if here == "mps" else "mps"

# One that is certainly not there; and a graphics card, where none is.
for device in dict.fromkeys((missing, *(["cuda"] if any("(cpu)" in line for line in status.verdict.lines) else []))):
    preferences.get().device = device
    for _ in range(2):
        with fails(f"torch sees no {device} device", "Automatic"):
            bpy.ops.gen3d.generate(resolution=32)
    with fails(f"torch sees no {device} device", "Automatic"):
        bpy.ops.gen3d.test_engine()
    assert not status.verdict.good, status.verdict

# Chosen back, it works at once, without a restart by hand.
preferences.get().device = "auto"
assert (works() == usual).all()
assert status.verdict.good, status.verdict
