"""The shape catalogue: from a category and a seed, one parametric shape, the same on every machine.

shape = make("chair", 7)
shape.voxels(64), shape.sdf_grid(64), shape.surface(2048)
"""

from __future__ import annotations

from dataclasses import asdict

from . import chair, table
from .members import Draw, fit
from .shape import Part, Shape, generator
from .solids import Mesh, Solid

CATEGORIES: tuple[str, ...] = ("chair", "table")

__all__ = ["CATEGORIES", "Mesh", "Part", "Shape", "Solid", "make"]


def make(category: str, seed: int) -> Shape:
    """The shape of a category that belongs to a seed.

    category: one of `CATEGORIES`; seed: 0 or more. Raises ValueError for any other category or seed.
    """
    if category not in CATEGORIES:
        raise ValueError(f"there is no category {category!r} in the catalogue; choose one of: {', '.join(CATEGORIES)}")
    if seed < 0:
        raise ValueError(f"the seed is {seed}; catalogue seeds are whole numbers from 0 on")
    draw = Draw(generator(f"catalogue {category}", seed))
    if category == "chair":
        design, parts = fit(chair.sample(draw), chair.LENGTHS, chair.build)
    else:
        design, parts = fit(table.sample(draw), table.LENGTHS, table.build)
    return Shape(category, seed, asdict(design), tuple(parts))
