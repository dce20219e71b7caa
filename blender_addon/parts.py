"""Which part of a mesh stays: what is left of it, what is outside of a box or an outline, or what is not selected."""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np
from bpy.types import Mesh, Object
from mathutils import Matrix
from numpy.typing import NDArray

from ..gen3d_core.errors import BadRequest
from .memory import Memory
from .objects import Surface


@dataclass(frozen=True, eq=False)
class Outline:
    """A closed line that was drawn in a view; all that lies behind it, to any depth, is meant.

    Args:
        points: with shape (N, 2), -1 to 1 from left to right and from the bottom to the top of the view.
        projection: with shape (4, 4): from an object's own coordinates to OpenGL's clip coordinates.
    """

    points: NDArray[np.float64]
    projection: NDArray[np.float64]

    @classmethod
    def of(cls, points: Sequence[Sequence[float]] | NDArray[np.floating], view: Matrix, obj: Object) -> "Outline":
        """From a view's own projection of the world, as ``RegionView3D.perspective_matrix`` is one."""
        # As an object remembers it: made again, it is the same to the bit.
        flat = np.array(points, dtype=np.float32).reshape(-1, 2).astype(np.float64)
        projection = np.array(view @ obj.matrix_world, dtype=np.float32).astype(np.float64)
        return cls(flat, projection)

    def arrays(self, surface: Surface) -> dict[str, NDArray[Any]]:
        """For a request about a surface of the object."""
        projection = self.projection
        if surface.fit:
            projection = projection @ np.array(surface.matrix.inverted() @ surface.frame, dtype=np.float64)
        return {"outline": self.points, "projection": projection}


@dataclass(frozen=True, eq=False)
class Part:
    """What of a surface is to be made anew; what was deleted of it where nothing is said.

    Args:
        corners: of a box, in the coordinates of the surface's vertices.
        chosen: with shape (F,): which faces of the surface.
        outline: that was drawn around it.
        exact: whether the others keep their triangles.
    """

    corners: list[list[float]] | None = None
    chosen: NDArray[np.bool_] | None = None
    outline: Outline | None = None
    exact: bool = False

    def arrays(self, surface: Surface) -> dict[str, NDArray[Any]]:
        """What a request about the surface needs, beside the box."""
        if self.outline is not None:
            return {**surface.arrays, **self.outline.arrays(surface)}
        return surface.arrays if self.chosen is None else {**surface.arrays, "selected": self.chosen}

    def added(self, memory: Memory) -> Memory:
        """What an object remembers, and this."""
        if self.corners:
            memory = replace(memory, boxed=True, box=tuple(self.corners[0] + self.corners[1]))
        if self.outline is not None:
            numbers = np.concatenate([self.outline.projection.ravel(), self.outline.points.ravel()])
            memory = replace(memory, outline=_letters(numbers.astype(np.float32).tobytes()))
        return replace(memory, exact=self.exact, chosen="" if self.chosen is None else _packed(self.chosen))

    @classmethod
    def of(cls, memory: Memory, surface: Surface) -> "Part":
        """As an object remembers it.

        Raises:
            BadRequest: the surface has other faces than it had.
        """
        corners = [list(memory.box[:3]), list(memory.box[3:])] if memory.boxed else None
        chosen = _unpacked(memory.chosen, surface) if memory.chosen else None
        outline = None
        if memory.outline:
            numbers = np.frombuffer(_bytes(memory.outline), dtype=np.float32).astype(np.float64)
            outline = Outline(numbers[16:].reshape(-1, 2), numbers[:16].reshape(4, 4))
        return cls(corners, chosen, outline, memory.exact)


def chosen(obj: Object) -> NDArray[np.bool_]:
    """Which triangles of an object's surface, as :func:`.objects.surface` gives it, are selected; with shape (F,).

    Raises:
        BadRequest: none is, or all are.
    """
    # What is selected in Edit Mode is on the mesh as soon as it is asked for.
    if obj.mode == "EDIT":
        obj.update_from_editmode()
    reason = _unfit(obj)
    if reason:
        raise BadRequest(f"{reason} in '{obj.name}'.", "Select the faces to be made anew in Edit Mode.")
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    assert mesh is not None
    try:
        mesh.calc_loop_triangles()
        faces, triangles = np.empty(len(mesh.polygons), dtype=bool), np.empty(len(mesh.loop_triangles), dtype=np.int32)
        mesh.polygons.foreach_get("select", faces)
        mesh.loop_triangles.foreach_get("polygon_index", triangles)
    finally:
        evaluated.to_mesh_clear()
    found = faces[triangles]
    if not found.any():
        raise BadRequest(
            f"The modifiers of '{obj.name}' leave nothing of the selection.", "Apply them first, then select the faces."
        )
    return found


def unfit(obj: Object) -> str:
    """Why an object's selection says nothing, as the beginning of a sentence; empty where it does. Changes nothing."""
    if isinstance(obj.data, Mesh) and obj.mode == "EDIT":
        return "" if obj.data.total_face_sel else "No face is selected"
    return _unfit(obj)


def _unfit(obj: Object) -> str:
    mesh = obj.data
    if not isinstance(mesh, Mesh):
        return "There are no faces"
    faces = np.empty(len(mesh.polygons), dtype=bool)
    mesh.polygons.foreach_get("select", faces)
    if not faces.any():
        return "No face is selected"
    return "Every face is selected" if faces.all() else ""


def _letters(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def _bytes(letters: str) -> bytes:
    return zlib.decompress(base64.b64decode(letters))


def _packed(chosen: NDArray[np.bool_]) -> str:
    """A mask as letters: its length, and its bits."""
    return f"{len(chosen)}:{_letters(np.packbits(chosen).tobytes())}"


def _unpacked(text: str, surface: Surface) -> NDArray[np.bool_]:
    count, _, bits = text.partition(":")
    if int(count) != len(surface.faces):
        raise BadRequest(
            f"'{surface.name}' has other faces than when some of them were selected.", "Select and complete it anew."
        )
    return np.unpackbits(np.frombuffer(_bytes(bits), dtype=np.uint8), count=int(count)).astype(bool)
