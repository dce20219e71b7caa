"""Tables: tops on legs, trestles, columns, runners, panels, drawers or a block, from coffee table to desk.

A design is drawn base first, then proportions, then a top and extras that suit the base. The front faces -y (a desk's
screen and hutch stand at +y), and every table is its own mirror image in x.
"""

from __future__ import annotations

from dataclasses import dataclass

from .members import Draw
from .profiles import Ellipse, Trapezoid
from .shape import Part
from .solids import Frame, Slab
from .stands import stand_parts

BASES = {
    "legs": 0.50,
    "trestle": 0.06,
    "pedestal": 0.09,
    "sled": 0.06,
    "panels": 0.085,
    "columns": 0.06,
    "drawers": 0.085,
    "block": 0.06,
}
FORMS = {
    "legs": {"dining": 35, "coffee": 29, "square": 15, "console": 8, "bar": 3, "side": 10},
    "trestle": {"dining": 60, "coffee": 25, "bar": 15},
    "pedestal": {"square": 55, "side": 15, "bar": 15, "dining": 15},
    "sled": {"dining": 50, "coffee": 35, "side": 15},
    "panels": {"dining": 50, "coffee": 35, "side": 15},
    "columns": {"dining": 60, "coffee": 40},
    "drawers": {"desk": 100},
    "block": {"coffee": 45, "side": 40, "dining": 15},
}
# Width and height over the length.
PROPORTIONS = {
    "dining": ((0.36, 0.72), (0.36, 0.62)),
    "coffee": ((0.34, 1.00), (0.20, 0.46)),
    "square": ((0.80, 1.00), (0.40, 0.95)),
    "bar": ((0.30, 0.90), (0.70, 1.50)),
    "console": ((0.24, 0.45), (0.50, 0.90)),
    "side": ((0.60, 1.05), (0.75, 1.40)),
    "desk": ((0.36, 0.80), (0.38, 0.72)),
}


@dataclass(frozen=True)
class Table:
    """The final values of a table; lengths in model units (the longest side of the table is 0.9), angles in degrees.

    base: name in `BASES`; form: name in `PROPORTIONS`; top: rectangle, round or oval; section: round or square bars;
    extra: none, apron, stretcher, box (rails on the floor) or shelf.
    length 0.4..0.9, width 0.2..0.9, height 0.15..0.9, top_thickness 0.045..0.16, bar 0.045..0.14 (legs and panels),
    apron 0.035..0.14 (its height), taper 1..1.45 (a leg's top over its foot), splay 0..12, inset 0..0.14 (legs from the
    edge), level 0.08..0.6 (height of shelves and stretchers over that of the table), screen 0 or 0.2..0.9 (height of a
    board behind the legs over the room below the top), hutch 0 or 0.1..0.4 (height of a shelf above the rear of the
    top), body 0.2..0.36 (width of a stack of drawers over the length).
    legs 4 or 6; shelves 1 or 2; spokes 0 for a disc foot, or 3..5; stacks 1 (in the middle) or 2; drawers 1..4.
    Values that a design has no use for are kept.
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
    apron: float
    taper: float
    splay: float
    inset: float
    level: float
    screen: float
    hutch: float
    body: float
    legs: int
    shelves: int
    spokes: int
    stacks: int
    drawers: int

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
        inset = self.bar * self.taper / 2 + 0.001
        side = min(self.inset, 0.2 * self.length)
        return self.length / 2 - inset - side, self.width / 2 - inset - min(self.inset, 0.2 * self.width)


LENGTHS = ("length", "width", "height", "hutch")


def sample(draw: Draw) -> Table:
    """Draw a design; its lengths are relative until it is fitted."""
    base = draw.choose(BASES)
    form = draw.choose(FORMS[base])
    width, height = (draw.uniform(*limits) for limits in PROPORTIONS[form])
    length = 1.0
    top = _top_kind(draw, base, form)
    if top == "round":
        length = width = 1.0 if form != "coffee" else max(width, 0.8)
    elif top == "oval":
        width = min(width, 0.75)
    elif base == "pedestal":
        length = width = 1.0
    heavy = base in ("legs", "sled", "panels") and top == "rectangle" and draw.chance(0.3)
    section = "square" if heavy else draw.choose({"round": 35, "square": 65})
    bar = draw.uniform(0.07, 0.14) if heavy else draw.uniform(0.045, 0.075 if draw.chance(0.35) else 0.056)
    straight = heavy or base != "legs" or draw.chance(0.72)
    extra = _extra_kind(draw, base, form, top)
    straight = straight or extra in ("apron", "shelf", "box") or form == "bar"
    thick = draw.uniform(0.045, 0.06) if draw.chance(0.6) else draw.uniform(0.06, 0.09)
    if heavy or base == "block":
        thick = draw.uniform(0.05, 0.15)
    panelled = base in ("panels", "drawers") or (base == "legs" and form == "dining" and draw.chance(0.08))
    return Table(
        base=base,
        form=form,
        top=top,
        section=section,
        extra=extra,
        length=length,
        width=width,
        height=height,
        top_thickness=thick,
        bar=bar,
        apron=draw.uniform(0.035, 0.07) if draw.chance(0.55) else draw.uniform(0.07, 0.14),
        taper=1.0 if straight else draw.uniform(1.1, 1.45),
        splay=0.0 if straight else draw.uniform(3, 12),
        inset=draw.uniform(0.0, 0.03) if draw.chance(0.65) else draw.uniform(0.03, 0.14),
        level=draw.uniform(0.1, 0.3) if draw.chance(0.6) else draw.uniform(0.3, 0.55),
        screen=draw.uniform(0.25, 0.9) if panelled and draw.chance(0.5) else 0.0,
        hutch=draw.uniform(0.1, 0.4) if base == "drawers" and draw.chance(0.18) else 0.0,
        body=draw.uniform(0.2, 0.36),
        legs=6 if base == "legs" and extra != "stretcher" and width < 0.6 and draw.chance(0.07) else 4,
        shelves=1 if draw.chance(0.8) else 2,
        spokes=0 if draw.chance(0.5) else 3 + int(draw.uniform(0, 3)),
        stacks=2 if draw.chance(0.75) else 1,
        drawers=1 + int(draw.uniform(0, 4)),
    )


def _top_kind(draw: Draw, base: str, form: str) -> str:
    tops = {"rectangle": 84, "round": 8, "oval": 8}
    if form == "square":
        tops = {"rectangle": 65, "round": 35}
    if base in ("sled", "panels", "trestle"):
        tops = {"rectangle": 90, "oval": 10}
    elif base == "pedestal":
        tops = {"rectangle": 25, "round": 60, "oval": 15}
    elif base == "columns":
        tops = {"rectangle": 70, "oval": 30}
    elif base == "drawers":
        tops = {"rectangle": 100}
    elif base == "block":
        tops = {"rectangle": 88, "round": 12}
    return draw.choose(tops)


def _extra_kind(draw: Draw, base: str, form: str, top: str) -> str:
    if base == "legs":
        extras = {"none": 36, "apron": 34, "stretcher": 8, "shelf": 14, "box": 8}
        if top != "rectangle":
            extras = {"none": 62, "apron": 0, "stretcher": 16, "shelf": 22}
        elif form in ("coffee", "side", "square"):
            extras |= {"shelf": 26}
        return draw.choose(extras)
    if base == "panels":
        return draw.choose({"none": 40, "stretcher": 30, "shelf": 30})
    if base in ("trestle", "columns"):
        return draw.choose({"none": 40, "stretcher": 60})
    return "none"


def build(table: Table) -> list[Part]:
    """The parts of a table standing on the floor at z = 0, its top centred on the z axis."""
    return [_top(table), *stand_parts(table)]


def _top(table: Table) -> Part:
    half_x, half_y = table.length / 2, table.width / 2
    if table.top == "rectangle":
        corner = 0.02 if table.square else 0.06
        profile = Trapezoid(half_x, half_x, half_y, min(corner, 0.4 * half_y))
    else:
        profile = Ellipse(half_x, half_y, 0.03)
    return Part("top", Slab(Frame.at(z=table.middle), profile, table.top_thickness / 2, 0.012))
