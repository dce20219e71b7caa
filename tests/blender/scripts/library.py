"""Shapes become assets of Blender's, in catalogues that other files' lines survive."""

import tempfile
from pathlib import Path

import bpy
from support import clear, enable, fails, module, select

enable()
api, library = module("api"), module("library")
clear()
shapes = api.generate("toy-blobs", seeds=(1, 2), resolution=32)
shapes[1].gen3d.label = "stool"
select(*shapes)

# Before the file has a place there is no catalogue; the assets are there.
assert not bpy.data.filepath
assert bpy.ops.gen3d.as_assets() == {"FINISHED"}
assert all(obj.asset_data for obj in shapes)
assert shapes[0].asset_data.catalog_id == "00000000-0000-0000-0000-000000000000"
assert "seed 1" in shapes[0].asset_data.description
assert {tag.name for tag in shapes[1].asset_data.tags} == {"toy-blobs", "stool"}

# Beside the saved file, with what others wrote there.
folder = Path(tempfile.mkdtemp())
other = "11111111-2222-3333-4444-555555555555:Props/Odd: names:Props-Odd"
(folder / library.CATALOGUES).write_text(f"# mine\nVERSION 1\n\n{other}\n", encoding="utf-8")
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
shapes = [bpy.data.objects[obj.name] for obj in shapes]
assert library.mark(shapes) == library.mark(shapes)
lines = (folder / library.CATALOGUES).read_text(encoding="utf-8").splitlines()
assert lines[:4] == ["# mine", "VERSION 1", "", other]
assert len(lines) == 5, lines
identifier, path, _ = lines[4].split(":")
assert path.startswith("Gen3D/")
assert {obj.asset_data.catalog_id for obj in shapes} == {identifier}
assert not list(folder.glob(".*"))

# Any mesh may be one; nothing is said of it that is not so.
bpy.ops.mesh.primitive_cube_add()
cube = bpy.context.active_object
assert library.mark([cube]) == ["Gen3D"]
assert cube.asset_data.description == ""

# At the root of an asset library that the file lies in.
inner = folder / "sub"
inner.mkdir()
added = bpy.context.preferences.filepaths.asset_libraries.new(name="Test", directory=str(folder))
bpy.ops.wm.save_as_mainfile(filepath=str(inner / "scene.blend"))
assert library._file() == (folder / library.CATALOGUES).resolve()
bpy.context.preferences.filepaths.asset_libraries.remove(added)
assert library._file() == (inner / library.CATALOGUES).resolve()

# Where nothing can be written, nothing is marked.
bpy.ops.mesh.primitive_cube_add()
plain = bpy.context.active_object
(inner / library.CATALOGUES).mkdir()
with fails("The catalogues in", "Save the .blend file"):
    bpy.ops.gen3d.as_assets()
assert plain.asset_data is None
