"""How new shapes are laid out: in a row, or where they are many, in a sheet to choose from; and how large they are."""

import itertools
import math
from collections.abc import Iterator

from bpy.types import Scene

#: More shapes than this do not stand in one row.
LONGEST_ROW = 6


def spots(count: int, straight: bool = False) -> Iterator[tuple[int, int]]:
    """Columns and rows to be taken one after the other, without end: some may be taken already.

    A few shapes stand in a row. Many stand in a sheet that is about square, and which reads as a page seen from above.

    Args:
        count: of the shapes.
        straight: keeps them in a row, because their order means something.
    """
    if straight or count <= LONGEST_ROW:
        yield from ((column, 0) for column in itertools.count())
    columns = math.ceil(math.sqrt(count))
    yield from ((number % columns, number // columns) for number in itertools.count())


def metre(scene: Scene) -> float:
    """Blender units in a metre: new shapes are as large as the things that models learn from, in any scene.

    A scene whose unit is a millimetre has a chair 900 units high. Without units, a Blender unit counts as a metre.
    """
    units = scene.unit_settings
    return 1.0 if units.system == "NONE" else 1.0 / units.scale_length
