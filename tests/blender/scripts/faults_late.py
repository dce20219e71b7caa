"""A result that comes late: its object was renamed, edited or undone, or another scene or file is open."""

import bpy
import numpy as np
from support import begin, clear, enable, module, positions, select, until, works

enable()
api, jobs, verbs, status = module("api"), module("jobs"), module("verbs"), module("status").status
quality = module("memory").Quality(32)
clear()
usual = works()


def finished(job: object) -> object:
    """The job, as soon as only its objects are left to be made."""
    until(lambda: job.finish or status.error)  # type: ignore[attr-defined]
    assert status.error is None, status.error
    return job


# Renamed, moved and edited meanwhile: the shape is made of what was asked for, the artist's work stays.
(shape,) = api.generate("toy-blobs", (2,), 32)
(expected,) = api.vary(shape, (1,), 0.3, resolution=32)
expected = positions(expected.data)
select(shape)
job = begin("Vary", verbs.vary(shape, (1,), 0.3, quality))
shape.name, shape.location = "Mine", (7, 8, 9)
shape.data.vertices[0].co.z += 0.5
edited = positions(shape.data)
assert jobs.apply(finished(job).number)
made = bpy.context.view_layer.objects.active
assert np.array_equal(positions(made.data), expected)
assert np.array_equal(positions(shape.data), edited)
assert (shape.name, tuple(shape.location)) == ("Mine", (7, 8, 9))

# Undone meanwhile: every reference to Blender's data is another one then.
bpy.ops.ed.undo_push(message="Start")
bpy.ops.mesh.primitive_cube_add(location=(0, 5, 0))
bpy.ops.ed.undo_push(message="A cube")
job = begin("Vary", verbs.vary(bpy.data.objects["Mine"], (1,), 0.3, quality))
bpy.ops.ed.undo()
assert "Cube" not in bpy.data.objects
count = len(bpy.data.objects)
assert jobs.apply(finished(job).number)
bpy.ops.ed.undo_push(message="Vary")
assert len(bpy.data.objects) == count + 1
bpy.ops.ed.undo()
assert len(bpy.data.objects) == count
bpy.ops.ed.redo()
assert len(bpy.data.objects) == count + 1
works()

# Another scene is shown meanwhile: the shape comes where it was asked for, and nothing changes here.
clear()
first = bpy.context.scene
first.cursor.location = (1, 2, 3)
job = begin("Generate", verbs.generate("toy-blobs", (1,), quality))
other = bpy.data.scenes.new("Other")
bpy.context.window.scene = other
with bpy.context.temp_override(scene=other, view_layer=other.view_layers[0]):
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    other.collection.objects.link(cube)
    other.view_layers[0].update()
    cube.select_set(True, view_layer=other.view_layers[0])
    other.view_layers[0].objects.active = cube
assert jobs.apply(finished(job).number)
(made,) = (obj for obj in first.objects if obj.gen3d.task)
assert tuple(made.location.xy) == (1, 2)
assert bpy.context.window.scene == other
assert list(other.objects) == [cube]
assert other.view_layers[0].objects.active == cube
assert cube.select_get(view_layer=other.view_layers[0])

# The scene itself is gone: a sentence, and no shape in any other.
bpy.context.window.scene = first
job = begin("Generate", verbs.generate("toy-blobs", (1,), quality))
bpy.context.window.scene = other
bpy.data.scenes.remove(first)
count = len(bpy.data.objects)
assert not jobs.apply(finished(job).number)
assert "The scene that these shapes were made for is gone." in status.error.message
assert status.error.remedy
assert len(bpy.data.objects) == count
works()

# The collection is gone: the scene itself takes the shape.
clear()
shelf = bpy.data.collections.new("Shelf")
other.collection.children.link(shelf)
bpy.context.view_layer.active_layer_collection = bpy.context.view_layer.layer_collection.children["Shelf"]
job = begin("Generate", verbs.generate("toy-blobs", (1,), quality))
bpy.data.collections.remove(shelf)
assert jobs.apply(finished(job).number)
assert [obj.gen3d.task for obj in other.collection.objects] == ["sample"]

# Another file: what was asked for in the old one does not come, whether it is still being made or done already.
done = begin("Generate", verbs.generate("toy-blobs", (1,), quality))
finished(done)
begin("Generate", verbs.generate("toy-blobs", range(1, 200), quality))
assert len(jobs.active()) == 2
bpy.ops.wm.read_homefile(app_template="", use_empty=True)
assert not jobs.active()
assert not jobs.apply(done.number)
until(lambda: not module("calls")._open and not module("calls")._leaving)
assert len(bpy.data.objects) == 0
assert "1 result that was held for the one before went with it (Generate)." in status.error.message, status.error
assert np.array_equal(works(), usual)
