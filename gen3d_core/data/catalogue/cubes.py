"""Every part of a shape as one and the same cube, deformed: meshes in correspondence, as SDM-NET learns from.

Gao, Yang, Wu, Yuan, Fu, Lai and Zhang, *SDM-NET: Deep Generative Network for Structured Deformable Mesh*, 2019, fits a
box to each part by non-rigid registration; a part of the catalogue is a loft, so that its cube is known. The sides of
the cube run around the rings between the four corners that a solid names, from one rim to the other. A rim lies where
the surface turns from a cap to the side, in the middle of a rounded edge. The squares of a cap's grid follow the rings
from the rim to the cap's flat middle, and that is a Coons patch.

The cube of a part is turned so that its faces look as nearly as they can along the axes of the shape: its +z face is
the upper one of a seat and of a leg.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .lofts import Loft, perimeter
from .shape import settled
from .solids import Mesh, Solid

if TYPE_CHECKING:
    from .shape import Shape

#: The faces of the cube, in the order of `Template.patches`.
FACES = ("-x", "+x", "-y", "+y", "-z", "+z")
#: For each of them: its axis, its end, and the axes that run to the right and up seen from outside (from 1, signed).
SIDES = ((0, 0, -2, 3), (0, 1, 2, 3), (1, 0, 1, 3), (1, 1, -1, 3), (2, 0, 1, -2), (2, 1, 1, 2))


@dataclass(frozen=True, eq=False)
class Template:
    """The surface of a cube as a grid.

    vertices: with shape (V, 3), from -0.5 to 0.5, V = 6 n^2 + 2; quads: (6 n^2, 4), counter-clockwise seen from
    outside, n^2 for each of `FACES`; patches: (6, n + 1, n + 1), the vertices of each face, [column, row]: columns run
    to the right and rows upward seen from outside.
    """

    vertices: NDArray[np.float32]
    quads: NDArray[np.int32]
    patches: NDArray[np.int32]

    @property
    def faces(self) -> NDArray[np.int32]:
        """The quads as triangles, with shape (12 n^2, 3)."""
        return np.concatenate([self.quads[:, [0, 1, 2]], self.quads[:, [0, 2, 3]]])


@dataclass(frozen=True, eq=False)
class Cubes:
    """The parts of a shape as deformed cubes.

    template: the cube that all share; vertices: with shape (P, V, 3), in model units, on the surfaces of the parts;
    labels, names: of the parts, in their order.
    """

    template: Template
    vertices: NDArray[np.float32]
    labels: tuple[str, ...]
    names: tuple[str, ...]

    def mesh(self, part: int) -> Mesh:
        """The closed, outward-oriented mesh of one part."""
        return Mesh(self.vertices[part], self.template.faces)


def cubes(shape: Shape, n: int = 8) -> Cubes:
    """The parts of a shape as cubes with `n` by `n` quads a side, n at least 2."""
    grid = template(n)
    placed = np.stack([_deformed(part.solid, n) for part in shape.parts])
    labels, names = zip(*((part.label, part.name) for part in shape.parts), strict=True)
    return Cubes(grid, placed, labels, names)


@cache
def template(n: int) -> Template:
    """The cube with `n` by `n` quads a side; raises ValueError where n is below 2."""
    if n < 2:
        raise ValueError(f"a cube with {n} quads along an edge was asked for; 2 or more were expected")
    index = _index(n)
    patches = []
    for _, end, right, up in SIDES:
        steps = np.arange(n + 1)
        place: list[NDArray[np.int64]] = [np.full((n + 1, n + 1), end * n)] * 3
        place[abs(right) - 1] = np.broadcast_to((steps if right > 0 else steps[::-1])[:, None], (n + 1, n + 1))
        place[abs(up) - 1] = np.broadcast_to(steps if up > 0 else steps[::-1], (n + 1, n + 1))
        patches.append(index[tuple(place)])
    quads = [np.stack([p[:-1, :-1], p[1:, :-1], p[1:, 1:], p[:-1, 1:]], axis=-1).reshape(-1, 4) for p in patches]
    vertices = (_lattice(n) / n - 0.5).astype(np.float32)
    return Template(vertices, np.concatenate(quads).astype(np.int32), np.stack(patches).astype(np.int32))


@cache
def _lattice(n: int) -> NDArray[np.int64]:
    """Points (V, 3) with whole coordinates on the surface of the cube from 0 to n, in lexicographic order."""
    points = np.stack(np.meshgrid(*[np.arange(n + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return points[((points == 0) | (points == n)).any(1)]


@cache
def _index(n: int) -> NDArray[np.int64]:
    """The number of each point of the lattice, with shape (n + 1, n + 1, n + 1); -1 inside."""
    lattice = _lattice(n)
    index = np.full((n + 1,) * 3, -1)
    index[tuple(lattice.T)] = np.arange(len(lattice))
    return index


@cache
def _orders(n: int) -> tuple[tuple[NDArray[np.float64], NDArray[np.intp]], ...]:
    """The 24 turns of the cube: each as a matrix (3, 3), and where the turned template finds its points (V,)."""
    lattice, index = _lattice(n), _index(n)
    turns = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            matrix = np.eye(3)[list(order)] * np.array(signs)[:, None]
            if np.linalg.det(matrix) > 0:
                centred = (2 * lattice - n) @ matrix
                turns.append((matrix, index[tuple(((centred + n) / 2).round().astype(int).T)]))
    return tuple(turns)


def _deformed(solid: Solid, n: int) -> NDArray[np.float32]:
    """The template's vertices (V, 3) on the surface of a solid, turned to the axes of the world."""
    loft = Loft(solid)
    lattice = _lattice(n)
    across = 2 * lattice[:, :2] / n - 1
    placed = np.empty((len(lattice), 3))
    side = np.abs(across).max(1) == 1
    placed[side] = loft.side(perimeter(across[side]), lattice[side, 2], n)
    for end, level in ((0, 0), (1, n)):
        mine = ~side & (lattice[:, 2] == level)
        placed[mine] = loft.cap(end, across[mine])
    # Of the 24 ways to name the cube's faces, the one that looks most like the axes of the shape.
    middles = [[placed[lattice[:, axis] == end].mean(0) for end in (0, n)] for axis in range(3)]
    axes = np.array([high - low for low, high in middles])
    axes /= np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-9)
    best, order = -np.inf, np.arange(len(lattice))
    for matrix, places in _orders(n):
        likeness = float(np.trace(matrix @ axes))
        if likeness > best + 1e-3:
            best, order = likeness, places
    points = placed[order].astype(np.float32)
    return settled(solid, points).points
