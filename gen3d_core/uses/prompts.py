"""Shapes from texts: the share of what was asked for that is there, measured on the geometry.

Texts are the catalogue's own sentences about held-out shapes, and short phrases that ask for a few of their attributes.
The ceiling is the same measurement of those shapes themselves. The floor gives every text the shapes that were made for
the other texts: what a model reaches that makes good chairs and tables but cannot read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .. import measure
from ..data.catalogue.sayings import NUMBERS, article
from ..evaluation import each, run_of
from ..run import Run
from ..system import Asset, FromText, Guided
from .common import Cells, Data, R, Score, Use, cells, drawn, iou, mean

#: What has to be reached.
ENOUGH = 0.80


@dataclass(frozen=True)
class Prompt:
    """A text, and what it asks for in the words of :mod:`gen3d_core.measure`."""

    text: str
    asked: measure.Values


def text(system: FromText, data: Data, run: Run) -> Use | None:
    """The model on texts about held-out shapes; None where the data has no attributes.

    Raises:
        Cancelled: the user asked to stop.
    """
    assets = [asset for asset in data.unseen(data.counts.prompts) if described(asset)]
    if not assets:
        return None
    prompts = [sentence(asset) if i % 2 else phrase(asset, i) for i, asset in enumerate(assets)]
    made: list[list[Cells]] = []
    for i, prompt in each(list(enumerate(prompts)), run):
        made.append([_drawn(system, prompt, 1000 * i + k, run) for k in each(range(data.counts.drawn), run)])
    own = [measure.agreement(prompt.asked, one) for prompt, row in zip(prompts, made, strict=True) for one in row]
    true = [measure.agreement(p.asked, cells(asset)) for p, asset in zip(prompts, assets, strict=True)]
    other = [
        measure.agreement(prompt.asked, row[0])
        for prompt in prompts
        for q, row in zip(prompts, made, strict=True)
        if q is not prompt
    ]
    scores = [
        Score(
            "asked attributes that are there",
            overall(own),
            {"other texts' shapes": overall(other)},
            overall(true),
            "true shapes",
            limit=ENOUGH,
            beats=True,
        )
    ]
    chance, top = measure.shares(other), measure.shares(true)
    for name, value in measure.shares(own).items():
        scores.append(Score(name, value, {"other texts' shapes": chance[name]}, top[name], "true shapes"))
    return Use(
        "text",
        f"Text: {len(prompts)} texts about held-out shapes, half of them sentences of the catalogue, half short "
        f'phrases as "{prompts[0].text}", {data.counts.drawn} shapes each, attributes measured on the geometry.',
        scores,
    )


def guided(system: Guided, data: Data, run: Run) -> Use | None:
    """Completion with a text beside it: whether the hidden half is as the text says, against the same without it.

    Raises:
        Cancelled: the user asked to stop.
    """
    assets = [asset for asset in data.unseen(data.counts.prompts) if described(asset)]
    if not assets:
        return None
    bottom = np.indices((R,) * 3)[2] < R // 2
    own, without, true, unions, plain = [], [], [], [], []
    for i, asset in each(list(enumerate(assets)), run):
        # Legs are hidden where the upper half is given, backs and arms where the lower is.
        prompt, known = sentence(asset), ~bottom if i % 2 else bottom
        truth, mask = cells(asset), torch.as_tensor(known)
        made = []
        for k, words in each([(0, prompt.text), (1, "")], run):
            made.append(
                drawn(
                    lambda w=words, a=asset, m=mask, k=k, i=i: system.complete_guided(
                        a, m, w, None, run_of(2 * i + k, run)
                    )
                )
            )
        for found, flags, overlaps in ((made[0], own, unions), (made[1], without, plain)):
            flags.append(measure.agreement(prompt.asked, found))
            overlaps.append(iou(found, truth, ~known))
        true.append(measure.agreement(prompt.asked, truth))
    return Use(
        "guided",
        f"Guided completion: {len(assets)} held-out shapes, the lower or the upper half given, with their sentence and "
        "without.",
        [
            Score(
                "asked attributes that are there",
                overall(own),
                {"without the text": overall(without)},
                overall(true),
                "true shapes",
                beats=True,
            ),
            Score("IoU of hidden cells", mean(unions), {"without the text": mean(plain)}, unit="plain"),
        ],
    )


def described(asset: Asset) -> measure.Values:
    """What can be measured of what is known of an asset; nothing for assets without attributes."""
    attributes: Any = getattr(asset, "attributes", None)
    return measure.stated(attributes()) if attributes is not None else {}


def sentence(asset: Any) -> Prompt:
    """The catalogue's sentence, and what it says; it says nothing of usual sizes, and nothing of what is not there."""
    silent = {"size": "middle", "arms": "no", "shelf": "no"}
    return Prompt(
        asset.sentence(), {name: value for name, value in described(asset).items() if silent.get(name) != value}
    )


def phrase(asset: Any, seed: int) -> Prompt:
    """A short text that asks for one to three attributes of a catalogue shape: "a round table with four legs"."""
    has: dict[str, Any] = {**described(asset)}
    own: Mapping[str, Any] = asset.attributes()
    random = np.random.Generator(np.random.PCG64([11, seed]))
    category = str(has["category"])
    noun = str(own["kind"]) if has.get("back") == "no" else category
    asked: measure.Values = {"category": category}
    if has.get("back") == "no":
        asked["back"] = "no"
    possible = {
        "size": (has["size"], str(has["size"]), "") if has["size"] != "middle" else None,
        "top": _said_of_top(category, own),
        "legs": (has["legs"], "", f"{NUMBERS[has['legs']]} legs") if has.get("legs") else None,
        "arms": ("yes", "", "armrests") if has.get("arms") == "yes" else None,
        "shelf": ("yes", "", "a shelf") if has.get("shelf") == "yes" and own["shelves"] == 1 else None,
    }
    sayable = [(name, *said) for name, said in possible.items() if said is not None]
    chosen = sorted(random.permutation(len(sayable))[: 1 + int(random.integers(3))])
    adjectives, features = [], []
    for name, value, adjective, feature in (sayable[i] for i in chosen):
        asked[name] = value
        adjectives += [adjective] if adjective else []
        features += [feature] if feature else []
    words = article(" ".join([*adjectives, noun]))
    return Prompt(f"{words} with {' and '.join(features)}" if features else words, asked)


def _said_of_top(category: str, own: Mapping[str, Any]) -> tuple[str, str, str]:
    """What is measured of a table's top or a chair's seat, and the word that says it before or after the noun."""
    form = str(own["top" if category == "table" else "seat"])
    measured = "round" if form in ("round", "oval") else "angular"
    return (measured, form, "") if category == "table" else (measured, "", article(f"{form} seat"))


def overall(rows: Sequence[Mapping[str, bool]]) -> float:
    """The share of all that was asked for."""
    flags = [flag for row in rows for flag in row.values()]
    return float(np.mean(flags)) if flags else 0.0


def _drawn(system: FromText, prompt: Prompt, seed: int, run: Run) -> Cells:
    return drawn(lambda: system.from_text(prompt.text, run_of(seed, run)))
