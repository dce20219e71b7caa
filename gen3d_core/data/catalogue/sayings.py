"""What descriptions of shapes are made of: their pieces, and the little grammar they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .shape import Shape

Value = str | int

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@dataclass(frozen=True)
class Said:
    """A description: words before the noun, the noun, phrases after "with", and further attributes."""

    noun: str
    adjectives: Sequence[str] = ()
    features: Sequence[str] = ()
    values: dict[str, Value] = field(default_factory=dict)


def article(words: str) -> str:
    """The words after "a" or "an"."""
    return f"{'an' if words[0] in 'aeio' or words.startswith('u ') else 'a'} {words}"


def joined(phrases: Sequence[str]) -> str:
    """The phrases as a list: "a, b and c"."""
    return " and ".join([", ".join(phrases[:-1]), phrases[-1]] if len(phrases) > 1 else phrases)


def count(number: int, noun: str, *, plural: str = "") -> str:
    """A number of things: "a door", "two doors", "many doors"; nothing for none."""
    if number == 0:
        return ""
    if number == 1:
        return article(noun)
    return f"{NUMBERS[number] if number < len(NUMBERS) else 'many'} {plural or noun + 's'}"


def labels(shape: Shape, label: str) -> int:
    """How many parts of the shape have a label."""
    return sum(part.label == label for part in shape.parts)


def sides(shape: Shape) -> tuple[float, float, float]:
    """Width, depth and height."""
    low, high = shape.bounds()
    width, depth, height = (high - low).tolist()
    return width, depth, height


def text(shape: Shape, name: str) -> str:
    return str(shape.parameters.get(name, "none"))


def number(shape: Shape, name: str) -> float:
    return float(shape.parameters.get(name, 0))
