"""Quads within a face budget: of a coarser grid, drawn onto the surface of the fine one.

Sampled as it is, a coarse grid loses what is thinner than a cell. So the coarse field is the distance to the fine
surface, less a part of a cell: the surface that it draws is a little too far out, goes round thin parts, too, and is
then moved to the nearest points of the fine surface, in turn with evening out the distances of its vertices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import EmptyShape
from . import dual
from .mesh import Mesh

#: How much farther out the coarse surface is drawn, in cells: more keeps more of what is thin, and closes narrow gaps.
OUTWARD = 0.25
#: How often the vertices are moved to the surface.
ROUNDS = 2


def within(fine: Mesh, inside: Callable[[int], NDArray[np.bool_]], resolution: int, budget: int) -> Mesh:
    """A surface in at most so many quads.

    Args:
        fine: the same surface, closed, in more quads, in model units.
        inside: which cell centres of a grid with so many cells along one side are inside.
        resolution: of the grid of the fine surface.
        budget: number of quads, at least 16.

    Raises:
        EmptyShape: nothing is left at that budget.
    """
    surface = _Surface(fine)
    size = min(int(resolution * (budget / len(fine.polygons)) ** 0.5) + 1, resolution)
    while True:
        field = surface.around(inside(size)) if size >= 2 else None
        count = 0 if field is None else dual.crossings(field < 0)
        if field is None or count == 0:
            raise EmptyShape(
                f"Nothing is left of the shape with {budget} quads.",
                "Allow more faces, or choose triangles instead of quads.",
            )
        if count <= budget:
            break
        # A surface has as many quads as the square of the resolution.
        size = min(size - 1, int(size * (budget / count) ** 0.5))
    vertices, corners = dual.quads(field)
    vertices = (vertices - 0.5) / size - 0.5
    for turn in range(ROUNDS):
        vertices = surface.nearest(dual.evened(vertices, corners) if turn else vertices)[1]
    return Mesh.of_quads(vertices.astype(np.float32), corners.astype(np.int32))


class _Surface:
    """What can be asked of a mesh: how far away it is, and where."""

    def __init__(self, mesh: Mesh) -> None:
        import igl

        self.vertices = np.ascontiguousarray(mesh.vertices, dtype=np.float64)
        self.faces = np.ascontiguousarray(mesh.faces, dtype=np.int64)
        self.tree: Any = igl.AABB()
        self.tree.init(self.vertices, self.faces)

    def nearest(self, points: dual.Floats) -> tuple[dual.Floats, dual.Floats]:
        """Distances (N,) of positions (N, 3), at least two, and the nearest points on the mesh (N, 3)."""
        squared, _, foot = self.tree.squared_distance(self.vertices, self.faces, np.ascontiguousarray(points))
        return np.sqrt(np.asarray(squared)), np.asarray(foot)

    def around(self, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The field of a surface a little farther out, with shape (R + 2,) * 3, in cells, padded with the outside.

        Args:
            inside: with shape (R, R, R).
        """
        size = len(inside)
        # Farther than a cell from the surface, how far does not matter.
        touched = np.zeros(inside.shape, dtype=bool)
        touched[tuple(np.floor((self.vertices + 0.5) * size).astype(int).clip(0, size - 1).T)] = True
        near = np.argwhere(ndimage.binary_dilation(touched, np.ones((3, 3, 3))))
        distance = np.ones(inside.shape)
        distance[tuple(near.T)] = self.nearest((near + 0.5) / size - 0.5)[0] * size
        field = np.where(inside, -distance, distance) - OUTWARD
        return np.pad(np.where(field == 0, 1e-6, field), 1, constant_values=1.0).astype(np.float32)
