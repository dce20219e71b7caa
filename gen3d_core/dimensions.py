"""Lengths of shapes, measured from geometry alone: numbers where :mod:`.measure` has words.

A shape is looked at as how much of each cell of a grid it fills. Where a surface passes through a cell is read off
between the cells' values, so that lengths change smoothly with the shape. What a shape does not have is not a number:
the legs of a chest, the back of a stool.
"""

from __future__ import annotations

from math import nan

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from .errors import EmptyShape
from .representations import Field, MeshOptions, Representation, Voxels

#: Cells along one side of the grid on which shapes are measured.
RESOLUTION = 32
#: What :func:`measured` gives, in the order in which an interface shows it.
NAMES = (
    "Height",
    "Width",
    "Depth",
    "Seat Height",
    "Back Height",
    "Leg Thickness",
    "Top Thickness",
    "Rounded Corners",
    "Fullness",
)
#: Those of them that are shares, not lengths.
SHARES = frozenset({"Rounded Corners", "Fullness"})
#: How far, in shares of the height, a back rises over the seat at least.
BACK = 0.13
#: A leg covers at most so much of the outline's rectangle, and so many make a thing stand on legs.
THICK, FEWEST = 0.14, 3
#: Up to this share of the seat's height legs are looked at, and in this share of those slices they must stand apart.
LOW, APART = 0.35, 1 / 3

Grid = NDArray[np.float32]


def coverage(shape: Representation) -> Grid:
    """How much of each cell a shape fills, with shape (R, R, R), 0 to 1: at least a half where its centre is inside.

    Raises:
        EmptyShape: it has no surface.
    """
    if isinstance(shape, Voxels):
        values, cut = shape.resized(RESOLUTION).values.float(), shape.threshold
        below, above = 0.5 * values / max(cut, 1e-6), 0.5 + 0.5 * (values - cut) / max(1 - cut, 1e-6)
        return torch.where(values < cut, below, above).clamp(0, 1).cpu().numpy()
    if isinstance(shape, Field):
        # A cell's width from the surface everything is full or empty, so only what lies there has to be exact.
        return (0.5 - shape.grid(RESOLUTION).values * RESOLUTION).clamp(0, 1).cpu().numpy()
    from .data.solid import Solid

    return Solid(shape.to_mesh(MeshOptions(2 * RESOLUTION))).voxels(RESOLUTION).astype(np.float32)


def measured(grid: Grid) -> dict[str, float]:
    """The lengths of a shape, by :data:`NAMES`, in model units; what it does not have is not a number.

    ``Fullness`` is the filled share of the bounding box, ``Rounded Corners`` how much of the corners of its top or
    seat is missing, 0 to 1.

    Args:
        grid: with shape (R, R, R), as :func:`coverage` gives it: upright and facing -Y.

    Raises:
        EmptyShape: nothing is inside.
    """
    inside = grid >= 0.5
    if not inside.any():
        raise EmptyShape("Nothing lies inside the shape.", "Try another seed.")
    spans = [_span(grid.max(axis=tuple(other for other in range(3) if other != axis))) for axis in range(3)]
    width, depth, height = (high - low for low, high in spans)
    (box,) = ndimage.find_objects(inside.astype(np.int8))
    solid, floor = grid[box], spans[2][0] - box[2].start
    seat, thickness = _seat(solid)
    seat -= floor
    found = {
        "Height": height,
        "Width": width,
        "Depth": depth,
        "Seat Height": seat,
        "Back Height": height - seat if height - seat > BACK * height else nan,
        "Leg Thickness": _legs(solid, seat),
        "Top Thickness": thickness,
        "Rounded Corners": _corners(solid, seat + floor),
        # Haze outside of the box would fill the box of a crumb many times over.
        "Fullness": min(float(grid.sum()) / (width * depth * height), 1.0),
    }
    return {name: found[name] if name in SHARES else found[name] / len(grid) for name in NAMES}


def _span(profile: NDArray[np.floating]) -> tuple[float, float]:
    """Where a profile of cells begins and ends to be at least a half, in cells from the first cell's centre."""
    full = np.flatnonzero(profile >= 0.5)
    padded = np.concatenate([[0.0], profile, [0.0]])
    first, last = full[0] + 1, full[-1] + 1
    low = (padded[first] - 0.5) / max(padded[first] - padded[first - 1], 1e-6)
    high = (padded[last] - 0.5) / max(padded[last] - padded[last + 1], 1e-6)
    return float(full[0] - low), float(full[-1] + high)


def _seat(solid: Grid) -> tuple[float, float]:
    """How high the middle's columns end, and how thick the plate there is, at the median, in cells.

    Of a chair the middle is the seat, of a table the top; backs stand at the rear.
    """
    width, depth, _ = solid.shape
    middle = solid[round(0.3 * width) : round(0.7 * width) + 1, round(0.15 * depth) : round(0.6 * depth) + 1]
    columns = middle.reshape(-1, middle.shape[2])
    columns = columns[(columns >= 0.5).any(axis=1)]
    if not len(columns):
        columns = solid.reshape(-1, solid.shape[2])
        columns = columns[(columns >= 0.5).any(axis=1)]
    tops, plates = [], []
    for column in columns:
        tops.append(_span(column)[1])
        last = int(np.flatnonzero(column >= 0.5)[-1])
        empty = np.flatnonzero(column[: last + 1] < 0.5)
        begin = int(empty[-1]) if len(empty) else 0
        # What the cells on both sides hold of it counts, too.
        plates.append(float(column[begin : last + 2].sum()))
    return float(np.median(tops)), float(np.median(plates))


def _legs(solid: Grid, seat: float) -> float:
    """How thick legs are near the floor, the side of a square as large as the section of one, in cells.

    Higher up aprons and stretchers join them.
    """
    slices = range(1, min(max(round(LOW * seat), 2), solid.shape[2]))
    sides = []
    for z in slices:
        labels, count = ndimage.label(solid[:, :, z] >= 0.5, np.ones((3, 3)))  # type: ignore[misc]
        if count >= FEWEST and np.bincount(labels.ravel())[1:].max() <= THICK * labels.size:
            # What the cells around a leg hold of it counts, too.
            around = ndimage.grey_dilation(labels, size=(3, 3))
            areas = ndimage.sum_labels(solid[:, :, z], around, range(1, count + 1))
            sides.append(float(np.sqrt(np.median(areas))))
    return float(np.median(sides)) if len(sides) >= max(APART * len(slices), 1) else nan


def _corners(solid: Grid, seat: float) -> float:
    """How much of the squares in the two front corners of the plate is missing, a fifth of its sides each."""
    z = min(max(round(seat) - 1, 0), solid.shape[2] - 1)
    plate = solid[:, :, max(z - 1, 0) : z + 1].max(axis=2)
    rows, columns = np.flatnonzero((plate >= 0.5).any(axis=1)), np.flatnonzero((plate >= 0.5).any(axis=0))
    if not len(rows) or not len(columns):
        return nan
    plate = plate[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    side, front = max(round(0.2 * plate.shape[0]), 1), max(round(0.2 * plate.shape[1]), 1)
    return 1 - float(np.mean([plate[:side, :front].mean(), plate[-side:, :front].mean()]))
