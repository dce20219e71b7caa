"""Many assets at once: variations of each, and which of them are unusual."""

import bpy
import numpy as np
from mathutils import Vector
from support import clear, enable, fails, module, positions, same, select, state

enable()
api, objects, outliers, status = module("api"), module("objects"), module("outliers"), module("status").status
clear()


def world(obj: bpy.types.Object) -> np.ndarray:
    """The vertices in the world."""
    bpy.context.view_layer.update()
    return objects.transformed(positions(obj.data), obj.matrix_world)


def cone(name: str, **options: object) -> bpy.types.Object:
    """A cone, which has an up and a down."""
    bpy.ops.mesh.primitive_cone_add(vertices=12, **options)
    obj = bpy.context.active_object
    obj.name = name
    return obj


# Variations of one asset by geometry: its own faces, beside it, in a collection of their own; it stays as it is.
asset = cone("Hat", location=(3, 2, 1))
asset.rotation_euler = (0.2, 0, 0.5)
asset.scale = (2, 2, 2)
bpy.context.view_layer.update()
before, place = positions(asset.data), asset.matrix_world.copy()
made = api.augment([asset], (1, 2, 3), 0.5, method="geometry")
assert np.array_equal(positions(asset.data), before)
assert asset.matrix_world == place
assert [obj.name for obj in made] == ["Hat variation 1", "Hat variation 2", "Hat variation 3"]
assert not same(made[0], made[1])
home = bpy.data.collections["Hat variations"]
assert list(home.objects) == made
assert list(bpy.context.scene.collection.children)[-1] == home
assert bpy.context.selected_objects == made
size, middle = np.ptp(world(asset), axis=0), (world(asset).min(0) + world(asset).max(0)) / 2
last = world(asset).max(0)[0]
for obj in made:
    assert len(obj.data.polygons) == sum(len(face.vertices) - 2 for face in asset.data.polygons)
    memory = obj.gen3d
    assert (memory.task, memory.method, memory.model, memory.source) == ("augment", "geometry", "", "Hat")
    assert abs(memory.amount - 0.5) < 1e-6
    points = world(obj)
    assert points[:, 0].min() > last - 0.25 * size[0], "not in a row"
    last = points[:, 0].max()
    assert np.abs((points.min(0) + points.max(0))[1:] / 2 - middle[1:]).max() < 0.2 * size.max()
    assert not obj.data.validate(verbose=True)
near = api.augment([asset], (1,), 0.0, method="geometry")
difference = world(near[0]) - world(asset)[: len(world(near[0]))]
assert np.ptp(difference, axis=0).max() < 1e-3, "an amount of 0 changes the asset"
again = positions(made[1].data)
select(made[1])
assert bpy.ops.gen3d.regenerate() == {"FINISHED"}
assert np.array_equal(positions(made[1].data), again)

# A collection, by a model: a row for each asset; what cannot be used is said, and does not stop the others.
clear()
shelf = bpy.data.collections.new("Shelf")
bpy.context.scene.collection.children.link(shelf)
layers = bpy.context.view_layer.layer_collection.children
bpy.context.view_layer.active_layer_collection = layers["Shelf"]
one = cone("One")
two = cone("Two", location=(4, 0, 0))
two.parent = bpy.data.objects.new("Group", None)
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
for obj in (two.parent, camera):
    shelf.objects.link(obj)
bpy.context.view_layer.update()
assert bpy.ops.gen3d.augment(source="COLLECTION", collection="Shelf", count=2, resolution=32) == {"FINISHED"}
made = list(bpy.data.collections["Shelf variations"].objects)
assert [obj.name for obj in made] == [f"{name} variation {seed}" for name in ("One", "Group") for seed in (1, 2)]
assert made[0].location.y == made[1].location.y != made[2].location.y == made[3].location.y
assert min(world(obj)[:, 0].min() for obj in made) > 5
for obj in made:
    assert (obj.gen3d.task, obj.gen3d.method, obj.gen3d.model) == ("augment", "model", "toy-blobs")
    assert len(obj.gen3d["latent"]) == 8
assert "One asset was left out. 'Camera': " in status.error.message
by_function = api.augment(shelf, (1, 2), resolution=32)
assert all(same(a, b) for a, b in zip(made, by_function, strict=True))
select(camera)
with fails("'camera' have no faces", "Leave it out"):
    bpy.ops.gen3d.augment(method="geometry")
with fails("no collection 'Nope'", "another one"):
    bpy.ops.gen3d.augment(source="COLLECTION", collection="Nope")
with fails("Files are not objects", "Import them"):
    bpy.ops.gen3d.augment(source="FILES")
bpy.ops.ed.undo_push(message="before")
count = len(bpy.data.objects)
select(one)
assert bpy.ops.gen3d.augment("EXEC_DEFAULT", True, method="geometry", count=3) == {"FINISHED"}
assert len(bpy.data.objects) == count + 3
bpy.ops.ed.undo()
assert len(bpy.data.objects) == count, "more than one undo step, or none"

# Outliers: a list, the most unusual first; nothing in the scene changes.
clear()
blobs = api.generate("toy-blobs", seeds=(1, 2, 3, 4), resolution=32)
cube = bpy.data.objects.new("Odd one", bpy.data.meshes.new("Odd one"))
shelf = bpy.data.collections["Shelf"]
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
for obj in (cube, camera):
    shelf.objects.link(obj)
corners = [(x, y, z) for x in (-0.45, 0.45) for y in (-0.02, 0.02) for z in (-0.02, 0.02)]
faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
cube.data.from_pydata(corners, [], faces)
select(*blobs, cube, camera)
before = state()
names = {obj.name for obj in (*blobs, cube)}
ranking = api.rank([*blobs, cube, camera], model="toy-blobs")
assert state() == before
assert {entry.name for entry in ranking.entries} == names
assert [entry.place for entry in ranking.entries] == [1, 2, 3, 4, 5]
scores = [entry.score for entry in ranking.entries]
assert scores == sorted(scores, reverse=True)
assert all(entry.low <= entry.score <= entry.high for entry in ranking.entries)
assert 0.0 <= ranking.sure <= 1.0
assert "order of two assets" in ranking.sentence
assert [name for name, _ in ranking.refused] == ["Camera"]
assert outliers.latest() == ranking
assert bpy.ops.gen3d.find_outliers() == {"FINISHED"}
assert outliers.latest().entries == ranking.entries
assert state() == before

# A click on a row selects its object; one that is gone, nothing.
group = bpy.context.window_manager.gen3d
assert [row.name for row in group.ranked] == [entry.name for entry in ranking.entries]
for index in (3, 0):
    group.outlier = index
    assert bpy.context.view_layer.objects.active.name == ranking.entries[index].name
    assert [obj.name for obj in bpy.context.selected_objects] == [ranking.entries[index].name]
gone = bpy.data.objects[ranking.entries[1].name]
selected = bpy.context.selected_objects
bpy.data.objects.remove(gone)
group.outlier = 1
assert bpy.context.selected_objects == selected
bpy.ops.wm.read_homefile(app_template="", use_empty=True)
assert outliers.latest() is None
assert len(bpy.context.window_manager.gen3d.ranked) == 0
assert Vector((0, 0, 0)) == bpy.context.scene.cursor.location
