"""The language of cuboid programs: its statements, what they may say, and how its axes lie in the engine's frame."""

from __future__ import annotations

from collections.abc import Mapping
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
MOST_LINES = 1_000
MOST_COPIES = 1_000


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
