"""Where an artist wants a shape made anew: a box, or what lies behind an outline that was drawn in a view."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadMesh, BadRequest
from . import closing
from .winding import Floats, Indices, cell_centres

#: An outline has at most so many corners: more is noise of the hand.
CORNERS = 2000
#: Of the view's half width and half height: smaller is a slip of the mouse.
SMALLEST = 1e-3


class Region(ABC):
    """A part of space, in model units."""

    @abstractmethod
    def holds(self, points: Floats) -> NDArray[np.bool_]:
        """Which points (N, 3) lie in it, with shape (N,)."""

    @abstractmethod
    def solid(self) -> Any:
        """As a Manifold, as far as the shape's cube reaches."""

    @abstractmethod
    def trimmed(self, vertices: Floats, faces: Indices) -> tuple[Floats, Indices]:
        """The part of an open surface that is outside; may be empty."""

    def outside(self, resolution: int) -> NDArray[np.bool_]:
        """Which cells of the shape's cube are kept: with shape (R, R, R), true where the centre lies outside.

        Raises:
            BadRequest: no cell of the cube is in it, or every one.
        """
        mask = ~self.holds(cell_centres(resolution)).reshape((resolution,) * 3)
        if mask.all():
            raise BadRequest("The region does not touch the shape's space.", "Mark the part to be made anew.")
        if not mask.any():
            raise BadRequest(
                "The region covers the whole shape: nothing would be kept.", "Use Generate, or mark a smaller one."
            )
        return mask

    def cut(self, body: Any) -> closing.Closed:
        """A Manifold without what lies in the region; the new faces count as caps.

        Raises:
            BadMesh: nothing is left.
        """
        tool = self.solid()
        made = (body - tool).to_mesh()
        faces = np.asarray(made.tri_verts, dtype=np.int64)
        if len(faces) == 0:
            raise BadMesh("The region covers the whole shape: nothing would be kept.", "Mark a smaller one.")
        caps = np.zeros(len(faces), dtype=bool)
        for number, start, end in zip(made.run_original_id, made.run_index[:-1], made.run_index[1:], strict=True):
            caps[start // 3 : end // 3] = number == tool.original_id()
        return closing.Closed(np.asarray(made.vert_properties[:, :3], dtype=np.float64), faces, caps)


@dataclass(frozen=True, eq=False)
class Box(Region):
    """A box along the axes.

    Args:
        low, high: its corners, each with shape (3,).

    Raises:
        BadRequest: it is empty.
    """

    low: Floats
    high: Floats

    def __post_init__(self) -> None:
        if np.shape(self.low) != (3,) or np.shape(self.high) != (3,) or not (self.low < self.high).all():
            raise BadRequest("The box is empty: its low corner must lie below its high corner.", "Draw a larger box.")

    def holds(self, points: Floats) -> NDArray[np.bool_]:
        """See the base class."""
        return ((points >= self.low) & (points <= self.high)).all(axis=1)

    def solid(self) -> Any:
        """See the base class."""
        size = (self.high - self.low).tolist()
        return closing.library().Manifold.cube(size).translate(self.low.tolist()).as_original()

    def trimmed(self, vertices: Floats, faces: Indices) -> tuple[Floats, Indices]:
        """Cut along the box's sides."""
        from trimesh import Trimesh
        from trimesh.intersections import slice_faces_plane

        found: list[tuple[Floats, Indices]] = []
        for axis in range(3):
            for side, sign in ((self.low, -1.0), (self.high, 1.0)):
                normal, origin = np.zeros(3), np.zeros(3)
                normal[axis], origin[axis] = sign, side[axis]
                found.append(slice_faces_plane(vertices, faces, normal, origin)[:2])
                vertices, faces = slice_faces_plane(vertices, faces, -normal, origin)[:2]
        counts = np.cumsum([0, *(len(points) for points, _ in found)])
        numbers = [part + start for (_, part), start in zip(found, counts, strict=False)]
        merged = Trimesh(np.concatenate([points for points, _ in found]), np.concatenate(numbers), process=True)
        return np.asarray(merged.vertices, dtype=np.float64), np.asarray(merged.faces, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Outline(Region):
    """What lies behind a closed line in a view, to any depth.

    Args:
        points: the line's corners with shape (N, 2), -1 to 1 from left to right and from the bottom to the top of the
            view; where it crosses itself, even and odd decide what is inside.
        projection: with shape (4, 4): from model units to OpenGL's clip coordinates.

    Raises:
        BadRequest: it surrounds nothing, or something is not a number.
    """

    points: Floats
    projection: Floats

    def __post_init__(self) -> None:
        fits = self.points.ndim == 2 and self.points.shape[1] == 2 and self.projection.shape == (4, 4)
        if not fits or not np.isfinite(self.points).all() or not np.isfinite(self.projection).all():
            raise BadRequest("The outline is not one: it has no points, or no view.", "Draw it again.")
        if len(self.points) > CORNERS:
            raise BadRequest(f"The outline has {len(self.points)} corners; expected at most {CORNERS}.", "Simplify it.")
        slip = len(self.points) < 3 or np.ptp(self.points, axis=0).min() < SMALLEST
        if slip or abs(np.linalg.det(self.projection)) < 1e-12:
            raise BadRequest("The outline surrounds nothing.", "Draw around the part that is to be made anew.")

    def holds(self, points: Floats) -> NDArray[np.bool_]:
        """See the base class."""
        from skimage.measure import points_in_poly

        clip = _homogeneous(points) @ self.projection.T
        before = clip[:, 3] > 0
        found = np.zeros(len(points), dtype=bool)
        found[before] = points_in_poly(clip[before, :2] / clip[before, 3:], self.points)
        return found

    def solid(self) -> Any:
        """See the base class."""
        corners = np.stack(np.meshgrid(*[[-0.5, 0.5]] * 3), axis=-1).reshape(-1, 3) * 1.01
        clip = _homogeneous(corners) @ self.projection.T
        before = clip[:, 3] > 0
        depths = clip[before, 2] / clip[before, 3]
        # The near plane lies at -1; what is behind the eye has no depth.
        near = max(float(depths.min()), -1.0) if before.all() else -1.0
        manifold3d = closing.library()
        section = manifold3d.CrossSection([self.points.tolist()], manifold3d.FillRule.EvenOdd)
        prism = section.extrude(1.0).to_mesh()
        flat = np.asarray(prism.vert_properties[:, :3], dtype=np.float64)
        flat[:, 2] = near + (float(depths.max()) - near) * flat[:, 2]
        placed = _homogeneous(flat) @ np.linalg.inv(self.projection).T
        vertices, faces = placed[:, :3] / placed[:, 3:], np.asarray(prism.tri_verts, dtype=np.int64)
        # Clip coordinates are left-handed.
        first, second, third = vertices[faces].transpose(1, 0, 2)
        if np.einsum("nk,nk->", first, np.cross(second, third)) < 0:
            faces = faces[:, ::-1]
        body = closing.body(vertices, faces)
        if body is None:
            raise BadRequest("The outline cannot be made a region.", "Draw it again, without sharp turns.")
        return body.as_original()

    def trimmed(self, vertices: Floats, faces: Indices) -> tuple[Floats, Indices]:
        """Whole faces: those whose centres lie outside."""
        return vertices, faces[~self.holds(vertices[faces].mean(axis=1))]


def _homogeneous(points: Floats) -> Floats:
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)
