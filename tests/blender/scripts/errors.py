"""What goes wrong is told in a sentence with a remedy, and leaves the scene as it was."""

import os
import signal
import time

import bpy
import numpy as np
from support import argument, caught, clear, enable, engine_process, fails, module, python, select

enable()
api, calls, status = module("api"), module("calls"), module("status").status
clear()
bpy.ops.mesh.primitive_cube_add()
cube = bpy.context.active_object

# Pythons that cannot run the engine.
variable = os.environ.pop("GEN3D_PYTHON")
with fails("No Python is set for the engine.", "preferences"):
    bpy.ops.gen3d.generate()
python("/no/such/python")
with fails("There is no Python at /no/such/python.", "preferences"):
    bpy.ops.gen3d.generate()
for kind, sentence in (("BARE", "numpy"), ("WITHOUT_TORCH", "torch")):
    path = argument(kind)
    python(path)
    with fails(f"The engine's Python lacks {'torch, numpy' if kind == 'BARE' else 'torch'}", f'{path}" -m pip install'):
        bpy.ops.gen3d.generate()
    with fails("The engine's Python lacks", "-m pip install"):
        bpy.ops.gen3d.test_engine()
    assert status.verdict is not None
    assert not status.verdict.good
    assert sentence in " ".join(status.verdict.lines)
python(argument("NO_PYTHON"))
with fails("cannot run the engine", "Choose a Python"):
    bpy.ops.gen3d.generate()
python(argument("GARBAGE"))
with fails("What arrived is not a Gen3D message.", "Restart the engine."):
    bpy.ops.gen3d.generate()
assert not calls._engine.running
python("")
os.environ["GEN3D_PYTHON"] = variable

# A folder of a virtual environment will do.
python(os.path.dirname(os.path.dirname(variable)))
assert bpy.ops.gen3d.test_engine() == {"FINISHED"}
assert status.verdict.good, status.verdict
assert any("torch" in line for line in status.verdict.lines)
python("")

# Requests that cannot be fulfilled.
with fails("There is no model 'nope'.", "toy-blobs"):
    bpy.ops.gen3d.generate(model="nope")
with fails("Resolution 100000 is out of range", "Choose 32, 64 or 128"):
    bpy.ops.gen3d.generate(resolution=100_000)
with fails("is too small", "Try"):
    bpy.ops.gen3d.generate(faces=3)
select(cube)
with fails("1 meshes are selected; expected 2 to 5.", "Select two to five"):
    bpy.ops.gen3d.interpolate()
with fails("'Cube' was not made by Gen3D.", "reconstruct"):
    raise RuntimeError(str(caught(lambda: api.vary(cube))))
empty = bpy.data.objects.new("Points", bpy.data.meshes.new("Points"))
empty.data.vertices.add(5)
bpy.context.collection.objects.link(empty)
select(empty)
with fails("'Points' has no faces.", "Choose a mesh with a surface."):
    bpy.ops.gen3d.complete()
with fails("'Points' has no faces.", "Choose a mesh with a surface."):
    bpy.ops.gen3d.reconstruct()
select(cube)
bpy.ops.object.mode_set(mode="EDIT")
assert "Switch to Object Mode." in str(caught(api.generate))
bpy.ops.object.mode_set(mode="OBJECT")

# An engine that dies is named, and the next request starts another.
(made,) = api.generate(seeds=(1,), resolution=32)
first = engine_process().pid
os.kill(first, signal.SIGKILL)
engine_process().wait()
(again,) = api.generate(seeds=(1,), resolution=32)
assert engine_process().pid != first
calls_seen = []
call = calls.send("sample", "toy-blobs", {"seeds": list(range(1000)), "resolution": 64}, on_end=calls_seen.append)
while not call.results:
    calls.poll()
    time.sleep(0.01)
os.kill(engine_process().pid, signal.SIGKILL)
error = caught(lambda: calls.wait(call))
assert "The engine stopped unexpectedly" in error.message
assert error.remedy
assert calls_seen == [call]
assert not calls._open

# Cancel ends the request, and only that.
call = calls.send("sample", "toy-blobs", {"seeds": list(range(1000)), "resolution": 64})
while not call.results:
    calls.poll()
    time.sleep(0.01)
calls.cancel(call)
assert isinstance(caught(lambda: calls.wait(call)), calls.Cancelled)
assert calls._engine.running
assert api.generate(seeds=(1,), resolution=32)

# A mesh of a million faces goes through the pipe without a pause longer than a frame.
bpy.ops.mesh.primitive_grid_add(x_subdivisions=700, y_subdivisions=700)
surface = module("objects").surface(bpy.context.active_object)
call = calls.send("reconstruct", "no-model", {"fit": True, "resolution": 32}, surface.arrays)
longest = 0.0
while not call.ended:
    start = time.monotonic()
    calls.poll()
    longest = max(longest, time.monotonic() - start)
    time.sleep(0.001)
assert longest < 0.5, longest
assert call.error is not None
assert call.error.kind == "unknown-model"

# The report can be sent to somebody: what happened, and no name of the user.
text = module("engine_operators").report()
assert "no-model" not in os.path.expanduser("~")
assert os.path.expanduser("~") not in text or os.path.expanduser("~") == "/"
assert "Gen3D" in text

# What the engine sends is checked: an index that leads nowhere would crash Blender.
event = module("calls").Event
objects = module("objects")
good = {
    "vertices": np.zeros((3, 3), np.float32),
    "faces": np.array([[0, 1, 2]], np.int32),
    "edges": np.array([[0, 1], [1, 2], [2, 0]], np.int32),
    "corner_edges": np.array([0, 1, 2], np.int32),
}
objects.Geometry(**good)
bad = (
    ("faces", np.array([[0, 1, 3]], np.int32)),
    ("faces", np.array([[0, 1, -1]], np.int32)),
    ("faces", np.zeros((0, 3), np.int32)),
    ("edges", np.array([[0, 1], [1, 2], [2, 9]], np.int32)),
    ("corner_edges", np.array([0, 1, 3], np.int32)),
    ("corner_edges", np.array([0, 1], np.int32)),
    ("vertices", np.full((3, 3), np.nan, np.float32)),
    ("vertices", np.zeros((3, 2), np.float32)),
    ("vertices", np.zeros((3, 3), np.float64)),
)
for name, array in bad:
    assert caught(lambda name=name, array=array: objects.Geometry(**{**good, name: array})).kind == "protocol"
