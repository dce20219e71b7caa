"""Exact signed distances to the union of a shape's parts, and samples of them for learning.

Outside, the smallest of the parts' distances is the distance to the union. Inside, it is a bound: where parts overlap,
the nearest point of one part's surface may lie within another one. It is the truth nonetheless wherever the ball around
a point that touches the deepest part's surface meets no other part, which the same distances tell; all other points
are measured against the union's mesh, and what its flat faces cut off is added back: there the error is below 1e-3, as
the tests check. Parts whose own distance is only a bound (their docstrings say which) pass that on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .profiles import Array

if TYPE_CHECKING:
    from .shape import Shape

#: Standard deviations of the distances from the surface at which points near it are drawn, in model units.
SPREADS = (0.005, 0.025)
#: The cube in which points are drawn evenly.
HALF = 0.5


@dataclass(frozen=True, eq=False)
class Samples:
    """Points with shape (N, 3) in model units, and their exact signed distances with shape (N,), negative inside."""

    points: NDArray[np.float32]
    distances: NDArray[np.float32]


def samples(shape: Shape, count: int, near: int, seed: int = 0) -> Samples:
    """Signed distances of a shape at random points.

    count: points evenly in the cube [-0.5, 0.5]^3; they come first. near: further points near the surface: half of
    them 0.005 from it on average, half 0.025 (standard deviations of a normal distribution in space, inside the cube).
    seed: 0 or more.
    """
    from .shape import generator

    if count < 0 or near < 0:
        raise ValueError(f"{count} even and {near} near points were asked for; numbers of 0 or more were expected")
    random = generator(f"samples {shape.category}", shape.seed, seed)
    even = random.random((count, 3)) * (2 * HALF) - HALF
    start, _ = shape.surface(near, seed)
    # Sums of uniform numbers, unlike normal ones, are the same with every version of NumPy.
    step = (random.random((near, 3, 12)).sum(-1) - 6) * np.resize(SPREADS, near)[:, None]
    points = np.concatenate([even, np.clip(start + step, -HALF, HALF)]).astype(np.float32)
    return Samples(points, distance(shape, points))


def distance(shape: Shape, points: Array) -> NDArray[np.float32]:
    """Exact signed distances to the union at points (N, 3), with shape (N,), negative inside."""
    x, y, z = np.ascontiguousarray(points.T, dtype=np.float32)
    deepest = np.full(len(points), np.inf, np.float32)
    second = deepest.copy()
    for part in shape.parts:
        value = part.solid.distance(x, y, z)
        second = np.minimum(second, np.maximum(deepest, value))
        deepest = np.minimum(deepest, value)
    unsure = np.flatnonzero((deepest < 0) & (second < -deepest))
    if len(unsure):
        deepest[unsure] = -_depth(shape, points[unsure])
    return deepest


def _depth(shape: Shape, points: Array) -> Array:
    """Distances of points (N, 3) inside a shape to its surface, with shape (N,)."""
    import igl

    mesh = shape.mesh()
    vertices = np.asfortranarray(mesh.vertices, dtype=np.float64)
    faces = np.asfortranarray(mesh.faces, dtype=np.int64)
    queries = np.asfortranarray(points, dtype=np.float64)
    squared, _, nearest = igl.point_mesh_squared_distance(queries, vertices, faces)
    # The faces are chords of the true surface, which is a little beyond them.
    beyond = np.maximum(-shape.sdf(np.asarray(nearest)), 0)
    return np.sqrt(squared) + beyond
