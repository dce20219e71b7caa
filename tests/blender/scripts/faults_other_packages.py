"""Another add-on's PyTorch and NumPy, and variables of another Python: neither reaches the engine."""

import os
import sys
import types
from pathlib import Path

import bpy
from support import argument, clear, enable, engine_process, module, works

enable()
calls = module("calls")
clear()
usual = works()
packages = {Path(line.split()[-1]) for line in Path(f"/proc/{engine_process().pid}/maps").read_text().splitlines()}
assert any("torch" in path.name for path in packages)
calls.stop()

# Copies that end whatever imports them: where Blender's Python looks, where any Python looks, and where we are.
foreign = Path(argument("FOREIGN"))
for name in ("torch", "numpy", "scipy", "skimage", "safetensors", "json", "gen3d_core"):
    folder = foreign / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(f"raise SystemExit('the {name} of another add-on')\n", encoding="utf-8")
(foreign / "sitecustomize.py").write_text("raise SystemExit('customised by another add-on')\n", encoding="utf-8")
sys.path.insert(0, str(foreign))
os.environ.update(
    PYTHONPATH=str(foreign),
    PYTHONHOME=str(foreign),
    PYTHONSTARTUP=str(foreign / "torch" / "__init__.py"),
    PYTHONUSERBASE=str(foreign),
    PYTHONPLATLIBDIR="nowhere",
    PYTHONWARNINGS="error",
    PYTHONOPTIMIZE="2",
    PYTHONIOENCODING="ascii",
)
os.chdir(foreign)
# Another add-on has one loaded already, of a version of its own.
for name in ("torch", "scipy"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__version__ = "0.0.1"  # type: ignore[attr-defined]
assert (works() == usual).all()
assert calls.log_tail() == "", calls.log_tail()
assert bpy.ops.gen3d.test_engine() == {"FINISHED"}
assert "torch 0.0.1" not in " ".join(module("status").status.verdict.lines)
environment = dict(
    entry.partition("=")[::2]
    for entry in Path(f"/proc/{engine_process().pid}/environ").read_text(encoding="utf-8").split("\0")
)
led = [name for name, value in environment.items() if str(foreign) in value and not name.startswith("GEN3D_TEST_")]
assert not led, led
