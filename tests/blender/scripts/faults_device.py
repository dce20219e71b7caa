"""A device that this machine has not: told before anything is computed, never silently replaced."""

import re

import bpy
from support import clear, enable, fails, module, works

enable()
calls, preferences, status = module("calls"), module("preferences"), module("status").status
clear()
bpy.ops.mesh.primitive_cube_add()
usual = works()

# What the engine computes on is said by the test of it, whatever it is.
assert bpy.ops.gen3d.test_engine() == {"FINISHED"}
(here,) = {"cpu", "cuda", "mps"} & set(re.findall(r"\((\w+)\)", " ".join(status.verdict.lines)))

# Each that is not here.
for device in {"cuda", "mps"} - {here}:
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
