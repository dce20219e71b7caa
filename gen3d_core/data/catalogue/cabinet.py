"""Cabinets: bookcases, shelves, dressers, night stands, sideboards, wardrobes and chests, open and closed.

A body has one zone or two, one above the other. A zone has columns, and each column is open with shelves, or closed by
doors or drawers; the middle of a zone may differ from its sides. The front faces -y, and every cabinet is its own
mirror image in x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .members import Draw, leg, pair
from .shape import Part
from .solids import Box, Cone, Frame

FORMS = {
    "bookcase": 18,
    "shelf": 11,
    "cabinet": 19,
    "dresser": 13,
    "night stand": 13,
    "sideboard": 12,
    "wardrobe": 9,
    "chest": 5,
}
# Height and depth over the width.
PROPORTIONS = {
    "bookcase": ((0.9, 3.0), (0.22, 0.65)),
    "shelf": ((0.35, 0.95), (0.20, 0.50)),
    "cabinet": ((0.7, 2.3), (0.35, 1.10)),
    "dresser": ((0.6, 1.7), (0.35, 0.80)),
    "night stand": ((0.7, 1.7), (0.65, 1.15)),
    "sideboard": ((0.30, 0.80), (0.22, 0.55)),
    "wardrobe": ((1.2, 3.2), (0.30, 0.90)),
    "chest": ((0.35, 1.2), (0.35, 1.40)),
}
# What the columns of a zone are closed by: sides of the zone, then its middle.
FILLS = {
    "bookcase": {"open open": 84, "doors open": 8, "open drawers": 4, "drawers open": 4},
    "shelf": {"open open": 72, "doors open": 12, "drawers open": 8, "open drawers": 8},
    "cabinet": {"doors doors": 70, "open open": 8, "drawers doors": 10, "doors open": 12},
    "dresser": {"drawers drawers": 84, "drawers doors": 8, "doors drawers": 8},
    "night stand": {"drawers drawers": 50, "doors doors": 25, "open open": 25},
    "sideboard": {"doors doors": 40, "doors drawers": 22, "doors open": 18, "drawers drawers": 20},
    "wardrobe": {"doors doors": 86, "doors open": 14},
    "chest": {"doors doors": 100},
}
SPLIT = {
    "bookcase": 0.3,
    "shelf": 0.1,
    "cabinet": 0.4,
    "dresser": 0.2,
    "night stand": 0.6,
    "sideboard": 0.25,
    "wardrobe": 0.35,
    "chest": 0.0,
}
STANDS = {
    "bookcase": {"floor": 60, "plinth": 28, "legs": 12},
    "shelf": {"floor": 55, "plinth": 15, "legs": 30},
    "cabinet": {"floor": 42, "plinth": 28, "legs": 30},
    "dresser": {"floor": 34, "plinth": 26, "legs": 40},
    "night stand": {"floor": 30, "plinth": 15, "legs": 55},
    "sideboard": {"floor": 30, "plinth": 20, "legs": 50},
    "wardrobe": {"floor": 55, "plinth": 33, "legs": 12},
    "chest": {"floor": 65, "plinth": 10, "legs": 25},
}
#: How far fronts stand before the body, how thick they are, and the gap between two of them.
PROUD, FRONT, SEAM = 0.014, 0.046, 0.014
#: The least height of an open compartment.
OPENING = 0.07


@dataclass(frozen=True)
class Cabinet:
    """The final values of a cabinet; lengths in model units (the longest side of the cabinet is 0.9).

    form: name in `FORMS`; stand: floor, plinth or legs; section: round or square legs.
    lower, upper: what closes the sides and the middle of a zone, as "doors open"; upper is unused where split is 0.
    width and depth 0.1..0.9, height 0.2..0.9 (with the stand), stand_height 0..0.3.
    split 0 (one zone) or 0.25..0.75 (height of the lower zone over that of the body); upper_depth 0.45..1 (depth of the
    upper zone over that of the lower); board 0.044..0.06 (thickness); overhang 0..0.03 (of the top board);
    bar 0.045..0.08 (thickness of legs); inset 0..0.06 (of legs and plinth); taper 1..1.4 (a leg's top over its foot).
    lower_columns, upper_columns 1..4; shelves 0..5 (most in an open column); drawers 1..6 (most in a column).
    knobs and backless: 1 or 0, whether fronts have knobs and open zones no back.
    Values that a design has no use for are kept.
    """

    form: str
    stand: str
    section: str
    lower: str
    upper: str
    width: float
    depth: float
    height: float
    stand_height: float
    split: float
    upper_depth: float
    board: float
    overhang: float
    bar: float
    inset: float
    taper: float
    lower_columns: int
    upper_columns: int
    shelves: int
    drawers: int
    knobs: int
    backless: int

    @property
    def base(self) -> float:
        """Height of the underside of the body: no stand takes more than half of the height."""
        return min(self.stand_height, 0.5 * self.height) if self.stand != "floor" else 0.0


@dataclass(frozen=True)
class _Zone:
    """A carcass from the height `low` to `high`, its back at y = rear."""

    low: float
    high: float
    depth: float
    rear: float
    columns: int
    sides: str
    middle: str


LENGTHS = ("width", "depth", "height", "stand_height")


def sample(draw: Draw) -> Cabinet:
    """Draw a design; its lengths are relative until it is fitted."""
    form = draw.choose(FORMS)
    tall, deep = (low * (high / low) ** draw.uniform(0, 1) for low, high in PROPORTIONS[form])
    stand = draw.choose(STANDS[form])
    short = draw.uniform(0.03, 0.12) if draw.chance(0.6) else draw.uniform(0.12, 0.4)
    rise = {"floor": 0.0, "plinth": draw.uniform(0.03, 0.09), "legs": short}[stand]
    most = 1 + int(1.6 / tall + draw.uniform(0, 1.6))
    columns = max(1, min(4, most if form in ("sideboard", "shelf", "cabinet") else int(draw.uniform(1, most + 1))))
    if form in ("night stand", "chest"):
        columns = 1 if draw.chance(0.8) else 2
    split = draw.uniform(0.25, 0.75) if draw.chance(SPLIT[form]) else 0.0
    above = {"open open": 45, "doors doors": 30, "drawers drawers": 20, "doors open": 5}
    if form == "night stand":
        above = {"drawers drawers": 70, "open open": 30}
    return Cabinet(
        form=form,
        stand=stand,
        section=draw.choose({"round": 35, "square": 65}),
        lower=draw.choose(FILLS[form]),
        upper=draw.choose(above) if form not in ("bookcase", "wardrobe") else draw.choose(FILLS[form]),
        width=1.0,
        depth=deep,
        height=tall,
        stand_height=rise * (tall if stand == "legs" else 1.0),
        split=split,
        upper_depth=draw.uniform(0.45, 0.8) if form in ("bookcase", "cabinet") and draw.chance(0.3) else 1.0,
        board=draw.uniform(0.044, 0.06),
        overhang=0.0 if draw.chance(0.55) else draw.uniform(0.01, 0.03),
        bar=draw.uniform(0.045, 0.08),
        inset=draw.uniform(0.0, 0.06) if draw.chance(0.5) else 0.0,
        taper=1.0 if draw.chance(0.6) else draw.uniform(1.1, 1.4),
        lower_columns=columns,
        upper_columns=columns if draw.chance(0.7) else max(1, min(4, columns + (1 if draw.chance(0.5) else -1))),
        shelves=int(draw.uniform(0, 6)) if form != "bookcase" else 1 + int(draw.uniform(0, 5)),
        drawers=1 + int(draw.uniform(0, 5.5)) if form != "night stand" else 1 + int(draw.uniform(0, 3)),
        knobs=int(draw.chance(0.4)),
        backless=int(form in ("bookcase", "shelf") and draw.chance(0.3)),
    )


def build(cabinet: Cabinet) -> list[Part]:
    """The parts of a cabinet standing on the floor at z = 0, centred on the z axis."""
    low, high, depth = cabinet.base, cabinet.height, cabinet.depth
    rear = depth / 2
    cut = low + cabinet.split * (high - low)
    if cabinet.split and min(cut - low, high - cut) > 3 * cabinet.board:
        upper = cabinet.upper_depth * depth
        zones = [
            _zone(cabinet, low, cut + cabinet.board / 2, depth, cabinet.lower_columns, cabinet.lower),
            _zone(cabinet, cut - cabinet.board / 2, high, upper, cabinet.upper_columns, cabinet.upper),
        ]
    else:
        zones = [_zone(cabinet, low, high, depth, cabinet.lower_columns, cabinet.lower)]
    parts = [part for zone in zones for part in _carcass(cabinet, zone, zone is zones[-1])]
    if cabinet.stand == "plinth":
        half_y = depth / 2 - cabinet.inset / 2
        # It reaches into the lowest board, and is never a thin sheet.
        tall = max(low + 0.02, 0.046) / 2
        parts.append(
            Part(
                "base", Box(Frame.at(0, rear - half_y, tall), (cabinet.width / 2 - cabinet.inset, half_y, tall), 0.008)
            )
        )
    elif cabinet.stand == "legs":
        inset = cabinet.inset + cabinet.bar * cabinet.taper / 2
        x, y, top = cabinet.width / 2 - inset, depth / 2 - inset, max(low + 0.02, 0.046)
        solids = [
            leg((x, s * y, 0.0), (x, s * y, top), cabinet.bar, cabinet.taper, cabinet.section == "square")
            for s in (-1, 1)
        ]
        parts += pair("leg", *solids)
    return parts


def _zone(cabinet: Cabinet, low: float, high: float, depth: float, columns: int, fills: str) -> _Zone:
    sides, middle = fills.split()
    room = int((cabinet.width - cabinet.board) / (cabinet.board + OPENING))
    return _Zone(low, high, depth, cabinet.depth / 2, max(1, min(columns, room)), sides, middle)


def _board(label: str, low: tuple[float, float, float], high: tuple[float, float, float]) -> Part:
    """A box between two corners."""
    half = tuple((b - a) / 2 for a, b in zip(low, high, strict=True))
    centre = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
    return Part(label, Box(Frame.at(*centre), (half[0], half[1], half[2]), 0.006))


def _carcass(cabinet: Cabinet, zone: _Zone, last: bool) -> list[Part]:
    thick, half = cabinet.board, cabinet.width / 2
    front, rear = zone.rear - zone.depth, zone.rear
    over = cabinet.overhang if last else 0.0
    parts = pair("side", _board("side", (half - thick, front, zone.low), (half, rear, zone.high)).solid)
    # Boards end inside the sides and the back, so that no two faces lie in one plane within the body.
    parts.append(_board("shelf", (-half + 0.01, front, zone.low), (half - 0.01, rear, zone.low + thick)))
    if last:
        reach = half + over if over else half - 0.01
        parts.append(_board("top", (-reach, front - over, zone.high - thick), (reach, rear + over, zone.high)))
    columns = zone.columns
    pitch = (2 * half - thick) / columns
    edges = [-half + thick / 2 + pitch * i for i in range(columns + 1)]
    for x in edges[1:-1]:
        parts.append(_board("side", (x - thick / 2, front + 0.004, zone.low), (x + thick / 2, rear, zone.high)))
    for i in range(columns):
        inner = abs(i - (columns - 1) / 2) < 0.6 and columns > 1
        fill = zone.middle if inner and columns > 2 else zone.sides
        parts += _column(cabinet, zone, edges[i], edges[i + 1], fill)
    return parts


def _column(cabinet: Cabinet, zone: _Zone, left: float, right: float, fill: str) -> list[Part]:
    thick = cabinet.board
    front, rear = zone.rear - zone.depth, zone.rear
    low, high = zone.low + thick, zone.high - thick
    if fill == "open":
        parts = []
        if not cabinet.backless:
            parts.append(_board("back", (left, rear - thick, zone.low + 0.01), (right, rear - 0.002, zone.high - 0.01)))
        room = int((high - low - OPENING) / (thick + OPENING))
        count = max(0, min(cabinet.shelves, room))
        for i in range(1, count + 1):
            z = low + (high - low + thick) * i / (count + 1) - thick / 2
            parts.append(_board("shelf", (left, front + 0.012, z - thick / 2), (right, rear - 0.01, z + thick / 2)))
        return parts
    # Closed columns are solid: what is inside a closed cabinet cannot be seen.
    parts = [_board("body", (left, front + 0.01, zone.low + 0.01), (right, rear - 0.002, zone.high - 0.01))]
    count = 1
    if fill == "drawers":
        count = max(1, min(cabinet.drawers, int((high - low) / (OPENING + SEAM))))
    doors = 2 if fill == "doors" and right - left > 0.3 and right - left > 0.6 * (high - low) else 1
    tall, wide = (high - low + thick) / count, (right - left) / doors
    for row in range(count):
        for door in range(doors):
            x0, x1 = left + door * wide + SEAM / 2, left + (door + 1) * wide - SEAM / 2
            z0 = low - thick / 2 + row * tall + SEAM / 2
            z1 = z0 + tall - SEAM
            label = "drawer" if fill == "drawers" else "door"
            parts.append(_board(label, (x0, front - PROUD, z0), (x1, front - PROUD + FRONT, z1)))
            if cabinet.knobs and min(x1 - x0, z1 - z0) > 0.08:
                parts.append(_knob(cabinet, fill, x0, x1, (z0 + z1) / 2, front - PROUD))
    return parts


def _knob(cabinet: Cabinet, fill: str, left: float, right: float, z: float, front: float) -> Part:
    x = (left + right) / 2
    if fill == "doors" and abs(x) > 1e-6:
        # Doors open at the side that is nearer to the middle of the cabinet.
        x = left + 0.035 if x > 0 else right - 0.035
    frame = Frame.at(x, front - 0.008, z).turned("x", math.pi / 2)
    return Part("handle", Cone(frame, 0.022, 0.022, 0.022, 0.008))
