"""Open surfaces as closed solids, whose triangles stay as they are, by the library manifold3d.

Openings whose edges lie in one plane are closed in it, with the holes that belong into them; others by a cone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError
from .winding import Floats, Indices, Triangles

#: An opening whose corners are so near to a plane is flat, in model units.
FLAT = 1e-4


@dataclass(frozen=True)
class Closed:
    """A closed surface.

    Args:
        vertices: with shape (V, 3).
        faces: with shape (F, 3).
        caps: with shape (F,): which faces close openings.
    """

    vertices: Floats
    faces: Indices
    caps: NDArray[np.bool_]


def library() -> Any:
    """The module manifold3d.

    Raises:
        EngineError: it is not installed.
    """
    try:
        import manifold3d
    except ImportError as error:
        raise EngineError(
            "Keeping a part exactly needs the library manifold3d, which this Python does not have.",
            "Install it with: pip install manifold3d. Or turn Keep Exact off.",
            details=str(error),
        ) from error
    return manifold3d


def close(vertices: Floats, faces: Indices) -> Closed:
    """A surface with its openings closed; where it is closed already, itself.

    Args:
        vertices: with shape (V, 3), in model units, each place once.
        faces: with shape (F, 3), counter-clockwise seen from outside.
    """
    edges = Triangles(vertices, faces).open_edges.edges
    points, caps = [vertices], [np.zeros((0, 3), dtype=np.int64)]
    count = len(vertices)
    flat: list[Indices] = []
    for loop in _loops(edges[:, ::-1]):
        if len(loop) > 2 and _off_plane(vertices[loop]) < FLAT:
            flat.append(loop)
            continue
        caps.append(np.stack([loop, np.roll(loop, -1), np.full(len(loop), count)], axis=1))
        points.append(vertices[loop].mean(axis=0, keepdims=True))
        count += 1
    for together in _in_planes(vertices, flat):
        caps.append(_triangulated(vertices, together))
    closing = np.concatenate(caps)
    marks = np.concatenate([np.zeros(len(faces), dtype=bool), np.ones(len(closing), dtype=bool)])
    return Closed(np.concatenate(points), np.concatenate([faces, closing]), marks)


def body(vertices: NDArray, faces: NDArray) -> Any:
    """A closed surface as a Manifold whose triangles no operation merges; None where it encloses nothing."""
    manifold3d = library()
    # With a number for each face, coplanar neighbours are not made one.
    numbers = np.arange(len(faces), dtype=np.uint32)
    mesh = manifold3d.Mesh(
        np.ascontiguousarray(vertices, dtype=np.float32), np.ascontiguousarray(faces, dtype=np.uint32), face_id=numbers
    )
    made = manifold3d.Manifold(mesh)
    return made if made.status() == manifold3d.Error.NoError and made.volume() > 0 else None


def pieces(solid: Any) -> list[Any]:
    """The parts of a Manifold that may overlap one another; itself where some of them are hollows of others."""
    parts = solid.decompose()
    return parts if all(part.volume() > 0 for part in parts) else [solid]


def _loops(edges: Indices) -> list[Indices]:
    """Edges (E, 2) in their direction, as rings of vertices; where rings meet in a corner they are cut there."""
    onward: dict[int, list[int]] = {}
    for start, end in edges.tolist():
        onward.setdefault(start, []).append(end)
    found = []
    for first in list(onward):
        while onward.get(first):
            ring, here = [], first
            seen: dict[int, int] = {}
            while onward.get(here):
                if here in seen:
                    found.append(np.array(ring[seen[here] :], dtype=np.int64))
                    for vertex in ring[seen[here] :]:
                        del seen[vertex]
                    del ring[len(seen) :]
                seen[here] = len(ring)
                ring.append(here)
                here = onward[here].pop()
            if here in seen:
                found.append(np.array(ring[seen[here] :], dtype=np.int64))
    return [ring for ring in found if len(ring) > 1]


def _area(points: Floats) -> Floats:
    """The area of a ring of points (N, 3), as a vector along its normal."""
    centred = points - points.mean(axis=0)
    return np.cross(centred, np.roll(centred, -1, axis=0)).sum(axis=0) / 2


def _off_plane(points: Floats) -> float:
    """How far points (N, 3) are from a plane, at most."""
    centred = points - points.mean(axis=0)
    normal = np.linalg.svd(centred, full_matrices=False)[2][-1]
    return float(np.abs(centred @ normal).max())


def _in_planes(vertices: Floats, rings: Sequence[Indices]) -> list[list[Indices]]:
    """Flat rings, each that bounds a face of its own with the ones that are holes of it."""
    areas = [_area(vertices[ring]) for ring in rings]
    order = sorted(range(len(rings)), key=lambda i: -float(np.linalg.norm(areas[i])))
    outer: list[int] = []
    groups: dict[int, list[Indices]] = {}
    for i in order:
        place = vertices[rings[i][0]]
        for j in reversed(outer):
            normal = areas[j] / np.linalg.norm(areas[j])
            facing = float(areas[i] @ normal) / max(float(np.linalg.norm(areas[i])), 1e-20)
            level = abs(float((place - vertices[rings[j][0]]) @ normal)) < FLAT
            if facing < -0.999 and level and _within(place, vertices[rings[j]], normal):
                groups[j].append(rings[i])
                break
        else:
            outer.append(i)
            groups[i] = [rings[i]]
    return list(groups.values())


def _basis(normal: Floats) -> Floats:
    """Two unit vectors, with shape (2, 3), that are a right-handed frame with a normal."""
    first = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(normal, first)])


def _within(point: Floats, ring: Floats, normal: Floats) -> bool:
    """Whether a point (3,) lies in a flat ring (N, 3), seen along the normal."""
    basis = _basis(normal)
    x, y = basis @ point
    u, v = basis @ ring.T
    after_u, after_v = np.roll(u, -1), np.roll(v, -1)
    crossed = (v > y) != (after_v > y)
    rise = np.where(crossed, after_v - v, 1.0)
    return bool((crossed & (x < u + (y - v) * (after_u - u) / rise)).sum() % 2)


def _triangulated(vertices: Floats, rings: Sequence[Indices]) -> Indices:
    """Triangles (T, 3) of a flat face: its rim runs counter-clockwise, its holes clockwise."""
    normal = _area(vertices[rings[0]])
    basis = _basis(normal / np.linalg.norm(normal))
    found = library().triangulate([np.ascontiguousarray(vertices[ring] @ basis.T) for ring in rings])
    return np.concatenate(rings)[np.asarray(found, dtype=np.int64).reshape(-1, 3)]
