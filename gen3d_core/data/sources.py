"""Where training data comes from: the catalogue, an artist's meshes, or packed grids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadMesh, BadRequest
from . import catalogue

if TYPE_CHECKING:
    from ..run import Run
    from ..system import Asset

#: Held-out catalogue shapes have seeds from here on, which no training reaches.
HELD_OUT = 1_000_000
CATALOGUE = "catalogue:"
#: An array of an NPZ file; the file's own name may hold colons, as Windows' drives do.
PACKED = re.compile(r"(.+\.npz):([^:/\\]+)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Prepared:
    """The assets of a source, and what became of the others.

    Args:
        assets: in the order of their names, or of a catalogue's seeds.
        names: of the assets.
        refused: names and reasons, as sentences.
        notes: names and what was repaired, as phrases; only of assets that were repaired.
    """

    assets: list[Asset]
    names: list[str]
    refused: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, list[str]]] = field(default_factory=list)


def load(source: str, count: int, first: int = 0) -> Sequence[Asset]:
    """The assets that ``source`` names, all of them good.

    Args:
        source: ``catalogue:chair``, several categories as ``catalogue:chair,table``, a mesh file, a folder or a zip of
            mesh files, or ``FILE.npz:KEY``, an array of packed grids.
        count: how many shapes of a catalogue, shared evenly by its categories; at most so many of other sources.
        first: the first seed of a catalogue, the first file in the order of names, or the first grid.

    Raises:
        BadRequest: nothing of that name, or a folder without meshes.
        BadMesh: a file that cannot be read as a solid.
    """
    found = prepared(source, count, first)
    if found.refused:
        name, problem = found.refused[0]
        raise BadMesh(f"{name}: {problem}", "Repair the file, or take it out of the folder.")
    return found.assets


def prepared(source: str, count: int, first: int = 0, run: Run | None = None) -> Prepared:
    """The assets that ``source`` names, as :func:`load` does, and sentences about those that cannot be read.

    Args:
        source, count, first: as above.
        run: receives the progress and can cancel.

    Raises:
        BadRequest: nothing of that name, or no mesh in it.
        Cancelled: the user asked to stop.
    """
    if count < 1:
        raise BadRequest(f"{count} shapes were asked for; expected at least 1.", "Choose a larger --count.")
    if source.startswith(CATALOGUE):
        return _of_catalogue(source.removeprefix(CATALOGUE).split(","), count, first)
    if packed := PACKED.fullmatch(source):
        from .grids import read_grids

        grids = read_grids(Path(packed[1]), packed[2], count, first)
        return Prepared(list(grids), [f"{packed[2]} {number}" for number in range(first, first + len(grids))])
    return _of_library(Path(source), source, count, first, run)


def _of_catalogue(categories: list[str], count: int, first: int) -> Prepared:
    if unknown := set(categories) - set(catalogue.CATEGORIES):
        raise BadRequest(
            f"The catalogue has no category '{', '.join(sorted(unknown))}'.",
            f"It has {', '.join(catalogue.CATEGORIES)}.",
        )
    share = [count // len(categories) + (i < count % len(categories)) for i in range(len(categories))]
    seeds = [(c, first + i) for c, n in zip(categories, share, strict=True) for i in range(n)]
    return Prepared([catalogue.make(c, seed) for c, seed in seeds], [f"{c} {seed}" for c, seed in seeds])


def _of_library(path: Path, source: str, count: int, first: int, run: Run | None) -> Prepared:
    if not source or not path.exists():
        raise BadRequest(
            f"'{source}' is neither a file or folder nor a catalogue.",
            "Name a mesh file, a folder or zip of them, FILE.npz:KEY, or catalogue:chair.",
        )
    from . import files, library

    items = library.scan(path)
    if not items:
        raise BadRequest(f"{path} holds no meshes.", f"Expected files ending in {', '.join(files.READ)}.")
    items = items[first : first + count]
    if not items:
        raise BadRequest(f"{path} has no asset number {first}.", "Choose an earlier first one.")
    found = Prepared([], [])
    for outcome in library.convert(items, run):
        if outcome.solid is None:
            found.refused.append((outcome.name, outcome.problem or ""))
            continue
        found.assets.append(outcome.solid)
        found.names.append(outcome.name)
        if outcome.notes:
            found.notes.append((outcome.name, outcome.notes))
    return found
