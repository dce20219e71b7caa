"""One mesh for all creatures: a tube with twelve limbs, laid along a creature's axes and drawn tight onto its surface.

The tube runs along the stem in rings of 16 vertices and ends in grids of 4 by 4 quads. Twelve blocks of 2 by 2 quads,
two of them in the end grids, are the roots of limbs: from the eight vertices around a block, rings run along the limb's
axis, and the block's middle vertex is the limb's tip. A limb that a creature does not have stays a patch, its rings
lying within one another.

Vertices start where rays from the axes leave the solids. Then, in turns, every vertex moves along the surface towards
the middle of its neighbours, which spreads them evenly and unfolds what overlaps at the joints, and back onto the
surface along the gradient of the signed distance. Tips stay at the ends of their limbs, and the rings of a limb are
held near their first places, the outer ones the more, lest they creep towards the body.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .members import rod
from .profiles import Array

Field = Callable[[Array], NDArray[np.float32]]

#: Vertices of a ring around the stem, and how many rings there are.
AROUND, ROWS = 16, 21
#: The limbs: the row and the place around (0 is the left, 4 the top) of the middle of their block, and their rings.
#: A row of -1 is the grid at the rump, ROWS that at the brow.
LIMBS: dict[str, tuple[int, int, int]] = {
    "left hind leg": (2, 14, 8),
    "right hind leg": (2, 10, 8),
    "left fore leg": (8, 14, 8),
    "right fore leg": (8, 10, 8),
    "left wing": (8, 1, 7),
    "right wing": (8, 7, 7),
    "left ear": (15, 2, 4),
    "right ear": (15, 6, 4),
    "left horn": (18, 2, 4),
    "right horn": (18, 6, 4),
    "tail": (-1, 0, 8),
    "snout": (ROWS, 0, 6),
}
#: Landmarks on the stem: row and place around.
MARKS = {"back": (5, 4), "belly": (5, 12), "nape": (11, 4), "throat": (11, 12), "crown": (16, 4), "chin": (18, 12)}
#: Turns of spreading and drawing tight, and how far a vertex goes towards the middle of its neighbours.
TURNS, SHARE = 40, 0.7
#: How firmly the stem's vertices are held at their first places, from 0 to 1.
HOLD = 0.02
#: Vertices deeper in the creature than this are not held, in model units.
DEEP = 0.004
#: Points of an axis, and how widely its corners are rounded, in radii of the limb.
FINE, ROUND = 48, 0.8
#: The farthest that one step moves a vertex along the gradient, in model units.
STEP = 0.03


@dataclass(frozen=True, eq=False)
class Registered:
    """A closed, outward-oriented surface whose vertices correspond to those of all others of its kind.

    vertices: with shape (V, 3), in model units, on the surface; faces: (F, 3), always the same; landmarks: vertices by
    name: the tips of the limbs (the middle of its patch, where a limb is missing) and some on the stem.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    landmarks: dict[str, int]


@dataclass(frozen=True, eq=False)
class Cage:
    """The connectivity: faces (F, 3); rows (ROWS, 16); grids (2, 5, 5) at the rump and at the brow, their edges being
    rings; roots: the eight vertices around each limb's block; rings: (n, 8) for each limb; tips: one for each limb."""

    count: int
    faces: NDArray[np.int32]
    rows: NDArray[np.int64]
    grids: NDArray[np.int64]
    roots: dict[str, NDArray[np.int64]]
    rings: dict[str, NDArray[np.int64]]
    tips: dict[str, int]


@cache
def cage() -> Cage:
    """The connectivity that all creatures share."""
    rows = np.arange(ROWS * AROUND).reshape(ROWS, AROUND)
    count = rows.size
    grids = np.empty((2, 5, 5), np.int64)
    border = _border(5)
    for end in (0, 1):
        grids[end][tuple(border.T)] = rows[-end]
        grids[end, 1:4, 1:4] = count + np.arange(9).reshape(3, 3)
        count += 9
    quads, roots, rings, tips = [], {}, {}, {}
    blocks = set()
    for name, (row, place, number) in LIMBS.items():
        if 0 <= row < ROWS:
            block = rows[row - 1 : row + 2][:, (place + np.arange(-1, 2)) % AROUND]
            blocks |= {(row - 1 + i, (place - 1 + j) % AROUND) for i in (0, 1) for j in (0, 1)}
        else:
            # Seen from outside, the rump's grid runs the other way round.
            block = grids[int(row == ROWS), 1:4, 1:4] if row == ROWS else grids[0, 1:4, 1:4][::-1]
        loop = block[tuple(_border(3).T)]
        if 0 <= row < ROWS:
            loop = loop[::-1]
        roots[name], tips[name] = loop, int(block[1, 1])
        rings[name] = count + np.arange(number * 8).reshape(number, 8)
        count += number * 8
        tube = np.concatenate([loop[None], rings[name]])
        turned = np.roll(tube, -1, axis=1)
        quads += list(np.stack([tube[:-1], turned[:-1], turned[1:], tube[1:]], -1).reshape(-1, 4))
        last = rings[name][-1]
        quads += [np.array([tips[name], last[k - 1], last[k], last[(k + 1) % 8]]) for k in (0, 2, 4, 6)]
    for row in range(ROWS - 1):
        for place in range(AROUND):
            if (row, place) not in blocks:
                after = (place + 1) % AROUND
                quads.append(rows[[row, row, row + 1, row + 1], [place, after, after, place]])
    for end in (0, 1):
        for i in range(4):
            for j in range(4):
                if i in (0, 3) or j in (0, 3):
                    quad = grids[end][[i, i + 1, i + 1, i], [j, j, j + 1, j + 1]]
                    quads.append(quad if end else quad[::-1])
    cells = np.array(quads)
    faces = np.concatenate([cells[:, [0, 1, 2]], cells[:, [0, 2, 3]]]).astype(np.int32)
    return Cage(count, faces, rows, grids, roots, rings, tips)


def _border(side: int) -> NDArray[np.int64]:
    """Places (4 (side - 1), 2) along the edge of a square grid, counter-clockwise from the middle of its last row."""
    last, middle = side - 1, (side - 1) // 2
    steps = np.arange(last)
    loop = np.concatenate(
        [
            np.stack([np.full(last, last), steps], 1),
            np.stack([last - steps, np.full(last, last)], 1),
            np.stack([np.zeros(last, int), last - steps], 1),
            np.stack([steps, np.zeros(last, int)], 1),
        ]
    )
    return np.roll(loop, -middle, axis=0)


def wrapped(stem: Array, limbs: dict[str, Array], surface: Field) -> Registered:
    """The cage on the surface of a creature.

    stem: joints (6, 4) with positions and radii, from the rump to the brow; limbs: joints (N, 4) of those of `LIMBS`
    that are there, from inside the stem to the tip; surface: the signed distance to the creature at points (N, 3).
    """
    net = cage()
    vertices = np.zeros((net.count, 3))
    trunk = _Axis(stem)
    trunk.place_rows(vertices, net, limbs)
    axes = {name: _Axis(joints) for name, joints in limbs.items()}
    for name, axis in axes.items():
        _place_limb(vertices, net, name, axis, [trunk, *(other for other in axes.values() if other is not axis)])
    missing = [name for name in LIMBS if name not in limbs]
    vertices = _tightened(vertices, net, _holds(net, limbs), missing, surface)
    marks = dict(net.tips) | {name: int(net.rows[place]) for name, place in MARKS.items()}
    return Registered(vertices.astype(np.float32), net.faces, marks)


class _Axis:
    """A chain of joints (N, 4), as solids and as a curve with length that rounds the joints' corners."""

    def __init__(self, joints: Array) -> None:
        self.joints = joints
        lengths = np.linalg.norm(np.diff(joints[:, :3], axis=0), axis=1)
        self.places = np.concatenate([[0.0], np.cumsum(lengths)])
        self.rods = [rod(a[:3], b[:3], float(a[3]), float(b[3])) for a, b in pairwise(joints)]
        self._fine = np.linspace(0, self.places[-1], FINE)
        self._points = np.stack([np.interp(self._fine, self.places, column) for column in joints.T[:3]], 1)
        # Every pass spreads a corner by half a squared step.
        for _ in range(int(2 * (ROUND * joints[:, 3].mean() / self._fine[1]) ** 2)):
            inner = self._points[1:-1]
            self._points[1:-1] = (self._points[:-2] + 2 * inner + self._points[2:]) / 4
        ways = np.gradient(self._points, axis=0)
        self._ways = ways / np.linalg.norm(ways, axis=1, keepdims=True)

    def point(self, along: Array) -> Array:
        """Positions (N, 3) at lengths along the axis; before and after its ends it goes on straight."""
        inner = np.clip(along, 0, self.places[-1])
        points = np.stack([np.interp(inner, self._fine, column) for column in self._points.T], 1)
        ends = np.where(along[:, None] < 0, self._ways[:1], self._ways[-1:])
        return points + (along - inner)[:, None] * ends

    def way(self, along: Array) -> Array:
        """Unit directions (N, 3) of the axis."""
        ways = np.stack([np.interp(along, self._fine, column) for column in self._ways.T], 1)
        return ways / np.linalg.norm(ways, axis=1, keepdims=True)

    def distance(self, points: Array) -> Array:
        """Signed distance to the union of the chain."""
        return np.min([solid.sdf(points) for solid in self.rods], axis=0)

    def place_rows(self, vertices: Array, net: Cage, limbs: dict[str, Array]) -> None:
        """Put the rings and grids of the stem where rays from the axis leave it."""
        along = self._stations(limbs)
        ways = self.way(along)
        up = np.cross(ways, np.array([1.0, 0.0, 0.0]))
        turn = 2 * math.pi * np.arange(AROUND) / AROUND
        rays = np.cos(turn)[None, :, None] * np.array([1.0, 0, 0]) + np.sin(turn)[None, :, None] * up[:, None]
        starts = np.repeat(self.point(along), AROUND, axis=0)
        vertices[net.rows.ravel()] = cast(self.distance, starts, rays.reshape(-1, 3))
        cells = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), -1).reshape(-1, 2)
        for end in (0, 1):
            level = -end
            centre, way = self.point(along[[level]])[0], (2 * end - 1) * ways[level]
            # Half way from the pole to the rim, a ball's square grid has its inner ring.
            tilt = np.abs(cells).max(1) * math.pi / 4
            across = cells[:, :1] * np.array([1.0, 0, 0]) + cells[:, 1:] * up[level]
            across = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
            rays = np.cos(tilt)[:, None] * way + np.sin(tilt)[:, None] * across
            vertices[net.grids[end, 1:4, 1:4].ravel()] = cast(self.distance, np.tile(centre, (9, 1)), rays)

    def _stations(self, limbs: dict[str, Array]) -> Array:
        """Lengths along the axis (ROWS,) of the rings, so that the blocks lie where their limbs are."""
        _, _, chest, _, poll, brow = self.places
        rump_radius, chest_radius, head_radius = self.joints[[0, 2, 4], 3]
        hip, shoulder = 0.10 * chest, 0.94 * chest
        roots = (("left hind leg", rump_radius), ("left fore leg", chest_radius))
        hind, fore = (min(limbs[name][0, 3] if name in limbs else 0.4 * r, 0.28 * chest) for name, r in roots)
        known = {
            0: min(hip - 1.6 * hind, -0.45 * rump_radius),
            1: hip - hind,
            2: hip,
            3: hip + hind,
            7: shoulder - fore,
            8: shoulder,
            9: shoulder + fore,
            14: poll - 0.5 * head_radius,
            15: poll,
            16: poll + 0.3 * (brow - poll) + 0.05 * head_radius,
            18: poll + 0.65 * (brow - poll) + 0.1 * head_radius,
            20: brow + 0.35 * head_radius,
        }
        along = np.interp(np.arange(ROWS), list(known), list(known.values()))
        return np.maximum.accumulate(along + 1e-4 * np.arange(ROWS))


def cast(distance: Field, starts: Array, rays: Array) -> Array:
    """Where rays (N, 3) from points (N, 3) inside a solid first leave it."""
    reach = np.zeros(len(starts))
    for _ in range(40):
        reach += np.maximum(-distance(starts + reach[:, None] * rays), 0)
    return starts + reach[:, None] * rays


def _turned(vectors: Array, start: Array, end: Array) -> Array:
    """Vectors (N, 3) turned the shortest way that takes one unit direction to another."""
    axis, cosine = np.cross(start, end), float(start @ end)
    crossed = np.cross(axis, vectors)
    return vectors + crossed + np.cross(axis, crossed) / max(1 + cosine, 1e-6)


def _place_limb(vertices: Array, net: Cage, name: str, axis: _Axis, others: list[_Axis]) -> None:
    """Put the rings of a limb around its axis, from where each of its eight sides leaves all others to its tip."""
    along = np.linspace(0, axis.places[-1], FINE)
    centres, ways = axis.point(along), axis.way(along)
    loop = vertices[net.roots[name]]
    spokes = loop - loop.mean(0)
    outward = np.cross(spokes, np.roll(spokes, -1, axis=0)).sum(0)
    outward /= np.linalg.norm(outward)
    flat = spokes - (spokes @ outward)[:, None] * outward
    rays = [_turned(flat / np.linalg.norm(flat, axis=1, keepdims=True), outward, ways[0])]
    for before, after in pairwise(ways):
        rays.append(_turned(rays[-1], before, after))
    sides = cast(axis.distance, np.repeat(centres, 8, axis=0), np.concatenate(rays)).reshape(FINE, 8, 3)
    gap = np.min([other.distance(sides.reshape(-1, 3)) for other in others], axis=0)
    inside = gap.reshape(FINE, 8) < 0
    # The place behind the last one inside, but not so near the tip that no room is left for the rings.
    start = np.minimum((inside * np.arange(1, FINE + 1)[:, None]).max(0), 0.8 * FINE)
    rings = [net.roots[name], *net.rings[name][:-1]]
    for k, ring in enumerate(rings):
        place = np.clip(start + (FINE - 1 - start) * k / (len(rings) - 1), 0, FINE - 1.001)
        low = place.astype(int)
        share = (place - low)[:, None]
        which = np.arange(8)
        vertices[ring] = (1 - share) * sides[low, which] + share * sides[low + 1, which]
    # The last ring and the tip lie on the ball at the end.
    end, radius, way = axis.joints[-1, :3], axis.joints[-1, 3], ways[-1]
    vertices[net.rings[name][-1]] = end + radius * math.sqrt(0.5) * (rays[-1] + way)
    vertices[net.tips[name]] = end + radius * way


def _place_patch(vertices: Array, net: Cage, name: str) -> None:
    """Put the rings of a limb that is missing within one another, around the middle of its block, on no surface yet."""
    loop, rings = vertices[net.roots[name]], net.rings[name]
    middle = loop.mean(0)
    shares = np.arange(len(rings), 0, -1)[:, None, None] / (len(rings) + 1)
    vertices[rings] = middle + shares * (loop - middle)
    vertices[net.tips[name]] = middle


def _holds(net: Cage, limbs: Collection[str]) -> Array:
    """How firmly each vertex is held where it was placed, (V, 1) from 0 to 1: the more the farther out on a limb."""
    hold = np.full((net.count, 1), HOLD)
    for name, rings in net.rings.items():
        hold[net.roots[name]] = 0.0
        if name in limbs:
            hold[rings] = np.minimum(0.12 * np.arange(len(rings)), 0.36)[:, None, None]
            hold[net.tips[name]] = 1.0
    return hold


def _tightened(vertices: Array, net: Cage, hold: Array, missing: list[str], surface: Field) -> Array:
    """The vertices spread evenly on the surface; those held with 1 stay at their places, patches follow their edges."""
    pairs = np.concatenate([net.faces[:, [0, 1]], net.faces[:, [1, 2]], net.faces[:, [2, 0]]])
    degree = np.bincount(pairs[:, 0], minlength=net.count)[:, None]
    neighbours = pairs[np.argsort(pairs[:, 0], kind="stable"), 1]
    starts = np.concatenate([[0], np.cumsum(degree)[:-1]])
    # What lies within the creature, as the stem's vertices below a thick limb do, has no good place yet.
    loose = np.concatenate([net.rows.ravel(), net.grids.ravel()])
    hold[loose] = np.where(surface(vertices[loose].astype(np.float32))[:, None] < -DEEP, 0.0, hold[loose])
    placed = vertices.copy()
    for _ in range(TURNS):
        for name in missing:
            _place_patch(vertices, net, name)
        vertices = _drawn_tight(vertices, surface)
        mean = np.add.reduceat(vertices[neighbours], starts, axis=0) / degree
        vertices = vertices + SHARE * ((1 - hold) * mean + hold * placed - vertices)
    for name in missing:
        _place_patch(vertices, net, name)
    for _ in range(3):
        vertices = _drawn_tight(vertices, surface)
    return vertices


def _drawn_tight(points: Array, surface: Field) -> Array:
    """Points (N, 3) moved towards the surface along the gradient of its distance, by `STEP` at most."""
    offsets = 1e-3 * np.array([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
    values = surface((points[:, None] + offsets).reshape(-1, 3).astype(np.float32)).reshape(-1, 4).astype(float)
    gradient = values @ offsets
    gradient /= np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-12)
    return points - np.clip(values.mean(1), -STEP, STEP)[:, None] * gradient
