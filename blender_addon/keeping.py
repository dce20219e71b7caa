"""What was made together: the chosen shapes stay, the others vanish, and one may take the place of what it came from.

All shapes that one task made of one thing share a random ``batch``: :func:`.objects.together` gives it to them. A copy
that the artist made of a shape has it, too; it stays and goes with the shape itself.
"""

from collections.abc import Sequence
from typing import Any

import bpy
from bpy.types import Mesh, Object, Scene

from ..gen3d_core.errors import BadRequest
from . import objects

#: Tasks whose results lie in the coordinates of the object that they were made of.
IN_PLACE = ("complete", "complete_view", "reconstruct", "refine")


def others(scene: Scene, kept: Sequence[Object]) -> list[Object]:
    """The objects of a scene that were made together with some, without these, their copies, and linked ones."""
    same = {_which(obj) for obj in kept if _group(obj).batch}
    batches = {batch for batch, _, _ in same}
    if not batches:
        return []
    found = [obj for obj in scene.objects if _group(obj).batch in batches and _which(obj) not in same]
    return [obj for obj in found if not obj.library and not obj.override_library]


def source(obj: Object) -> Object | None:
    """The object in whose place a shape can be put; None where there is none."""
    found = bpy.data.objects.get(_group(obj).source) if objects.task_of(obj) in IN_PLACE else None
    return found if found != obj else None


def keep(scene: Scene, kept: Sequence[Object], in_place: bool = False) -> list[Object]:
    """Deletes what was made together with some objects, with the meshes that nothing uses any more.

    Args:
        scene: of the objects.
        kept: of one batch or several; they stay.
        in_place: whether each of them takes the place of the object it was made of, which is hidden: its transform and
            its materials. Modifiers stay where they are, on the hidden object.

    Returns:
        The kept ones.

    Raises:
        BadRequest: there is nothing to do, or a place cannot be taken; nothing has changed then.
    """
    vanishing = others(scene, kept)
    places = [_place(obj, kept) for obj in kept] if in_place else []
    if not vanishing and not places:
        raise BadRequest("Nothing else was made together with these shapes.", "Select one of several shapes.")
    for obj, place in zip(kept, places, strict=False):
        _settle(obj, place)
    _delete(vanishing)
    return list(kept)


def _group(obj: Object) -> Any:
    return obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]


def _which(obj: Object) -> tuple[str, int, float]:
    """Which of its batch an object is."""
    group = _group(obj)
    return group.batch, group.seed, group.t


def _place(obj: Object, kept: Sequence[Object]) -> Object:
    """The object in whose place another is to be put."""
    found = source(obj)
    if found is None:
        name = _group(obj).source if objects.task_of(obj) in IN_PLACE else ""
        gone = f"'{name}', which '{obj.name}' was made of, is gone or has another name." if name else ""
        raise BadRequest(
            gone or f"'{obj.name}' was not made of another object, so it has no place to take.",
            "Keep it where it is, or give that object its old name." if name else "Keep it where it is.",
        )
    if sum(source(other) == found for other in kept) > 1:
        raise BadRequest(f"Several shapes cannot take the place of '{found.name}'.", "Select one of them.")
    return found


def _settle(obj: Object, place: Object) -> None:
    """Puts an object where another one is, with that one's materials, and hides that one."""
    obj.matrix_world = place.matrix_world.copy()
    mesh = obj.data
    if isinstance(mesh, Mesh) and not mesh.library and not mesh.materials:
        for slot in place.material_slots:
            mesh.materials.append(slot.material)
    # Its eye alone, not its screen: what is hidden by that is not computed, and Regenerate could not see it.
    for layer in (layer for scene in place.users_scene for layer in scene.view_layers):
        if layer.objects.get(place.name) == place:
            place.hide_set(True, view_layer=layer)
    if not place.library:
        place.hide_render = True


def _delete(vanishing: Sequence[Object]) -> None:
    meshes = {obj.data for obj in vanishing if isinstance(obj.data, Mesh)}
    for obj in vanishing:
        bpy.data.objects.remove(obj)
    for mesh in meshes:
        if mesh.users == 0 and not mesh.library:
            bpy.data.meshes.remove(mesh)
