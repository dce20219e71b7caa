"""One closed surface of all parts of a shape, by the boolean operations of the library manifold3d.

Every part enters as a loft of only as many of its rings and ring points as keep it within `TOLERANCE` of its true
surface: time grows with the number of faces, and a thousandth of a shape's size is less than its models can see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError
from .profiles import Array
from .solids import Mesh, Solid, loft

if TYPE_CHECKING:
    from .shape import Shape

#: How far the faces of a part may lie from its true surface, in model units.
TOLERANCE = 1e-3


def union(shape: Shape, tolerance: float = TOLERANCE) -> Mesh:
    """The closed, outward-oriented surface of a shape, without what lies inside it.

    tolerance: how far its faces may lie from the true surface, in model units.

    Raises:
        EngineError: the library manifold3d is not installed.
    """
    try:
        import manifold3d
    except ImportError as error:
        raise EngineError(
            "Joining parts into one surface needs the library manifold3d, which this Python does not have.",
            "Install it with: pip install manifold3d",
            details=str(error),
        ) from error
    bodies = []
    for part in shape.parts:
        vertices, faces = loft(coarse(part.solid, tolerance), part.solid.strip)
        given = manifold3d.Mesh(vertices.astype(np.float32), faces.astype(np.uint32))
        bodies.append(manifold3d.Manifold(given))
    joined = manifold3d.Manifold.batch_boolean(bodies, manifold3d.OpType.Add).to_mesh()
    vertices = np.ascontiguousarray(joined.vert_properties[:, :3], dtype=np.float32)
    return Mesh(vertices, joined.tri_verts.astype(np.int32))


def coarse(solid: Solid, tolerance: float) -> Array:
    """Rings (L, K, 3) of a solid, and points of them, as few as will do: their loft is within the tolerance of it."""
    rings, strip = solid.rings(), solid.strip
    around = np.roll(rings, -1, axis=1)
    keep = _needed(np.roll(rings, 1, axis=1), rings, around, tolerance, axis=0)
    if strip:
        keep |= keep[::-1]
    rings = rings[:, keep]
    levels = np.ones(len(rings), bool)
    levels[1:-1] = _needed(rings[:-2], rings[1:-1], rings[2:], tolerance, axis=1)
    return rings[levels]


def _needed(before: Array, here: Array, after: Array, tolerance: float, axis: int) -> NDArray[np.bool_]:
    """Which points of curves have to stay, where the curves lie side by side along `axis` of (A, B, 3).

    A chord over an arc of length l that turns by t leaves it by l t / 8. The square root of that over the tolerance is
    the share of a chord which a point uses up; one stays where the next one would be too much.
    """
    first, second = here - before, after - here
    a, b = np.linalg.norm(first, axis=-1), np.linalg.norm(second, axis=-1)
    cosine = np.einsum("ijk,ijk->ij", first, second) / np.maximum(a * b, 1e-18)
    turn = np.arccos(np.clip(cosine, -1, 1))
    shares = np.sqrt((a + b) / 2 * turn / (8 * tolerance)).max(axis).tolist()
    count = len(shares)
    keep = np.zeros(count, bool)
    used = 0.0
    for i, share in enumerate(shares):
        used += share
        if used + (shares[i + 1] if i + 1 < count else 1.0) > 1:
            keep[i], used = True, 0.0
    keep[[0, count // 3, 2 * count // 3]] = True
    return keep
