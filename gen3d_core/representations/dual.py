"""Quads from a sampled field: dual marching cubes, whose surface is closed and manifold whatever the field.

S. F. F. Gibson, Constrained Elastic Surface Nets, 1998; G. M. Nielson, Dual Marching Cubes, 2004. Each grid edge that
the surface crosses becomes a quad between the four cells around it. In each of these the crossed edges form loops, as
marching cubes would draw them, and each loop has one vertex, at the mean of its crossings: so two sheets in one cell
stay two. On a face of a cell with its corners inside and outside in turn, which of them are joined is ambiguous; the
bilinear saddle decides, for both cells alike.

One thing is left that would not be manifold: where one loop runs over such a face twice, on both of its sides, the same
two vertices are joined by two edges in one place. The face is decided the other way there, which splits both loops.
Each such turn makes loops more, so it ends, and then every edge has two quads and every vertex one ring of them.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Corners of a square in turn, as steps along its two axes.
SQUARE = ((0, 0), (1, 0), (1, 1), (0, 1))
#: Rounds in which vertices even out their distances, along the surface.
ROUNDS = 3


def quads(field: NDArray[np.float32], rounds: int = ROUNDS) -> tuple[Floats, Ints]:
    """The surface where a field changes its sign.

    Args:
        field: with shape (N, N, N), nowhere 0, negative inside, and positive on the border of the grid.
        rounds: see :data:`ROUNDS`; a vertex never leaves its cell.

    Returns:
        Vertices with shape (V, 3), in samples along each axis, and quads with shape (Q, 4), counter-clockwise seen from
        outside; the diagonal from a quad's first corner is the shorter one.
    """
    size, values = len(field), field.reshape(-1)
    strides = np.array([size * size, size, 1])
    edges = [_crossed(field < 0, axis) for axis in range(3)]
    counts = [len(one) for one in edges]
    start = np.concatenate(edges)
    axis = np.repeat(np.arange(3), counts)
    # Of the cells around an edge along one axis, counter-clockwise seen from its far end, that at step (u, v) begins
    # u and v samples before the edge, along the two axes that follow.
    beside = np.stack([start - u * strides[axis - 2] - v * strides[axis - 1] for u, v in SQUARE], axis=1)
    cells, rows = np.unique(beside, return_inverse=True)
    rows = rows.reshape(beside.shape)
    loops = _loops_of(values, cells, strides)
    first = np.cumsum([0, *(loops.max(axis=1) + 1)])
    local = 4 * axis[:, None] + np.array([u + 2 * v for u, v in SQUARE])
    corners = first[rows] + loops[rows, local]

    low, high = values[start].astype(np.float64), values[start + strides[axis]].astype(np.float64)
    crossing = np.stack(np.unravel_index(start, field.shape), axis=1).astype(np.float64)
    crossing[np.arange(len(start)), axis] += low / (low - high)
    around = _links(corners, np.repeat(np.arange(len(corners)), 4), len(corners))
    vertices = (around @ crossing) / around.sum(axis=1)[:, None]
    corners = np.where((low < 0)[:, None], corners, corners[:, ::-1])
    origin = np.stack(np.unravel_index(np.repeat(cells, np.diff(first)), field.shape), axis=1)
    vertices = evened(vertices, corners, rounds, origin)
    a, b, c, d = (vertices[corners[:, k]] for k in range(4))
    turned = ((d - b) ** 2).sum(1) < ((c - a) ** 2).sum(1)
    return vertices, np.where(turned[:, None], np.roll(corners, -1, axis=1), corners)


def crossings(inside: NDArray[np.bool_]) -> int:
    """How many quads the surface around some samples (N, N, N) has."""
    return sum(int(np.count_nonzero(np.diff(inside, axis=axis))) for axis in range(3))


def evened(vertices: Floats, corners: Ints, rounds: int = 1, origin: Ints | None = None) -> Floats:
    """Vertices half of the way to the mean of their neighbours, along the surface only: it does not shrink.

    Args:
        vertices: with shape (V, 3), each of them in use.
        corners: the quads of a closed surface, with shape (Q, 4).
        rounds: how often.
        origin: of the cell of size 1 that each vertex stays in, with shape (V, 3); None for no such bounds.
    """
    around = _links(corners, np.repeat(np.arange(len(corners)), 4), len(corners))
    # On a closed surface each neighbour follows a vertex in exactly one quad.
    beside = _links(corners, np.roll(corners, -1, axis=1).reshape(-1), len(vertices))
    valence = around.sum(axis=1)[:, None]
    for _ in range(rounds):
        move = (beside @ vertices) / valence - vertices
        a, b, c, d = (vertices[corners[:, k]] for k in range(4))
        normal = around @ np.cross(c - a, d - b)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-12)
        vertices = vertices + 0.5 * (move - normal * np.einsum("vk,vk->v", move, normal)[:, None])
        if origin is not None:
            vertices = vertices.clip(origin, origin + 1)
    return vertices


def _links(corners: Ints, others: Ints, count: int) -> csr_array:
    """From the vertices at the corners (Q, 4) of quads to one other thing for each corner (4Q,), of ``count``."""
    flat = corners.reshape(-1)
    return csr_array((np.ones(len(flat)), (flat, others)), shape=(int(flat.max()) + 1, count))


def _crossed(inside: NDArray[np.bool_], axis: int) -> Ints:
    """The samples after which a surface is crossed along an axis, by their place in the flat grid."""
    changes = np.zeros(inside.shape, dtype=bool)
    near = [slice(None)] * 3
    near[axis] = slice(0, -1)
    changes[tuple(near)] = np.diff(inside, axis=axis)
    return np.flatnonzero(changes)


def _loops_of(values: NDArray[np.float32], cells: Ints, strides: Ints) -> NDArray[np.int8]:
    """Which loop each crossed edge of each cell belongs to, with shape (C, 12), -1 where an edge is not crossed.

    Edge ``4 a + u + 2 v`` of a cell runs along axis a, at (u, v) of the two axes that follow.
    """
    at = values[cells[:, None] + np.array([_place(corner, strides) for corner in range(8)])]
    code = ((at < 0) @ (1 << np.arange(8))).astype(np.int64)
    ambiguous, joined = np.zeros((2, len(cells), 6), dtype=bool)
    for face, corners in enumerate(FACES):
        one, two = (at[:, corners[k]] * at[:, corners[k + 2]] for k in range(2))
        signs = at[:, corners] < 0
        ambiguous[:, face] = (signs[:, 0] == signs[:, 2]) & (signs[:, 1] == signs[:, 3]) & (signs[:, 0] != signs[:, 1])
        joined[:, face] = ambiguous[:, face] & np.where(signs[:, 0], one > two, two > one)
    pairs = _shared(cells, ambiguous, strides)
    while True:
        keys, inverse = np.unique(code + 256 * (joined @ (1 << np.arange(6))), return_inverse=True)
        loops = np.array([_loops(int(key) % 256, int(key) // 256) for key in keys], dtype=np.int8)[inverse.reshape(-1)]
        below, above, axis = pairs
        met = _same(loops[below], 2 * axis + 1) & _same(loops[above], 2 * axis)
        if not met.any():
            return loops
        below, above, axis = below[met], above[met], axis[met]
        # One face of a cell at a time: two turned at once could join again what each of them splits.
        number, least = np.arange(len(below)), np.full(len(cells), len(below))
        for side in (below, above):
            np.minimum.at(least, side, number)
        chosen = (least[below] == number) & (least[above] == number)
        joined[below[chosen], 2 * axis[chosen] + 1] ^= True
        joined[above[chosen], 2 * axis[chosen]] ^= True


def _shared(cells: Ints, ambiguous: NDArray[np.bool_], strides: Ints) -> tuple[Ints, Ints, Ints]:
    """The ambiguous faces: the rows of the cells on both sides of each, and the axis across it."""
    below, axis = np.nonzero(ambiguous[:, 1::2])
    return below, np.searchsorted(cells, cells[below] + strides[axis]), axis


def _same(loops: NDArray[np.int8], face: Ints) -> NDArray[np.bool_]:
    """Whether all four edges of a face of each cell belong to one loop."""
    found = np.take_along_axis(loops, FACE_EDGES[face], axis=1)
    return (found == found[:, :1]).all(axis=1)


def _place(corner: int, strides: Ints) -> int:
    return sum(int(strides[axis]) for axis in range(3) if corner >> axis & 1)


def _corners(axis: int, side: int) -> list[int]:
    """The corners of a face of a cell, in turn; bit k of a corner is its step along axis k."""
    u, v = (axis + 1) % 3, (axis + 2) % 3
    return [(side << axis) + (i << u) + (j << v) for i, j in SQUARE]


def _edge(one: int, two: int) -> int:
    """The number of a cell's edge between two corners."""
    axis, low = (one ^ two).bit_length() - 1, min(one, two)
    return 4 * axis + (low >> (axis + 1) % 3 & 1) + 2 * (low >> (axis + 2) % 3 & 1)


#: Faces ``2 axis + side`` of a cell: corners in turn, and the edges from each of these to the next.
FACES = [_corners(axis, side) for axis in range(3) for side in range(2)]
FACE_EDGES = np.array([[_edge(face[k], face[(k + 1) % 4]) for k in range(4)] for face in FACES])


@cache
def _loops(code: int, joined: int) -> tuple[int, ...]:
    """The loop of each of the 12 edges of a cell, -1 for none.

    Args:
        code: bit k says whether corner k is inside.
        joined: bit k says whether the inside corners of face k, where it is ambiguous, are joined.
    """
    links: dict[int, list[int]] = {}
    for face, (corners, edges) in enumerate(zip(FACES, FACE_EDGES.tolist(), strict=True)):
        inside = [code >> corner & 1 for corner in corners]
        crossed = [edge for k, edge in enumerate(edges) if inside[k] != inside[(k + 1) % 4]]
        if len(crossed) == 4:
            # Each corner of the kind that is not joined is cut off, by the edge before it and the one after it.
            alone = 0 if joined >> face & 1 else 1
            segments = [(edges[k - 1], edges[k]) for k in range(4) if inside[k] == alone]
        else:
            segments = [(crossed[0], crossed[1])] if crossed else []
        for one, two in segments:
            links.setdefault(one, []).append(two)
            links.setdefault(two, []).append(one)
    found, count = [-1] * 12, 0
    for begin in links:
        if found[begin] >= 0:
            continue
        waiting = [begin]
        while waiting:
            edge = waiting.pop()
            if found[edge] < 0:
                found[edge] = count
                waiting += links[edge]
        count += 1
    return tuple(found)
