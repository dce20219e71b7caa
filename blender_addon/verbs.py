"""The artist's verbs, each written once: the Python API runs them at once, the panel's operators in the background.

A verb is a generator. It checks what it is given, yields requests and receives each as it ended, or the error with
which it did; in the end it returns a function that makes the objects. Only that function changes anything in Blender.
Between two steps the artist goes on working, so a verb keeps names and numbers of Blender's data, no references to it.
"""

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

import bpy
from bpy.types import Object

from ..gen3d_core.cards import Card
from ..gen3d_core.errors import BadRequest, Unsupported
from ..gen3d_core.protocol import Event
from . import models, objects, parts, slider, steps
from .calls import Call
from .memory import BLEND, End, Latent, Memory, Quality, recall, require_ours
from .objects import Target
from .parts import Outline, Part
from .steps import Step
from .wanted import normalised

Finish = Callable[[], list[Object]]
Verb = Generator[Step, Call, Finish]

#: Abilities of models that can do a thing, any of these.
GENERATES = ("samples", "latents")
TAKES_SHAPES = ("encodes", "fits")
COMPLETES = ("completes", "fits")
#: So many shapes can be blended.
MOST_BLENDED = 5
#: A text is a part of an object's name up to so many letters.
NAME_LETTERS = 40
#: A name of Blender's ends there.
MOST_LETTERS = 63


def generate(model: str, seeds: Sequence[int], quality: Quality, category: str = "") -> Verb:
    """New shapes, one per seed, in a row at the 3D cursor; of a class of the model's where one is named."""
    card = models.find(model)
    if category:
        models.require(card, "draw shapes by class", "from_classes")
        if category not in models.classes(card):
            known = ", ".join(models.classes(card))
            raise BadRequest(f"The model '{card.title}' knows no class '{category}'.", f"Choose one of these: {known}.")
    else:
        models.require(card, "generate shapes", *GENERATES)
    where = objects.target(bpy.context)
    results = (yield steps.sample(card, seeds, category, quality)).results
    memory = replace(remembered("sample", card, quality), category=category)
    title = f"{models.short(card)} {category}".strip()
    names = [f"{title} {result.values['seed']}" for result in results]
    return lambda: objects.in_row(where, results, memory, names)


def from_text(text: str, model: str, seeds: Sequence[int], quality: Quality) -> Verb:
    """Shapes that a text describes, one per seed, in a row at the 3D cursor."""
    text = " ".join(text.split())
    if not text:
        raise BadRequest("There is no text.", "Describe the shape in a few words, then try again.")
    card = models.choose(model, "make shapes from a text", "from_text")
    where = objects.target(bpy.context)
    results = (yield steps.from_text(card, text, seeds, quality)).results
    memory = replace(remembered("from_text", card, quality), text=text)
    title = text[:NAME_LETTERS].strip().capitalize()
    names = [f"{title} {result.values['seed']}" for result in results]
    return lambda: objects.in_row(where, results, memory, names)


def interpolate(a: Object, b: Object, model: str, count: int, quality: Quality, t: float = 0.5) -> Verb:
    """A slider between two objects, or with ``count`` a row of shapes; an object without a latent is reconstructed.

    Args:
        a, b: the objects.
        model: id; empty for the objects' own.
        count: at least 2, or 0 for the slider.
        quality: of the meshes.
        t: where the slider stands at first.
    """
    if a == b:
        raise BadRequest("An interpolation needs two different objects.", "Select two, then try again.")
    card = models.find(model or _common_model(b, a))
    models.require(card, "interpolate", "latents")
    where, names = objects.target(bpy.context), (a.name, b.name)
    first, second = yield from _latents((a, b), card, 0.8)
    memory = replace(remembered(BLEND, card, quality), a=first, b=second, t=t, source=", ".join(names))
    if count:
        options = {"steps": count, **quality.options()}
        step = Step("interpolate", str(card.folder), options, {"a": first, "b": second}, 0.8)
        results = (yield step).results
        memory = replace(memory, task="decode", a=None, b=None)
        titles = [f"{names[0]} to {names[1]} {result.values['t']:.2f}" for result in results]
        return lambda: objects.in_row(where, results, memory, titles, straight=True)
    results = (yield replace(steps.decode(card, first, second, t, quality), begin=0.8)).results
    return lambda: _live(where, results, memory, f"{names[0]} to {names[1]}")


def blend(given: Sequence[Object], weights: Sequence[float], model: str, quality: Quality) -> Verb:
    """One object between two to five others, which follows its sliders; an object without a latent is reconstructed.

    Args:
        given: the objects.
        weights: what each counts at first; empty for all alike.
        model: id; empty for the objects' own.
        quality: of the mesh.
    """
    if not 2 <= len(given) <= MOST_BLENDED or len(set(given)) < len(given):
        raise BadRequest(
            f"A blend needs 2 to {MOST_BLENDED} different objects; got {len(given)}.",
            "Select two to five shapes, then try again.",
        )
    if weights and (len(weights) != len(given) or not all(math.isfinite(w) and w >= 0 for w in weights)):
        raise BadRequest(
            f"The weights {list(weights)} do not belong to {len(given)} objects.",
            "Give one number for each of them, none of them negative.",
        )
    counts = list(weights) or [1.0] * len(given)
    shares = normalised(counts)
    if len(given) == 2:
        made = yield from interpolate(given[0], given[1], model, 0, quality, shares[1])
        return made
    card = models.find(model or _common_model(*reversed(given)))
    models.require(card, "interpolate", "latents")
    where, names = objects.target(bpy.context), [obj.name for obj in given]
    latents = yield from _latents(given, card, 0.8)
    ends = tuple(End(*each) for each in zip(names, latents, counts, strict=True))
    memory = replace(remembered(BLEND, card, quality), ends=ends, source=", ".join(names))
    results = (yield replace(steps.blend(card, latents, shares, quality), begin=0.8)).results
    title = ", ".join(names)
    return lambda: _live(where, results, memory, f"Blend of {title}"[:MOST_LETTERS])


def _live(where: Target, results: Sequence[Event], memory: Memory, name: str) -> list[Object]:
    """A new object whose mesh is what its properties ask for."""
    created = objects.in_row(where, results[:1], memory, [name])
    for obj in created:
        slider.settle(obj)
    return created


def arithmetic(a: Object, b: Object, c: Object, model: str, quality: Quality) -> Verb:
    """The shape ``a - b + c``, at the 3D cursor: what makes ``a`` another than ``b``, given to ``c``.

    An object without a latent is reconstructed.
    """
    card = models.find(model or _common_model(a, b, c))
    models.require(card, "calculate with shapes", "latents")
    where, title = objects.target(bpy.context), f"{a.name} - {b.name} + {c.name}"
    first, second, third = yield from _latents((a, b, c), card, 0.9)
    arrays = {"a": first, "b": second, "c": third}
    results = (yield Step("arithmetic", str(card.folder), quality.options(), arrays, 0.9)).results
    memory = replace(remembered("arithmetic", card, quality), source=title)
    return lambda: objects.in_row(where, results, memory, [title])


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
    models.require(card, "reconstruct shapes", *TAKES_SHAPES)
    where, surface = objects.target(bpy.context), objects.surface(obj)
    results = (yield steps.reconstruction(card, surface, quality)).results
    memory = replace(remembered("reconstruct", card, quality), fitted=surface.fit, source=surface.name)
    return lambda: objects.beside(where, surface, results, memory, [f"{surface.name} reconstructed"])


def refine(obj: Object, model: str, quality: Quality) -> Verb:
    """An object in twice the resolution, beside it."""
    card = models.choose(model, "refine shapes", "refines")
    where, surface = objects.target(bpy.context), objects.surface(obj)
    results = (yield steps.refinement(card, surface, quality)).results
    memory = replace(remembered("refine", card, quality), fitted=surface.fit, source=surface.name)
    return lambda: objects.beside(where, surface, results, memory, [f"{surface.name} refined"])


def complete(
    obj: Object,
    box: Object | None,
    model: str,
    seeds: Sequence[int],
    quality: Quality,
    text: str = "",
    selected: bool = False,
    exact: bool = False,
    outline: Outline | None = None,
) -> Verb:
    """Completions of an object, one per seed, beside it: of the inside of a box, of what lies behind an outline, of its
    selected faces, else of what was deleted.

    Args:
        obj: to be completed.
        box: around what is made anew.
        model: id; empty for the best.
        seeds: of the completions.
        quality: of their meshes.
        text: that describes the whole, for a model that listens; may be empty.
        selected: whether the faces that are selected are made anew.
        exact: whether what is kept keeps its triangles.
        outline: that was drawn around what is made anew.
    """
    if sum((selected, bool(box), outline is not None)) > 1:
        raise BadRequest(
            "What is to be made anew is marked twice: by a box, an outline or selected faces.", "Choose one of them."
        )
    card = completer(model, text)
    if box == obj:
        raise BadRequest("The box cannot be the shape itself.", "Select another object around the part to be replaced.")
    where, surface = objects.target(bpy.context), objects.surface(obj)
    corners = surface.local_box(objects.world_box(box)) if box else None
    part = Part(corners, parts.chosen(obj) if selected else None, outline, exact)
    results = (yield steps.completion(card, surface, part, text, seeds, quality)).results
    memory = replace(remembered("complete", card, quality), fitted=surface.fit, source=surface.name, text=text)
    memory = part.added(memory)
    names = [f"{surface.name} completed {result.values['seed']}" for result in results]
    return lambda: objects.beside(where, surface, results, memory, names)


def completer(model: str, text: str) -> Card:
    """A model that completes shapes, and listens to a text where there is one.

    Raises:
        UnknownModel, Unsupported: see :func:`.models.choose`.
    """
    card = models.choose(model, "complete shapes", *(("guided",) if text and not model else COMPLETES))
    if text:
        models.require(card, "complete shapes as a text says", "guided")
    return card


def remembered(task: str, card: Card, quality: Quality) -> Memory:
    """What every object of one request remembers."""
    return Memory(
        task=task,
        model=card.id,
        weights=card.sha256,
        resolution=quality.resolution,
        faces=quality.faces,
        debris=quality.debris,
        quads=quality.quads,
    )


def _common_model(*given: Object) -> str:
    """The model that made the first of some objects that is ours; empty where none is."""
    return next(filter(None, (recall(obj).model for obj in given)), "")


def _known_latent(obj: Object, card: Card) -> Latent | None:
    """The latent that an object remembers of exactly this model."""
    memory = recall(obj)
    return memory.effective if (memory.model, memory.weights) == (card.id, card.sha256) else None


def _latents(given: Sequence[Object], card: Card, end: float) -> Generator[Step, Call, list[Latent]]:
    """A latent for each object: as it remembers, else by reconstructing it.

    Args:
        given: the objects.
        card: of the model.
        end: of this part of the verb's progress, which begins with 0.

    Raises:
        Unsupported: some remember none, and the model cannot reconstruct.
    """
    known = [_known_latent(obj, card) for obj in given]
    surfaces = [objects.surface(obj) if latent is None else None for obj, latent in zip(given, known, strict=True)]
    if any(surfaces):
        models.require(card, "take shapes that it did not make", *TAKES_SHAPES)
    found = []
    for number, (latent, surface) in enumerate(zip(known, surfaces, strict=True)):
        if surface is not None:
            # The mesh is not shown: a coarse one will do.
            part = end / len(given)
            step = replace(
                steps.reconstruction(card, surface, Quality(32)), begin=number * part, end=(number + 1) * part
            )
            latent = _latent((yield step).results, card)
        assert latent is not None
        found.append(latent)
    return found


def _latent(results: Sequence[Event], card: Card) -> Latent:
    latent = results[0].arrays.get("latent") if results else None
    if latent is None:
        raise Unsupported(f"The model '{card.title}' gives no latent for a shape.", "Choose another model.")
    return latent
