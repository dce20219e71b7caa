"""Bodies of revolution: vases, bottles, mugs, lampshades, fuselages, wheels; full or hollow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .paths import bends, clearance, fan, fan_size, filleted, mitre, normals, squared_distance
from .profiles import Array
from .solids import Frame, Solid, turned_rings

#: Inner corners that bend more become arcs, in radians.
_BEND = 0.35


@dataclass(frozen=True, eq=False)
class Revolved(Solid):
    """A plane region turned about the local z axis and grown by an edge radius.

    path: (N, 2) radii and heights, from the axis outward and round the region counter-clockwise back to the axis (both
    ends have radius 0; a hollow vessel ends on the floor of its bowl). edge: edge radius, 0 or more.

    The distance is exact, but for points inside behind an inner corner, where it is short by at most
    `edge * (1 / cos(bend / 2) - 1)`: with the fillets of this module less than 2 % of the edge radius.
    Raises ValueError for a path that does not begin and end on the axis.
    """

    path: Array
    edge: float

    def __post_init__(self) -> None:
        if self.path.ndim != 2 or len(self.path) < 3 or self.path[0, 0] != 0 or self.path[-1, 0] != 0:
            raise ValueError(f"the path has shape {self.path.shape}; expected 3 points or more from axis to axis")

    @property
    def thickness(self) -> float:
        return self._thickness

    @cached_property
    def _thickness(self) -> float:
        """Extent in the thinnest direction: the smallest chord across the region from the middle of a segment.

        Chords that only cut off a corner, short beside the way along the outline between their ends, do not count, and
        nothing is thicker than it is wide or tall.
        """
        middles, inward = (self.path[:-1] + self.path[1:]) / 2, -normals(self.path)
        walls = np.concatenate([np.stack([p[:-1], p[1:]], 1) for p in (self.path, self.path * [-1, 1])])
        lengths = np.linalg.norm(np.diff(self.path, axis=0), axis=1)
        begin, whole = np.cumsum(lengths) - lengths, 2 * lengths.sum()
        start, along = walls[:, 0], walls[:, 1] - walls[:, 0]
        offset = start[None] - middles[:, None]
        cross = inward[:, None, 0] * along[None, :, 1] - inward[:, None, 1] * along[None, :, 0]
        safe = np.where(np.abs(cross) < 1e-12, np.inf, cross)
        reach = (offset[..., 0] * along[None, :, 1] - offset[..., 1] * along[None, :, 0]) / safe
        place = (offset[..., 0] * inward[:, None, 1] - offset[..., 1] * inward[:, None, 0]) / safe
        met = np.concatenate(
            [begin + place[:, : len(lengths)] * lengths, whole - begin - place[:, len(lengths) :] * lengths], 1
        )
        apart = np.abs((begin + lengths / 2)[:, None] - met)
        apart = np.minimum(apart, whole - apart)
        hit = (reach > 1e-6) & (place >= 0) & (place <= 1) & np.isfinite(safe) & (apart > 3 * reach)
        chords = np.where(hit, reach, np.inf).min(1)
        most = min(2 * self.path[:, 0].max(), np.ptp(self.path[:, 1]))
        return 2 * self.edge + float(min(chords.min(), most))

    def _plane(self, across: Array, z: Array) -> Array:
        """Signed distance to the region at broadcastable radii and heights."""
        inside = np.zeros(np.broadcast_shapes(np.shape(across), np.shape(z)), bool)
        for (ra, za), (rb, zb) in zip(self.path[:-1].tolist(), self.path[1:].tolist(), strict=True):
            if za != zb:
                crossing = ra + (z - za) * ((rb - ra) / (zb - za))
                inside ^= across < np.where((z >= za) != (z >= zb), crossing, -1)
        distance = np.sqrt(squared_distance(across, z, self.path))
        return np.where(inside, -distance, distance)

    def _distance(self, x: Array, y: Array, z: Array) -> Array:
        across = np.hypot(x, y)
        whole = np.broadcast_shapes(across.shape, z.shape)
        if across.size * z.size == math.prod(whole) and across.size > 64:
            # On a grid many columns are equally far from the axis.
            radii, which = np.unique(across, return_inverse=True)
            table = self._plane(radii[:, None], z.reshape(1, -1))
            columns = np.arange(z.size).reshape(z.shape)
            return table[which.reshape(across.shape), columns] - np.float32(self.edge)
        return self._plane(across, z) - np.float32(self.edge)

    def _core(self) -> tuple[Array, float]:
        points = []
        for axis in self.frame.rotation:
            flat = axis[:2] / max(float(np.hypot(axis[0], axis[1])), 1e-12)
            points += [np.c_[side * self.path[:, :1] * flat, self.path[:, 1:]] for side in (-1, 1)]
        return np.concatenate(points), self.edge

    def _outline(self) -> Array:
        """Radii and heights (L, 2) of the surface, corners as arcs."""
        flip = np.array([-1.0, 1.0])
        inner = normals(self.path)
        outward = np.concatenate([[inner[0] * flip], inner, [inner[-1] * flip]])
        turns = bends(outward[:-1], outward[1:])
        points = []
        last = len(self.path) - 1
        for k, (corner, turn) in enumerate(zip(self.path, turns, strict=True)):
            before, after, bend = outward[k], outward[k + 1], float(turn)
            if bend < 0 or self.edge == 0:
                points.append(corner + self.edge * mitre(before, after))
                continue
            # At the axis half of the round cap is drawn.
            if k == 0:
                before, bend = np.array([0.0, -1.0]), bend / 2
            elif k == last:
                bend /= 2
            count = fan_size(bend)
            count = max(count, 2) if k in (0, last) and bend > 1e-6 else count
            points += [corner + self.edge * way for way in fan(before, after, bend, count)]
        return np.array(points)

    def _rings(self) -> Array:
        return turned_rings(self._outline(), 48)

    def _scaled(self, factor: float) -> Revolved:
        return Revolved(self.frame, self.path * factor, self.edge * factor)


def turned(
    frame: Frame, silhouette: Sequence[tuple[float, float]] | Array, edge: float, fillet: float = 0.0
) -> Revolved:
    """A full body with this outer silhouette, (N, 2) radii and heights from the lower axis to the upper one.

    edge: radius of its outer corners; fillet: of its inner ones. Ends that are not on the axis get flat caps.
    """
    path = np.asarray(silhouette, float)
    first = path[:1] * [0, 1] if path[0, 0] > 1e-9 else path[:0]
    last = path[-1:] * [0, 1] if path[-1, 0] > 1e-9 else path[:0]
    path = np.concatenate([first, path, last])
    return Revolved(frame, _inset(_inner_corners(path, fillet), edge), edge)


def vessel(frame: Frame, wall: Array, thickness: float, floor: float, edge: float, fillet: float = 0.02) -> Revolved:
    """An open bowl, cup or bottle of constant wall thickness.

    wall: (N, 2) radii and heights of its outside from the foot to the rim; thickness: of the wall; floor: height of the
    floor of the bowl above the foot; edge: radius of its rim and foot; fillet: of the corner of its floor.
    """
    outside = np.asarray(wall, float)
    level, top = outside[0, 1] + floor, outside[-1, 1]
    run = np.diff(outside[:, 1])
    steps = [
        a + d * np.arange(n) / n
        for a, d, n in zip(outside[:, 1], run, 1 + np.abs(run) // (0.5 * thickness), strict=False)
    ]
    levels = np.concatenate(steps)
    levels = np.append(levels[levels > level + 0.004], top)[::-1]
    bore = _bore(outside, thickness, levels)
    closed = np.flatnonzero(bore < 0.012)
    if len(closed):
        # Below a waist that the walls fill, there is no bowl.
        count = max(int(closed[0]), 2)
        level, levels, bore = levels[count - 1], levels[:count], np.maximum(bore[:count], 0.012)
    corner = float(min(bore[-1], max(_bore(outside, thickness, np.array([level]))[0], 0.012)))
    bowl = np.stack([np.append(bore, [corner, 0.0]), np.append(levels, [level, level])], 1)
    bowl = bowl[np.append(True, np.linalg.norm(np.diff(bowl, axis=0), axis=1) > 1e-4)]
    path = np.concatenate([[[0.0, outside[0, 1]]], outside, _inner_corners(bowl, fillet)])
    return Revolved(frame, _inset(path, edge), edge)


def _inner_corners(path: Array, radius: float) -> Array:
    """The path with arcs in place of the corners that turn right."""
    if radius <= 0:
        return path
    ways = normals(path)
    turns = np.insert(bends(ways[:-1], ways[1:]), 0, 0.0)
    result, first = [], 0
    for k in np.flatnonzero(turns < -_BEND).tolist():
        result += [path[first:k], filleted(path[k - 1 : k + 2], radius, _BEND)[1:-1]]
        first = k + 1
    return np.concatenate([*result, path[first:]])


def _bore(outside: Array, thickness: float, levels: Array) -> Array:
    """The largest radii at some heights (L,) that keep this distance from the outside of a wall (N, 2)."""
    steps = np.linspace(0, 1, 9)[:-1, None, None]
    dense = (outside[:-1] + steps * np.diff(outside, axis=0)).reshape(-1, 2)
    dense = np.concatenate([dense, outside[-1:]])
    rise = levels[:, None] - dense[:, 1]
    reach = np.sqrt(np.maximum(thickness**2 - rise**2, 0))
    return np.where(np.abs(rise) < thickness, dense[:, 0] - reach, np.inf).min(1)


def _inset(path: Array, edge: float) -> Array:
    """The path of the core whose growth by `edge` has this path as its outline; ends stay on the axis."""
    flip = np.array([-1.0, 1.0])
    ways = normals(path)
    outward = np.concatenate([[ways[0] * flip], ways, [ways[-1] * flip]])
    core = path - edge * mitre(outward[:-1], outward[1:])
    core[:, 0] = np.maximum(core[:, 0], 0)
    core[0, 0] = core[-1, 0] = 0
    # Beside a sharp corner the cores of short segments lie outside it.
    keep = clearance(core, path) > 0.998 * edge
    keep[[0, -1]] = True
    return core[keep]
