"""A shape as an artist would draw it with at most a hundred vertices: polygons with any number of corners.

What PolyGen (Nash, Ganin, Eslami and Battaglia, 2020) learns. Every part that fits becomes a closed prism with few
sides and few sections along its loft, so chosen that a polygon follows the section, and a chain the part's course,
best. Vertices go where they take away most error, to all equal parts alike. Where a shape has more parts than vertices
allow, rows and rings of equal parts keep every second one, and at last the smallest parts are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .lofts import Loft
from .profiles import Array
from .solids import Mesh, Solid

if TYPE_CHECKING:
    from .shape import Part, Shape

#: Numbers of sides and of sections, the coarsest first.
SIDES = (4, 6, 8, 12, 16)
SECTIONS = (2, 3, 4, 5, 6, 8, 11)
#: Vertices of the coarsest part.
FEWEST = SIDES[0] * SECTIONS[0]
#: The least error, in cubed model units, that a vertex has to take away.
WORTH = 2e-5
#: A polygon in place of a section is grown to the section's area, but its corners move outward no more than this.
GROWTH = 0.008


@dataclass(frozen=True, eq=False)
class LowPoly:
    """A mesh of polygons.

    vertices: with shape (V, 3), in model units, all different; polygons: index arrays, counter-clockwise seen from
    outside, three corners or more; owners: (F,), which part each polygon belongs to.
    """

    vertices: NDArray[np.float32]
    polygons: tuple[NDArray[np.int32], ...]
    owners: NDArray[np.int32]

    def mesh(self) -> Mesh:
        """The polygons cut into triangles; closed, as every part is."""
        faces = [triangle for polygon in self.polygons for triangle in triangulated(self.vertices, polygon)]
        return Mesh(self.vertices, np.array(faces, np.int32))


def lowpoly(shape: Shape, most: int = 100) -> LowPoly:
    """The low-poly mesh of a shape with at most `most` vertices; raises ValueError where that is below 8."""
    if most < FEWEST:
        raise ValueError(f"a mesh of at most {most} vertices was asked for; a box alone has {FEWEST}")
    families = _thinned(_families(shape.parts), shape.parts, most // FEWEST)
    prisms = {family: _Prism(shape.parts[family[0]].solid) for family in families}
    details: dict[tuple[int, ...], tuple[int, int]] = dict.fromkeys(families, (0, 0))
    left = most - FEWEST * sum(len(family) for family in families)
    while True:
        steps = [
            (gain * len(family), family, finer, cost * len(family))
            for family in families
            for gain, finer, cost in prisms[family].steps(details[family])
            if cost * len(family) <= left
        ]
        steps = [step for step in steps if step[0] > WORTH * step[3]]
        if not steps:
            break
        _, family, finer, cost = max(steps, key=lambda step: step[0] / step[3])
        details[family] = finer
        left -= cost
    vertices: list[Array] = []
    polygons: list[NDArray[np.int32]] = []
    owners: list[int] = []
    detail = {i: details[family] for family in families for i in family}
    known = {family[0]: prism for family, prism in prisms.items()}
    for i in sorted(detail):
        prism = known[i] if i in known else _Prism(shape.parts[i].solid)
        rings = prism.rings(detail[i])
        first = sum(len(block) for block in vertices)
        found = _polygons(*rings.shape[:2])
        vertices.append(rings.reshape(-1, 3))
        polygons += [polygon + first for polygon in found]
        owners += [i] * len(found)
    return LowPoly(np.concatenate(vertices).astype(np.float32), tuple(polygons), np.array(owners, np.int32))


def _families(parts: Sequence[Part]) -> list[tuple[int, ...]]:
    """Indices of the parts of equal label, kind and size, together."""
    found: dict[tuple[str, str, bytes], list[int]] = {}
    for i, part in enumerate(parts):
        local = part.solid.rings().reshape(-1, 3) @ part.solid.frame.rotation
        size = np.round(np.sort(np.ptp(local, axis=0)) / 0.004).astype(np.int64)
        found.setdefault((part.label, type(part.solid).__name__, size.tobytes()), []).append(i)
    return [tuple(family) for family in found.values()]


def _thinned(families: list[tuple[int, ...]], parts: Sequence[Part], most: int) -> list[tuple[int, ...]]:
    """At most `most` members in all: half of the longest rows and rings first, then without the smallest parts."""
    boxes = np.array([part.solid.bounds() for part in parts])
    kept = list(families)
    while (count := sum(len(family) for family in kept)) > most:
        halves = [_half(family, boxes.mean(1)) for family in kept]
        # All of one length go at once: together they may be the branches of one tree.
        longest = max((len(family) for family, half in zip(kept, halves, strict=True) if half != family), default=0)
        kept = [half if len(family) == longest else family for family, half in zip(kept, halves, strict=True)]
        if sum(len(family) for family in kept) == count:
            volumes = [float(np.prod(np.ptp(boxes[list(family)], axis=1), axis=1).sum()) for family in kept]
            kept.pop(int(np.argmin(volumes)))
    return kept


def _half(family: tuple[int, ...], centres: Array) -> tuple[int, ...]:
    """Every second member of a ring around the vertical axis, or of a row of five or more; its ends stay."""
    x, y = centres[list(family), :2].T
    order = [family[k] for k in np.argsort(np.arctan2(y, x).round(3), kind="stable")]
    reach = np.hypot(x, y)
    ring = len(family) > 2 and float(np.hypot(x.mean(), y.mean())) < 0.05 and float(np.ptp(reach)) < 0.05
    if ring:
        return tuple(order[::2])
    if len(family) < 5:
        return family
    chosen = np.unique(np.round(np.linspace(0, len(order) - 1, (len(order) + 1) // 2)).astype(int))
    return tuple(order[k] for k in chosen)


class _Prism:
    """The prisms that may stand for a solid."""

    def __init__(self, solid: Solid) -> None:
        self._loft = Loft(solid)
        self._errors: dict[tuple[int, int], float] = {}

    def steps(self, detail: tuple[int, int]) -> list[tuple[float, tuple[int, int], int]]:
        """Prisms finer than `detail` (indices of `SIDES`, `SECTIONS`): error taken away, detail, further vertices."""
        found = []
        sides, sections = detail
        # A step that helps only together with the next one is tried along with it.
        for finer in ((sides + 1, sections), (sides, sections + 1), (sides + 1, sections + 1), (sides, sections + 2)):
            if finer[0] < len(SIDES) and finer[1] < len(SECTIONS):
                cost = SIDES[finer[0]] * SECTIONS[finer[1]] - SIDES[sides] * SECTIONS[sections]
                found.append((self._error(detail) - self._error(finer), finer, cost))
        return found

    def rings(self, detail: tuple[int, int]) -> Array:
        """The sections of a prism, (sections, sides, 3)."""
        return self._loft.sections(SIDES[detail[0]], SECTIONS[detail[1]], GROWTH)

    def _error(self, detail: tuple[int, int]) -> float:
        """How far the surface is from the sides of the prism, integrated over its area."""
        if detail not in self._errors:
            self._errors[detail] = self._loft.deviation(self.rings(detail))
        return self._errors[detail]


def _polygons(levels: int, around: int) -> list[NDArray[np.int32]]:
    """Caps and sides of a prism with so many rings of so many points."""
    index = np.arange(levels * around, dtype=np.int32).reshape(levels, around)
    turned = np.roll(index, -1, axis=1)
    sides = np.stack([index[:-1], turned[:-1], turned[1:], index[1:]], axis=-1).reshape(-1, 4)
    return [index[0, ::-1].copy(), *sides, index[-1].copy()]


def triangulated(vertices: Array, polygon: NDArray[np.integer]) -> list[tuple[int, int, int]]:
    """A simple polygon, nearly plane and convex or not, cut into triangles by clipping its ears."""
    points = vertices[polygon].astype(np.float64)
    normal = np.cross(points, np.roll(points, -1, axis=0)).sum(0)
    axis = np.eye(3)[int(np.argmin(np.abs(normal)))]
    right = np.cross(axis, normal)
    right /= max(float(np.linalg.norm(right)), 1e-20)
    up = np.cross(normal / max(float(np.linalg.norm(normal)), 1e-20), right)
    flat = np.stack([points @ right, points @ up], axis=1)
    left = list(range(len(polygon)))
    found: list[tuple[int, int, int]] = []
    while len(left) > 3:
        ears = [k for k in range(len(left)) if _is_ear(flat, left, k)]
        # Rounding can leave a polygon without an ear; then any corner will do.
        k = ears[0] if ears else 0
        a, b, c = left[k - 1], left[k], left[(k + 1) % len(left)]
        found.append((a, b, c))
        left.pop(k)
    found.append((left[0], left[1], left[2]))
    return [(int(polygon[a]), int(polygon[b]), int(polygon[c])) for a, b, c in found]


def _is_ear(flat: Array, left: list[int], k: int) -> bool:
    a, b, c = flat[left[k - 1]], flat[left[k]], flat[left[(k + 1) % len(left)]]
    if _area(a, b, c) <= 1e-12:
        return False
    others = [flat[i] for j, i in enumerate(left) if j not in (k, (k - 1) % len(left), (k + 1) % len(left))]
    return not any(_area(a, b, p) >= 0 and _area(b, c, p) >= 0 and _area(c, a, p) >= 0 for p in others)


def _area(a: Array, b: Array, c: Array) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) / 2
