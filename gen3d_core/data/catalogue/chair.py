"""Chairs: seven bases under eight backs, from bar stool to settee.

A design is drawn base first, then proportions, then a back and arms that suit the base, so the tables below are the
documented probabilities. The back faces -y (it stands at +y) and every chair is its own mirror image in x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .backs import back_parts
from .members import THIN, Draw, bar, leg, pair, rod, runner, star
from .profiles import Ellipse, Trapezoid
from .shape import Part
from .solids import Array, Box, Cone, Frame, Slab

BASES = {
    "legs": 0.48,
    "sled": 0.10,
    "star": 0.085,
    "pedestal": 0.09,
    "cantilever": 0.085,
    "panels": 0.085,
    "block": 0.075,
}
BACKS = {
    "legs": {"panel": 14, "slats": 16, "spindles": 16, "ladder": 14, "hoop": 14, "rest": 8, "tub": 6, "none": 12},
    "sled": {"panel": 18, "slats": 14, "spindles": 12, "ladder": 14, "hoop": 12, "rest": 15, "tub": 7, "none": 8},
    "star": {"panel": 28, "rest": 20, "tub": 28, "hoop": 12, "none": 12},
    "pedestal": {"panel": 24, "rest": 20, "tub": 28, "hoop": 12, "none": 16},
    "cantilever": {"panel": 35, "slats": 20, "ladder": 20, "rest": 25},
    "panels": {"panel": 35, "slats": 25, "ladder": 22, "none": 18},
    "block": {"panel": 65, "tub": 35},
}
FORMS = {
    "legs": {"dining": 54, "bar": 16, "lounge": 16, "wide": 14},
    "sled": {"dining": 50, "bar": 20, "lounge": 20, "wide": 10},
    "star": {"dining": 60, "lounge": 30, "bar": 10},
    "pedestal": {"dining": 45, "lounge": 15, "bar": 40},
    "cantilever": {"dining": 70, "lounge": 30},
    "panels": {"dining": 45, "lounge": 30, "wide": 25},
    "block": {"lounge": 60, "wide": 40},
}
# Seat width, depth, height and back height in metres: only their ratios count.
PROPORTIONS = {
    "dining": ((0.40, 0.54), (0.40, 0.50), (0.42, 0.49), (0.34, 0.58)),
    "bar": ((0.36, 0.44), (0.34, 0.42), (0.60, 0.78), (0.20, 0.38)),
    "lounge": ((0.54, 0.74), (0.50, 0.66), (0.32, 0.40), (0.36, 0.56)),
    "wide": ((0.90, 1.30), (0.48, 0.60), (0.38, 0.45), (0.32, 0.46)),
}


@dataclass(frozen=True)
class Chair:
    """The final values of a chair; lengths in model units (the longest side of the chair is 0.9), angles in degrees.

    base, back: names in `BASES` and `BACKS`; form: name in `PROPORTIONS`; seat: square, round, trapezoid or cushion;
    arms: none, rods or panels; stretchers: none, H or box; section: round or square bars.
    seat_width and seat_depth 0.25..0.9, seat_height 0.2..0.9 (top of the seat above the floor), back_height 0.1..0.6
    and arm_height 0.1..0.3 (above the seat; 0 without).
    seat_thickness 0.046..0.14; seat_corner, back_corner 0.015..0.14 (corner radii seen from above and from the front);
    bar 0.045..0.062 (thickness of legs and posts); back_thickness 0.045..0.12; slat 0.046..0.11 (width of a slat);
    back_top 0.8..1.12 (width of a panel's top over its foot); taper 1..1.45 (a leg's top over its foot).
    splay 0..12, rake 0..15; count 1..7 (most slats, spindles or rungs), spokes 4 or 5.
    Values that a design has no use for are kept.
    """

    base: str
    back: str
    form: str
    seat: str
    arms: str
    stretchers: str
    section: str
    seat_width: float
    seat_depth: float
    seat_height: float
    back_height: float
    arm_height: float
    seat_thickness: float
    seat_corner: float
    bar: float
    back_thickness: float
    back_corner: float
    back_top: float
    slat: float
    taper: float
    splay: float
    rake: float
    count: int
    spokes: int

    @property
    def square(self) -> bool:
        """Whether bars have a square section."""
        return self.section == "square"

    @property
    def middle(self) -> float:
        """Height of the middle of the seat, where members enter it."""
        return self.seat_height - self.seat_thickness / 2

    @property
    def socket(self) -> float:
        """Height above the middle of the seat where the ball end of a round post hides in it."""
        return 0.0 if self.square else max(0.0, (self.bar - self.seat_thickness) / 2 + 0.002)

    def anchor(self, side: int) -> tuple[float, float]:
        """Where a leg or post meets the seat at +x: (x, y); side is -1 at the front and 1 at the rear."""
        if self.seat == "round":
            return 0.62 * self.seat_width / 2, side * 0.62 * self.seat_depth / 2
        inset = self.bar * max(self.taper, 1.0) / 2 + (0.0 if self.square and self.splay == 0 else 0.012)
        width = self.seat_width / 2 * (0.84 if self.seat == "trapezoid" and side > 0 else 1.0)
        return width - inset, side * (self.seat_depth / 2 - inset)


LENGTHS = ("seat_width", "seat_depth", "seat_height", "back_height", "arm_height")


def sample(draw: Draw) -> Chair:
    """Draw a design; its lengths are in metres until it is fitted."""
    base = draw.choose(BASES)
    back = draw.choose(BACKS[base])
    forms = dict(FORMS[base])
    if back in ("hoop", "tub"):
        forms["wide"] = 0
    if back == "none":
        forms["lounge"] = 0
    form = draw.choose(forms)
    width, depth, height, rise = (draw.uniform(*limits) for limits in PROPORTIONS[form])
    if back == "none" and form in ("dining", "bar"):
        width, depth, height = draw.uniform(0.32, 0.42), draw.uniform(0.30, 0.38), draw.uniform(0.46, 0.74)
    seat = draw.choose({"square": 34, "trapezoid": 22, "round": 20, "cushion": 24})
    if base == "block" or form == "wide":
        seat = draw.choose({"square": 25, "cushion": 75})
    if back == "tub" or (base in ("pedestal", "star") and back == "none"):
        seat = "round"
    elif base in ("cantilever", "panels", "sled") and seat == "round":
        seat = "square"
    if seat == "round":
        depth = width if back == "tub" else width * draw.uniform(0.92, 1.0)
    section = draw.choose({"round": 55, "square": 45}) if base != "star" else "round"
    if back in ("spindles", "hoop"):
        section = "round"
    jointed = back in ("panel", "slats", "ladder", "rest", "spindles")
    arms = "none"
    if base == "block" and back == "panel":
        arms = draw.choose({"none": 15, "panels": 85})
    elif base == "panels" and back == "panel":
        arms = draw.choose({"none": 50, "panels": 50})
    elif jointed and form != "bar" and seat != "round":
        arms = draw.choose({"none": 62, "rods": 38})
    straight = draw.chance(0.4)
    thin = {"square": (0.046, 0.062), "trapezoid": (0.046, 0.06), "round": (0.046, 0.085), "cushion": (0.075, 0.115)}
    thickness = draw.uniform(*thin[seat]) * (1.2 if base == "block" else 1.0)
    if back == "none" and seat == "round":
        thickness = draw.uniform(0.06, 0.1)
    stretchers = draw.choose({"none": 45, "H": 25, "box": 30}) if base == "legs" and form != "lounge" else "none"
    if base == "legs" and form == "bar":
        stretchers = draw.choose({"none": 10, "H": 30, "box": 60})
    arm_height = draw.uniform(0.17, 0.24)
    return Chair(
        base=base,
        back=back,
        form=form,
        seat=seat,
        arms=arms,
        stretchers=stretchers,
        section=section,
        seat_width=width,
        seat_depth=depth,
        seat_height=height,
        back_height=rise * {"tub": 0.7, "none": 0.0}.get(back, 1.0),
        arm_height=arm_height if arms != "none" else 0.0,
        seat_thickness=thickness,
        seat_corner=draw.uniform(0.015, 0.03) if draw.chance(0.4) else draw.uniform(0.04, 0.09),
        bar=draw.uniform(0.045, 0.062),
        back_thickness=draw.uniform(0.045, 0.06) + (draw.uniform(0.02, 0.06) if base == "block" else 0.0),
        back_corner=draw.uniform(0.015, 0.03) if draw.chance(0.4) else draw.uniform(0.05, 0.14),
        back_top=draw.uniform(0.8, 1.0) if draw.chance(0.6) else draw.uniform(1.0, 1.12),
        slat=draw.uniform(0.046, 0.06) if draw.chance(0.5) else draw.uniform(0.06, 0.11),
        taper=1.0 if straight or base != "legs" else draw.uniform(1.1, 1.45),
        splay=0.0 if straight or base != "legs" else draw.uniform(3, 12 if form != "bar" else 7),
        rake=draw.uniform(0, 5) if draw.chance(0.35) else draw.uniform(5, 15),
        count=1 + int(draw.uniform(0, 7)),
        spokes=4 + int(draw.chance(0.5)),
    )


def build(chair: Chair) -> list[Part]:
    """The parts of a chair standing on the floor at z = 0, its seat centred on the z axis."""
    bases = {
        "legs": _legs,
        "sled": _sled,
        "star": _star,
        "pedestal": _pedestal,
        "cantilever": _cantilever,
        "panels": _panels,
        "block": _block,
    }
    return [_seat(chair), *bases[chair.base](chair), *back_parts(chair), *_arms(chair)]


def _seat(chair: Chair) -> Part:
    half_x, half_y, half = chair.seat_width / 2, chair.seat_depth / 2, chair.seat_thickness / 2
    edge = 0.03 if chair.seat == "cushion" else 0.014
    if chair.seat == "round":
        profile = Ellipse(half_x, half_y, 0.03)
    elif chair.seat == "trapezoid":
        profile = Trapezoid(half_x, half_x * 0.84, half_y, max(chair.seat_corner, 0.03))
    elif chair.seat == "cushion" or chair.base == "block":
        profile = Trapezoid(half_x, half_x, half_y, 0.035)
    else:
        profile = Trapezoid(half_x, half_x, half_y, chair.seat_corner if chair.splay or not chair.square else 0.015)
    return Part("seat", Slab(Frame.at(z=chair.middle), profile, half, edge))


def _legs(chair: Chair) -> list[Part]:
    slope, foot_z = math.tan(math.radians(chair.splay)), 0.0
    ends: dict[int, tuple[Array, Array]] = {}
    parts = []
    for side in (-1, 1):
        x, y = chair.anchor(side)
        top = (x, y, chair.middle)
        foot = (x + slope * chair.middle, y + side * slope * chair.middle, foot_z)
        solid = leg(foot, top, chair.bar, chair.taper, chair.square)
        parts += pair("leg", solid)
        ends[side] = (Frame.at(*foot).translation, Frame.at(*top).translation)
    if chair.stretchers != "none":
        parts += _stretchers(chair, ends)
    return parts


def _stretchers(chair: Chair, ends: dict[int, tuple[Array, Array]]) -> list[Part]:
    level = 0.34 if chair.form == "bar" else 0.42
    front, rear = (foot + level * (top - foot) for foot, top in (ends[-1], ends[1]))
    size = THIN + 0.001

    def rail(start: Array, end: Array) -> Part:
        return Part("rail", bar(start, end, size, size) if chair.square else rod(start, end, size / 2))

    mirror = Frame.at().rotation * (-1.0, 1.0, 1.0)
    sides = pair("rail", rail(front, rear).solid)
    if chair.stretchers == "H":
        centre = (front + rear) / 2
        return [*sides, rail(centre, mirror @ centre)]
    return [*sides, rail(front, mirror @ front), rail(rear, mirror @ rear)]


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
    height = 0.075
    turn = math.pi / 2 if chair.spokes == 5 else math.pi / 4
    radius = 0.5 * min(chair.seat_width, 0.55)
    return [_column(chair, height - 0.03), *star(chair.spokes, radius * 1.05, height, chair.bar, turn)]


def _pedestal(chair: Chair) -> list[Part]:
    radius = 0.4 * min(chair.seat_width, 0.6)
    foot = Part("base", Cone(Frame.at(z=0.024), radius, radius * 0.82, 0.024, 0.012))
    flare = Part("base", Cone(Frame.at(z=0.065), chair.bar * 1.3, chair.bar * 0.62, 0.04, 0.008))
    return [foot, flare, _column(chair, 0.02)]


def _cantilever(chair: Chair) -> list[Part]:
    x, front = chair.anchor(-1)
    x = min(x, chair.anchor(1)[0])
    rear, low = chair.seat_depth / 2 - chair.bar, chair.bar / 2
    if chair.square:
        size = (chair.bar, chair.bar)
        return [
            *pair("base", bar((x, front, low), (x, rear, low), *size, grow=low)),
            *pair("base", bar((x, front, 0.0), (x, front, chair.middle), *size)),
            Part("base", bar((-x, rear, low), (x, rear, low), *size, grow=low)),
        ]
    top = chair.middle - chair.socket
    return [
        *pair("base", rod((x, front, low), (x, rear, low), low), rod((x, front, low), (x, front, top), low)),
        Part("base", rod((-x, rear, low), (x, rear, low), low)),
    ]


def _panels(chair: Chair) -> list[Part]:
    thick = chair.bar
    x = min(chair.anchor(-1)[0], chair.anchor(1)[0])
    if chair.arms == "panels":
        return []
    side = Box(Frame.at(x, 0, chair.middle / 2), (thick / 2, chair.seat_depth * 0.47, chair.middle / 2), 0.01)
    rail = Box(Frame.at(0, 0, chair.middle * 0.55), (x, THIN / 2, 0.035), 0.008)
    return [*pair("base", side), Part("rail", rail)]


def _block(chair: Chair) -> list[Part]:
    lift = 0.05
    top = chair.seat_height - chair.seat_thickness + 0.015
    half_x, half_y, half = chair.seat_width / 2, chair.seat_depth / 2, (top - lift) / 2
    frame = Frame.at(z=lift + half)
    if chair.seat == "round":
        body, reach = Slab(frame, Ellipse(half_x, half_y, 0.03), half, 0.016), 0.56
    else:
        body, reach = Box(frame, (half_x, half_y, half), 0.016), 0.8
    feet = [
        Cone(Frame.at(reach * half_x, side * reach * half_y, lift / 2 + 0.012), 0.024, 0.03, lift / 2 + 0.012, 0.008)
        for side in (-1, 1)
    ]
    return [Part("base", body), *pair("leg", *feet)]


def _arms(chair: Chair) -> list[Part]:
    if chair.arms == "none":
        return []
    height = chair.seat_height + chair.arm_height
    if chair.arms == "panels":
        thick = chair.back_thickness
        low = 0.05 if chair.base == "block" else 0.0
        frame = Frame.at(chair.seat_width / 2 + thick / 2 - 0.012, 0.0, (low + height) / 2)
        return pair("arm", Box(frame, (thick / 2, chair.seat_depth / 2, (height - low) / 2), 0.016))
    front_x, front = chair.anchor(-1)
    rear_x, rear = chair.anchor(1)
    rear += math.tan(math.radians(chair.rake)) * (height - chair.middle)
    start, end = (front_x, front, height), (rear_x, rear, height)
    if chair.square:
        return pair(
            "arm",
            bar(start, end, chair.bar, THIN, grow=chair.bar / 2),
            bar((front_x, front, chair.middle), start, chair.bar, chair.bar),
        )
    root = (front_x, front, chair.middle + chair.socket)
    return pair("arm", rod(start, end, chair.bar / 2), rod(root, start, chair.bar / 2))
