"""Engines of airplanes, their propellers and intakes, and the gear they land on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .extruded import extruded
from .members import FORWARD, SIDE, pair, point, rod
from .paths import flowing
from .profiles import Array
from .revolved import turned
from .shape import Part
from .solids import Box, Cone, Frame, Rod, Solid

if TYPE_CHECKING:
    from .airplane import Airplane


def _nacelle(place: Array, radius: float, length: float) -> Solid:
    """A jet engine whose inlet is at a place; it ends in a narrower nozzle."""
    points = [
        (0.56 * radius, -length),
        (0.60 * radius, -0.86 * length),
        (0.90 * radius, -0.55 * length),
        (radius, -0.22 * length),
        (0.88 * radius, 0.0),
    ]
    dish = [(0.66 * radius, 0.0), (0.60 * radius, -0.022), (0.26 * radius, -0.018), (0.0, 0.012)]
    path = np.concatenate([flowing(points, 4), dish])
    return turned(Frame(FORWARD, place), path, 0.005)


def engines(plane: Airplane) -> list[Part]:
    r = plane.radius
    if plane.place == "none":
        return []
    if plane.place == "nose":
        return _propeller(plane, point(0.0, plane.along(0.06) + 0.004, 0.0), 0.92 * r)
    if plane.place == "body":
        return _jet_intakes(plane)
    if plane.place == "rear":
        size = 0.64 * r + 0.008
        place = np.array([r + 0.72 * size, plane.along(0.66), 0.34 * r])
        pylon = Box(Frame.at(0.8 * r, plane.along(0.66) + 0.5 * 0.17, 0.30 * r), (0.6 * r, 0.045, 0.022), 0.012)
        return pair("engine", _nacelle(place, size, 0.17), pylon)
    half, back = plane.span / 2, plane.span / 2 * math.tan(math.radians(plane.sweep))
    rise = math.tan(math.radians(plane.dihedral))
    parts = []
    for share in (0.34, 0.60)[: plane.engines // 2]:
        x, y = share * half, plane.root_place + share * back
        z = plane.level + rise * x
        if plane.kind == "twin":
            parts += _propeller_nacelle(plane, np.array([x, y, z]))
            continue
        size = 0.70 * r + 0.004 if share < 0.5 else 0.62 * r + 0.004
        drop = size + 0.022
        parts += pair("engine", _nacelle(np.array([x, y - 0.065, z - drop]), size, 0.15))
        parts += pair("engine", Box(Frame.at(x, y + 0.02, z - 0.5 * drop), (0.022, 0.055, 0.5 * drop), 0.012))
    return parts


def _jet_intakes(plane: Airplane) -> list[Part]:
    """Intakes beside the body of a fighter, and its nozzles."""
    r, rear = plane.radius, plane.length / 2
    x = 0.82 * r
    box = [
        (plane.along(0.40), -0.52 * r, 0.46 * r, 0.40 * r),
        (plane.along(0.52), -0.62 * r, 0.58 * r, 0.50 * r),
        (rear - 0.06, -0.5 * r, 0.5 * r, 0.42 * r),
    ]
    side = Frame(SIDE, np.array([x, 0.0, -0.08 * r]))
    parts = pair("engine", extruded(side, box, 0.018))
    size = 0.72 * r if plane.engines == 1 else 0.58 * r
    for shift in (0.0,) if plane.engines == 1 else (-0.62 * r, 0.62 * r):
        frame = Frame(FORWARD, np.array([shift, rear, 0.0]))
        cup = [(0.78 * size, -0.045), (size, 0.02), (size, 0.05)]
        dish = np.array([(0.0, -0.012), (0.5 * size, -0.022), (0.62 * size, -0.045)])
        parts.append(Part("engine", turned(frame, np.concatenate([dish, cup]), 0.005)))
    return parts


def _propeller(plane: Airplane, place: Array, cowl: float) -> list[Part]:
    """A spinner and blades in front of a place on the nose or a nacelle."""
    spin = max(0.44 * cowl, 0.028)
    points = [(spin, 0.0), (0.94 * spin, 0.022), (0.6 * spin, 0.052), (0.0, 0.07)]
    spinner = turned(
        Frame(FORWARD, place + point(0.0, 0.012, 0.0)), np.concatenate([[(spin, -0.01)], flowing(points, 4)]), 0.005
    )
    parts = [Part("propeller", spinner)]
    reach = 1.75 * plane.radius + 0.04 if plane.kind != "twin" else 1.3 * plane.radius + 0.03
    for k in range(plane.blades):
        angle = (0.0 if plane.blades == 2 else math.pi / 2) + 2 * math.pi * k / plane.blades
        way = np.array([math.cos(angle), 0.0, math.sin(angle)])
        rotation = np.stack([way, np.cross([0.0, 1.0, 0.0], way), np.array([0.0, 1.0, 0.0])], 1)
        rows = [(0.0, -0.023, 0.023, 0.022), (0.55 * reach, -0.030, 0.030, 0.022), (reach, -0.024, 0.024, 0.022)]
        parts.append(Part("propeller", extruded(Frame(rotation, place - point(0.0, 0.012, 0.0)), rows, 0.022)))
    return parts


def _propeller_nacelle(plane: Airplane, place: Array) -> list[Part]:
    """An engine on the wing with its propeller, and the same on the other side."""
    size = 0.56 * plane.radius + 0.004
    points = [(0.0, -0.20), (0.5 * size, -0.15), (size, -0.04), (size, 0.06), (0.82 * size, 0.09)]
    body = turned(Frame(FORWARD, place), flowing(points, 4), 0.008)
    own = _propeller(plane, place - point(0.0, 0.09, 0.0), 0.82 * size)
    return pair("engine", body) + [p for part in own for p in pair("propeller", part.solid)]


def gear(plane: Airplane) -> list[Part]:
    if plane.gear == "none":
        return []
    r, y = plane.radius, plane.along(0.30)
    if plane.gear == "floats":
        x, z = 0.16 * plane.span, -1.55 * r - 0.06
        front, rear = plane.along(0.06), plane.along(0.74)
        points = [
            (front, -0.004, 0.03, 0.022),
            (front + 0.08, -0.030, 0.034, 0.032),
            (plane.along(0.44), -0.034, 0.034, 0.034),
            (rear, 0.0, 0.034, 0.022),
        ]
        side = Frame(SIDE, np.array([x, 0.0, z]))
        struts = [rod((0.45 * r, place, -0.5 * r), (x, place, z + 0.01), 0.022) for place in (y - 0.03, y + 0.12)]
        return pair("gear", extruded(side, points, 0.022), *struts)
    size, x, z = 0.038, 1.6 * r, -1.75 * r
    solids: list[Solid] = [
        _wheel(np.array([x, y, z]), size),
        rod((0.4 * r, y + 0.01, -0.6 * r), (x - 0.008, y, z), 0.022),
    ]
    tail = np.array([0.0, plane.along(0.93), -0.3 * r])
    if plane.kind == "biplane" or plane.wing == "high":
        last = [Part("gear", Rod(Frame.at(*(tail - point(0, 0, 0.04))), 0.024, 0.022, 0.05))]
    else:
        nose = np.array([0.0, plane.along(0.06), z])
        last = [
            Part("gear", _wheel(nose, 0.034)),
            Part("gear", rod(nose, nose + point(0, 0.02, 0.8 * r - z - r), 0.022)),
        ]
    return pair("gear", *solids) + last


def _wheel(place: Array, radius: float) -> Cone:
    """A wheel whose axle is along x."""
    return Cone(Frame(SIDE, place), radius, radius, 0.0225, 0.012)
