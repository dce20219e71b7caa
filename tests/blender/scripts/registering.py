"""Enabling and disabling undo each other exactly, and the engine ends with the extension."""

import gc
import sys
from collections.abc import Iterator

import addon_utils
import bpy
from support import ROOT, enable, engine_process, module


def handlers() -> Iterator[tuple[str, int]]:
    """How many functions each list of handlers has."""
    for name in dir(bpy.app.handlers):
        functions = getattr(bpy.app.handlers, name)
        if isinstance(functions, list):
            yield name, len(functions)


def traces() -> dict[str, object]:
    """What an extension could leave behind."""
    return {
        "classes": sorted(name for name in dir(bpy.types) if "gen3d" in name.lower()),
        "operators": sorted(dir(bpy.ops.gen3d)),
        "properties": [
            hasattr(bpy.types.Scene, "gen3d"),
            hasattr(bpy.types.Object, "gen3d"),
            hasattr(bpy.types.Mesh, "gen3d"),
            hasattr(bpy.types.WindowManager, "gen3d"),
        ],
        "handlers": dict(handlers()),
        "path": list(sys.path),
    }


assert addon_utils.enable("bl_pkg", default_set=True)
before = traces()
enable()
assert traces() != before
while_enabled = traces()
module("api").generate(seeds=(1,), resolution=32)
process = engine_process()
assert process.poll() is None
addon_utils.disable(ROOT, default_set=True)
gc.collect()
assert traces() == before, (before, traces())
assert process.poll() is not None, "the engine still runs"
for number in range(10):
    enable()
    assert traces() == while_enabled, number
    # An engine takes seconds to start: one of them will do.
    if number == 0:
        module("api").generate(seeds=(1,), resolution=32)
    addon_utils.disable(ROOT, default_set=True)
    assert traces() == before, number

# Nothing that belongs to the engine was imported here.
assert not {"torch", "scipy", "skimage", "igl", "trimesh"} & set(sys.modules)
assert not addon_utils._extensions_warnings_get()
enable()
module("api").generate(seeds=(1,), resolution=32)
sys.stdout.write(f"engine {engine_process().pid}\n")  # the test looks whether it has ended with Blender
