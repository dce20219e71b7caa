"""Airplanes: airliners, business jets, fighters, propeller planes, biplanes and gliders; the nose is at -Y."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .engines import engines, gear
from .extruded import extruded
from .members import FORWARD, UPRIGHT, Draw
from .paths import flowing
from .revolved import turned
from .shape import Part
from .solids import Frame
from .wings import tail, wings

#: Kinds of airplane with their probabilities in percent.
KINDS = {"airliner": 22, "jet": 12, "fighter": 18, "propeller": 16, "twin": 10, "biplane": 12, "glider": 10}
TAILS = {
    "airliner": {"low": 80, "T": 20},
    "jet": {"T": 75, "cross": 25},
    "fighter": {"low": 30, "twin": 40, "none": 30},
    "propeller": {"low": 70, "T": 15, "V": 15},
    "twin": {"low": 50, "T": 25, "H": 25},
    "biplane": {"low": 100},
    "glider": {"T": 60, "V": 20, "low": 20},
}


@dataclass(frozen=True)
class Airplane:
    """The final values of an airplane; lengths in model units (its longest side is 0.9), angles in degrees.

    kind: name in `KINDS`; wing: low, middle or high; tail: name in `TAILS` of the kind; place: where the engines are
    (wing, rear, nose, body or none); gear: none, wheels or floats; engines 0..4; blades 0..4 of a propeller;
    winglets, canards, struts: 0 or 1; planes 1 or 2 (wings above one another).
    length and span 0.35..0.9; radius 0.04..0.09 (of the body); root 0.1..0.5 and tip 0.04..0.2 (chords of a wing);
    sweep 0..55 (of the leading edge) and dihedral -4..8 of the wing; station 0.3..0.6 (where the wing's root starts, as
    a share of the length from the nose); fin 0.1..0.25 (height above the body); tail_span 0.1..0.35.
    """

    kind: str
    wing: str
    tail: str
    place: str
    gear: str
    engines: int
    blades: int
    winglets: int
    canards: int
    struts: int
    planes: int
    length: float
    span: float
    radius: float
    root: float
    tip: float
    sweep: float
    dihedral: float
    station: float
    fin: float
    tail_span: float

    def along(self, share: float) -> float:
        """World y at a share of the length from the nose."""
        return (share - 0.5) * self.length

    @property
    def level(self) -> float:
        """Height of the wing's root above the axis of the body."""
        return {"low": -0.62, "middle": 0.0, "high": 0.78}[self.wing] * self.radius

    @property
    def root_place(self) -> float:
        """World y of the leading edge at the axis."""
        return self.along(self.station)


LENGTHS = ("length", "span", "root", "tip", "fin", "tail_span")
# Length, span, radius, root and tip chord, sweep, dihedral, wing station, fin height and tail span.
PROPORTIONS = {
    "airliner": (
        (0.84, 0.90),
        (0.76, 0.90),
        (0.048, 0.060),
        (0.19, 0.24),
        (0.055, 0.075),
        (26, 34),
        (3, 7),
        (0.33, 0.39),
        (0.15, 0.19),
        (0.28, 0.34),
    ),
    "jet": (
        (0.80, 0.90),
        (0.66, 0.82),
        (0.048, 0.058),
        (0.17, 0.22),
        (0.06, 0.085),
        (18, 30),
        (2, 5),
        (0.40, 0.47),
        (0.14, 0.18),
        (0.24, 0.30),
    ),
    "fighter": (
        (0.84, 0.90),
        (0.50, 0.66),
        (0.050, 0.062),
        (0.34, 0.46),
        (0.06, 0.13),
        (38, 54),
        (-3, 2),
        (0.40, 0.48),
        (0.12, 0.17),
        (0.26, 0.36),
    ),
    "propeller": (
        (0.58, 0.70),
        (0.80, 0.90),
        (0.058, 0.072),
        (0.14, 0.17),
        (0.09, 0.14),
        (0, 6),
        (1, 6),
        (0.26, 0.31),
        (0.12, 0.15),
        (0.26, 0.34),
    ),
    "twin": (
        (0.66, 0.80),
        (0.80, 0.90),
        (0.056, 0.068),
        (0.15, 0.19),
        (0.08, 0.12),
        (2, 9),
        (2, 6),
        (0.34, 0.40),
        (0.13, 0.17),
        (0.28, 0.36),
    ),
    "biplane": (
        (0.58, 0.68),
        (0.76, 0.88),
        (0.058, 0.070),
        (0.13, 0.16),
        (0.11, 0.15),
        (0, 8),
        (0, 3),
        (0.22, 0.28),
        (0.10, 0.13),
        (0.26, 0.32),
    ),
    "glider": (
        (0.42, 0.54),
        (0.88, 0.90),
        (0.042, 0.050),
        (0.085, 0.105),
        (0.046, 0.06),
        (0, 4),
        (2, 5),
        (0.34, 0.40),
        (0.10, 0.13),
        (0.18, 0.24),
    ),
}


def sample(draw: Draw) -> Airplane:
    """Draw a design, about to size."""
    kind = draw.choose(KINDS)
    values = [draw.uniform(*limits) for limits in PROPORTIONS[kind]]
    wings = {"low": 60, "high": 40}
    if kind in ("airliner", "jet"):
        wings = {"low": 84, "high": 16}
    elif kind in ("fighter", "glider"):
        wings = {"middle": 60, "high": 20, "low": 20}
    elif kind == "biplane":
        wings = {"low": 100}
    wing, tail = draw.choose(wings), draw.choose(TAILS[kind])
    place, engines = {
        "airliner": ("wing", 2 if draw.chance(0.62) else 4),
        "jet": ("rear", 2),
        "fighter": ("body", 1 if draw.chance(0.55) else 2),
        "propeller": ("nose", 1),
        "twin": ("wing", 2),
        "biplane": ("nose", 1),
        "glider": ("none", 0),
    }[kind]
    if kind == "airliner" and tail == "T":
        place, engines = "rear", 2
    gear = "none"
    if kind in ("propeller", "biplane"):
        gear = draw.choose({"wheels": 74, "floats": 26})
    elif kind == "twin":
        gear = draw.choose({"wheels": 30, "none": 70})
    length, span, radius, root, tip, sweep, dihedral, station, fin, tail_span = values
    return Airplane(
        kind=kind,
        wing=wing,
        tail=tail,
        place=place,
        gear=gear,
        engines=engines,
        blades=2 + int(draw.uniform(0, 3)) if kind in ("propeller", "twin", "biplane") else 0,
        winglets=int(kind in ("airliner", "jet", "glider") and draw.chance(0.5)),
        canards=int(kind == "fighter" and (tail == "none" or draw.chance(0.15))),
        struts=int(kind == "biplane" or (kind == "propeller" and wing == "high" and draw.chance(0.75))),
        planes=2 if kind == "biplane" else 1,
        length=length,
        span=span,
        radius=radius,
        root=root,
        tip=tip,
        sweep=sweep,
        dihedral=dihedral,
        station=station,
        fin=fin,
        tail_span=tail_span,
    )


def build(plane: Airplane) -> list[Part]:
    """The parts of an airplane around the y axis, its nose at -Y."""
    return [*_body(plane), *wings(plane), *tail(plane), *engines(plane), *gear(plane)]


# Body


def _body(plane: Airplane) -> list[Part]:
    r, n = plane.radius, plane.length
    # Radius over the body's and place from the tail.
    profiles = {
        "airliner": [(0.30, 0.0), (0.62, 0.13), (1.0, 0.34), (1.0, 0.84), (0.86, 0.92), (0.55, 0.972), (0.0, 1.0)],
        "jet": [(0.34, 0.0), (0.66, 0.14), (1.0, 0.38), (1.0, 0.76), (0.72, 0.90), (0.50, 0.96), (0.0, 1.0)],
        "fighter": [(0.86, 0.0), (1.0, 0.16), (1.0, 0.50), (0.78, 0.74), (0.50, 0.90), (0.0, 1.0)],
        "propeller": [(0.34, 0.0), (0.52, 0.18), (0.92, 0.46), (1.0, 0.66), (0.90, 0.84), (0.74, 0.94)],
        "twin": [(0.32, 0.0), (0.60, 0.18), (1.0, 0.44), (1.0, 0.74), (0.76, 0.90), (0.52, 0.97), (0.0, 1.0)],
        "biplane": [(0.34, 0.0), (0.56, 0.20), (0.90, 0.50), (1.0, 0.70), (1.0, 0.80), (0.94, 0.94)],
        "glider": [(0.50, 0.0), (0.50, 0.24), (0.56, 0.42), (1.0, 0.66), (0.98, 0.82), (0.62, 0.95), (0.0, 1.0)],
    }
    points = [(max(share * r, 0.022) if share else 0.0, place * n) for share, place in profiles[plane.kind]]
    frame = Frame(FORWARD, np.array([0.0, n / 2, 0.0]))
    parts = [Part("body", turned(frame, flowing(points, 4), 0.0222))]
    if plane.kind in ("fighter", "glider"):
        parts.append(_canopy(plane, 0.30 if plane.kind == "fighter" else 0.24, 0.12 * n, 0.62))
    elif plane.kind == "propeller":
        parts.append(_cabin(plane))
    elif plane.kind == "biplane":
        parts.append(_canopy(plane, 0.52, 0.055 * n, 0.50))
    elif plane.kind in ("airliner", "twin", "jet"):
        parts.append(_canopy(plane, 0.115, 0.05 * n, 0.42))
    return parts


def _canopy(plane: Airplane, share: float, half: float, size: float) -> Part:
    """A drop-shaped hood over the cockpit, half sunk into the body."""
    r = max(size * plane.radius, 0.03)
    half = max(half, 1.1 * r)
    points = [
        (0.0, -half),
        (0.52 * r, -0.72 * half),
        (0.92 * r, -0.1 * half),
        (r, 0.2 * half),
        (0.74 * r, 0.7 * half),
        (0.0, half),
    ]
    lift = {"fighter": 0.78, "glider": 0.52, "biplane": 0.80}.get(plane.kind, 0.60)
    frame = Frame(FORWARD, np.array([0.0, plane.along(share), lift * plane.radius]))
    return Part("canopy", turned(frame, flowing(points, 4), 0.006))


def _cabin(plane: Airplane) -> Part:
    """A cabin on top of the body, with a raked windscreen."""
    r, top = plane.radius, 1.40 * plane.radius
    y, long = plane.along(0.26), 0.34 * plane.length
    stations = [
        (0.0, y - 0.02, y + long, 0.86 * r),
        (0.72 * top, y + 0.035, y + 0.70 * long, 0.74 * r),
        (top, y + 0.06, y + 0.58 * long, 0.62 * r),
    ]
    return Part("canopy", extruded(Frame(UPRIGHT, np.zeros(3)), stations, 0.022))
