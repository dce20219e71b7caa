"""Writes docs/voxels.md, the voxel models side by side, from the numbers that ``gen3d evaluate --write`` left in cards.

python docs/voxels.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gen3d_core import cards  # noqa: E402

SHELF = "voxels."
ENTRY = "evaluation"
PAGE = ROOT / "docs" / "voxels.md"

HEAD = """# The voxel models, side by side

This page is generated: `python docs/voxels.py` writes it from the cards of the models, into which
`gen3d evaluate MODEL --write` puts what it measures on held-out shapes of the catalogue. How each number is taken, and
on how many shapes, stands in the models' own cards. Every number is to be read between its references: what a trivial
way reaches, and what can be reached at all. Numbers of other projects are of other data and cannot be compared with
these.
"""

SETS = """## Generation

*Floor* scores training shapes as if a model had drawn them, *ceiling* is a Gaussian blob for each shape. 1-NNA is the
accuracy of telling drawn shapes from unseen ones by their nearest neighbour, 50 % is ideal; MMD is how near the drawn
shapes come to unseen ones, as a share of the ceiling's; COV is the share of the unseen shapes that are nearest to
some drawn one.
"""

COMPLETION = """## Completion

Of each shape the bottom half, the top half, an octant, or what one camera sees is given; intersection over union
counts on the hidden cells alone, as the mean over hypotheses. Trivial ways are to copy the other side, and to take
the training shape that fits the given part best. UHD is how far a hypothesis strays from what is given at worst, TMD
how different the hypotheses are, MMD how near the nearest of them comes to the true shape, all three in thousandths
of the model unit (or its square).
"""

IMAGES = """## Shapes from pictures

Intersection over union with the shape that was pictured, from unseen renders. Trivial ways are to recall the training
shape with the most similar pictures, and always to answer with the mean shape.
"""

TEXT = """## Shapes from texts

The share of what a text asked for that is there, measured on the geometry. The reference is the same measurement on
the shapes the texts were written about; the trivial way gives each text the shapes that were drawn for the others.
"""

OTHER = """## What else they do

Guided: what a text beside a given half says of the hidden one. Classes: shapes of the class that was asked for, as an
independent linear classifier judges them. Classify: the right class of held-out shapes. Labels: rightly labelled from
ten examples of each of nine categories. Refine: intersection over union at twice the resolution. Outliers: the area
under the curve that tells held-out shapes from those of other categories by the model's score. Samples: how drawn
shapes are as cells.
"""


def bundled() -> list[cards.Card]:
    """The cards of the project's own models, whatever else is installed."""
    return [card for card in cards.listing([cards.BUNDLED]) if card.folder.parent == cards.BUNDLED]


def page(zoo: Sequence[cards.Card]) -> str:
    """The whole page.

    Args:
        zoo: cards, in the order of the lists; those of other shelves and those without numbers are passed over.
    """
    measured = [(card, card.metrics[ENTRY]) for card in zoo if card.system.startswith(SHELF) and ENTRY in card.metrics]
    parts = [
        HEAD,
        *_section(SETS, ["model", "1-NNA: floor", "model", "MMD / ceiling", "COV: floor", "model"], _sets(measured)),
        *_section(
            COMPLETION,
            ["model", "mirrored", "nearest", "**IoU**", "best of all", "changed", "UHD", "TMD", "MMD"],
            _completion(measured),
        ),
        *_section(IMAGES, ["model", "pictures", "mean shape", "nearest", "**IoU**"], _images(measured)),
        *_section(TEXT, ["model", "asked for", "trivial", "**there**", "reference"], _lines(measured, ["text"])),
        *_section(
            OTHER,
            ["model", "measure", "trivial", "**model**", "reference"],
            _lines(measured, ["guided", "classes", "classify", "labels", "refine", "outliers", "samples"]),
        ),
        *_section("## Gates\n", ["model", "gate", "limit", "measured", ""], _gates(measured)),
        *(_model(card, values) for card, values in measured),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _section(text: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The text and its table; nothing without rows."""
    if not rows:
        return []
    rule = "|".join(["---"] * len(head))
    lines = [f"| {' | '.join(head)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)]
    return [text, "\n".join(lines) + "\n"]


Measured = Sequence[tuple[cards.Card, Mapping[str, Any]]]


def _sets(measured: Measured) -> list[list[str]]:
    rows = []
    for card, values in measured:
        if "scores" not in values:
            continue
        floor, model, ceiling = (values["scores"][name] for name in ("floor", "model", "ceiling"))
        rows.append(
            [
                card.id,
                _share(floor["one_nna"]["mean"]),
                f"{_share(model['one_nna']['mean'])} ± {_share(model['one_nna']['sd'])}",
                f"{model['mmd']['mean'] / ceiling['mmd']['mean']:.2f}",
                _share(floor["coverage"]["mean"]),
                _share(model["coverage"]["mean"]),
            ]
        )
    return rows


def _completion(measured: Measured) -> list[list[str]]:
    rows = []
    for card, scores in _uses(measured, "completion"):
        whole = scores["IoU of hidden cells, all"]
        best = next(score for name, score in scores.items() if "best of" in name)
        changed = scores["given cells that were changed"]
        rows.append(
            [
                card.id,
                _text(whole, whole["floors"]["mirrored"]),
                _text(whole, whole["floors"]["nearest training shape"]),
                _text(whole),
                _text(best),
                _text(changed),
                *(_text(scores[name]) if name in scores else "" for name in ("UHD", "TMD", "MMD")),
            ]
        )
    return rows


def _images(measured: Measured) -> list[list[str]]:
    return [
        [
            card.id,
            name.removeprefix("IoU from "),
            _text(score, score["floors"]["mean shape"]),
            _text(score, score["floors"]["nearest training shape"]),
            _text(score),
        ]
        for card, scores in _uses(measured, "images")
        for name, score in scores.items()
    ]


def _lines(measured: Measured, uses: Sequence[str]) -> list[list[str]]:
    """One line for every score of some uses."""
    return [
        [
            card.id,
            name if use == "text" else f"{use}: {name}",
            ", ".join(f"{floor} {_text(score, value)}" for floor, value in score["floors"].items()),
            _text(score),
            ", ".join(f"{top} {_text(score, value)}" for top, value in score.get("ceiling", {}).items()),
        ]
        for use in uses
        for card, scores in _uses(measured, use)
        for name, score in scores.items()
    ]


def _gates(measured: Measured) -> list[list[str]]:
    rows = []
    for card, values in measured:
        gates = [*values.get("gates", ()), *(gate for use in values["uses"].values() for gate in use["gates"])]
        rows += [[card.id, g["name"], g["limit"], g["measured"], "met" if g["met"] else "**not met**"] for g in gates]
    return rows


def _model(card: cards.Card, values: Mapping[str, Any]) -> str:
    picture = ROOT / "docs" / f"{card.id}.png"
    sheet = f"![{card.title}, drawn shapes]({picture.name})\n\n" if picture.exists() else ""
    return f"""## {card.id}

{sheet}[Card](../models_zoo/{card.id}/README.md). {card.title}: {card.system}, trained on {card.data}. Measured by

    {values["command"]}
"""


def _uses(measured: Measured, use: str) -> Iterator[tuple[cards.Card, Mapping[str, Any]]]:
    """The cards that have a use, and its scores."""
    for card, values in measured:
        if use in values["uses"]:
            yield card, values["uses"][use]["scores"]


def _text(score: Mapping[str, Any], value: float | None = None) -> str:
    """A value in its score's unit; the model's by default."""
    shown = float(score["model"] if value is None else value)
    if score["unit"] == "share":
        return _share(shown)
    return f"{1000 * shown:.2f}" if score["unit"] == "thousandth" else f"{shown:.3f}"


def _share(value: float) -> str:
    return f"{value:.1%}"


if __name__ == "__main__":
    PAGE.write_text(page(bundled()), encoding="utf-8")
