"""Shape sliders: what a model can change of a shape, by name. See :mod:`.verbs` and :mod:`gen3d_core.directions`."""

from collections.abc import Sequence
from dataclasses import replace

from bpy.types import Object

from ..gen3d_core.errors import BadRequest, Unsupported
from ..gen3d_core.protocol import Event
from . import models, objects, slider
from .holding import ForObject
from .memory import Slider, recall, require_ours, store_sliders
from .steps import Step
from .verbs import Verb
from .wanted import follows, require_frame


def sliders(obj: Object) -> Verb:
    """Gives a shape the sliders of its model, each at 0; those that it has already stay where they are.

    The first time for a model that was trained here, they are found from samples, which takes some minutes.
    """
    memory = require_ours(obj)
    card = models.same_version(memory.model, memory.weights)
    models.require(card, "change shapes by sliders", "latents")
    if memory.effective is None:
        raise BadRequest(f"'{obj.name}' remembers no latent of '{card.title}'.", "Reconstruct it first.")
    require_frame(obj, memory)
    uid, name = obj.session_uid, obj.name
    results = (yield Step("directions", str(card.folder), {})).results
    found = _read(results)
    if not found:
        raise Unsupported(
            f"The latents of '{card.title}' change nothing of its shapes without changing the rest.",
            "Use Vary and Interpolate, or train the model for longer.",
        )

    def put(changed: Object) -> list[Object]:
        stand = {slider.name: slider.value for slider in recall(changed).sliders}
        followed = follows(changed)
        store_sliders(changed, [replace(slider, value=stand.get(slider.name, 0.0)) for slider in found])
        if not followed:
            # All stand at 0, so the mesh is what they ask for.
            slider.settle(changed)
        return [changed]

    return ForObject(uid, name, put, meshed=False)


def reset(obj: Object) -> None:
    """Puts all sliders of a shape to 0."""
    group = objects.properties(obj)
    for item in group.sliders:
        if item.value:
            item.value = 0.0


def place(obj: Object, name: str, value: float) -> None:
    """Moves one slider of a shape.

    Raises:
        BadRequest: it has none of that name.
    """
    group = objects.properties(obj)
    item = group.sliders.get(name)
    if item is None:
        known = ", ".join(one.name for one in group.sliders) or "none yet"
        raise BadRequest(f"'{obj.name}' has no slider '{name}'.", f"Get its sliders first; it has {known}.")
    item.value = value


def _read(results: Sequence[Event]) -> list[Slider]:
    if not results:
        raise BadRequest("The engine sent no sliders.", "Restart the engine in the preferences.")
    values, vectors = results[0].values, results[0].arrays["vectors"]
    rows = zip(values["names"], vectors, values["low"], values["high"], strict=True)
    return [Slider(str(name), vector, 0.0, float(low), float(high)) for name, vector, low, high in rows]
