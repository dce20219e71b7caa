"""The whole way, in a real Blender without a window: install the extension, make chairs with it, render them.

    python docs/demo.py --extension dist/gen3d-0.1.0.zip --out out

Run it by a Python that has both ``bpy`` and PyTorch; ``build_addon.py demo`` makes one and does the rest. It writes
``demo.blend``, the picture ``demo.png`` and a GLB of every generated and completed chair.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpy.types import Object

MODULE = "bl_ext.user_default.gen3d"

#: Which chairs: seeds of the default model, the two of them that are blended, and the one that loses its upper part.
SEEDS = (17, 10, 1, 24, 19, 22)
BLENDED = (2, 0)
CUT = 2
COMPLETIONS = (1, 2, 3)
STEPS = 7
RESOLUTION = 128
#: Share of the height that is kept of the chair that is cut.
KEPT = 0.5


def say(text: str) -> None:
    """Tells the user what happens now."""
    print(f"-- {text}", flush=True)


def install(extension: Path) -> ModuleType:
    """Installs and enables the extension as a person does, and returns its Python interface."""
    import bpy

    # isort: split
    # Blender's own modules are importable once Blender is there.
    import addon_utils

    addon_utils.enable("bl_pkg")
    bpy.ops.extensions.package_install_files(
        filepath=str(extension), repo="user_default", enable_on_install=True, overwrite=True
    )
    # What a person chooses in the preferences: the Python that has PyTorch, here the one that runs this.
    bpy.context.preferences.addons[MODULE].preferences.python = sys.executable
    return importlib.import_module(f"{MODULE}.blender_addon.api")


def without_top(thing: Object, kept: float) -> Object:
    """A copy of an object without its upper part, open where it was cut.

    Args:
        thing: with a mesh.
        kept: share of its height that stays.
    """
    import bmesh
    import bpy

    cut = thing.copy()
    cut.data = thing.data.copy()
    cut.name = f"{thing.name} cut"
    bpy.context.collection.objects.link(cut)
    builder = bmesh.new()
    builder.from_mesh(cut.data)
    low, high = (f(vertex.co.z for vertex in builder.verts) for f in (min, max))
    geometry = [*builder.verts, *builder.edges, *builder.faces]
    plane = (0.0, 0.0, low + kept * (high - low))
    bmesh.ops.bisect_plane(builder, geom=geometry, plane_co=plane, plane_no=(0.0, 0.0, 1.0), clear_outer=True)
    builder.to_mesh(cut.data)
    builder.free()
    return cut


def export(things: Sequence[Object], folder: Path, name: str) -> None:
    """Writes every object into a GLB of its own, at the origin."""
    import bpy

    bpy.app.debug_value = 1  # the exporter's sign for warnings only
    for number, thing in enumerate(things, start=1):
        place = thing.location.copy()
        thing.location = (0.0, 0.0, 0.0)
        bpy.ops.object.select_all(action="DESELECT")
        thing.select_set(True)
        bpy.ops.export_scene.gltf(filepath=str(folder / f"{name}-{number}.glb"), use_selection=True)
        thing.location = place
    bpy.app.debug_value = 0


def show(api: ModuleType, out: Path, model: str, samples: int) -> None:
    """Makes the chairs, the scene and the picture.

    Args:
        api: the extension's Python interface.
        out: folder for what is written.
        model: id of a model; empty for the default.
        samples: light paths per pixel.
    """
    import bpy
    import studio

    started = time.monotonic()
    studio.empty()
    say(f"Six chairs at {RESOLUTION} samples a side, seeds {', '.join(map(str, SEEDS))}")
    generated = api.generate(model, seeds=SEEDS, resolution=RESOLUTION)
    say(f"{STEPS} steps from one of them to another")
    first, last = (generated[index] for index in BLENDED)
    row = api.interpolate(first, last, STEPS, resolution=RESOLUTION)
    say("The upper part of a chair is cut away and made anew")
    cut = without_top(generated[CUT], KEPT)
    completed = api.complete(cut, COMPLETIONS, resolution=RESOLUTION)
    say(f"Chairs done after {time.monotonic() - started:.0f} s; now the picture, about two minutes on two cores")
    studio.compose(generated, BLENDED, row, CUT, cut, completed)
    export(generated, out, "chair")
    export(completed, out, "completed")
    studio.set_up_render(samples)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "demo.blend"), compress=True, check_existing=False)
    bpy.ops.render.render(write_still=True)
    say(f"Done after {time.monotonic() - started:.0f} s: {out / 'demo.png'}, demo.blend and *.glb beside it")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--extension", type=Path, required=True, metavar="ZIP", help="as built by build_addon.py")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="FOLDER", help="where results go (out)")
    parser.add_argument("--model", default="", help="id of a model (the default model)")
    parser.add_argument("--samples", type=int, default=12, help="light paths per pixel (12)")
    options = parser.parse_args(arguments)
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gen3d-demo-") as resources:
        # Blender reads it when it starts, which is when bpy is imported: the user's own settings are not touched.
        os.environ["BLENDER_USER_RESOURCES"] = resources
        api = install(options.extension.resolve())
        errors = importlib.import_module(f"{MODULE}.gen3d_core.errors")
        try:
            show(api, out, options.model, options.samples)
        except errors.Gen3DError as error:
            print(f"demo.py: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
