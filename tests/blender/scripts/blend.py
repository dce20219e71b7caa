"""The live blend: the mesh follows the slider, through undo, files, animation and rendering."""

import os

import bpy
import numpy as np
from support import caught, clear, enable, fails, module, positions, same, select

enable()
api, slider, status = module("api"), module("slider"), module("status").status
clear()
a, b = api.generate(seeds=(1, 3), resolution=32)
select(a, b)

# The operator makes what the function makes.
assert bpy.ops.gen3d.interpolate(resolution=32) == {"FINISHED"}
blend = bpy.context.active_object
(twin,) = api.interpolate(a, b, resolution=32)
assert same(blend, twin)
assert blend.gen3d.t == 0.5
assert blend.name == f"{a.name} to {b.name}"
half = positions(blend.data)

# The mesh follows, in the same datablock; the ends are the two shapes.
mesh = blend.data.name
blend.gen3d.t = 0
assert same(blend, a)
zero = positions(a.data)
blend.gen3d.t = 1
assert same(blend, b)
blend.gen3d.t = 0.5
assert np.array_equal(positions(blend.data), half)
assert blend.data.name == mesh

# A row of steps.
row = api.interpolate(a, b, 3, resolution=32)
assert same(row[0], a)
assert np.array_equal(positions(row[1].data), half)
assert same(row[2], b)

# What came from a blend can be varied and blended again.
(near,) = api.vary(blend, (1,), 0.0, resolution=32)
assert np.allclose(positions(near.data), half)
assert api.interpolate(blend, b, resolution=32)[0].gen3d.task == "interpolate"

# Undo and redo: the mesh that comes late is no part of the step, but is always that of the slider.
name, expected = blend.name, {}
for t in (0.1, 0.9):
    blend.gen3d.t = t
    expected[t] = positions(blend.data)
bpy.ops.ed.undo_push(message="start")
for t in (0.1, 0.9):
    # As in the window: the step is made when the slider is let go, with the mesh of before.
    group, handlers = blend.gen3d, bpy.app.handlers
    old = positions(blend.data).copy(), blend.data.gen3d.key
    group["keep"] = 1
    blend.gen3d.t = t
    bpy.ops.ed.undo_push(message=f"to {t}")
for step, t in (("undo", 0.1), ("redo", 0.9), ("undo", 0.1)):
    getattr(bpy.ops.ed, step)()
    blend = bpy.data.objects[name]
    assert abs(blend.gen3d.t - t) < 1e-6
    assert np.array_equal(positions(blend.data), expected[t]), (step, t)

# A mesh that does not belong to its slider is seen after an undo, too: here somebody moved the slider behind its back.
blend = bpy.data.objects[name]
blend.gen3d.t = 0.9
blend.data.gen3d.key = "another"
slider.reconcile()
assert blend.data.gen3d.key != "another"
assert np.array_equal(positions(blend.data), expected[0.9])

# What an artist has edited is not overwritten; Regenerate does it when asked.
blend.data.vertices[0].co.z += 0.1
blend.data.update()
edited = positions(blend.data)
blend.gen3d.t = 0.1
assert np.array_equal(positions(blend.data), edited)
assert "edited" in str(status.error)
assert api.regenerate(blend) == [blend]
assert np.array_equal(positions(blend.data), expected[0.1])

# A mesh with two users stays, too.
shared = blend.copy()
bpy.context.collection.objects.link(shared)
shared.gen3d.t = 0.9
assert np.array_equal(positions(blend.data), expected[0.1])
assert "shared" in str(status.error)
bpy.data.objects.remove(shared)

# Saved and opened, the mesh needs no engine.
path = os.path.join(bpy.app.tempdir, "blend.blend")
blend.gen3d.t = 0.9
bpy.ops.wm.save_as_mainfile(filepath=path)
module("calls").stop()
bpy.ops.wm.open_mainfile(filepath=path)
blend = bpy.data.objects[name]
assert np.array_equal(positions(blend.data), expected[0.9])
assert not module("calls")._engine.running

# An animated slider follows the frames, and so does a rendered picture.
scene = bpy.context.scene
blend.gen3d.t = 0
blend.gen3d.keyframe_insert("t", frame=1)
blend.gen3d.t = 1
blend.gen3d.keyframe_insert("t", frame=3)
scene.frame_set(1)
first = positions(blend.data)
assert np.array_equal(first, zero)
scene.frame_set(3)
assert not np.array_equal(positions(blend.data), first)
last = positions(blend.data)
scene.frame_set(1)
for obj in list(bpy.data.objects):
    if obj != blend:
        bpy.data.objects.remove(obj)
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
scene.collection.objects.link(camera)
camera.location, camera.rotation_euler = (0, -3, blend.location.z), (1.5708, 0, 0)
camera.location.x = blend.location.x
scene.camera = camera
scene.world = bpy.data.worlds.new("World")
scene.world.use_nodes = True
scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 1, "CPU"
scene.render.resolution_x = scene.render.resolution_y = 24
scene.render.film_transparent = True
scene.render.image_settings.file_format = "PNG"
scene.frame_start, scene.frame_end = 1, 3
scene.render.filepath = os.path.join(bpy.app.tempdir, "frame-")
shown = []
bpy.app.handlers.render_post.append(lambda *_: shown.append(positions(blend.data)))
bpy.ops.render.render(animation=True)
assert len(shown) == 3
assert np.array_equal(shown[0], first)
assert np.array_equal(shown[2], last)
pictures = []
for frame in (1, 3):
    image = bpy.data.images.load(f"{scene.render.filepath}{frame:04d}.png")
    pictures.append(np.array(image.pixels).reshape(24, 24, 4)[..., 3])
assert (pictures[0] > 0.5).any()
assert np.abs(pictures[0] - pictures[1]).max() > 0.5, "both frames show the same shape"

# Three to five shapes by weights: made by the operator as by the function, each alone by its own weight.
clear()
shapes = api.generate(seeds=(1, 2, 3, 4, 5), resolution=32)
select(*shapes[:3])
assert bpy.ops.gen3d.interpolate(resolution=32) == {"FINISHED"}
mixed = bpy.context.active_object
(twin,) = api.blend(shapes[:3], resolution=32)
assert same(mixed, twin)
assert [end.name for end in mixed.gen3d.ends] == [shape.name for shape in shapes[:3]]
for shape in shapes[:3]:
    for end in mixed.gen3d.ends:
        end.weight = float(end.name == shape.name)
    assert same(mixed, shape)
for end in mixed.gen3d.ends:
    end.weight = 0
assert same(mixed, twin), "no weight at all is not all alike"
weights = {shapes[0].name: 1.0, shapes[1].name: 0.5, shapes[2].name: 0.0}
for name_, weight in weights.items():
    mixed.gen3d.ends[name_].weight = weight
(between,) = api.interpolate(shapes[0], shapes[1], resolution=32)
between.gen3d.t = 1 / 3
assert np.allclose(positions(mixed.data), positions(between.data), atol=1e-4)
assert len(api.blend(shapes, weights=(1, 2, 3, 4, 5), resolution=32)[0].gen3d.ends) == 5
(pair,) = api.blend(shapes[:2], weights=(3, 1), resolution=32)
assert pair.gen3d.t == 0.25
before = positions(mixed.data)
assert api.regenerate(mixed) == [mixed]
assert np.array_equal(positions(mixed.data), before)
(near,) = api.vary(mixed, (1,), 0.0, resolution=32)
assert np.allclose(positions(near.data), before, atol=1e-5)

# Weights are animated: by keyframes and by drivers, through saving and opening, with nothing left behind.
for end, values in zip(mixed.gen3d.ends, ((1, 0), (0, 1), (0, 0)), strict=True):
    for frame, value in zip((1, 5), values, strict=True):
        end.weight = value
        end.keyframe_insert("weight", frame=frame)
scene.frame_set(1)
assert same(mixed, shapes[0])
scene.frame_set(5)
assert same(mixed, shapes[1])
scene.frame_set(3)
assert not same(mixed, shapes[0])
middle = positions(mixed.data)
curve = twin.gen3d.ends[2].driver_add("weight")
curve.driver.expression = "frame - 1"
for end in twin.gen3d.ends:
    end.weight = float(end.name == shapes[0].name)
scene.frame_set(1)
assert same(twin, shapes[0])
scene.frame_set(2)
half = positions(twin.data)
assert not same(twin, shapes[0])
scene.frame_set(3)
assert not np.array_equal(positions(twin.data), half)
scene.frame_set(2)
assert np.array_equal(positions(twin.data), half)
name, twins = mixed.name, twin.name
bpy.ops.wm.save_as_mainfile(filepath=path)
bpy.ops.wm.open_mainfile(filepath=path)
scene = bpy.context.scene
mixed, twin = bpy.data.objects[name], bpy.data.objects[twins]
assert np.array_equal(positions(twin.data), half)
scene.frame_set(3)
assert np.array_equal(positions(mixed.data), middle)

# Rendered, each frame has the shape of its weights.
scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 1, "CPU"
scene.render.resolution_x = scene.render.resolution_y = 8
scene.frame_start, scene.frame_end = 1, 5
scene.render.filepath = os.path.join(bpy.app.tempdir, "weights-")
if scene.camera is None:
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)
expected = []
for frame in range(1, 6):
    scene.frame_set(frame)
    expected.append(positions(mixed.data))
shown = []
bpy.app.handlers.render_post.append(lambda *_: shown.append(positions(mixed.data)))
bpy.ops.render.render(animation=True)
assert len(shown) == 5
assert all(np.array_equal(one, other) for one, other in zip(shown, expected, strict=True))

# Two to five meshes can be blended.
clear()
select()
with fails("0 meshes are selected; expected 2 to 5.", "Select two to five shapes, then try again."):
    bpy.ops.gen3d.interpolate()
shapes = api.generate(seeds=range(1, 7), resolution=32)
select(*shapes)
with fails("6 meshes are selected; expected 2 to 5.", "Select two to five shapes, then try again."):
    bpy.ops.gen3d.interpolate()
select(*shapes[:3])
with fails("A row of steps goes between two shapes.", "Select two"):
    bpy.ops.gen3d.interpolate(steps=4)
error = caught(lambda: api.blend(shapes[:3], weights=(1, -1, 1)))
assert "do not belong to 3 objects" in error.message
