"""Faults that need a window: what the artist does with mouse and keyboard meanwhile. See docs/faults.md."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests import stand_ins
from tests.blender.blenders import SCRIPTS
from tests.blender.window import window as harness
from tests.blender.window.asking import MODULES, PACKAGE, ask, until

pytestmark = pytest.mark.slow

#: A job of so many shapes, a tenth of a second each, is under way until it is stopped.
LONG = 20_000
BEGIN = """
from importlib import import_module
settings = bpy.context.scene.gen3d
with in_region():
    bpy.ops.gen3d.generate('INVOKE_DEFAULT', model='toy-faulty', category='slow', count={count}, resolution=32)
"""


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory, toy: ModuleType, extension: Path) -> Iterator[Any]:
    """A window with the extension's tab open and an empty scene."""
    blender = harness.blender_from_environment()
    if not blender:
        pytest.skip("There is no Blender with a window: set BLENDER, see tests/blender/window/README.md.")
    zoo = tmp_path_factory.mktemp("zoo")
    toy.make(zoo, ("toy-blobs",))
    toy.make_faulty(zoo)
    environment = {"GEN3D_TEST_ZIP": str(extension), "GEN3D_ZOO": str(zoo), "GEN3D_PYTHON": sys.executable}
    with harness.Window(
        blender,
        scripts=[SCRIPTS / "window_start.py"],
        environment=environment,
        folders=[*harness.python_folders(), zoo, extension.parent],
        width=1300,
        height=1000,
    ) as window:
        window.open_tab("Gen3D")
        window.call("bpy.ops.ed.undo_push(message='Start')")
        yield window


@pytest.fixture(autouse=True)
def _nothing_left(window: Any) -> Iterator[None]:
    """No job outlives its test, and the next one begins with an empty scene; the next Generate works."""
    yield
    window.call(f"{MODULES}\njobs.cancel()\nbpy.ops.wm.read_homefile(app_template='', use_empty=True)")
    window.open_tab("Gen3D")
    window.call("with in_region():\n    bpy.ops.gen3d.generate('INVOKE_DEFAULT', model='toy-blobs', count=1)")
    until(window, "len(shapes) == 1")
    window.call("bpy.data.objects.remove(bpy.context.scene.objects[0])\nbpy.ops.ed.undo_push(message='Start')")


def test_escape_is_for_what_the_artist_does(window: Any) -> None:
    # Esc neither stops the job nor is it swallowed: it ends the artist's own movement, and the cross ends the job.
    window.call("""
bpy.ops.mesh.primitive_cube_add(location=(0, 0, 0))
bpy.ops.ed.undo_push(message='A cube')
""")
    _, row = window.find_button("gen3d.generate(")
    window.call(BEGIN.format(count=LONG))
    until(window, "jobs.active() and jobs.active()[0].fraction > 0")
    view = window.region("VIEW_3D", "WINDOW")
    window.move(view.left + 200, view.top + 300)
    window.key("Escape")
    assert ask(window, "len(jobs.active())") == 1
    window.key("g")
    assert ask(window, "[operator.bl_idname for operator in main_window().modal_operators]") == [
        "TRANSFORM_OT_translate"
    ]
    window.move(view.left + 300, view.top + 350)
    window.settle()
    assert ask(window, "bpy.data.objects['Cube'].location.length") > 0.1
    window.key("Escape")
    assert ask(window, "len(main_window().modal_operators)") == 0
    assert ask(window, "bpy.data.objects['Cube'].location.length") == 0
    assert ask(window, "len(jobs.active())") == 1
    window.click(*window.find_button("gen3d.cancel(", row=row))  # the bar takes the button's place
    until(window, "not jobs.active()")
    until(window, "not calls._leaving", 30.0)
    assert ask(window, "len(shapes)") == 1
    assert ask(window, "status.error is None")


def test_nothing_repeats_minutes_of_work(window: Any) -> None:
    window.call("with in_region():\n    bpy.ops.gen3d.generate('INVOKE_DEFAULT', model='toy-blobs', count=2)")
    until(window, "len(shapes) == 2")
    view = window.region("VIEW_3D", "WINDOW")
    window.move(view.left + 200, view.top + 300)
    assert ask(window, "bpy.ops.ed.undo_redo.poll()") is False, "the redo panel would make the shapes again"
    window.key("shift+r")
    assert ask(window, "len(jobs.active())") == 0
    assert ask(window, "len(shapes)") == 2


def test_auto_save_goes_on(window: Any, tmp_path: Path) -> None:
    # Blender saves by itself every minute, unless an operator of somebody's waits for events.
    window.call(f"""
preferences = bpy.context.preferences.filepaths
preferences.temporary_directory = {str(tmp_path)!r}
preferences.use_auto_save_temporary_files, preferences.auto_save_time = True, 1
bpy.ops.mesh.primitive_cube_add()
bpy.ops.ed.undo_push(message='A cube')
""")
    window.call(BEGIN.format(count=LONG))
    until(window, "jobs.active() and jobs.active()[0].fraction > 0")
    assert ask(window, "len(main_window().modal_operators)") == 0
    done = ask(window, "jobs.active()[0].fraction")
    window.wait_until(
        "import glob, os\nresult = glob.glob(os.path.join(os.path.dirname(bpy.app.tempdir.rstrip('/')), '*autosave*'))",
        seconds=300.0,
    )
    assert ask(window, "len(jobs.active())") == 1
    assert ask(window, "jobs.active()[0].fraction") > done, "the job stood still"


def test_results_wait_for_the_end_of_a_render(window: Any, tmp_path: Path) -> None:
    # An animation of many small pictures, in the background; meanwhile the engine is done.
    window.call(f"""
scene = bpy.context.scene
scene.render.engine = 'BLENDER_WORKBENCH'
scene.render.resolution_x = scene.render.resolution_y = 64
scene.frame_end = 100_000
scene.render.filepath = {str(tmp_path / "frame")!r}
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
scene.collection.objects.link(camera)
scene.camera = camera
""")
    window.call(BEGIN.format(count=3))
    window.call("bpy.ops.render.render('INVOKE_DEFAULT', animation=True)")
    until(window, "clock.rendering()")
    # The engine needs a moment for three shapes; a hundred pictures take longer.
    window.wait_until(f"import os\nresult = len(os.listdir({str(tmp_path)!r})) > 100", seconds=300.0)
    assert ask(window, "len(jobs.active())") == 1
    assert ask(window, "clock.rendering()")
    assert ask(window, "len(shapes)") == 0
    window.key("Escape")
    until(window, "not clock.rendering()")
    until(window, "len(shapes) == 3")
    # Saved in the middle of a job: the file is whole, and the job goes on.
    window.call(BEGIN.format(count=3))
    window.call(f"bpy.ops.wm.save_as_mainfile(filepath={str(tmp_path / 'saved.blend')!r}, copy=True)")
    assert (tmp_path / "saved.blend").stat().st_size > 1000
    until(window, "len(shapes) == 6")


def test_window_lives_while_the_engine_is_installed(window: Any, tmp_path: Path) -> None:
    numpy = importlib.util.find_spec("numpy")
    assert numpy
    assert numpy.origin
    wheels = tmp_path / "wheels"
    stand_ins.wheel(wheels, "torch", "2.13.0+cpu", {"engine.pth": f"{Path(numpy.origin).parent.parent}\n"})
    stand_ins.wheel(wheels, "stand-in", "1.0", filling=100_000_000)
    base = os.path.realpath(sys.executable)
    window.call(f"""{MODULES}
import dataclasses, time
from pathlib import Path
packages = import_module("{PACKAGE}.installer.packages")
installs = import_module("{PACKAGE}.installs")
packages.CONTENTS = dataclasses.replace(
    packages.CONTENTS, packages=(packages.Package("stand-in", "1.0"),), extras=(), modules=("torch", "numpy")
)
import_module("{PACKAGE}.installer.interpreters").candidates = lambda: [Path({base!r})]
notes = bpy.app.driver_namespace
notes["ticks"] = []
def timed():
    begun = time.perf_counter()
    try:
        return installs.tick()
    finally:
        notes["ticks"].append(time.perf_counter() - begun)
assert clock._hands[-1] == installs.tick
clock._hands[-1] = timed
installs.start("cpu", {str(wheels)!r})
""")
    answered = 0
    view = window.region("VIEW_3D", "WINDOW")
    installing = f'import_module("{PACKAGE}.installs").installation() is not None'
    while ask(window, installing):
        # The mouse and the panel are served all the time.
        window.move(view.left + 100 + answered % 50, view.top + 300)
        window.settle()
        answered += 1
    ticks = ask(window, "bpy.app.driver_namespace['ticks']")
    assert ask(window, "status.error is None"), ask(window, "str(status.error)")
    assert ask(window, f'import_module("{PACKAGE}.installs").known() is not None')
    assert answered > 10, answered
    assert len(ticks) > 10, len(ticks)
    assert max(ticks) < 0.5, max(ticks)
    window.call(f"""{MODULES}
installs = import_module("{PACKAGE}.installs")
clock._hands[-1] = installs.tick
installs.remove()
""")
    until(window, f'not import_module("{PACKAGE}.installs").removing()')
