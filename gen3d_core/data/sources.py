"""Where training data comes from: the catalogue, or a folder of meshes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadRequest
from . import catalogue

if TYPE_CHECKING:
    from ..system import Asset

#: Held-out catalogue shapes have seeds from here on, which no training reaches.
HELD_OUT = 1_000_000
MESH_FILES = (".glb", ".gltf", ".obj", ".off", ".ply", ".stl")


def load(source: str, count: int, first: int = 0) -> Sequence[Asset]:
    """The assets that ``source`` names.

    Args:
        source: ``catalogue:chair``, several categories as ``catalogue:chair,table``, or a folder of mesh files.
        count: how many shapes of a catalogue, shared evenly by its categories; at most so many files of a folder.
        first: the first seed of a catalogue, or the first file of a folder in the order of their names.

    Raises:
        BadRequest: nothing of that name, or a folder without meshes.
        BadMesh: a file that cannot be read as a solid.
    """
    if count < 1:
        raise BadRequest(f"{count} shapes were asked for; expected at least 1.", "Choose a larger --count.")
    kind, _, names = source.partition(":")
    if kind == "catalogue":
        categories = names.split(",")
        if unknown := set(categories) - set(catalogue.CATEGORIES):
            raise BadRequest(
                f"The catalogue has no category '{', '.join(sorted(unknown))}'.",
                f"It has {', '.join(catalogue.CATEGORIES)}.",
            )
        share = [count // len(categories) + (i < count % len(categories)) for i in range(len(categories))]
        return [catalogue.make(c, first + i) for c, n in zip(categories, share, strict=True) for i in range(n)]
    folder = Path(source)
    if not folder.is_dir():
        raise BadRequest(
            f"'{source}' is neither a folder nor a catalogue.",
            "Name a folder with mesh files, or catalogue:chair.",
        )
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in MESH_FILES)[first : first + count]
    if not files:
        raise BadRequest(f"The folder {folder} holds no meshes.", f"Expected files ending in {', '.join(MESH_FILES)}.")
    from .solid import read_solid

    return [read_solid(path) for path in files]
