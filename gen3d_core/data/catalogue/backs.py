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
    return Frame.at(0.0, y, chair.level(y)).turned("x", -math.radians(chair.rake))


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
        low = chair.seat_width / 2 + chair.arm_thickness - 0.012
    high = low * (chair.back_top if chair.arms == "none" else 1.0)
    sunk = 0.03
    if chair.base == "block":
        sunk = chair.middle - min(chair.clearance, 0.4 * chair.middle) - 0.01
    elif chair.arms == "panels" and chair.base == "panels":
        sunk = 0.7 * chair.middle
    sunk = min(sunk, chair.middle * 0.95)
    parts = []
    if chair.lift:
        sunk = -(chair.lift + chair.seat_thickness / 2)
        parts = _struts(chair, frame, (rise - sunk) / 2)
    plate = Trapezoid(low, high, (rise + sunk) / 2, min(chair.back_corner, 0.45 * low, 0.45 * (rise + sunk)))
    placed = Frame(frame.rotation, frame.point(0, 0, (rise - sunk) / 2)).turned("x", math.pi / 2)
    parts.append(Part("back", Slab(placed, plate, chair.back_thickness / 2, 0.014)))
    if chair.wings:
        parts += _wings(chair, frame, min(low, high), rise)
    return parts


def _struts(chair: Chair, frame: Frame, top: float) -> list[Part]:
    """What holds a panel above the seat: one strut on a column, two posts otherwise."""
    if chair.base in ("star", "pedestal") and chair.arms == "none":
        return [Part("back", bar(frame.point(0, 0, 0), frame.point(0, 0, top), 1.6 * chair.bar, THIN))]
    return _posts(chair, top)


def _wings(chair: Chair, frame: Frame, half: float, rise: float) -> list[Part]:
    """Sides of the back that reach forward, from the seat to the top."""
    thick, reach = THIN + 0.01, chair.wings
    centre = frame.point(half - thick / 2, -reach / 2, rise * 0.52)
    return pair("back", Box(Frame(frame.rotation, centre), (thick / 2, reach / 2, rise * 0.46), 0.014))


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
        low = min(chair.clearance, 0.4 * chair.middle)
    radius = chair.seat_width / 2 - chair.back_thickness / 2 + 0.004
    angle = math.radians(60 + 8 * chair.count)

    def shell(half_angle: float, top: float) -> Part:
        bow = Bow(radius, half_angle, chair.back_thickness / 2)
        return Part("back", Slab(Frame.at(z=(low + top) / 2), bow, (top - low) / 2, 0.014))

    if chair.lift:
        return _band(chair, radius, math.radians(60 + 4 * chair.count))
    if chair.wrap == 1:
        return [shell(angle, high)]
    # A lower shell goes around the seat, as arms, and a higher one stands behind.
    side = chair.seat_height + max(chair.wrap * chair.back_height, 0.05)
    return [shell(math.radians(82), side), shell(min(angle, math.radians(62)), high)]


def _band(chair: Chair, radius: float, angle: float) -> list[Part]:
    """A bent band above the seat, as back and arms, on four posts."""
    high = chair.seat_height + chair.back_height
    low = min(chair.seat_height + chair.lift, high - 0.06)
    bow = Bow(radius, angle, chair.back_thickness / 2)
    parts = [Part("back", Slab(Frame.at(z=(low + high) / 2), bow, (high - low) / 2, 0.014))]
    tube, reach = min(chair.bar, chair.back_thickness + 0.01) / 2, radius - 0.012
    for turn in (angle * 0.94, angle * 0.35):
        x, y = reach * math.sin(turn), reach * math.cos(turn)
        # The seat's edge is under the band; the posts stand a little inside it.
        root = (0.9 * x, 0.9 * y, chair.level(0.9 * y))
        parts += pair("back" if y > 0.3 * radius else "arm", rod(root, (x, y, (low + high) / 2), tube))
    return parts
