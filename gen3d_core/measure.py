"""Attributes of chairs and tables measured from geometry alone: what an artist would count by eye.

A shape is looked at as a solid grid of cells, without knowing how it was made: columns of cells say how high it is
everywhere, and horizontal slices how many separate things stand on the floor.

    seat = how high the columns of the middle are, at the median
    rise = 1 - seat / height                      nothing for tables and stools, the back's share for chairs
    legs = connected parts of the slices near the floor, if most slices up to the seat have as many

What cannot be told so: a stool from a table of its proportions, so only slim ones count as stools; a desk with a screen
from a bench; rocking chairs, whose legs end in two runners, have none; feet of a block are legs where the block is
shallow; and legs that touch are one. Measured on true shapes, these errors are the ceiling of every model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Grid = NDArray[np.bool_]
Values = dict[str, str | int]

#: What :func:`measured` may name.
ATTRIBUTES = ("category", "size", "legs", "top", "back", "arms", "shelf")
#: Parts below this share of the full cells are crumbs.
CRUMB = 0.02
#: How far, in shares of the height, a back rises over the seat at least.
BACK = 0.13
#: A solid without a back is a stool when it is at least so many times as high as it is long.
STOOL = 1.25
#: Height over the longer side from which on a thing is tall, and up to which it is low, as the catalogue's words say.
SIZES = {"chair": (1.8, 1.05), "table": (0.95, 0.45)}
#: A plate that fills less of its bounding rectangle than this has round corners: a circle fills pi / 4.
ROUND = 0.87
#: Share of the slices up to the seat in which legs must stand apart, of those that are not joined to one thick thing;
#: and share of the slices up to the seat from which on a thing is a block rather than a seat with an apron.
APART, BLOCK = 0.4, 0.6
#: Legs stand at most so thick: share of the outline's rectangle that one of them covers.
THICK = 0.14


def measured(grid: Grid, category: str = "") -> Values:
    """What can be said of a solid.

    Args:
        grid: with shape (R, R, R), bool, indexed [x, y, z], upright and facing -Y; sides of 24 to 64 cells are meant.
        category: "chair" or "table", to judge sizes and parts by its standard; empty to find it out.

    Returns:
        ``category``, ``size`` (low, middle, tall), ``legs`` (0 for any other base) and ``top`` (round or angular, of a
        table or a seat); of chairs also ``back`` and ``arms``, of tables ``shelf``, each yes or no. Nothing of an
        empty grid.
    """
    solid = _cropped(grid)
    if solid is None:
        return {}
    width, depth, height = solid.shape
    outline = solid.any(axis=2)
    tops = np.where(outline, height - np.argmax(solid[:, :, ::-1], axis=2), 0)
    seat = _seat(tops)
    rise = 1 - seat / height
    # The longest side has a cell less than it measures as often as not.
    longest = max(width, depth) - 0.5
    kind = category or ("chair" if rise > BACK or height > STOOL * longest else "table")
    tall, low = SIZES[kind]
    found: Values = {
        "category": kind,
        "size": "tall" if height > tall * longest else "low" if height < low * longest else "middle",
        "legs": _legs(solid, seat),
        "top": _top(solid, seat, front_only=kind == "chair"),
    }
    if kind == "chair":
        found["back"] = "yes" if rise > BACK else "no"
        found["arms"] = "yes" if _arms(tops, seat, height) else "no"
    else:
        found["shelf"] = "yes" if _shelf(solid, seat) else "no"
    return found


def stated(attributes: Mapping[str, Any]) -> Values:
    """What the catalogue says of one of its chairs or tables, in the words of :func:`measured`.

    Args:
        attributes: as :meth:`gen3d_core.data.catalogue.shape.Shape.attributes` gives them.

    Returns:
        Nothing for other categories; without what geometry does not tell.
    """
    category = attributes["category"]
    if category not in SIZES:
        return {}
    plate = attributes["seat" if category == "chair" else "top"]
    found: Values = {"size": attributes["size"], "top": "round" if plate in ("round", "oval") else "angular"}
    found["category"] = category
    # Pedestals of drawers stand on feet, and trestles on crossed bars: how many legs these are is not said of them.
    if attributes["base"] not in ("drawers", "trestle"):
        found["legs"] = attributes["legs"]
    if category == "chair":
        found["back"] = "no" if attributes["back"] == "no" else "yes"
        # The sides of a curved back are arms to the eye, whether or not it has others.
        if attributes["back"] != "curved back":
            found["arms"] = "yes" if attributes["arms"] else "no"
        return found
    return found | {"shelf": "yes" if attributes["shelves"] else "no"}


def agreement(asked: Mapping[str, str | int], grid: Grid) -> dict[str, bool]:
    """Which of the asked attributes a solid has; sizes and parts are judged by the asked category's standard.

    The category of what is to have no back is not judged: a stool is a small table too.

    Args:
        asked: some of what :func:`measured` names.
        grid: with shape (R, R, R), bool.
    """
    if not asked:
        return {}
    found = measured(grid, str(asked.get("category", "")))
    # What it looks like without being told what it is.
    kind = measured(grid).get("category")
    return {
        name: (kind if name == "category" else found.get(name)) == value
        for name, value in asked.items()
        if name != "category" or asked.get("back") != "no"
    }


def shares(rows: Sequence[Mapping[str, bool]]) -> dict[str, float]:
    """The share of true entries of each name, over the rows that have it, in the order of :data:`ATTRIBUTES`."""
    found = {name: [row[name] for row in rows if name in row] for name in ATTRIBUTES}
    return {name: float(np.mean(flags)) for name, flags in found.items() if flags}


def _cropped(grid: Grid) -> Grid | None:
    """The solid in its bounding box, without crumbs; None where nothing is full."""
    labels, count = ndimage.label(grid, np.ones((3, 3, 3)))  # type: ignore[misc]
    if not count:
        return None
    sizes = np.bincount(labels.ravel())[1:]
    kept = np.isin(labels, 1 + np.flatnonzero(sizes >= CRUMB * sizes.sum()))
    (box,) = ndimage.find_objects(kept.astype(np.int8))
    return kept[box]


def _seat(tops: NDArray[np.integer]) -> float:
    """How high the seat or the table's top is, in cells, from the heights of columns (X, Y), 0 where there is none."""
    width, depth = tops.shape
    middle = tops[round(0.3 * width) : round(0.7 * width) + 1, round(0.15 * depth) : round(0.6 * depth) + 1]
    return float(np.median(middle[middle > 0])) if middle.any() else float(np.median(tops[tops > 0]))


def _legs(solid: Grid, level: float) -> int:
    """How many legs it stands on; 0 where it stands on anything else."""
    under = max(round(0.85 * level), 2)
    slices = [solid[:, :, z] for z in range(under)]
    counts = np.array([_parts(one) for one in slices])
    # Shelves, aprons and stretchers join the legs in some slices; those say nothing of their number.
    low = counts[: max(round(0.35 * level), 2)]
    if not low.any() or np.mean([one.mean() > 0.5 for one in slices]) > BLOCK:
        return 0
    # The runners of a sled are two, and carry four posts.
    count = int(np.bincount(low[low > 0]).argmax()) if low[low > 0][0] > 2 else 0
    return count if count > 2 and (counts[counts > 0] == count).mean() >= APART else 0


def _parts(slice_: Grid) -> int:
    """The separate things in a horizontal slice; 0 where one of them is too thick for a leg."""
    labels, count = ndimage.label(slice_, np.ones((3, 3)))  # type: ignore[misc]
    if not count or np.bincount(labels.ravel())[1:].max() > THICK * slice_.size:
        return 0
    return int(count)


def _top(solid: Grid, level: float, front_only: bool) -> str:
    """Whether the plate at a height is round: how much of its bounding rectangle it fills.

    front_only: as a chair's back and its posts would square the rear.
    """
    height = solid.shape[2]
    reach = max(round(0.04 * height), 1)
    z = min(max(round(level) - 1, 0), height - 1)
    plate = solid[:, :, max(z - reach, 0) : z + 1].any(axis=2)
    rows, columns = np.flatnonzero(plate.any(axis=1)), np.flatnonzero(plate.any(axis=0))
    if not len(rows):
        return "angular"
    plate = plate[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if front_only:
        plate = plate[:, : max(plate.shape[1] // 2, 1)]
    return "round" if plate.mean() < ROUND else "angular"


def _arms(tops: NDArray[np.integer], seat: float, height: int) -> bool:
    """Whether both sides, in the front half, rise above the middle of the seat."""
    width, depth = tops.shape
    over = tops > seat + max(0.05 * height, 1)
    front = slice(round(0.2 * depth), max(round(0.55 * depth), round(0.2 * depth) + 1))
    side = max(round(0.25 * width), 1)
    left, right = over[:side, front].any(axis=0).mean(), over[-side:, front].any(axis=0).mean()
    middle = over[side:-side, front].mean() if width > 2 * side else 0.0
    return min(left, right) > 0.5 and middle < 0.5


def _shelf(solid: Grid, level: float) -> bool:
    """Whether a plate hangs between the top and the floor, with air above it and below."""
    areas = np.array([ndimage.binary_fill_holes(solid[:, :, z]).mean() for z in range(max(round(0.9 * level), 1))])  # type: ignore[union-attr]
    plates = areas > 0.4
    for z in np.flatnonzero(plates):
        above, below = areas[z + 1 :], areas[:z]
        if len(above) and len(below) and above.min() < 0.28 and below.min() < 0.28:
            return True
    return False
