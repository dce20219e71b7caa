"""Backs of chairs, each built in a frame that leans by the rake: u across, v up from the middle of the seat."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from .members import GAP, THIN, bar, leg, pair, rod, spread
from .profiles import Bow, Trapezoid
from .shape import Part
from .solids import Arc, Box, Frame, Slab

if TYPE_CHECKING:
    from .chair import Chair


def back_parts(chair: Chair) -> list[Part]:
    """The members of the chair's back, its posts included."""
    kinds: dict[str, Callable[[Chair], list[Part]]] = {
        "panel": _panel,
        "slats": _slats,
        "spindles": _spindles,
        "ladder": _ladder,
        "hoop": _hoop,
        "rest": _rest,
        "tub": _tub,
        "none": lambda _: [],
    }
    return kinds[chair.back](chair)


def _frame(chair: Chair) -> Frame:
    y = chair.anchor(1)[1]
    return Frame.at(0.0, y, chair.middle).turned("x", -math.radians(chair.rake))


def _rise(chair: Chair) -> float:
    return chair.back_height + chair.seat_thickness / 2


def _posts(chair: Chair, rise: float) -> list[Part]:
    frame, x = _frame(chair), chair.anchor(1)[0]
    start, end = frame.point(x, 0, chair.socket), frame.point(x, 0, rise)
    solid = leg(start, end, chair.bar, 1.0, True) if chair.square else rod(start, end, chair.bar / 2)
    return pair("back", solid)


def _panel(chair: Chair) -> list[Part]:
    frame, rise = _frame(chair), _rise(chair)
    low = chair.anchor(1)[0] + chair.bar / 2
    if chair.arms == "panels":
        low = chair.seat_width / 2 + chair.back_thickness - 0.012
    high = low * (chair.back_top if chair.arms == "none" else 1.0)
    sunk = 0.03 if chair.base != "block" else chair.seat_thickness
    plate = Trapezoid(low, high, (rise + sunk) / 2, min(chair.back_corner, 0.45 * low))
    placed = Frame(frame.rotation, frame.point(0, 0, (rise - sunk) / 2)).turned("x", math.pi / 2)
    return [Part("back", Slab(placed, plate, chair.back_thickness / 2, 0.014))]


def _slats(chair: Chair) -> list[Part]:
    frame, rise, x = _frame(chair), _rise(chair), chair.anchor(1)[0]
    head, width = 0.035, chair.slat
    rail = Box(Frame(frame.rotation, frame.point(0, 0, rise - head)), (x, THIN / 2, head), 0.01)
    slats = [
        Part("back", bar(frame.point(u, 0, 0), frame.point(u, 0, rise - head), width, THIN))
        for u in spread(2 * x - chair.bar, width, chair.count)
    ]
    return [*_posts(chair, rise), Part("rail", rail), *slats]


def _spindles(chair: Chair) -> list[Part]:
    frame, rise, x = _frame(chair), _rise(chair), chair.anchor(1)[0]
    head, fan = 0.032, 1.06
    rail = Box(Frame(frame.rotation, frame.point(0, 0, rise - head)), (x * fan + 0.035, 0.025, head), 0.016)
    places = [-x, *spread(2 * x - THIN, THIN, max(chair.count, 3)), x]
    rods = [Part("back", rod(frame.point(u, 0, 0), frame.point(u * fan, 0, rise - head), THIN / 2)) for u in places]
    return [Part("rail", rail), *rods]


def _ladder(chair: Chair) -> list[Part]:
    frame, rise, x = _frame(chair), _rise(chair), chair.anchor(1)[0]
    height = 0.055
    above = rise - chair.seat_thickness / 2
    count = max(1, min(1 + chair.count // 2, int(above / (height + GAP))))
    pitch = above / count
    rungs = []
    for i in range(count):
        centre = frame.point(0, 0, rise - height / 2 - 0.004 - i * pitch)
        rungs.append(Part("rail", Box(Frame(frame.rotation, centre), (x, THIN / 2, height / 2), 0.01)))
    return [*_posts(chair, rise), *rungs]


def _hoop(chair: Chair) -> list[Part]:
    frame, x, tube = _frame(chair), chair.anchor(1)[0], chair.bar / 2
    straight = max(_rise(chair) - x - tube, chair.seat_thickness / 2 + 0.02)
    bend = Frame(frame.rotation, frame.point(0, 0, straight)).turned("x", math.pi / 2)
    parts = [Part("back", Arc(bend, x, math.pi / 2, tube))]
    parts += pair("back", rod(frame.point(x, 0, chair.socket), frame.point(x, 0, straight), tube))
    for u in spread(2 * x - chair.bar, THIN, chair.count - 1):
        top = straight + math.sqrt(x * x - u * u)
        parts.append(Part("back", rod(frame.point(u, 0, 0), frame.point(u, 0, top), THIN / 2)))
    return parts


def _rest(chair: Chair) -> list[Part]:
    frame, rise, x = _frame(chair), _rise(chair), chair.anchor(1)[0]
    radius, reach = 1.7 * x, math.asin(1 / 1.7)
    half = min(max(0.2 * rise, 0.045), (rise - chair.seat_thickness / 2 - GAP) / 2)
    placed = Frame(frame.rotation, frame.point(0, -radius * math.cos(reach), rise - half))
    plate = Slab(placed, Bow(radius, reach + 0.16, chair.back_thickness / 2), half, 0.014)
    return [*_posts(chair, rise - half), Part("back", plate)]


def _tub(chair: Chair) -> list[Part]:
    low, high = chair.seat_height - chair.seat_thickness, chair.seat_height + chair.back_height
    if chair.base == "block":
        low = 0.05
    radius = chair.seat_width / 2 - chair.back_thickness / 2 + 0.004
    angle = math.radians(60 + 8 * chair.count)
    shell = Bow(radius, angle, chair.back_thickness / 2)
    return [Part("back", Slab(Frame.at(z=(low + high) / 2), shell, (high - low) / 2, 0.014))]
