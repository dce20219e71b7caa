"""Baking: an animated shape as meshes that need neither this extension nor its engine.

A mesh sequence is an object for each frame, of which the keyframes of its visibility show one at a time. Shape keys are
one object, where all frames have one topology: see :mod:`.shape_keys`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np
from bpy.types import Collection, Mesh, Object, Scene
from mathutils import Matrix

from ..gen3d_core.errors import BadRequest
from . import following, objects, shape_keys, slider
from .holding import ForObject
from .memory import Memory, remember
from .objects import Geometry
from .status import record
from .verbs import Verb
from .wanted import Wanted, wanted

MESHES, SHAPE_KEYS = "MESHES", "SHAPE_KEYS"
#: More frames than that are rather a mistake than a wish.
MOST_FRAMES = 1000


@dataclass(frozen=True)
class Frame:
    """What is seen of a shape at one frame.

    Args:
        number: of the frame.
        want: its mesh.
        matrix: where it stands in the world.
    """

    number: int
    want: Wanted
    matrix: Matrix


@dataclass(frozen=True)
class Baked:
    """One frame with its geometry, in the object's coordinates."""

    frame: Frame
    shape: Geometry


def bake(obj: Object, start: int, end: int, step: int, method: str = MESHES) -> Verb:
    """An animated shape as a mesh sequence or as shape keys, in a collection of its own; the shape is hidden.

    Args:
        obj: that follows its properties: a blend, or a shape with sliders.
        start, end: the frames, both included.
        step: every so many frames.
        method: :data:`MESHES`, or :data:`SHAPE_KEYS`, which falls back to meshes where the topology changes.
    """
    if method not in (MESHES, SHAPE_KEYS):
        raise BadRequest(f"There is no method '{method}'.", f"Use {MESHES} or {SHAPE_KEYS}.")
    numbers = range(start, end + 1, max(step, 1))
    if not numbers or step < 1 or len(numbers) > MOST_FRAMES:
        raise BadRequest(
            f"Frames {start} to {end} by {step} are {len(numbers) if step > 0 else 0}; expected 1 to {MOST_FRAMES}.",
            "Choose a first frame, a later last one, and a step of at least 1.",
        )
    scene = bpy.context.scene
    assert scene is not None
    if wanted(obj) is None:
        raise BadRequest(
            f"'{obj.name}' follows no sliders, so there is nothing to bake.", "Interpolate shapes, or get its sliders."
        )
    if not obj.visible_get():
        raise BadRequest(f"'{obj.name}' is hidden, so its animation stands still.", "Show it, then bake it.")
    frames = _frames(obj, scene, numbers)
    uid, name, scene_uid = obj.session_uid, obj.name, scene.session_uid
    shapes: dict[str, Geometry] = {}
    for number, frame in enumerate(frames):
        # A frame in which nothing moves is no work.
        if frame.want.key in shapes:
            continue
        begin, end_ = number / len(frames), (number + 1) / len(frames)
        results = (yield replace(frame.want.step(), begin=begin, end=end_)).results
        if not results:
            raise BadRequest("The engine sent no shape.", "Restart the engine in the preferences.")
        shapes[frame.want.key] = frame.want.shape(results[0])
    baked = [Baked(frame, shapes[frame.want.key]) for frame in frames]

    def put(source: Object) -> list[Object]:
        place = next((one for one in bpy.data.scenes if one.session_uid == scene_uid), None)
        if place is None:
            raise BadRequest(f"The scene of '{name}' is gone, so it was not baked.", "Undo, then try again.")
        return _made(source, place, baked, method)

    return ForObject(uid, name, put, meshed=False)


def _frames(obj: Object, scene: Scene, numbers: Sequence[int]) -> list[Frame]:
    """What is wanted at each frame; the scene is at its present frame again afterwards."""
    present, part = scene.frame_current, scene.frame_subframe
    found = []
    # The meshes are asked for below: the shapes in the scene need not follow meanwhile.
    with following.paused():
        try:
            for number in numbers:
                scene.frame_set(number)
                evaluated: Any = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
                want = wanted(obj, evaluated)
                assert want is not None
                found.append(Frame(number, want, evaluated.matrix_world.copy()))
        finally:
            scene.frame_set(present, subframe=part)
    # What was moved by hand at this frame and has no keyframe is as animated again.
    slider.reconcile()
    return found


def _made(source: Object, scene: Scene, baked: Sequence[Baked], method: str) -> list[Object]:
    """The objects of a bake, in a new collection; the source is hidden, as they stand where it stands."""
    fitted = None
    if method == SHAPE_KEYS:
        cell = 1.0 / baked[0].frame.want.quality.resolution * _scale(baked[0].frame.want)
        fitted = shape_keys.fit([(one.frame.number, one.shape) for one in baked], cell)
    collection = bpy.data.collections.new(f"{source.name} baked")
    scene.collection.children.link(collection)
    if fitted is None or fitted.reason:
        created = _sequence(source, collection, baked)
    else:
        created = [_keyed(source, collection, baked, fitted)]
    source.hide_render = True
    source.hide_viewport = True
    # What the new keyframes say of the present frame.
    scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
    if fitted is not None and fitted.reason:
        record(BadRequest(fitted.reason, "It was baked as a mesh sequence instead."))
    return created


def _sequence(source: Object, collection: Collection, baked: Sequence[Baked]) -> list[Object]:
    """One object for each frame, of which one is seen at a time."""
    meshes: dict[str, Mesh] = {}
    created = []
    for place, one in enumerate(baked):
        name = f"{source.name} {one.frame.number:04d}"
        key = one.frame.want.key
        if key not in meshes:
            meshes[key] = _mesh(name, source, one.shape)
        obj = _copied(source, collection, name, meshes[key])
        obj.matrix_world = one.frame.matrix
        begin = one.frame.number
        # The first is seen before the range, too, and the last one after it.
        if place:
            _show(obj, begin - 1, False)
        _show(obj, begin, True)
        if place + 1 < len(baked):
            _show(obj, baked[place + 1].frame.number, False)
        created.append(obj)
    return created


def _keyed(source: Object, collection: Collection, baked: Sequence[Baked], fitted: shape_keys.Fitted) -> Object:
    """One object with a shape key for each frame."""
    mesh = _mesh(source.name, source, fitted.template)
    obj = _copied(source, collection, f"{source.name} baked", mesh)
    shape_keys.add(obj, [one.frame.number for one in baked], fitted.positions)
    obj.rotation_mode = "QUATERNION"
    for one in baked:
        obj.matrix_world = one.frame.matrix
        for path in ("location", "rotation_quaternion", "scale"):
            obj.keyframe_insert(path, frame=one.frame.number)
    shape_keys.straighten(obj)
    return obj


def _mesh(name: str, source: Object, shape: Geometry) -> Mesh:
    """A new mesh with the source's materials."""
    mesh = bpy.data.meshes.new(name)
    objects.fill(mesh, shape)
    assert isinstance(source.data, Mesh)
    for material in source.data.materials:
        mesh.materials.append(material)
    return mesh


def _copied(source: Object, collection: Collection, name: str, mesh: Mesh) -> Object:
    """An object that looks as the source does, modifiers included, but is free: no parent, no animation, not ours."""
    obj = source.copy()
    assert obj is not None
    obj.name, obj.data = name, mesh
    obj.animation_data_clear()
    obj.parent = None
    obj.constraints.clear()
    remember(obj, Memory())
    obj.hide_render = obj.hide_viewport = False
    collection.objects.link(obj)
    return obj


def _show(obj: Object, frame: int, seen: bool) -> None:
    """Keyframes whether an object is seen from a frame on; such keyframes hold until the next one."""
    for path in ("hide_viewport", "hide_render"):
        setattr(obj, path, not seen)
        obj.keyframe_insert(path, frame=frame)


def _scale(want: Wanted) -> float:
    """The length of one model unit in the object's coordinates."""
    return float(np.linalg.norm(np.reshape(want.frame, (4, 4))[:3, 0])) if want.frame else 1.0
