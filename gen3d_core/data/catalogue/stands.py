"""What tables stand on: legs, trestles, columns, runners, panels, stacks of drawers and blocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from .members import GAP, THIN, bar, leg, pair, rod, runner, star
from .profiles import Ellipse, Trapezoid
from .shape import Part
from .solids import Box, Cone, Frame, Slab

if TYPE_CHECKING:
    from .table import Table


def stand_parts(table: Table) -> list[Part]:
    """The members below the table's top, and a desk's hutch above it."""
    kinds: dict[str, Callable[[Table], list[Part]]] = {
        "legs": _legs,
        "trestle": _trestle,
        "pedestal": _pedestal,
        "sled": _sled,
        "panels": _panels,
        "columns": _columns,
        "drawers": _drawers,
        "block": _block,
    }
    return [*kinds[table.base](table), *_screen(table), *_hutch(table)]


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
    if table.legs == 6:
        parts += [
            Part(
                "leg",
                leg((0.0, s * (y + slope), 0.0), (0.0, s * y, table.middle), table.bar, table.taper, table.square),
            )
            for s in (-1, 1)
        ]
    if table.extra == "apron":
        half = min(table.apron, 0.4 * table.height) / 2
        level = table.height - table.top_thickness - half + 0.006
        parts += pair("rail", Box(Frame.at(x, 0, level), (THIN / 2, y, half), 0.008))
        parts += [Part("rail", Box(Frame.at(0, s * y, level), (x, THIN / 2, half), 0.008)) for s in (-1, 1)]
    elif table.extra == "shelf":
        parts += _shelves(table, x, y)
    elif table.extra == "box":
        low = THIN / 2 + (0.0 if table.level < 0.2 else 0.4 * table.level * table.height)
        corner = (x, y, low)
        parts += pair("rail", _rail(table, (x, -y, low), corner).solid)
        parts += [_rail(table, (-x, s * y, low), (x, s * y, low)) for s in (-1, 1)]
    elif table.extra == "stretcher":
        share = max(table.level, 0.15)
        level, reach = share * table.middle, slope * (1 - share)
        parts += pair("rail", _rail(table, (x + reach, -y - reach, level), (x + reach, y + reach, level)).solid)
        parts.append(_rail(table, (-x - reach, 0, level), (x + reach, 0, level)))
    return parts


def _shelves(table: Table, x: float, y: float) -> list[Part]:
    """Boards between the legs, spread over the room below the top where there is enough."""
    room = table.height - table.top_thickness
    count = table.shelves if room > 2.5 * (GAP + THIN) else 1
    first = min(table.level if count == 1 else 0.15, 1 - (THIN + GAP) / room)
    levels = [room * (first + (1 - first) * i / count) for i in range(count)]
    plates = []
    for level in levels:
        plate = Trapezoid(x, x, y, 0.012) if table.top == "rectangle" else Ellipse(1.36 * x, 1.36 * y, 0.03)
        height = max(level, THIN / 2 + 0.001)
        plates.append(Part("shelf", Slab(Frame.at(z=height), plate, THIN / 2 + 0.001, 0.01)))
    return plates


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
    return [column, *star(table.spokes, 0.36 * table.width, 0.1, min(table.bar, 0.07), turn)]


def _sled(table: Table) -> list[Part]:
    x, y = table.anchor()
    top = table.middle if table.square else min(table.middle, table.height - table.bar / 2 - 0.002)
    bend = 0.0 if table.square or table.height < 0.25 else 0.07
    return runner(x, -y, y, top, table.bar, bend)


def _panels(table: Table) -> list[Part]:
    edge = table.length / 2 - table.bar / 2
    x = edge - min(table.inset, 0.25 * table.length) if table.top == "rectangle" else 0.58 * table.length / 2
    depth = (1.0 if table.top == "rectangle" else 0.7) * table.width / 2 - 0.001
    side = Box(Frame.at(x, 0, table.middle / 2), (table.bar / 2, depth, table.middle / 2), 0.01)
    parts = pair("base", side)
    if table.extra == "stretcher":
        level = table.middle * 0.5
        half = min(0.05, 0.3 * table.middle)
        parts.append(Part("rail", Box(Frame.at(0, 0, level), (x, THIN / 2, half), 0.008)))
    elif table.extra == "shelf":
        parts += _shelves(table, x, 0.96 * depth)
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


def _drawers(table: Table) -> list[Part]:
    """A stack of drawers on each side, or between two panels."""
    half = table.body * table.length / 2
    low = 0.0 if table.inset < 0.05 else 0.045
    top = table.middle
    depth = 0.47 * table.width
    places = [0.0] if table.stacks == 1 else [table.length / 2 - half - 0.012]
    parts: list[Part] = []
    for x in places:
        body = Box(Frame.at(x, 0.0, (low + top) / 2), (half, depth, (top - low) / 2), 0.01)
        room = table.height - table.top_thickness - low - 0.01
        count = max(1, min(table.drawers, int(room / 0.075)))
        pitch = room / count
        fronts = [
            Box(Frame.at(x, -depth, low + pitch * (i + 0.5)), (half - 0.01, 0.024, pitch / 2 - 0.007), 0.008)
            for i in range(count)
        ]
        feet = []
        if low:
            feet = [Cone(Frame.at(x + 0.7 * half, s * 0.8 * depth, 0.035), 0.024, 0.03, 0.035, 0.008) for s in (-1, 1)]
            if not x:
                parts += pair("leg", *feet)
        if x:
            parts += [*pair("body", body), *pair("drawer", *fronts)]
            # Feet stand under both ends of a stack.
            parts += pair("leg", *feet, *(replace_x(foot, 2 * x) for foot in feet))
        else:
            parts += [Part("body", body), *(Part("drawer", front) for front in fronts)]
    if table.stacks == 1:
        side = Box(
            Frame.at(table.length / 2 - THIN / 2 - 0.012, 0, top / 2), (THIN / 2, 0.47 * table.width, top / 2), 0.008
        )
        parts += pair("base", side)
    return parts


def replace_x(foot: Cone, twice: float) -> Cone:
    """The foot on the other side of x = twice / 2."""
    x, y, z = foot.frame.translation
    return Cone(Frame.at(twice - x, y, z), foot.low, foot.high, foot.half, foot.edge)


def _block(table: Table) -> list[Part]:
    """A solid body that is smaller than the top, on the floor or on a plinth."""
    inset = table.inset + 0.006
    half_x, half_y, half = table.length / 2 - inset, table.width / 2 - inset, table.middle / 2
    if table.top == "rectangle":
        return [Part("body", Box(Frame.at(z=half), (half_x, half_y, half), 0.012))]
    return [Part("body", Slab(Frame.at(z=half), Ellipse(half_x, half_y, 0.03), half, 0.012))]


def _screen(table: Table) -> list[Part]:
    """A board behind the legs, from the top down."""
    if not table.screen or table.top != "rectangle":
        return []
    x, y = table.anchor()
    if table.base in ("panels", "drawers"):
        x, y = table.length / 2 - table.bar - min(table.inset, 0.1), 0.38 * table.width
    room = table.middle
    half = max(0.5 * table.screen * room, 0.03)
    return [Part("back", Box(Frame.at(0.0, y, table.middle - half + 0.004), (x, THIN / 2, half), 0.008))]


def _hutch(table: Table) -> list[Part]:
    """A shelf over the rear of the top, on two sides."""
    if table.hutch < THIN + 0.03:
        return []
    half_x, half_y = 0.46 * table.length, 0.16 * table.width
    y = table.width / 2 - half_y - 0.004
    low, high = table.middle, table.height + table.hutch
    side = Box(Frame.at(half_x - THIN / 2, y, (low + high) / 2), (THIN / 2, half_y, (high - low) / 2), 0.008)
    board = Box(Frame.at(0.0, y, high - THIN / 2), (half_x - 0.004, half_y - 0.002, THIN / 2), 0.008)
    back = Box(
        Frame.at(0.0, y + half_y - THIN / 2, (low + high) / 2),
        (half_x - 0.006, THIN / 2, (high - low) / 2 - 0.004),
        0.008,
    )
    return [*pair("side", side), Part("shelf", board), Part("back", back)]
