"""What the bodies of cars are made of: upright cabins, wheels, wings over them, and what stands at the tail."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .extruded import Extruded
from .members import THIN, pair
from .revolved import Revolved, turned
from .shape import Part
from .solids import Box, Frame

if TYPE_CHECKING:
    from .car import Car

#: Local x, y, z to the rear, up and to the left: bodies drawn from the side.
SIDE = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
#: Local x, y, z up, to the rear and to the right: cabins that narrow towards the roof.
UPRIGHT = np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])
#: Local z to the left: wheels; and to the rear: tanks.
ACROSS = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
ALONG = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
#: Edge radius of bodies, gap between a wheel and its arch, thickness of walls.
EDGE, ARCH, WALL = 0.018, 0.013, THIN + 0.003
#: The shortest roof.
ROOF = 0.14
#: The least height of a body's core, how far it takes to step down to the floor of a bed, how deep wheels are dished.
THICK, STEP, DISH = 0.028, 0.020, 0.010


def upright(rows: list[tuple[float, float, float, float]], edge: float) -> Extruded:
    """A solid of horizontal sections: rows of height, front and rear place and half width, all outer sizes."""
    z, front, rear, half = np.array(rows).T
    z = z[0] + (z - z[0]) * (1 - edge / (z[-1] - z[0]))
    return Extruded(Frame(UPRIGHT, np.zeros(3)), np.stack([z, front + edge, rear - edge, half - edge], 1), edge)


def turned_wheel(car: Car, frame: Frame, width: float) -> Revolved:
    r, w = car.wheel, width / 2
    tread = [(r, -w), (r, w)]
    # Only a large wheel has room for the cap of its hub.
    cap = [(0.72 * r, w), (0.58 * r, w - DISH), (0.026, w - DISH), (0.024, w - 0.002)]
    return turned(frame, tread + (cap if r > 0.060 else [(0.78 * r, w), (0.46 * r, w - DISH)]), 0.005)


def fenders(car: Car, forward: float) -> list[Part]:
    """Round wings over the wheels, standing off a narrower body; forward: share of a circle they cover in front."""
    parts = []
    for place in car.places:
        outer, width = car.wheel + 0.040, car.tyre / 2 + 0.012
        angles = np.linspace(0.9 * math.pi, 0.1 * math.pi, 10)
        x, z = outer * np.cos(angles), outer * np.sin(angles)
        x = np.where(x < 0, x * (1 + 0.1 * forward), x * 1.08)
        stations = np.stack([x, np.full(len(x), -0.012), z - 0.004, np.full(len(x), width - 0.012)], 1)
        frame = Frame(SIDE, np.array([car.half - width + 0.006, place, car.wheel]))
        parts += pair("fender", Extruded(frame, stations, 0.012))
    return parts


def tail_parts(car: Car) -> list[Part]:
    """A lip, a wing or a spare wheel at the rear."""
    end, rear = car.along(1.0), car.roof_ends[1]
    if car.tail == "lip":
        if car.kind == "hatchback":
            return [
                Part(
                    "spoiler", Box(Frame.at(0, rear + 0.01, car.height - 0.026), (0.78 * car.half, 0.045, 0.023), 0.014)
                )
            ]
        lip = Frame.at(0, end - 0.05, car.boot * car.belt + 0.012).turned("x", 0.25)
        return [Part("spoiler", Box(lip, (0.86 * car.half, 0.04, 0.023), 0.014))]
    if car.tail == "wing":
        base = car.boot * car.belt - 0.03 if car.kind == "sports" else 0.6 * car.belt
        top = max(base + 0.13, 0.94 * car.height)
        plate = Frame.at(0, end - 0.045, top).turned("x", 0.1)
        post = Box(Frame.at(0.5 * car.half, end - 0.06, (base + top) / 2), (0.0225, 0.026, (top - base) / 2), 0.01)
        if car.kind == "racer":
            post = Box(Frame.at(0.12 * car.half, end - 0.06, (base + top) / 2), (0.0225, 0.03, (top - base) / 2), 0.01)
            wide = 0.72 * car.half
            sides = pair("plate", Box(Frame.at(wide, end - 0.045, top - 0.02), (0.0225, 0.055, 0.045), 0.012))
            return [Part("spoiler", Box(plate, (wide, 0.045, 0.0225), 0.014)), *pair("strut", post), *sides]
        return [Part("spoiler", Box(plate, (0.94 * car.half, 0.045, 0.0225), 0.014)), *pair("strut", post)]
    if car.tail == "wheel":
        y = end + 0.008 if car.kind == "offroader" else car.along(0.97) + 0.01
        z = max(0.86 * car.belt, car.clearance + car.wheel + 0.03)
        return [Part("spare wheel", turned_wheel(car, Frame(ALONG, np.array([0.0, y, z])), 0.055))]
    return []
