"""A user's name that is hard to quote, and folders far down: the engine's Python, models and trainings are there."""

import os
from pathlib import Path

import bpy
from support import argument, clear, enable, engine_process, module, python, select, works

enable()
api, extension, models = module("api"), module("extension"), module("models")
clear()
home = Path(argument("HOME"))
assert not str(home).isascii()
assert extension.user_folder().is_relative_to(home)
assert extension.FOLDER.is_relative_to(home)
assert all(models.find(name).folder.is_relative_to(home) for name in ("toy-blobs", "toy-able"))

# By the folder of its environment, and by the executable.
for path in (home / "engine ünd mehr", home / "engine ünd mehr" / "bin" / "python"):
    python(str(path))
    works()
    assert engine_process().args[0].startswith(str(home))
    assert Path(os.readlink(f"/proc/{engine_process().pid}/cwd")).is_relative_to(home)
assert bpy.ops.gen3d.test_engine() == {"FINISHED"}

# A training writes and reads there, and its model is found there.
for number in range(9):
    bpy.ops.mesh.primitive_cone_add(location=(3 * number, 0, 0))
select(*bpy.data.objects)
few = "--device cpu --threads 1 --examples 12 --steps vae=2"
assert bpy.ops.gen3d.train(title="椅子 & O'Hara", start="toy-blobs", minutes=60, arguments=few) == {"FINISHED"}
(card,) = (card for card in models.listing() if models.mine(card))
assert card.title == "椅子 & O'Hara"
assert card.folder.is_relative_to(home)

# A saved file, and assets beside it.
shapes = api.generate("toy-blobs", (1, 2), 32)
scene = home / "scène.blend"
bpy.ops.wm.save_as_mainfile(filepath=str(scene))
select(*(bpy.data.objects[obj.name] for obj in shapes))
assert bpy.ops.gen3d.as_assets() == {"FINISHED"}
bpy.ops.wm.save_mainfile()
bpy.ops.wm.open_mainfile(filepath=str(scene))
works()
