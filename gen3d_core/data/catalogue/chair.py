"""Chairs: seven bases under eight backs, from bar stool to club chair, rocking chair, swivel chair and settee.

A design is drawn base first, then proportions, then a back and arms that suit the base, so the tables below are the
documented probabilities. The back faces -y (it stands at +y) and every chair is its own mirror image in x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .arms import arm_parts
from .backs import back_parts
from .bases import base_parts
from .members import Draw
from .profiles import Ellipse, Trapezoid
from .shape import Part
from .solids import Box, Frame, Slab

BASES = {
    "legs": 0.55,
    "sled": 0.06,
    "star": 0.09,
    "pedestal": 0.06,
    "cantilever": 0.06,
    "panels": 0.06,
    "block": 0.12,
}
BACKS = {
    "legs": {"panel": 43, "slats": 9, "spindles": 9.5, "ladder": 9, "hoop": 8.5, "rest": 7, "tub": 9, "none": 7},
    "sled": {"panel": 34, "slats": 13, "spindles": 9, "ladder": 12, "hoop": 7, "rest": 12, "tub": 6, "none": 7},
    "star": {"panel": 48, "rest": 14, "tub": 26, "hoop": 7, "none": 5},
    "pedestal": {"panel": 28, "rest": 14, "tub": 32, "hoop": 11, "none": 15},
    "cantilever": {"panel": 50, "slats": 14, "ladder": 14, "spindles": 6, "rest": 16},
    "panels": {"panel": 46, "slats": 16, "ladder": 15, "spindles": 8, "none": 15},
    "block": {"panel": 88, "tub": 12},
}
FORMS = {
    "legs": {"dining": 57, "tall": 14, "bar": 5, "lounge": 13, "deck": 7, "wide": 4},
    "sled": {"dining": 56, "tall": 10, "bar": 6, "lounge": 24, "wide": 4},
    "star": {"dining": 50, "lounge": 46, "bar": 4},
    "pedestal": {"dining": 52, "lounge": 30, "bar": 18},
    "cantilever": {"dining": 65, "tall": 10, "lounge": 25},
    "panels": {"dining": 50, "tall": 12, "lounge": 30, "wide": 8},
    "block": {"dining": 22, "lounge": 38, "club": 30, "wide": 10},
}
# Seat width, depth, height and back height, with a whole chair about 1 high: only their ratios count.
PROPORTIONS = {
    "dining": ((0.44, 0.66), (0.42, 0.64), (0.40, 0.56), (0.46, 0.58)),
    "tall": ((0.36, 0.50), (0.36, 0.52), (0.32, 0.46), (0.54, 0.66)),
    "bar": ((0.28, 0.44), (0.28, 0.44), (0.58, 0.76), (0.24, 0.40)),
    "lounge": ((0.55, 0.90), (0.52, 0.86), (0.36, 0.56), (0.44, 0.64)),
    "deck": ((0.50, 0.75), (0.50, 0.80), (0.30, 0.46), (0.55, 0.80)),
    "club": ((0.70, 1.10), (0.75, 1.25), (0.40, 0.62), (0.30, 0.60)),
    "wide": ((1.00, 2.10), (0.60, 0.95), (0.36, 0.56), (0.36, 0.60)),
}


@dataclass(frozen=True)
class Chair:
    """The final values of a chair; lengths in model units (the longest side of the chair is 0.9), angles in degrees.

    base, back: names in `BASES` and `BACKS`; form: name in `PROPORTIONS`; seat: square, round, trapezoid or cushion;
    stance: straight, crossed (folding) or rockers, of a chair with legs; arms: none, rods, pads or panels;
    stretchers: none, H or box; section: round or square bars.
    seat_width and seat_depth 0.18..0.9, seat_height 0.15..0.9 (top of the seat above the floor), back_height 0.1..0.7
    and arm_height 0.08..0.3 (above the seat; 0 without); lift 0..0.25 (of a low panel or a band above the seat).
    seat_thickness 0.046..0.2; apron 0..0.14 (height of a box under the seat); seat_corner, back_corner 0.015..0.14
    (corner radii seen from above and from the front); bar 0.045..0.13 (thickness of legs and posts); back_thickness
    0.045..0.22; arm_thickness 0.045..0.2; slat 0.046..0.11 (width of a slat); wings 0 or 0.1..0.25 (how far the sides
    of a panel reach forward); clearance 0.02..0.16 (of a block above the floor).
    back_top 0.8..1.12 (width of a panel's top over its foot); taper 1..1.45 (a leg's top over its foot); foot 0.75..1.4
    (reach of a star or disc over half the seat); wrap 0.35..1 (height of a tub's sides over that of its back);
    support 0..1 (how far in front of the middle the arms' posts stand, of the way to the front).
    splay 0..12 (of all legs), lean 0..16 (of the rear ones, further back), tilt 0..14 (of the seat, down to the rear),
    rake 0..36 (of the back).
    count 1..7 (most slats, spindles or rungs), spokes 4 or 5; hub 0.06..0.16 (height at which a star's spokes meet).
    Values that a design has no use for are kept.
    """

    base: str
    back: str
    form: str
    seat: str
    stance: str
    arms: str
    stretchers: str
    section: str
    seat_width: float
    seat_depth: float
    seat_height: float
    back_height: float
    arm_height: float
    lift: float
    seat_thickness: float
    apron: float
    seat_corner: float
    bar: float
    back_thickness: float
    arm_thickness: float
    back_corner: float
    back_top: float
    slat: float
    wings: float
    clearance: float
    taper: float
    foot: float
    wrap: float
    support: float
    splay: float
    lean: float
    tilt: float
    rake: float
    count: int
    spokes: int
    hub: float

    @property
    def square(self) -> bool:
        """Whether bars have a square section."""
        return self.section == "square"

    @property
    def middle(self) -> float:
        """Height of the middle of the seat at its centre, where members enter it."""
        return self.seat_height - self.seat_thickness / 2

    @property
    def slope(self) -> float:
        """How much the seat falls per unit towards the rear."""
        return math.tan(math.radians(self.tilt))

    @property
    def socket(self) -> float:
        """Height above the middle of the seat where the ball end of a round post hides in it."""
        return 0.0 if self.square else max(0.0, (self.bar - self.seat_thickness) / 2 + 0.002)

    def level(self, y: float) -> float:
        """Height of the middle of the seat at a depth y."""
        return self.middle - self.slope * y

    def anchor(self, side: int) -> tuple[float, float]:
        """Where a leg or post meets the seat at +x: (x, y); side is -1 at the front and 1 at the rear."""
        if self.seat == "round":
            return 0.62 * self.seat_width / 2, side * 0.62 * self.seat_depth / 2
        inset = self.bar * max(self.taper, 1.0) / 2 + (0.0 if self.square and self.splay == 0 else 0.012)
        width = self.seat_width / 2 * (0.84 if self.seat == "trapezoid" and side > 0 else 1.0)
        return width - inset, side * (self.seat_depth / 2 - inset)


LENGTHS = ("seat_width", "seat_depth", "seat_height", "back_height", "arm_height", "lift")


def sample(draw: Draw) -> Chair:
    """Draw a design; its lengths are relative until it is fitted."""
    base = draw.choose(BASES)
    back = draw.choose(BACKS[base])
    forms = dict(FORMS[base])
    if back in ("hoop", "tub"):
        forms["wide"] = forms["deck"] = 0
    if back == "tub":
        forms["tall"] = 0
    if back == "none":
        forms = {"dining": 60, "bar": 30, "wide": 10}
    form = draw.choose(forms)
    width, depth, height, rise = (draw.uniform(*limits) for limits in PROPORTIONS[form])
    if back == "none" and form == "dining":
        width, depth, height = draw.uniform(0.32, 0.6), draw.uniform(0.30, 0.5), draw.uniform(0.40, 0.74)
    seat = _seat_kind(draw, base, back, form)
    if seat == "round":
        depth = width if back == "tub" else width * draw.uniform(0.92, 1.0)
    heavy = back == "panel" and base in ("legs", "panels", "sled") and form not in ("bar", "deck") and draw.chance(0.55)
    section = draw.choose({"round": 45, "square": 55}) if base != "star" else "round"
    if back in ("spindles", "hoop"):
        section = "round"
    elif heavy:
        section = "square"
        seat = "cushion" if seat == "round" or draw.chance(0.5) else "square"
    arms = _arm_kind(draw, base, back, form, seat, heavy)
    stance = "straight"
    if base == "legs" and form in ("dining", "lounge", "deck") and not heavy:
        stance = draw.choose({"straight": 84, "crossed": 9, "rockers": 7})
    soft = base == "block" or (arms == "panels" and form in ("lounge", "club", "wide"))
    stretchers = "none"
    if base == "legs" and stance == "straight" and not heavy:
        often = {"bar": {"none": 10, "H": 30, "box": 60}, "lounge": {"none": 90, "H": 5, "box": 5}}
        stretchers = draw.choose(often.get(form, {"none": 66, "H": 14, "box": 20}))
    bar = draw.uniform(0.07, 0.13) if heavy else draw.uniform(0.045, 0.075 if draw.chance(0.4) else 0.058)
    straight = stance != "straight" or base != "legs" or heavy or draw.chance(0.5)
    leaning = base == "legs" and stance == "straight" and stretchers == "none"
    deck = form == "deck"
    tilting = deck or (back == "panel" and base in ("legs", "star", "pedestal", "cantilever") and draw.chance(0.2))
    rake = draw.uniform(0, 4) if draw.chance(0.6 if heavy or soft else 0.4) else draw.uniform(4, 16)
    if deck:
        rake = draw.uniform(16, 36)
    elif form == "lounge" and base != "block" and draw.chance(0.35):
        rake = draw.uniform(12, 26)
    low = back == "panel" and arms != "panels" and not heavy and draw.chance(0.3 if base != "star" else 0.4)
    low = low or (back == "tub" and base != "block" and draw.chance(0.35))
    back_thickness = draw.uniform(0.045, 0.06) if draw.chance(0.6) else draw.uniform(0.06, 0.1)
    if soft or heavy:
        back_thickness = draw.uniform(0.06, 0.2 if soft else 0.15)
    wings = draw.uniform(0.1, 0.22) if back == "panel" and soft and form == "lounge" and draw.chance(0.25) else 0.0
    return Chair(
        base=base,
        back=back,
        form=form,
        seat=seat,
        stance=stance,
        arms=arms,
        stretchers=stretchers,
        section=section,
        seat_width=width,
        seat_depth=depth,
        seat_height=height,
        back_height=rise * {"tub": draw.uniform(0.6, 1.0), "none": 0.0}.get(back, 1.0),
        arm_height=draw.uniform(0.14, 0.30) * (rise / 0.5 if rise < 0.5 else 1.0) if arms != "none" else 0.0,
        lift=draw.uniform(0.1, 0.4) * rise if low else 0.0,
        seat_thickness=_seat_thickness(draw, seat, back, soft, heavy),
        apron=draw.uniform(0.03, 0.13) if base == "legs" and stance == "straight" and draw.chance(0.4) else 0.0,
        seat_corner=draw.uniform(0.015, 0.03) if draw.chance(0.5) else draw.uniform(0.04, 0.09),
        bar=bar,
        back_thickness=back_thickness,
        arm_thickness=draw.uniform(0.05, 0.2)
        if soft
        else draw.uniform(0.045, 0.07)
        if draw.chance(0.5)
        else draw.uniform(0.07, 0.13),
        back_corner=draw.uniform(0.015, 0.03) if draw.chance(0.55) else draw.uniform(0.05, 0.14),
        back_top=draw.uniform(0.8, 1.0) if draw.chance(0.3) else draw.uniform(1.0, 1.06),
        slat=draw.uniform(0.046, 0.06) if draw.chance(0.5) else draw.uniform(0.06, 0.11),
        wings=wings,
        clearance=draw.uniform(0.02, 0.06) if draw.chance(0.6) else draw.uniform(0.06, 0.16),
        taper=1.0 if straight else draw.uniform(1.1, 1.45),
        foot=draw.uniform(0.75, 1.0) if base == "pedestal" else draw.uniform(0.85, 1.4),
        wrap=1.0 if draw.chance(0.4) else draw.uniform(0.35, 0.8),
        support=1.0 if draw.chance(0.7) else draw.uniform(0.1, 0.8),
        splay=0.0 if straight else draw.uniform(3, 12 if form != "bar" else 7),
        lean=draw.uniform(3, 16) if leaning and straight and draw.chance(0.4) else 0.0,
        tilt=draw.uniform(3, 14) if tilting else 0.0,
        rake=rake,
        count=1 + int(draw.uniform(0, 7)),
        spokes=4 + int(draw.chance(0.6)),
        hub=draw.uniform(0.06, 0.16),
    )


def _seat_kind(draw: Draw, base: str, back: str, form: str) -> str:
    seat = draw.choose({"square": 46, "trapezoid": 16, "round": 12, "cushion": 26})
    if base == "block" or form in ("wide", "deck"):
        seat = draw.choose({"square": 40, "cushion": 60})
    if back == "tub" or (base in ("pedestal", "star") and back == "none"):
        return "round"
    if base in ("cantilever", "panels", "sled") and seat == "round":
        return "square"
    return seat


def _arm_kind(draw: Draw, base: str, back: str, form: str, seat: str, heavy: bool) -> str:
    """Arms stand on seats with corners and reach a back with posts or a panel."""
    if base == "block":
        return draw.choose({"none": 15, "panels": 85}) if back == "panel" else "none"
    if base == "panels" and back == "panel":
        return draw.choose({"none": 40, "panels": 60})
    if back not in ("panel", "slats", "ladder", "rest", "spindles") or form == "bar" or seat == "round":
        return "none"
    if heavy:
        often = (
            {"none": 20, "pads": 25, "panels": 55}
            if form in ("lounge", "wide")
            else {"none": 82, "pads": 10, "panels": 8}
        )
        return draw.choose(often)
    if form == "deck":
        return draw.choose({"none": 15, "rods": 25, "pads": 60})
    if form in ("lounge", "wide") and base in ("legs", "star", "pedestal") and back == "panel":
        return draw.choose({"none": 20, "rods": 22, "pads": 22, "panels": 36})
    if base == "star":
        return draw.choose({"none": 45, "rods": 15, "pads": 40})
    return draw.choose({"none": 70, "rods": 17, "pads": 13})


def _seat_thickness(draw: Draw, seat: str, back: str, soft: bool, heavy: bool) -> float:
    if back == "none" and seat == "round":
        return draw.uniform(0.06, 0.1)
    if soft or heavy:
        return draw.uniform(0.08, 0.2)
    if seat == "cushion":
        return draw.uniform(0.075, 0.13)
    limits = {"square": (0.046, 0.075), "trapezoid": (0.046, 0.065), "round": (0.046, 0.085)}
    return draw.uniform(*limits[seat])


def build(chair: Chair) -> list[Part]:
    """The parts of a chair standing on the floor at z = 0, its seat centred on the z axis."""
    return [*_seat(chair), *base_parts(chair), *back_parts(chair), *arm_parts(chair)]


def _seat(chair: Chair) -> list[Part]:
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
    frame = Frame.at(z=chair.middle).turned("x", -math.radians(chair.tilt))
    parts = [Part("seat", Slab(frame, profile, half, edge))]
    if chair.apron and chair.stance == "straight":
        x, y = min(chair.anchor(1)[0], chair.anchor(-1)[0]), chair.anchor(1)[1]
        # It reaches up to the middle of the seat.
        size = (chair.apron + half) / 2
        parts.append(
            Part("rail", Box(Frame(frame.rotation, frame.point(0, 0, -size)), (x, min(y, half_y - 0.01), size), 0.012))
        )
    return parts
