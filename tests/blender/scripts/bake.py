"""Baking: an animated shape as meshes that live without the extension."""

import os
import sys

import addon_utils
import bpy
import numpy as np
from support import ROOT, caught, clear, enable, fails, module, positions, select

enable()
api, status = module("api"), module("status").status
clear()
scene = bpy.context.scene
a, b = api.generate("toy-blobs", seeds=(1, 3), resolution=32)
(blend,) = api.interpolate(a, b, resolution=32)
material = bpy.data.materials.new("Oak")
blend.data.materials.append(material)
for frame, t in ((1, 0.0), (5, 1.0)):
    blend.gen3d.t = t
    blend.gen3d.keyframe_insert("t", frame=frame)
    blend.location.y = frame
    blend.keyframe_insert("location", frame=frame)
scene.frame_start, scene.frame_end = 1, 7
expected, places = {}, {}
for frame in range(1, 8):
    scene.frame_set(frame)
    expected[frame] = positions(blend.data)
    places[frame] = blend.matrix_world.copy()
scene.frame_set(2)
present = positions(blend.data)

# A sequence: an object a frame, one seen at a time, where the shape was; frames that are alike share their mesh.
select(blend)
assert bpy.ops.gen3d.bake() == {"FINISHED"}
collection = bpy.data.collections[f"{blend.name} baked"]
assert scene.frame_current == 2
assert np.array_equal(positions(blend.data), present)
assert blend.hide_render
assert len(collection.objects) == 7
assert len({obj.data.name for obj in collection.objects}) == 5


def check(baked: list) -> None:
    """That each frame shows its shape and nothing else."""
    for frame in (3, 1, 7, 5, 2, 0, 9):
        scene.frame_set(frame)
        seen = [obj for obj in baked if not obj.hide_render]
        assert [obj for obj in baked if not obj.hide_viewport] == seen
        (one,) = seen
        held = min(max(frame, 1), 7)
        assert np.array_equal(positions(one.data), expected[held]), frame
        assert np.allclose(np.array(one.matrix_world), np.array(places[held]), atol=1e-5)
        assert one.data.materials[0].name == "Oak"


check(list(collection.objects))
assert not any(obj.gen3d.task for obj in collection.objects)

# Every other frame, by the function, of a part of the range; what is hidden is not baked.
error = caught(lambda: api.bake(blend))
assert "is hidden" in error.message
blend.hide_viewport = False
some = api.bake(blend, 1, 5, 2)
assert [obj.name.split(".")[0][-4:] for obj in some] == ["0001", "0003", "0005"]
scene.frame_set(4)
assert [obj.hide_render for obj in some] == [True, False, True]

# Shape keys, where nothing comes or goes: one mesh that passes through all frames.
(near,) = api.vary(a, (2,), 0.05, resolution=32)
(bend,) = api.interpolate(a, near, resolution=32)
for frame, t in ((1, 0.0), (5, 1.0)):
    bend.gen3d.t = t
    bend.gen3d.keyframe_insert("t", frame=frame)
    bend.location.z = frame
    bend.keyframe_insert("location", frame=frame)
frames = {}
for frame in (1, 3, 5):
    scene.frame_set(frame)
    frames[frame] = positions(bend.data)
(keyed,) = api.bake(bend, 1, 5, 2, "SHAPE_KEYS")
assert status.error is None
assert len(keyed.data.shape_keys.key_blocks) == 4
deformed = keyed.name


def check_keys(obj: bpy.types.Object) -> None:
    """That the one mesh lies on the shape of each baked frame, and half way between two of them."""
    seen = {}
    for frame in (1, 2, 3, 5, 8):
        scene.frame_set(frame)
        evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        seen[frame] = positions(evaluated.data)
        assert abs(evaluated.matrix_world.translation.z - min(frame, 5)) < 1e-4, frame
    for frame, expected_ in frames.items():
        nearest = [float(np.linalg.norm(seen[frame] - point, axis=1).min()) for point in expected_[::40]]
        assert np.quantile(nearest, 0.95) < 1.5 / 32, frame
    assert np.allclose(seen[2], (seen[1] + seen[3]) / 2, atol=1e-5)
    assert np.array_equal(seen[8], seen[5])
    assert not np.array_equal(seen[1], seen[5])


check_keys(keyed)

# Where they do, a sequence, and why.
blend.hide_viewport = False
made = api.bake(blend, 1, 5, 1, "SHAPE_KEYS")
if len(made) > 1:
    assert "no shape keys" in status.error.message
    assert "mesh sequence" in status.error.remedy

# One frame of another kind: two balls instead of one cannot be one ball that deforms.
geometry, keys = module("objects").Geometry, module("shape_keys")


def ball(*centres: float) -> object:
    """Balls at places along x."""
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=3, radius=0.2)
    ico = bpy.context.active_object.data
    ico.calc_loop_triangles()
    points, faces = positions(ico), np.array([t.vertices for t in ico.loop_triangles], dtype=np.int32)
    vertices = np.concatenate([points + np.array((x, 0, 0)) for x in centres]).astype(np.float32)
    all_faces = np.concatenate([faces + k * len(points) for k in range(len(centres))]).astype(np.int32)
    corners = all_faces.ravel()
    pairs = np.sort(np.stack([corners, np.roll(all_faces, -1, axis=1).ravel()], 1), axis=1)
    edges, places_ = np.unique(pairs, axis=0, return_inverse=True)
    return geometry(vertices, all_faces, edges.astype(np.int32), places_.ravel().astype(np.int32))


fitted = keys.fit([(1, ball(0.0)), (2, ball(0.02)), (3, ball(0.05))], 1 / 32)
assert not fitted.reason
assert len(fitted.positions) == 3
for points, x in zip(fitted.positions, (0.0, 0.02, 0.05), strict=True):
    assert np.abs(np.linalg.norm(points - (x, 0, 0), axis=1) - 0.2).max() < 0.01
refused = keys.fit([(1, ball(0.0)), (2, ball(0.0)), (3, ball(-0.3, 0.3))], 1 / 32)
assert refused.reason == "Frame 3 has 2 parts and 0 holes, but frame 2 has 1 part and 0 holes: no shape keys."

# Wrong ranges, and what does not move.
for arguments in ((5, 1, 1), (1, 5, 0), (1, 10**6, 1)):
    error = caught(lambda arguments=arguments: api.bake(blend, *arguments))
    assert "expected 1 to 1000" in error.message
error = caught(lambda: api.bake(a))
assert "follows no sliders" in error.message
select(a)
with fails("", "Click a blend, or a shape with sliders"):
    bpy.ops.gen3d.bake()

# Without the extension, in a file that is opened anew, the frames play.
names = [obj.name for obj in collection.objects]
bpy.data.objects.remove(blend)
path = os.path.join(bpy.app.tempdir, "baked.blend")
bpy.ops.wm.save_as_mainfile(filepath=path)
addon_utils.disable(ROOT, default_set=True)
assert not hasattr(bpy.types.Object, "gen3d")
bpy.ops.wm.open_mainfile(filepath=path)
scene = bpy.context.scene
check([bpy.data.objects[name] for name in names])
check_keys(bpy.data.objects[deformed])
assert not any(name.startswith("torch") for name in sys.modules)
