"""A catalogue shape: named parts, and every representation that models learn from.

Occupancy, signed distances and surface points are computed here; all else in a module of its own, which is imported
when it is asked for.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .names import named
from .profiles import Array
from .solids import Mesh, Solid

if TYPE_CHECKING:
    from ..programs import Program
    from ..views import View
    from .creature import Registered
    from .cubes import Cubes
    from .distances import Samples
    from .lowpoly import LowPoly
    from .textures import Textured

_SURFACE_BATCH = 1.5
_STEP = 1e-3
_SLACK = 1e-3


@dataclass(frozen=True, eq=False)
class Part:
    """One member: `label` says what it is for (leg, seat, back, top, wing ...), `solid` is its geometry.

    name: which of its kind it is ("front left leg"), unique within the shape, which fills it in where it is empty.
    """

    label: str
    solid: Solid
    name: str = ""


def generator(name: str, *seeds: int) -> np.random.Generator:
    """Random numbers that depend on the name and the seeds alone, the same in every process and on every platform."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([zlib.crc32(name.encode()), *seeds])))


@dataclass(frozen=True, eq=False)
class Shape:
    """A shape of the catalogue, centred at the origin with its longest side 0.9.

    parameters: the values it was built from, as documented in its category's module.
    """

    category: str
    seed: int
    parameters: dict[str, float | str | int]
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", named(self.parts))

    @cached_property
    def _boxes(self) -> list[Array]:
        return [part.solid.bounds() for part in self.parts]

    def bounds(self) -> Array:
        """Bounding box, (2, 3): lowest and highest corner."""
        boxes = np.array(self._boxes)
        return np.stack([boxes[:, 0].min(0), boxes[:, 1].max(0)])

    def sdf(self, points: Array) -> NDArray[np.float32]:
        """Signed distance at points (N, 3), as (N,) in model units, negative inside: the smallest over the parts."""
        _check_points(points)
        x, y, z = np.ascontiguousarray(points.T, dtype=np.float32)
        result = np.full(len(points), np.inf, np.float32)
        for part in self.parts:
            np.minimum(result, part.solid.distance(x, y, z), out=result)
        return result

    def sdf_grid(self, resolution: int, truncation: float = 0.1) -> NDArray[np.float32]:
        """Signed distances at the cell centres of a grid, (R, R, R) indexed [x, y, z], clamped to +-truncation.

        Each part is evaluated only where it is nearer than `truncation`.
        """
        if truncation < 0:
            raise ValueError(f"truncation is {truncation}; a distance of 0 or more was expected")
        if resolution < 1:
            raise ValueError(f"resolution is {resolution}; a positive number of cells per side was expected")
        centres = ((np.arange(resolution) + 0.5) / resolution - 0.5).astype(np.float32)
        grid = np.full((resolution,) * 3, max(truncation, 1e-6), np.float32)
        for part, box in zip(self.parts, self._boxes, strict=True):
            first = np.searchsorted(centres, box[0] - truncation - _SLACK)
            last = np.searchsorted(centres, box[1] + truncation + _SLACK)
            cells = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
            if any(a >= b for a, b in zip(first, last, strict=True)):
                continue
            x, y, z = (centres[cell] for cell in cells)
            block = grid[cells]
            np.minimum(block, part.solid.distance(x[:, None, None], y[None, :, None], z[None, None, :]), out=block)
        return np.maximum(grid, -truncation, out=grid) if truncation > 0 else grid

    def voxels(self, resolution: int) -> NDArray[np.bool_]:
        """Solid occupancy at the cell centres of a grid, (R, R, R) indexed [x, y, z]."""
        return self.sdf_grid(resolution, truncation=0.0) < 0

    def surface(self, count: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Points spread evenly by area over the surface of the union, and the outward normals there.

        count: number of points; seed: 0 or more, another seed gives other points. Returns two arrays (count, 3).
        """
        if count < 0:
            raise ValueError(f"count is {count}; a number of points of 0 or more was expected")
        random = generator(f"surface {self.category}", self.seed, seed)
        meshes = self.parts_mesh()
        corners = np.concatenate([mesh.vertices[mesh.faces] for mesh in meshes]).astype(np.float32)
        owner = np.repeat(np.arange(len(meshes)), [len(mesh.faces) for mesh in meshes])
        edges = corners[:, 1:] - corners[:, :1]
        summed = np.cumsum(np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1).astype(np.float64))
        found: list[tuple[Array, Array]] = []
        missing = count
        while missing > 0:
            draws = random.random((int(missing * _SURFACE_BATCH) + 64, 3))
            face = np.searchsorted(summed, draws[:, 0] * summed[-1], side="right").clip(max=len(summed) - 1)
            u, v = np.sqrt(draws[:, 1:2]), draws[:, 2:3]
            points = (corners[face, 0] + edges[face, 0] * (u * (1 - v)) + edges[face, 1] * (u * v)).astype(np.float32)
            points, normals = self._settle(points, owner[face])
            keep = self._exposed(points, owner[face])
            found.append((points[keep][:missing], normals[keep][:missing]))
            missing -= len(found[-1][0])
        if not found:
            return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)
        return np.concatenate([p for p, _ in found]), np.concatenate([n for _, n in found])

    def parts_mesh(self) -> list[Mesh]:
        """A closed, outward-oriented mesh of every part, in the order of `parts`."""
        return [part.solid.mesh() for part in self.parts]

    def mesh(self) -> Mesh:
        """The closed, outward-oriented surface of the union of the parts."""
        from .union import union

        return union(self)

    def samples(self, count: int, near: int, seed: int = 0) -> Samples:
        """Exact signed distances at `count` points evenly in the cube and `near` points near the surface."""
        from .distances import samples

        return samples(self, count, near, seed)

    def cubes(self, n: int = 8) -> Cubes:
        """Every part as the same cube of `n` by `n` quads a side, deformed."""
        from .cubes import cubes

        return cubes(self, n)

    def program(self) -> Program:
        """The oriented boxes of the parts as a program of cuboids, attachments and symmetries."""
        from .cuboids import program

        return program(self)

    def lowpoly(self, most: int = 100) -> LowPoly:
        """A mesh of polygons with at most `most` vertices."""
        from .lowpoly import lowpoly

        return lowpoly(self, most)

    def textured(self, size: int = 64, n: int = 8) -> Textured:
        """The deformed cubes with a picture of `size` by `size` texels, RGBA, on each of their six faces."""
        from .textures import textured

        return textured(self, size, n)

    def views(self, count: int, size: int = 64, seed: int = 0) -> list[View]:
        """Pictures with `size` pixels a side, depths and cameras from `count` sides."""
        from ..views import views

        return views(self, count, size, seed)

    def attributes(self) -> dict[str, str | int]:
        """What can be said about the shape, in a closed vocabulary."""
        from .words import attributes

        return attributes(self)

    def sentence(self) -> str:
        """The shape described in one sentence, in a closed vocabulary."""
        from .words import sentence

        return sentence(self)

    def registered(self) -> Registered:
        """The shape as one surface without holes, in correspondence with all others of its category, with landmarks.

        Raises ValueError for a category whose shapes do not correspond.
        """
        if self.category != "creature":
            raise ValueError(
                f"a {self.category} has no registered surface: only creatures correspond vertex by vertex; use mesh()"
            )
        from .creature import registered

        return registered(self)

    def _settle(self, points: Array, owner: NDArray[np.integer]) -> tuple[Array, Array]:
        """Move points (N, 3) from the flat faces onto the curved surface of their own part; also its normals."""
        points, normals = points.copy(), np.zeros_like(points)
        for index, part in enumerate(self.parts):
            mine = np.flatnonzero(owner == index)
            if len(mine):
                found = settled(part.solid, points[mine])
                points[mine], normals[mine] = found.points, found.normals
        return points, normals

    def _exposed(self, points: Array, owner: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which points (N, 3) of part surfaces lie on the surface of the union; faces shared by parts count once."""
        keep = np.ones(len(points), bool)
        for index, (part, box) in enumerate(zip(self.parts, self._boxes, strict=True)):
            near = (owner != index) & ((points > box[0] - _SLACK) & (points < box[1] + _SLACK)).all(1)
            chosen = np.flatnonzero(near)
            if len(chosen):
                limit = np.where(index < owner[chosen], 1e-5, -1e-5)
                keep[chosen] &= part.solid.sdf(points[chosen]) >= limit
        return keep


@dataclass(frozen=True, eq=False)
class Settled:
    """Points on the surface of a solid and the outward unit normals there, each with shape (N, 3)."""

    points: NDArray[np.float32]
    normals: NDArray[np.float32]


def settled(solid: Solid, points: Array) -> Settled:
    """Points (N, 3) near the surface of a solid, moved onto it along the gradient of its distance."""
    offsets = np.array([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]], np.float32)
    around = points[:, None] + _STEP * offsets
    normals = solid.sdf(around.reshape(-1, 3)).reshape(-1, 4) @ offsets
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return Settled(points - solid.sdf(points)[:, None] * normals, normals)


def normalised(parts: list[Part], longest: float) -> tuple[list[Part], float]:
    """Parts centred at the origin and scaled until the longest side of their bounding box is `longest`.

    Returns the parts and the scale.
    """
    boxes = np.array([part.solid.bounds() for part in parts])
    low, high = boxes[:, 0].min(0), boxes[:, 1].max(0)
    scale = longest / float((high - low).max())
    offset = -scale * (low + high) / 2
    return [replace(part, solid=part.solid.placed(scale, offset)) for part in parts], scale


def _check_points(points: Array) -> None:
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points have shape {points.shape}; an array (N, 3) was expected")
