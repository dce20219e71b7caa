"""An animation from one chair to another and back, with keyframes on the blend: rendered, or played in Blender.

blender --background --python examples/morph.py -- morph.blend
"""

import sys
from pathlib import Path

import bpy
from bl_ext.user_default.gen3d.blender_addon import api

FRAMES = 48

arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
place = Path(arguments[0] if arguments else "morph.blend").resolve()

bpy.ops.wm.read_homefile(use_empty=True)
scene = bpy.context.scene
scene.frame_start, scene.frame_end = 1, FRAMES
a, b = api.generate(seeds=(17, 10))

# One object whose gen3d.t is the place between the two. Like any property, it takes keyframes and drivers.
(blend,) = api.interpolate(a, b)
for frame, t in ((1, 0.0), (FRAMES // 2, 1.0), (FRAMES, 0.0)):
    blend.gen3d.t = t
    blend.keyframe_insert("gen3d.t", frame=frame)

# The mesh follows in every frame, here as in a render.
for frame in (1, FRAMES // 4, FRAMES // 2):
    scene.frame_set(frame)
    print(f"frame {frame}: {len(blend.data.polygons)} faces")

bpy.ops.wm.save_as_mainfile(filepath=str(place))
