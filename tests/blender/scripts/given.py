"""Shapes of what is given: a class, a text, pictures, other shapes; each by function and by button, and made again."""

import os
from pathlib import Path

import bpy
import numpy as np
from support import caught, clear, enable, fails, module, positions, same, select

enable()
api, images, models = module("api"), module("images"), module("models")
clear()
settings = bpy.context.scene.gen3d
COARSE = {"resolution": 32}


def made_again(obj: bpy.types.Object) -> bool:
    """Whether Regenerate gives the same mesh, after another one."""
    before, resolution = positions(obj.data), obj.gen3d.resolution
    obj.gen3d.resolution = resolution + 8
    assert api.regenerate(obj) == [obj]
    other = positions(obj.data)
    obj.gen3d.resolution = resolution
    assert api.regenerate(obj) == [obj]
    return np.array_equal(positions(obj.data), before) and not np.array_equal(other, before)


# Classes: those of the chosen model, in a chooser; a class that it does not know is refused, as is a model without any.
settings.model = "toy-able"
assert settings.category == "ANY"
settings.category = "lump"
settings.model = "toy-blobs"
assert settings.category == "ANY", "a class of another model"
settings.model = "toy-able"
assert settings.category == "lump"
lump, blob = (api.generate("toy-able", (1,), category=name, **COARSE)[0] for name in ("lump", "blob"))
assert not same(lump, blob)
assert (lump.name, lump.gen3d.category) == ("Toy Able lump 1", "lump")
assert made_again(lump)
assert bpy.ops.gen3d.generate(model="toy-able", category="lump", **COARSE) == {"FINISHED"}
assert same(bpy.context.active_object, lump)
assert bpy.ops.gen3d.generate(model="toy-able", category="ANY", **COARSE) == {"FINISHED"}
assert bpy.context.active_object.gen3d.category == ""
with fails("knows no class 'chair'", "blob, lump"):
    bpy.ops.gen3d.generate(model="toy-able", category="chair")
with fails("'Toy Blobs' cannot draw shapes by class", "'Toy Able'"):
    bpy.ops.gen3d.generate(model="toy-blobs", category="lump")

# A text: the best model that understands it does it, whichever is chosen.
clear()
wide, tall = api.from_text("  a wide  table ", (1, 2), **COARSE)
assert not same(wide, tall)
assert [obj.name for obj in (wide, tall)] == ["A wide table 1", "A wide table 2"]
memory = wide.gen3d
assert (memory.task, memory.model, memory.text, memory.seed) == ("from_text", "toy-able", "a wide table", 1)
assert made_again(wide)
assert bpy.ops.gen3d.from_text(text="a wide table", count=2, **COARSE) == {"FINISHED"}
for one, other in zip((wide, tall), bpy.context.selected_objects, strict=True):
    assert same(one, other)
assert not same(api.from_text("a tall lamp", **COARSE)[0], wide)
with fails("There is no text.", "Describe the shape"):
    bpy.ops.gen3d.from_text(text="  ")
with fails("'Toy Blobs' cannot make shapes from a text", "Choose 'Toy Able'"):
    bpy.ops.gen3d.from_text(text="a chair", model="toy-blobs")
long = api.from_text("a chair " * 30, **COARSE)[0]
assert long.gen3d.text == ("a chair " * 30).strip()

# Pictures: of images, of files, and the rendered one; the same picture makes the same shape.
clear()
pixels = np.zeros((40, 24, 4), dtype=np.uint8)
pixels[8:36, 6:20] = (200, 90, 40, 255)
pixels[20:22, 6:20, 3] = 128
image = images.create("Bottle", pixels)
assert np.array_equal(images.gather([image])[0, :, 8:32], pixels)
assert images.gather([image]).shape == (1, 40, 40, 4)
assert not images.gather([image])[0, :, :8].any()
shape = api.from_images([image], (3,), **COARSE)[0]
memory = shape.gen3d
assert (memory.task, memory.model, memory.pictures, memory.seed) == ("from_images", "toy-able", "Bottle", 3)
assert shape.name == "Bottle shape 3"
assert made_again(shape)
path = Path(bpy.app.tempdir) / "bottle.png"
saved = image.copy()
saved.filepath_raw, saved.file_format = str(path), "PNG"
saved.save()
bpy.data.images.remove(saved)
count = len(bpy.data.images)
(of_file,) = api.from_images([path], (3,), **COARSE)
assert len(bpy.data.images) == count, "the file stays open"
assert same(of_file, shape)
assert of_file.gen3d.pictures == ""
assert "does not remember its pictures" in caught(lambda: api.regenerate(of_file)).message
pixels[:, :12] = 0
second = images.create("Half", pixels)
pair = api.from_images([image, second], (3,), **COARSE)[0]
assert not same(pair, shape)
assert pair.gen3d.pictures == "Bottle\nHalf"
for one in (image, second):
    settings.pictures.add().image = one
assert bpy.ops.gen3d.from_images(seed=3, **COARSE) == {"FINISHED"}
assert same(bpy.context.active_object, pair)
assert bpy.ops.gen3d.remove_picture(index=1) == {"FINISHED"}
assert bpy.ops.gen3d.from_images(seed=3, **COARSE) == {"FINISHED"}
assert same(bpy.context.active_object, shape)
assert bpy.ops.gen3d.open_pictures(directory=str(path.parent), files=[{"name": "bottle.png"}]) == {"FINISHED"}
assert settings.pictures[1].image.name == "bottle.png"
settings.pictures.clear()
with fails("There are no pictures.", "Add a file"):
    bpy.ops.gen3d.from_images()
with fails("There is no image 'Nope'.", "another one"):
    bpy.ops.gen3d.from_images(pictures="Nope")
with fails("nothing.png cannot be read", "another file"):
    bpy.ops.gen3d.open_pictures(directory=str(path.parent), files=[{"name": "nothing.png"}])
missing = bpy.data.images.new("Missing", 4, 4)
missing.source, missing.filepath = "FILE", str(path.parent / "nothing.png")
with fails("'Missing' has no pixels", "file"):
    bpy.ops.gen3d.from_images(pictures="Missing")

# Pictures of other kinds: opaque ones go on beside themselves, large ones become small, linear ones are encoded.
photo = np.full((30, 90, 4), (250, 240, 230, 255), dtype=np.uint8)
photo[10:20, 40:50, :3] = 10
square = images.gather([images.create("Photo", photo)])[0]
assert square.shape == (90, 90, 4)
assert (square[0, :, :3] == (250, 240, 230)).all()
assert (square[..., 3] == 255).all()
large = np.zeros((1500, 1000, 4), dtype=np.uint8)
large[300:1200, 200:800] = (0, 255, 0, 255)
small = images.gather([images.create("Large", large), image])
assert small.shape == (2, 512, 512, 4)
assert abs(small[0, ..., 3].mean() / 255 - 900 * 600 / 1500**2) < 0.01
assert (small[0][small[0, ..., 3] == 255] == (0, 255, 0, 255)).all()
light = bpy.data.images.new("Light", 2, 2, alpha=True, float_buffer=True)
light.pixels.foreach_set(np.tile([0.107, 0.107, 0.107, 0.5], 4).astype(np.float32))
# sRGB of 0.107 / 0.5, which is 0.5.
assert np.abs(images.gather([light]).astype(int) - 128).max() <= 1, images.gather([light])

# The rendered picture, which Blender lets nobody read; its shape says that it cannot be made again.
scene = bpy.context.scene
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
scene.collection.objects.link(camera)
camera.location, camera.rotation_euler, scene.camera = (0, -5, 0), (1.5707963, 0, 0), camera
bpy.ops.mesh.primitive_uv_sphere_add(location=(0, 0, 0))
scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 1, "CPU"
scene.render.resolution_x = scene.render.resolution_y = 24
scene.render.film_transparent = True
scene.render.image_settings.file_format = "JPEG"
bpy.ops.render.render()
result = bpy.data.images["Render Result"]
rendered = images.gather([result])
assert rendered.shape == (1, 24, 24, 4)
assert rendered[0, 12, 12, 3] == 255
assert rendered[0, 0, 0, 3] == 0
assert scene.render.image_settings.file_format == "JPEG"
(shape,) = api.from_images([result], **COARSE)
assert shape.gen3d.pictures == ""

# Arithmetic: what is added and taken away again leaves the shape; what was not made here is reconstructed.
clear()
a, b, c = api.generate("toy-able", (1, 2, 3), **COARSE)
(found,) = api.arithmetic(a, b, c, **COARSE)
assert found.name == f"{a.name} - {b.name} + {c.name}"
assert (found.gen3d.task, len(found.gen3d["latent"])) == ("arithmetic", 8)
assert made_again(found)
settings.term_a, settings.term_b, settings.term_c = a, b, c
assert bpy.ops.gen3d.arithmetic(**COARSE) == {"FINISHED"}
assert same(bpy.context.active_object, found)
assert bpy.ops.gen3d.arithmetic(a=a.name, b=c.name, c=b.name, **COARSE) == {"FINISHED"}
assert not same(bpy.context.active_object, found)
bpy.ops.mesh.primitive_cone_add()
cone = bpy.context.active_object
(mixed,) = api.arithmetic(cone, b, b, **COARSE)
assert (mixed.gen3d.model, mixed.name) == ("toy-able", f"Cone - {b.name} + {b.name}")
with fails("There is no object 'Nope'.", "three shapes"):
    bpy.ops.gen3d.arithmetic(a="Nope")
settings.term_c = None
with fails("A shape is missing.", "three shapes"):
    bpy.ops.gen3d.arithmetic()

# Refine: beside, finer, made again.
clear()
(shape,) = api.generate("toy-blobs", (1,), **COARSE)
(fine,) = api.refine(shape, resolution=64)
assert (fine.gen3d.task, fine.gen3d.model, fine.name) == ("refine", "toy-able", f"{shape.name} refined")
assert len(fine.data.vertices) > 2 * len(shape.data.vertices)
assert fine.location.x > shape.location.x
assert made_again(fine)
select(shape)
assert bpy.ops.gen3d.refine(resolution=64) == {"FINISHED"}
assert same(bpy.context.active_object, fine)

# A completion that listens: another for another text; a model that does not listen says so.
box = bpy.data.objects.new("Box", bpy.data.meshes.new("Box"))
corners = [(x, y, z) for x in (0, 1) for y in (-1, 1) for z in (-1, 1)]
box.data.from_pydata(corners, [], [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)])
bpy.context.collection.objects.link(box)
box.location = shape.location
bpy.context.view_layer.update()
told, other = (api.complete(shape, (1,), box, text=text, **COARSE)[0] for text in ("a chair", "a table"))
assert told.gen3d.model == "toy-able"
assert told.gen3d.text == "a chair"
assert not same(told, other)
assert made_again(told)
select(box, shape)
assert bpy.ops.gen3d.complete(keep="OUTSIDE", text="a chair", **COARSE) == {"FINISHED"}
assert same(bpy.context.active_object, told)
select(box, shape)
with fails("'Toy Blobs' cannot complete shapes as a text says", "Choose 'Toy Able'"):
    bpy.ops.gen3d.complete(keep="OUTSIDE", text="a chair", model="toy-blobs")

# What can be saved holds nothing of this machine.
saved = os.path.join(bpy.app.tempdir, "given.blend")
for one in list(bpy.data.images):
    bpy.data.images.remove(one)
bpy.ops.wm.save_as_mainfile(filepath=saved, compress=False)
with open(saved, "rb") as file:
    content = file.read()
assert os.environ["GEN3D_ZOO"].encode() not in content
name = told.name
bpy.ops.wm.open_mainfile(filepath=saved)
assert bpy.data.objects[name].gen3d.text == "a chair"
