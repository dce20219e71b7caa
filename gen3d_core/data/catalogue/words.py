"""What can be said of a shape: attributes and one English sentence, both true of its parts, in a closed vocabulary.

attributes(shape)    {"category": "table", "kind": "table", "size": "low", "top": "round", "base": "pedestal", ...}
sentence(shape)      "a low round table with a pedestal base and a shelf"

Sizes are measured on the finished shape, numbers are counted on its parts, and kinds are those it was built as.
"""

from __future__ import annotations

from collections.abc import Callable

from .animals import KINDS as ANIMALS
from .sayings import NUMBERS, Said, Value, article, joined
from .shape import Shape
from .wordings import airplane, cabinet, car, chair, creature, lamp, mug, table, vase

_GRAMMAR = "a an and with of in at no many under its the"
_SIZES = "long short tall low middle wide slender large"
_FURNITURE = """
chair stool bench settee rocking table desk shelf cabinet bookcase dresser night stand sideboard wardrobe chest
seat cushioned tapered round square oval rectangular back backrest solid slatted spindle ladder hoop tub curved
armrests arms legs leg straight splayed crossed base sled star pedestal cantilever panels side block runners
top apron stretcher box trestle columns drawers drawer stack stacks hutch screen door doors open shelves plinth floor"""
_HOUSEWARE = """
hanging lamp chandelier tripod post arc branches arm tray baluster gourd ball column cone jointed twin bent neck
cord bar shade shades drum empire dome globe bowl bell disc foot
vase amphora moon cylinder trumpet jar jug bottle flask carafe ring balls handle handles loop ear scroll bow
feet lid cork stopper band bands mug cup teacup stein conical barrel tulip waisted saucer"""
_VEHICLES = """
airliner jet fighter propeller propellers airplane biplane glider engine engines wing wings swept high tail body nose
rear blades winglets canards wheels floats
car sedan hatchback estate offroader sports convertible beetle pickup van bus lorry vintage racer double decker
tank bed mixer tipper logs lights mirrors bumpers roof sign rails lamps lip spoiler spare wheel"""
_CREATURES = "creature ears horns snout"
#: Every word of every sentence and of every attribute's value, in lower case.
VOCABULARY: frozenset[str] = frozenset(
    [*NUMBERS, *ANIMALS, *" ".join([_GRAMMAR, _SIZES, _FURNITURE, _HOUSEWARE, _VEHICLES, _CREATURES]).split()]
)

__all__ = ["VOCABULARY", "attributes", "sentence"]

_READERS: dict[str, Callable[[Shape], Said]] = {
    "chair": chair,
    "table": table,
    "cabinet": cabinet,
    "lamp": lamp,
    "vase": vase,
    "mug": mug,
    "airplane": airplane,
    "car": car,
    "creature": creature,
}


def attributes(shape: Shape) -> dict[str, Value]:
    """What is known of a shape: words of the vocabulary (several are separated by spaces) and numbers of parts."""
    return {"category": shape.category, **_READERS[shape.category](shape).values}


def sentence(shape: Shape) -> str:
    """A phrase that describes a shape, all of it in `VOCABULARY` but for the commas."""
    said = _READERS[shape.category](shape)
    words = " ".join([*(word for word in said.adjectives if word), said.noun])
    features = [feature for feature in said.features if feature]
    return article(words) + (f" with {joined(features)}" if features else "")
