"""An artist's first half hour with the models that ship, under a real mouse; its screenshots are those of the manual.

GEN3D_MANUAL names a folder that the screenshots are copied to, and the table of the drag's frames:

    BLENDER=... GEN3D_MANUAL=docs/manual python -m pytest tests/blender/test_manual.py
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import build_addon
from tests.blender.window import window as harness
from tests.blender.window.asking import MODULES, PACKAGE, ask, turn, until

HERE = Path(__file__).resolve().parent
#: Seconds of dragging, and mouse movements in that time.
DRAGGED, MOVEMENTS = 5.0, 100
#: What one frame may cost at most, for 95 of 100.
FRAME_SECONDS = 0.033
#: Where the machine is shared the add-on waits for its turn like anybody: the test allows so many times that.
SHARED = 4.0
#: Shows everything to the left of the panel.
FRAME = """
with in_region(region_type='WINDOW'):
    bpy.ops.view3d.view_all()
    bpy.context.space_data.region_3d.view_distance *= 1.2
"""
#: Makes other editors of some.
SWAP = """
def swap(*kinds):
    areas = [next(area for area in bpy.context.screen.areas if area.type == before) for before, _ in kinds]
    for area, (_, after) in zip(areas, kinds):
        area.type = after
"""


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A window with the extension as it ships, an empty scene, and no engine yet."""
    blender = harness.blender_from_environment()
    if not blender:
        pytest.skip("There is no Blender with a window: set BLENDER, see tests/blender/window/README.md.")
    dist = tmp_path_factory.mktemp("dist")
    environment = {"GEN3D_TEST_ZIP": str(build_addon.pack(dist)), "GEN3D_PYTHON": ""}
    with harness.Window(
        blender,
        scripts=[HERE / "scripts" / "window_start.py"],
        environment=environment,
        folders=[*harness.python_folders(), dist],
        width=1300,
        height=1000,
    ) as window:
        window.open_tab("Gen3D")
        window.call("bpy.ops.ed.undo_push(message='Start')")
        yield window


@pytest.fixture
def shot(window: Any, tmp_path: Path) -> Any:
    """Takes a screenshot for the manual."""
    folder = os.environ.get("GEN3D_MANUAL")

    def take(name: str) -> None:
        window.screenshot(tmp_path / f"{name}.png")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(tmp_path / f"{name}.png", Path(folder) / f"{name}.png")

    return take


@pytest.mark.slow
def test_generate_and_slide(window: Any, shot: Any) -> None:
    shot("getting-started")
    window.call(f"""{MODULES}{SWAP}
import addon_utils
# There is a 3D view all the time, a small one here, by which the test sees that everything is drawn.
swap(('VIEW_3D', 'PREFERENCES'), ('OUTLINER', 'VIEW_3D'))
bpy.context.preferences.active_section = 'ADDONS'
bpy.context.preferences.system.use_online_access = True
bpy.context.window_manager.addon_search = 'Gen3D'
extension = next(one for one in addon_utils.modules() if one.__name__ == {PACKAGE.removesuffix(".blender_addon")!r})
addon_utils.module_bl_info(extension)['show_expanded'] = True
""")
    window.settle()
    shot("preferences")
    window.call(f"""{SWAP}
swap(('PREFERENCES', 'VIEW_3D'), ('VIEW_3D', 'OUTLINER'))
bpy.context.preferences.system.use_online_access = False
""")
    window.open_tab("Gen3D")
    window.call(f"{MODULES}\nimport_module(jobs.__package__ + '.preferences').get().python = {sys.executable!r}")
    window.call("bpy.context.scene.gen3d.count = 2")
    window.click(*window.find_button("gen3d.generate("))
    until(window, "len(shapes) == 2")
    assert ask(window, "{obj.gen3d.model for obj in shapes}") == ["chair-gridgan"]
    window.call(FRAME)
    shot("generate")
    window.click(*window.find_button("gen3d.interpolate("))
    until(window, "blend")
    window.call(FRAME)
    # The slider, for five seconds: what the add-on takes of each frame, and how far the frames are apart.
    window.call(f"""{MODULES}
import time
notes = bpy.app.driver_namespace
notes.update(frames=[], own=[0.0], seen=[], tick=clock._tick, fill=objects.fill)
def tick():
    begun = time.perf_counter()
    try:
        return notes['tick']()
    finally:
        notes['own'][-1] += time.perf_counter() - begun
def fill(mesh, geometry, key=""):
    notes['seen'].append(len(geometry.vertices))
    notes['fill'](mesh, geometry, key)
def drawn():
    notes['frames'].append(time.perf_counter())
    notes['own'].append(0.0)
clock._tick, objects.fill = tick, fill
notes['handler'] = bpy.types.SpaceView3D.draw_handler_add(drawn, (), 'WINDOW', 'POST_PIXEL')
""")
    x, y = window.find_button(".t")
    window.drag((x, y), (x + 80, y), steps=MOVEMENTS, seconds=DRAGGED)
    frames, own, seen = ask(window, "[bpy.app.driver_namespace[name] for name in ('frames', 'own', 'seen')]")
    window.call(f"""{MODULES}
notes = bpy.app.driver_namespace
bpy.types.SpaceView3D.draw_handler_remove(notes['handler'], 'WINDOW')
objects.fill = notes['fill']
clock._tick = notes['tick']
""")
    assert len(seen) >= 5, seen
    _write_frames(frames, own, seen)
    assert _share(own, 0.95) < SHARED * FRAME_SECONDS
    until(window, "fresh(blend) and not slider._streams")
    shot("slider")
    # Undo through it, to before there was a blend.
    view = window.region("VIEW_3D", "WINDOW")
    window.move(view.left + 200, view.top + 300)
    window.key("ctrl+z")
    until(window, "fresh(blend)")
    assert abs(ask(window, "blend.gen3d.t") - 0.5) < 1e-6
    window.key("ctrl+z")
    assert ask(window, "blend is None")
    assert ask(window, "len(shapes)") == 2


@pytest.mark.slow
def test_complete_a_cut_chair(window: Any, shot: Any) -> None:
    window.call(f"""{MODULES}
for obj in shapes[1:]:
    bpy.data.objects.remove(obj)
chair = shapes[0]
with in_region(region_type='WINDOW'):
    bpy.context.view_layer.objects.active = chair
    chair.select_set(True)
    bpy.ops.object.mode_set(mode='EDIT')
    bpy.ops.mesh.select_all(action='DESELECT')
    bpy.ops.object.mode_set(mode='OBJECT')
    middle = sum(v.co.z for v in chair.data.vertices) / len(chair.data.vertices)
    for face in chair.data.polygons:
        face.select = face.center.z > middle
    bpy.ops.object.mode_set(mode='EDIT')
    bpy.ops.mesh.delete(type='FACE')
    bpy.ops.object.mode_set(mode='OBJECT')
    bpy.ops.ed.undo_push(message='Cut')
bpy.context.scene.gen3d.completions = 3
""")
    turn(window, "Generate", "Shape", "Complete")
    window.click(*window.find_button("gen3d.complete("))
    until(window, "len(shapes) == 4")
    window.call(FRAME)
    shot("complete")


@pytest.mark.slow
def test_draw_around_a_part(window: Any, shot: Any) -> None:
    window.call(f"""{MODULES}
for obj in (shapes[0], *shapes[2:]):
    bpy.data.objects.remove(obj)
with in_region(region_type='WINDOW'):
    bpy.context.view_layer.objects.active = shapes[1]
    shapes[1].select_set(True)
bpy.context.scene.gen3d.completions = 2
""")
    window.call(FRAME)
    corners = window.call(f"""{MODULES}
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Vector
with in_region(region_type='WINDOW'):
    region, view = bpy.context.region, bpy.context.space_data.region_3d
    corners = [shapes[0].matrix_world @ Vector(corner) for corner in shapes[0].bound_box]
    result = [tuple(location_3d_to_region_2d(region, view, corner)) for corner in corners]
""")
    # A lasso around the upper half in the view; Esc lets go of it, and then it is drawn.
    view = window.region("VIEW_3D", "WINDOW")
    x = [view.left + round(x) for x, _ in corners]
    y = [view.top + view.height - round(y) for _, y in corners]
    right = min(max(x) + 15, window.region("VIEW_3D", "UI").left - 15)
    left, low, high = min(x) - 15, round(sum(y) / len(y)), min(y) - 15
    corner = (right - left) // 4
    for kept in (False, True):
        window.click(*window.find_button("shape='LASSO')"))
        with window.held((left + corner, low)) as to:
            # The line begins where Blender sees the mouse when it has been told of its button.
            to(left + corner - 1, low)
            for point in ((left, low - corner), (left, high), (right, high), (right, low - corner)):
                to(*point)
            if kept:
                shot("draw")
            else:
                window.key("Escape")
        if not kept:
            assert not ask(window, "jobs.active()")
    until(window, "len(shapes) == 3")
    assert ask(window, "{bool(obj.gen3d.outline) for obj in shapes[1:]}") == [True]


@pytest.mark.slow
def test_train_for_a_minute_and_stop(window: Any, shot: Any) -> None:
    window.call("""
with in_region(region_type='WINDOW'):
    bpy.ops.object.select_all(action='SELECT')
    bpy.ops.object.delete()
    for number in range(9):
        kind = ('cube', 'cone', 'cylinder')[number % 3]
        getattr(bpy.ops.mesh, f'primitive_{kind}_add')(location=(3 * number, 0, 0))
        bpy.context.view_layer.objects.active.scale.z = 0.5 + 0.2 * number
    bpy.ops.object.select_all(action='SELECT')
    bpy.ops.ed.undo_push(message='Nine assets')
settings = bpy.context.scene.gen3d
settings.title, settings.minutes = 'My Props', 1
bpy.context.preferences.filepaths.use_auto_save_temporary_files = True
bpy.context.preferences.filepaths.auto_save_time = 1
""")
    turn(window, "Complete", "My Assets")
    window.click(*window.find_button("gen3d.train("))
    until(window, "trainings.listing()[0].state == 'training' and trainings.listing()[0].status.step > 0", 900)
    # Nothing of a training keeps Blender from saving by itself: it does, once a minute.
    saved = "any(p.suffix == '.blend' for p in __import__('pathlib').Path(bpy.app.tempdir).parent.glob('*autosave*'))"
    until(window, saved, 180)
    shot("train")
    window.click(*window.find_button("gen3d.train_discard("))
    window.key("Return")  # it asks first
    until(window, "not trainings.listing()", 60)
    assert ask(window, "len(shapes)") == 9


def _share(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def _write_frames(frames: Sequence[float], own: Sequence[float], seen: Sequence[int]) -> None:
    """The table of the drag, for the manual."""
    folder = os.environ.get("GEN3D_MANUAL")
    if folder:
        apart = [b - a for a, b in itertools.pairwise(frames)]
        rows = {
            name: {f"{share:.0%}": round(1000 * _share(values, share), 2) for share in (0.5, 0.95, 1.0)}
            for name, values in (("add-on, ms a frame", own[1:]), ("frames apart, ms", apart))
        }
        found = {"frames": len(frames), "shapes": len(seen), **rows}
        (Path(folder) / "drag.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
