"""The systems that can be trained, as the engine's folder has them; nothing of them is imported here."""

import ast
from dataclasses import dataclass
from functools import cache
from typing import Any

from . import extension


@dataclass(frozen=True)
class Paper:
    """One system.

    Args:
        name: ``voxels.vae``, as the engine calls it.
        title: the first line of its file.
        source: the paper that it is written after.
    """

    name: str
    title: str
    source: str


@cache
def listing() -> list[Paper]:
    """Every system, by name: each is a file on one of the shelves of ``systems``."""
    found: list[Paper] = []
    for path in sorted((extension.FOLDER / "gen3d_core" / "systems").glob("*/*.py")):
        if path.stem != "__init__":
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem
            title, _, rest = text.partition("\n\n")
            source = " ".join(rest.partition("\n\n")[0].split()).replace("*", "")
            found.append(Paper(f"{path.parent.name}.{path.stem}", " ".join(title.split()).rstrip("."), source))
    return found


@cache
def items() -> list[Any]:
    """The systems as the items of an enumeration."""
    return [(paper.name, paper.title, paper.source, number) for number, paper in enumerate(listing())]
