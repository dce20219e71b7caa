"""Solids of the catalogue: signed distances, bounding boxes and closed meshes of a few rounded members.

Every solid is a core (a point set with a known distance) grown by a rounding radius r: `sdf = distance to core - r`.
Signed distances are exact for `Box` without taper, `Cone`, `Rod`, `Arc` and `Slab`; for a tapered `Box` the value is a
first-order bound, exact on the surface and off by less than the slope of its faces.
The surface of every solid is a loft: `Solid.rings` are its cross-sections from one cap to the other.
Inside a union, the smallest distance of the parts is a bound (exact sign, magnitude at most the true one).
All lengths are in model units; local axes are placed in the world by a `Frame`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from .profiles import Array, Profile, arc_distance, trapezoid_distance

Self = TypeVar("Self", bound="Solid")


@dataclass(frozen=True, eq=False)
class Mesh:
    """A closed triangle mesh: vertices (V, 3) float32, faces (F, 3) int32, normals pointing out."""

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Frame:
    """A rigid placement: world = rotation @ local + translation; rotation (3, 3), translation (3,)."""

    rotation: Array
    translation: Array

    @staticmethod
    def at(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Frame:
        """An upright frame at a point."""
        return Frame(np.eye(3), np.array([x, y, z], float))

    @staticmethod
    def between(start: Array, end: Array) -> Frame:
        """A frame at `start` whose z axis points to `end`; its x axis stays as near to the world's x as it can."""
        z = np.asarray(end, float) - np.asarray(start, float)
        z = z / np.linalg.norm(z)
        guide = np.array([1.0, 0.0, 0.0]) if abs(z[0]) < 0.8 else np.array([0.0, 1.0, 0.0])
        x = guide - z * (z @ guide)
        x /= np.linalg.norm(x)
        return Frame(np.stack([x, np.cross(z, x), z], 1), np.asarray(start, float))

    def turned(self, axis: str, angle: float) -> Frame:
        """The frame after turning it about one of its own axes ("x", "y" or "z") by `angle` radians."""
        i = "xyz".index(axis)
        j, k = (i + 1) % 3, (i + 2) % 3
        turn = np.eye(3)
        turn[j, j] = turn[k, k] = math.cos(angle)
        turn[k, j] = math.sin(angle)
        turn[j, k] = -turn[k, j]
        return Frame(self.rotation @ turn, self.translation)

    def point(self, x: float, y: float, z: float) -> Array:
        """World position of a local point, (3,)."""
        return self.rotation @ np.array([x, y, z]) + self.translation


@dataclass(frozen=True, eq=False)
class Solid(ABC):
    """One rounded member. Every kind is its own mirror image in one local axis, so mirroring is a rigid placement."""

    #: The reflection (diagonal of a matrix) that maps the solid onto itself.
    _symmetry: ClassVar[tuple[float, float, float]] = (-1.0, 1.0, 1.0)

    frame: Frame

    @property
    @abstractmethod
    def thickness(self) -> float:
        """Extent in the thinnest direction."""

    @abstractmethod
    def _distance(self, x: Array, y: Array, z: Array) -> Array:
        """Signed distance at broadcastable local coordinates."""

    @abstractmethod
    def _core(self) -> tuple[Array, float]:
        """Local points (K, 3) and a radius: balls of that radius around their hull just cover the solid."""

    @abstractmethod
    def _rings(self) -> Array:
        """Local ring points (L, K, 3), as `rings` describes them."""

    @abstractmethod
    def _scaled(self: Self, factor: float) -> Self:
        """The same solid with every own length multiplied by `factor`, frame untouched."""

    def distance(self, x: Array, y: Array, z: Array) -> NDArray[np.float32]:
        """Signed distance at broadcastable world coordinates, negative inside; the result is their broadcast.

        On grids with axes (X, 1, 1), (1, Y, 1), (1, 1, Z), upright solids are evaluated in far fewer operations.
        """
        world = [
            axis.astype(np.float32, copy=False) - np.float32(c)
            for axis, c in zip((x, y, z), self.frame.translation, strict=True)
        ]
        local = []
        for column in self.frame.rotation.T:
            terms = [w if c == 1 else w * np.float32(c) for w, c in zip(world, column, strict=True) if abs(c) > 1e-9]
            local.append(sum(terms[1:], start=terms[0]))
        return self._distance(*local).astype(np.float32, copy=False)

    def sdf(self, points: Array) -> NDArray[np.float32]:
        """Signed distance at points (N, 3), as (N,)."""
        return self.distance(*np.ascontiguousarray(points.T))

    def bounds(self) -> Array:
        """Bounding box, (2, 3): lowest and highest corner."""
        core, radius = self._core()
        world = core @ self.frame.rotation.T + self.frame.translation
        return np.stack([world.min(0) - radius, world.max(0) + radius])

    @property
    def strip(self) -> bool:
        """Whether point i of a ring faces point K - 1 - i, so that a strip closes a cap; a fan does otherwise."""
        return False

    def corners(self) -> tuple[int, int, int, int]:
        """Indices of the four points of a ring that are most like a box's edges, in the order of the ring."""
        quarter = self._rings().shape[1] // 4
        first = quarter // 2
        return first, first + quarter, first + 2 * quarter, first + 3 * quarter

    def rings(self) -> Array:
        """World positions (L, K, 3) of the loft that is the surface.

        There are L rings of K points, K a multiple of 4. A ring starts near the local +x direction and runs
        counter-clockwise seen from local +z, a quarter of its points in each quarter turn of a compact section; the
        rings of an `Arc` run in the same sense around its own course instead. Neighbouring rings bound a band of the
        surface; the first and the last ring, which may be so small that they are points, bound the two caps.
        """
        return self._rings() @ self.frame.rotation.T + self.frame.translation

    def mesh(self) -> Mesh:
        """A closed triangle mesh on the surface, oriented outward: the loft of its rings."""
        vertices, faces = loft(self.rings(), self.strip)
        return Mesh(vertices.astype(np.float32), faces.astype(np.int32))

    def mirrored(self: Self) -> Self:
        """The copy on the other side of the plane x = 0."""
        mirror, own = np.diag([-1.0, 1.0, 1.0]), np.diag(self._symmetry)
        return replace(self, frame=Frame(mirror @ self.frame.rotation @ own, mirror @ self.frame.translation))

    def placed(self: Self, scale: float, offset: Array) -> Self:
        """The copy scaled about the origin and then moved: world' = scale * world + offset."""
        return replace(self._scaled(scale), frame=Frame(self.frame.rotation, self.frame.translation * scale + offset))


@dataclass(frozen=True, eq=False)
class Box(Solid):
    """A box with round edges around its frame's origin.

    half: half extents (3,); edge: edge radius; taper: width of the cross-section at +z relative to the one at the
    middle (1 is straight, 1.2 is wider at +z and narrower at -z).
    """

    half: tuple[float, float, float]
    edge: float
    taper: float = 1.0

    @property
    def thickness(self) -> float:
        return 2 * min(min(self.half[:2]) * (1 - abs(self.taper - 1)), self.half[2])

    def _widths(self, z: Array) -> tuple[Array, Array]:
        """Half widths of the core along x and y at local heights."""
        swell = 1 + (self.taper - 1) * np.clip(z / self.half[2], -1, 1)
        return self.half[0] * swell - self.edge, self.half[1] * swell - self.edge

    def _distance(self, x: Array, y: Array, z: Array) -> Array:
        if self.taper == 1:
            width, depth = np.float32(self.half[0] - self.edge), np.float32(self.half[1] - self.edge)
        else:
            width, depth = self._widths(z)
        dx, dy, dz = np.abs(x) - width, np.abs(y) - depth, np.abs(z) - np.float32(self.half[2] - self.edge)
        outside = np.sqrt(np.maximum(dx, 0) ** 2 + np.maximum(dy, 0) ** 2 + np.maximum(dz, 0) ** 2)
        return np.minimum(np.maximum(np.maximum(dx, dy), dz), 0) + outside - np.float32(self.edge)

    def _core(self) -> tuple[Array, float]:
        tall = self.half[2] - self.edge
        corners = [
            (sx * width, sy * depth, z)
            for z in (-tall, tall)
            for width, depth in [self._widths(np.array(z))]
            for sx in (-1, 1)
            for sy in (-1, 1)
        ]
        return np.array(corners, float), self.edge

    def _rings(self) -> Array:
        rings = []
        angles = np.concatenate([np.linspace(q, q + 1, 5) * math.pi / 2 for q in range(4)])
        sign_x, sign_y = np.repeat([1, -1, -1, 1], 5), np.repeat([1, 1, -1, -1], 5)
        for angle, side in latitudes(4):
            z = side * (self.half[2] - self.edge) + self.edge * math.sin(angle)
            width, depth = self._widths(np.array(z))
            reach = self.edge * math.cos(angle)
            ring = [sign_x * width + reach * np.cos(angles), sign_y * depth + reach * np.sin(angles)]
            rings.append(np.stack([*ring, np.full(20, z)], 1))
        return np.stack(rings)

    def _scaled(self, factor: float) -> Box:
        x, y, z = (h * factor for h in self.half)
        return replace(self, half=(x, y, z), edge=self.edge * factor)


@dataclass(frozen=True, eq=False)
class Cone(Solid):
    """A cylinder or cone frustum along z with round edges, around its frame's origin.

    low, high: radii at -z and +z; half: half the height; edge: edge radius.
    """

    low: float
    high: float
    half: float
    edge: float

    @property
    def thickness(self) -> float:
        return 2 * min(self.low, self.high, self.half)

    def _distance(self, x: Array, y: Array, z: Array) -> Array:
        e = self.edge
        return trapezoid_distance(np.hypot(x, y), z, self.low - e, self.high - e, self.half - e) - np.float32(e)

    def _core(self) -> tuple[Array, float]:
        angles = np.linspace(0, 2 * math.pi, 128, endpoint=False)
        circle, tall = np.stack([np.cos(angles), np.sin(angles)], 1), self.half - self.edge
        rings = [np.c_[(r - self.edge) * circle, np.full(128, z)] for r, z in ((self.low, -tall), (self.high, tall))]
        return np.concatenate(rings), self.edge

    def _rings(self) -> Array:
        tilt = math.atan2(self.low - self.high, 2 * (self.half - self.edge))
        low, high, tall = self.low - self.edge, self.high - self.edge, self.half - self.edge
        below = [(low, -tall, a) for a in np.linspace(-math.pi / 2, tilt, 6)]
        above = [(high, tall, a) for a in np.linspace(tilt, math.pi / 2, 6)]
        profile = [(r + self.edge * math.cos(a), z + self.edge * math.sin(a)) for r, z, a in below + above]
        return turned_rings(np.array(profile))

    def _scaled(self, factor: float) -> Cone:
        sizes = (self.low * factor, self.high * factor, self.half * factor, self.edge * factor)
        return Cone(self.frame, *sizes)


@dataclass(frozen=True, eq=False)
class Rod(Solid):
    """A capsule whose radius changes evenly: balls of radius `low` at its origin and `high` at z = length, hulled."""

    low: float
    high: float
    length: float

    @property
    def thickness(self) -> float:
        return 2 * min(self.low, self.high)

    def _distance(self, x: Array, y: Array, z: Array) -> Array:
        across, slope = np.hypot(x, y), (self.low - self.high) / self.length
        cosine = math.sqrt(1 - slope * slope)
        along = cosine * z - slope * across
        first = np.hypot(across, z) - np.float32(self.low)
        last = np.hypot(across, z - np.float32(self.length)) - np.float32(self.high)
        side = cosine * across + slope * z - np.float32(self.low)
        return np.where(along < 0, first, np.where(along > cosine * self.length, last, side))

    def _core(self) -> tuple[Array, float]:
        small = min(self.low, self.high)
        balls = [(z, r - small) for z, r in ((0.0, self.low), (self.length, self.high))]
        # The larger ball is kept as its six world-axis extremes around the smaller radius.
        reach = np.concatenate([self.frame.rotation, -self.frame.rotation])
        return np.concatenate([np.array([0.0, 0.0, z]) + r * reach for z, r in balls]), small

    def _rings(self) -> Array:
        tilt = math.asin((self.low - self.high) / self.length)
        below = [(0.0, self.low, a) for a in np.linspace(-math.pi / 2, tilt, 9)]
        above = [(self.length, self.high, a) for a in np.linspace(tilt, math.pi / 2, 9)]
        return turned_rings(np.array([(r * math.cos(a), z + r * math.sin(a)) for z, r, a in below + above]))

    def _scaled(self, factor: float) -> Rod:
        return replace(self, low=self.low * factor, high=self.high * factor, length=self.length * factor)


@dataclass(frozen=True, eq=False)
class Arc(Solid):
    """A bent rod: a capsule along a circular arc around its origin in the local xy plane, its middle on +y.

    radius: of the centre line; angle: half the opening angle in radians; tube: radius of the rod.
    """

    radius: float
    angle: float
    tube: float

    @property
    def thickness(self) -> float:
        return 2 * self.tube

    def _distance(self, x: Array, y: Array, z: Array) -> Array:
        return np.hypot(arc_distance(x, y, self.radius, self.angle), z) - np.float32(self.tube)

    def _core(self) -> tuple[Array, float]:
        turn = np.linspace(-self.angle, self.angle, 129)
        return self.radius * np.stack([np.sin(turn), np.cos(turn), np.zeros(129)], 1), self.tube

    def _rings(self) -> Array:
        count, around = 8 + int(self.angle * 12), np.linspace(0, 2 * math.pi, 24, endpoint=False)
        bends = np.linspace(-self.angle, self.angle, count)
        caps = np.linspace(0, math.pi / 2, 7)[1:]
        stations = (
            [(bends[0], c, -1) for c in caps[::-1]] + [(b, 0.0, 0) for b in bends] + [(bends[-1], c, 1) for c in caps]
        )
        rings = []
        for bend, cap, side in stations:
            out, along = np.array([math.sin(bend), math.cos(bend), 0]), np.array([math.cos(bend), -math.sin(bend), 0])
            across = np.outer(np.cos(around), [0, 0, -1]) + np.outer(np.sin(around), out)
            centre = self.radius * out + side * self.tube * math.sin(cap) * along
            rings.append(centre + self.tube * math.cos(cap) * across)
        return np.stack(rings)

    def _scaled(self, factor: float) -> Arc:
        return replace(self, radius=self.radius * factor, tube=self.tube * factor)


@dataclass(frozen=True, eq=False)
class Slab(Solid):
    """A plate of constant thickness with round edges: `profile` in the local xy plane, from z = -half to z = half.

    edge: edge radius, at most the profile's corner radius and half the thickness.
    """

    profile: Profile
    half: float
    edge: float

    @property
    def thickness(self) -> float:
        return min(2 * self.half, self.profile.thickness)

    def _distance(self, x: Array, y: Array, z: Array) -> Array:
        inset = self.profile.core_distance(x, y) - np.float32(self.profile.corner - self.edge)
        above = np.abs(z) - np.float32(self.half - self.edge)
        outside = np.sqrt(np.maximum(inset, 0) ** 2 + np.maximum(above, 0) ** 2)
        return np.minimum(np.maximum(inset, above), 0) + outside - np.float32(self.edge)

    def _core(self) -> tuple[Array, float]:
        curve = self.profile.outline()
        flat = curve.core + (self.profile.corner - self.edge) * curve.outward
        tall = self.half - self.edge
        return np.concatenate([np.c_[flat, np.full(len(flat), z)] for z in (-tall, tall)]), self.edge

    def _rings(self) -> Array:
        curve, rings = self.profile.outline(), []
        for angle, side in latitudes(5):
            flat = curve.core + (self.profile.corner - self.edge * (1 - math.cos(angle))) * curve.outward
            z = side * (self.half - self.edge) + self.edge * math.sin(angle)
            rings.append(np.c_[flat, np.full(len(flat), z)])
        return np.stack(rings)

    @property
    def strip(self) -> bool:
        return self.profile.strip

    def corners(self) -> tuple[int, int, int, int]:
        return self.profile.corners()

    def _scaled(self, factor: float) -> Slab:
        return replace(self, profile=self.profile.scaled(factor), half=self.half * factor, edge=self.edge * factor)


def latitudes(count: int) -> list[tuple[float, int]]:
    """Angles of a rounded edge from the bottom (-90 degrees) to the top, each with the side (-1 or 1) it belongs to."""
    angles = np.linspace(0, math.pi / 2, count)
    return [(-a, -1) for a in angles[::-1]] + [(a, 1) for a in angles]


def turned_rings(profile: Array, around: int = 40) -> Array:
    """Rings (L, around, 3) of a profile (L, 2) of radius and height, from the bottom to the top, turned about z."""
    angles = np.linspace(0, 2 * math.pi, around, endpoint=False)
    radius, height = np.maximum(profile[:, :1], 1e-7), profile[:, 1:]
    return np.stack([radius * np.cos(angles), radius * np.sin(angles), height * np.ones(around)], 2)


def loft(rings: Array, strip: bool = False) -> tuple[Array, Array]:
    """Mesh through rings (L, K, 3), counter-clockwise seen from the end, closed by a fan or strip at both ends."""
    levels, around = rings.shape[:2]
    index = np.arange(levels * around).reshape(levels, around)
    turned = np.roll(index, -1, axis=1)
    a, b, c, d = (part.ravel() for part in (index[:-1], turned[:-1], turned[1:], index[1:]))
    faces = [np.stack([a, b, c], 1), np.stack([a, c, d], 1)]
    vertices = [rings.reshape(-1, 3)]
    for ring, nexts, centre, flip in ((index[0], turned[0], 0, True), (index[-1], turned[-1], 1, False)):
        if strip:
            near, far = ring[: around // 2], ring[::-1][: around // 2]
            quads = [near[:-1], near[1:], far[1:], far[:-1]]
            cap = np.concatenate([np.stack(quads[:3], 1), np.stack([quads[0], quads[2], quads[3]], 1)])
        else:
            cap = np.stack([np.full(around, levels * around + centre), ring, nexts], 1)
            vertices.append(rings[0 if flip else -1].mean(0, keepdims=True))
        faces.append(cap[:, ::-1] if flip else cap)
    return np.concatenate(vertices), np.concatenate(faces)
