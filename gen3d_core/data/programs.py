"""Cuboid programs: shapes as short texts of boxes, attachments and symmetries, read strictly and executed.

The language is that of ShapeAssembly (Jones, Barton, Xu, Wang, Jiang, Guerrero, Mitra, Ritchie, 2020). A program
declares its bounding box and cuboids, and then says where they are:

    Assembly Program_0 {
        bbox = Cuboid(0.6, 0.9, 0.6, True)
        cube0 = Cuboid(0.6, 0.1, 0.6, True)
        Program_1 = Cuboid(0.6, 0.4, 0.6, True)
        attach(cube0, bbox, 0.5, 1.0, 0.5, 0.5, 0.5, 0.5)
        squeeze(Program_1, bbox, cube0, bot, 0.5, 0.5)
    }

A cuboid that has the name of a further ``Assembly`` of the text is replaced by it. The language has axes of its own:
x to the right, y up, z to the front. A cuboid's length, height and width lie along them, and points on it are given
from (0, 0, 0) to (1, 1, 1). `execute` returns boxes in the engine's frame. Nothing in a text is ever run as code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .cuboid_language import (
    AXES,
    BBOX,
    FACES,
    OPPOSITE,
    TO_ENGINE,
    Array,
    Attach,
    BadProgram,
    Cuboid,
    Line,
    Program,
    Reflect,
    Squeeze,
    Translate,
)
from .cuboid_text import DEEPEST, parse, to_text

__all__ = [
    "AXES",
    "BBOX",
    "TO_ENGINE",
    "Attach",
    "BadProgram",
    "Box3",
    "Cuboid",
    "Line",
    "Program",
    "Reflect",
    "Squeeze",
    "Translate",
    "execute",
    "parse",
    "to_text",
]

MOST_BOXES = 10_000
#: An aligned cuboid grows only over gaps wider than this share of its longest side.
GAP = 0.05
#: How near 0 or 1 a coordinate is taken to be on the face.
ON_FACE = 0.05


@dataclass(frozen=True, eq=False)
class Box3:
    """A box in the engine's frame (+Z up, -Y front).

    centre: (3,); axes: (3, 3), its unit axes as columns; dims: (3,), full sizes along them; name: of its cuboid, with
    the programs it is part of, as Program_1/cube0.
    """

    centre: Array
    axes: Array
    dims: Array
    name: str = ""

    def corners(self) -> Array:
        """The eight corners, (8, 3)."""
        signs = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
        return self.centre + (signs * self.dims) @ self.axes.T


def execute(program: Program) -> list[Box3]:
    """The boxes of a program, in the engine's frame, its bounding box around the origin.

    Cuboids are placed by their first attachment. Where further attachments ask for more, aligned ones grow over gaps,
    others stretch along one axis and turn. Symmetries copy cuboids as they are at the end.

    Raises:
        BadProgram: it has too many boxes or too many levels, or its values lead to coordinates that are not finite.
    """
    if program.depth() > DEEPEST:
        raise BadProgram(f"{program.name} has {program.depth()} levels; at most {DEEPEST} were expected.")
    boxes = _execute(program, "")
    if not all(np.isfinite(box.centre).all() and np.isfinite(box.dims).all() for box in boxes):
        raise BadProgram(f"{program.name} leads to coordinates that are not finite.")
    return [Box3(TO_ENGINE @ box.centre, TO_ENGINE @ box.axes, box.dims, box.name) for box in boxes]


class _Placed:
    """A cuboid while its program is executed, in the language's axes."""

    def __init__(self, cuboid: Cuboid) -> None:
        self.name = cuboid.name
        self.aligned = cuboid.aligned
        self.dims = cuboid.dims
        self.axes: Array = np.eye(3)
        self.centre: Array = np.zeros(3)
        self.pins: list[tuple[Array, Array]] = []

    def point(self, local: Array) -> Array:
        """World position of a point (3,) given from 0 to 1."""
        return self.centre + self.axes @ ((local - 0.5) * self.dims)

    def nearest(self, point: Array) -> Array:
        """The point of the solid box that is nearest to a world position."""
        local = self.axes.T @ (point - self.centre)
        return self.centre + self.axes @ np.clip(local, -self.dims / 2, self.dims / 2)

    def attach(self, local: Array, fixed: _Placed, to: Array) -> None:
        """Brings a point of this cuboid to a point of another one, as far as earlier attachments allow."""
        target = fixed.point(to)
        if not self.pins:
            self.centre = self.centre + target - self.point(local)
        elif self.aligned:
            self._grow(self._gap(local, fixed, to))
        elif len(self.pins) == 1:
            self._stretch(local, target)
        else:
            self._twist(local, target)
        self.pins.append((local, target))

    def _gap(self, local: Array, fixed: _Placed, to: Array) -> Array:
        """What is missing along each axis between this cuboid and the other."""
        if fixed.name == BBOX:
            # Everything lies in the bounding box, so a gap is one between faces that are to meet.
            meeting = ((local <= ON_FACE) & (to <= ON_FACE)) | ((local >= 1 - ON_FACE) & (to >= 1 - ON_FACE))
            return np.where(meeting, fixed.point(to) - self.point(local), 0.0)
        mine = self.centre
        theirs = fixed.nearest(mine)
        # Projecting to and fro between two convex sets leads to their nearest points.
        for _ in range(24):
            mine = self.nearest(theirs)
            theirs = fixed.nearest(mine)
        return theirs - mine

    def _grow(self, gap: Array) -> None:
        wide = np.abs(gap) > GAP * self.dims.max()
        gap = np.where(wide, gap, 0.0)
        # The side away from the gap stays where it is.
        self.dims = self.dims + np.abs(gap)
        self.centre = self.centre + gap / 2

    def _stretch(self, local: Array, target: Array) -> None:
        """The second attachment: one side changes until the two points are as far apart as their targets."""
        first, held = self.pins[0]
        step = (local - first) * self.dims
        wanted = target - held
        length = float(np.linalg.norm(wanted))
        if length < 1e-9 or np.linalg.norm(step) < 1e-9:
            return
        best: tuple[float, int, float] | None = None
        for axis in range(3):
            room = length**2 - float(np.sum(step**2) - step[axis] ** 2)
            if abs(local[axis] - first[axis]) < 1e-3 or room <= 0:
                continue
            size = math.sqrt(room) / abs(float(local[axis] - first[axis]))
            change = abs(math.log(size / self.dims[axis]))
            if best is None or change < best[0]:
                best = change, axis, size
        if best is not None:
            self.dims[best[1]] = best[2]
            step = (local - first) * self.dims
        self.axes = _turn(self.axes @ step, wanted) @ self.axes
        self._seat(first, held)

    def _twist(self, local: Array, target: Array) -> None:
        """A further attachment: a turn about the line through the first two brings the point as near as it can."""
        (first, held), (second, _) = self.pins[:2]
        line = self.axes @ ((second - first) * self.dims)
        length = float(np.linalg.norm(line))
        if length < 1e-9:
            return
        line = line / length
        arm, aim = self.point(local) - held, target - held
        arm, aim = arm - line * (arm @ line), aim - line * (aim @ line)
        if np.linalg.norm(arm) < 1e-3 * self.dims.max() or np.linalg.norm(aim) < 1e-3 * self.dims.max():
            return
        angle = math.atan2(float(np.cross(arm, aim) @ line), float(arm @ aim))
        self.axes = _rotation(line, angle) @ self.axes
        self._seat(first, held)

    def _seat(self, local: Array, held: Array) -> None:
        self.centre = held - self.axes @ ((local - 0.5) * self.dims)


def _execute(program: Program, path: str) -> list[Box3]:
    """Boxes in the language's axes, the bounding box around the origin."""
    placed = {BBOX: _Placed(program.bbox)}
    copies: dict[str, list[Callable[[Box3], Box3]]] = {}
    for line in program.lines:
        if isinstance(line, Cuboid):
            placed[line.name] = _Placed(line)
        elif isinstance(line, Attach):
            placed[line.moved].attach(np.array(line.at), placed[line.fixed], np.array(line.to))
        elif isinstance(line, Squeeze):
            near, far = _ends(line)
            placed[line.moved].attach(near.at, placed[line.first], near.to)
            placed[line.moved].attach(far.at, placed[line.second], far.to)
        elif isinstance(line, Reflect):
            copies.setdefault(line.name, []).append(_mirror(AXES[line.axis]))
        else:
            step = np.zeros(3)
            step[AXES[line.axis]] = line.distance * program.bbox.dims[AXES[line.axis]] / line.copies
            copies.setdefault(line.name, []).extend(_shift(step * i) for i in range(1, line.copies + 1))
    boxes: list[Box3] = []
    for cuboid in program.cuboids:
        body = placed[cuboid.name]
        name = f"{path}{cuboid.name}"
        child = program.children.get(cuboid.name)
        if child is None:
            own = [Box3(body.centre, body.axes, body.dims, name)]
        else:
            own = [_inside(box, child.bbox.dims, body) for box in _execute(child, f"{name}/")]
        boxes += own
        for copy in copies.get(cuboid.name, ()):
            boxes += [copy(box) for box in own]
            if len(boxes) > MOST_BOXES:
                raise BadProgram(f"{program.name} leads to more than {MOST_BOXES} boxes.")
    return boxes


@dataclass(frozen=True, eq=False)
class _End:
    at: Array
    to: Array


def _ends(line: Squeeze) -> tuple[_End, _End]:
    """The two attachments that a squeeze stands for."""

    def end(face: str, other: str) -> _End:
        axis, place = FACES[face]
        at = np.full(3, 0.5)
        at[axis] = place
        to = np.insert(np.array([line.u, line.v]), axis, place if other == BBOX else 1 - place)
        return _End(at, to)

    return end(line.face, line.first), end(OPPOSITE[line.face], line.second)


def _mirror(axis: int) -> Callable[[Box3], Box3]:
    signs = np.ones(3)
    signs[axis] = -1

    def copy(box: Box3) -> Box3:
        # Mirrored on both sides, the axes stay right-handed.
        return Box3(box.centre * signs, signs[:, None] * box.axes * signs, box.dims, box.name)

    return copy


def _shift(offset: Array) -> Callable[[Box3], Box3]:
    return lambda box: Box3(box.centre + offset, box.axes, box.dims, box.name)


def _inside(box: Box3, bbox: Array, parent: _Placed) -> Box3:
    """A box of a child in the place of its parent, whose cuboid may have grown."""
    scale = parent.dims / bbox
    stretched = scale[:, None] * box.axes
    lengths = np.linalg.norm(stretched, axis=0)
    # An uneven scale makes a turned box a slanted one; the nearest upright axes are kept.
    left, _, right = np.linalg.svd(stretched / lengths)
    return Box3(
        parent.centre + parent.axes @ (scale * box.centre), parent.axes @ left @ right, box.dims * lengths, box.name
    )


def _turn(start: Array, end: Array) -> Array:
    """The smallest rotation that takes one direction to another."""
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(a, b)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        if a @ b > 0:
            return np.eye(3)
        axis = np.cross(a, np.eye(3)[int(np.argmin(np.abs(a)))])
        return _rotation(axis / np.linalg.norm(axis), math.pi)
    return _rotation(axis / sine, math.atan2(sine, float(a @ b)))


def _rotation(axis: Array, angle: float) -> Array:
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
