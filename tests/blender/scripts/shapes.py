"""Vary, Complete and Reconstruct."""

import bmesh
import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector
from support import clear, enable, fails, module, positions, same, select

enable()
api, objects = module("api"), module("objects")
clear()


def delete_faces(obj: bpy.types.Object, above: float) -> None:
    """Deletes the faces whose centre has a larger x."""
    edited = bmesh.new()
    edited.from_mesh(obj.data)
    faces = [face for face in edited.faces if face.calc_center_median().x > above]
    assert faces
    bmesh.ops.delete(edited, geom=faces, context="FACES")
    edited.to_mesh(obj.data)
    edited.free()


def world(obj: bpy.types.Object) -> np.ndarray:
    """The vertices in the world."""
    bpy.context.view_layer.update()
    return objects.transformed(positions(obj.data), obj.matrix_world)


# Vary: the same by button and function, other for other seeds, the shape itself for amount 0.
(shape,) = api.generate(seeds=(1,), resolution=32)
near = api.vary(shape, (1, 2), 0.3, resolution=32)
select(shape)
assert bpy.ops.gen3d.vary(count=2, seed=1, amount=0.3, resolution=32) == {"FINISHED"}
for one, other in zip(near, bpy.context.selected_objects, strict=True):
    assert same(one, other)
assert not same(*near)
assert near[0].gen3d.task == "vary"
assert len(near[0].gen3d["latent"]) == 8
assert same(api.vary(shape, (7,), 0.0, resolution=32)[0], shape)

# Complete what was deleted: what is left stays, in a turned, scaled and moved object too, which itself is not touched.
clear()
(shape,) = api.generate(seeds=(1,))
whole = positions(shape.data)
shape.matrix_world = Matrix.LocRotScale(Vector((5, 6, 7)), Euler((0.3, 0.2, 0.5)), Vector((2, 2, 2)))
delete_faces(shape, float(np.quantile(whole[:, 0], 0.7)))
bpy.context.view_layer.update()
kept, place = positions(shape.data), shape.matrix_world.copy()
(completed,) = api.complete(shape, (1,), model="toy-blobs")
assert np.array_equal(positions(shape.data), kept)
assert shape.matrix_world == place
assert not shape.hide_get()
assert completed.gen3d.task == "complete"
moved = completed.matrix_world.translation - place.translation
assert moved.x > 0
assert abs(moved.y) + abs(moved.z) < 1e-5
assert np.abs(positions(completed.data)).max() <= 0.5, "not in the engine's frame"
select(shape)
assert bpy.ops.gen3d.complete(model="toy-blobs") == {"FINISHED"}
assert same(bpy.context.active_object, completed)
before = positions(completed.data)
assert api.regenerate(completed) == [completed]
assert np.array_equal(positions(completed.data), before)

# Complete outside of a box: several answers; the surface far from the box stays, within a cell of the model.
clear()
(shape,) = api.generate(seeds=(1,))
points = positions(shape.data)
middle = (points[:, 0].min() + points[:, 0].max()) / 2
box = bpy.data.objects.new("Box", bpy.data.meshes.new("Box"))
bpy.context.collection.objects.link(box)
edited = bmesh.new()
bmesh.ops.create_cube(edited, size=1)
edited.to_mesh(box.data)
edited.free()
box.location = shape.location + Vector((middle + 0.5, 0, 0))
box.scale = (1, 2, 2)
select(box, shape)
assert bpy.ops.gen3d.complete(keep="OUTSIDE", count=2, seed=1) == {"FINISHED"}
one, two = bpy.context.selected_objects
assert not same(one, two)
assert two.location.x > one.location.x > shape.location.x
far = points[points[:, 0] < middle - 0.1]
for made in (one, two):
    distances = [float(np.linalg.norm(positions(made.data) - point, axis=1).min()) for point in far[::50]]
    assert np.median(distances) < 1 / 32, np.median(distances)
select(shape)
with fails("0 other objects are selected; expected 1 as the box.", "Select the box"):
    bpy.ops.gen3d.complete(keep="OUTSIDE")
with fails("", "box"):
    bpy.ops.gen3d.complete()

# Reconstruct an artist's mesh: at its size and place, upright as the world is, whatever its own axes are.
clear()
bpy.ops.mesh.primitive_monkey_add(location=(3, 2, 1))
monkey = bpy.context.active_object
monkey.scale = (3, 3, 3)
bpy.context.view_layer.update()
(upright,) = api.reconstruct(monkey, resolution=32)
assert upright.gen3d.task == "reconstruct"
assert len(upright.gen3d["latent"]) == 8
low, high = world(monkey).min(0), world(monkey).max(0)
centre = (world(upright).min(0) + world(upright).max(0)) / 2 - (low + high) / 2
assert np.abs(centre[1:]).max() < (high - low).max() / 2, "not at the source's place"
lying = monkey.copy()
lying.data = monkey.data.copy()
lying.data.transform(Matrix.Rotation(1.5707963, 4, "X"))
lying.matrix_world = monkey.matrix_world @ Matrix.Rotation(-1.5707963, 4, "X")
bpy.context.collection.objects.link(lying)
bpy.context.view_layer.update()
(again,) = api.reconstruct(lying, resolution=32)
moved = again.matrix_world.translation - upright.matrix_world.translation
assert moved.x > 1, "one shape stands in another"
assert np.allclose(world(again) - moved, world(upright), atol=1e-3), "the axes of the object decide what is up"
mirrored = monkey.copy()
mirrored.scale = (-3, 3, 3)
bpy.context.collection.objects.link(mirrored)
bpy.context.view_layer.update()
(reflected,) = api.reconstruct(mirrored, resolution=32)
mesh = reflected.data
mesh.calc_loop_triangles()
corners = world(reflected)[np.array([triangle.vertices for triangle in mesh.loop_triangles])]
volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum()
assert (volume > 0) == (reflected.matrix_world.determinant() > 0), "the faces look inwards"
assert not mesh.validate(verbose=True)

# Two artist's meshes can be blended.
bpy.ops.mesh.primitive_uv_sphere_add()
(blend,) = api.interpolate(monkey, bpy.context.active_object, resolution=32)
blend.gen3d.t = 0.2
assert np.abs(positions(blend.data)).max() <= 0.5

# What the artist sees is what is sent: modifiers count.
bpy.ops.mesh.primitive_cube_add()
cube = bpy.context.active_object
plain = objects.surface(cube)
cube.modifiers.new("Subdivision", "SUBSURF").levels = 2
assert len(objects.surface(cube).vertices) > len(plain.vertices)
