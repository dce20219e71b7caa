"""Shape sliders: by name, on top of a shape or of a blend, through undo, files and animation."""

import os

import bpy
import numpy as np
from mathutils import Matrix
from support import caught, clear, enable, fails, module, positions, same, select

enable()
api, objects, slider = module("api"), module("objects"), module("slider")
clear()
scene = bpy.context.scene
(shape,) = api.generate("toy-blobs", seeds=(1,), resolution=32)
base, latent = positions(shape.data), np.array(shape.gen3d["latent"])

# The sliders of the model come by name, at 0, and change nothing yet; operator and function give the same.
select(shape)
assert bpy.ops.gen3d.sliders() == {"FINISHED"}
assert api.directions(shape) == {"Height": 0.0, "Leg Thickness": 0.0}
assert np.array_equal(positions(shape.data), base)
assert slider.wanted(shape).key == objects.shown(shape.data)
(other,) = api.generate("toy-blobs", seeds=(1,), resolution=32)
assert list(api.directions(other)) == ["Height", "Leg Thickness"]

# The mesh is that of the latent plus value times direction; the latent itself stays where it was.
api.set_direction(shape, "Height", 1.5)
assert not np.array_equal(positions(shape.data), base)
assert np.array_equal(np.array(shape.gen3d["latent"]), latent)
moved = latent.copy()
moved[0] += 0.75
module("memory").store_latent(other, "latent", moved.astype(np.float32))
other.gen3d.sliders["Height"].value = 0.001
other.gen3d.sliders["Height"].value = 0
assert np.allclose(positions(shape.data), positions(other.data), atol=1e-5)
high = positions(shape.data)
shape.gen3d.sliders["Leg Thickness"].value = -1
assert not np.array_equal(positions(shape.data), high)
select(shape)
assert bpy.ops.gen3d.reset_sliders() == {"FINISHED"}
assert np.array_equal(positions(shape.data), base)
error = caught(lambda: api.set_direction(shape, "Wings", 1))
assert error.message == f"'{shape.name}' has no slider 'Wings'."
assert "Height, Leg Thickness" in error.remedy

# Vary, interpolate and Regenerate go by what is seen.
api.set_direction(shape, "Height", 1.5)
(near,) = api.vary(shape, (1,), 0.0, resolution=32)
assert np.allclose(positions(near.data), high, atol=1e-5)
(far,) = api.generate("toy-blobs", seeds=(2,), resolution=32)
(blend,) = api.interpolate(shape, far, resolution=32)
blend.gen3d.t = 0
assert np.allclose(positions(blend.data), high, atol=1e-5)
assert api.regenerate(shape) == [shape]
assert np.array_equal(positions(shape.data), high)
shape.data.vertices[0].co.z += 0.1
shape.data.update()
assert api.regenerate(shape) == [shape]
assert np.array_equal(positions(shape.data), high)
shape.gen3d.resolution = 48
assert len(shape.data.vertices) > len(high)
shape.gen3d.resolution = 32
assert np.array_equal(positions(shape.data), high)

# A blend has sliders, too: on top of wherever it is.
api.directions(blend)
blend.gen3d.t = 1
assert same(blend, far)
api.set_direction(blend, "Leg Thickness", 1)
api.directions(far)
api.set_direction(far, "Leg Thickness", 1)
assert np.allclose(positions(blend.data), positions(far.data), atol=1e-5)
(mixed,) = api.blend([shape, blend, far], resolution=32)
assert len(mixed.gen3d.ends) == 3

# Keyframes and drivers move them; undo takes mesh and slider back together.
for frame, value in ((1, 0.0), (3, 1.5)):
    shape.gen3d.sliders["Height"].value = value
    shape.gen3d.sliders["Height"].keyframe_insert("value", frame=frame)
curve = far.gen3d.sliders["Height"].driver_add("value")
variable = curve.driver.variables.new()
variable.name, variable.targets[0].id = "v", shape
variable.targets[0].data_path = 'gen3d.sliders["Height"].value'
curve.driver.expression = "v"
scene.frame_set(1)
assert np.array_equal(positions(shape.data), base)
driven = positions(far.data)
scene.frame_set(3)
assert np.array_equal(positions(shape.data), high)
assert not np.array_equal(positions(far.data), driven)
shape.animation_data_clear()
name = shape.name
bpy.ops.ed.undo_push(message="start")
shape.gen3d.sliders["Height"].value = 0
bpy.ops.ed.undo_push(message="moved")
bpy.ops.ed.undo()
shape = bpy.data.objects[name]
assert shape.gen3d.sliders["Height"].value == 1.5
assert np.array_equal(positions(shape.data), high)

# A copy follows its own; a file keeps everything and needs no engine.
path = os.path.join(bpy.app.tempdir, "sliders.blend")
bpy.ops.wm.save_as_mainfile(filepath=path)
module("calls").stop()
bpy.ops.wm.open_mainfile(filepath=path)
shape = bpy.data.objects[name]
assert np.array_equal(positions(shape.data), high)
assert not module("calls")._engine.running
copy = shape.copy()
copy.data = shape.data.copy()
bpy.context.collection.objects.link(copy)
copy.gen3d.sliders["Height"].value = 0
assert np.array_equal(positions(copy.data), base)
assert np.array_equal(positions(shape.data), high)

# What was fitted to an artist's mesh stays at its size and place.
bpy.ops.mesh.primitive_monkey_add(location=(3, 2, 1))
monkey = bpy.context.active_object
monkey.matrix_world = Matrix.Translation((3, 2, 1)) @ Matrix.Rotation(1.2, 4, "X") @ Matrix.Scale(3, 4)
bpy.context.view_layer.update()
(fitted,) = api.reconstruct(monkey, model="toy-blobs", resolution=32)
before = positions(fitted.data)
api.directions(fitted)
api.set_direction(fitted, "Height", 0.5)
assert not np.array_equal(positions(fitted.data), before)
api.set_direction(fitted, "Height", 0)
assert np.allclose(positions(fitted.data), before, atol=1e-3)

# What has no latent has no sliders.
select(monkey)
with fails("", "Click a shape that was generated"):
    bpy.ops.gen3d.sliders()
