"""Semantic names of a shape's parts: "front left leg", "upper rail", "slat 3", from their labels and places.

Sides are the shape's own, as who sits on the chair or in the car sees them: the shape faces -Y, so that its left is +X
and its right is -X, which is also what Blender's names ending in .L and .R mean. Parts of one label are told apart by
as few words as it takes; those that stand in longer rows are numbered, from right to left, from front to rear or from
bottom to top. Bars and slats of a back that are all labelled "back" are named by their form first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .shape import Part

#: Words for places on x, y and z, from the lowest to the highest coordinate.
WORDS = (("right", "centre", "left"), ("front", "middle", "rear"), ("lower", "middle", "upper"))
NEUTRAL = ("centre", "middle")
#: Which axes tell parts apart, and the order in which their words are said.
CHOICES = ((0,), (1,), (2,), (1, 0), (2, 0), (2, 1), (2, 1, 0))
#: Places nearer than this along an axis are the same, in model units.
NEAR = 0.012
#: Groups of places are apart by so many times the largest gap within one of them.
APART = 1.6
#: What parts of one label are called by their kind of solid, where there are several of them.
FORMS = {"back": {"Box": "back slat", "Rod": "back spindle", "Cone": "back spindle", "Arc": "back bow"}}


def named(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts, each with a name that no other one has; if all have names of their own already, those stay."""
    given = [part.name for part in parts]
    if all(given) and len(set(given)) == len(given):
        return tuple(parts)
    labels = [part.label for part in parts]
    nouns = [
        FORMS.get(part.label, {}).get(type(part.solid).__name__, part.label)
        if labels.count(part.label) > 1
        else part.label
        for part in parts
    ]
    centres = np.array([part.solid.bounds().mean(0) for part in parts]).reshape(-1, 3)
    return tuple(replace(part, name=name) for part, name in zip(parts, describe(nouns, centres), strict=True))


def describe(nouns: Sequence[str], centres: NDArray[np.floating]) -> list[str]:
    """Unique names for parts with these nouns and centres (P, 3)."""
    names = [""] * len(nouns)
    for noun in dict.fromkeys(nouns):
        mine = [i for i, other in enumerate(nouns) if other == noun]
        for i, name in zip(mine, _told_apart(noun, np.asarray(centres)[mine]), strict=True):
            names[i] = name
    return names


def _told_apart(noun: str, centres: NDArray[np.floating], axes_left: tuple[int, ...] = (2, 1, 0)) -> list[str]:
    if len(centres) == 1:
        return [noun]
    words = [_words(centres[:, axis], WORDS[axis]) if axis in axes_left else [] for axis in range(3)]
    wide = np.ptp(centres, axis=0).round(3)
    # Of several axes that would do alone, the one along which they are farthest apart is the clearest.
    for axes in sorted(CHOICES, key=lambda axes: (len(axes), -wide[axes[0]] if len(axes) == 1 else 0)):
        if all(words[axis] for axis in axes):
            rows = [[words[axis][i] for axis in axes] for i in range(len(centres))]
            if len({tuple(row) for row in rows}) == len(rows):
                return [" ".join([*row, noun]) for row in _brief(rows)]
    # One axis may split them into groups that can be told apart on their own.
    for axis in axes_left:
        column = words[axis]
        if column:
            names = [""] * len(column)
            for word in dict.fromkeys(column):
                mine = [i for i, other in enumerate(column) if other == word]
                rest = tuple(other for other in axes_left if other != axis)
                for i, name in zip(mine, _told_apart(noun, centres[mine], rest), strict=True):
                    names[i] = f"{word} {name}"
            return names
    return _numbered(noun, centres)


def _words(places: NDArray[np.floating], words: tuple[str, str, str]) -> list[str]:
    """One word for each place (N,) along an axis; none where they do not form two or three groups."""
    order = np.argsort(places, kind="stable")
    gaps = np.diff(places[order])
    if len(places) <= 3 and gaps.min() > NEAR:
        found = words if len(places) == 3 else (words[0], words[2])
        return [found[k] for k in np.argsort(order)]
    for count in (2, 3):
        cuts = np.sort(np.argsort(-gaps, kind="stable")[: count - 1])
        rest = np.delete(gaps, cuts)
        within = max(float(rest.max()) if len(rest) else 0.0, NEAR)
        if len(cuts) == count - 1 and gaps[cuts].min() > APART * within:
            group = np.empty(len(places), int)
            group[order] = np.searchsorted(cuts, np.arange(len(places)), side="left")
            return [(words[0], words[2])[k] if count == 2 else words[k] for k in group]
    return []


def _brief(rows: list[list[str]]) -> list[list[str]]:
    """The words of each part without "centre" and "middle" where the others say enough."""
    short = [[word for word in row if word not in NEUTRAL] for row in rows]
    brief = [few or row for few, row in zip(short, rows, strict=True)]
    return brief if len({tuple(row) for row in brief}) == len(rows) else rows


def _numbered(noun: str, centres: NDArray[np.floating]) -> list[str]:
    """Numbers along the axis of the largest spread; among equals, along the other axes."""
    first = int(np.argmax(np.ptp(centres, axis=0).round(3)))
    others = [axis for axis in (2, 1, 0) if axis != first]
    rounded = centres.round(3)
    order = np.lexsort([rounded[:, axis] for axis in (*others, first)])
    rank = np.empty(len(centres), int)
    rank[order] = np.arange(1, len(centres) + 1)
    return [f"{noun} {number}" for number in rank]
