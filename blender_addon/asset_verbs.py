"""The verbs that look at assets: variations of each, which are unusual, what they are. See :mod:`.verbs`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np
from bpy.types import Object

from ..gen3d_core.errors import BadMesh, BadRequest, EmptyShape, Gen3DError
from ..gen3d_core.protocol import Event
from . import assets, findings, models, objects, outliers, steps, verbs
from .findings import Chance, Classification, Guess, Labelling
from .memory import Memory, Quality
from .objects import Row, Surface
from .outliers import Entry, Ranking
from .status import record
from .steps import Step
from .verbs import Verb

#: Whose part it is to vary an asset.
MODEL, GEOMETRY = "model", "geometry"
#: Kinds of errors that lie in one asset, not in the engine or the request.
ASSET_ERRORS = (BadMesh.kind, EmptyShape.kind)


def augment(
    tops: Sequence[Object], title: str, seeds: Sequence[int], amount: float, method: str, model: str, quality: Quality
) -> Verb:
    """Variations of assets, one per seed and asset, in rows beside them, in a collection of their own.

    Args:
        tops: the objects that the assets are named after; see :mod:`.assets`.
        title: of what is varied.
        seeds: of each asset's variations.
        amount: 0 is the asset itself, 1 as far as it goes.
        method: ``model``, or ``geometry`` for bends and scales without a model.
        model: id; empty for the best.
        quality: of the meshes that a model makes.
    """
    card = models.find(model) if method == MODEL else None
    if card:
        models.require(card, "take shapes that it did not make", "encodes", "fits")
        models.require(card, "vary shapes", "latents")
    where = objects.target(bpy.context)
    given = [(obj.session_uid, obj.name) for obj in _some(tops)]
    rows: list[Row] = []
    refused: list[tuple[str, Gen3DError]] = []
    for number, (uid, name) in enumerate(given):
        try:
            surface = _surface(uid, name)
            step = steps.augmentation(surface, card, method, seeds, amount, quality)
            results = (yield replace(step, begin=number / len(given), end=(number + 1) / len(given))).results
        except Gen3DError as error:
            if error.kind not in ASSET_ERRORS:
                raise
            # One asset that cannot be used does not stop the others.
            refused.append((name, error))
            continue
        base = verbs.remembered("augment", card, quality) if card else Memory("augment", debris=quality.debris)
        memory = replace(base, amount=amount, method=method, fitted=surface.fit, source=name)
        names = [f"{name} variation {result.values['seed']}" for result in results]
        rows.append(Row(surface, results, memory, names))
    if not rows:
        raise refused[0][1]

    def finish() -> list[Object]:
        created = objects.in_rows(where, f"{title} variations", rows)
        if refused:
            record(_left_out(refused))
        return created

    return finish


def rank(tops: Sequence[Object], title: str, model: str) -> Verb:
    """Which of some assets are unusual, for :mod:`.outliers`; nothing in the scene changes."""
    card = models.find(model)
    models.require(card, "tell what is unusual", "scores", "encodes", "fits")
    given = _read(tops)
    call = yield Step("rank", str(card.folder), given.options, given.arrays)
    entries = [_entry(result, given.uids) for result in call.results]
    ranking = Ranking(
        title,
        card.title,
        sorted(entries, key=lambda entry: entry.place),
        str(call.values.get("sentence", "")),
        float(call.values.get("sure", 0.0)),
        [*given.refused, *_pairs(call.values.get("refused", ()))],
    )

    def finish() -> list[Object]:
        outliers.show(ranking)
        return []

    return finish


def label(tops: Sequence[Object], title: str, model: str) -> Verb:
    """Labels for those of some assets that have none, learned from those that have one; see :class:`.findings.Guess`.

    The objects keep what was guessed, beside the labels that they were given.
    """
    card = models.choose(model, "tell assets apart", "features")
    given = _read(tops)
    kinds = len(set(filter(None, given.labels)))
    if kinds < 2:
        raise BadRequest(
            f"The assets have {kinds} different label{'' if kinds == 1 else 's'}; expected at least 2.",
            "Select an example, give it a label, and do so for every kind.",
        )
    if all(given.labels):
        raise BadRequest("Every asset has a label.", "Add some without one.")
    options = {**given.options, "labels": list(given.labels)}
    call = yield Step("label", str(card.folder), options, given.arrays)
    guesses = [_guess(result, given.uids) for result in call.results]
    sentence, refused = str(call.values.get("sentence", "")), _pairs(call.values.get("refused", ()))
    found = Labelling(title, card.title, guesses, sentence, [*given.refused, *refused])

    def finish() -> list[Object]:
        there = [(guess, objects.find(guess.uid, guess.name)) for guess in guesses]
        changed = [(guess, obj) for guess, obj in there if obj is not None and not obj.library]
        for guess, obj in changed:
            group: Any = obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]
            group.guess, group.probability = guess.label, guess.probability
        findings.show_labelling(found)
        return [obj for _, obj in changed]

    return finish


def classify(obj: Object, model: str) -> Verb:
    """What an object is, for :mod:`.findings`; nothing in the scene changes."""
    card = models.choose(model, "tell what a shape is", "classifies")
    uid, name, surface = obj.session_uid, obj.name, objects.surface(obj)
    call = yield Step("classify", str(card.folder), {"fit": surface.fit}, surface.arrays)
    values = call.results[0].values
    chances = [Chance(str(n), float(p)) for n, p in zip(values["classes"], values["probabilities"], strict=True)]
    chances.sort(key=lambda chance: -chance.probability)

    def finish() -> list[Object]:
        findings.show_classification(Classification(uid, name, card.title, chances))
        return []

    return finish


def label_of(obj: Object) -> str:
    """The label that the artist gave an object; empty for none."""
    group: Any = obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    return group.label.strip()


@dataclass(frozen=True)
class _Read:
    """Assets as a request takes several.

    Args:
        surfaces: in the world.
        uids: ``session_uid`` of the objects that they are named after.
        labels: that the artist gave those; empty for none.
        refused: name and reason of each asset that cannot be used.
    """

    surfaces: Sequence[Surface]
    uids: Sequence[int]
    labels: Sequence[str]
    refused: Sequence[tuple[str, str]]

    @property
    def options(self) -> dict[str, Any]:
        """For a request."""
        return {
            "names": [surface.name for surface in self.surfaces],
            "vertex_counts": [len(surface.vertices) for surface in self.surfaces],
            "face_counts": [len(surface.faces) for surface in self.surfaces],
            "fit": True,
        }

    @property
    def arrays(self) -> dict[str, Any]:
        """For a request."""
        return {
            "vertices": np.concatenate([surface.vertices for surface in self.surfaces]),
            "faces": np.concatenate([surface.faces for surface in self.surfaces]),
        }


def _read(tops: Sequence[Object]) -> _Read:
    """Those of some assets that can be read.

    Raises:
        BadRequest: there are none.
        BadMesh: none can be read.
    """
    uids: list[int] = []
    labels: list[str] = []
    surfaces: list[Surface] = []
    refused: list[tuple[str, BadMesh]] = []
    for obj in _some(tops):
        try:
            asset = assets.read(obj)
        except BadMesh as error:
            refused.append((obj.name, error))
        else:
            surfaces.append(Surface(asset.vertices.astype(np.float32), asset.faces, True, asset.matrix, asset.name))
            uids.append(asset.uid)
            labels.append(label_of(obj))
    if not surfaces:
        raise refused[0][1]
    return _Read(surfaces, uids, labels, [(name, error.message) for name, error in refused])


def _some(tops: Sequence[Object]) -> Sequence[Object]:
    if not tops:
        raise BadRequest("There are no assets.", "Select objects, or choose a collection with some.")
    return tops


def _surface(uid: int, name: str) -> Surface:
    obj = objects.find(uid, name)
    if obj is None:
        raise BadMesh(f"'{name}' was deleted meanwhile.", "Undo, then try again.")
    return assets.surface(obj)


def _entry(result: Event, uids: Sequence[int]) -> Entry:
    values = result.values
    percentile = values.get("percentile")
    return Entry(
        uid=uids[int(values["index"])],
        name=str(values["name"]),
        place=int(values["place"]),
        score=float(values["score"]),
        low=float(values["low"]),
        high=float(values["high"]),
        percentile=None if percentile is None else float(percentile),
    )


def _guess(result: Event, uids: Sequence[int]) -> Guess:
    values = result.values
    uid = uids[int(values["index"])]
    return Guess(uid, str(values["name"]), str(values["label"]), float(values["probability"]))


def _pairs(values: Any) -> list[tuple[str, str]]:
    return [(str(name), str(reason)) for name, reason in values]


def _left_out(refused: Sequence[tuple[str, Gen3DError]]) -> BadMesh:
    lines = "\n".join(f"{name}: {error.message}" for name, error in refused)
    name, error = refused[0]
    count = f"{len(refused)} assets were" if len(refused) > 1 else "One asset was"
    return BadMesh(f"{count} left out. '{name}': {error.message}", "The others are done.", lines)
