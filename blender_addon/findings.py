"""What models said of assets, as the panel shows it: the class of one, the labels of many; nothing of it is saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.types import Context, PropertyGroup

from . import objects
from .status import redraw


@dataclass(frozen=True)
class Chance:
    """One class and how probable it is, 0 to 1."""

    name: str
    probability: float


@dataclass(frozen=True)
class Classification:
    """What one asset is.

    Args:
        uid: ``session_uid`` of the object.
        name: of that.
        model: the title of the model that judged.
        chances: of all classes, the most probable first.
    """

    uid: int
    name: str
    model: str
    chances: Sequence[Chance]


@dataclass(frozen=True)
class Guess:
    """The label that one asset got.

    Args:
        uid: ``session_uid`` of the object that the asset is named after.
        name: of that.
        label: the most probable one.
        probability: of that, 0 to 1.
    """

    uid: int
    name: str
    label: str
    probability: float


@dataclass(frozen=True)
class Labelling:
    """Labels that were guessed from a few given ones.

    Args:
        title: of the selection or collection.
        model: the title of the model whose features were used.
        guesses: in the order of the assets.
        sentence: how sure they are, for people.
        refused: name and reason of each asset that could not be used.
    """

    title: str
    model: str
    guesses: Sequence[Guess]
    sentence: str
    refused: Sequence[tuple[str, str]]


_classification: Classification | None = None
_labelling: Labelling | None = None


def classification() -> Classification | None:
    """The last one; None before the first, and in another file."""
    return _classification


def labelling() -> Labelling | None:
    """The last one; None before the first, and in another file."""
    return _labelling


def show_classification(found: Classification | None) -> None:
    """Makes it the last one."""
    global _classification
    _classification = found
    redraw()


def show_labelling(found: Labelling | None) -> None:
    """Makes it the last one, and fills the panel's list."""
    global _labelling
    _labelling = found
    manager: Any = bpy.context.window_manager
    if manager is None:
        return
    group = manager.gen3d
    group.labelled.clear()
    group["guess"] = -1
    for guess in found.guesses if found else ():
        row = group.labelled.add()
        row.name = guess.name
        row.uid = str(guess.uid)
    redraw()


def pick(group: PropertyGroup, context: Context) -> None:
    """A row of the list was clicked: selects its object."""
    rows: Any = group
    if 0 <= rows.guess < len(rows.labelled):
        row = rows.labelled[rows.guess]
        objects.focus(context, int(row.uid), row.name)


@persistent
def _after_load(*_: object) -> None:
    # The objects of another file are not meant.
    show_classification(None)
    show_labelling(None)


def register() -> None:
    """Adds the handler."""
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """Removes it, and forgets."""
    global _classification, _labelling
    bpy.app.handlers.load_post.remove(_after_load)
    _classification = _labelling = None
