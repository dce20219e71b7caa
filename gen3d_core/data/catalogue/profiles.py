"""Plane outlines of the catalogue's slabs, each with its exact signed distance in the plane.

An outline is a core curve or region grown by a corner radius, so that every corner is an arc:
`distance = core distance - corner`. All outlines are mirror-symmetric in x. Trapezoid distances follow the segment
projections common in signed-distance modelling; the ellipse is solved by walking along its evolute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Outline:
    """A closed counter-clockwise curve sampled as core points and the outward directions in which they grow.

    core: (K, 2) points on the core; outward: (K, 2) unit vectors. K is a multiple of 4; point 0 is on the +x side.
    """

    core: Array
    outward: Array


class Profile(Protocol):
    """What a slab needs from its outline."""

    @property
    def corner(self) -> float:
        """Radius by which the core is grown, in model units."""
        ...

    @property
    def thickness(self) -> float:
        """Smallest width of the grown outline, in model units."""
        ...

    @property
    def strip(self) -> bool:
        """Whether point i of the outline faces point K - 1 - i; otherwise all are seen from the centroid."""
        ...

    def core_distance(self, x: Array, y: Array) -> Array:
        """Exact signed distance to the core at broadcastable coordinates."""
        ...

    def corners(self) -> tuple[int, int, int, int]:
        """Indices of the four points of the outline that are most like a rectangle's corners."""
        ...

    def outline(self) -> Outline:
        """The sampled outline."""
        ...

    def scaled(self, factor: float) -> Profile:
        """The outline with every length multiplied by `factor`."""
        ...


def trapezoid_distance(x: Array, y: Array, low: float, high: float, half: float) -> Array:
    """Exact signed distance to an upright symmetric trapezoid.

    x, y: broadcastable coordinates; low, high: half widths at y = -half and y = +half; half: half the height.
    """
    x = np.abs(x)
    if low == high:
        dx, dy = x - low, np.abs(y) - half
        return np.minimum(np.maximum(dx, dy), 0) + np.sqrt(np.maximum(dx, 0) ** 2 + np.maximum(dy, 0) ** 2)
    lean, rise = high - low, 2 * half
    end_y = np.abs(y) - half
    end_x = np.maximum(x - np.where(y < 0, np.float32(low), np.float32(high)), 0)
    along = np.clip(((high - x) * lean + (half - y) * rise) / (lean * lean + rise * rise), 0, 1)
    side_x = x - high + lean * along
    side_y = y - half + rise * along
    squared = np.minimum(end_x**2 + end_y**2, side_x**2 + side_y**2)
    return np.where((side_x < 0) & (end_y < 0), -1, 1).astype(squared.dtype) * np.sqrt(squared)


def arc_distance(x: Array, y: Array, radius: float, angle: float) -> Array:
    """Exact distance to a circular arc around the origin, open towards -y.

    x, y: broadcastable coordinates; radius: of the arc; angle: half the opening angle, in radians from +y.
    """
    x = np.abs(x)
    sine, cosine = math.sin(angle), math.cos(angle)
    end = np.hypot(x - radius * sine, y - radius * cosine)
    return np.where(cosine * x > sine * y, end, np.abs(np.hypot(x, y) - radius))


@dataclass(frozen=True)
class Trapezoid:
    """A rectangle or symmetric trapezoid with round corners.

    front, back: half widths at -y and +y; half: half the depth; corner: corner radius. Lengths in model units, outer.
    """

    front: float
    back: float
    half: float
    corner: float

    @property
    def strip(self) -> bool:
        return False

    @property
    def thickness(self) -> float:
        return 2 * min(self.front, self.back, self.half)

    def corners(self) -> tuple[int, int, int, int]:
        return 3, 10, 17, 24

    def _core(self) -> tuple[float, float, float]:
        return self.front - self.corner, self.back - self.corner, self.half - self.corner

    def core_distance(self, x: Array, y: Array) -> Array:
        return trapezoid_distance(x, y, *self._core())

    def outline(self) -> Outline:
        front, back, half = self._core()
        tilt = math.atan2(front - back, 2 * half)
        corners = ((back, half), (-back, half), (-front, -half), (front, -half))
        turns = (
            (tilt, math.pi / 2),
            (math.pi / 2, math.pi - tilt),
            (math.pi - tilt, 1.5 * math.pi),
            (1.5 * math.pi, 2 * math.pi + tilt),
        )
        angles = np.concatenate([np.linspace(first, last, 7) for first, last in turns])
        return Outline(np.repeat(np.array(corners), 7, axis=0), np.stack([np.cos(angles), np.sin(angles)], 1))

    def scaled(self, factor: float) -> Trapezoid:
        return Trapezoid(self.front * factor, self.back * factor, self.half * factor, self.corner * factor)


@dataclass(frozen=True)
class Ellipse:
    """An ellipse grown by `corner`: outer half axes `width` along x and `depth` along y, in model units."""

    width: float
    depth: float
    corner: float

    @property
    def strip(self) -> bool:
        return False

    @property
    def thickness(self) -> float:
        return 2 * min(self.width, self.depth)

    def corners(self) -> tuple[int, int, int, int]:
        return 8, 24, 40, 56

    def core_distance(self, x: Array, y: Array) -> Array:
        a, b = self.width - self.corner, self.depth - self.corner
        if abs(a - b) < 1e-6:
            return np.hypot(x, y) - a
        x, y = np.abs(x), np.abs(y)
        u = v = np.float32(math.sqrt(0.5))
        for _ in range(4):
            centre_x, centre_y = (a * a - b * b) * u**3 / a, (b * b - a * a) * v**3 / b
            reach = np.hypot(a * u - centre_x, b * v - centre_y)
            ratio = reach / np.maximum(np.hypot(x - centre_x, y - centre_y), 1e-9)
            u = np.clip(((x - centre_x) * ratio + centre_x) / a, 0, 1)
            v = np.clip(((y - centre_y) * ratio + centre_y) / b, 0, 1)
            norm = np.maximum(np.hypot(u, v), 1e-9)
            u, v = u / norm, v / norm
        sign = np.where((x / a) ** 2 + (y / b) ** 2 < 1, -1, 1).astype(np.float32)
        return sign * np.hypot(x - a * u, y - b * v)

    def outline(self) -> Outline:
        a, b = self.width - self.corner, self.depth - self.corner
        angles = np.linspace(0, 2 * math.pi, 64, endpoint=False)
        core = np.stack([a * np.cos(angles), b * np.sin(angles)], 1)
        outward = np.stack([b * np.cos(angles), a * np.sin(angles)], 1)
        return Outline(core, outward / np.linalg.norm(outward, axis=1, keepdims=True))

    def scaled(self, factor: float) -> Ellipse:
        return Ellipse(self.width * factor, self.depth * factor, self.corner * factor)


@dataclass(frozen=True)
class Bow:
    """A bent strip with round ends, its middle on +y and its hollow side towards -y.

    radius: of the centre line around the origin; angle: half the opening angle in radians; corner: half its thickness.
    """

    radius: float
    angle: float
    corner: float

    @property
    def strip(self) -> bool:
        return True

    @property
    def thickness(self) -> float:
        return 2 * self.corner

    def corners(self) -> tuple[int, int, int, int]:
        count = self._count()
        return 3, 4 + count, 11 + count, 12 + 2 * count

    def _count(self) -> int:
        """Points along each side: an even number."""
        return 2 * (6 + int(self.angle * 8))

    def core_distance(self, x: Array, y: Array) -> Array:
        return arc_distance(x, y, self.radius, self.angle)

    def outline(self) -> Outline:
        run = math.pi / 2 + np.linspace(-self.angle, self.angle, self._count())
        # Round ends are sampled half a step off their tips, so that opposite points of the strip face each other.
        turn = (np.arange(8) + 0.5) * math.pi / 8
        first, last = run[0], run[-1]
        place = np.concatenate([np.full(4, first), run, np.full(8, last), run[::-1], np.full(4, first)])
        facing = np.concatenate(
            [first - math.pi + turn[4:], run, last + turn, run[::-1] + math.pi, first + math.pi + turn[:4]]
        )
        core = self.radius * np.stack([np.cos(place), np.sin(place)], 1)
        return Outline(core, np.stack([np.cos(facing), np.sin(facing)], 1))

    def scaled(self, factor: float) -> Bow:
        return Bow(self.radius * factor, self.angle, self.corner * factor)
