"""The last ranking of assets by how unusual they are, as the panel lists it; nothing of it is saved in a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.types import Context, PropertyGroup

from . import objects
from .status import redraw


@dataclass(frozen=True)
class Entry:
    """One asset of a ranking.

    Args:
        uid: ``session_uid`` of the object that it is named after.
        name: of that.
        place: 1 is the most unusual.
        score: higher is more unusual; comparable within one model only.
        low, high: the interval that the score lies in under harmless changes of the asset.
        percentile: share of usual shapes that score lower, 0 to 100; None where the model remembers none.
    """

    uid: int
    name: str
    place: int
    score: float
    low: float
    high: float
    percentile: float | None


@dataclass(frozen=True)
class Ranking:
    """Assets, the most unusual first.

    Args:
        title: of the selection or collection.
        model: the title of the model that judged.
        entries: sorted.
        sentence: how sure the order is, for people.
        sure: the same as a number from 0 to 1.
        refused: name and reason of each asset that could not be judged.
    """

    title: str
    model: str
    entries: Sequence[Entry]
    sentence: str
    sure: float
    refused: Sequence[tuple[str, str]]


_latest: Ranking | None = None


def latest() -> Ranking | None:
    """The last ranking; None before the first, and in another file."""
    return _latest


def show(ranking: Ranking | None) -> None:
    """Makes a ranking the latest, and fills the panel's list."""
    global _latest
    _latest = ranking
    manager: Any = bpy.context.window_manager
    if manager is None:
        return
    group = manager.gen3d
    group.ranked.clear()
    group["outlier"] = -1
    for entry in ranking.entries if ranking else ():
        row = group.ranked.add()
        row.name = entry.name
        row.uid = str(entry.uid)
    redraw()


def pick(group: PropertyGroup, context: Context) -> None:
    """A row of the list was clicked: selects its object."""
    rows: Any = group
    if not 0 <= rows.outlier < len(rows.ranked):
        return
    row = rows.ranked[rows.outlier]
    objects.focus(context, int(row.uid), row.name)


@persistent
def _after_load(*_: object) -> None:
    # The objects of another file are not meant.
    show(None)


def register() -> None:
    """Adds the handler."""
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """Removes it, and forgets the ranking."""
    global _latest
    bpy.app.handlers.load_post.remove(_after_load)
    _latest = None
