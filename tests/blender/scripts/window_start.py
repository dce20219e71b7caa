"""Installs the extension into a Blender with a window."""

import os

import addon_utils
import bpy

addon_utils.enable("bl_pkg", default_set=True)
zipped = os.environ["GEN3D_TEST_ZIP"]
assert bpy.ops.extensions.package_install_files(filepath=zipped, repo="user_default", enable_on_install=True) == {
    "FINISHED"
}
assert not addon_utils._extensions_warnings_get()
for obj in list(bpy.data.objects):
    bpy.data.objects.remove(obj)
