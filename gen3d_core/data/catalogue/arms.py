"""Arms of chairs: rods and pads on posts, and panels down to the floor or to the seat."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .members import THIN, bar, pair, rod
from .shape import Part
from .solids import Box, Frame

if TYPE_CHECKING:
    from .chair import Chair


def arm_parts(chair: Chair) -> list[Part]:
    """The members of the chair's arms."""
    if chair.arms == "none":
        return []
    return _panels(chair) if chair.arms == "panels" else _posts(chair)


def _panels(chair: Chair) -> list[Part]:
    height, thick = chair.seat_height + chair.arm_height, chair.arm_thickness
    low = 0.0
    if chair.base == "block":
        low = min(chair.clearance, 0.4 * chair.middle)
    elif chair.base != "panels":
        low = chair.seat_height - chair.seat_thickness - chair.slope * chair.seat_depth / 2 - 0.6 * chair.apron
    frame = Frame.at(chair.seat_width / 2 + thick / 2 - 0.012, 0.0, (low + height) / 2)
    return pair("arm", Box(frame, (thick / 2, chair.seat_depth / 2, (height - low) / 2), 0.016))


def _posts(chair: Chair) -> list[Part]:
    """A rod or a flat pad from the back to a post on the seat."""
    height = chair.seat_height + chair.arm_height
    front_x, front = chair.anchor(-1)
    rear_x, seat_rear = chair.anchor(1)
    rear = seat_rear + math.tan(math.radians(chair.rake)) * (height - chair.level(seat_rear))
    stand = front + (seat_rear - front) * 0.55 * (1 - chair.support)
    root = (front_x, stand, chair.level(stand))
    along = (stand - front) / (rear - front)
    top = (front_x + (rear_x - front_x) * along, stand, height)
    start, end = (front_x, front, height), (rear_x, rear, height)
    if chair.support < 1:
        # The arm reaches forward of its post, but not to the edge of the seat.
        share = 0.5
        start = (front_x, front + share * (stand - front), height)
    if chair.arms == "pads":
        width = max(chair.arm_thickness, chair.bar)
        post = bar(root, top, chair.bar, chair.bar) if chair.square else rod(root, top, chair.bar / 2)
        return pair("arm", bar(start, end, width, THIN + 0.004, edge=0.014, grow=chair.bar / 2), post)
    if chair.square:
        return pair(
            "arm",
            bar(start, end, chair.bar, THIN, grow=chair.bar / 2),
            bar(root, top, chair.bar, chair.bar),
        )
    socket = (root[0], root[1], root[2] + chair.socket)
    return pair("arm", rod(start, end, chair.bar / 2), rod(socket, top, chair.bar / 2))
