"""Oriented triangles, open or closed, and what surrounds a position: the generalised winding number and the distance.

Jacobson, Kavan and Sorkine-Hornung, *Robust Inside-Outside Segmentation using Generalized Winding Numbers*, 2013; fast
evaluation after Barill et al., *Fast Winding Numbers for Soups and Clouds*, 2018, by libigl.

Cones over the openings, one for each, close a mesh. The winding number of both together is a whole number, which a
scan along rows of cells counts exactly: every face that a row passes adds or takes one. What the cones alone have is
subtracted, as they are few, and only where they are so near or so large that it could matter: an area A at distance d
spans at most A / (4 pi d^2) of a sphere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

#: Accuracy of the far field, as libigl recommends: larger is slower and nearer to the exact sum.
ACCURACY = 2.0
#: Side, in cells, of the blocks that are looked at first.
COARSEST = 8
#: Pairs of positions and openings, or of faces and rows, that are looked at together.
CHUNK = 1 << 19
#: By how much rows pass beside the centres of cells, in cells.
SHIFT = 1e-7


@dataclass(frozen=True)
class Nearest:
    """What is nearest to N positions: distance (N,), face (N,) and the position on it (N, 3)."""

    distance: Floats
    face: Indices
    foot: Floats


@dataclass(frozen=True)
class Band:
    """The cells of a grid that are near a surface, (K, 3), and what is nearest to their centres."""

    cells: Indices
    nearest: Nearest


class Triangles:
    """Triangles with two acceleration structures, each built when it is first needed.

    Args:
        vertices: with shape (V, 3).
        faces: with shape (F, 3); may be none.
    """

    def __init__(self, vertices: Floats, faces: Indices) -> None:
        self.vertices = np.ascontiguousarray(vertices, dtype=np.float64)
        self.faces = np.ascontiguousarray(faces, dtype=np.int64).reshape(-1, 3)

    @cached_property
    def _hierarchy(self):  # noqa: ANN202 - libigl has no types
        import igl

        built = igl.FastWindingNumberBVH()
        built.init(self.vertices, self.faces, 2)
        return built

    @cached_property
    def _tree(self):  # noqa: ANN202 - libigl has no types
        import igl

        built = igl.AABB()
        built.init(self.vertices, self.faces)
        return built

    @cached_property
    def normals(self) -> Floats:
        """Unit normals, with shape (F, 3)."""
        normals = self._crosses()
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)

    @cached_property
    def areas(self) -> Floats:
        """With shape (F,)."""
        return np.linalg.norm(self._crosses(), axis=1) / 2

    def _crosses(self) -> Floats:
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        return np.cross(b - a, c - a)

    def winding(self, points: NDArray) -> Floats:
        """The generalised winding number of (N, 3) positions, with shape (N,)."""
        if len(self.faces) == 0 or len(points) == 0:
            return np.zeros(len(points))
        queries = np.ascontiguousarray(points, dtype=np.float64)
        return np.asarray(self._hierarchy.winding_number(queries, ACCURACY))

    def nearest(self, points: NDArray) -> Nearest:
        """The nearest place of the triangles to (N, 3) positions; infinitely far where there are none."""
        if len(self.faces) == 0 or len(points) == 0:
            return Nearest(np.full(len(points), np.inf), np.zeros(len(points), np.int64), np.zeros((len(points), 3)))
        queries = np.ascontiguousarray(points, dtype=np.float64)
        squared, face, foot = self._tree.squared_distance(self.vertices, self.faces, queries)
        # One position alone comes back without its axis.
        return Nearest(np.sqrt(np.atleast_1d(squared)), np.atleast_1d(face), np.asarray(foot).reshape(-1, 3))

    @cached_property
    def open_edges(self) -> OpenEdges:
        """Edges that are not run through as often in one direction as in the other."""
        starts, ends = self.faces.reshape(-1), np.roll(self.faces, -1, axis=1).reshape(-1)
        low, high = np.minimum(starts, ends), np.maximum(starts, ends)
        keys, of_corner = np.unique(low * len(self.vertices) + high, return_inverse=True)
        excess = np.bincount(of_corner, np.where(starts < ends, 1, -1), len(keys)).astype(np.int64)
        lone = excess != 0
        edges = np.stack([keys[lone] // len(self.vertices), keys[lone] % len(self.vertices)], axis=1)
        edges = np.where(excess[lone, None] > 0, edges, edges[:, ::-1])
        return OpenEdges(self.vertices, np.repeat(edges, np.abs(excess[lone]), axis=0))


class OpenEdges:
    """Edges around the openings of a surface, and cones that close them.

    Args:
        vertices: with shape (V, 3).
        edges: with shape (E, 2), in the direction of their face; as often as their faces are too many.
    """

    def __init__(self, vertices: Floats, edges: Indices) -> None:
        self.edges = edges
        used, compact = np.unique(edges, return_inverse=True)
        corners, ends = vertices[used], compact.reshape(-1, 2)
        self.length = float(np.linalg.norm(corners[ends[:, 1]] - corners[ends[:, 0]], axis=1).sum())
        # In and out of every corner run equally many open edges, so one cone for each group of them closes them all.
        links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(used),) * 2)
        count, group = connected_components(links, directed=False)
        tips = np.stack([np.bincount(group, corners[:, k], count) for k in range(3)], axis=1)
        self._tips = tips / np.bincount(group, minlength=count)[:, None].clip(1)
        of_edge = group[ends[:, 0]]
        self.cones = Triangles(
            np.concatenate([corners, self._tips]), np.stack([ends[:, 1], ends[:, 0], len(used) + of_edge], axis=1)
        )
        self._areas = np.bincount(of_edge, self.cones.areas, count)
        self._radii = np.zeros(count)
        np.maximum.at(self._radii, group, np.linalg.norm(corners - self._tips[group], axis=1))

    def most(self, points: Floats, radius: float) -> Floats:
        """The cones' winding number within ``radius`` of (N, 3) positions is at most this, with shape (N,)."""
        total = np.zeros(len(points))
        for part in np.array_split(np.arange(len(points)), len(points) * len(self._tips) // CHUNK + 1):
            gap = np.linalg.norm(points[part, None] - self._tips, axis=2) - self._radii - radius
            total[part] = (self._areas / (4 * np.pi * np.maximum(gap, 1e-6) ** 2)).sum(axis=1)
        return total


def inside(walls: Triangles, resolution: int) -> NDArray[np.bool_]:
    """Where the winding number is above 1/2, at the cell centres of a grid over [-0.5, 0.5]^3, with shape (R, R, R)."""
    cones = walls.open_edges.cones
    if len(cones.faces) > len(walls.faces):
        # Loose faces: closing them costs more than it saves.
        return (walls.winding(cell_centres(resolution)) > 0.5).reshape((resolution,) * 3)
    closed = _crossings(walls, resolution) + _crossings(cones, resolution)
    closed = np.cumsum(closed, axis=0, dtype=np.int32)
    result = closed > 0
    if len(cones.faces):
        cells = _open_cells(walls.open_edges, resolution)
        x, y, z = cells.T
        result[x, y, z] = closed[x, y, z] - cones.winding((cells + 0.5) / resolution - 0.5) > 0.5
    return result


def _crossings(triangles: Triangles, resolution: int) -> NDArray[np.int32]:
    """By how much the winding number of a closed mesh grows from cell x - 1 to cell x, with shape (R, R, R)."""
    grown = np.zeros(resolution**3, dtype=np.int32)
    if len(triangles.faces) == 0:
        return grown.reshape((resolution,) * 3)
    # In units of cells, whose centres are whole numbers; rows that pass a hair beside them meet no vertex by design.
    points = (triangles.vertices + 0.5) * resolution - 0.5 + np.array([0.0, SHIFT, -SHIFT * 0.618])
    corners = points[triangles.faces]
    first = np.ceil(corners[:, :, 1:].min(axis=1)).clip(0, resolution).astype(np.int64)
    last = np.floor(corners[:, :, 1:].max(axis=1)).clip(-1, resolution - 1).astype(np.int64)
    spans = (last - first + 1).clip(0)
    counts = spans.prod(axis=1)
    ends = np.cumsum(counts)
    for part in np.split(np.arange(len(counts)), np.searchsorted(ends, np.arange(CHUNK, ends[-1], CHUNK))):
        owner = np.repeat(part, counts[part])
        within = np.arange(len(owner)) - np.repeat(np.cumsum(counts[part]) - counts[part], counts[part])
        row = first[owner] + np.stack([within // spans[owner, 1], within % spans[owner, 1]], axis=1)
        _cross(points, triangles.faces[owner], row, grown, resolution)
    return grown.reshape((resolution,) * 3)


def _cross(points: Floats, faces: Indices, rows: Indices, grown: NDArray[np.int32], resolution: int) -> None:
    """Adds the crossings of N pairs of a face, (N, 3), and a row along x, (N, 2), to ``grown``, (R^3,)."""
    weights, left = np.empty((len(faces), 3)), np.empty((len(faces), 3), dtype=bool)
    for k in range(3):
        start, stop = faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        forward = start < stop
        # Both faces of an edge compute its side from the same end: no row slips between them or meets both.
        a, b = points[np.where(forward, start, stop), 1:], points[np.where(forward, stop, start), 1:]
        side = (b[:, 0] - a[:, 0]) * (rows[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (rows[:, 0] - a[:, 0])
        left[:, k] = (side > 0) == forward
        weights[:, k] = np.where(forward, side, -side)
    hit = np.flatnonzero(left.all(axis=1) | ~left.any(axis=1))
    weights = weights[hit]
    total = weights.sum(axis=1)
    place = np.einsum("nk,nk->n", weights, points[faces[hit], 0]) / np.where(total == 0, 1, total)
    # A face that is exactly on edge adds nothing: its other side is crossed in the same place.
    place = np.where(total == 0, resolution, place)
    cell = (np.floor(place) + 1).clip(0, resolution)
    kept = cell < resolution
    index = (cell[kept].astype(np.int64) * resolution + rows[hit[kept], 0]) * resolution + rows[hit[kept], 1]
    np.add.at(grown, index, np.where(left[hit[kept], 0], -1, 1).astype(np.int32))


def _open_cells(edges: OpenEdges, resolution: int) -> Indices:
    """Cells where the cones over the openings span enough to change what is inside, with shape (N, 3)."""
    size = COARSEST
    steps = np.arange(0, resolution, size)
    lows = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    while size > 1:
        radius = 3**0.5 / 2 * (size - 1) / resolution
        lows = lows[edges.most((lows + size / 2) / resolution - 0.5, radius) > 0.45]
        size //= 2
        lows = (lows[:, None] + _offsets(size)).reshape(-1, 3)
        lows = lows[(lows < resolution).all(axis=1)]
    return lows


def near(surface: Triangles, resolution: int, width: float) -> Band:
    """The cells of a grid over [-0.5, 0.5]^3 whose centres are within ``width`` of a surface, coarse to fine.

    Args:
        surface: from which distances are measured.
        resolution: cells along one side.
        width: in model units.
    """
    size = COARSEST
    steps = np.arange(0, resolution, size)
    lows = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    while size > 1:
        radius = 3**0.5 / 2 * (size - 1) / resolution
        lows = lows[surface.nearest((lows + size / 2) / resolution - 0.5).distance <= radius + width]
        size //= 2
        lows = (lows[:, None] + _offsets(size)).reshape(-1, 3)
        lows = lows[(lows < resolution).all(axis=1)]
    found = surface.nearest((lows + 0.5) / resolution - 0.5)
    kept = found.distance <= width
    return Band(lows[kept], Nearest(found.distance[kept], found.face[kept], found.foot[kept]))


def cell_centres(resolution: int) -> Floats:
    """Centres of the cells of a grid over [-0.5, 0.5]^3, with shape (R^3, 3), in model units."""
    axis = (np.arange(resolution) + 0.5) / resolution - 0.5
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)


def _offsets(step: int) -> Indices:
    """The lowest corners of the eight halves of a block, whose sides are ``step`` long, with shape (8, 3)."""
    axis = np.array([0, step])
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
