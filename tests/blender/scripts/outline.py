"""What lies behind a line that was drawn in a view is made anew; the rest may keep its very triangles."""

import bmesh
import bpy
import numpy as np
from mathutils import Matrix
from support import caught, clear, enable, fails, module, positions, select

enable()
api, parts, views = module("api"), module("parts"), module("views")
clear()
COARSE = {"resolution": 32}

edited = bmesh.new()
bmesh.ops.create_cube(edited, size=2)
bmesh.ops.subdivide_edges(edited, edges=edited.edges, cuts=7, use_grid_fill=True)
mesh = bpy.data.meshes.new("Crate")
edited.to_mesh(mesh)
edited.free()
crate = bpy.data.objects.new("Crate", mesh)
crate.matrix_world = Matrix.Translation((3, 4, 5)) @ Matrix.Rotation(0.6, 4, "Z") @ Matrix.Diagonal((2, 1, 1.3, 1))
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
camera.matrix_world = Matrix.Translation((3, -4, 6)) @ Matrix.Rotation(1.45, 4, "X")
for obj in (crate, camera):
    bpy.context.collection.objects.link(obj)
bpy.context.scene.camera = camera
bpy.context.view_layer.update()


def seen(obj: bpy.types.Object) -> np.ndarray:
    """Where the picture shows the object's vertices, with shape (V, 2), -1 to 1: by Blender's own function."""
    from bpy_extras.object_utils import world_to_camera_view

    places = [world_to_camera_view(bpy.context.scene, camera, obj.matrix_world @ v.co) for v in obj.data.vertices]
    return np.array([(place.x, place.y) for place in places]) * 2 - 1


def bits(points: np.ndarray) -> set[bytes]:
    """Positions, each to the bit."""
    return {one.tobytes() for one in points + np.float32(0)}


picture = seen(crate)
right = float(np.quantile(picture[:, 0], 0.6))
outline = api.outlined(crate, [(right, -1), (1, -1), (1, 1), (right, 1)])
clip = np.concatenate([positions(mesh), np.ones((len(picture), 1))], axis=1) @ outline.projection.T
assert np.allclose(clip[:, :2] / clip[:, 3:], picture, atol=1e-5)


def on_the_line(obj: bpy.types.Object) -> int:
    """How many vertices are where the outline has its left side."""
    clip = np.concatenate([positions(obj.data), np.ones((len(obj.data.vertices), 1))], axis=1) @ outline.projection.T
    return int((np.abs(clip[:, 0] / clip[:, 3] - right) < 1e-4).sum())


# Exactly: what lies outside of the line is there to the bit, the border is where the line is, and it is closed.
(made,) = api.complete(crate, (1,), outline=outline, exact=True, model="toy-blobs", **COARSE)
outside = positions(mesh)[picture[:, 0] < right - 1e-4]
assert 100 < len(outside) < len(picture)
assert bits(outside) <= bits(positions(made.data))
assert on_the_line(made) > 20, on_the_line(made)
edited = bmesh.new()
edited.from_mesh(made.data)
assert all(len(edge.link_faces) == 2 for edge in edited.edges), "not closed"
edited.free()

# The object remembers the line, so that it is made again; where the crate has been moved, with it.
before = positions(made.data)
assert made.gen3d.outline
assert api.regenerate(made) == [made]
assert np.array_equal(positions(made.data), before)
crate.location.x += 2
bpy.context.view_layer.update()
assert api.regenerate(made) == [made]
assert on_the_line(made) > 20, on_the_line(made)
assert bits(outside) <= bits(positions(made.data))
crate.location.x -= 2
bpy.context.view_layer.update()

# A shape that a model made is not fitted first; a lasso is as good as a box.
(shape,) = api.generate(seeds=(3,), model="toy-blobs", **COARSE)
shape.location = (3, 4, 5)
bpy.context.view_layer.update()
turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
middle = seen(shape).mean(0)
lasso = api.outlined(shape, middle + 0.05 * np.stack([np.cos(turn), np.sin(turn)], axis=1))
(anew,) = api.complete(shape, (5,), outline=lasso, exact=True, model="toy-blobs", **COARSE)
inside = np.linalg.norm(seen(shape) - middle, axis=1) < 0.0495
assert 5 < inside.sum() < len(inside)
far = positions(shape.data)[np.linalg.norm(seen(shape) - middle, axis=1) > 0.08]
lost = bits(far) - bits(positions(anew.data))
assert len(lost) < 0.02 * len(far), (len(lost), len(far))

# What does not fit is told.
both = caught(lambda: api.complete(crate, outline=outline, selected=True))
assert "is marked twice" in both.message
beside = api.outlined(crate, [(-1, -1), (-0.99, -1), (-0.99, -0.99), (-1, -0.99)])
assert "does not touch" in caught(lambda: api.complete(crate, outline=beside, model="toy-blobs")).message
slip = api.outlined(crate, [(0, 0), (0, 0), (0, 0)])
assert "surrounds nothing" in caught(lambda: api.complete(crate, outline=slip, model="toy-blobs")).message
select(crate)
with fails("There is no 3D view here.", "3D view"):
    bpy.ops.gen3d.complete_outline(path=[{"name": "", "loc": (0, 0), "time": 0}])
