"""The models that can be chosen, and their pictures."""

from typing import Any

import bpy
import bpy.utils.previews
from bpy.types import Context, UILayout

from ..gen3d_core import cards
from ..gen3d_core.cards import Card
from ..gen3d_core.errors import BadModel, UnknownModel, Unsupported
from . import preferences
from .status import record

_cards: list[Card] | None = None
#: The kind that Blender asks for: id, title, description, icon, number.
_items: list[Any] = []
_previews: bpy.utils.previews.ImagePreviewCollection | None = None


def listing() -> list[Card]:
    """Every usable model, best first; damaged ones are reported once and left out."""
    global _cards
    if _cards is None:
        found: dict[str, Card] = {}
        for zoo in cards.zoos(preferences.extra_zoos()):
            for path in sorted(zoo.glob(f"*/{cards.CONFIG}")):
                try:
                    found.setdefault(path.parent.name, cards.read(path.parent))
                except BadModel as error:
                    record(error)
        _cards = sorted(found.values(), key=lambda card: (card.rank, card.id))
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


def require(card: Card, verb: str, *abilities: str) -> None:
    """Checks that a model has one of some abilities.

    Raises:
        Unsupported: it has none of them.
    """
    if not set(abilities) & set(card.abilities):
        raise Unsupported(f"The model '{card.title}' cannot {verb}.", "Choose another model.")


def items(owner: object, context: Context | None) -> list[Any]:
    """The models as the items of an enumeration, in the order of :func:`listing`."""
    if not _items:
        # Blender keeps no copy of these strings: they have to live as long as the enumeration.
        _items[:] = [
            (card.id, card.title, f"{card.data} Licence of the weights: {card.licence}", icon(card), number)
            for number, card in enumerate(listing())
        ]
    return _items


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
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None
