"""A sheet to choose from: shapes made together, of which some are kept; in the place of what they were made of."""

import bpy
import numpy as np
from mathutils import Matrix
from support import caught, clear, enable, fails, module, positions, same, select

enable()
api, keeping, objects = module("api"), module("keeping"), module("objects")
clear()
COARSE = {"resolution": 32}


def material(name: str) -> bpy.types.Material:
    return bpy.data.materials.new(name)


# More than six stand in a sheet at the cursor, which reads as a page from above; few in a row; an interpolation, too.
scene = bpy.context.scene
scene.cursor.location = (1, 2, 3)
sheet = api.generate("toy-blobs", range(9), **COARSE)
places = np.round([(obj.location.x - 1, 2 - obj.location.y) for obj in sheet], 4)
assert np.allclose(places, [(column * 1.25, row * 1.25) for row in range(3) for column in range(3)])
assert all(abs(obj.location.z + positions(obj.data)[:, 2].min() - 3) < 1e-5 for obj in sheet)
assert len({obj.gen3d.batch for obj in sheet}) == 1
row = api.generate("toy-blobs", (1, 2), **COARSE)
assert row[0].gen3d.batch not in ("", sheet[0].gen3d.batch)
standing = {tuple(round(number, 3) for number in obj.location.xy) for obj in (*sheet, *row)}
assert len(standing) == 11, "one shape stands in another"
assert row[0].location.y == row[1].location.y == 2
between = api.interpolate(*row, steps=8, **COARSE)
assert len({round(obj.location.y, 4) for obj in between}) == 1

# What is kept stays, the others vanish with their meshes, in one undo step; other batches and copies stay.
select(sheet[4], sheet[7])
copy = sheet[4].copy()
scene.collection.objects.link(copy)
linked = sheet[2].copy()
linked.data = sheet[2].data.copy()
linked.data.use_fake_user = True
scene.collection.objects.link(linked)
sheet[3].name = "Another name"
sheet[5].data.name = "Another mesh"
bpy.data.objects.remove(sheet[6])
assert len(keeping.others(scene, [sheet[4], sheet[7]])) == 7
names = {obj.name for obj in (sheet[4], sheet[7], copy, *row, *between)}
meshes, before = len(bpy.data.meshes), len(bpy.data.objects)
bpy.ops.ed.undo_push(message="before")
assert bpy.ops.gen3d.keep() == {"FINISHED"}
assert {obj.name for obj in bpy.data.objects} == names
# The mesh of what was deleted by hand is nobody's business, and one that is to be saved stays.
assert len(bpy.data.meshes) == meshes - 6
assert not bpy.ops.gen3d.keep.poll()
bpy.ops.ed.undo_push(message="after")
bpy.ops.ed.undo()
assert len(bpy.data.objects) == before
bpy.ops.ed.redo()
assert {obj.name for obj in bpy.data.objects} == names
bpy.ops.object.select_all(action="DESELECT")
assert not bpy.ops.gen3d.keep.poll()
assert "Nothing else was made together" in caught(lambda: api.keep(list(bpy.context.scene.objects))).message

# In its place: the transform and the materials of what it was made of, which is hidden and stays as it is.
clear()
scene = bpy.context.scene
bpy.ops.mesh.primitive_cube_add(size=2)
source = bpy.context.active_object
source.name = "Thing"
for face in source.data.polygons:
    face.select = face.index == 0
bevel = source.modifiers.new("Bevel", "BEVEL")
for name in ("Wood", "Iron"):
    source.data.materials.append(material(name))
source.material_slots[1].link = "OBJECT"
source.material_slots[1].material = material("Gold")
source.matrix_world = Matrix.Translation((4, 5, 6)) @ Matrix.Rotation(0.4, 4, "Z") @ Matrix.Diagonal((1, 2, 1, 1))
bpy.context.view_layer.update()
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
scene.collection.objects.link(camera)
camera.location = source.location + Matrix.Rotation(0.3, 4, "Z").to_3x3().col[1] * -6
camera.rotation_euler = (source.location - camera.location).to_track_quat("-Z", "Y").to_euler()
scene.camera = camera
bpy.context.view_layer.update()
select(source)
assert bpy.ops.gen3d.complete_view(count=7, model="toy-blobs", **COARSE) == {"FINISHED"}
guesses = list(bpy.context.selected_objects)
assert len(guesses) == 7
assert len({obj.gen3d.batch for obj in guesses}) == 1
points = [objects.transformed(positions(obj.data), obj.matrix_world) for obj in (source, *guesses)]
boxes = [np.stack([one.min(0), one.max(0)]) for one in points]
for number, box in enumerate(boxes):
    others = boxes[:number] + boxes[number + 1 :]
    assert not any((box[0] < other[1]).all() and (other[0] < box[1]).all() for other in others), "one in another"
assert len({round(obj.location.y, 3) for obj in guesses}) == 3
guesses.sort(key=lambda obj: obj.gen3d.seed)
with fails("Several shapes cannot take the place of 'Thing'.", "Select one"):
    bpy.ops.gen3d.keep(in_place=True)
chosen = guesses[3]
name = chosen.name
before = positions(chosen.data)
select(chosen)
bpy.ops.ed.undo_push(message="before")
assert bpy.ops.gen3d.keep(in_place=True) == {"FINISHED"}
assert chosen.matrix_world == source.matrix_world
assert [mat.name for mat in chosen.data.materials] == ["Wood", "Gold"]
assert {face.material_index for face in chosen.data.polygons} == {0}
assert source.hide_get()
assert source.hide_render
assert not source.hide_viewport
assert [modifier.name for modifier in source.modifiers] == ["Bevel"]
assert not chosen.modifiers
assert {obj.name for obj in scene.objects} == {"Thing", "Camera", chosen.name}
bpy.ops.ed.undo_push(message="after")
bpy.ops.ed.undo()
assert not bpy.data.objects["Thing"].hide_get()
assert len(bpy.context.scene.objects) == 9
bpy.ops.ed.redo()
source, chosen = bpy.data.objects["Thing"], bpy.data.objects[name]
assert source.hide_get()

# Made again, it is the same to the bit though its source is hidden; its materials, modifiers and place stay.
chosen.modifiers.new("Array", "ARRAY").count = 2
for resolution in (40, 32):
    chosen.gen3d.resolution = resolution
    assert api.regenerate(chosen) == [chosen]
assert np.array_equal(positions(chosen.data), before)
assert [mat.name for mat in chosen.data.materials] == ["Wood", "Gold"]
assert [modifier.name for modifier in chosen.modifiers] == ["Array"]
assert chosen.matrix_world == source.matrix_world

# A place that is gone, or that never was one.
source.name = "Renamed"
select(chosen)
assert "'Thing', which" in caught(lambda: api.keep([chosen], in_place=True)).message
assert not bpy.ops.gen3d.keep.poll()
alone, _ = api.generate("toy-blobs", (1, 2), **COARSE)
count = len(bpy.data.objects)
assert "has no place to take" in caught(lambda: api.keep([alone], in_place=True)).message
assert len(bpy.data.objects) == count
assert api.keep([alone]) == [alone]
assert len(bpy.data.objects) == count - 1

# New shapes are a metre's size in a scene of millimetres, stand apart there, and are made again at that size.
clear()
scene = bpy.context.scene
scene.unit_settings.scale_length = 0.001
small = api.generate("toy-blobs", (1, 2), **COARSE)
assert [round(number) for number in small[0].scale] == [1000] * 3
assert small[1].location.x - small[0].location.x == 1250
assert abs(small[0].location.z + 1000 * positions(small[0].data)[:, 2].min()) < 1e-2
assert np.abs(positions(small[0].data)).max() <= 0.5
assert api.regenerate(small[0]) == [small[0]]
assert [round(number) for number in small[0].scale] == [1000] * 3
scene.unit_settings.system = "NONE"
clear()
plain = api.generate("toy-blobs", (1,), **COARSE)[0]
assert tuple(plain.scale) == (1, 1, 1)
scene.unit_settings.system, scene.unit_settings.scale_length = "METRIC", 1.0
assert same(plain, api.generate("toy-blobs", (1,), **COARSE)[0])
