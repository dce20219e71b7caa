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
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Triple = tuple[float, float, float]

AXES = {"X": 0, "Y": 1, "Z": 2}
#: The axis and the end of every face.
FACES = {"left": (0, 0.0), "right": (0, 1.0), "bot": (1, 0.0), "top": (1, 1.0), "back": (2, 0.0), "front": (2, 1.0)}
OPPOSITE = {"left": "right", "right": "left", "bot": "top", "top": "bot", "back": "front", "front": "back"}
#: Rotates the language's axes (right, up, front) into the engine's frame: +Z up, -Y front.
TO_ENGINE: Array = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])

BBOX = "bbox"
LARGEST_TEXT = 1_000_000
MOST_LINES = 1_000
MOST_COPIES = 1_000
MOST_BOXES = 10_000
DEEPEST = 16
#: An aligned cuboid grows only over gaps wider than this share of its longest side.
GAP = 0.05
#: How near 0 or 1 a coordinate is taken to be on the face.
ON_FACE = 0.05

_NAME = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?", re.ASCII)
_HEAD = re.compile(r"Assembly\s+(\w+)\s*\{", re.ASCII)
_CUBOID = re.compile(r"(\w+)\s*=\s*Cuboid\s*\(([^()]*)\)", re.ASCII)
_CALL = re.compile(r"(\w+)\s*\(([^()]*)\)", re.ASCII)


class BadProgram(ValueError):
    """A text or a program that does not say where its cuboids are."""


@dataclass(frozen=True)
class Cuboid:
    """A box: its name, its sizes along x, y (up) and z (front), and whether it keeps the axes of the bounding box."""

    name: str
    length: float
    height: float
    width: float
    aligned: bool = True

    @property
    def dims(self) -> Array:
        """Length, height and width, (3,)."""
        return np.array([self.length, self.height, self.width])


@dataclass(frozen=True)
class Attach:
    """The point `at` of the cuboid `moved` lies on the point `to` of `fixed`; both from (0, 0, 0) to (1, 1, 1)."""

    moved: str
    fixed: str
    at: Triple
    to: Triple


@dataclass(frozen=True)
class Squeeze:
    """The cuboid `moved` fills the room between two others.

    The middle of its `face` lies on the facing side of `first` and the middle of its other end on `second`, both at
    (u, v) of those sides (their two axes in the order x, y, z). The bounding box is met from inside.
    """

    moved: str
    first: str
    second: str
    face: str
    u: float
    v: float


@dataclass(frozen=True)
class Reflect:
    """A mirror image of a cuboid on the other side of the middle of the bounding box, across the axis X, Y or Z."""

    name: str
    axis: str


@dataclass(frozen=True)
class Translate:
    """So many further copies of a cuboid, the last one `distance` away: a share of the bounding box along the axis."""

    name: str
    axis: str
    copies: int
    distance: float


Line = Cuboid | Attach | Squeeze | Reflect | Translate


@dataclass(frozen=True)
class Program:
    """A bounding box, the lines that fill it, and programs that replace the cuboids of their names.

    Raises BadProgram where a line names a cuboid that is not declared before it, or holds values out of range.
    """

    name: str
    bbox: Cuboid
    lines: tuple[Line, ...]
    children: Mapping[str, Program] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.lines) > MOST_LINES:
            raise BadProgram(f"{self.name} has {len(self.lines)} lines; at most {MOST_LINES} were expected.")
        if self.bbox.name != BBOX:
            raise BadProgram(f"{self.name} starts with '{self.bbox.name}'; its bounding box, '{BBOX}', was expected.")
        _check_cuboid(self.name, self.bbox)
        known = {BBOX}
        for line in self.lines:
            if isinstance(line, Cuboid):
                _check_cuboid(self.name, line)
                if line.name in known:
                    raise BadProgram(f"{self.name} declares '{line.name}' twice; every cuboid needs a name of its own.")
                known.add(line.name)
            else:
                _check_line(self.name, line, known)
        if strangers := set(self.children) - known | set(self.children) & {BBOX}:
            raise BadProgram(f"{self.name} has no cuboid for its child {sorted(strangers)[0]}.")

    @property
    def cuboids(self) -> tuple[Cuboid, ...]:
        """The declared cuboids, without the bounding box."""
        return tuple(line for line in self.lines if isinstance(line, Cuboid))

    def depth(self) -> int:
        """Levels of programs, 1 for one without children."""
        return 1 + max((child.depth() for child in self.children.values()), default=0)


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


def parse(text: str) -> Program:
    """The program of a text; the first ``Assembly`` is the whole shape.

    Raises:
        BadProgram: anything that is not of the language, with the number of the line.
    """
    if len(text) > LARGEST_TEXT:
        raise BadProgram(f"The text has {len(text)} characters; at most {LARGEST_TEXT} were expected.")
    bodies: dict[str, list[Line]] = {}
    current: str | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line:
            continue
        where = f"Line {number}"
        if current is None:
            head = _HEAD.fullmatch(line)
            if head is None:
                raise BadProgram(f"{where} is '{line[:60]}'; 'Assembly NAME {{' was expected.")
            current = _name(head[1], where)
            if current in bodies:
                raise BadProgram(f"{where} defines {current} a second time.")
            bodies[current] = []
        elif line == "}":
            current = None
        else:
            bodies[current].append(_line(line, where))
            if len(bodies[current]) > MOST_LINES + 1:
                raise BadProgram(f"{where}: {current} has more than {MOST_LINES} lines.")
    if current is not None:
        raise BadProgram(f"{current} is not closed; a line with '}}' was expected at the end.")
    if not bodies:
        raise BadProgram("The text is empty; a line 'Assembly NAME {' was expected.")
    used: set[str] = set()
    root = _assemble(next(iter(bodies)), bodies, used, 1)
    if unused := set(bodies) - used:
        raise BadProgram(f"No cuboid has the name of the program {sorted(unused)[0]}; it would never be executed.")
    return root


def to_text(program: Program) -> str:
    """The text of a program and its children; `parse` gives back an equal program."""
    blocks: list[str] = []
    waiting = [program]
    while waiting:
        current = waiting.pop(0)
        lines = [current.bbox, *current.lines]
        blocks.append("\n".join([f"Assembly {current.name} {{", *(f"\t{_text(line)}" for line in lines), "}"]) + "\n")
        waiting += current.children.values()
    return "".join(blocks)


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


def _assemble(name: str, bodies: Mapping[str, Sequence[Line]], used: set[str], level: int) -> Program:
    if name in used:
        raise BadProgram(f"{name} replaces more than one cuboid, or itself; every program has one place.")
    if level > DEEPEST:
        raise BadProgram(f"{name} is on level {level}; at most {DEEPEST} levels were expected.")
    used.add(name)
    lines = bodies[name]
    if not lines or not isinstance(lines[0], Cuboid):
        raise BadProgram(f"{name} does not start with its bounding box, '{BBOX} = Cuboid(...)'.")
    names = [line.name for line in lines[1:] if isinstance(line, Cuboid)]
    children = {child: _assemble(child, bodies, used, level + 1) for child in names if child in bodies}
    return Program(name, lines[0], tuple(lines[1:]), children)


def _line(line: str, where: str) -> Line:
    if match := _CUBOID.fullmatch(line):
        length, height, width, aligned = _fields(match[2], 4, where)
        if aligned not in ("True", "False"):
            raise BadProgram(f"{where}: '{aligned[:40]}' is neither True nor False.")
        sizes = _number(length, where), _number(height, where), _number(width, where)
        return Cuboid(_name(match[1], where), *sizes, aligned == "True")
    match = _CALL.fullmatch(line)
    if match is None:
        raise BadProgram(f"{where} is '{line[:60]}'; a cuboid, attach, squeeze, reflect or translate was expected.")
    word, inner = match[1], match[2]
    if word == "attach":
        moved, fixed, *numbers = _fields(inner, 8, where)
        a, b, c, d, e, f = (_number(value, where) for value in numbers)
        return Attach(_name(moved, where), _name(fixed, where), (a, b, c), (d, e, f))
    if word == "squeeze":
        moved, first, second, face, u, v = _fields(inner, 6, where)
        places = _name(moved, where), _name(first, where), _name(second, where), _name(face, where)
        return Squeeze(*places, _number(u, where), _number(v, where))
    if word == "reflect":
        name, axis = _fields(inner, 2, where)
        return Reflect(_name(name, where), _name(axis, where))
    if word == "translate":
        name, axis, copies, distance = _fields(inner, 4, where)
        if not re.fullmatch(r"\d{1,4}", copies, re.ASCII):
            raise BadProgram(f"{where}: '{copies[:40]}' is not a number of copies.")
        return Translate(_name(name, where), _name(axis, where), int(copies), _number(distance, where))
    raise BadProgram(f"{where} calls '{word[:40]}'; the language has attach, squeeze, reflect and translate.")


def _fields(inner: str, count: int, where: str) -> list[str]:
    values = [value.strip() for value in inner.split(",")]
    if len(values) != count:
        raise BadProgram(f"{where} has {len(values)} values in parentheses; {count} were expected.")
    return values


def _name(text: str, where: str) -> str:
    if not _NAME.fullmatch(text):
        raise BadProgram(f"{where}: '{text[:40]}' is not a name of letters, digits and underscores.")
    return text


def _number(text: str, where: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise BadProgram(f"{where}: '{text[:40]}' is not a number.")
    return float(text)


def _check_cuboid(program: str, cuboid: Cuboid) -> None:
    if not all(0 < value < 1e6 for value in cuboid.dims):
        raise BadProgram(f"{program}: '{cuboid.name}' has sizes {cuboid.dims.tolist()}; positive ones were expected.")


def _check_line(program: str, line: Attach | Squeeze | Reflect | Translate, known: set[str]) -> None:
    if isinstance(line, Attach):
        moved, names, numbers = line.moved, [line.moved, line.fixed], [*line.at, *line.to]
    elif isinstance(line, Squeeze):
        moved, names, numbers = line.moved, [line.moved, line.first, line.second], [line.u, line.v]
        if line.face not in FACES:
            raise BadProgram(f"{program}: '{line.face}' is not a face; there are {', '.join(FACES)}.")
    else:
        moved, names, numbers = line.name, [line.name], [line.distance if isinstance(line, Translate) else 0.0]
        if line.axis not in AXES:
            raise BadProgram(f"{program}: '{line.axis}' is not an axis; there are X, Y and Z.")
    if isinstance(line, Translate) and not 1 <= line.copies <= MOST_COPIES:
        raise BadProgram(f"{program}: {line.copies} copies of '{line.name}'; 1 to {MOST_COPIES} were expected.")
    for name in names:
        if name not in known:
            raise BadProgram(f"{program}: '{name}' is used before it is declared.")
    if moved == BBOX or moved in names[1:]:
        raise BadProgram(f"{program}: '{moved}' cannot be attached to itself or moved as the bounding box.")
    if not all(-100 <= value <= 100 for value in numbers):
        raise BadProgram(f"{program}: a line on '{moved}' has the values {numbers}; numbers near 0 to 1 were expected.")


def _text(line: Line) -> str:
    def plain(*values: float) -> str:
        return ", ".join(repr(float(value)) for value in values)

    if isinstance(line, Cuboid):
        return f"{line.name} = Cuboid({plain(*line.dims)}, {bool(line.aligned)})"
    if isinstance(line, Attach):
        return f"attach({line.moved}, {line.fixed}, {plain(*line.at, *line.to)})"
    if isinstance(line, Squeeze):
        return f"squeeze({line.moved}, {line.first}, {line.second}, {line.face}, {plain(line.u, line.v)})"
    if isinstance(line, Reflect):
        return f"reflect({line.name}, {line.axis})"
    return f"translate({line.name}, {line.axis}, {line.copies}, {plain(line.distance)})"
