"""Vases and bottles: turned vessels, hollow where they are open, with feet, necks, handles and closures."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .handles import handle
from .members import Draw, pair
from .paths import arc, filleted, flowing, swelling
from .profiles import Array
from .revolved import Revolved, turned, vessel
from .shape import Part
from .solids import Cone, Frame, Rod

#: Kinds of vessel with their probabilities in percent.
KINDS = {
    "baluster": 12,
    "amphora": 10,
    "moon": 8,
    "cylinder": 9,
    "trumpet": 8,
    "gourd": 8,
    "bowl": 6,
    "jar": 9,
    "jug": 8,
    "bottle": 9,
    "flask": 6,
    "carafe": 7,
}
BOTTLES = ("bottle", "flask", "carafe")
# Ranges of a kind: belly radius and its height, foot, neck and lip radius (over the belly's), where the neck starts.
# Heights are shares of the height of the vessel, which is 1; the belly radius is a share of it too.
RANGES = {
    "baluster": ((0.24, 0.34), (0.58, 0.70), (0.48, 0.66), (0.38, 0.52), (0.50, 0.72), (0.86, 0.91)),
    "amphora": ((0.25, 0.32), (0.50, 0.62), (0.34, 0.46), (0.36, 0.46), (0.50, 0.66), (0.76, 0.84)),
    "moon": ((0.38, 0.46), (0.44, 0.50), (0.42, 0.56), (0.32, 0.44), (0.36, 0.54), (0.86, 0.90)),
    "cylinder": ((0.18, 0.28), (0.50, 0.60), (0.80, 1.00), (0.86, 1.00), (0.92, 1.10), (0.90, 0.95)),
    "trumpet": ((0.14, 0.19), (0.14, 0.22), (0.86, 1.10), (0.60, 0.76), (1.25, 1.80), (0.50, 0.62)),
    "gourd": ((0.27, 0.34), (0.26, 0.32), (0.58, 0.72), (0.40, 0.52), (0.40, 0.58), (0.52, 0.58)),
    "bowl": ((0.50, 0.66), (0.62, 0.74), (0.38, 0.52), (0.84, 0.94), (0.94, 1.04), (0.92, 0.96)),
    "jar": ((0.31, 0.42), (0.46, 0.60), (0.60, 0.76), (0.52, 0.66), (0.56, 0.70), (0.88, 0.93)),
    "jug": ((0.28, 0.36), (0.36, 0.46), (0.56, 0.74), (0.44, 0.54), (0.54, 0.68), (0.78, 0.86)),
    "bottle": ((0.14, 0.20), (0.28, 0.44), (0.92, 1.00), (0.38, 0.46), (0.46, 0.52), (0.68, 0.78)),
    "flask": ((0.26, 0.34), (0.08, 0.12), (0.86, 0.94), (0.28, 0.36), (0.36, 0.46), (0.64, 0.74)),
    "carafe": ((0.26, 0.33), (0.22, 0.30), (0.66, 0.82), (0.25, 0.32), (0.38, 0.56), (0.56, 0.66)),
}


@dataclass(frozen=True)
class Vase:
    """The final values of a vase or bottle; lengths in model units (its longest side is 0.9).

    kind: name in `KINDS`; foot: none, ring, pedestal or balls; handles: 0, 1 or 2; handle: loop, ear, square or scroll
    (with no handles kept, unused); closure: open, cork, stopper or lid.
    height 0.4..0.9 (of the vessel itself, without foot and closure); belly 0.1..0.45, foot_radius 0.06..0.4, neck
    0.055..0.4 and lip 0.065..0.45 (radii); belly_height 0.04..0.65 and neck_height 0.3..0.85 (where they are above the
    foot); wall 0.048..0.058 (thickness); tube 0.024..0.032 (radius of a handle).
    bands 0..3 (raised rings round the belly); angular 0 or 1: whether the belly has a crease instead of a curve.
    """

    kind: str
    foot: str
    handle: str
    closure: str
    handles: int
    bands: int
    angular: int
    height: float
    belly: float
    foot_radius: float
    neck: float
    lip: float
    belly_height: float
    neck_height: float
    wall: float
    tube: float

    @property
    def hollow(self) -> bool:
        """Whether one can look into it: it is open, and its neck is wide enough for a bore."""
        return self.closure == "open" and self.neck > self.wall + 0.014

    @property
    def lift(self) -> float:
        """Height of the vessel above the floor."""
        return {"none": 0.0, "ring": 0.028, "pedestal": max(0.16 * self.height, 0.1), "balls": 0.05}[self.foot]


LENGTHS = ("height", "belly", "foot_radius", "neck", "lip", "belly_height", "neck_height")


def sample(draw: Draw) -> Vase:
    """Draw a design, about to size."""
    kind = draw.choose(KINDS)
    ranges = RANGES[kind]
    belly = 0.88 * draw.uniform(*ranges[0])
    if kind == "bowl":
        belly *= 0.72
    height = 0.88 * (0.50 if kind == "bowl" else 1.0)
    belly_height, foot, neck, lip, neck_height = (draw.uniform(*limits) for limits in ranges[1:])
    feet = {"none": 55, "ring": 25, "pedestal": 10, "balls": 10}
    if kind in ("cylinder", "trumpet", *BOTTLES):
        feet = {"none": 80, "ring": 20}
    elif kind in ("amphora", "bowl", "baluster"):
        feet = {"none": 25, "ring": 30, "pedestal": 30, "balls": 15}
    count = 0
    if kind == "jug":
        count = 1
    elif kind == "amphora":
        count = 2
    elif kind in ("baluster", "jar", "bowl", "gourd", "moon"):
        count = 2 if draw.chance(0.3) else 0
    elif kind == "carafe":
        count = 1 if draw.chance(0.35) else 0
    closure = "open"
    if kind == "jar":
        closure = "lid"
    elif kind in BOTTLES:
        closure = draw.choose({"open": 40, "cork": 35, "stopper": 25})
    return Vase(
        kind=kind,
        foot=draw.choose(feet),
        handle=draw.choose({"loop": 50, "ear": 20, "square": 15, "scroll": 15}),
        closure=closure,
        handles=count,
        bands=1 + int(draw.uniform(0, 3))
        if kind in ("cylinder", "jar", "baluster", "jug") and draw.chance(0.35)
        else 0,
        angular=int(kind in ("baluster", "amphora", "jar", "bowl") and draw.chance(0.25)),
        height=height,
        belly=belly,
        foot_radius=belly * foot,
        neck=max(belly * neck, 0.058),
        lip=max(belly * lip, 0.066),
        belly_height=height * belly_height,
        neck_height=height * neck_height,
        wall=draw.uniform(0.048, 0.058),
        tube=draw.uniform(0.024, 0.032),
    )


def build(vase: Vase) -> list[Part]:
    """The parts of a vase standing on the floor at z = 0 around the z axis, its only handle at +x."""
    wall = silhouette(vase)
    frame = Frame.at(z=vase.lift)
    body = vessel(frame, wall, vase.wall, 0.052, 0.012, 0.03) if vase.hollow else turned(frame, wall, 0.012)
    return [Part("body", body), *_foot(vase), *_handles(vase, wall), *_closure(vase)]


def silhouette(vase: Vase) -> Array:
    """Radii and heights (N, 2) of the outside of the vessel, from its foot to its rim."""
    shapes = {
        "cylinder": _straight,
        "trumpet": _trumpet,
        "gourd": _gourd,
        "bowl": _bowl,
        "bottle": _bottle,
        "flask": _flask,
    }
    wall = shapes.get(vase.kind, _bellied)(vase)
    return _banded(vase, wall) if vase.bands else wall


def _bellied(vase: Vase) -> Array:
    """Foot, belly, neck and lip; the belly is a curve, or a crease under a straight shoulder."""
    foot, belly, neck = (vase.foot_radius, 0.0), (vase.belly, vase.belly_height), (vase.neck, vase.neck_height)
    top = (vase.lip, vase.height)
    if vase.angular:
        lower = flowing([foot, (foot[0] + 0.62 * (belly[0] - foot[0]), 0.45 * belly[1]), belly], 4)
        upper = flowing([neck, (neck[0] + 0.1 * (top[0] - neck[0]), (neck[1] + top[1]) / 2), top], 3)
        return np.concatenate([lower, upper])
    points = [
        foot,
        (foot[0] + 0.66 * (belly[0] - foot[0]), 0.42 * belly[1]),
        belly,
        (neck[0] + 0.66 * (belly[0] - neck[0]), belly[1] + 0.60 * (neck[1] - belly[1])),
        neck,
        (neck[0] + 0.22 * (top[0] - neck[0]), neck[1] + 0.6 * (top[1] - neck[1])),
        top,
    ]
    return flowing(points, 4)


def _straight(vase: Vase) -> Array:
    points = [(vase.foot_radius, 0.0), (vase.belly, vase.belly_height), (vase.lip * 0.97, vase.height)]
    return flowing(points, 5)


def _trumpet(vase: Vase) -> Array:
    points = [
        (vase.foot_radius, 0.0),
        (vase.belly, vase.belly_height),
        (vase.neck, vase.neck_height),
        (vase.neck + 0.36 * (vase.lip - vase.neck), 0.82 * vase.height),
        (vase.lip, vase.height),
    ]
    return flowing(points, 5)


def _gourd(vase: Vase) -> Array:
    points = [
        (vase.foot_radius, 0.0),
        (vase.belly, vase.belly_height),
        (0.56 * vase.belly, vase.neck_height),
        (0.72 * vase.belly, 0.5 * (vase.neck_height + 0.92 * vase.height)),
        (vase.neck, 0.92 * vase.height),
        (vase.lip, vase.height),
    ]
    return swelling(points, 6)


def _bowl(vase: Vase) -> Array:
    foot, belly = (vase.foot_radius, 0.0), (vase.belly, vase.belly_height)
    if vase.angular:
        return np.array([foot, (0.96 * belly[0], 0.7 * belly[1]), (belly[0], vase.height)])
    points = [foot, (foot[0] + 0.72 * (belly[0] - foot[0]), 0.36 * belly[1]), belly, (vase.lip, vase.height)]
    return flowing(points, 5)


def _bottle(vase: Vase) -> Array:
    """A straight body, a round shoulder, a straight neck and a ring at the mouth."""
    shoulder = vase.neck_height - 0.9 * (vase.belly - vase.neck)
    body = flowing(
        [
            (vase.belly, shoulder),
            (0.93 * vase.belly + 0.07 * vase.neck, shoulder + 0.28 * (vase.neck_height - shoulder)),
            (0.30 * vase.belly + 0.70 * vase.neck, shoulder + 0.80 * (vase.neck_height - shoulder)),
            (vase.neck, vase.neck_height + 0.05),
        ],
        3,
    )
    return np.concatenate([[[vase.foot_radius, 0.0], [vase.belly, 0.04]], body, _mouth(vase)])


def _flask(vase: Vase) -> Array:
    """A cone with a round foot and a straight neck."""
    foot = arc((vase.belly - 0.05, 0.05), 0.05, -math.pi / 2, 0.35, 5)
    cone = filleted([foot[-1], (vase.neck, vase.neck_height), (vase.neck, vase.neck_height + 0.08)], 0.1)
    return np.concatenate([foot, cone[1:], _mouth(vase)])


def _mouth(vase: Vase) -> Array:
    """The end of a neck: straight up to a raised ring."""
    ring = max(vase.lip, vase.neck + 0.01)
    level = vase.height - 0.06
    return np.array([[vase.neck, level - 0.012], [ring, level + 0.004], [ring, vase.height]])


def _banded(vase: Vase, wall: Array) -> Array:
    """The silhouette with raised rings."""
    heights = np.linspace(0.0, vase.height, 90)
    radii = np.interp(heights, wall[:, 1], wall[:, 0])
    for k in range(vase.bands):
        level = vase.height * (0.5 + 0.14 * (k - (vase.bands - 1) / 2))
        radii += 0.014 * np.exp(-(((heights - level) / 0.016) ** 4))
    return np.stack([radii, heights], 1)


def _foot(vase: Vase) -> list[Part]:
    radius, lift = vase.foot_radius, vase.lift
    if vase.foot == "none":
        return []
    if vase.foot == "ring":
        return [
            Part("foot", Cone(Frame.at(z=(lift + 0.02) / 2), 0.92 * radius, 0.86 * radius, (lift + 0.02) / 2, 0.008))
        ]
    if vase.foot == "balls":
        size = 0.034
        reach = max(0.8 * radius, 0.05)
        return pair(
            "foot",
            *(
                Rod(Frame.at(reach * math.cos(a), reach * math.sin(a), size), size, 0.026, lift - 0.014)
                for a in (0.72, -0.72)
            ),
        )
    stem = max(0.36 * radius, 0.042)
    points = [
        (0.95 * radius, 0.0),
        (0.93 * radius, 0.047),
        (stem, 0.5 * lift),
        (stem * 1.05, 0.7 * lift),
        (0.58 * radius, lift),
        (0.60 * radius, lift + 0.04),
    ]
    return [Part("foot", turned(Frame.at(), np.concatenate([[points[0]], flowing(points[1:], 4)]), 0.008))]


def _handles(vase: Vase, wall: Array) -> list[Part]:
    if vase.handles == 0:
        return []
    low, high = _grips(vase)
    sunk = 0.4 * vase.wall if vase.hollow else 0.03
    heights, radii = wall[:, 1], wall[:, 0]
    first, last = (float(np.interp(level, heights, radii)) - sunk for level in (low, high))
    ends = (first, 0.0, low + vase.lift), (last, 0.0, high + vase.lift)
    reach = vase.tube + max(0.09, 0.36 * (high - low)) if vase.handle == "loop" else 2 * vase.tube + 0.085
    if vase.handle != "loop" and first < last:
        reach += 0.3 * (last - first)
    solids = handle(vase.handle, *ends, reach, vase.tube)
    return pair("handle", *solids) if vase.handles == 2 else [Part("handle", solid) for solid in solids]


def _grips(vase: Vase) -> tuple[float, float]:
    """Heights on the wall where handles start and end."""
    if vase.kind in ("amphora", "jug", "carafe"):
        return 0.92 * vase.belly_height + 0.02, vase.height - 0.05
    if vase.kind == "bowl":
        return 0.42 * vase.height, 0.86 * vase.height
    middle = (vase.belly_height + vase.neck_height) / 2
    return middle - 0.11 * vase.height, middle + 0.11 * vase.height


def _closure(vase: Vase) -> list[Part]:
    top = vase.lift + vase.height
    if vase.closure == "open":
        return []
    if vase.closure == "cork":
        radius = max(0.72 * vase.neck, 0.03)
        return [Part("lid", Cone(Frame.at(z=top + 0.015), radius * 0.95, radius * 1.05, 0.035, 0.008))]
    if vase.closure == "stopper":
        radius = max(1.05 * vase.neck, 0.05)
        return [Part("lid", _ball(top + 0.6 * radius, radius))]
    radius = 1.06 * vase.lip
    cap = flowing([(radius, top - 0.03), (radius, top + 0.012)], 1)
    dome = flowing(
        [(radius, top + 0.012), (0.72 * radius, top + 0.05), (0.3 * radius, top + 0.072), (0.025, top + 0.08)], 4
    )
    knob = max(0.16 * vase.lip, 0.032)
    return [
        Part("lid", turned(Frame.at(), np.concatenate([cap, dome[1:]]), 0.012)),
        Part("lid", _ball(top + 0.07 + knob, knob)),
    ]


def _ball(height: float, radius: float) -> Revolved:
    """A ball on the axis."""
    half = arc((0.0, height), radius, -math.pi / 2, math.pi / 2, 17)
    half[0, 0] = half[-1, 0] = 0
    return Revolved(Frame.at(), half, 0.0)
