"""What the scripts share that run inside Blender: the enabled extension, and how to look at its work."""

import contextlib
import importlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import addon_utils
import bpy
import numpy as np

ROOT = "bl_ext.user_default.gen3d"


def enable() -> None:
    """Enables the installed extension, as the preferences would."""
    assert addon_utils.enable("bl_pkg", default_set=True)
    assert addon_utils.enable(ROOT, default_set=True)


def module(name: str) -> Any:
    """A module of the extension."""
    return importlib.import_module(f"{ROOT}.blender_addon.{name}")


def clear() -> None:
    """An empty scene with the 3D cursor at the origin."""
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    for mesh in list(bpy.data.meshes):
        bpy.data.meshes.remove(mesh)
    bpy.context.scene.cursor.location = (0, 0, 0)


def positions(mesh: bpy.types.Mesh) -> np.ndarray:
    """The vertices (V, 3)."""
    values = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
    mesh.vertices.foreach_get("co", values)
    return values.reshape(-1, 3)


def same(a: bpy.types.Object, b: bpy.types.Object) -> bool:
    """Whether two objects have the same mesh, to the bit."""
    return np.array_equal(positions(a.data), positions(b.data)) and len(a.data.polygons) == len(b.data.polygons)


def select(*objects: bpy.types.Object) -> None:
    """Selects these; the last one is active."""
    bpy.context.view_layer.update()
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj in objects)
    bpy.context.view_layer.objects.active = objects[-1] if objects else None


def state() -> dict[str, Any]:
    """What a failed operator must not have changed."""
    view_layer = bpy.context.view_layer
    return {
        "objects": sorted(obj.name for obj in bpy.data.objects),
        "meshes": sorted((mesh.name, len(mesh.vertices), mesh.users) for mesh in bpy.data.meshes),
        "selected": sorted(obj.name for obj in bpy.context.selected_objects),
        "active": view_layer.objects.active.name if view_layer.objects.active else "",
        "cursor": tuple(bpy.context.scene.cursor.location),
        "mode": bpy.context.mode,
    }


def caught(function: Callable[[], object]) -> Any:
    """The error that a function of the extension raises."""
    try:
        function()
    except module("calls").Gen3DError as error:
        return error
    raise AssertionError("Nothing failed; expected an error.")


@contextlib.contextmanager
def fails(sentence: str, remedy: str) -> Iterator[None]:
    """Checks that the block fails with this sentence and this remedy in its message, and changes nothing."""
    before = state()
    try:
        yield
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError(f"Nothing failed; expected: {sentence}")
    assert sentence in message, message
    assert remedy in message, message
    assert state() == before, (before, state())


def engine_process() -> Any:
    """The engine's process; None where there is none."""
    return module("calls")._engine._process


def python(path: str) -> None:
    """Sets the engine's Python in the preferences; empty for the environment's."""
    module("preferences").get().python = path
    module("calls").stop()


def argument(name: str) -> str:
    """What the test passes to the script."""
    return os.environ[f"GEN3D_TEST_{name}"]


def works() -> np.ndarray:
    """Checks that the next Generate makes a shape; takes it away again and returns its vertices."""
    before = state()
    selected, active = bpy.context.selected_objects, bpy.context.view_layer.objects.active
    (made,) = module("api").generate("toy-blobs", seeds=(1,), resolution=32)
    mesh, found = made.data, positions(made.data)
    assert len(mesh.polygons) > 100
    bpy.data.objects.remove(made)
    bpy.data.meshes.remove(mesh)
    select(*(obj for obj in selected if obj != active), *([active] if active else []))
    assert state() == before, (before, state())
    return found


def begin(label: str, verb: Any) -> Any:
    """Begins a job in the background, as a button does."""
    module("jobs").start(label, verb)
    return module("jobs").active()[-1]


def until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Lets in what the engine says, as the clock would, until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        module("calls").poll()
        time.sleep(0.005)


def fault(name: str, count: int = 3) -> Any:
    """Asks the model that goes wrong as it is told for shapes, of which the second meets the fault."""
    return module("verbs").generate("toy-faulty", range(1, count + 1), module("memory").Quality(32), name)
