"""Making an object's mesh again from what the object remembers. See :mod:`.verbs`."""

from dataclasses import dataclass

import bpy
from bpy.types import Mesh, Object

from ..gen3d_core.errors import BadRequest
from . import assets, images, models, objects, slider, steps, views
from .holding import ForObject, Likeness
from .memory import Memory, require_ours, store_latent
from .objects import Geometry, Surface
from .parts import Part
from .steps import Step
from .verbs import Verb
from .views import Camera
from .wanted import Wanted, require_frame, wanted

#: Tasks that began with another object.
FROM_ANOTHER = ("augment", "complete", "complete_view", "reconstruct", "refine")


@dataclass(frozen=True)
class _Way:
    """The request that made an object, and the surface whose coordinates its result is in; None for the engine's."""

    step: Step
    surface: Surface | None = None


def regenerate(obj: Object) -> Verb:
    """Makes an object's mesh again from what it remembers, in its present resolution; edits by hand are replaced."""
    memory = require_ours(obj)
    reason = objects.refusal(obj, replace_edits=True)
    if reason:
        raise BadRequest(f"The mesh of '{obj.name}' stays as it is. {reason}.", "Change that, then try again.")
    uid, name, likeness = obj.session_uid, obj.name, Likeness.of(obj, memory)
    want = wanted(obj)
    if want is not None:
        require_frame(obj, memory)
        return (yield from _followed(uid, likeness, want))
    way = _from_another(name, memory) if memory.task in FROM_ANOTHER else _Way(_by_itself(name, memory))
    (result, *_) = (yield way.step).results
    shape = way.surface.returned(result) if way.surface else Geometry.of(result)
    latent, note = result.arrays.get("latent"), str(result.values.get("note", ""))

    def put(found: Object) -> list[Object]:
        assert isinstance(found.data, Mesh)
        objects.fill(found.data, shape)
        store_latent(found, "latent", latent)
        objects.properties(found).note = note
        return [found]

    return ForObject(uid, name, put, anew=lambda: likeness.made(shape, latent, note))


def _followed(uid: int, likeness: Likeness, want: Wanted) -> Verb:
    """Makes the mesh of what follows its properties: as its slider would."""
    call = yield want.step()

    def put(found: Object) -> list[Object]:
        slider.show(found, call, want)
        return [found]

    def anew() -> list[Object]:
        created = likeness.made(want.shape(call.results[0]), None)
        return [found for obj in created for found in put(obj)]

    return ForObject(uid, likeness.name, put, anew=anew)


def _from_another(name: str, memory: Memory) -> _Way:
    source = bpy.data.objects.get(memory.source)
    if source is None:
        raise BadRequest(f"'{name}' was made from '{memory.source}', which is gone.", "Undo, or start from another.")
    if memory.task == "augment":
        surface = assets.surface(source)
        card = models.same_version(memory.model, memory.weights) if memory.method == "model" else None
        step = steps.augmentation(surface, card, memory.method, [memory.seed], memory.amount, memory.quality)
        return _Way(step, surface)
    card, surface = models.same_version(memory.model, memory.weights), objects.surface(source)
    if memory.task == "reconstruct":
        return _Way(steps.reconstruction(card, surface, memory.quality), surface)
    if memory.task == "refine":
        return _Way(steps.refinement(card, surface, memory.quality), surface)
    if memory.task == "complete_view":
        seen = views.sight(surface, Camera.of(memory.view))
        return _Way(steps.view_completion(card, seen, memory.text, [memory.seed], memory.quality), seen.surface)
    part = Part.of(memory, surface)
    return _Way(steps.completion(card, surface, part, memory.text, [memory.seed], memory.quality), surface)


def _by_itself(name: str, memory: Memory) -> Step:
    card, quality = models.same_version(memory.model, memory.weights), memory.quality
    if memory.latent is not None:
        return steps.decode(card, memory.latent, memory.latent, 0.0, quality)
    if memory.task == "from_text":
        return steps.from_text(card, memory.text, [memory.seed], quality)
    if memory.task == "from_images":
        if not memory.pictures:
            raise BadRequest(f"'{name}' does not remember its pictures.", "Make it anew from the pictures.")
        return steps.from_images(card, images.gather(images.named(memory.pictures)), [memory.seed], quality)
    return steps.sample(card, [memory.seed], memory.category, quality)
