"""What an object's properties ask for: one latent, by one way, whatever of them moves.

    wanted latent = blend of the shapes, by ``t`` or by weights  +  sum over the sliders of value * direction

The way between shapes is the model's own and is gone in the engine; see :func:`gen3d_core.tasks.blend`.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from bpy.types import Mesh, Object
from mathutils import Matrix

from ..gen3d_core.errors import BadRequest
from ..gen3d_core.protocol import Event
from . import models, steps
from .memory import BLEND, Latent, Memory, Quality, offset, recall
from .objects import Geometry
from .steps import Step


@dataclass(frozen=True)
class Wanted:
    """What an object's properties ask for.

    Args:
        model, weights: id and SHA-256 of the model.
        ends: each with shape (L,): two to be blended by ``t``, or any number by ``shares``.
        t: the place between two ends.
        shares: of each end, which sum to 1; empty for two ends.
        offset: of the sliders, with shape (L,); None for nothing.
        quality: of the mesh.
        frame: where the object is not in the engine's coordinates, what leads to its own.
    """

    model: str
    weights: str
    ends: tuple[Latent, ...]
    t: float
    shares: tuple[float, ...]
    offset: Latent | None
    quality: Quality
    frame: tuple[float, ...] = ()

    @property
    def key(self) -> str:
        """The same for the same mesh, another for another."""
        facts = [self.model, self.weights, f"{self.t:.7f}", self.quality.options()]
        facts += [f"{share:.7f}" for share in self.shares]
        digest = hashlib.sha1(json.dumps(facts).encode(), usedforsecurity=False)
        digest.update(b"/".join(end.tobytes() for end in self.ends))
        if self.offset is not None:
            digest.update(b"+" + self.offset.tobytes())
        return digest.hexdigest()

    def step(self, draft: bool = False) -> Step:
        """The request for it.

        Raises:
            BadModel: the model is not the one that the latents belong to.
        """
        card = models.same_version(self.model, self.weights)
        if self.shares:
            step = steps.blend(card, self.ends, self.shares, self.quality)
        else:
            a, b = self.ends
            step = steps.decode(card, a, b, self.t, self.quality)
        arrays = step.arrays if self.offset is None else {**step.arrays, "offset": self.offset}
        return replace(step, options={**step.options, "draft": draft}, arrays=arrays)

    def shape(self, result: Event) -> Geometry:
        """What the engine made of it, in the object's coordinates."""
        shape = Geometry.of(result)
        return shape.transformed(Matrix(np.reshape(self.frame, (4, 4)).tolist())) if self.frame else shape


def follows(obj: Object) -> bool:
    """Whether an object's mesh follows its properties; quick, as every object of a scene is asked."""
    group: Any = obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    return bool(group.task) and (group.task == BLEND or len(group.sliders) > 0) and isinstance(obj.data, Mesh)


def wanted(obj: Object, seen: Any = None) -> Wanted | None:
    """What an object's properties ask for; None where it does not follow them.

    Args:
        obj: any object.
        seen: the same object as evaluated, whose animated properties count instead.
    """
    if not follows(obj):
        return None
    memory = recall(obj)
    ends, shares, t = _ends(memory), (), 0.0
    if ends is None:
        return None
    moving: Any = seen.gen3d if seen is not None else obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    if memory.task == BLEND and memory.ends:
        shares = normalised([end.weight for end in moving.ends])
    elif memory.task == BLEND:
        t = moving.t
    change = offset(memory.sliders, len(ends[0]), [one.value for one in moving.sliders])
    frame = memory.frame if memory.fitted and memory.task != BLEND else ()
    return Wanted(memory.model, memory.weights, ends, t, shares, change, memory.quality, frame)


def normalised(weights: Sequence[float]) -> tuple[float, ...]:
    """Weights as shares of one whole; alike where none is above 0."""
    clipped = [max(weight, 0.0) for weight in weights]
    total = sum(clipped)
    return tuple(weight / total if total > 0 else 1.0 / len(clipped) for weight in clipped)


def require_frame(obj: Object, memory: Memory) -> None:
    """Checks that meshes of an object's latent can be put into its coordinates.

    Raises:
        BadRequest: the object does not remember how.
    """
    if memory.fitted and not any(memory.frame):
        raise BadRequest(
            f"'{obj.name}' does not remember how it was fitted to '{memory.source}'.", "Reconstruct that one again."
        )


def _ends(memory: Memory) -> tuple[Latent, ...] | None:
    if memory.task == BLEND:
        if memory.ends:
            return tuple(end.latent for end in memory.ends)
        return None if memory.a is None or memory.b is None else (memory.a, memory.b)
    return None if memory.latent is None else (memory.latent, memory.latent)
