"""Wings and tails of airplanes: tapering plates, swept, raised, doubled, with winglets and struts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .extruded import Extruded, extruded
from .members import UPRIGHT, pair, point, rod
from .profiles import Array
from .shape import Part
from .solids import Frame, Solid

if TYPE_CHECKING:
    from .airplane import Airplane


def _panel(
    root: Array, tip_shift: tuple[float, float], chords: tuple[float, float], rise: float, thick: float
) -> Extruded:
    """A wing half from its leading edge at the root outward to +x.

    tip_shift: span along its plane, and how far the leading edge is swept back; chords at root and tip; rise: angle
    against the horizontal in radians; thick: half thickness at the root.
    """
    span, back = tip_shift
    c, s = math.cos(rise), math.sin(rise)
    frame = Frame(np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]]), root)
    outer = 0.93 * span
    chord = chords[0] + 0.93 * (chords[1] - chords[0])
    rows = [
        (-0.026, 0.0, chords[0], thick),
        (outer, 0.93 * back, 0.93 * back + chord, 0.0225),
        (span, back + 0.10 * chords[1], back + 0.90 * chords[1], 0.022),
    ]
    return extruded(frame, rows, 0.022)


def wings(plane: Airplane) -> list[Part]:
    half = plane.span / 2
    back = half * math.tan(math.radians(plane.sweep))
    rise = math.radians(plane.dihedral)
    y = plane.root_place
    thick = 0.028 if plane.kind != "glider" else 0.024
    chords = (plane.root, plane.tip)
    if plane.kind == "fighter":
        back = min(back, plane.root - 0.55 * plane.tip + 0.02)
    solids: list[Solid] = [_panel(np.array([0.0, y, plane.level]), (half, back), chords, rise, thick)]
    if plane.kind == "airliner":
        # The inner trailing edge runs straight out to the kink.
        inner = 0.34 * half
        fill = [(0.0, 0.0, 1.18 * plane.root, 0.027), (inner, 0.34 * back, 0.34 * back + 0.86 * plane.root, 0.0225)]
        solids.append(extruded(Frame(solids[0].frame.rotation, solids[0].frame.translation), fill, 0.022))
    parts = pair("wing", *solids)
    tip = solids[0].frame.point(half - 0.022, back + 0.5 * plane.tip, 0.0)
    if plane.winglets:
        rows = [(0.0, -0.42 * plane.tip, 0.46 * plane.tip, 0.022), (0.075, -0.02 * plane.tip, 0.56 * plane.tip, 0.022)]
        parts += pair("wing", extruded(Frame(UPRIGHT, tip - point(0.0, 0.0, 0.012)).turned("y", 0.18), rows, 0.022))
    if plane.planes == 2:
        parts += _upper_wing(plane, y, back, rise)
    elif plane.struts:
        foot = np.array([0.5 * plane.radius, y + 0.45 * plane.root, -0.72 * plane.radius])
        parts += pair(
            "strut", rod(foot, solids[0].frame.point(0.52 * half, 0.52 * back + 0.4 * plane.root, 0.0), 0.022)
        )
    if plane.canards:
        nose = np.array([0.3 * plane.radius, plane.along(0.27), 0.35 * plane.radius])
        parts += pair("wing", _panel(nose, (0.30 * half + plane.radius, 0.10), (0.11, 0.05), 0.04, 0.022))
    return parts


def _upper_wing(plane: Airplane, y: float, back: float, rise: float) -> list[Part]:
    """The second wing of a biplane with its struts."""
    gap = 2.1 * plane.radius + 0.055
    ahead = 0.03
    half = plane.span / 2
    root = np.array([0.0, y - ahead, plane.level + gap])
    upper = _panel(root, (half, back), (plane.root, plane.tip), rise, 0.026)
    lower = Frame(upper.frame.rotation, root + point(0.0, ahead, -gap))
    parts = pair("wing", upper)
    for share, chord in ((0.70, 0.28), (0.70, 0.74)):
        place = (share * half, share * back + chord * plane.root, 0.0)
        parts += pair("strut", rod(lower.point(*place), upper.frame.point(*place), 0.022))
    cabane = (0.34 * plane.radius + 0.03, y + 0.4 * plane.root)
    return parts + pair(
        "strut", rod((cabane[0], cabane[1], 0.4 * plane.radius), (cabane[0], cabane[1] - ahead, root[2]), 0.022)
    )


def _fin(base: Array, height: float, chords: tuple[float, float], back: float, lean: float = 0.0) -> Extruded:
    """An upright fin from the leading edge of its foot; lean: outward angle in radians, towards +x."""
    c, s = math.cos(lean), math.sin(lean)
    frame = Frame(np.array([[s, 0.0, -c], [0.0, 1.0, 0.0], [c, 0.0, s]]), base)
    rows = [
        (0.0, 0.0, chords[0], 0.023),
        (0.86 * height, 0.86 * back, 0.86 * back + chords[0] + 0.86 * (chords[1] - chords[0]), 0.022),
        (height, back + 0.012, back + 0.94 * chords[1], 0.022),
    ]
    return extruded(frame, rows, 0.022)


def tail(plane: Airplane) -> list[Part]:
    slow = plane.kind in ("propeller", "biplane", "twin", "glider")
    chord = max(0.13 * plane.length, 0.085) if slow else 0.17 * plane.length
    fin_tip, back = (0.70 * chord, 0.28 * chord) if slow else (0.56 * chord, 0.62 * chord)
    rear = plane.length / 2 - 0.012
    low = 0.14 * plane.radius
    height = plane.fin + plane.radius - low
    half, stab, stab_tip = plane.tail_span / 2, 0.72 * chord, 0.44 * chord
    sweep = 0.22 * half if slow else 0.60 * half
    start = np.array([0.0, rear - chord, low])
    if plane.tail == "V":
        return pair(
            "tail", _panel(np.array([0.0, rear - stab, 0.0]), (1.15 * half, sweep), (stab, stab_tip), 0.72, 0.023)
        )
    if plane.tail == "twin":
        x = 0.9 * plane.radius
        fins = _fin(np.array([x, rear - chord - 0.02, low]), 0.92 * height, (chord, fin_tip), back, 0.24)
        flat = _panel(np.array([0.2 * plane.radius, rear - stab, 0.0]), (half, sweep), (stab, stab_tip), 0.0, 0.023)
        return pair("tail", fins, flat)
    if plane.tail == "H":
        flat = _panel(np.array([0.0, rear - stab, low]), (half, 0.10 * half), (stab, 0.8 * stab), 0.0, 0.023)
        end = flat.frame.point(half - 0.026, 0.0, -0.42 * plane.fin)
        return pair("tail", flat, _fin(end, 0.95 * plane.fin, (0.9 * stab, 0.6 * stab), 0.2 * stab))
    fin = Part("tail", _fin(start, height, (chord, fin_tip), back))
    if plane.tail == "none":
        return [fin]
    share = {"low": 0.0, "cross": 0.45, "T": 1.0}[plane.tail]
    level = low + share * (height - 0.018)
    shift = share * back
    root = np.array([0.0, rear - chord + shift + (0.04 if share == 0 else 0.0), level])
    if share == 0:
        root[2] = 0.10 * plane.radius
    return [fin, *pair("tail", _panel(root, (half, sweep), (stab, stab_tip), 0.03, 0.023))]
