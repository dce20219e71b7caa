"""Where a shape came from stays with it: through the clipboard, copies, other files, links and overrides."""

import json
import tempfile
from pathlib import Path

import bpy
from support import caught, clear, enable, module, positions, same, select

enable()
api, memory, recipe, objects = module("api"), module("memory"), module("recipe"), module("objects")
clear()

# Copy and paste: the same mesh to the bit, of a latent and of a slider's place.
a, b = api.generate("toy-blobs", seeds=(1, 2), resolution=32)
text = api.copy(a)
(pasted,) = api.paste(text)
assert same(a, pasted)
assert pasted.gen3d.model == "toy-blobs"
assert pasted.location != a.location
(blend,) = api.interpolate(a, b, resolution=32)
blend.gen3d.t = 0.3
(pasted,) = api.paste(api.copy(blend))
assert same(blend, pasted)
assert pasted.gen3d.task == "sample"
if not bpy.app.background:
    select(a)
    assert bpy.ops.gen3d.copy_latent() == {"FINISHED"}

# By words, where there is no latent.
(told,) = api.from_text("wide table", (3,), model="toy-able", resolution=32)
(pasted,) = api.paste(api.copy(told))
assert same(told, pasted)
assert pasted.gen3d.text == "wide table"

# What is no shape is refused, and nothing comes of it: a clipboard may hold anything.
values, count = json.loads(text), len(bpy.data.objects)
wrong = (
    ("", "holds no shape"),
    ("[1]", "holds no shape"),
    ("[" * 100_000, "holds no shape"),
    ('{"kind": "gen3d shape"}', "cannot be read"),
    (json.dumps({**values, "seed": "1"}), "cannot be read"),
    (json.dumps({**values, "task": "complete"}), "cannot be read"),
    (json.dumps({**values, "latent": [1, None]}), "cannot be read"),
    (json.dumps({**values, "latent": [float("nan")]}), "cannot be read"),
    (json.dumps({**values, "latent": [0.0]}), "latent"),
    (json.dumps({**values, "weights": "0" * 64}), "another version"),
    (json.dumps({**values, "model": "nope"}), "There is no model 'nope'"),
    (json.dumps({**values, "resolution": 100_000}), "out of range"),
)
for given, sentence in wrong:
    error = caught(lambda given=given: api.paste(given))
    assert sentence in error.message, (given[:60], error.message)
    assert error.remedy
assert len(bpy.data.objects) == count
(refined,) = api.refine(a, model="toy-able", resolution=32)
assert "made from another object" in caught(lambda: api.copy(refined)).message

# A copy within the file is as good as the first.
select(a)
bpy.ops.object.duplicate()
copied = bpy.context.active_object
assert memory.recall(copied).seed == 1
before = positions(copied.data).copy()
api.regenerate(copied)
assert (positions(copied.data) == before).all()

# Appended to another file it is the same still, and can be made again.
folder = Path(tempfile.mkdtemp())
source = folder / "source.blend"
name, shown = a.name, positions(a.data).copy()
blend_name = blend.name
bpy.ops.wm.save_as_mainfile(filepath=str(source))
bpy.ops.wm.read_homefile(use_empty=True)
with bpy.data.libraries.load(str(source)) as (there, here):
    here.objects = [name, blend_name]
appended, sliding = here.objects
for obj in (appended, sliding):
    bpy.context.scene.collection.objects.link(obj)
assert (positions(appended.data) == shown).all()
api.regenerate(appended)
assert (positions(appended.data) == shown).all()
sliding.gen3d.t = 0.8
assert objects.shown(sliding.data) == module("slider").wanted(sliding).key

# Linked, it keeps its mesh: another file owns it, and a sentence says so.
bpy.ops.wm.read_homefile(use_empty=True)
with bpy.data.libraries.load(str(source), link=True) as (there, here):
    here.objects = [name, blend_name]
linked, sliding = here.objects
for obj in (linked, sliding):
    bpy.context.scene.collection.objects.link(obj)
assert (positions(linked.data) == shown).all()
assert "linked from another file" in caught(lambda: api.regenerate(linked)).message
bpy.context.view_layer.update()

# An override of it remembers, too, and its linked mesh is left alone.
override = linked.override_create()
bpy.context.scene.collection.objects.link(override)
assert memory.recall(override).seed == 1
assert "linked from another file" in caught(lambda: api.regenerate(override)).message
assert (positions(override.data) == shown).all()

# Made local it is like any other.
select(linked)
bpy.ops.object.make_local(type="SELECT_OBDATA")
local = bpy.data.objects[name]
assert local.library is None
assert "shared" in caught(lambda: api.regenerate(local)).message  # with the override
local.data = local.data.copy()
api.regenerate(local)
assert (positions(local.data) == shown).all()

# No path of this machine, and no name of its user, is in the file.
raw = json.dumps([str(value) for value in memory.recall(local).__dict__.values()])
assert str(Path.home()) not in raw or str(Path.home()) == "/"
assert str(folder) not in raw
