"""The engine's own Python: installed from a folder of wheels, used, lost, renewed and removed."""

import dataclasses
import os
import sys
import time
from pathlib import Path

import addon_utils
import bpy
from support import ROOT, argument, caught, clear, enable, engine_process, fails, module, python

enable()
api, calls, preferences, installs = (module(name) for name in ("api", "calls", "preferences", "installs"))
packages, environment = module("installer.packages"), module("installer.environment")
status, extension = module("status").status, module("extension")
clear()
# The wheel of PyTorch is a stand-in that leads to the packages of the tests' Python, with another one beside it.
packages.CONTENTS = dataclasses.replace(
    packages.CONTENTS, packages=(packages.Package("stand-in", "1.0"),), extras=(), modules=("torch", "numpy", "igl")
)
# That Python, and no other one, can read them.
module("installer.interpreters").candidates = lambda: [Path(argument("BASE"))]
folder, variable = argument("WHEELS"), os.environ.pop("GEN3D_PYTHON")
root = extension.my_engine()
assert root == extension.user_folder() / "engine"
assert installs.known() is None

# Without leave to go online, only the folder remains, and the button says why.
system = bpy.context.preferences.system
system.use_online_access = False
assert not bpy.app.online_access
assert not bpy.ops.gen3d.install_engine.poll()
assert bpy.ops.gen3d.install_engine_from_folder.poll()
assert not bpy.ops.gen3d.remove_engine.poll()
assert "not allowed to go online" in caught(installs.start).message
with fails("No Python is set for the engine.", "Install the engine, or choose a Python"):
    bpy.ops.gen3d.generate()

# What a folder lacks is said at once; the failure outlives Blender, and is in the report.
with fails("The folder lacks torch", "Add the wheels"):
    bpy.ops.gen3d.install_engine_from_folder(directory=str(Path(folder).parent))
assert status.error is not None
with fails("No folder was chosen.", "Choose the one"):
    bpy.ops.gen3d.install_engine_from_folder()
status.reset()
assert "The folder lacks torch" in installs.failure().message
assert "The folder lacks torch" in module("engine_operators").report()
assert bpy.ops.gen3d.dismiss_install() == {"FINISHED"}
assert installs.failure() is None

# Cancelled in the middle, nothing looks complete.
one = installs.start("cpu", folder)
assert not bpy.ops.gen3d.install_engine_from_folder.poll(), "one at a time"
assert "is being installed" in caught(lambda: installs.start("cpu", folder)).message
while not one.text.startswith("Making"):
    time.sleep(min(installs.tick(), 0.1))
assert bpy.ops.gen3d.cancel_install() == {"FINISHED"}
assert one.error.kind == "cancelled"
assert installs.installation() is None
assert environment.find(root) is None
assert status.error is None, "what was asked for is no failure"

# Installed and used: it counts more than the variable, and less than a Python that is named.
assert bpy.ops.gen3d.install_engine_from_folder(directory=folder) == {"FINISHED"}
installs.wait()
made = installs.known()
assert made.facts.torch == "2.13.0+cpu" or made.facts.build == "cuda", made.facts
assert sorted(path.name for path in root.iterdir()) == sorted([made.folder.name, environment.LOG]), "leftovers"
assert status.verdict.good
os.environ["GEN3D_PYTHON"] = "/no/such/python"
settings = preferences.engine_settings()
assert settings.private
assert Path(settings.python).is_relative_to(root)
(shape,) = api.generate(seeds=(1,), resolution=32)
assert engine_process().args[0] == str(made.python)
python(variable)
assert not preferences.engine_settings().private
assert preferences.engine_settings().python == variable
python("")
assert f"Installed: torch {made.facts.torch}" in module("engine_operators").report()

# Blender is upgraded, and its Python goes with the old one: one sentence, and what to do.
calls.stop()
lost = dataclasses.replace(made.facts, base="/old/blender/python")
environment.write(made.folder, lost)
assert preferences.engine_settings().python == "/no/such/python", "the variable may still help"
del os.environ["GEN3D_PYTHON"]
with fails("at /old/blender/python, which is gone: Blender or Python was upgraded", "Install the engine again"):
    bpy.ops.gen3d.generate()
environment.write(made.folder, made.facts)

# The Python is there and does not start any more.
link = made.python.readlink()
made.python.unlink()
made.python.write_text("#!/bin/sh\nexit 1\n")
made.python.chmod(0o755)
with fails("cannot run the engine", "Install the engine again in the preferences."):
    bpy.ops.gen3d.generate()
made.python.unlink()
made.python.symlink_to(link)
assert api.generate(seeds=(1,), resolution=32)
process = engine_process()

# Removed: the engine ends, the space is given back, and nothing else goes.
mine = extension.my_models() / "mine"
mine.mkdir(parents=True)
assert bpy.ops.gen3d.remove_engine() == {"FINISHED"}
assert process.poll() is not None, "the engine still runs"
assert not root.exists()
assert installs.freed() > 1_000_000
assert mine.is_dir()
assert Path(made.facts.base).is_file()
assert installs.known() is None
with fails("No Python is set for the engine.", "Install the engine"):
    bpy.ops.gen3d.generate()
assert not bpy.ops.gen3d.remove_engine.poll()

# Disabled in the middle: what it had started ends with it.
one = installs.start("cpu", folder)
while one._child is None or not one.text.startswith("Making"):
    time.sleep(min(installs.tick(), 0.1))
process = one._child._process
addon_utils.disable(ROOT, default_set=True)
assert process.poll() is not None, "pip still runs"
assert environment.find(root) is None
assert "torch" not in sys.modules
