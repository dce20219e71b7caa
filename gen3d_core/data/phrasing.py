"""Free phrasing of what a shape is, and back to words that a model knows.

    read("A skinny 4-legged barstool, no arms").words  ->  ["thin", "four", "legs", "tall", "stool", "no", "armrests"]
    phrase(shape, random)                              ->  "a stool that is tall, with four thin legs"

Models learn from the words of many phrasings of each shape, and are asked by the words of whatever a person writes;
both go through :func:`read`, which brings synonyms, numbers and plurals onto one vocabulary: the catalogue's, and a few
adjectives that can be measured on a shape.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .catalogue.sayings import NUMBERS, article, joined, number, sides, text
from .catalogue.words import VOCABULARY as SAID

if TYPE_CHECKING:
    from .catalogue.shape import Shape

#: Words that say nothing about a shape.
_DROPPED = (
    "a an and with of in at under its the that has have having is are it which for on to from by or as but very quite "
    "rather fairly please make me give some kind style simple nice i want would like rests stands standing"
)
DROPPED = frozenset(_DROPPED.split())
#: What may be said instead: words, or two of them, to what they mean.
SYNONYMS: dict[str, str] = {
    # Kinds
    "sofa": "settee",
    "couch": "settee",
    "loveseat": "settee",
    "armchair": "chair armrests",
    "barstool": "tall stool",
    "bar stool": "tall stool",
    "bar chair": "tall chair",
    "bar table": "tall table",
    "high chair": "tall chair",
    "office chair": "chair star base",
    "swivel chair": "chair star base",
    "desk chair": "chair star base",
    "folding chair": "chair crossed legs",
    "rocker": "rocking chair",
    "rockers": "rocking",
    "coffee table": "low table",
    "dining table": "table",
    "dining chair": "chair",
    "kitchen chair": "chair",
    "kitchen table": "table",
    "console": "narrow table",
    "console table": "narrow table",
    "writing desk": "desk",
    "footstool": "low stool",
    "plane": "airplane",
    "truck": "lorry",
    "coupe": "sports",
    # Sizes
    "skinny": "thin",
    "slim": "thin",
    "slender": "thin",
    "fine": "thin",
    "fat": "thick",
    "chunky": "thick",
    "stout": "thick",
    "heavy": "thick",
    "sturdy": "thick",
    "massive": "thick",
    "broad": "wide",
    "high": "tall",
    "short": "low",
    "medium": "middle",
    "big": "large",
    # Forms
    "circular": "round",
    "circle": "round",
    "disc": "round",
    "elliptical": "oval",
    "rectangle": "rectangular",
    "oblong": "rectangular",
    "quadratic": "square",
    "squared": "square",
    # Parts
    "arm": "armrests",
    "arms": "armrests",
    "armrest": "armrests",
    "leg": "legs",
    "legged": "legs",
    "foot": "legs",
    "feet": "legs",
    "armless": "no armrests",
    "backless": "no back",
    "legless": "no legs",
    "without": "no",
    "lacking": "no",
    "none": "no",
    "zero": "no",
    "single": "one",
    "pair": "two",
    "couple": "two",
    "padded": "cushioned",
    "upholstered": "cushioned",
    "soft": "cushioned",
    "cushion": "cushioned",
    "cushions": "cushioned",
    "slats": "slatted",
    "spindles": "spindle",
    "rungs": "ladder",
    "angled": "splayed",
    "slanted": "splayed",
    "slanting": "splayed",
    "flared": "splayed",
    "folding": "crossed",
    "central column": "pedestal base",
    "central leg": "pedestal base",
    "central foot": "pedestal base",
    "centre column": "pedestal base",
    "swivel": "star base",
    "wheeled": "star base",
    "five star": "star",
    "shelves": "shelf",
    "drawer": "drawers",
    "door": "doors",
    "column": "columns",
    "side panel": "side panels",
    "tabletop": "top",
    "stretchers": "stretcher",
}
#: Adjectives that are measured on a shape, beyond what the catalogue says.
MEASURED = ("wide", "narrow", "thin", "thick")
#: What phrases are varied by: what is said, and what is said instead of it.
_VARIED = {
    "settee": ("sofa", "couch", "settee"),
    "wide": ("wide", "broad"),
    "thin": ("thin", "slim", "skinny", "slender"),
    "thick": ("thick", "heavy", "chunky", "sturdy"),
    "round": ("round", "circular"),
    "rectangular": ("rectangular", "oblong"),
    "armrests": ("armrests", "arms"),
    "cushioned": ("cushioned", "padded"),
    "tall": ("tall", "high"),
    "low": ("low", "short"),
}
_BACKS = ("solid back", "slatted back", "spindle back", "ladder back", "hoop back", "backrest", "curved back")


def _vocabulary() -> tuple[str, ...]:
    meant = {word for phrase in SYNONYMS.values() for word in phrase.split()}
    singles = {word for word in SYNONYMS if " " not in word}
    return tuple(sorted((SAID | meant | set(MEASURED)) - singles - DROPPED))


#: Every word that :func:`read` gives, in alphabetical order.
WORDS: tuple[str, ...] = _vocabulary()
_KNOWN = frozenset(WORDS)


@dataclass(frozen=True)
class Reading:
    """A text as a model sees it.

    Args:
        words: of :data:`WORDS`, in the text's order.
        unknown: words of the text that mean nothing here, each once.
    """

    words: list[str]
    unknown: list[str]


def read(text: str) -> Reading:
    """The words of a text, brought onto the vocabulary."""
    tokens = re.findall(r"[a-z]+|\d+", text.lower().replace("'s", ""))
    found: list[str] = []
    unknown: list[str] = []
    i = 0
    while i < len(tokens):
        pair = " ".join(_singular(token) for token in tokens[i : i + 2])
        if i + 1 < len(tokens) and pair in SYNONYMS:
            found += SYNONYMS[pair].split()
            i += 2
            continue
        meant = _meant(tokens[i])
        if meant is None:
            unknown += [tokens[i]] if tokens[i] not in unknown else []
        else:
            found += meant
        i += 1
    return Reading(found, unknown)


def words(text: str) -> list[str]:
    """The words of a text that mean something, brought onto the vocabulary; see :func:`read`."""
    return read(text).words


def phrase(shape: Shape, random: np.random.Generator) -> str:
    """A phrase that is true of a catalogue shape, in one of many ways to say some of what can be said.

    Args:
        shape: of any category.
        random: chooses what is said and how.
    """
    adjectives, noun, features = _pieces(shape)
    thickness = _thickness(shape)
    features = [_varied_feature(feature, thickness, random) for feature in features]
    features += _absences(shape, random)
    features = [features[i] for i in random.permutation(len(features)) if random.random() < 0.75]
    adjectives = [*adjectives, *_proportions(shape, random)]
    adjectives = [adjectives[i] for i in random.permutation(len(adjectives)) if random.random() < 0.8]
    if "rocking" in adjectives:
        # It stands next to its noun: "a low rocking chair".
        adjectives = [*(a for a in adjectives if a != "rocking"), "rocking"]
    said = _arranged(adjectives, noun, features, int(random.integers(4)))
    varied = " ".join(_varied_word(word, random) for word in said.split(" "))
    return re.sub(r"\ba (?=[aeio])", "an ", varied)


def adjectives(shape: Shape) -> list[str]:
    """What can be measured on a chair or a table beyond the catalogue's words: of :data:`MEASURED`."""
    width, depth, height = sides(shape)
    found = []
    if shape.category == "table":
        found += ["wide"] if width > 2 * height else ["narrow"] if width < 1.2 * height or depth < 0.42 * width else []
    elif shape.category == "chair":
        found += ["wide"] if width > 0.8 * height else ["narrow"] if width < 0.47 * height else []
    return found + ([thickness] if (thickness := _thickness(shape)) else [])


def _meant(token: str) -> list[str] | None:
    """What a word means; None where it means nothing here."""
    if token.isdigit():
        return [NUMBERS[int(token)]] if int(token) < len(NUMBERS) else ["many"]
    for form in (token, _singular(token)):
        if form in SYNONYMS:
            return SYNONYMS[form].split()
        if form in _KNOWN:
            return [form]
        if form in DROPPED:
            return []
    return None


def _singular(token: str) -> str:
    for ending, instead in (("ches", "ch"), ("ies", "y"), ("s", "")):
        if token.endswith(ending) and len(token) > len(ending) + 2 and not token.endswith("ss"):
            return token[: -len(ending)] + instead
    return token


def _pieces(shape: Shape) -> tuple[list[str], str, list[str]]:
    """Adjectives, noun and features of the catalogue's own sentence."""
    head, _, rest = shape.sentence().partition(" with ")
    *adjectives, noun = head.split(" ")[1:]
    return adjectives, noun, re.split(r", | and ", rest) if rest else []


def _varied_feature(feature: str, thickness: str, random: np.random.Generator) -> str:
    """The same, said with less, or with how thick legs are."""
    start, _, rest = feature.partition(" ")
    if rest.endswith("legs") and thickness and random.random() < 0.5:
        return f"{start} {thickness} legs"
    if random.random() < 0.3:
        if rest in _BACKS:
            return str(random.choice(["a back", "a backrest", f"a {rest}"]))
        if rest.endswith(" legs"):
            return f"{start} legs"
    return feature


def _absences(shape: Shape, random: np.random.Generator) -> list[str]:
    """What a chair has not, which only people say."""
    found = []
    if shape.category == "chair" and random.random() < 0.5:
        said = shape.attributes()
        found += ["no armrests"] if said["arms"] == 0 else []
        found += ["no back"] if said["back"] == "no" else []
    return found


def _proportions(shape: Shape, random: np.random.Generator) -> list[str]:
    return [word for word in adjectives(shape) if word in ("wide", "narrow") and random.random() < 0.5]


def _thickness(shape: Shape) -> str:
    """Of legs: thin, thick or nothing to speak of."""
    if shape.category not in ("chair", "table") or text(shape, "base") != "legs":
        return ""
    bar = number(shape, "bar")
    return "thin" if bar < 0.056 else "thick" if bar > 0.07 else ""


def _arranged(adjectives: Sequence[str], noun: str, features: Sequence[str], form: int) -> str:
    """One of four ways to put it."""
    words = " ".join([*adjectives, noun])
    if form == 0 and features:
        return f"{words}, {', '.join(features)}"
    if form == 1 and adjectives and "rocking" not in adjectives:
        tail = f", with {joined(features)}" if features else ""
        return f"{article(noun)} that is {joined(adjectives)}{tail}"
    if form == 2 and features:
        return f"{joined(features)} on {article(words)}"
    return article(words) + (f" with {joined(features)}" if features else "")


def _varied_word(word: str, random: np.random.Generator) -> str:
    bare = word.rstrip(",")
    if bare not in _VARIED:
        return word
    return str(random.choice(_VARIED[bare])) + word[len(bare) :]
