"""Handles of vases, mugs and lids: bent tubes between two places on a wall, in the plane y = 0."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .members import Point, rod
from .solids import Arc, Frame, Solid


def loop(low: Point, high: Point, reach: float, tube: float) -> Arc:
    """A tube along the circular arc from one point to another.

    low, high: its ends in the plane y = 0, `low` below or behind; reach: how far its middle stands off their line, on
    the +x side; tube: its radius.
    """
    first, last = np.asarray(low, float), np.asarray(high, float)
    chord = float(np.linalg.norm(last - first))
    radius = (chord * chord / 4 + reach * reach) / (2 * reach)
    up = (last - first) / chord
    out = np.array([up[2], 0.0, -up[0]])
    centre = (first + last) / 2 + (reach - radius) * out
    angle = math.atan2(chord / 2, radius - reach)
    depth = np.array([0.0, 1.0, 0.0])
    return Arc(Frame(np.stack([np.cross(out, depth), out, depth], 1), centre), radius, angle, tube)


def chain(points: Sequence[Point], radii: Sequence[float]) -> list[Solid]:
    """Rods with ball joints through all points, of these radii at the points."""
    return [rod(points[k], points[k + 1], radii[k], radii[k + 1]) for k in range(len(points) - 1)]


def handle(form: str, low: Point, high: Point, reach: float, tube: float) -> list[Solid]:
    """A handle of a form between two places on a wall, standing off by `reach` on the +x side.

    form: loop (a circular arc), ear (pointed at the top), square (upright grip between two bars) or scroll (highest
    above its upper end).
    """
    if form == "loop":
        return [loop(low, high, reach, tube)]
    (x1, _, z1), (x2, _, z2) = low, high
    out, rise = max(x1, x2) + reach, z2 - z1
    if form == "square":
        x = out - tube
        return chain([low, (x, 0.0, z1), (x, 0.0, z2), high], [tube] * 4)
    if form == "ear":
        x = out - tube
        return chain([low, (x - 0.35 * reach, 0.0, z1 + 0.3 * rise), (x, 0.0, z2), high], [tube] * 4)
    x = out - tube
    points = [
        low,
        (x1 + 0.55 * (x - x1), 0.0, z1 + 0.16 * rise),
        (x1 + 0.9 * (x - x1), 0.0, z1 + 0.5 * rise),
        (x, 0.0, z2 + 0.02),
        (x2 + 0.6 * (x - x2), 0.0, z2 + 0.2 * rise),
        (x2 + 0.25 * (x - x2), 0.0, z2 + 0.14 * rise),
        high,
    ]
    return chain(points, [tube] * 7)
