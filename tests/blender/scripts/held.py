"""Results whose object is gone, or must not be changed, are held: undo brings them in, or the artist decides."""

import os
import time

import bpy
import numpy as np
from mathutils import Matrix
from support import caught, clear, enable, fails, module, positions, select

enable()
api, again, baking, slider_verbs = module("api"), module("again"), module("baking"), module("slider_verbs")
calls, jobs = module("calls"), module("jobs")
status = module("status").status
GONE = "is gone: undo brings it back"


def finished(label: str, verb: object) -> object:
    """A job of a verb, when the engine has done its part."""
    jobs.start(label, verb)
    job, end = jobs.active()[-1], time.monotonic() + 120
    while job.finish is None:
        assert time.monotonic() < end
        assert status.error is None, status.error
        calls.poll()
        time.sleep(0.005)
    return job


def shape(resolution: int = 32) -> bpy.types.Object:
    """A shape of its own look, in its own place, which is to be made again in another resolution."""
    clear()
    (obj,) = api.generate(seeds=(1,), resolution=32)
    obj.name = "Chair"
    obj.data.materials.append(bpy.data.materials.get("Wood") or bpy.data.materials.new("Wood"))
    obj.matrix_world = Matrix.Translation((4, 5, 6)) @ Matrix.Rotation(0.5, 4, "Z")
    obj.gen3d.resolution = resolution
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="a shape")
    return obj


def delete(name: str) -> None:
    select(bpy.data.objects[name])
    bpy.ops.object.delete()
    bpy.ops.ed.undo_push(message="deleted")
    assert name not in bpy.data.objects


# Deleted before its new mesh comes: held with a sentence, and nothing is made of it by itself.
obj = shape(48)
count = len(obj.data.vertices)
job = finished("Regenerate", again.regenerate(obj))
delete("Chair")
assert jobs.tick() == jobs.HELD_SECONDS
assert job.held
assert job.can_be_anew
assert job.text == f"Done, but 'Chair' {GONE}"
assert not jobs.apply(job.number)
assert jobs.active() == [job]
assert not bpy.data.objects

# Undo brings the object back, and it gets its mesh, in one step that can be taken back.
bpy.ops.ed.undo()
back = bpy.data.objects["Chair"]
jobs.tick()
assert not job.held
if jobs.active():
    # Without a window nothing is put into the scene by itself.
    assert bpy.ops.gen3d.apply("EXEC_DEFAULT", True, job=job.number) == {"FINISHED"}
back = bpy.data.objects["Chair"]
assert not jobs.active()
assert len(back.data.vertices) > 1.5 * count
assert [material.name for material in back.data.materials] == ["Wood"]
assert status.error is None
bpy.ops.ed.undo()
assert len(bpy.data.objects["Chair"].data.vertices) == count

# As a new object: where the old one stood, as it looked, with what it remembered; not in Edit Mode.
obj = shape(48)
matrix = obj.matrix_world.copy()
latent = list(obj.gen3d["latent"])
job = finished("Regenerate", again.regenerate(obj))
delete("Chair")
jobs.tick()
bpy.ops.mesh.primitive_cube_add()
bpy.ops.object.mode_set(mode="EDIT")
jobs.tick()
assert job.held, "what is gone is gone in every mode"
with fails("A new object is added in Object Mode.", "Switch to Object Mode"):
    bpy.ops.gen3d.add_held(job=job.number)
status.error = None
bpy.ops.object.mode_set(mode="OBJECT")
before = len(bpy.data.objects)
bpy.ops.ed.undo_push(message="before")
assert bpy.ops.gen3d.add_held("EXEC_DEFAULT", True, job=job.number) == {"FINISHED"}
assert not jobs.active()
new = bpy.data.objects["Chair"]
assert len(bpy.data.objects) == before + 1
assert np.allclose(new.matrix_world, matrix)
assert [material.name for material in new.data.materials] == ["Wood"]
assert (new.gen3d.task, new.gen3d.seed, new.gen3d.resolution) == ("sample", 1, 48)
assert list(new.gen3d["latent"]) == latent
assert bpy.context.active_object == new
points = positions(new.data).copy()
assert api.regenerate(new) == [new]
assert np.array_equal(positions(new.data), points)
bpy.ops.ed.undo_push(message="made again")
assert caught(lambda: jobs.add_anew(job.number)).message == "There is no such result."
status.error = None

# Of a blend, too, which goes on following its slider.
clear()
a, b = api.generate(seeds=(1, 2), resolution=32)
(blend,) = api.interpolate(a, b, resolution=32)
blend.name = "Blend"
bpy.ops.ed.undo_push(message="a blend")
job = finished("Regenerate", again.regenerate(blend))
bpy.data.objects.remove(blend)
jobs.tick()
assert job.held
(blend,) = jobs.add_anew(job.number)
assert blend.name == "Blend"
middle = positions(blend.data).copy()
blend.gen3d.t = 0.2
assert not np.array_equal(positions(blend.data), middle[: len(blend.data.vertices)])
blend.gen3d.t = 0.5
assert np.array_equal(positions(blend.data), middle)

# What is of no use without its object can wait for it, or be dropped.
job = finished("Sliders", slider_verbs.sliders(bpy.data.objects[a.name]))
other = finished("Bake", baking.bake(blend, 1, 2, 1))
for gone in (a, blend):
    bpy.data.objects.remove(gone)
jobs.tick()
assert job.held
assert other.held
assert not job.can_be_anew
assert not other.can_be_anew
assert "gone" in caught(job.finish).message
assert bpy.ops.gen3d.cancel(job=job.number) == {"FINISHED"}
assert jobs.active() == [other]
jobs.cancel()

# An object that is there but must not be changed: the sentence says why, and it goes on as soon as that is over.
obj = shape(48)
job = finished("Regenerate", again.regenerate(obj))
obj.shape_key_add(name="Basis")
assert not jobs.apply(job.number)
assert "'Chair' cannot be changed. Its mesh has shape keys" in caught(job.finish).message
obj.shape_key_clear()
assert jobs.apply(job.number)
assert len(obj.data.vertices) > count

# Another file: what was held for the one before goes with it, and a sentence says so.
obj = shape(48)
path = os.path.join(bpy.app.tempdir, "other.blend")
bpy.ops.wm.save_as_mainfile(filepath=path)
job = finished("Regenerate", again.regenerate(obj))
jobs.start("Working", module("verbs").generate("toy-blobs", range(500), module("memory").Quality(32)))
delete("Chair")
jobs.tick()
status.error = None
bpy.ops.wm.open_mainfile(filepath=path)
assert not jobs.active()
assert status.error is not None
assert "1 result that was held for the one before went with it (Regenerate)" in status.error.message
status.error = None
bpy.ops.wm.open_mainfile(filepath=path)
assert status.error is None, "there was nothing to say"
