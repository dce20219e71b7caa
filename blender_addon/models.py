"""The models that can be chosen, and their pictures."""

import shutil
from collections.abc import Mapping
from typing import Any

import bpy
import bpy.utils.previews
from bpy.types import Context, UILayout

from ..gen3d_core import cards
from ..gen3d_core.cards import Card
from ..gen3d_core.errors import BadModel, BadRequest, UnknownModel, Unsupported
from . import extension, preferences
from .status import record

#: Stands for no model, where a training can begin with one.
SCRATCH = "SCRATCH"
#: Stands for no class, where a model can be asked for one.
ANY = "ANY"
#: So many of a model's assets are named.
NAMED = 3

_cards: list[Card] | None = None
#: The kind that Blender asks for: id, title, description, icon, number.
_items: list[Any] = []
_start_items: list[Any] = []
_class_items: dict[str, list[Any]] = {}
_previews: bpy.utils.previews.ImagePreviewCollection | None = None


def listing() -> list[Card]:
    """Every usable model, best first; damaged ones are reported once and left out."""
    global _cards
    if _cards is None:
        zoos = preferences.extra_zoos()
        _cards = cards.listing(zoos)
        for error in cards.damaged(zoos):
            record(error)
    return _cards


def find(name: str) -> Card:
    """A model by its id; the best one where ``name`` is empty.

    Raises:
        UnknownModel: there is none of that name, or none at all.
    """
    models = listing()
    if not models:
        raise UnknownModel("There are no models.", "Name a folder of models in the preferences.")
    for card in models:
        if name in ("", card.id):
            return card
    raise UnknownModel(f"There is no model '{name}'.", f"Known models: {', '.join(card.id for card in models)}.")


def same_version(name: str, weights: str) -> Card:
    """A model by its id, where it still is the one that a shape was made with.

    Args:
        name: its id.
        weights: SHA-256 that they had.

    Raises:
        BadModel: it is another one now.
        UnknownModel: there is none of that name.
    """
    card = find(name)
    if card.sha256 != weights:
        raise BadModel(
            f"The model '{card.title}' is another version than the one this shape was made with.",
            "Restore that version, or make a new shape.",
        )
    return card


def able(*abilities: str) -> list[Card]:
    """The models that have one of some abilities, best first; all where none is named."""
    return [card for card in listing() if not abilities or set(abilities) & set(card.abilities)]


def instead(name: str, *abilities: str) -> str:
    """The id of a model if it has one of some abilities, else that of the best one that has; ``name`` if none has."""
    ids = [card.id for card in able(*abilities)]
    return name if name in ids or not ids else ids[0]


def choose(name: str, verb: str, *abilities: str) -> Card:
    """A model that has one of some abilities: by its id, or the best such one where ``name`` is empty.

    Raises:
        UnknownModel: there is none of that name, or none at all.
        Unsupported: it has none of them.
    """
    card = find(name or instead("", *abilities))
    require(card, verb, *abilities)
    return card


def require(card: Card, verb: str, *abilities: str) -> None:
    """Checks that a model has one of some abilities.

    Raises:
        Unsupported: it has none of them.
    """
    if not set(abilities) & set(card.abilities):
        others = [f"'{other.title}'" for other in able(*abilities)[:NAMED]]
        remedy = f"Choose {' or '.join(others)}." if others else "No model here can: choose another folder of models."
        raise Unsupported(f"The model '{card.title}' cannot {verb}.", remedy)


def classes(card: Card) -> list[str]:
    """What a model can be asked for by name; none where it does not draw by class."""
    return [str(name) for name in card.config.get("classes", ())] if "from_classes" in card.abilities else []


def short(card: Card) -> str:
    """A model's title without what it says in brackets about how it was made."""
    return card.title.partition(" (")[0]


def mine(card: Card) -> bool:
    """Whether the artist trained it."""
    return card.folder.parent == extension.my_models()


def delete(card: Card) -> None:
    """Deletes a model of the artist's own.

    Raises:
        BadRequest: it is not one, or its files are held.
    """
    if not mine(card):
        raise BadRequest(f"The model '{card.title}' is not one that you trained here.", "Delete its folder by hand.")
    # Away from the list first and as a whole: half a model would be a damaged one.
    doomed = card.folder.with_name(f".{card.id}.deleted")
    try:
        card.folder.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise BadRequest(
            f"The model '{card.title}' cannot be deleted: {error.strerror or error}.",
            "Restart the engine in the preferences, then try again.",
        ) from error
    finally:
        refresh()


def items(owner: object, context: Context | None) -> list[Any]:
    """The models as the items of an enumeration, those of the artist's own under a heading; numbered as listed."""
    if not _items:
        # Blender keeps no copy of these strings: they have to live as long as the enumeration.
        numbered = list(enumerate(listing()))
        own = [_item(card, number) for number, card in numbered if mine(card)]
        others = [_item(card, number) for number, card in numbered if not mine(card)]
        _items[:] = [("", "My Models", ""), *own, ("", "Included", ""), *others] if own else others
    return _items


def start_items(owner: object, context: Context | None) -> list[Any]:
    """What a training can begin with, as the items of an enumeration: nothing, or a model."""
    if not _start_items:
        scratch = (SCRATCH, "From Scratch", "Begin with nothing: that takes many assets and a long time", 0)
        cards = enumerate(listing(), 1)
        _start_items[:] = [scratch, *((c.id, c.title, f"It has learned: {c.data}", n) for n, c in cards)]
    return _start_items


def class_items(name: str) -> list[Any]:
    """What a model can be asked for, as the items of an enumeration; the first one is whatever comes."""
    if name not in _class_items:
        names = classes(find(name)) if listing() else []
        anything = (ANY, "Any", "Whatever comes", 0)
        _class_items[name] = [anything, *((n, n.capitalize(), f"Only this: {n}", i) for i, n in enumerate(names, 1))]
    return _class_items[name]


def facts(card: Card) -> list[str]:
    """What the panel tells of a model, in short sentences."""
    if not mine(card):
        return [card.data, f"Weights: {card.licence}"]
    names = ", ".join(map(str, card.sources[:NAMED]))
    more = f" and {len(card.sources) - NAMED} more" if len(card.sources) > NAMED else ""
    lines = [f"Yours, of {card.date}, from {_count(card.assets, 'asset')}: {names}{more}"]
    if card.parent:
        lines.append(f"It went on from {card.parent}.")
    return [*lines, *truth(card)[:1]]


def truth(card: Card) -> list[str]:
    """What was measured about a model, in sentences: above all whether it makes new shapes or copies."""
    novelty = card.metrics.get("novelty")
    sentences = novelty.get("sentences", ()) if isinstance(novelty, Mapping) else ()
    return [str(sentence) for sentence in sentences]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _item(card: Card, number: int) -> Any:
    return (card.id, card.title, f"{card.data} Licence of the weights: {card.licence}", icon(card), number)


def icon(card: Card) -> int:
    """The picture of a model, as Blender numbers icons."""
    global _previews
    if bpy.app.background or not card.preview.exists():
        layout: Any = UILayout.bl_rna
        return layout.functions["prop"].parameters["icon"].enum_items["MESH_ICOSPHERE"].value
    if _previews is None:
        _previews = bpy.utils.previews.new()
    name = str(card.preview)
    picture = _previews.get(name) or _previews.load(name, name, "IMAGE")
    return picture.icon_id


def refresh() -> None:
    """Reads the zoo anew."""
    global _cards, _previews
    _cards = None
    _items.clear()
    _start_items.clear()
    _class_items.clear()
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None
