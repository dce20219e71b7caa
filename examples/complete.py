"""A chair loses its upper half, and three others are proposed for it; the best of them is exported.

blender --background --python examples/complete.py -- chair.glb
"""

import sys
from pathlib import Path

import bmesh
import bpy
from bl_ext.user_default.gen3d.blender_addon import api

arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
place = Path(arguments[0] if arguments else "chair.glb").resolve()

bpy.ops.wm.read_homefile(use_empty=True)
(chair,) = api.generate(seeds=(17,))

# Cut it as an artist would: delete the faces that are to be made anew. What is left is what is kept.
middle = (max(corner[2] for corner in chair.bound_box) + min(corner[2] for corner in chair.bound_box)) / 2
cut = bmesh.new()
cut.from_mesh(chair.data)
above = [face for face in cut.faces if face.calc_center_median().z > middle]
bmesh.ops.delete(cut, geom=above, context="FACES")
cut.to_mesh(chair.data)
cut.free()

# Three proposals, one a seed, side by side. A model with words would also take text="a chair with a high back".
proposals = api.complete(chair, seeds=(1, 2, 3))

# How usual is each to the model? The most usual one is listed last.
ranking = api.rank(proposals)
best = bpy.data.objects[ranking.entries[-1].name]
for entry in ranking.entries:
    print(f"{entry.name}: {entry.score:.2f}")

for obj in bpy.context.scene.objects:
    obj.select_set(obj == best)
bpy.ops.export_scene.gltf(filepath=str(place), use_selection=True)
