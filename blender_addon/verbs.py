"""The artist's verbs, each written once: the Python API runs them at once, the panel's operators in the background.

A verb is a generator. It checks what it is given, yields requests and receives each as it ended, or the error with
which it did; in the end it returns a function that makes the objects. Only that function changes anything in Blender.
Between two steps the artist goes on working, so a verb keeps names and numbers of Blender's data, no references to it.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import bpy
from bpy.types import Object

from ..gen3d_core.cards import Card
from ..gen3d_core.errors import BadRequest, Unsupported
from ..gen3d_core.protocol import Arrays, Event
from . import assets, models, objects, slider
from .calls import Call
from .memory import Latent, Memory, Quality, recall, require_ours, store_latent
from .objects import Geometry, Surface


@dataclass(frozen=True)
class Step:
    """One request of a verb.

    Args:
        task, model, options, arrays: see :class:`gen3d_core.protocol.Request`.
        begin, end: the part of the verb's progress that it is.
    """

    task: str
    model: str
    options: Mapping[str, Any]
    arrays: Arrays = field(default_factory=dict)
    begin: float = 0.0
    end: float = 1.0


Finish = Callable[[], list[Object]]
Verb = Generator[Step, Call, Finish]


def generate(model: str, seeds: Sequence[int], quality: Quality) -> Verb:
    """New shapes, one per seed, in a row at the 3D cursor."""
    card = models.find(model)
    models.require(card, "generate shapes", "samples", "latents")
    where = objects.target(bpy.context)
    results = (yield Step("sample", str(card.folder), {"seeds": list(seeds), **quality.options()})).results
    memory = remembered("sample", card, quality)
    names = [f"{_short(card)} {result.values['seed']}" for result in results]
    return lambda: objects.in_row(where, results, memory, names)


def interpolate(a: Object, b: Object, model: str, steps: int, quality: Quality) -> Verb:
    """A slider between two objects, or with ``steps`` a row of shapes; an object without a latent is reconstructed."""
    if a == b:
        raise BadRequest("An interpolation needs two different objects.", "Select two, then try again.")
    card = models.find(model or _common_model(a, b))
    models.require(card, "interpolate", "latents")
    where = objects.target(bpy.context)
    names = (a.name, b.name)
    ends = [_known_latent(obj, card) for obj in (a, b)]
    surfaces = [objects.surface(obj) if end is None else None for obj, end in zip((a, b), ends, strict=True)]
    if any(surfaces):
        models.require(card, "take shapes that it did not make", "encodes", "fits")
    for number, surface in enumerate(surfaces):
        if surface is not None:
            # The mesh is not shown: a coarse one will do.
            options = {"fit": surface.fit, **Quality(32).options()}
            step = Step("reconstruct", str(card.folder), options, surface.arrays, 0.4 * number, 0.4 * number + 0.4)
            ends[number] = _latent((yield step).results, card)
    first, second = ends
    assert first is not None
    assert second is not None
    memory = replace(remembered(slider.TASK, card, quality), a=first, b=second, t=0.5, source=", ".join(names))
    arrays = {"a": first, "b": second}
    if steps:
        options = {"steps": steps, **quality.options()}
        results = (yield Step("interpolate", str(card.folder), options, arrays, 0.8)).results
        memory = replace(memory, task="decode", a=None, b=None)
        titles = [f"{names[0]} to {names[1]} {result.values['t']:.2f}" for result in results]
        return lambda: objects.in_row(where, results, memory, titles)
    options = {"t": 0.5, "draft": False, **quality.options()}
    results = (yield Step("decode", str(card.folder), options, arrays, 0.8)).results

    def finish() -> list[Object]:
        created = objects.in_row(where, results[:1], memory, [f"{names[0]} to {names[1]}"])
        for obj in created:
            slider.settle(obj)
        return created

    return finish


def vary(obj: Object, seeds: Sequence[int], amount: float, quality: Quality) -> Verb:
    """Shapes near a given one, one per seed, in a row at the 3D cursor."""
    memory = require_ours(obj)
    card = models.find(memory.model)
    models.require(card, "vary shapes", "latents")
    where, name = objects.target(bpy.context), obj.name
    latent = _known_latent(obj, card)
    if latent is None:
        raise BadRequest(f"'{name}' remembers no latent of the model '{card.title}'.", "Reconstruct it first.")
    options = {"seeds": list(seeds), "amount": amount, **quality.options()}
    results = (yield Step("vary", str(card.folder), options, {"latent": latent})).results
    varied = replace(remembered("vary", card, quality), amount=amount, source=name)
    names = [f"{name} variation {result.values['seed']}" for result in results]
    return lambda: objects.in_row(where, results, varied, names)


def reconstruct(obj: Object, model: str, quality: Quality) -> Verb:
    """An object as a model sees it, beside it; from then on it can be interpolated and varied."""
    card = models.find(model)
    models.require(card, "reconstruct shapes", "encodes", "fits")
    where, surface = objects.target(bpy.context), objects.surface(obj)
    results = (yield _reconstruction(card, surface, quality)).results
    memory = replace(remembered("reconstruct", card, quality), fitted=surface.fit, source=surface.name)
    return lambda: objects.beside(where, surface, results, memory, [f"{surface.name} reconstructed"])


def complete(obj: Object, box: Object | None, model: str, seeds: Sequence[int], quality: Quality) -> Verb:
    """Completions of an object, one per seed, beside it: of the inside of a box, else of what was deleted."""
    card = models.find(model)
    models.require(card, "complete shapes", "completes", "fits")
    if box == obj:
        raise BadRequest("The box cannot be the shape itself.", "Select another object around the part to be replaced.")
    where, surface = objects.target(bpy.context), objects.surface(obj)
    corners = surface.local_box(objects.world_box(box)) if box else None
    results = (yield _completion(card, surface, corners, seeds, quality)).results
    flat = tuple(corners[0] + corners[1]) if corners else (0.0,) * 6
    memory = replace(
        remembered("complete", card, quality), fitted=surface.fit, source=surface.name, boxed=bool(corners), box=flat
    )
    names = [f"{surface.name} completed {result.values['seed']}" for result in results]
    return lambda: objects.beside(where, surface, results, memory, names)


def regenerate(obj: Object) -> Verb:
    """Makes an object's mesh again from what it remembers, in its present resolution; edits by hand are replaced."""
    memory = require_ours(obj)
    reason = objects.refusal(obj, replace_edits=True)
    if reason:
        raise BadRequest(f"The mesh of '{obj.name}' stays as it is. {reason}.", "Change that, then try again.")
    uid, name = obj.session_uid, obj.name
    surface: Surface | None = None
    if memory.task in ("augment", "complete", "reconstruct"):
        source = bpy.data.objects.get(memory.source)
        if source is None:
            raise BadRequest(
                f"'{name}' was made from '{memory.source}', which is gone.", "Undo, or start from another."
            )
        surface = assets.surface(source) if memory.task == "augment" else objects.surface(source)
    results = (yield _again(memory, surface)).results

    def finish() -> list[Object]:
        found = objects.find(uid, name)
        if found is None or not isinstance(found.data, bpy.types.Mesh):
            raise BadRequest(f"'{name}' is gone, so its new mesh was dropped.", "Undo, then try again.")
        shape = surface.returned(results[0]) if surface else Geometry.of(results[0])
        objects.fill(found.data, shape)
        store_latent(found, "latent", results[0].arrays.get("latent"))
        slider.settle(found)
        return [found]

    return finish


def _again(memory: Memory, surface: Surface | None) -> Step:
    """The request that made an object."""
    if surface and memory.task == "augment":
        card = _same_version(memory) if memory.method == "model" else None
        return augmentation(surface, card, memory.method, [memory.seed], memory.amount, memory.quality)
    card, options = _same_version(memory), memory.quality.options()
    if memory.task == slider.TASK and memory.a is not None and memory.b is not None:
        arrays = {"a": memory.a, "b": memory.b}
        return Step("decode", str(card.folder), {"t": memory.t, "draft": False, **options}, arrays)
    if surface and memory.task == "reconstruct":
        return _reconstruction(card, surface, memory.quality)
    if surface:
        corners = [list(memory.box[:3]), list(memory.box[3:])] if memory.boxed else None
        return _completion(card, surface, corners, [memory.seed], memory.quality)
    if memory.latent is not None:
        arrays = {"a": memory.latent, "b": memory.latent}
        return Step("decode", str(card.folder), {"t": 0.0, "draft": False, **options}, arrays)
    return Step("sample", str(card.folder), {"seeds": [memory.seed], **options})


def augmentation(
    surface: Surface, card: Card | None, method: str, seeds: Sequence[int], amount: float, quality: Quality
) -> Step:
    """The request for variations of an asset; ``card`` is None where no model has a part in it."""
    options = {"seeds": list(seeds), "amount": amount, "method": method, "fit": surface.fit, **quality.options()}
    return Step("augment", str(card.folder) if card else "", options, surface.arrays)


def _reconstruction(card: Card, surface: Surface, quality: Quality) -> Step:
    return Step("reconstruct", str(card.folder), {"fit": surface.fit, **quality.options()}, surface.arrays)


def _completion(
    card: Card, surface: Surface, corners: list[list[float]] | None, seeds: Sequence[int], quality: Quality
) -> Step:
    options = {"seeds": list(seeds), "box": corners, "fit": surface.fit, **quality.options()}
    return Step("complete", str(card.folder), options, surface.arrays)


def remembered(task: str, card: Card, quality: Quality) -> Memory:
    """What every object of one request remembers."""
    return Memory(
        task=task,
        model=card.id,
        weights=card.sha256,
        resolution=quality.resolution,
        faces=quality.faces,
        debris=quality.debris,
    )


def _short(card: Card) -> str:
    """A model's title without what it says in brackets about how it was made."""
    return card.title.partition(" (")[0]


def _same_version(memory: Memory) -> Card:
    card = models.find(memory.model)
    if card.sha256 != memory.weights:
        raise BadRequest(
            f"The model '{card.title}' is another version than the one this shape was made with.",
            "Restore that version, or generate a new shape.",
        )
    return card


def _common_model(a: Object, b: Object) -> str:
    """The model that made one of two objects, the second first; empty where neither is ours."""
    return recall(b).model or recall(a).model


def _known_latent(obj: Object, card: Card) -> Latent | None:
    """The latent that an object remembers of exactly this model."""
    memory = recall(obj)
    return memory.latent if (memory.model, memory.weights) == (card.id, card.sha256) else None


def _latent(results: Sequence[Event], card: Card) -> Latent:
    latent = results[0].arrays.get("latent") if results else None
    if latent is None:
        raise Unsupported(f"The model '{card.title}' gives no latent for a shape.", "Choose another model.")
    return latent
