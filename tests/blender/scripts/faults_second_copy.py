"""A second copy, in a repository of another name: alone it works, beside the first it says why it cannot."""

import contextlib
import io
import sys

import addon_utils
import bpy
from support import ROOT, clear, enable, module, works

enable()
clear()
usual = works()
assert bpy.ops.preferences.extension_repo_add(name="My own add-ons", type="LOCAL") == {"FINISHED"}
repository = next(one for one in bpy.context.preferences.extensions.repos if one.name == "My own add-ons").module
OTHER = f"bl_ext.{repository}.gen3d"
assert OTHER != ROOT
before = [addon.module for addon in bpy.context.preferences.addons]
done = bpy.ops.extensions.package_install_files(
    filepath=sys.argv[-1], repo=repository, enable_on_install=False, overwrite=True
)
assert done == {"FINISHED"}

# Beside the first: a sentence, and the first works as before.
with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(printed):
    assert addon_utils.enable(OTHER, default_set=True) is None
assert "Another copy of Gen3D is enabled" in printed.getvalue(), printed.getvalue()
assert ROOT in printed.getvalue()
assert [addon.module for addon in bpy.context.preferences.addons] == before
assert (works() == usual).all()
assert bpy.ops.gen3d.generate(model="toy-blobs", resolution=32) == {"FINISHED"}
made = bpy.context.view_layer.objects.active
assert made.gen3d.task == "sample"

# Alone: under another name everything imports, and what the other made goes on.
module("calls").stop()
addon_utils.disable(ROOT, default_set=True)
assert addon_utils.enable(OTHER, default_set=True) is not None
assert not addon_utils._extensions_warnings_get(), addon_utils._extensions_warnings_get()
assert bpy.ops.gen3d.generate(model="toy-blobs", resolution=32) == {"FINISHED"}
assert bpy.context.view_layer.objects.active.gen3d.task == "sample"
assert made.gen3d.model == "toy-blobs"
assert sys.modules[f"{OTHER}.blender_addon.calls"]._engine.running
addon_utils.disable(OTHER, default_set=True)
assert not sys.modules[f"{OTHER}.blender_addon.calls"]._engine.running

# And back, without a trace of the other.
assert bpy.ops.extensions.package_uninstall(
    repo_index=[one.module for one in bpy.context.preferences.extensions.repos].index(repository), pkg_id="gen3d"
) == {"FINISHED"}
enable()
assert (works() == usual).all()
