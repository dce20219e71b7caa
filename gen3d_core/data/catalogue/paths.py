"""Plane polylines: distances to them, and the curves that silhouettes are drawn with.

A path is an array (N, 2) of points. Turned solids use radius and height as coordinates, extruded ones their local x, y.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .profiles import Array

#: Corners that bend more are sampled by an arc, in radians.
_ARC = math.radians(26)


def squared_distance(x: Array, y: Array, path: Array) -> Array:
    """Squared distance to an open path (N, 2) at broadcastable coordinates; separable coordinates stay cheap."""
    best = np.full(np.broadcast_shapes(np.shape(x), np.shape(y)), np.inf, np.float32)
    for (ax, ay), (bx, by) in zip(path[:-1].tolist(), path[1:].tolist(), strict=True):
        length = math.hypot(bx - ax, by - ay)
        u, v = ((bx - ax) / length, (by - ay) / length) if length > 1e-9 else (1.0, 0.0)
        along = (x - np.float32(ax)) * np.float32(u) + (y - np.float32(ay)) * np.float32(v)
        across = (y - np.float32(ay)) * np.float32(u) - (x - np.float32(ax)) * np.float32(v)
        along -= np.clip(along, np.float32(0), np.float32(length))
        np.minimum(best, across * across + along * along, out=best)
    return best


def clearance(points: Array, path: Array) -> Array:
    """Distance (K,) of a few points (K, 2) from a path (N, 2), all pairs at once."""
    start, step = path[:-1], np.diff(path, axis=0)
    offset = points[:, None] - start
    share = np.clip((offset * step).sum(2) / np.maximum((step**2).sum(1), 1e-18), 0, 1)
    return np.sqrt(((offset - share[..., None] * step) ** 2).sum(2).min(1))


def normals(path: Array) -> Array:
    """Unit normals (N - 1, 2) on the right of every segment of a path."""
    steps = np.diff(path, axis=0)
    steps /= np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), 1e-12)
    return np.stack([steps[:, 1], -steps[:, 0]], 1)


def bends(before: Array, after: Array) -> Array:
    """Signed angles (N,) in radians from one set of unit normals (N, 2) to another; positive turns to the left."""
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return np.arctan2(cross, (before * after).sum(1))


def mitre(before: Array, after: Array) -> Array:
    """The vectors whose components along both unit normals (..., 2) are 1: from corners to those of offset lines."""
    return (before + after) / np.maximum(1 + (before * after).sum(-1, keepdims=True), 0.1)


def fan(before: Array, after: Array, bend: float, count: int) -> list[Array]:
    """Unit vectors that turn from one normal to another by `bend`; a single one points between them."""
    start = math.atan2(before[1], before[0])
    turns = [start + bend * (k / (count - 1) if count > 1 else 0.5) for k in range(count)]
    return [np.array([math.cos(turn), math.sin(turn)]) for turn in turns]


def fan_size(bend: float) -> int:
    """How many points a round corner of this bend (radians) is sampled with."""
    return 1 if bend < _ARC else 2 + int(bend / _ARC)


def flowing(points: Sequence[tuple[float, float]], steps: int = 4) -> Array:
    """A smooth curve through points (a centripetal Catmull-Rom spline), with `steps` segments between two of them."""
    given = np.array(points, float)
    knots = np.concatenate([[2 * given[0] - given[1]], given, [2 * given[-1] - given[-2]]])
    times = np.concatenate([[0.0], np.cumsum(np.sqrt(np.linalg.norm(np.diff(knots, axis=0), axis=1)))])
    curve = [given[:1]]
    for i in range(1, len(knots) - 2):
        t = np.linspace(times[i], times[i + 1], steps + 1)[1:, None]
        levels = knots[i - 1 : i + 3]
        for depth in (1, 2, 3):
            first = times[i - 1 : i + 3 - depth]
            last = times[i - 1 + depth : i + 3]
            levels = [
                ((b - t) * levels[k] + (t - a) * levels[k + 1]) / (b - a)
                for k, (a, b) in enumerate(zip(first, last, strict=True))
            ]
        curve.append(np.asarray(levels[0]))
    return np.concatenate(curve)


def swelling(points: Sequence[tuple[float, float]], steps: int = 5) -> Array:
    """A smooth curve through points of growing height whose radius has no extremes but those given.

    It is the monotone cubic interpolation of Fritsch and Butland, 1984, of radius over height.
    """
    radius, height = np.array(points, float).T
    rise = np.diff(height)
    slopes = np.diff(radius) / rise
    inner = np.zeros(len(slopes) - 1)
    same = slopes[:-1] * slopes[1:] > 0
    first, last = 2 * rise[1:] + rise[:-1], rise[1:] + 2 * rise[:-1]
    inner[same] = ((first + last)[same]) / (first[same] / slopes[:-1][same] + last[same] / slopes[1:][same])
    ends = np.concatenate([[1.5 * slopes[0] - 0.5 * inner[0]], inner, [1.5 * slopes[-1] - 0.5 * inner[-1]]])
    curve = [np.array([[radius[0], height[0]]])]
    for k, run in enumerate(rise):
        t = np.linspace(0, 1, steps + 1)[1:]
        r = radius[k] * (2 * t**3 - 3 * t**2 + 1) + radius[k + 1] * (3 * t**2 - 2 * t**3)
        r += run * (ends[k] * (t**3 - 2 * t**2 + t) + ends[k + 1] * (t**3 - t**2))
        curve.append(np.stack([r, height[k] + run * t], 1))
    return np.concatenate(curve)


def filleted(points: Sequence[tuple[float, float]] | Array, radius: float, bend: float = 0.35) -> Array:
    """A path whose inner corners are arcs of at most this radius, made of bends of at most `bend` radians.

    A corner with little room gets a smaller arc. Arcs are drawn outside the corner's tangent points, as polygons do.
    """
    given = np.asarray(points, float)
    result = [given[0]]
    for last, corner, following in zip(given[:-2], given[1:-1], given[2:], strict=True):
        to_last, to_next = last - corner, following - corner
        lengths = np.linalg.norm(to_last), np.linalg.norm(to_next)
        to_last, to_next = to_last / lengths[0], to_next / lengths[1]
        turn = math.pi - math.acos(float(np.clip(to_last @ to_next, -1, 1)))
        if turn < bend or radius <= 0:
            result.append(corner)
            continue
        reach = min(radius * math.tan(turn / 2), 0.45 * min(lengths))
        actual = reach / math.tan(turn / 2)
        middle = (to_last + to_next) / np.linalg.norm(to_last + to_next)
        centre = corner + middle * math.hypot(actual, reach)
        start = corner + reach * to_last - centre
        side = np.sign(to_next[0] * to_last[1] - to_next[1] * to_last[0])
        for share in np.linspace(0, 1, math.ceil(turn / bend) + 1):
            c, s = math.cos(side * turn * share), math.sin(side * turn * share)
            result.append(centre + np.array([c * start[0] - s * start[1], s * start[0] + c * start[1]]))
    return np.array([*result, given[-1]])


def arc(centre: tuple[float, float], radius: float, first: float, last: float, count: int) -> Array:
    """Points (count, 2) on a circle between two angles in radians."""
    angles = np.linspace(first, last, count)
    return np.array(centre) + radius * np.stack([np.cos(angles), np.sin(angles)], 1)
