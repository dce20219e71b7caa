"""What an artist keeps of a shape: masks of the cells whose content is given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ..errors import BadMesh, BadRequest
from ..representations.camera import Camera
from .grids import Grid
from .solid import Solid
from .winding import Triangles, cell_centres

#: Cells up to this many cell sides from the remaining surface are given, and those as near to its open edge are not.
REACH = 2.5
#: So far behind the seen surface, in cells along the optical axis, a cell's centre is known to be full: further in, a
#: thin part may have ended.
BEHIND = 1.0


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


def far_from_faces(corners: NDArray, kept: Solid, resolution: int) -> NDArray[np.bool_]:
    """What is left of a whole mesh of which some faces are to be made anew: cells that are nearer to the others.

    Args:
        corners: of the faces to be made anew, with shape (F, 3, 3), in model units.
        kept: the solid of the other faces.
        resolution: R.

    Returns:
        With shape (R, R, R); a rim of one cell on the side of the kept faces is not known either.

    Raises:
        BadRequest: no face is to be made anew.
    """
    if not len(corners):
        raise BadRequest("No face is selected.", "Select the faces that are to be made anew.")
    flat = np.asarray(corners, dtype=np.float64).reshape(-1, 3)
    anew = Triangles(flat, np.arange(len(flat)).reshape(-1, 3))
    centres = cell_centres(resolution)
    known = kept.distance(centres) + 1 / resolution < anew.nearest(centres).distance
    return known.reshape((resolution,) * 3)


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


def from_depth(depth: NDArray[np.floating], camera: Camera, resolution: int = 32) -> tuple[Grid, NDArray[np.bool_]]:
    """What one depth picture tells of a shape: cells of the seen surface are full, those before it empty.

    What lies behind the first surface or outside the picture is unknown. A pixel without depth frees its whole ray.

    Args:
        depth: with shape (H, W), along the optical axis, in model units; 0 or not finite where nothing is seen.
        camera: that took it.
        resolution: R.

    Returns:
        The cells of the seen surface, and which cells are known, with shape (R, R, R).

    Raises:
        BadRequest: the picture has another size than the camera's, or no surface is seen inside the shape's cube.
    """
    depth = np.asarray(depth, dtype=np.float64)
    if depth.shape != (camera.height, camera.width):
        raise BadRequest(
            f"The depth picture has shape {depth.shape}; the camera's is ({camera.height}, {camera.width}).",
            "Give the camera that took the picture.",
        )
    depth = np.where(np.isfinite(depth) & (depth > 0), depth, np.inf)
    axis = (np.arange(resolution) + 0.5) / resolution - 0.5
    centres = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    seen = camera.project(centres)
    size = np.array([camera.width, camera.height])
    inside = (seen.depth > 0) & (seen.pixels >= 0).all(1) & (seen.pixels < size).all(1)
    pixels, z = seen.pixels[inside], seen.depth[inside]
    column, row = np.floor(pixels).astype(int).T
    there = depth[row, column]
    # The ray through a cell's centre runs between those of four pixels: a cell is free only if it is so for all of
    # them, or the rims of what is seen, and surfaces that are seen at a grazing angle, would lose cells.
    corners = np.floor(pixels - 0.5).astype(int)
    around = [np.clip(corners + shift, 0, size - 1) for shift in ((0, 0), (1, 0), (0, 1), (1, 1))]
    nearest = np.min([depth[r, c] for c, r in (pair.T for pair in around)], axis=0)
    full, free = np.zeros(len(centres), bool), np.zeros(len(centres), bool)
    full[inside] = (z >= there) & (z <= there + BEHIND / resolution)
    free[inside] = z < np.minimum(there, nearest)
    if not full.any():
        raise BadRequest(
            "The depth picture shows no surface inside the shape's box.",
            "Turn the view so that the object is in front of it, and unhide the object.",
        )
    cells = (resolution,) * 3
    return Grid(full.reshape(cells)), (full | free).reshape(cells)
