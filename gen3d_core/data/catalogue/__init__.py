"""The shape catalogue: from a category and a seed, one parametric shape, the same on every machine.

shape = make("chair", 7)
shape.voxels(64), shape.sdf_grid(64), shape.surface(2048)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from typing import Any, Protocol, cast

from .members import Draw, fit
from .shape import Part, Shape, generator
from .solids import Mesh, Solid

#: Each is a module of this package, which is imported when one of its shapes is made.
CATEGORIES: tuple[str, ...] = ("chair", "table", "cabinet", "lamp", "vase", "mug", "airplane", "car", "creature")

__all__ = ["CATEGORIES", "Category", "Mesh", "Part", "Shape", "Solid", "category_module", "make"]


class Category(Protocol):
    """What the module of a category defines."""

    #: Names of the values that `fit` scales.
    LENGTHS: Sequence[str]

    def sample(self, draw: Draw) -> Any:
        """Draw a design: a frozen dataclass."""
        ...

    def build(self, design: Any, /) -> list[Part]:
        """The parts of a design."""
        ...


def category_module(category: str) -> Category:
    """The module of a category. Raises ValueError for a category that is not one of `CATEGORIES`."""
    if category not in CATEGORIES:
        raise ValueError(f"there is no category {category!r} in the catalogue; choose one of: {', '.join(CATEGORIES)}")
    return cast(Category, import_module(f".{category}", __package__))


def make(category: str, seed: int) -> Shape:
    """The shape of a category that belongs to a seed.

    category: one of `CATEGORIES`; seed: 0 or more. Raises ValueError for any other category or seed.
    """
    module = category_module(category)
    if seed < 0:
        raise ValueError(f"the seed is {seed}; catalogue seeds are whole numbers from 0 on")
    design, parts = fit(module.sample(Draw(generator(f"catalogue {category}", seed))), module.LENGTHS, module.build)
    return Shape(category, seed, asdict(design), tuple(parts))
