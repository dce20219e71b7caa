"""Generate: where the shapes land, what they remember, and that scripts and buttons make the same."""

import os

import bpy
import numpy as np
from mathutils import Vector
from support import clear, enable, module, positions, same, select

enable()
api, models, objects = module("api"), module("models"), module("objects")
import addon_utils  # noqa: E402

assert not addon_utils._extensions_warnings_get(), addon_utils._extensions_warnings_get()
clear()

# The lowest rank is the default, and the chooser shows the card.
first, second = models.listing()[:2]
assert bpy.context.scene.gen3d.model == first.id == "toy-blobs"
bpy.context.scene.gen3d.model = second.id
assert bpy.context.scene.gen3d.model == second.id
assert bpy.context.scene.gen3d.model_id == "toy-copy"

# A row at the cursor, in the active collection, selected, standing on the cursor's height.
collection = bpy.data.collections.new("Shapes")
bpy.context.scene.collection.children.link(collection)
layer = bpy.context.view_layer.layer_collection.children["Shapes"]
bpy.context.view_layer.active_layer_collection = layer
bpy.context.scene.cursor.location = (2, 3, 4)
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
collection.objects.link(camera)
camera.select_set(True)
made = api.generate("toy-blobs", seeds=(1, 3, 4))
bpy.context.view_layer.update()
assert bpy.context.selected_objects == made
assert bpy.context.view_layer.objects.active == made[0]
for number, obj in enumerate(made):
    assert collection in obj.users_collection
    assert obj.location.xy == Vector((2 + 1.25 * number, 3))
    assert abs(min((obj.matrix_world @ v.co).z for v in obj.data.vertices) - 4) < 1e-5
    points = positions(obj.data)
    assert np.abs(points).max() <= 0.5
    assert obj.scale == Vector((1, 1, 1))
    assert not obj.data.validate(verbose=True), "the supplied edges are not Blender's own"
    assert all(polygon.use_smooth for polygon in obj.data.polygons)
    assert all(edge.index > 0 or True for edge in obj.data.edges)
    memory = obj.gen3d
    assert (memory.task, memory.model, memory.seed, memory.resolution) == ("sample", "toy-blobs", (1, 3, 4)[number], 64)
    assert memory.weights == first.sha256
    assert len(memory["latent"]) == 8
    assert obj.name == f"Toy Blobs {memory.seed}"
assert not same(made[0], made[1])

# Places that are taken are passed over.
(fourth,) = api.generate("toy-blobs", seeds=(5,))
assert fourth.location.xy == Vector((2 + 1.25 * 3, 3))

# The outward side is outside: the signed volume is positive.
mesh = made[0].data
mesh.calc_loop_triangles()
corners = positions(mesh)[np.array([triangle.vertices for triangle in mesh.loop_triangles])]
assert np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() > 0

# The operator makes what the function makes; a shape does not depend on what is made beside it.
assert bpy.ops.gen3d.generate(model="toy-blobs", count=4, seed=1) == {"FINISHED"}
again = bpy.context.selected_objects
assert len(again) == 4
assert same(again[0], made[0])
assert same(again[2], made[1])
assert bpy.ops.gen3d.generate("INVOKE_DEFAULT", model="toy-blobs", count=1, seed=3) == {"FINISHED"}
assert same(bpy.context.active_object, made[1])

# Settings reach the engine.
(coarse,) = api.generate(seeds=(1,), resolution=32)
(few,) = api.generate(seeds=(1,), resolution=32, faces=200)
assert len(coarse.data.vertices) < len(made[0].data.vertices) / 2
assert len(few.data.polygons) <= 200

# One undo step takes it back.
bpy.ops.ed.undo_push(message="before")
count = len(bpy.data.objects)
assert bpy.ops.gen3d.generate("EXEC_DEFAULT", True, count=2) == {"FINISHED"}
assert len(bpy.data.objects) == count + 2
bpy.ops.ed.undo()
assert len(bpy.data.objects) == count

# What an object remembers survives saving, and nothing of this machine is saved.
obj = bpy.data.objects["Toy Blobs 3"]
latent = list(obj.gen3d["latent"])
points = positions(obj.data)
path = os.path.join(bpy.app.tempdir, "saved.blend")
bpy.ops.wm.save_as_mainfile(filepath=path, compress=False)
with open(path, "rb") as file:
    content = file.read()
for secret in (os.environ["GEN3D_PYTHON"], os.environ["GEN3D_ZOO"]):
    assert secret.encode() not in content
bpy.ops.wm.open_mainfile(filepath=path)
obj = bpy.data.objects["Toy Blobs 3"]
assert list(obj.gen3d["latent"]) == latent
assert (obj.gen3d.task, obj.gen3d.model, obj.gen3d.seed) == ("sample", "toy-blobs", 3)
assert np.array_equal(positions(obj.data), points)

# Regenerate, from what is remembered.
select(obj)
obj.gen3d.resolution = 32
assert bpy.ops.gen3d.regenerate() == {"FINISHED"}
assert len(obj.data.vertices) < len(points)
obj.gen3d.resolution = 64
assert api.regenerate(obj) == [obj]
assert np.array_equal(positions(obj.data), points)
