"""The requests of the verbs, each built in one place: what is made again is asked for as it was the first time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..gen3d_core.cards import Card
from ..gen3d_core.protocol import Arrays
from .memory import Latent, Quality
from .objects import Surface
from .parts import Part
from .views import Sight


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


def sample(card: Card, seeds: Sequence[int], category: str, quality: Quality) -> Step:
    """New shapes, of a class where one is named."""
    options: dict[str, Any] = {"seeds": list(seeds), **quality.options()}
    if category:
        options["class"] = category
    return Step("sample", str(card.folder), options)


def from_text(card: Card, text: str, seeds: Sequence[int], quality: Quality) -> Step:
    """Shapes that a text describes."""
    return Step("from_text", str(card.folder), {"text": text, "seeds": list(seeds), **quality.options()})


def from_images(card: Card, pictures: NDArray[np.uint8], seeds: Sequence[int], quality: Quality) -> Step:
    """Shapes of pictures of one object, with shape (V, H, W, 4)."""
    options = {"seeds": list(seeds), **quality.options()}
    return Step("from_images", str(card.folder), options, {"pictures": pictures})


def decode(card: Card, a: Latent, b: Latent, t: float, quality: Quality) -> Step:
    """The shape that lies the share ``t`` of the way between two latents."""
    return Step("decode", str(card.folder), {"t": t, "draft": False, **quality.options()}, {"a": a, "b": b})


def blend(card: Card, ends: Sequence[Latent], shares: Sequence[float], quality: Quality) -> Step:
    """The shape of several latents mixed by weights."""
    options = {"weights": list(shares), "draft": False, **quality.options()}
    return Step("blend", str(card.folder), options, {"latents": np.stack(ends)})


def reconstruction(card: Card, surface: Surface, quality: Quality) -> Step:
    """A shape as a model sees it."""
    return Step("reconstruct", str(card.folder), {"fit": surface.fit, **quality.options()}, surface.arrays)


def completion(
    card: Card,
    surface: Surface,
    part: Part,
    text: str,
    seeds: Sequence[int],
    quality: Quality,
) -> Step:
    """Completions of a part of a surface."""
    options = {"seeds": list(seeds), "box": part.corners, "exact": part.exact, "fit": surface.fit}
    options |= {**_guide(text), **quality.options()}
    return Step("complete", str(card.folder), options, part.arrays(surface))


def view_completion(card: Card, sight: Sight, text: str, seeds: Sequence[int], quality: Quality) -> Step:
    """Completions of what one camera sees."""
    options = {
        "seeds": list(seeds),
        "camera": sight.camera.values(),
        "bounds": [sight.surface.vertices.min(0).tolist(), sight.surface.vertices.max(0).tolist()],
        **_guide(text),
        **quality.options(),
    }
    return Step("complete_view", str(card.folder), options, {"depth": sight.depth})


def refinement(card: Card, surface: Surface, quality: Quality) -> Step:
    """A shape in twice the resolution."""
    return Step("refine", str(card.folder), {"fit": surface.fit, **quality.options()}, surface.arrays)


def augmentation(
    surface: Surface, card: Card | None, method: str, seeds: Sequence[int], amount: float, quality: Quality
) -> Step:
    """Variations of an asset; ``card`` is None where no model has a part in it."""
    options = {"seeds": list(seeds), "amount": amount, "method": method, "fit": surface.fit, **quality.options()}
    return Step("augment", str(card.folder) if card else "", options, surface.arrays)


def _guide(text: str) -> dict[str, str]:
    return {"text": text} if text else {}
