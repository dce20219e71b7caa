"""Lamps: floor, table, desk and hanging lamps, from tripod to chandelier."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .members import Draw, pair, point, rod
from .paths import arc, flowing, swelling
from .profiles import Array
from .revolved import Revolved, turned, vessel
from .shape import Part
from .solids import Arc, Box, Cone, Frame, Rod, Solid

#: Kinds of lamp, and for each what carries the light, with their probabilities in percent.
KINDS = {"floor": 30, "table": 32, "desk": 18, "pendant": 20}
STANDS = {
    "floor": {"post": 34, "tripod": 22, "arc": 20, "branch": 12, "tray": 12},
    "table": {
        "baluster": 18,
        "gourd": 14,
        "ball": 12,
        "column": 12,
        "cone": 10,
        "block": 12,
        "stack": 10,
        "tripod": 12,
    },
    "desk": {"elbow": 45, "twin": 20, "neck": 35},
    "pendant": {"single": 50, "bar": 20, "chandelier": 30},
}
SHADES = {
    "floor": {"drum": 28, "empire": 24, "dome": 12, "globe": 12, "bowl": 24},
    "table": {"drum": 34, "empire": 34, "dome": 12, "globe": 10, "bell": 10},
    "desk": {"cone": 40, "dome": 35, "bar": 25},
    "pendant": {"dome": 26, "cone": 24, "globe": 18, "drum": 12, "bell": 20},
}
FEET = {"disc": 45, "square": 18, "dome": 22, "star": 15}


@dataclass(frozen=True)
class Lamp:
    """The final values of a lamp; lengths in model units (its longest side is 0.9), angles in degrees.

    kind: name in `KINDS`; stand, shade: names in `STANDS` and `SHADES` of the kind; foot: name in `FEET` (of desk and
    floor lamps, unused elsewhere); lights 1..6 (how many shades hang or stand); harp 0 or 1: the shade of a table lamp
    sits on a short rod above its body.
    height 0.3..0.9 (to the bottom of the shade; of a pendant its cord); reach 0.05..0.55 (how far arms reach out);
    shade_radius 0.07..0.42 (at its widest) and shade_height 0.1..0.4; foot_radius 0.1..0.3; body_radius 0.04..0.25;
    shade_top 0.35..1 (top radius over the bottom radius of an empire shade); lower 50..90 and upper -40..40 (how far
    the arms of a desk lamp rise against the floor); splay 12..22 (legs of a tripod against the vertical);
    tube 0.022..0.03 (radius of stems, arms and cords); wall 0.046..0.052 (of shades).
    """

    kind: str
    stand: str
    shade: str
    foot: str
    lights: int
    harp: int
    height: float
    reach: float
    shade_radius: float
    shade_height: float
    shade_top: float
    foot_radius: float
    body_radius: float
    lower: float
    upper: float
    splay: float
    tube: float
    wall: float


LENGTHS = ("height", "reach", "shade_radius", "shade_height", "foot_radius", "body_radius")
# Height, shade radius, shade height and foot radius, about to size.
PROPORTIONS = {
    "floor": ((0.60, 0.68), (0.13, 0.20), (0.15, 0.23), (0.13, 0.18)),
    "table": ((0.44, 0.58), (0.20, 0.32), (0.24, 0.34), (0.13, 0.18)),
    "desk": ((0.40, 0.50), (0.11, 0.15), (0.13, 0.18), (0.14, 0.18)),
    "pendant": ((0.36, 0.62), (0.18, 0.36), (0.16, 0.32), (0.07, 0.10)),
}


def sample(draw: Draw) -> Lamp:
    """Draw a design, about to size."""
    kind = draw.choose(KINDS)
    stand = draw.choose(STANDS[kind])
    shades = dict(SHADES[kind])
    if stand in ("arc", "branch"):
        shades |= {"bowl": 0, "drum": 10, "empire": 10, "dome": 50}
    elif stand == "chandelier":
        shades = {"bell": 40, "globe": 35, "cone": 25}
    elif stand == "bar":
        shades |= {"drum": 0}
    if stand in ("tray", "tripod"):
        shades |= {"bowl": 0}
    height, radius, tall, foot = (draw.uniform(*limits) for limits in PROPORTIONS[kind])
    shade = draw.choose(shades)
    lights = 1
    if stand == "chandelier":
        lights, radius, tall = 3 + int(draw.uniform(0, 4)), draw.uniform(0.085, 0.11), draw.uniform(0.10, 0.14)
    elif stand == "bar":
        lights, radius, tall = 2 + int(draw.uniform(0, 2)), draw.uniform(0.10, 0.13), draw.uniform(0.12, 0.18)
    elif stand == "branch":
        lights, radius, tall = 2 + int(draw.uniform(0, 2)), draw.uniform(0.085, 0.105), draw.uniform(0.11, 0.14)
    if shade == "globe":
        radius = min(radius, 0.22 if kind == "table" else 0.17)
        tall = 2 * radius
    elif shade == "dome":
        tall = min(tall, 0.85 * radius)
    elif shade in ("cone", "bell"):
        tall = max(tall, 0.9 * radius)
    return Lamp(
        kind=kind,
        stand=stand,
        shade=shade,
        foot=draw.choose(FEET),
        lights=lights,
        harp=int(draw.chance(0.5)),
        height=height,
        reach=draw.uniform(0.26, 0.40) if kind != "desk" else draw.uniform(0.32, 0.44),
        shade_radius=radius,
        shade_height=tall,
        shade_top=draw.uniform(0.40, 0.78),
        foot_radius=foot,
        body_radius=draw.uniform(0.11, 0.19),
        lower=draw.uniform(58, 82),
        upper=draw.uniform(-12, 38),
        splay=draw.uniform(12, 20),
        tube=draw.uniform(0.0225, 0.029),
        wall=draw.uniform(0.046, 0.052),
    )


def build(lamp: Lamp) -> list[Part]:
    """The parts of a lamp; it stands on the floor at z = 0, or hangs below its canopy."""
    kinds = {"floor": _floor, "table": _table, "desk": _desk, "pendant": _pendant}
    return kinds[lamp.kind](lamp)


# Shades


def _shade(lamp: Lamp, frame: Frame) -> list[Part]:
    """A shade whose lower rim is centred on the frame's origin, its axis the frame's z."""
    r, h = lamp.shade_radius, lamp.shade_height
    if lamp.shade == "globe":
        half = arc((0.0, h / 2), h / 2, -math.pi / 2, math.pi / 2, 21)
        half[[0, -1], 0] = 0
        return [Part("shade", Revolved(frame, half, 0.0))]
    if lamp.shade == "bowl":
        wall = flowing([(0.34 * r, 0.0), (0.72 * r, 0.14 * h), (r, 0.55 * h)], 4)
        return [Part("shade", vessel(frame, wall, lamp.wall, 0.05, 0.016, 0.04))]
    if lamp.shade == "bar":
        return [Part("shade", Box(_moved(frame, 0.035), (1.25 * r, 0.062, 0.036), 0.02))]
    upside = Frame(frame.rotation * [1.0, -1.0, -1.0], frame.point(0, 0, h))
    return [Part("shade", vessel(upside, _dome(lamp, r, h), lamp.wall, lamp.wall, 0.014, 0.03)), *_bulb(lamp, frame, h)]


def _dome(lamp: Lamp, r: float, h: float) -> Array:
    """Radii and depths below the top of a shade's outside."""
    if lamp.shade == "drum":
        return np.array([(0.93 * r, 0.0), (0.965 * r, h / 2), (r, h)])
    if lamp.shade == "empire":
        return np.array([(lamp.shade_top * r, 0.0), ((0.5 + lamp.shade_top / 2) * r, h / 2), (r, h)])
    if lamp.shade == "cone":
        return np.array([(0.056, 0.0), (0.068, 0.24 * h), (0.5 * r + 0.03, 0.6 * h), (r, h)])
    if lamp.shade == "bell":
        points = [(0.30 * r + 0.02, 0.0), (0.46 * r + 0.02, 0.22 * h), (0.70 * r, 0.66 * h), (r, h)]
        return flowing(points, 4)
    angles = np.linspace(0.22, 1.0, 9) * math.pi / 2
    return np.stack([r * np.sin(angles), h * (1 - np.cos(angles)) - h * (1 - math.cos(angles[0]))], 1)


def _bulb(lamp: Lamp, frame: Frame, h: float) -> list[Part]:
    """A light bulb under the top of a shade, where there is room for one."""
    if lamp.shade_radius < 0.13 or lamp.shade in ("drum", "empire", "bell"):
        return []
    top, size = h - lamp.wall, 0.045
    return [Part("bulb", Rod(_moved(frame, top - 0.07), size, 0.03, 0.085))]


def _moved(frame: Frame, rise: float) -> Frame:
    """The frame moved along its own z."""
    return Frame(frame.rotation, frame.point(0, 0, rise))


def _foot(lamp: Lamp, y: float = 0.0) -> list[Part]:
    """A base on the floor under a stem at (0, y)."""
    r = lamp.foot_radius
    if lamp.foot == "square":
        return [Part("base", Box(Frame.at(0, y, 0.026), (0.88 * r, 0.88 * r, 0.026), 0.012))]
    if lamp.foot == "dome":
        points = [(r, 0.022), (0.86 * r, 0.045), (0.46 * r, 0.072), (0.036, 0.10)]
        return [Part("base", turned(Frame.at(0, y), np.concatenate([[(r, 0.0)], flowing(points, 4)]), 0.010))]
    if lamp.foot == "star":
        parts = []
        for k in range(4):
            angle = math.pi / 4 + k * math.pi / 2
            tip = (1.15 * r * math.cos(angle), y + 1.15 * r * math.sin(angle), 0.024)
            parts.append(Part("base", rod(tip, (0.0, y, 0.07), 0.024, 0.032)))
        return parts
    return [Part("base", Cone(Frame.at(0, y, 0.024), r, 0.95 * r, 0.024, 0.012))]


# Kinds


def _floor(lamp: Lamp) -> list[Part]:
    forms = {"tripod": _floor_tripod, "arc": _floor_arc, "branch": _floor_branch}
    return forms.get(lamp.stand, _floor_post)(lamp)


def _floor_post(lamp: Lamp) -> list[Part]:
    """A stem on a foot under one shade, or with a small table round it."""
    inside = 0.0 if lamp.shade in ("globe", "bowl") else lamp.shade_height - 0.6 * lamp.wall
    parts = [*_foot(lamp), Part("stem", rod((0, 0, 0.04), (0, 0, lamp.height + inside + 0.01), lamp.tube))]
    if lamp.stand == "tray":
        level = 0.46 * lamp.height
        parts.append(Part("tray", Cone(Frame.at(z=level), 0.98 * lamp.shade_radius, lamp.shade_radius, 0.0235, 0.012)))
    elif lamp.shade in ("globe", "bowl"):
        parts.append(Part("stem", Cone(Frame.at(z=lamp.height - 0.02), 0.032, 0.052, 0.032, 0.008)))
    return [*parts, *_shade(lamp, Frame.at(z=lamp.height))]


def _floor_tripod(lamp: Lamp) -> list[Part]:
    """Three legs to a hub under the shade."""
    hub = 0.90 * lamp.height
    spread = math.tan(math.radians(lamp.splay)) * hub
    parts = []
    for k in range(3):
        angle = math.pi / 2 + k * 2 * math.pi / 3
        way = np.array([math.cos(angle), math.sin(angle), 0.0])
        parts.append(
            Part(
                "leg",
                rod(way * spread + point(0, 0, lamp.tube), way * 0.02 + point(0, 0, hub), lamp.tube, 1.1 * lamp.tube),
            )
        )
    inside = 0.0 if lamp.shade == "globe" else lamp.shade_height - 0.6 * lamp.wall
    parts.append(Part("stem", Cone(Frame.at(z=hub), 0.055, 0.045, 0.035, 0.012)))
    parts.append(Part("stem", rod((0, 0, hub), (0, 0, lamp.height + inside + 0.01), lamp.tube)))
    return [*parts, *_shade(lamp, Frame.at(z=lamp.height))]


def _floor_arc(lamp: Lamp) -> list[Part]:
    """A stem at the rear that bends forward over the room, the shade hanging from its end."""
    reach, rear = 0.75 * lamp.reach, 0.5 * lamp.reach
    bend = reach * 0.5
    top = lamp.height + lamp.shade_height + 0.02
    straight = top - bend + 0.04
    # A half circle in the plane x = 0, its middle at the top.
    half = Arc(
        Frame(np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]), np.array([0.0, rear - bend, straight])),
        bend,
        math.pi / 2,
        lamp.tube,
    )
    drop = rear - 2 * bend
    parts = [
        *_foot(lamp, rear),
        Part("stem", rod((0, rear, 0.04), (0, rear, straight), lamp.tube)),
        Part("stem", half),
        Part("stem", rod((0, drop, straight), (0, drop, top - 0.5 * lamp.wall - 0.02), lamp.tube)),
    ]
    return [*parts, *_shade(lamp, Frame.at(0, drop, lamp.height))]


def _floor_branch(lamp: Lamp) -> list[Part]:
    """A post with two or three arms to the sides and the front, a shade on each."""
    parts = [*_foot(lamp), Part("stem", rod((0, 0, 0.04), (0, 0, lamp.height + 0.06), lamp.tube))]
    ways = {2: (0.0, math.pi), 3: (math.pi / 6, 5 * math.pi / 6, 1.5 * math.pi)}[lamp.lights]
    for k, angle in enumerate(ways):
        level = lamp.height * (0.98 if lamp.lights == 3 else (1.0, 0.86)[k])
        reach = 0.62 * lamp.reach + lamp.shade_radius * 0.3
        tip = np.array([reach * math.cos(angle), reach * math.sin(angle), level])
        root = np.array([0.0, 0.0, level - 0.14])
        parts.append(Part("arm", rod(root, tip, lamp.tube)))
        parts += _shade(
            lamp, Frame.at(*(tip - point(0, 0, 0.0 if lamp.shade == "globe" else lamp.shade_height - 0.6 * lamp.wall)))
        )
    return parts


def _table(lamp: Lamp) -> list[Part]:
    """A turned or built body under a large shade."""
    parts, top = _body(lamp)
    bottom = top + (0.05 if lamp.harp else 0.0) if lamp.shade != "globe" else top
    inside = 0.02 if lamp.shade == "globe" else lamp.shade_height - 0.6 * lamp.wall
    parts.append(Part("stem", rod((0, 0, top - 0.06), (0, 0, bottom + inside), lamp.tube)))
    return [*parts, *_shade(lamp, Frame.at(z=bottom))]


def _body(lamp: Lamp) -> tuple[list[Part], float]:
    """The body of a table lamp, and the height of its top."""
    r, h = lamp.body_radius, 0.84 * lamp.height
    if lamp.stand == "tripod":
        legs = []
        for k in range(3):
            angle = math.pi / 2 + k * 2 * math.pi / 3
            way = np.array([math.cos(angle), math.sin(angle), 0.0])
            legs.append(Part("leg", rod(way * 1.1 * r + point(0, 0, 0.024), way * 0.02 + point(0, 0, h), 0.024, 0.03)))
        return [*legs, Part("body", Cone(Frame.at(z=h), 0.055, 0.042, 0.03, 0.010))], h + 0.03
    if lamp.stand == "block":
        return [Part("body", Box(Frame.at(z=h / 2), (0.72 * r, 0.72 * r, h / 2), 0.02))], h
    if lamp.stand == "stack":
        count = 3 if h < 2.6 * r else 4
        radii = [0.9 * r * s for s in np.linspace(1.0, 0.62, count)]
        total = 1.72 * sum(radii)
        parts, level = [], 0.0
        for radius in radii:
            size = radius * h / total
            wide = min(radius, 1.15 * size)
            half = arc((0.0, 0.0), 1.0, -math.pi / 2, math.pi / 2, 17) * [wide, size] + [0.0, level + 0.93 * size]
            half[[0, -1], 0] = 0
            parts.append(Part("body", Revolved(Frame.at(), half, 0.0)))
            level += 1.72 * size
        return [Part("base", Cone(Frame.at(z=0.023), 0.8 * radii[0], 0.74 * radii[0], 0.023, 0.01)), *parts], h
    forms = {
        "baluster": [
            (0.62 * r, 0.115),
            (0.40 * r, 0.19),
            (0.98 * r, 0.44),
            (0.62 * r, 0.72),
            (0.30 * r, 0.90),
            (0.36 * r, 1.0),
        ],
        "gourd": [
            (0.70 * r, 0.0),
            (1.08 * r, 0.24),
            (0.46 * r, 0.56),
            (0.66 * r, 0.76),
            (0.32 * r, 0.95),
            (0.34 * r, 1.0),
        ],
        "ball": [(0.52 * r, 0.0), (0.62 * r, 0.05), (1.2 * r, 0.46), (0.5 * r, 0.88), (0.34 * r, 1.0)],
        "column": [(0.52 * r, 0.0), (0.50 * r, 0.5), (0.48 * r, 1.0)],
        "cone": [(1.02 * r, 0.0), (0.64 * r, 0.5), (0.30 * r, 1.0)],
    }
    points = [(max(radius, 0.036), level * h) for radius, level in forms[lamp.stand]]
    curve = swelling(points, 5)
    if lamp.stand == "baluster":
        curve = np.concatenate([[(0.90 * r, 0.0), (0.90 * r, 0.10 * h)], curve])
    parts = [Part("body", turned(Frame.at(), curve, 0.01, 0.01))]
    if lamp.stand == "column":
        parts.append(Part("base", Cone(Frame.at(z=0.024), 0.86 * r, 0.82 * r, 0.024, 0.01)))
    return parts, h


def _desk(lamp: Lamp) -> list[Part]:
    """Arms in the plane x = 0 from a foot at the rear to a head over the desk in front."""
    rear = 0.45 * lamp.reach
    root = np.array([0.0, rear, 0.06])
    a, b = math.radians(lamp.lower), math.radians(lamp.upper)
    # The lower arm leans back, the upper one reaches forward.
    elbow = root + lamp.height * np.array([0.0, 0.42 * math.cos(a), math.sin(a)])
    tip = elbow + 1.25 * lamp.reach * np.array([0.0, -math.cos(b), math.sin(b) * 0.6])
    parts = [*_foot(lamp, rear), Part("joint", Cone(Frame.at(0, rear, 0.055), 0.042, 0.036, 0.03, 0.01))]
    if lamp.stand == "neck":
        parts += [Part("arm", solid) for solid in _neck(root, elbow, tip, lamp.tube)]
    elif lamp.stand == "twin":
        shift = np.array([0.05, 0.0, 0.0])
        parts += pair("arm", rod(root + shift, elbow + shift, lamp.tube))
        parts += [
            Part("joint", rod(root - shift, root + shift, 0.03)),
            Part("joint", rod(elbow - shift, elbow + shift, 0.032)),
        ]
        parts.append(Part("arm", rod(elbow, tip, lamp.tube)))
    else:
        parts += [Part("arm", rod(root, elbow, lamp.tube)), Part("arm", rod(elbow, tip, lamp.tube))]
        side = np.array([0.022, 0.0, 0.0])
        parts.append(Part("joint", rod(elbow - side, elbow + side, 0.036)))
    return [*parts, *_head(lamp, tip)]


def _neck(root: Array, elbow: Array, tip: Array, tube: float) -> list[Solid]:
    """A bent neck: a smooth curve of rods through the root, past the elbow, to the tip."""
    points = [
        (1 - t) ** 2 * root + 2 * t * (1 - t) * (elbow + point(0, 0.02, 0.10)) + t**2 * tip
        for t in np.linspace(0, 1, 9)
    ]
    return [rod(points[k], points[k + 1], tube) for k in range(8)]


def _head(lamp: Lamp, tip: Array) -> list[Part]:
    """The head of a desk lamp, turned a little towards the viewer's side of the desk."""
    joint = Part("joint", rod(tip - point(0.02, 0, 0), tip + point(0.02, 0, 0), 0.034))
    h = lamp.shade_height
    if lamp.shade == "bar":
        return [joint, *_shade(lamp, Frame.at(tip[0], tip[1] - 0.04, tip[2] - 0.045))]
    frame = Frame.at(*tip).turned("x", -0.42)
    return [joint, *_shade(lamp, _moved(frame, -h + 0.4 * lamp.wall))]


def _pendant(lamp: Lamp) -> list[Part]:
    """A canopy at the ceiling, cords or arms, and one shade or several."""
    top = lamp.height + lamp.shade_height
    canopy = Part("canopy", Cone(Frame.at(z=top - 0.023), 0.8 * lamp.foot_radius, lamp.foot_radius, 0.024, 0.01))
    inside = 0.02 if lamp.shade == "globe" else 0.5 * lamp.wall
    join = lamp.shade_height - inside
    if lamp.stand == "single":
        cord = rod((0, 0, join), (0, 0, top - 0.02), lamp.tube)
        socket = Cone(Frame.at(z=lamp.shade_height + 0.02), 0.046, 0.034, 0.034, 0.01)
        return [canopy, Part("cord", cord), Part("cord", socket), *_shade(lamp, Frame.at())]
    if lamp.stand == "bar":
        half = max(1.0 * lamp.reach, lamp.lights * (lamp.shade_radius + 0.03))
        beam = Box(Frame.at(z=top - 0.026), (half, 0.05, 0.026), 0.012)
        parts = [Part("canopy", beam)]
        for k in range(lamp.lights):
            x = (half - 0.9 * lamp.shade_radius) * (2 * k / (lamp.lights - 1) - 1)
            parts.append(Part("cord", rod((x, 0, join), (x, 0, top - 0.03), lamp.tube)))
            parts += _shade(lamp, Frame.at(x))
        return parts
    return [canopy, *_chandelier(lamp, top)]


def _chandelier(lamp: Lamp, top: float) -> list[Part]:
    """Arms from a hub on a rod, rising to shades that open upward."""
    hub = 0.10
    profile = swelling([(0.03, 0.0), (0.068, 0.07), (0.034, 0.16), (0.05, 0.22), (0.03, 0.28)], 4)
    parts = [
        Part("body", turned(Frame.at(z=hub - 0.07), profile, 0.01)),
        Part("cord", rod((0, 0, hub), (0, 0, top - 0.02), lamp.tube)),
    ]
    reach = max(lamp.reach, (lamp.shade_radius + 0.03) / math.sin(math.pi / lamp.lights))
    for k in range(lamp.lights):
        angle = math.pi / 2 + 2 * math.pi * k / lamp.lights
        way = np.array([math.cos(angle), math.sin(angle), 0.0])
        points = [
            way * reach * s + point(0, 0, hub + rise)
            for s, rise in ((0.1, 0.02), (0.4, -0.05), (0.75, -0.045), (1.0, 0.05))
        ]
        parts += [Part("arm", rod(points[j], points[j + 1], lamp.tube)) for j in range(3)]
        tip = points[-1] + point(0, 0, 0.02)
        if lamp.shade == "globe":
            parts += _shade(lamp, Frame.at(*tip))
        else:
            upside = Frame(np.diag([1.0, -1.0, -1.0]), tip + point(0, 0, lamp.shade_height - 0.02))
            parts += _shade(lamp, upside)
    return parts
