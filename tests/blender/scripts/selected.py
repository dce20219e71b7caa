"""What is selected is made anew; what is not may keep its very triangles."""

import bmesh
import bpy
import numpy as np
from mathutils import Matrix
from support import caught, clear, enable, fails, module, positions, select

enable()
api, parts, verbs = module("api"), module("parts"), module("verbs")
clear()
COARSE = {"resolution": 32}
QUALITY = module("memory").Quality(32)


def add_box(name: str) -> bpy.types.Object:
    """A box of many quads, as an artist has it: turned, and larger than the engine's."""
    edited = bmesh.new()
    bmesh.ops.create_cube(edited, size=2)
    bmesh.ops.subdivide_edges(edited, edges=edited.edges, cuts=7, use_grid_fill=True)
    mesh = bpy.data.meshes.new(name)
    edited.to_mesh(mesh)
    edited.free()
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.collection.objects.link(obj)
    obj.matrix_world = Matrix.Translation((3, 4, 5)) @ Matrix.Rotation(0.6, 4, "Z") @ Matrix.Diagonal((2, 1, 1.3, 1))
    bpy.context.view_layer.update()
    return obj


def choose(obj: bpy.types.Object, above: float) -> np.ndarray:
    """Selects the faces whose centre has a larger x; which vertices only the others have."""
    mesh = obj.data
    for face in mesh.polygons:
        face.select = face.center.x > above
    anew = {vertex for face in mesh.polygons if face.select for vertex in face.vertices}
    return np.array([index not in anew for index in range(len(mesh.vertices))])


def corners(obj: bpy.types.Object) -> set[bytes]:
    """Its vertices, each to the bit."""
    return {one.tobytes() for one in positions(obj.data) + np.float32(0)}


# Which faces: by the mesh's own selection, as it is in Edit Mode, too, and behind modifiers.
box = add_box("Crate")
far = choose(box, 0.4)
found = parts.chosen(box)
assert found.sum() == 2 * sum(face.select for face in box.data.polygons)
step = next(verbs.complete(box, None, "toy-blobs", (1,), QUALITY, selected=True))
assert np.array_equal(step.arrays["selected"], found)
assert len(step.arrays["faces"]) == len(found)
assert not step.options["exact"]
select(box)
bpy.ops.object.mode_set(mode="EDIT")
bpy.context.tool_settings.mesh_select_mode = (False, False, True)
edited = bmesh.from_edit_mesh(box.data)
for face in edited.faces:
    face.select_set(face.calc_center_median().z > 0.9)
bmesh.update_edit_mesh(box.data)
assert parts.unfit(box) == ""
assert bpy.ops.gen3d.complete.poll()
assert parts.chosen(box).sum() == 2 * 64
step = next(verbs.complete(box, None, "toy-blobs", (1,), QUALITY, selected=True))
assert step.arrays["selected"].sum() == 2 * 64
bpy.ops.mesh.select_all(action="DESELECT")
assert parts.unfit(box) == "No face is selected"
with fails("Blender is in Edit Mesh mode.", "Switch to Object Mode"):
    bpy.ops.gen3d.complete(keep="REST")
bpy.ops.object.mode_set(mode="OBJECT")
with fails("No face is selected in 'Crate'.", "Edit Mode"):
    bpy.ops.gen3d.complete(keep="SELECTED")
box.data.polygons.foreach_set("select", np.ones(len(box.data.polygons), dtype=bool))
with fails("Every face is selected in 'Crate'.", "Edit Mode"):
    bpy.ops.gen3d.complete(keep="SELECTED")
choose(box, 0.4)
subdivision = box.modifiers.new("Subdivision", "SUBSURF")
assert parts.chosen(box).sum() > 3 * found.sum()
box.modifiers.remove(subdivision)
assert "is marked twice" in caught(lambda: api.complete(box, box=add_box("Other"), selected=True)).message
bpy.data.objects.remove(bpy.data.objects["Other"])

# By function and by button the same; what is not selected stays, roughly; it is made again when nothing is selected.
(made,) = api.complete(box, (1,), selected=True, model="toy-blobs", **COARSE)
select(box)
assert bpy.ops.gen3d.complete(keep="SELECTED", model="toy-blobs", **COARSE) == {"FINISHED"}
assert np.array_equal(positions(bpy.context.active_object.data), positions(made.data))
assert made.gen3d.note == ""
kept = positions(box.data)[positions(box.data)[:, 0] < -0.3]
distances = [float(np.linalg.norm(positions(made.data) - point, axis=1).min()) for point in kept[::20]]
assert np.median(distances) < 0.12, np.median(distances)
before = positions(made.data)
choose(box, 2.0)
made.gen3d.resolution = 40
assert api.regenerate(made) == [made]
made.gen3d.resolution = 32
assert api.regenerate(made) == [made]
assert np.array_equal(positions(made.data), before)

# Exactly: every vertex that no selected face has is there to the bit, in the object's own coordinates; so it is made
# again, and closed.
far = choose(box, 0.4)
own = {one.tobytes() for one in positions(box.data)[far] + np.float32(0)}
exact, other = api.complete(box, (1, 2), selected=True, exact=True, model="toy-blobs", **COARSE)
assert own <= corners(exact)
assert own <= corners(other)
assert not np.array_equal(positions(exact.data), positions(other.data))
edited = bmesh.new()
edited.from_mesh(exact.data)
assert all(len(edge.link_faces) == 2 for edge in edited.edges), "not closed"
assert edited.calc_volume() > 0
edited.free()
before = positions(exact.data)
choose(box, 2.0)
assert api.regenerate(exact) == [exact]
assert np.array_equal(positions(exact.data), before)
assert api.keep([exact], in_place=True) == [exact]
assert exact.matrix_world == box.matrix_world
assert api.regenerate(exact) == [exact]
assert np.array_equal(positions(exact.data), before), "a hidden source is another one"

# What was deleted, and what a box cuts off.
box.hide_set(False)
edited = bmesh.new()
edited.from_mesh(box.data)
bmesh.ops.delete(edited, geom=[face for face in edited.faces if face.calc_center_median().x > 0.4], context="FACES")
open_mesh = bpy.data.meshes.new("Open")
edited.to_mesh(open_mesh)
edited.free()
left = bpy.data.objects.new("Open", open_mesh)
bpy.context.collection.objects.link(left)
select(left)
assert bpy.ops.gen3d.complete(exact=True, model="toy-blobs", **COARSE) == {"FINISHED"}
rest = positions(left.data)
# At the border itself, the new part may cover a corner by less than one of its cells.
rest = rest[rest[:, 0] < rest[:, 0].max() - 1e-3]
assert {one.tobytes() for one in rest + np.float32(0)} <= corners(bpy.context.active_object)
marker = bpy.data.objects.new("Marker", box.data.copy())
bpy.context.collection.objects.link(marker)
marker.matrix_world = box.matrix_world @ Matrix.Translation((1.1, 0, 0)) @ Matrix.Diagonal((0.6, 3, 3, 1))
bpy.context.view_layer.update()
(cut,) = api.complete(box, (1,), marker, exact=True, model="toy-blobs", **COARSE)
world = positions(box.data) @ np.array(box.matrix_world)[:3, :3].T + np.array(box.matrix_world.translation)
low = module("objects").world_box(marker)[0]
outside = positions(box.data)[(world[:, 0] < low[0] - 1e-3) | (world[:, 1] < low[1] - 1e-3)]
assert len(outside) > 100
assert {one.tobytes() for one in outside + np.float32(0)} <= corners(cut)

# A source that has other faces since is said.
bpy.data.objects.remove(exact)
choose(box, 0.4)
(exact,) = api.complete(box, (1,), selected=True, model="toy-blobs", **COARSE)
box.modifiers.new("Subdivision", "SUBSURF")
assert "has other faces" in caught(lambda: api.regenerate(exact)).message
