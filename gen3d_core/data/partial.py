"""What an artist keeps of a shape: masks of the cells whose content is given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ..errors import BadMesh, BadRequest
from .solid import Solid

#: Cells up to this many cell sides from the remaining surface are given, and those as near to its open edge are not.
REACH = 2.5


def outside_box(low: NDArray, high: NDArray, resolution: int) -> NDArray[np.bool_]:
    """Everything but a box: with shape (R, R, R), true where the cell's centre lies outside.

    Args:
        low, high: corners with shape (3,), in model units.

    Raises:
        BadRequest: the box is empty, or it holds no cell or every cell of the shape's cube.
    """
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    if low.shape != (3,) or high.shape != (3,) or not (low < high).all():
        raise BadRequest("The box is empty: its low corner must lie below its high corner.", "Draw a larger box.")
    axis = (np.arange(resolution) + 0.5) / resolution - 0.5
    inside = [(axis >= a) & (axis <= b) for a, b in zip(low, high, strict=True)]
    mask = ~(inside[0][:, None, None] & inside[1][None, :, None] & inside[2][None, None, :])
    if mask.all():
        raise BadRequest("The box does not touch the shape's space.", "Move it over the part to be made anew.")
    if not mask.any():
        raise BadRequest("The box covers the whole shape: nothing would be kept.", "Use Generate, or a smaller box.")
    return mask


def near_surface(solid: Solid, resolution: int) -> NDArray[np.bool_]:
    """What is left of an open mesh: cells near its surface or deep inside, but not near its open edge.

    Args:
        solid: of a mesh with a hole where a part was deleted.

    Returns:
        With shape (R, R, R).

    Raises:
        BadMesh: the mesh is closed, so nothing is missing.
    """
    edge = open_edge_points(solid, spacing=0.25 / resolution)
    if len(edge) == 0:
        raise BadMesh(
            "The mesh is closed: nothing of it is missing.",
            "Delete the faces that are to be made anew, or mark them by a box.",
        )
    axis = (np.arange(resolution) + 0.5) / resolution - 0.5
    centres = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    reach = REACH / resolution
    near = solid.distance(centres) < reach
    deep = solid.winding(centres) > 0.9
    free_of_edge = KDTree(edge).query(centres, distance_upper_bound=reach)[0] > reach
    return ((near | deep) & free_of_edge).reshape((resolution,) * 3)


def open_edge_points(solid: Solid, spacing: float) -> NDArray[np.float64]:
    """Points along the edges that have one face only, with shape (N, 3), in model units.

    Vertices in the same place count as one, so that seams of normals or texture coordinates are not openings.
    """
    vertices = solid.mesh.vertices.astype(np.float64)
    _, welded = np.unique(np.round(vertices, 6), axis=0, return_inverse=True)
    faces = welded.reshape(-1)[solid.mesh.faces]
    pairs = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    original = np.stack([solid.mesh.faces, np.roll(solid.mesh.faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    _, first, counts = np.unique(pairs, axis=0, return_index=True, return_counts=True)
    lone = original[first[counts == 1]]
    lone = lone[pairs[first[counts == 1], 0] != pairs[first[counts == 1], 1]]
    if len(lone) == 0:
        return np.zeros((0, 3))
    start, stop = vertices[lone[:, 0]], vertices[lone[:, 1]]
    steps = max(int(np.ceil(np.linalg.norm(stop - start, axis=1).max() / spacing)), 1)
    t = np.linspace(0, 1, min(steps, 256) + 1)[:, None, None]
    return (start + (stop - start) * t).reshape(-1, 3)
