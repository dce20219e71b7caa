"""What the categories share: members between two points, side-by-side pairs, weighted choices, fitting to size."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from .shape import Part, normalised
from .solids import Arc, Array, Box, Cone, Frame, Rod, Solid

LONGEST = 0.9
GAP = 0.05
THIN = 0.044

#: Local z to the front (-Y) and local y up, as of a nose or a headlight.
FORWARD = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
#: Local x to the rear, local y up and local z to the side, as of a wheel or a float.
SIDE = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
#: Local x up, local y to the rear and local z to the side, as of a fin.
UPRIGHT = np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])

Design = TypeVar("Design")
Point = tuple[float, float, float] | Array


class Draw:
    """Random design decisions from one generator (only its `random` is used, which NumPy keeps stable)."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random

    def uniform(self, low: float, high: float) -> float:
        """A number between low and high."""
        return low + (high - low) * float(self._random.random())

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return float(self._random.random()) < probability

    def choose(self, weights: Mapping[str, float]) -> str:
        """One of the names, with probabilities proportional to the weights."""
        target = float(self._random.random()) * sum(weights.values())
        for name, weight in weights.items():
            target -= weight
            if target < 0:
                return name
        return list(weights)[-1]


def fit(design: Design, lengths: Sequence[str], build: Callable[[Design], list[Part]]) -> tuple[Design, list[Part]]:
    """Scale the named lengths of a design until its parts are `LONGEST` long, keeping its thicknesses as they are.

    Returns the final design and its parts, centred and exactly to size: the last 0.1 % scales all of it.
    """
    # At factor 0 only thicknesses are left.
    factor, known = 1.0, (0.0, THIN)
    first = design
    for _ in range(12):
        parts, scale = normalised(build(design), LONGEST)
        if abs(scale - 1) < 1e-3:
            break
        # The longest side is nearly linear in the factor: a secant through the last two trials meets its aim.
        side = LONGEST / scale
        slope = (side - known[1]) / (factor - known[0])
        known = factor, side
        factor += (LONGEST - side) / (slope if slope > 0.2 * side / factor else side / factor)
        design = replace(first, **{name: getattr(first, name) * factor for name in lengths})  # type: ignore[type-var]
    else:
        parts, _ = normalised(build(design), LONGEST)
    return design, parts


def point(x: float, y: float, z: float) -> Array:
    """A point or vector, (3,)."""
    return np.array([x, y, z], float)


def bar(start: Point, end: Point, width: float, depth: float, edge: float = 0.008, grow: float = 0.0) -> Box:
    """A square bar from start to end, `width` along the side nearest the world's x and `depth` across it.

    grow: how far both ends reach beyond their points.
    """
    first, last = np.asarray(start, float), np.asarray(end, float)
    half = float(np.linalg.norm(last - first)) / 2
    frame = Frame.between(first, last)
    return Box(Frame(frame.rotation, (first + last) / 2), (width / 2, depth / 2, half + grow), edge)


def rod(start: Point, end: Point, low: float, high: float | None = None) -> Rod:
    """A round member with ball ends centred on start and end; low, high: radii there."""
    length = float(np.linalg.norm(np.asarray(end, float) - np.asarray(start, float)))
    return Rod(Frame.between(np.asarray(start), np.asarray(end)), low, low if high is None else high, length)


def leg(foot: Point, top: Point, thickness: float, taper: float, square: bool) -> Solid:
    """A leg from foot to top: `thickness` at the foot and `thickness * taper` at the top."""
    first, last = np.asarray(foot, float), np.asarray(top, float)
    half = float(np.linalg.norm(last - first)) / 2
    frame = Frame(Frame.between(first, last).rotation, (first + last) / 2)
    if square:
        middle = thickness * (1 + taper) / 4
        return Box(frame, (middle, middle, half), 0.008, 1 + (taper - 1) / (taper + 1))
    return Cone(frame, thickness / 2, thickness * taper / 2, half, 0.01)


def quarter(centre: Point, middle: tuple[float, float, float], radius: float, tube: float) -> Arc:
    """A quarter bend; `middle` points from the centre of its circle to its middle, across world x or along x and y."""
    y = np.asarray(middle, float)
    y = y / np.linalg.norm(y)
    z = np.array([1.0, 0.0, 0.0]) if abs(y[0]) < 1e-9 else np.array([0.0, 0.0, 1.0])
    rotation = np.stack([np.cross(y, z), y, z], 1)
    return Arc(Frame(rotation, np.asarray(centre, float)), radius, math.pi / 4, tube)


def pair(label: str, *solids: Solid) -> list[Part]:
    """Members of one side and their mirror images."""
    return [Part(label, copy) for solid in solids for copy in (solid, solid.mirrored())]


def spread(inner: float, width: float, most: int) -> list[float]:
    """Centres of at most `most` members of this width, evenly between -inner/2 and inner/2 with open gaps."""
    count = min(most, int((inner - GAP) / (width + GAP)))
    pitch = (inner + width) / (count + 1) if count > 0 else 0.0
    return [pitch * (i - (count - 1) / 2) for i in range(count)]


def star(spokes: int, radius: float, height: float, thickness: float, turn: float) -> list[Part]:
    """Spokes on the floor from a hub at the origin: tapering bars that end in round feet.

    height: of the spokes' middle at the hub; turn: angle of the first spoke in radians.
    """
    parts = []
    for i in range(spokes):
        angle = turn + 2 * math.pi * i / spokes
        tip = (radius * math.cos(angle), radius * math.sin(angle), thickness / 2)
        parts.append(Part("base", rod(tip, (0.0, 0.0, height), thickness / 2, thickness * 0.65)))
    return parts


def runner(x: float, front: float, rear: float, top: float, bar_thickness: float, bend: float) -> list[Part]:
    """Two sled runners at +-x: from the top down at the front, along the floor, and up at the rear.

    bend: radius of the bends of a round rod, or 0 for a square bar with mitred corners.
    """
    low = bar_thickness / 2
    if bend == 0:
        size = (bar_thickness, bar_thickness)
        return pair(
            "base",
            bar((x, front, low), (x, rear, low), *size, grow=low),
            bar((x, front, 0.0), (x, front, top), *size),
            bar((x, rear, 0.0), (x, rear, top), *size),
        )
    return pair(
        "base",
        rod((x, front, low + bend), (x, front, top), low),
        rod((x, rear, low + bend), (x, rear, top), low),
        rod((x, front + bend, low), (x, rear - bend, low), low),
        quarter((x, front + bend, low + bend), (0, -1, -1), bend, low),
        quarter((x, rear - bend, low + bend), (0, 1, -1), bend, low),
    )
