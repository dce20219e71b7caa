"""Which side of a face is outside: neighbours agree, membranes inside go, parts that are inside out are turned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .winding import Floats, Indices, Triangles

#: An open part is turned only where its volume is this clear, as a share of its area^(3/2); a ball's is 0.09.
CLEAR_VOLUME = 0.01
#: Meshes of more patches are not searched for membranes.
MOST_PATCHES = 400


def without_doubles(faces: Indices) -> tuple[Indices, Indices, int]:
    """Faces that exist in one orientation, faces that exist in both (one of each pair), and how many were doubles."""
    ordered = np.sort(faces, axis=1)
    limit = int(faces.max()) + 1
    # Keys of three indices do not fit into 64 bits for very large meshes: number the edges first.
    pairs = np.unique(ordered[:, 0] * limit + ordered[:, 1], return_inverse=True)[1]
    _, first, group = np.unique(pairs * limit + ordered[:, 2], return_index=True, return_inverse=True)
    if len(first) == len(faces):
        return faces, faces[:0], 0
    start = faces.argmin(axis=1)[:, None]
    rolled = np.take_along_axis(faces, (start + np.arange(3)) % 3, axis=1)
    forward = rolled[:, 1] < rolled[:, 2]
    sides = np.bincount(group, forward, len(first)), np.bincount(group, ~forward, len(first))
    both = (sides[0] > 0) & (sides[1] > 0)
    return faces[first[~both]], faces[first[both]], len(faces) - len(first)


def oriented(vertices: Floats, faces: Indices) -> tuple[Indices, Indices, int]:
    """Faces that agree with their neighbours, faces without which others close, and how many were turned."""
    if len(faces) == 0:
        return faces, faces, 0
    import igl

    # Patches are joined across edges of two faces; their borders are open, or edges of three faces and more.
    agreed, patch = (np.asarray(array) for array in igl.bfs_orient(faces))
    start = (agreed == faces[:, :1]).argmax(axis=1)
    turned = np.take_along_axis(agreed, ((start + 1) % 3)[:, None], axis=1)[:, 0] != faces[:, 1]
    # The flipped faces of each patch are those with the smaller area.
    areas = Triangles(vertices, faces).areas
    votes = np.bincount(patch, np.where(turned, -areas, areas))
    flip = turned ^ (votes[patch] < 0)
    faces = np.where(flip[:, None], faces[:, ::-1], faces)
    signs = _closing(vertices, faces, patch)[patch]
    flip ^= signs < 0
    faces = np.ascontiguousarray(np.where((signs < 0)[:, None], faces[:, ::-1], faces))
    return faces[signs != 0], faces[signs == 0], int(flip.sum())


def _closing(vertices: Floats, faces: Indices, patch: Indices) -> Indices:
    """Which patches to turn, -1, or to leave out, 0, so that the others are as closed as they can be, with shape (P,).

    A patch may be left out where all its border is on other patches too, as a membrane inside a cushion is: of patches
    that close the rest as well, the one goes without which the largest volume remains.
    """
    signs = np.ones(int(patch.max()) + 1, dtype=np.int64)
    starts, ends = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    low, high = np.minimum(starts, ends), np.maximum(starts, ends)
    keys, edge = np.unique(low * len(vertices) + high, return_inverse=True)
    ways = np.where(starts < ends, 1, -1)
    count = np.bincount(edge)
    shared = (count > 2) | ((count == 2) & (np.bincount(edge, ways) != 0))
    if not shared.any() or len(signs) == 1:
        return signs
    owner = np.repeat(patch, 3)
    lengths = np.linalg.norm(vertices[keys % len(vertices)] - vertices[keys // len(vertices)], axis=1)
    border = coo_array((ways, (edge, owner)), shape=(len(keys), len(signs))).tocsc()
    a, b, c = (vertices[faces[:, k]] - vertices.mean(axis=0) for k in range(3))
    volumes = np.bincount(patch, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6)
    columns = [border[:, [p]].tocoo() for p in range(len(signs))] if len(signs) <= MOST_PATCHES else []
    total, least = border @ signs, 1e-6 * float(np.ptp(vertices, axis=0).max())
    for _ in range(2 * len(columns)):
        best = (0.0, 0.0, -1, 0)
        for p, column in enumerate(columns):
            at, value = column.coords[0][column.data != 0], column.data[column.data != 0]
            if not len(at) or signs[p] == 0:
                continue
            before = lengths[at] @ np.abs(total[at])
            for sign in (-signs[p], 0):
                if sign == 0 and not (count[at] > 2).all():
                    continue
                gain = before - lengths[at] @ np.abs(total[at] + (sign - signs[p]) * value)
                left = abs(signs @ volumes + (sign - signs[p]) * volumes[p])
                if gain > least and (round(gain, 9), left) > (round(best[0], 9), best[1]):
                    best = (gain, left, p, sign)
        if best[2] < 0:
            break
        total = total + (best[3] - signs[best[2]]) * border[:, [best[2]]].toarray()[:, 0]
        signs[best[2]] = best[3]
    return signs


def parts(faces: Indices) -> Indices:
    """Which connected part each face belongs to, with shape (F,)."""
    rows, columns = faces.ravel(), np.roll(faces, 1, axis=1).ravel()
    size = int(faces.max()) + 1
    links = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(size, size))
    labels = connected_components(links, directed=False)[1]
    return np.unique(labels[faces[:, 0]], return_inverse=True)[1]


def closed_parts(vertices: Floats, faces: Indices) -> tuple[Indices, Indices]:
    """Of faces that have no orientation: those of parts that enclose a volume, facing out, and all others."""
    if len(faces) == 0:
        return faces, faces
    faces = np.concatenate(oriented(vertices, faces)[:2])
    part = parts(faces)
    open_part = open_parts(vertices, faces, part)
    volume = _volumes(vertices, faces, part)
    faces = np.where((volume[part] < 0)[:, None], faces[:, ::-1], faces)
    leaf = open_part[part]
    return faces[~leaf], faces[leaf]


def open_parts(vertices: Floats, faces: Indices, part: Indices) -> NDArray[np.bool_]:
    """Which parts have open edges, with shape (P,)."""
    lone = Triangles(vertices, faces).open_edges.edges
    of_vertex = np.zeros(len(vertices), dtype=np.int64)
    of_vertex[faces] = part[:, None]
    result = np.zeros(int(part.max()) + 1, dtype=bool)
    result[of_vertex[lone[:, 0]]] = True
    return result


def _volumes(vertices: Floats, faces: Indices, part: Indices) -> Floats:
    """Signed volume of each part, its openings closed towards the middle of its area, with shape (P,)."""
    corners = vertices[faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    count = int(part.max()) + 1
    total = np.bincount(part, areas, count)
    middle = (
        np.stack([np.bincount(part, areas * corners[:, :, k].mean(1), count) for k in range(3)], 1) / total[:, None]
    )
    a, b, c = (corners[:, k] - middle[part] for k in range(3))
    return np.bincount(part, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6, count).astype(np.float64)


def outward(vertices: Floats, walls: Indices, step: float) -> tuple[Indices, int]:
    """Turns the parts that are inside out, and says how many; those that line a hollow of other parts stay."""
    if len(walls) == 0:
        return walls, 0
    part = parts(walls)
    volume = _volumes(vertices, walls, part)
    area = np.bincount(part, Triangles(vertices, walls).areas)
    closed = ~open_parts(vertices, walls, part)
    clear = np.abs(volume) > np.where(closed, 1e-12, CLEAR_VOLUME) * area**1.5
    whole = volume[clear].sum() < 0
    if whole:
        walls, volume = np.ascontiguousarray(walls[:, ::-1]), -volume
    negative = np.flatnonzero(clear & (volume < 0))
    if len(negative):
        rest = Triangles(vertices, walls[~np.isin(part, negative)])
        mine = Triangles(vertices, walls[np.isin(part, negative)])
        points = vertices[mine.faces].mean(axis=1)
        # A lining has its solid in front of it as it stands, that is in the hollow's direction behind it.
        lining = rest.winding(points - step * mine.normals) > 0.5
        owner = part[np.isin(part, negative)]
        share = np.bincount(owner, mine.areas * lining, len(volume)) / np.maximum(area, 1e-300)
        negative = negative[share[negative] < 0.5]
        turn = np.isin(part, negative)
        walls = np.where(turn[:, None], walls[:, ::-1], walls)
    return np.ascontiguousarray(walls), int(whole) or len(negative)
