"""No tool of ours lands in the redo panel, whose every change would repeat minutes of work."""

import bpy
from support import clear, enable, module, select, works

enable()
api = module("api")
clear()

# What Blender would repeat is the last operator that asks to be registered: ours never is.
first, second = api.generate("toy-blobs", (1, 2), 32)
names = (first.name, second.name)
bpy.ops.ed.undo_push(message="Two shapes")
for operator, options in (
    ("generate", {"resolution": 32}),
    ("vary", {"resolution": 32, "count": 1}),
    ("interpolate", {"resolution": 32}),
    ("complete", {"resolution": 32, "model": "toy-blobs", "keep": "SELECTED"}),
    ("reconstruct", {"resolution": 32, "model": "toy-blobs"}),
    ("regenerate", {}),
):
    first, second = (bpy.data.objects[name] for name in names)
    select(*((first, second) if operator == "interpolate" else (first,)))
    for face in first.data.polygons:
        face.select = face.center.z > 0.1
    assert getattr(bpy.ops.gen3d, operator)("EXEC_DEFAULT", True, **options) == {"FINISHED"}, operator
    assert not bpy.ops.ed.undo_redo.poll(), f"{operator} can be repeated by a touch of the redo panel"

# One of Blender's own can be.
bpy.ops.mesh.primitive_cube_add("EXEC_DEFAULT", True)
assert bpy.ops.ed.undo_redo.poll()

# So it is with every verb; those that only change a setting may be adjusted.
kinds = {name: getattr(bpy.types, f"GEN3D_OT_{name}") for name in dir(bpy.ops.gen3d)}
heavy = {name for name, kind in kinds.items() if hasattr(kind, "verb")} | {"train", "install_engine"}
assert {"generate", "vary", "complete", "complete_view", "augment", "from_text", "refine"} <= heavy, heavy
for name in heavy:
    assert "REGISTER" not in getattr(kinds[name], "bl_options", ()), name
works()
