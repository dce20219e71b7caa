"""The extension under a real mouse, in a Blender with a window; needs one in the environment variable BLENDER."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import build_addon
from tests.blender.window import window as harness
from tests.blender.window.asking import MODULES, ask, turn, until

#: Seconds that a training may take to begin or to end where others work on the machine, too.
TRAINING = 900.0
#: Steps after which the model that is trained draws shapes again: before that it may draw nothing at all.
LEARNT = 150
HERE = Path(__file__).resolve().parent


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A window with the extension's tab open and an empty scene."""
    blender = harness.blender_from_environment()
    if not blender:
        pytest.skip("There is no Blender with a window: set BLENDER, see tests/blender/window/README.md.")
    zoo, dist = tmp_path_factory.mktemp("zoo"), tmp_path_factory.mktemp("dist")
    toy = _load("gen3d_toy", HERE / "toy.py")
    toy.make(zoo, ("toy-blobs", "toy-copy"))
    environment = {
        "GEN3D_TEST_ZIP": str(toy.add_to(build_addon.pack(dist))),
        "GEN3D_ZOO": str(zoo),
        "GEN3D_PYTHON": sys.executable,
    }
    with harness.Window(
        blender,
        scripts=[HERE / "scripts" / "window_start.py"],
        environment=environment,
        folders=[*harness.python_folders(), zoo, dist],
        width=1300,
        height=1000,
    ) as window:
        window.open_tab("Gen3D")
        window.call("bpy.ops.ed.undo_push(message='Start')")
        yield window


@pytest.mark.slow
def test_artist_generates_blends_and_undoes(window: Any, tmp_path: Path) -> None:
    # Generate: the window goes on while the engine starts; the shapes come selected, in one undo step, the view stays.
    view = ask(window, "[list(row) for row in find_area().spaces.active.region_3d.view_matrix]")
    window.click(*window.find_button("gen3d.generate("))
    assert ask(window, "len(jobs.active())") == 1
    until(window, "len(shapes) == 4")
    assert ask(window, "all(obj.select_get() for obj in shapes)")
    assert ask(window, "[list(row) for row in find_area().spaces.active.region_3d.view_matrix]") == view
    view_3d = window.region("VIEW_3D", "WINDOW")
    window.move(view_3d.left + 200, view_3d.top + 300)
    window.key("ctrl+z")
    assert ask(window, "len(shapes)") == 0
    window.key("ctrl+shift+z")
    assert ask(window, "len(shapes)") == 4

    # Interpolate is greyed until two are selected.
    window.call(f"{MODULES}\nfor number, obj in enumerate(shapes):\n    obj.select_set(number == 0)")
    window.click(*window.find_button("gen3d.interpolate("))
    assert ask(window, "len(jobs.active())") == 0
    window.call(f"{MODULES}\nfor number, obj in enumerate(shapes):\n    obj.select_set(number in (0, 2))")
    window.click(*window.find_button("gen3d.interpolate("))
    until(window, "blend")

    # The slider: shapes come while the mouse moves, and the exact one when it rests.
    x, y = window.find_button(".t")
    window.call(f"""{MODULES}
seen = bpy.app.driver_namespace["seen"] = []
original = objects.fill
def fill(mesh, geometry, key=""):
    original(mesh, geometry, key)
    seen.append(len(geometry.vertices))
objects.fill = fill
bpy.app.driver_namespace["fill"] = original
""")
    window.drag((x, y), (x + 60, y), steps=30, seconds=3.0)
    during = ask(window, "list(bpy.app.driver_namespace['seen'])")
    assert len(during) >= 3, during
    after = ask(window, "blend.gen3d.t")
    assert after > 0.55
    until(window, "fresh(blend) and not slider._streams")
    window.call(f'{MODULES}\nobjects.fill = bpy.app.driver_namespace["fill"]')
    assert ask(window, "blend.data.users") == 1
    window.screenshot(tmp_path / "blend.png")

    # Undo: the slider goes back, and the mesh with it.
    window.move(view_3d.left + 200, view_3d.top + 300)
    window.key("ctrl+z")
    assert abs(ask(window, "blend.gen3d.t") - 0.5) < 1e-6
    until(window, "fresh(blend)")
    window.key("ctrl+shift+z")
    assert abs(ask(window, "blend.gen3d.t") - after) < 1e-6
    until(window, "fresh(blend)")


@pytest.mark.slow
def test_late_results_wait_and_cancel_leaves_nothing(window: Any) -> None:
    # In edit mode the result is held, and made afterwards.
    count = ask(window, "len(shapes)")
    assert count
    window.click(*window.find_button("gen3d.vary("))
    assert ask(window, "len(jobs.active())") == 1
    window.call("bpy.context.view_layer.objects.active.select_set(True)\nbpy.ops.object.mode_set(mode='EDIT')")
    until(window, "jobs.active() and jobs.active()[0].waits_for")
    assert ask(window, "len(shapes)") == count
    window.call("bpy.ops.object.mode_set(mode='OBJECT')")
    until(window, f"len(shapes) == {count} + 4")

    # Cancel.
    window.call("bpy.context.scene.gen3d.count = 500")
    x, y = window.find_button("gen3d.generate(")
    window.click(x, y)
    until(window, "jobs.active() and jobs.active()[0].fraction > 0")
    window.click(*window.find_button("gen3d.cancel(", row=y))  # the bar takes the button's place
    until(window, "not jobs.active()")
    assert ask(window, "len(shapes)") == count + 4
    assert ask(window, "status.error is None")

    # A dead engine is told in the panel, with a report; the next click works.
    window.click(*window.find_button("gen3d.generate("))
    until(window, "jobs.active() and jobs.active()[0].fraction > 0")
    ask(window, "calls._engine._process.kill()")
    until(window, "not jobs.active()")
    assert "stopped unexpectedly" in ask(window, "status.error.message")
    window.call("bpy.context.scene.gen3d.count = 1")
    window.click(*window.find_button("gen3d.copy_report("))
    assert "stopped unexpectedly" in ask(window, "bpy.context.window_manager.clipboard")
    window.click(*window.find_button("gen3d.generate("))
    until(window, f"len(shapes) == {count} + 5")
    assert ask(window, "status.error is None")

    # Another file: what was asked for in the old one does not come.
    window.call("bpy.context.scene.gen3d.count = 50")
    window.click(*window.find_button("gen3d.generate("))
    window.call("bpy.ops.wm.read_homefile(app_template='', use_empty=True)")
    assert ask(window, "len(jobs.active())") == 0
    until(window, "not calls._open")
    assert ask(window, "len(shapes)") == 0


@pytest.mark.slow
def test_artist_trains_a_model_and_uses_it(window: Any, tmp_path: Path) -> None:
    window.call("bpy.ops.wm.read_homefile(app_template='', use_empty=True)")
    window.open_tab("Gen3D")
    window.call("""
with in_region(region_type='WINDOW'):
    for number in range(9):
        kind = ('cube', 'cone', 'cylinder')[number % 3]
        getattr(bpy.ops.mesh, f'primitive_{kind}_add')(location=(3 * number, 0, 0))
        bpy.context.view_layer.objects.active.scale.z = 0.5 + 0.2 * number
    bpy.ops.object.select_all(action='SELECT')
    bpy.ops.ed.undo_push(message='Nine assets')
settings = bpy.context.scene.gen3d
settings.title, settings.minutes, settings.start = 'Hall Props', 10, 'toy-blobs'
""")
    # Only the panel of assets is open: what is below it would be out of the picture.
    turn(window, "Generate", "Shape", "My Assets")
    before = ask(window, "[[list(row) for row in obj.matrix_world] for obj in shapes]")
    window.click(*window.find_button("gen3d.train("))
    assert ask(window, "len(trainings.listing())") == 1
    until(window, "trainings.listing()[0].state == 'training' and trainings.listing()[0].status.step > 0", TRAINING)

    # Nothing that would keep Blender from saving by itself; the button is greyed; generating goes on.
    assert ask(window, "len(main_window().modal_operators)") == 0
    window.click(*window.find_button("gen3d.train("))
    assert ask(window, "len(trainings.listing())") == 1
    window.call("with in_region():\n    bpy.ops.gen3d.generate('INVOKE_DEFAULT', model='toy-blobs', count=1)")
    until(window, "len(shapes) == 10")
    assert ask(window, "trainings.listing()[0].state") == "training"
    window.screenshot(tmp_path / "training.png")

    # Pause, resume, stop and keep.
    window.click(*window.find_button("gen3d.train_pause("))
    until(window, "trainings.listing()[0].state == 'paused' and not trainings.listing()[0].active", TRAINING)
    window.screenshot(tmp_path / "paused.png")
    window.click(*window.find_button("gen3d.train_resume("))
    until(
        window,
        f"trainings.listing()[0].state == 'training' and trainings.listing()[0].status.step > {LEARNT}",
        TRAINING,
    )
    window.click(*window.find_button("gen3d.train_keep("))
    until(window, "trainings.listing()[0].state == 'done' and not trainings.listing()[0].active", TRAINING)
    assert ask(window, "models.mine(models.find('hall-props'))")
    until(window, "pictures.icon(trainings.listing()[0].folder / 'samples.png')")
    window.screenshot(tmp_path / "done.png")
    window.click(*window.find_button("gen3d.use_model("))
    assert ask(window, "bpy.context.scene.gen3d.model") == "hall-props"
    assert ask(window, "[[list(row) for row in obj.matrix_world] for obj in shapes][:9]") == before

    # Outliers: what is below the open panel of training would be out of the picture.
    window.call("for obj in bpy.context.view_layer.objects:\n    obj.select_set(True)")
    turn(window, "Train", "Outliers")
    window.click(*window.find_button("gen3d.find_outliers("))
    until(window, "outliers.latest()")
    assert ask(window, "len(outliers.latest().entries)") == 10
    window.screenshot(tmp_path / "outliers.png")


@pytest.mark.slow
def test_artist_describes_pictures_and_completes(window: Any, tmp_path: Path) -> None:
    window.call("bpy.ops.wm.read_homefile(app_template='', use_empty=True)")
    window.open_tab("Gen3D")
    turn(window, "Generate", "Shape")

    # From Text: greyed without words; those that are typed arrive, and the model that understands them does it.
    turn(window, "From Text")
    window.click(*window.find_button("gen3d.from_text("))
    assert ask(window, "len(jobs.active())") == 0
    window.click(*window.find_button(".text"))
    window.key("w i d e space t a b l e Return")
    assert ask(window, "bpy.context.scene.gen3d.text") == "wide table"
    window.click(*window.find_button("gen3d.from_text("))
    until(window, "len(shapes) == 4")
    assert ask(window, "[obj.gen3d.text for obj in shapes]") == ["wide table"] * 4
    assert ask(window, "{obj.gen3d.model for obj in shapes}") == ["toy-able"]
    assert ask(window, "bpy.context.scene.gen3d.model") == "toy-blobs"
    window.screenshot(tmp_path / "from text.png")
    turn(window, "From Text")

    # From Pictures: what is selected, as the view shows it, becomes a picture, and that a shape.
    window.call(f"{MODULES}\nfor obj in shapes[1:]:\n    obj.select_set(False)\nbpy.context.scene.gen3d.count = 1")
    turn(window, "From Pictures")
    window.click(*window.find_button("gen3d.picture_of_view("))
    size = ask(window, "list(bpy.context.scene.gen3d.pictures[0].image.size)")
    assert max(size) == 256
    assert ask(window, "sum(bpy.context.scene.gen3d.pictures[0].image.pixels[3::4])") > 0.2 * size[0] * size[1]
    window.click(*window.find_button("gen3d.from_images("))
    until(window, "len(shapes) == 5")
    window.screenshot(tmp_path / "from pictures.png")
    turn(window, "From Pictures")

    # Complete from View, of what the view shows of the active shape; seen from elsewhere it is another one.
    turn(window, "Complete")
    window.call(f"{MODULES}\nbpy.context.view_layer.objects.active = shapes[0]")
    window.click(*window.find_button("gen3d.complete_view("))
    until(window, "len(shapes) == 6")
    window.screenshot(tmp_path / "from view.png")

    # Its bar, with the cross that stops it, is where its button was.
    window.call("settings = bpy.context.scene.gen3d\nsettings.completions, settings.resolution = 100, '128'")
    x, y = window.find_button("gen3d.complete_view(")
    window.click(x, y)
    window.click(*window.find_button("gen3d.cancel(", row=y))
    until(window, "not jobs.active()")
    assert ask(window, "len(shapes)") == 6
    window.call("settings = bpy.context.scene.gen3d\nsettings.completions, settings.resolution = 1, '64'")
    made = "[obj for obj in shapes if obj.gen3d.task == 'complete_view']"
    assert ask(window, f"[obj.gen3d.source for obj in {made}] == [shapes[0].name]")
    view_3d = window.region("VIEW_3D", "WINDOW")
    for number, key in enumerate(("KP_1", "KP_3"), 2):
        window.move(view_3d.left + 200, view_3d.top + 300)
        window.key(key)
        window.call(f"{MODULES}\nbpy.context.view_layer.objects.active = shapes[0]\nbpy.ops.ed.undo_push(message='.')")
        window.click(*window.find_button("gen3d.complete_view("))
        until(window, f"len({made}) == {number}")
    assert len({tuple(view) for view in ask(window, f"[list(obj.gen3d.view) for obj in {made}]")}) == 3
    window.move(view_3d.left + 200, view_3d.top + 300)
    window.key("ctrl+z")
    assert ask(window, f"len({made})") == 2


@pytest.mark.slow
def test_artist_decides_on_a_result_whose_shape_is_gone(window: Any, tmp_path: Path) -> None:
    window.call("bpy.ops.wm.read_homefile(app_template='', use_empty=True)")
    window.open_tab("Gen3D")
    window.call("settings = bpy.context.scene.gen3d\nsettings.count, settings.quads = 1, True")
    window.click(*window.find_button("gen3d.generate("))
    until(window, "len(shapes) == 1")
    assert ask(window, "list({len(face.vertices) for face in shapes[0].data.polygons})") == [4]
    count = ask(window, "len(shapes[0].data.vertices)")
    window.call(f"{MODULES}\nshapes[0].gen3d.resolution = 96\nbpy.ops.ed.undo_push(message='Finer')")
    view_3d = window.region("VIEW_3D", "WINDOW")

    # Deleted while its new mesh waits behind other work: that comes, and is held. The engine stands still meanwhile, or
    # it might be quicker than the mouse.
    engine = f"{MODULES}\nimport os, signal\nos.kill(calls._engine._process.pid, signal.%s)"
    window.call(engine % "SIGSTOP")
    window.call("bpy.context.scene.gen3d.count = 20")
    window.click(*window.find_button("gen3d.generate("))
    window.click(*window.find_button("gen3d.regenerate("))
    window.move(view_3d.left + 200, view_3d.top + 300)
    window.key("Delete")
    assert ask(window, "len(shapes)") == 0
    window.call(engine % "SIGCONT")
    until(window, "len(shapes) == 20 and jobs.active()[0].held")
    turn(window, "Generate", "Shape")
    assert window.find_button("gen3d.add_held(")
    window.screenshot(tmp_path / "held.png")

    # Undo brings it back, and it gets its mesh.
    window.move(view_3d.left + 200, view_3d.top + 300)
    window.key("ctrl+z")
    window.key("ctrl+z")
    until(window, f"len(shapes) == 1 and len(shapes[0].data.vertices) > {1.5 * count} and not jobs.active()")
    window.screenshot(tmp_path / "back.png")

    # As a new object, which is one step to be undone; then the next one is dropped.
    held = "len(shapes) == 0 and jobs.active() and jobs.active()[0].held"
    begin = f"{MODULES}\nwith in_region():\n    bpy.ops.gen3d.regenerate('INVOKE_DEFAULT')\n"
    gone = (
        "with in_region(region_type='WINDOW'):\n    bpy.ops.object.delete()\n    bpy.ops.ed.undo_push(message='Gone')"
    )
    window.call(begin + gone)
    until(window, held)
    window.click(*window.find_button("gen3d.add_held("))
    assert ask(window, "[obj.select_get() for obj in shapes]") == [True]
    assert ask(window, "len(jobs.active())") == 0
    window.call(begin + gone)
    until(window, held)
    window.click(*window.find_button("gen3d.cancel("))
    assert ask(window, "len(jobs.active()) + len(shapes)") == 0
    window.move(view_3d.left + 200, view_3d.top + 300)
    window.key("ctrl+z")
    window.key("ctrl+z")
    assert ask(window, "len(shapes)") == 0
    assert ask(window, "status.error is None")
