"""What chairs stand on: legs, runners, stars, pedestals, cantilevers, side panels and blocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .members import THIN, bar, leg, pair, rod, runner, star
from .profiles import Ellipse
from .shape import Part
from .solids import Arc, Array, Box, Cone, Frame, Slab

if TYPE_CHECKING:
    from .chair import Chair


def base_parts(chair: Chair) -> list[Part]:
    """The members below the chair's seat."""
    kinds: dict[str, Callable[[Chair], list[Part]]] = {
        "legs": _legs,
        "sled": _sled,
        "star": _star,
        "pedestal": _pedestal,
        "cantilever": _cantilever,
        "panels": _panels,
        "block": _block,
    }
    return kinds[chair.base](chair)


def _legs(chair: Chair) -> list[Part]:
    if chair.stance == "crossed":
        return _crossed(chair)
    if chair.stance == "rockers":
        return _rockers(chair)
    slope = math.tan(math.radians(chair.splay))
    ends: dict[int, tuple[Array, Array]] = {}
    parts = []
    for side in (-1, 1):
        x, y = chair.anchor(side)
        height = chair.level(y)
        back = math.tan(math.radians(chair.lean)) * height if side > 0 else 0.0
        foot = (x + slope * height, y + side * slope * height + back, 0.0)
        parts += pair("leg", leg(foot, (x, y, height), chair.bar, chair.taper, chair.square))
        ends[side] = (np.array(foot), np.array((x, y, height)))
    if chair.stretchers != "none":
        parts += _stretchers(chair, ends)
    return parts


def _stretchers(chair: Chair, ends: dict[int, tuple[Array, Array]]) -> list[Part]:
    level = 0.34 if chair.form == "bar" else 0.42
    front, rear = (foot + level * (top - foot) for foot, top in (ends[-1], ends[1]))
    size = THIN + 0.001

    def rail(start: Array, end: Array) -> Part:
        return Part("rail", bar(start, end, size, size) if chair.square else rod(start, end, size / 2))

    mirror = np.array([-1.0, 1.0, 1.0])
    sides = pair("rail", rail(front, rear).solid)
    if chair.stretchers == "H":
        centre = (front + rear) / 2
        return [*sides, rail(centre, mirror * centre)]
    return [*sides, rail(front, mirror * front), rail(rear, mirror * rear)]


def _crossed(chair: Chair) -> list[Part]:
    """Two legs on each side that cross, as on a folding chair, and a rail between the rear feet."""
    (front_x, front), (rear_x, rear) = chair.anchor(-1), chair.anchor(1)
    x, low = min(front_x, rear_x), chair.bar / 2
    solids = []
    for foot, top in ((front, rear), (rear, front)):
        ends = (x, foot, low), (x, top, chair.level(top) - (0.0 if chair.square else low / 2))
        solids.append(bar(*ends, chair.bar, chair.bar, grow=low / 2) if chair.square else rod(*ends, low))
    size = chair.bar if chair.square else chair.bar / 2
    ends = (-x, rear, low), (x, rear, low)
    return [*pair("leg", *solids), Part("rail", bar(*ends, size, size) if chair.square else rod(*ends, size))]


def _rockers(chair: Chair) -> list[Part]:
    """Four legs on two bent runners."""
    (front_x, front), (rear_x, rear) = chair.anchor(-1), chair.anchor(1)
    x, tube = min(front_x, rear_x), chair.bar / 2
    reach = 0.62 * chair.seat_depth + 0.05
    radius = 1.5 * chair.seat_depth + 0.1
    centre = radius + tube
    # The arc's middle points down, its axis along x.
    turn = np.stack([np.cross([0.0, 0.0, -1.0], [1.0, 0.0, 0.0]), [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]], 1)
    runner_solid = Arc(Frame(turn, np.array([x, 0.0, centre])), radius, math.asin(reach / radius), tube)
    solids = [
        leg((x, y, centre - math.sqrt(radius**2 - y**2)), (x, y, chair.level(y)), chair.bar, 1.0, chair.square)
        for y in (front, rear)
    ]
    return [*pair("leg", *solids), *pair("base", runner_solid)]


def _sled(chair: Chair) -> list[Part]:
    x, rear = chair.anchor(1)
    x = min(x, chair.anchor(-1)[0])
    front = chair.anchor(-1)[1]
    return runner(x, front, rear, chair.middle - chair.socket, chair.bar, 0.0 if chair.square else 0.07)


def _column(chair: Chair, bottom: float) -> Part:
    half = (chair.middle - bottom) / 2
    radius = chair.bar * 0.62
    return Part("base", Cone(Frame.at(z=bottom + half), radius, radius * chair.taper, half, 0.01))


def _star(chair: Chair) -> list[Part]:
    height = min(chair.hub, 0.4 * chair.middle)
    turn = math.pi / 2 if chair.spokes == 5 else math.pi / 4
    radius = max(0.5 * min(chair.seat_width, 0.6) * chair.foot, 0.12)
    return [_column(chair, height - 0.03), *star(chair.spokes, radius * 1.05, height, min(chair.bar, 0.065), turn)]


def _pedestal(chair: Chair) -> list[Part]:
    radius = max(0.42 * min(chair.seat_width, 0.6) * chair.foot, chair.bar * 1.3)
    foot = Part("base", Cone(Frame.at(z=0.024), radius, radius * 0.82, 0.024, 0.012))
    flare = Part("base", Cone(Frame.at(z=0.065), chair.bar * 1.3, chair.bar * 0.62, 0.04, 0.008))
    return [foot, flare, _column(chair, 0.02)]


def _cantilever(chair: Chair) -> list[Part]:
    x, front = chair.anchor(-1)
    x = min(x, chair.anchor(1)[0])
    rear, low, level = chair.seat_depth / 2 - chair.bar, chair.bar / 2, chair.level(front)
    if chair.square:
        size = (chair.bar, chair.bar)
        return [
            *pair("base", bar((x, front, low), (x, rear, low), *size, grow=low)),
            *pair("base", bar((x, front, 0.0), (x, front, level), *size)),
            Part("base", bar((-x, rear, low), (x, rear, low), *size, grow=low)),
        ]
    top = level - chair.socket
    return [
        *pair("base", rod((x, front, low), (x, rear, low), low), rod((x, front, low), (x, front, top), low)),
        Part("base", rod((-x, rear, low), (x, rear, low), low)),
    ]


def _panels(chair: Chair) -> list[Part]:
    x = min(chair.anchor(-1)[0], chair.anchor(1)[0])
    if chair.arms == "panels":
        return []
    side = Box(Frame.at(x, 0, chair.middle / 2), (chair.bar / 2, chair.seat_depth * 0.47, chair.middle / 2), 0.01)
    rail = Box(Frame.at(0, 0, chair.middle * 0.55), (x, THIN / 2, 0.035), 0.008)
    return [*pair("base", side), Part("rail", rail)]


def _block(chair: Chair) -> list[Part]:
    lift = min(chair.clearance, 0.4 * chair.middle)
    top = chair.seat_height - chair.seat_thickness + 0.015
    if top - lift < 0.05:
        lift = max(top - 0.05, 0.0)
    half_x, half_y, half = chair.seat_width / 2, chair.seat_depth / 2, max((top - lift) / 2, 0.025)
    frame = Frame.at(z=lift + half)
    if chair.seat == "round":
        body, reach = Slab(frame, Ellipse(half_x, half_y, 0.03), half, 0.016), 0.56
    else:
        body, reach = Box(frame, (half_x, half_y, half), 0.016), 0.86
    tall = lift / 2 + 0.012
    radius = 0.024 if lift < 0.06 else 0.03
    feet = [
        Cone(Frame.at(reach * half_x, s * reach * half_y, tall), radius, radius + 0.006, tall, 0.008) for s in (-1, 1)
    ]
    return [Part("base", body), *pair("leg", *feet)]
