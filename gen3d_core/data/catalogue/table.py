"""Tables: a top on legs, trestles, columns, runners or panels, from coffee table to bar table."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .members import THIN, Draw, bar, leg, pair, rod, runner, star
from .profiles import Ellipse, Trapezoid
from .shape import Part
from .solids import Box, Cone, Frame, Slab

BASES = {"legs": 0.50, "trestle": 0.10, "pedestal": 0.12, "sled": 0.09, "panels": 0.10, "columns": 0.09}
FORMS = {"dining": 45, "coffee": 30, "bar": 10, "side": 15}
# Length, width and height in metres: only their ratios count.
PROPORTIONS = {
    "dining": ((1.2, 1.8), (0.70, 0.95), (0.70, 0.77)),
    "coffee": ((0.8, 1.2), (0.45, 0.75), (0.34, 0.48)),
    "bar": ((0.6, 1.1), (0.55, 0.70), (0.95, 1.10)),
    "side": ((0.45, 0.60), (0.40, 0.55), (0.45, 0.70)),
}


@dataclass(frozen=True)
class Table:
    """The final values of a table; lengths in model units (the longest side of the table is 0.9), angles in degrees.

    base: name in `BASES`; form: name in `PROPORTIONS`; top: rectangle, round or oval; section: round or square bars;
    extra: none, apron, stretcher or shelf.
    length 0.4..0.9, width 0.3..0.9, height 0.2..0.9, top_thickness 0.045..0.07, bar 0.047..0.07 (legs), taper 1..1.45
    (a leg's top over its foot), splay 0..10, inset 0..0.05 (legs from the edge), spokes 0 for a disc foot, or 3..5.
    """

    base: str
    form: str
    top: str
    section: str
    extra: str
    length: float
    width: float
    height: float
    top_thickness: float
    bar: float
    taper: float
    splay: float
    inset: float
    spokes: int

    @property
    def square(self) -> bool:
        """Whether bars have a square section."""
        return self.section == "square"

    @property
    def middle(self) -> float:
        """Height of the middle of the top, where members enter it."""
        return self.height - self.top_thickness / 2

    def anchor(self) -> tuple[float, float]:
        """Where a leg meets the top at +x and +y."""
        if self.top != "rectangle":
            return 0.63 * self.length / 2, 0.63 * self.width / 2
        inset = self.inset + self.bar * self.taper / 2
        return self.length / 2 - inset, self.width / 2 - inset


LENGTHS = ("length", "width", "height")


def sample(draw: Draw) -> Table:
    """Draw a design; its lengths are in metres until it is fitted."""
    base = draw.choose(BASES)
    form = draw.choose(FORMS)
    length, width, height = (draw.uniform(*limits) for limits in PROPORTIONS[form])
    tops = {"rectangle": 55, "round": 25, "oval": 20}
    if base in ("sled", "panels", "trestle"):
        tops = {"rectangle": 80, "oval": 20}
    elif base == "pedestal":
        tops = {"rectangle": 20, "round": 60, "oval": 20}
    elif base == "columns":
        tops = {"rectangle": 60, "oval": 40}
    top = draw.choose(tops)
    if top == "round" or base == "pedestal":
        length = width = min(length, width * 1.25)
    if top == "oval":
        length = max(length, width * 1.3)
    straight = draw.chance(0.45)
    extras = {"none": 100}
    if base == "legs":
        extras = {"none": 35, "apron": 30, "stretcher": 15, "shelf": 20 if form != "dining" else 0}
        straight = straight or form == "bar"
    elif base in ("trestle", "panels", "columns"):
        extras = {"none": 40, "stretcher": 60}
    extra = draw.choose(extras)
    if extra in ("apron", "shelf"):
        straight = True
    return Table(
        base=base,
        form=form,
        top=top,
        section=draw.choose({"round": 45, "square": 55}),
        extra=extra,
        length=length,
        width=width,
        height=height,
        top_thickness=draw.uniform(0.045, 0.07),
        bar=draw.uniform(0.047, 0.07),
        taper=1.0 if straight or base != "legs" else draw.uniform(1.1, 1.45),
        splay=0.0 if straight or base != "legs" else draw.uniform(3, 10),
        inset=draw.uniform(0.0, 0.05),
        spokes=0 if draw.chance(0.5) else 3 + int(draw.uniform(0, 3)),
    )


def build(table: Table) -> list[Part]:
    """The parts of a table standing on the floor at z = 0, its top centred on the z axis."""
    bases = {
        "legs": _legs,
        "trestle": _trestle,
        "pedestal": _pedestal,
        "sled": _sled,
        "panels": _panels,
        "columns": _columns,
    }
    return [_top(table), *bases[table.base](table)]


def _top(table: Table) -> Part:
    half_x, half_y = table.length / 2, table.width / 2
    if table.top == "rectangle":
        profile = Trapezoid(half_x, half_x, half_y, 0.02 if table.square else 0.06)
    else:
        profile = Ellipse(half_x, half_y, 0.03)
    return Part("top", Slab(Frame.at(z=table.middle), profile, table.top_thickness / 2, 0.012))


def _rail(table: Table, start: tuple[float, float, float], end: tuple[float, float, float]) -> Part:
    size = THIN + 0.002
    return Part("rail", bar(start, end, size, size) if table.square else rod(start, end, size / 2))


def _legs(table: Table) -> list[Part]:
    slope = math.tan(math.radians(table.splay)) * table.middle
    x, y = table.anchor()
    solids = []
    for side in (-1, 1):
        solids.append(
            leg((x + slope, side * (y + slope), 0.0), (x, side * y, table.middle), table.bar, table.taper, table.square)
        )
    parts = pair("leg", *solids)
    if table.extra == "apron":
        level, half = table.height - table.top_thickness - 0.018, 0.035
        parts += pair("rail", Box(Frame.at(x, 0, level), (THIN / 2, y, half), 0.008))
        parts += [Part("rail", Box(Frame.at(0, s * y, level), (x, THIN / 2, half), 0.008)) for s in (-1, 1)]
    elif table.extra == "shelf":
        level = table.height * 0.3
        plate = Trapezoid(x, x, y, 0.012)
        parts.append(Part("top", Slab(Frame.at(z=level), plate, THIN / 2 + 0.001, 0.01)))
    elif table.extra == "stretcher":
        share = 0.35
        level, reach = share * table.middle, slope * (1 - share)
        parts += pair("rail", _rail(table, (x + reach, -y - reach, level), (x + reach, y + reach, level)).solid)
        parts.append(_rail(table, (-x - reach, 0, level), (x + reach, 0, level)))
    return parts


def _trestle(table: Table) -> list[Part]:
    x = 0.66 * table.length / 2
    spread, low = 0.8 * table.width / 2, table.bar / 2
    solids = []
    for side in (-1, 1):
        solids.append(
            leg((x, side * spread, 0.0), (x, side * spread * 0.25, table.middle), table.bar, 1.0, table.square)
        )
    level = 0.3 * table.middle
    reach = spread * (1 - 0.75 * level / table.middle)
    parts = pair("leg", *solids, _rail(table, (x, -reach, level), (x, reach, level)).solid)
    if table.extra == "stretcher":
        parts.append(_rail(table, (-x, 0, level), (x, 0, level)))
    head = Box(Frame.at(x, 0, table.height - table.top_thickness - 0.01), (low, 0.6 * spread, 0.03), 0.008)
    return [*parts, *pair("rail", head)]


def _post(table: Table, x: float) -> Box | Cone:
    half = table.middle / 2
    radius = table.bar * 0.75
    if table.square:
        return Box(Frame.at(x, 0, half), (radius, radius, half), 0.01)
    return Cone(Frame.at(x, 0, half), radius * 1.25, radius, half, 0.01)


def _pedestal(table: Table) -> list[Part]:
    column = Part("base", _post(table, 0.0))
    if table.spokes == 0:
        foot = 0.31 * table.width
        return [column, Part("base", Cone(Frame.at(z=0.024), foot, foot * 0.85, 0.024, 0.012))]
    turn = math.pi / 4 if table.spokes == 4 else math.pi / 2
    return [column, *star(table.spokes, 0.36 * table.width, 0.1, table.bar, turn)]


def _sled(table: Table) -> list[Part]:
    x, y = table.anchor()
    top = table.middle if table.square else min(table.middle, table.height - table.bar / 2 - 0.002)
    return runner(x, -y, y, top, table.bar, 0.0 if table.square else 0.07)


def _panels(table: Table) -> list[Part]:
    x = (0.8 if table.top == "rectangle" else 0.58) * table.length / 2
    depth = (0.92 if table.top == "rectangle" else 0.7) * table.width / 2
    side = Box(Frame.at(x, 0, table.middle / 2), (table.bar / 2, depth, table.middle / 2), 0.01)
    parts = pair("base", side)
    if table.extra == "stretcher":
        level = table.middle * 0.5
        parts.append(Part("rail", Box(Frame.at(0, 0, level), (x, THIN / 2, 0.05), 0.008)))
    return parts


def _columns(table: Table) -> list[Part]:
    x, reach, low = 0.62 * table.length / 2, 0.4 * table.width, table.bar / 2
    ends = (x, -reach, low), (x, reach, low)
    foot = bar(*ends, table.bar * 1.3, table.bar) if table.square else rod(*ends, low)
    parts = pair("base", _post(table, x), foot)
    if table.extra == "stretcher":
        level = table.middle * 0.4
        parts.append(_rail(table, (-x, 0, level), (x, 0, level)))
    return parts
