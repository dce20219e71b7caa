"""The surface of a solid as a loft that can be walked: around from corner to corner, along from rim to rim, over caps.

What the deformed cubes and the low-poly meshes share. A rim lies where the surface turns from a cap to the side, in the
middle of a rounded edge.
"""

from __future__ import annotations

import itertools
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .profiles import Array
from .solids import Solid

#: A rim is at least so long, as a share of the longest ring: a pointed end is part of the cap.
SHORTEST_RIM = 0.3
#: A cap that reaches so far from its end to its rim has sections of its own.
LONGEST_CAP = 0.05
#: Parts whose middle line and width deviate less from a straight line, on average, get even rows.
STRAIGHT = 2e-3
#: How far a row may leave the surface, on average, before it is worth twice the even distance between rows.
EVENNESS = 4e-3


class Loft:
    """A solid's rings as a surface: around from corner to corner, along from the first cap's rim to the last one's."""

    def __init__(self, solid: Solid) -> None:
        rings = np.asarray(solid.rings(), dtype=np.float64)
        corners = np.array(solid.corners())
        # The first corner becomes the first point.
        self.rings = np.roll(rings, -corners[0], axis=1)
        self._corners = np.append(corners - corners[0], rings.shape[1])
        closed = np.concatenate([self.rings, self.rings[:, :1]], axis=1)
        self._closed = closed
        steps = np.linalg.norm(np.diff(rings, axis=0), axis=2).mean(1)
        self._along = np.concatenate([[0.0], np.cumsum(steps)])
        chords = np.linalg.norm(np.diff(closed, axis=1), axis=2)
        lengths = chords.sum(1)
        # A ring that is a point, or a line with points on it, takes its positions from the longest one where it must.
        blended = chords + 1e-4 * chords[int(lengths.argmax())]
        self._around = np.stack([self._quarters(row) for row in blended])
        low = self._rim(self.rings, lengths, steps)
        high = self._along[-1] - self._rim(self.rings[::-1], lengths[::-1], steps[::-1])
        if low >= high:
            low, high = self._along[-1] / 3, self._along[-1] * 2 / 3
        self._rims = low, high
        self._lengths = lengths
        self._widest = int(lengths.argmax())
        self._strip = solid.strip

    def _quarters(self, steps: Array) -> Array:
        """Positions of a ring's points and of the first one again, (K + 1,): by length from corner to corner."""
        positions = [np.zeros(1)]
        for k, (first, last) in enumerate(itertools.pairwise(self._corners)):
            run = np.cumsum(steps[first:last])
            positions.append(k + run / run[-1])
        return np.concatenate(positions)

    @staticmethod
    def _rim(rings: Array, lengths: Array, steps: Array) -> float:
        """How far from the first ring the surface turns from a cap to the side: at 45 degrees."""
        centres = rings.mean(1)
        rising = np.linalg.norm(np.diff(centres, axis=0), axis=1)
        widening = np.linalg.norm(np.diff(rings - centres[:, None], axis=0), axis=2).mean(1)
        angle = np.arctan2(rising, widening)
        ends = np.concatenate([[0.0], np.cumsum(steps)])
        middles = (ends[1:] + ends[:-1]) / 2
        side = int(np.argmax(angle >= np.pi / 4 - 1e-6))
        turn = 0.0
        if side > 0:
            share = (np.pi / 4 - angle[side - 1]) / max(float(angle[side] - angle[side - 1]), 1e-9)
            turn = float(middles[side - 1] + min(share, 1.0) * (middles[side] - middles[side - 1]))
        return max(turn, Loft._wide_from(lengths, steps))

    @staticmethod
    def _wide_from(lengths: Array, steps: Array) -> float:
        """How far from the first ring there is one of a good length."""
        wide = int(np.argmax(lengths >= SHORTEST_RIM * lengths.max()))
        if wide == 0:
            return 0.0
        short, long = lengths[wide - 1], lengths[wide]
        share = (SHORTEST_RIM * lengths.max() - short) / (long - short)
        return float(steps[: wide - 1].sum() + share * steps[wide - 1])

    def _at(self, around: Array, along: Array) -> Array:
        """Points (N, 3) at positions around (from 0 to 4) and lengths along from the first ring."""
        place = np.interp(along, self._along, np.arange(len(self._along)))
        row = np.clip(place.astype(int), 0, len(self._along) - 2)
        up = (place - row)[:, None]
        return (1 - up) * self._on(row, around) + up * self._on(row + 1, around)

    def _on(self, rows: NDArray[np.integer], around: Array) -> Array:
        """Points (N, 3) of the rings `rows` at positions around."""
        # All rings are one table, each five after the last: its positions run from 0 to 4.
        places = 5 * rows + around
        table = (self._around + 5 * np.arange(len(self._around))[:, None]).reshape(-1)
        columns = self._closed.reshape(-1, 3).T
        return np.stack([np.interp(places, table, column) for column in columns], axis=1)

    def _grid(self, around: Array, along: Array) -> Array:
        """Points (A, B, 3) at all pairs of lengths along (A,) and positions around (B,)."""
        points = self._at(np.tile(around, len(along)), np.repeat(along, len(around)))
        return points.reshape(len(along), len(around), 3)

    def side(self, around: Array, rows: NDArray[np.integer], count: int) -> Array:
        """Points (N, 3) on the side, in rows (N,) from 0 at the first rim to `count` at the last."""
        return self._at(around, self._levels(count)[rows])

    def _levels(self, count: int) -> Array:
        """Lengths along of count + 1 rows: even on a straight part, otherwise where the part bends, waists or turns."""
        stations, _ = self._stations
        low, high = self._rims
        even = np.linspace(low, high, count + 1)
        points = self._middles
        if _leaves_straight(points) < STRAIGHT**2 * (high - low):
            return even
        inner = stations[(stations > low) & (stations < high)]
        dense = np.unique(np.concatenate([inner, np.linspace(low, high, 4 * count + 1)]).round(9))
        points = np.stack([np.interp(dense, stations, column) for column in points.T], axis=1)
        return dense[_Chain(points, count).best(count + 1)]

    def sections(self, sides: int, count: int, growth: float) -> Array:
        """Sections (count, sides, 3) that follow the course of the solid best, polygons that follow its section best.

        The first and the last lie on the caps. growth: polygons are scaled to the area of their sections as long as
        their corners move outward by at most so much, in model units.
        """
        stations, rings = self._stations
        chosen = self._course.best(count)
        around = self._around_best(sides)
        polygons = self._grid(around, stations[chosen])
        if not self._strip:
            middles = polygons.mean(1, keepdims=True)
            wanted, given = _areas(rings[chosen]), _areas(polygons)
            reach = np.linalg.norm(polygons - middles, axis=2).max(1)
            factor = np.minimum(np.sqrt(wanted / np.maximum(given, 1e-12)).clip(1.0), 1 + growth / reach)
            polygons = middles + factor[:, None, None] * (polygons - middles)
        polygons[0] += self.rings[0].mean(0) - rings[0].mean(0)
        polygons[-1] += self.rings[-1].mean(0) - rings[-1].mean(0)
        return polygons

    def deviation(self, sections: Array) -> float:
        """How far the surface is from the prism of such sections, along its normals, integrated over its area."""
        stations, rings = self._stations
        count, sides = sections.shape[:2]
        chosen = stations[self._course.best(count)]
        spread = np.linspace(0, 4, rings.shape[1], endpoint=False)
        across = np.stack([np.interp(spread, self._around_best(sides), unit, period=4) for unit in np.eye(sides)])
        along = np.stack([np.interp(stations, chosen, unit) for unit in np.eye(count)])
        prism = np.einsum("cs,ckx,kr->srx", along, sections, across)
        step = np.gradient(rings, axis=0)
        normal = np.cross(np.roll(rings, -1, axis=1) - np.roll(rings, 1, axis=1), step) / 2
        return float(np.abs(((prism - rings) * normal).sum(-1)).sum())

    def _around_best(self, sides: int) -> Array:
        """Positions around of the corners of a polygon with so many sides, (sides,)."""
        return self._around[self._widest][self._outline.best(sides + 1)[:-1]]

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """Where sections begin and end: at the rims, or nearer to the ends of a cap that is long, as a dome is."""
        low, high = self._rims
        if low > LONGEST_CAP:
            low = self._wide_from(self._lengths, np.diff(self._along))
        if self._along[-1] - high > LONGEST_CAP:
            high = float(self._along[-1] - self._wide_from(self._lengths[::-1], np.diff(self._along)[::-1]))
        return low, high

    @cached_property
    def _stations(self) -> tuple[Array, Array]:
        """Lengths along (S,) of the ends and of the rings between them, and 64 points of the section there."""
        low, high = self._ends
        inner = self._along[(self._along > low + 1e-6) & (self._along < high - 1e-6)]
        stations = np.concatenate([[low], inner, [high]])
        around = np.linspace(0, 4, 64, endpoint=False)
        return stations, self._grid(around, stations)

    @cached_property
    def _middles(self) -> Array:
        """The middles of the sections together with how wide they are, (S, 4)."""
        rings = self._stations[1]
        centres = rings.mean(1)
        return np.c_[centres, np.linalg.norm(rings - centres[:, None], axis=2).mean(1)]

    @cached_property
    def _course(self) -> _Chain:
        return _Chain(self._middles)

    @cached_property
    def _outline(self) -> _Chain:
        return _Chain(self._closed[self._widest])

    def cap(self, end: int, across: Array) -> Array:
        """Points (N, 3) on a cap, at places (N, 2) from -1 to 1 of a square grid over it.

        The cap is spread out as a rectangle whose border, as wide as the curved band inside the rim, follows the rings.
        """
        band = self._rims[0] if end == 0 else self._along[-1] - self._rims[1]
        flat = self._half_sizes(end)
        places = across * (band + flat)
        inward = (band + flat - np.abs(places)).min(1)
        on_band = inward < band
        points = np.empty((len(across), 3))
        points[~on_band] = self._coons(end, (places[~on_band] / flat + 1) / 2)
        inward = inward[on_band]
        square = places[on_band] / (band + flat - inward[:, None])
        along = self._rims[0] - inward if end == 0 else self._rims[1] + inward
        points[on_band] = self._at(perimeter(square), along)
        return points

    def _half_sizes(self, end: int) -> Array:
        """Half the lengths of a cap along its two directions, (2,); the shorter one in its middle."""
        row = -end % len(self.rings)
        sides = self._side_lengths(row)
        middles = self._on(np.full(4, row), np.arange(4) + 0.5)
        through = np.linalg.norm(middles[2:] - middles[:2], axis=1)[::-1]
        sizes = (sides[:2] + sides[2:]) / 2
        short = int(sizes.argmin())
        sizes[short] = min(sizes[short], through[short])
        return sizes / 2 + 1e-9

    def _side_lengths(self, row: int) -> Array:
        """Lengths (4,) of a ring between its corners."""
        steps = np.linalg.norm(np.diff(self._closed[row], axis=0), axis=1)
        return np.add.reduceat(steps, self._corners[:-1])

    def _coons(self, end: int, places: Array) -> Array:
        """Points (N, 3) of a patch over a cap, at places (N, 2) from 0 to 1.

        It is ruled between the two longer sides; how the shorter ones differ from straight lines is added near them.
        """
        row = -end % len(self.rings)
        u, v = places[:, :1], places[:, 1:]

        def edge(side: int, share: Array) -> Array:
            return self._on(np.full(len(share), row), side + share[:, 0])

        above, left, below, right = edge(0, 1 - u), edge(1, 1 - v), edge(2, u), edge(3, v)
        corner = self._on(np.full(4, row), np.arange(4.0))
        sides = self._side_lengths(row)
        wide, tall = sides[0] + sides[2], sides[1] + sides[3]
        reach = min(wide, tall) / max(wide, tall, 1e-12)
        if wide >= tall:
            low, high, share, first, last, across = below, above, v, left, right, u
            starts, ends = (corner[2], corner[1]), (corner[3], corner[0])
        else:
            low, high, share, first, last, across = left, right, u, below, above, v
            starts, ends = (corner[2], corner[3]), (corner[1], corner[0])
        bulge = np.maximum(1 - across / max(reach, 1e-6), 0) * (first - (1 - share) * starts[0] - share * starts[1])
        bulge += np.maximum(1 - (1 - across) / max(reach, 1e-6), 0) * (last - (1 - share) * ends[0] - share * ends[1])
        return (1 - share) * low + share * high + bulge


def _leaves_straight(points: Array) -> float:
    """How far a chain of points (N, D) leaves the straight line between its ends: squared distances, by length."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    weight = (np.append(steps, 0) + np.append(0, steps)) / 2
    rest, chord = points - points[0], points[-1] - points[0]
    share = (rest @ chord / max(float(chord @ chord), 1e-18)).clip(0, 1)
    return float((((rest - share[:, None] * chord) ** 2).sum(1) * weight).sum())


class _Chain:
    """A chain of points (N, D), of which a few, the ends among them, are to stand for all.

    What is left out is measured by its squared distances from the chords, weighted by length; where `even` is not 0,
    also by how unlike each chord's share of the whole length is to one in `even`.
    """

    def __init__(self, points: Array, even: int = 0) -> None:
        total = len(points)
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        weight = (np.append(steps, 0) + np.append(0, steps)) / 2
        self._cost = np.full((total, total), np.inf)
        self._least = np.full(total, np.inf)
        self._least[0] = 0
        self._origins: list[NDArray[np.intp]] = []
        for i in range(total - 1):
            # From point i to every later one: the points between, as seen from i.
            rest = points[i + 1 :] - points[i]
            length = np.maximum((rest**2).sum(1), 1e-18)
            dots = rest @ rest.T
            share = (dots / length[:, None]).clip(0, 1)
            away = length[None] - 2 * share * dots + share**2 * length[:, None]
            self._cost[i, i + 1 :] = np.tril(away * weight[i + 1 :], -1).sum(1)
            if even:
                share = np.cumsum(steps[i:]) / steps.sum() * even
                self._cost[i, i + 1 :] += EVENNESS**2 * (share - 1) ** 2 * steps.sum() / even

    def best(self, count: int) -> NDArray[np.intp]:
        """The `count` points that stand for it best, by dynamic programming; where there are fewer, places repeat."""
        total = len(self._cost)
        if total <= count:
            return np.round(np.linspace(0, total - 1, count)).astype(np.intp)
        # What is known about chains of fewer points is kept: they are asked for one after the other.
        while len(self._origins) < count - 1:
            sums = self._least[:, None] + self._cost
            self._origins.append(sums.argmin(0))
            self._least = sums.min(0)
        chain = [total - 1]
        for origin in reversed(self._origins[: count - 1]):
            chain.append(int(origin[chain[-1]]))
        return np.array(chain[::-1], dtype=np.intp)


def _areas(rings: Array) -> Array:
    """Areas of plane rings (L, K, 3), with shape (L,)."""
    centred = rings - rings.mean(1, keepdims=True)
    return np.linalg.norm(np.cross(centred, np.roll(centred, -1, axis=1)).sum(1), axis=1) / 2


def perimeter(square: Array) -> Array:
    """Positions from 0 to 4 around a square with corners at +-1, of points (N, 2) on it: 0 is (1, 1), 1 is (-1, 1)."""
    x, y = square.T
    on = 1 - 1e-9
    sides = [y >= on, x <= -on, y <= -on, x >= on]
    return np.select(sides, [(1 - x) / 2, 1 + (1 - y) / 2, 2 + (1 + x) / 2, (3 + (1 + y) / 2) % 4])
