"""Lorries: a cab with or without a bonnet, on a frame with two or three axles, and what they carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .coachwork import ALONG, WALL, upright
from .members import pair, rod
from .revolved import turned
from .shape import Part
from .solids import Box, Frame, Solid

if TYPE_CHECKING:
    from .car import Car

#: What stands behind the cab of a lorry.
LOADS = {"box": 34, "tank": 16, "open": 16, "logs": 12, "tipper": 12, "mixer": 10}


def lorry(car: Car) -> list[Part]:
    begin, end = car.ends
    rail = car.clearance + 0.03
    frame = Box(
        Frame.at(0, (begin + car.along(1.0)) / 2, rail + 0.02), (0.42 * car.half, car.length / 2 - 0.03, 0.035), 0.012
    )
    top = car.height * (0.86 if car.load in ("box", "mixer") else 0.98)
    foot = 2 * car.wheel - 0.5 * car.wheel
    front, rear = begin + 0.25 * car.screen * (top - foot), end
    rows = [
        (foot, begin, end, 0.97 * car.half),
        (foot + 0.55 * (top - foot), begin + 0.004, end, 0.97 * car.half),
        (top - 0.03, front + 0.01, rear, 0.92 * car.half),
        (top, front + 0.04, rear - 0.01, 0.86 * car.half),
    ]
    parts = [Part("chassis", frame), Part("cab", upright(rows, 0.018))]
    step = Box(
        Frame.at(0, (car.places[0] - car.wheel + begin) / 2 - 0.004, 0.9 * foot), (car.half * 0.94, 0.03, 0.03), 0.012
    )
    parts.append(Part("bumper", step))
    if car.bonnet:
        nose = car.along(0.02)
        hood = [
            (foot - 0.02, nose, begin + 0.05, 0.56 * car.half),
            (0.56 * top + 0.3 * foot, nose + 0.01, begin + 0.05, 0.56 * car.half),
            (0.66 * top + 0.3 * foot, nose + 0.05, begin + 0.05, 0.5 * car.half),
        ]
        parts.append(Part("bonnet", upright(hood, 0.018)))
        place = car.places[0]
        cover = Box(
            Frame.at(0.72 * car.half, place, 2 * car.wheel + 0.02), (0.26 * car.half, car.wheel * 1.1, 0.026), 0.018
        )
        parts += pair("fender", cover)
        stack = rod((0.7 * car.half, end + 0.012, rail), (0.7 * car.half, end + 0.012, top + 0.02), 0.023)
        parts += pair("exhaust", stack)
    return [*parts, *_load(car, end + (0.07 if car.bonnet else 0.03), 2 * car.wheel + 0.012)]


def _load(car: Car, begin: float, floor: float) -> list[Part]:
    """What a lorry carries, from some place to its end, over the floor."""
    end, half = car.along(1.0), car.half
    middle, reach = (begin + end) / 2, (end - begin) / 2
    bed = Part("bed", Box(Frame.at(0, middle, floor), (half, reach, 0.026), 0.012))
    wall = 0.11 * car.height + 0.05
    if car.load == "box":
        tall = (car.height - floor + 0.02) / 2
        return [Part("box", Box(Frame.at(0, middle, floor - 0.02 + tall), (half, reach, tall), 0.014))]
    if car.load == "tank":
        radius = min(0.92 * half, 0.5 * (car.height - floor))
        outline = [(0.6 * radius, -reach), (radius, -reach + 0.03), (radius, reach - 0.03), (0.6 * radius, reach)]
        centre = np.array([0.0, middle, floor + radius - 0.004])
        hatch = [
            Box(Frame.at(0, middle + s * 0.5 * reach, floor + 2 * radius), (0.04, 0.05, 0.026), 0.012) for s in (-1, 1)
        ]
        tank = Part("tank", turned(Frame(ALONG, centre), outline, 0.02))
        return [bed, tank, *(Part("hatch", solid) for solid in hatch)]
    if car.load == "logs":
        radius = 0.46 * half
        rows = [(-radius, 0.0), (radius, 0.0), (0.0, 1.70 * radius)]
        centres = [(x, floor + 0.02 + radius + up) for x, up in rows]
        logs: list[Solid] = []
        for x, z in centres:
            outline = [(radius, -reach + 0.02), (radius, reach - 0.02)]
            logs.append(turned(Frame(ALONG, np.array([x, middle, z])), outline, 0.01))
        stakes = [rod((half - 0.02, y, floor), (half - 0.02, y, floor + 0.17), 0.023) for y in (begin + 0.1, end - 0.1)]
        return [bed, *(Part("log", solid) for solid in logs), *pair("stake", *stakes)]
    if car.load == "mixer":
        width = 0.98 * half
        outline = [(0.4 * width, -reach), (width, -0.35 * reach), (width, 0.15 * reach), (0.42 * width, 0.96 * reach)]
        drum = Frame(ALONG, np.array([0.0, middle, floor + width + 0.03])).turned("x", 0.20)
        post = Box(Frame.at(0, end - 0.07, floor + 0.5 * width), (0.5 * half, 0.024, 0.55 * width), 0.012)
        stand = Box(Frame.at(0, begin + 0.03, floor + 0.4 * width), (0.5 * half, 0.024, 0.5 * width), 0.012)
        return [bed, Part("drum", turned(drum, outline, 0.02)), Part("stand", post), Part("stand", stand)]
    if car.load == "tipper":
        tub = upright([(floor, begin + 0.03, end - 0.07, 0.8 * half), (floor + 1.2 * wall, begin, end, half)], 0.014)
        heap = upright(
            [
                (floor + wall, begin + 0.04, end - 0.04, 0.84 * half),
                (floor + 1.5 * wall, middle - 0.45 * reach, middle + 0.35 * reach, 0.45 * half),
            ],
            0.02,
        )
        return [bed, Part("tub", tub), Part("heap", heap)]
    side = Box(Frame.at(half - WALL / 2, middle, floor + wall / 2), (WALL / 2, reach, wall / 2 + 0.01), 0.012)
    ends = [
        Box(Frame.at(0, y, floor + wall / 2 + up), (half - 0.01, WALL / 2, wall / 2 + 0.01 + up), 0.012)
        for y, up in ((begin + WALL / 2, 0.03), (end - WALL / 2, 0.0))
    ]
    return [bed, *pair("bed wall", side), Part("headboard", ends[0]), Part("tailgate", ends[1])]
