"""The verbs on many assets at once: variations of each, and which of them are unusual. See :mod:`.verbs`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import bpy
import numpy as np
from bpy.types import Object

from ..gen3d_core.errors import BadMesh, BadRequest, EmptyShape, Gen3DError
from ..gen3d_core.protocol import Event
from . import assets, models, objects, outliers, verbs
from .memory import Memory, Quality
from .objects import Row, Surface
from .outliers import Entry, Ranking
from .status import record
from .verbs import Step, Verb

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
            step = verbs.augmentation(surface, card, method, seeds, amount, quality)
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
    surfaces: list[Surface] = []
    uids: list[int] = []
    refused: list[tuple[str, Gen3DError]] = []
    for obj in _some(tops):
        try:
            asset = assets.read(obj)
        except BadMesh as error:
            refused.append((obj.name, error))
        else:
            surfaces.append(Surface(asset.vertices.astype(np.float32), asset.faces, True, asset.matrix, asset.name))
            uids.append(asset.uid)
    if not surfaces:
        raise refused[0][1]
    options = {
        "names": [surface.name for surface in surfaces],
        "vertex_counts": [len(surface.vertices) for surface in surfaces],
        "face_counts": [len(surface.faces) for surface in surfaces],
        "fit": True,
    }
    arrays = {
        "vertices": np.concatenate([surface.vertices for surface in surfaces]),
        "faces": np.concatenate([surface.faces for surface in surfaces]),
    }
    call = yield Step("rank", str(card.folder), options, arrays)
    entries = [_entry(result, uids) for result in call.results]
    ranking = Ranking(
        title,
        card.title,
        sorted(entries, key=lambda entry: entry.place),
        str(call.values.get("sentence", "")),
        float(call.values.get("sure", 0.0)),
        [*((name, error.message) for name, error in refused), *_pairs(call.values.get("refused", ()))],
    )

    def finish() -> list[Object]:
        outliers.show(ranking)
        return []

    return finish


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


def _pairs(values: Any) -> list[tuple[str, str]]:
    return [(str(name), str(reason)) for name, reason in values]


def _left_out(refused: Sequence[tuple[str, Gen3DError]]) -> BadMesh:
    lines = "\n".join(f"{name}: {error.message}" for name, error in refused)
    name, error = refused[0]
    count = f"{len(refused)} assets were" if len(refused) > 1 else "One asset was"
    return BadMesh(f"{count} left out. '{name}': {error.message}", "The others are done.", lines)
