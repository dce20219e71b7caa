"""Cars with bodies of their own: vintage cars with separate wings, and racers with open wheels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .coachwork import SIDE, fenders, tail_parts, upright
from .extruded import Extruded
from .members import pair, rod
from .shape import Part
from .solids import Box, Frame

if TYPE_CHECKING:
    from .car import Car


def vintage(car: Car) -> list[Part]:
    """A narrow bonnet, an upright cabin, running boards and separate wings."""
    begin, end = car.ends
    inner = car.half - car.tyre - 0.006
    low = car.clearance
    first = car.along(0.03)
    bonnet_top = 0.92 * car.belt
    rows = [
        (low, first, begin + 0.05, 0.66 * inner),
        (0.75 * bonnet_top, first + 0.006, begin + 0.05, 0.78 * inner),
        (bonnet_top, first + 0.02, begin + 0.05, 0.5 * inner),
    ]
    body = [
        (low, begin, end, 0.96 * inner),
        (car.belt, begin, end + 0.01, inner),
        (car.height - 0.05, *car.roof_ends, 0.94 * inner),
        (car.height, car.roof_ends[0] + 0.02, car.roof_ends[1] - 0.03, 0.84 * inner),
    ]
    boot = [
        (low, end - 0.05, car.along(0.97), 0.9 * inner),
        (0.72 * car.belt, end - 0.05, car.along(0.95), 0.84 * inner),
    ]
    visor = Box(Frame.at(0, car.roof_ends[0] - 0.01, car.height - 0.05), (0.9 * inner, 0.035, 0.023), 0.012)
    places = car.places
    board = Box(
        Frame.at(car.half - car.tyre / 2 - 0.008, (places[0] + places[-1]) / 2, low + 0.018),
        (car.tyre / 2 + 0.02, (places[-1] - places[0]) / 2 - 0.5 * car.wheel, 0.023),
        0.012,
    )
    return [
        Part("bonnet", upright(rows, 0.014)),
        Part("cabin", upright(body, 0.018)),
        Part("boot", upright(boot, 0.016)),
        Part("visor", visor),
        *pair("running board", board),
        *fenders(car, 1.0),
        *tail_parts(car),
    ]


def racer(car: Car) -> list[Part]:
    """A slim body between open wheels, with wings at both ends."""
    low, belt = car.clearance, car.belt
    first, last = car.along(0.0) + 0.02, car.along(1.0) - 0.04
    seat, end = car.ends
    slim = 0.24 * car.half
    rows = [
        (first, low + 0.02, low + 0.035, 0.5 * slim),
        (car.along(0.3), low, 0.75 * belt, 0.85 * slim),
        (seat, low, belt, 1.15 * slim),
        (end, low, belt * 1.02, 1.15 * slim),
        (last, low + 0.03, 0.7 * belt, 0.7 * slim),
    ]
    body = Extruded(Frame(SIDE, np.zeros(3)), np.array(rows), 0.018)
    pod = Box(Frame.at(0.5 * car.half, car.along(0.58), low + 0.045), (0.26 * car.half, 0.13, 0.04), 0.02)
    intake = upright([(belt - 0.02, end - 0.01, end + 0.16, 0.045), (car.height, end + 0.01, end + 0.06, 0.036)], 0.016)
    screen = Box(Frame.at(0, seat - 0.01, belt + 0.018).turned("x", -0.5), (0.05, 0.024, 0.034), 0.012)
    front = Box(Frame.at(0, first + 0.01, low + 0.012), (0.92 * car.half, 0.045, 0.024), 0.012)
    plates = pair("plate", Box(Frame.at(0.92 * car.half, first + 0.01, low + 0.03), (0.024, 0.05, 0.04), 0.012))
    driver = rod((0, (seat + end) / 2, belt), (0, (seat + end) / 2, belt + 0.028), 0.034)
    return [
        Part("body", body),
        *pair("pod", pod),
        Part("intake", intake),
        Part("windscreen", screen),
        Part("driver", driver),
        Part("front wing", front),
        *plates,
        *tail_parts(car),
    ]
