"""A shape as a cuboid program: the oriented boxes of its parts, placed by attachments, with its symmetries said once.

The language is that of ShapeAssembly (Jones et al., 2020) as `data.programs` executes it. The program starts from the
part that touches most others and goes on to what touches the parts that are placed already, so every cuboid is attached
where it touches; the outer end of a slanted one is held by what it stands on, or by a point of the bounding box.
Executed, the program gives back the boxes it was made from.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..programs import AXES, BBOX, TO_ENGINE, Attach, Box3, Cuboid, Line, Program, Reflect, Translate
from .solids import Solid

if TYPE_CHECKING:
    from .shape import Shape

Array = NDArray[np.float64]

#: Boxes and copies that differ by less are equal, in model units.
SAME = 1e-3
#: Axes that differ by less from those of the bounding box are called aligned.
STRAIGHT = 1e-3
#: Signs and orders of axes that leave them right-handed.
_TURNS = [
    np.eye(3)[:, list(order)] * np.array(signs)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
    if np.linalg.det(np.eye(3)[:, list(order)] * np.array(signs)) > 0
]
#: Places on a cuboid that are tried as points of attachment, (K, 3), ends and middles of sides first.
_PLACES = np.array(sorted(itertools.product((0.5, 0.0, 1.0, 0.25, 0.75), repeat=3), key=lambda p: p.count(0.5) != 2))


def oriented_box(solid: Solid, name: str = "") -> Box3:
    """The box around a solid along the axes of its frame, in the engine's frame.

    Its axes are named so that they are as near to the program's right, up and front as can be.
    """
    points = solid.rings().reshape(-1, 3) @ solid.frame.rotation
    low, high = points.min(0), points.max(0)
    axes = solid.frame.rotation
    likeness = [float(np.trace(TO_ENGINE.T @ axes @ turn)) for turn in _TURNS]
    # Ties, as of a spoke at 45 degrees, go to the first of the best.
    best = next(i for i, value in enumerate(likeness) if value > max(likeness) - 1e-6)
    dims = np.abs(_TURNS[best].T) @ (high - low)
    return Box3(axes @ ((low + high) / 2), axes @ _TURNS[best], dims, name)


def program(shape: Shape) -> Program:
    """The boxes of a shape's parts as a program of one level; cuboids have the names of their parts."""
    boxes = [_Box.of(part.solid, _identifier(part.name)) for part in shape.parts]
    low, high = shape.bounds()
    around = _Box(BBOX, np.zeros(3), np.eye(3), TO_ENGINE.T @ np.diag(high - low) @ TO_ENGINE @ np.ones(3), True)
    groups = _symmetries(boxes, around.dims)
    lines: list[Line] = []
    for step in _order(groups, boxes):
        box = boxes[step.group.source]
        length, height, width = (float(value) for value in box.dims)
        lines.append(Cuboid(box.name, length, height, width, box.aligned))
        touching = [boxes[i] for i in step.touching]
        lines += _attachments(box, touching, around)
        lines += step.group.copies
    length, height, width = (float(value) for value in around.dims)
    bbox = Cuboid(BBOX, length, height, width)
    return Program(f"{shape.category}_{shape.seed}", bbox, tuple(lines))


@dataclass(frozen=True, eq=False)
class _Box:
    """A cuboid in the program's axes: its axes are the columns."""

    name: str
    centre: Array
    axes: Array
    dims: Array
    aligned: bool

    @classmethod
    def of(cls, solid: Solid, name: str) -> _Box:
        box = oriented_box(solid, name)
        axes = TO_ENGINE.T @ box.axes
        aligned = bool(np.abs(axes - np.eye(3)).max() < STRAIGHT)
        return cls(name, TO_ENGINE.T @ box.centre, np.eye(3) if aligned else axes, box.dims, aligned)

    def point(self, places: Array) -> Array:
        """Positions (..., 3) of places given from 0 to 1."""
        return self.centre + ((places - 0.5) * self.dims) @ self.axes.T

    def place(self, points: Array) -> Array:
        """Places of positions (..., 3)."""
        return (points - self.centre) @ self.axes / self.dims + 0.5

    def nearest(self, point: Array) -> Array:
        """The nearest point of the solid box."""
        return self.point(np.clip(self.place(point), 0, 1))

    def corners(self) -> Array:
        return self.point(np.array(list(itertools.product((0.0, 1.0), repeat=3))))

    def moved(self, scale: Array, offset: Array) -> Array:
        """The corners of its mirror image or copy."""
        return self.corners() * scale + offset


def _identifier(name: str) -> str:
    return re.sub(r"\W+", "_", name)


def _meeting(first: _Box, second: _Box) -> Array:
    """A point of the first box that is nearest to the second, by projecting to and fro."""
    point = second.nearest(first.centre)
    for _ in range(40):
        point = second.nearest(first.nearest(point))
    return first.nearest(point)


def _gap(first: _Box, second: _Box) -> float:
    """How far two boxes are apart; where their upright bounding boxes are far apart, at least so far."""
    (low_a, high_a), (low_b, high_b) = ((c.min(0), c.max(0)) for c in (first.corners(), second.corners()))
    rough = float(np.linalg.norm(np.maximum(np.maximum(low_a - high_b, low_b - high_a), 0)))
    if rough > 0.05:
        return rough
    point = _meeting(first, second)
    return float(np.linalg.norm(second.nearest(point) - point))


@dataclass(frozen=True)
class _Group:
    """A cuboid and its copies: the boxes that it stands for, itself first, and the lines that make the copies."""

    members: tuple[int, ...]
    copies: tuple[Line, ...]

    @property
    def source(self) -> int:
        return self.members[0]


def _symmetries(boxes: Sequence[_Box], size: Array) -> list[_Group]:
    """Rows of three or more evenly spaced boxes, then mirror images, then what is left."""
    left = list(range(len(boxes)))
    groups = []
    for axis, letter in enumerate(AXES):
        for row in _rows(boxes, left, axis):
            distance = float(boxes[row[-1]].centre[axis] - boxes[row[0]].centre[axis])
            share = distance / float(size[axis])
            groups.append(_Group(tuple(row), (Translate(boxes[row[0]].name, letter, len(row) - 1, share),)))
            left = [i for i in left if i not in row]
    for axis, letter in enumerate(AXES):
        flip = np.ones(3)
        flip[axis] = -1
        for i in list(left):
            if i not in left:
                continue
            twin = next((j for j in left if j > i and _equal(boxes[i].moved(flip, np.zeros(3)), boxes[j])), None)
            if twin is not None:
                groups.append(_Group((i, twin), (Reflect(boxes[i].name, letter),)))
                left = [k for k in left if k not in (i, twin)]
    return groups + [_Group((i,), ()) for i in left]


def _equal(corners: Array, box: _Box) -> bool:
    """Whether eight corners are those of a box, in any order."""
    apart = np.linalg.norm(corners[:, None] - box.corners()[None], axis=-1)
    return bool(apart.min(1).max() < SAME and apart.min(0).max() < SAME)


def _rows(boxes: Sequence[_Box], among: Sequence[int], axis: int) -> list[list[int]]:
    """The longest runs of equal boxes, evenly spaced along one axis of the program; three or more in each."""
    families: list[list[int]] = []
    for i in among:
        for family in families:
            offset = boxes[i].centre - boxes[family[0]].centre
            offset[[k for k in range(3) if k != axis]] = 0
            if _equal(boxes[family[0]].moved(np.ones(3), offset), boxes[i]):
                family.append(i)
                break
        else:
            families.append([i])
    rows = []
    for family in families:
        family.sort(key=lambda i: boxes[i].centre[axis])
        gaps = np.diff([boxes[i].centre[axis] for i in family])
        if len(family) >= 3 and gaps.min() > SAME and np.ptp(gaps) < SAME:
            rows.append(family)
    return rows


@dataclass(frozen=True)
class _Step:
    """The next group to place, and the boxes among those placed as cuboids that its source touches, nearest first."""

    group: _Group
    touching: tuple[int, ...]


def _order(groups: Sequence[_Group], boxes: Sequence[_Box]) -> list[_Step]:
    """Groups from the one that touches most others outward; each touches one before it, as nearly as can be."""
    apart = np.full((len(groups), len(groups)), np.inf)
    for a, b in itertools.combinations(range(len(groups)), 2):
        apart[a, b] = apart[b, a] = _gap(boxes[groups[a].source], boxes[groups[b].source])
    touches = (apart < 0.02).sum(1)
    volumes = np.array([np.prod(boxes[group.source].dims) for group in groups])
    waiting = list(range(len(groups)))
    first = max(waiting, key=lambda g: (touches[g] * (len(groups[g].members) == 1), volumes[g]))
    placed = [first]
    waiting.remove(first)
    steps = [_Step(groups[first], ())]
    while waiting:
        chosen = min(waiting, key=lambda g: (round(float(apart[g, placed].min()), 3), -volumes[g]))
        near = sorted((k for k in placed if apart[chosen, k] < 0.02), key=lambda k: -volumes[k])
        near = near or [min(placed, key=lambda k: apart[chosen, k])]
        steps.append(_Step(groups[chosen], tuple(groups[k].source for k in near)))
        placed.append(chosen)
        waiting.remove(chosen)
    return steps


def _attachments(box: _Box, touching: Sequence[_Box], around: _Box) -> list[Line]:
    """Attachments that place a box: one for an aligned one, otherwise three, which also turn it."""
    points = box.point(_PLACES)
    found: list[tuple[Array, _Box]] = []
    for other in touching:
        places = other.place(points)
        inside = ((places > -1e-6) & (places < 1 + 1e-6)).all(1)
        found += [(place, other) for place in _PLACES[inside]]
    if touching and not found:
        found = [(box.place(_meeting(box, touching[0])), touching[0])]
    # What touches the bounding box from inside may be held by it, and where nothing else does anything may.
    edges = around.place(points)
    outer = ((np.abs(edges) < 1e-3) | (np.abs(edges - 1) < 1e-3)).any(1)
    found += [(place, around) for place in [*_PLACES[outer], *_PLACES]]
    chosen = [found[0]]
    if not box.aligned:
        start = box.point(found[0][0])
        arms = np.array([box.point(place) - start for place, _ in found])
        neighbour = np.array([other is not around for _, other in found])
        middle = np.array([(np.asarray(place) == 0.5).sum() == 2 for place, _ in found])
        second = _best(np.linalg.norm(arms, axis=1) * np.where(middle, 1.2, 1.0), neighbour)
        line = arms[second] / np.linalg.norm(arms[second])
        third = _best(np.linalg.norm(arms - np.outer(arms @ line, line), axis=1), neighbour)
        chosen += [found[second], found[third]]
    return [
        Attach(box.name, other.name, _triple(place), _triple(other.place(box.point(place)))) for place, other in chosen
    ]


def _best(distances: Array, neighbour: NDArray[np.bool_]) -> int:
    """Of candidates, the farthest; on a neighbour, unless the bounding box has one that is twice as far."""
    return int(np.argmax(distances.round(6) * np.where(neighbour, 2.0, 1.0)))


def _triple(place: Array) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 9) for value in place)
    return x, y, z
