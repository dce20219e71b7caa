"""A family of chairs: a few that are drawn, and the row from one to another; everything is saved as one file.

    blender --background --python examples/family.py -- family.blend

Gen3D has to be installed, with an engine: what is chosen in its preferences counts here, too.
"""

import sys
from pathlib import Path

import bpy
from bl_ext.user_default.gen3d.blender_addon import api

arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
place = Path(arguments[0] if arguments else "family.blend").resolve()

# An empty scene: what Blender starts with is of no use here.
bpy.ops.wm.read_homefile(use_empty=True)

# One chair a seed. The same seed is the same chair, today and tomorrow; each remembers its own.
chairs = api.generate(seeds=(17, 10, 24), resolution=64)

# Seven steps from the first to the second, in a row of their own behind them: results begin at the 3D cursor.
bpy.context.scene.cursor.location.y = 2.0
row = api.interpolate(chairs[0], chairs[1], 7)

# Shapes near the third: 0 would be the chair itself, 1 any chair.
bpy.context.scene.cursor.location.y = 4.0
near = api.vary(chairs[2], seeds=(1, 2, 3), amount=0.3)

for obj in (*chairs, *row, *near):
    print(f"{obj.name}: {len(obj.data.polygons)} faces, made by {obj.gen3d.model}")
bpy.ops.wm.save_as_mainfile(filepath=str(place))
