"""Installs and enables the built zip, as an artist would from disk, and checks that Blender has nothing against it."""

import sys

import addon_utils
import bpy

addon_utils.enable("bl_pkg", default_set=True)
done = bpy.ops.extensions.package_install_files(filepath=sys.argv[-1], repo="user_default", enable_on_install=True)
assert done == {"FINISHED"}
assert "bl_ext.user_default.gen3d" in [addon.module for addon in bpy.context.preferences.addons]
assert not addon_utils._extensions_warnings_get(), addon_utils._extensions_warnings_get()
