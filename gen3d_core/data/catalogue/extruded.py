"""Plates and bodies whose outline lies between two chains: wings, fins, car bodies, cabins, handles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

import numpy as np

from .paths import bends, fan, fan_size, mitre, normals, squared_distance
from .profiles import Array
from .solids import Frame, Solid, latitudes


@dataclass(frozen=True, eq=False)
class Extruded(Solid):
    """A plane outline with a thickness along local z, grown by an edge radius.

    stations: (S, 4) rows of x, low y, high y and half thickness; x grows strictly, the outline runs along all low and
    back along all high points, and the thickness changes evenly between stations. edge: edge radius, above 0.

    The distance is exact, but for points inside behind an inner corner, where it is short by at most
    `edge * (1 / cos(bend / 2) - 1)`. Raises ValueError for stations out of order.
    """

    stations: Array
    edge: float

    #: The mirror image in its own middle plane is the solid itself.
    _symmetry: ClassVar[tuple[float, float, float]] = (1.0, 1.0, -1.0)

    def __post_init__(self) -> None:
        x, low, high, half = self.stations.T
        if len(x) < 2 or np.any(np.diff(x) <= 0) or np.any(low > high) or np.any(half < 0) or self.edge <= 0:
            raise ValueError("the stations must have growing x, low <= high, half >= 0, and the edge must be above 0")

    @property
    def strip(self) -> bool:
        return True

    @property
    def thickness(self) -> float:
        return self._thickness

    @cached_property
    def _thickness(self) -> float:
        """Extent in the thinnest direction, measured at the stations."""
        x, low, high, half = self.stations.T
        lean = np.arctan(np.gradient((low + high) / 2, x))
        return 2 * self.edge + float(np.minimum(2 * half, (high - low) * np.cos(lean)).min())

    @property
    def _prism(self) -> bool:
        return bool(np.ptp(self.stations[:, 3]) < 1e-9)

    @cached_property
    def _path(self) -> Array:
        """The closed outline of the core (2 S + 1, 2), counter-clockwise from the last station's low point."""
        x, low, high, _ = self.stations.T
        path = np.concatenate([np.stack([x, high], 1)[::-1], np.stack([x, low], 1)])
        return np.concatenate([path, path[:1]])

    def _distance(self, x: Array, y: Array, z: Array) -> Array:
        places, low, high, half = self.stations.T
        within = (y > np.interp(x, places, low)) & (y < np.interp(x, places, high))
        within = within & (x > places[0]) & (x < places[-1])
        z = np.abs(z)
        if self._prism:
            flat = np.sqrt(squared_distance(x, y, self._path))
            flat = np.where(within, -flat, flat)
            above = z - np.float32(half[0])
            outside = np.sqrt(np.maximum(flat, 0) ** 2 + np.maximum(above, 0) ** 2)
            return np.minimum(np.maximum(flat, above), 0) + outside - np.float32(self.edge)
        inside = within & (z < np.interp(x, places, half).astype(np.float32))
        distance = np.sqrt(np.minimum(self._walls(x, y, z), self._faces(x, y, z)))
        return np.where(inside, -distance, distance) - np.float32(self.edge)

    def _walls(self, x: Array, y: Array, z: Array) -> Array:
        """Squared distance to the walls of the core: trapezoids along the segments of the outline; z is not negative.

        Above its wall a point is nearest to the upper edge, otherwise to a point of the same height.
        """
        best = np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), np.inf, np.float32)
        path, tall = self._path.tolist(), self.stations[:, 3]
        heights = np.concatenate([tall[::-1], tall, tall[-1:]]).tolist()
        for (ax, ay), (bx, by), first, last in zip(path[:-1], path[1:], heights[:-1], heights[1:], strict=True):
            length = math.hypot(bx - ax, by - ay)
            if length < 1e-9:
                continue
            u, v = np.float32((bx - ax) / length), np.float32((by - ay) / length)
            along = (x - np.float32(ax)) * u + (y - np.float32(ay)) * v
            across = (y - np.float32(ay)) * u - (x - np.float32(ax)) * v
            slope = np.float32((last - first) / length)
            clamped = np.clip(along, 0, np.float32(length))
            over = z - (np.float32(first) + slope * clamped)
            if slope == 0:
                gap = np.maximum(over, 0) ** 2 + (along - clamped) ** 2
            else:
                rise = z - np.float32(first)
                edge = np.clip((along + slope * rise) / (1 + slope * slope), 0, np.float32(length))
                upper = (along - edge) ** 2 + (rise - slope * edge) ** 2
                gap = np.where(over > 0, upper, (along - clamped) ** 2)
            np.minimum(best, gap + across * across, out=best)
        return best

    def _faces(self, x: Array, y: Array, z: Array) -> Array:
        """Squared distance to the upper faces of the core, where nearer than their outlines; z is 0 or more."""
        best = np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), np.inf, np.float32)
        rows = self.stations.tolist()
        for (ax, alow, ahigh, ahalf), (bx, blow, bhigh, bhalf) in pairwise(rows):
            run = bx - ax
            slope = (bhalf - ahalf) / run
            steep = math.sqrt(1 + slope * slope)
            c, s = np.float32(1 / steep), np.float32(slope / steep)
            along = (x - np.float32(ax)) * c + (z - np.float32(ahalf)) * s
            out = (z - np.float32(ahalf)) * c - (x - np.float32(ax)) * s
            clamped = np.clip(along, 0, np.float32(run * steep))
            place = clamped * c
            low = np.float32(alow) + place * np.float32((blow - alow) / run)
            high = np.float32(ahigh) + place * np.float32((bhigh - ahigh) / run)
            gap = out * out + (along - clamped) ** 2
            np.minimum(best, np.where((y >= low) & (y <= high), gap, np.inf), out=best)
        return best

    def _core(self) -> tuple[Array, float]:
        x, low, high, half = self.stations.T
        points = [np.stack([x, y, side * half], 1) for y in (low, high) for side in (-1, 1)]
        return np.concatenate(points), self.edge

    def _samples(self) -> tuple[list[int], Array, Array]:
        """Points a corner takes in the outline, and the unit normals (2 S, 2) before and after each corner."""
        count = len(self.stations)
        ways = normals(self._path)
        # The ends may be points, whose wall has no direction of its own.
        low, high = self.stations[:, 1], self.stations[:, 2]
        for wall, place, side in ((count - 1, 0, -1.0), (2 * count - 1, -1, 1.0)):
            if high[place] - low[place] < 1e-9:
                ways[wall] = [side, 0.0]
        before = np.roll(ways, 1, axis=0)
        turns = bends(before, ways)
        sizes = [max(fan_size(float(turns[k])), fan_size(float(turns[-1 - k]))) for k in range(count)]
        sizes[0], sizes[-1] = max(sizes[0], 2), max(sizes[-1], 2)
        if sum(sizes) % 2:
            sizes[0] += 1
        return sizes, before, ways

    def corners(self) -> tuple[int, int, int, int]:
        sizes, _, _ = self._samples()
        around = 2 * sum(sizes)
        first, second = sizes[0] // 2, sum(sizes) - 1 - sizes[-1] // 2
        return first, second, around - 1 - second, around - 1 - first

    def _rings(self) -> Array:
        sizes, before, after = self._samples()
        faces = self._face_normals()
        count = len(sizes)
        corners = self._path[:-1]
        points, outward, tops = [], [], []
        for k, corner in enumerate(corners):
            station = count - 1 - k if k < count else k - count
            size = sizes[k] if k < count else sizes[2 * count - 1 - k]
            bend = float(bends(before[k : k + 1], after[k : k + 1])[0])
            if bend < -1e-9:
                ways, shift = [mitre(before[k], after[k])] * size, self._spaced(k, size)
            else:
                ways, shift = fan(before[k], after[k], bend, size), np.zeros((size, 2))
            points += list(corner + shift)
            outward += ways
            tops += [(self.stations[station, 3], faces[station])] * size
        core = np.concatenate([np.array(points), np.array([[tall] for tall, _ in tops])], 1)
        away, upper = np.insert(np.array(outward), 2, 0.0, axis=1), np.array([face for _, face in tops])
        reaches = [np.linalg.norm(way, axis=1, keepdims=True) for way in (away, upper)]
        rings = []
        for angle, side in latitudes(5):
            # From the wall's normal to the face's normal, through the normals of the edge between them.
            c, s = math.cos(angle), abs(math.sin(angle))
            way = c * away + s * upper
            if not self._prism:
                way *= ((1 - s) * reaches[0] + s * reaches[1]) / np.linalg.norm(way, axis=1, keepdims=True)
            rings.append((core + self.edge * way) * [1, 1, side])
        return np.stack(rings)

    def _spaced(self, corner: int, size: int) -> Array:
        """Shifts (size, 2) along the two segments at an inner corner, so that its points lie apart."""
        path = self._path
        previous = path[corner - 1] if corner else path[-2]
        steps = [previous - path[corner], path[corner + 1] - path[corner]]
        places = np.linspace(-0.2, 0.2, size) if size > 1 else np.zeros(1)
        return np.array([abs(p) * steps[0 if p < 0 else 1] for p in places])

    def _face_normals(self) -> Array:
        """Directions (S, 3) from the upper face at each station: unit, or longer where the face bends inward."""
        x, _, _, half = self.stations.T
        slopes = np.diff(half) / np.diff(x)
        ways = np.stack([-slopes, np.ones_like(slopes)], 1) / np.sqrt(1 + slopes[:, None] ** 2)
        before, after = np.concatenate([ways[:1], ways]), np.concatenate([ways, ways[-1:]])
        mean = []
        for first, last in zip(before, after, strict=True):
            corner = mitre(first, last)
            inner = first[0] * last[1] - first[1] * last[0] > 0
            mean.append(corner if inner else corner / np.linalg.norm(corner))
        return np.insert(np.array(mean), 1, 0.0, axis=1)

    def _scaled(self, factor: float) -> Extruded:
        return Extruded(self.frame, self.stations * factor, self.edge * factor)


def extruded(frame: Frame, stations: Sequence[Sequence[float]] | Array, edge: float) -> Extruded:
    """A plate or body with these outer sizes: rows of x, low y, high y and half thickness.

    Where the outline is narrower than twice the edge radius, it becomes just as wide as that, with a round end.
    """
    rows = np.array(stations, float)
    x, low, high, half = rows.T
    rise = [np.hypot(1, np.clip(np.gradient(chain, x), -1.5, 1.5)) for chain in (low, high)]
    low, high = low + edge * rise[0], high - edge * rise[1]
    middle = (low + high) / 2
    ends = np.interp(x, [x[0], x[-1]], [x[0] + edge, x[-1] - edge])
    inner = (x > ends[0]) & (x < ends[-1])
    keep = inner | (np.arange(len(x)) % (len(x) - 1) == 0)
    places = np.where(inner, x, ends)
    core = np.stack([places, np.minimum(low, middle), np.maximum(high, middle), np.maximum(half - edge, 0)], 1)
    return Extruded(frame, core[keep], edge)
