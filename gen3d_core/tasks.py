"""Every verb of the artist, written once over the abilities of systems, with honest fallbacks.

The panel, the command line and the tests see only these functions. Shapes come one at a time: each seed is computed by
itself, so that a shape is the same to the bit whatever is asked for beside it, and can be shown as soon as it is there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .errors import BadRequest, Unsupported
from .families import inversion
from .nn.conv3d import nearest
from .representations import Field, Mesh, Representation, Voxels
from .run import Run
from .system import (
    Asset,
    Classifies,
    Completes,
    Encodes,
    Fits,
    FromClasses,
    FromImages,
    FromText,
    Guided,
    HasLatents,
    Refines,
    Samples,
    Scores,
    System,
    system_name,
)

#: Grid on which the fallbacks compare shapes.
COMPARED_AT = 32
#: What surprise weighs beside misfit, as in latent search.
UNLIKELY = 0.02
#: What geometry alone may change of a mesh at an amount of 1: its proportions, and how far it bends.
MOST_SCALE, MOST_BEND = 0.3, 0.2


@dataclass(frozen=True)
class Shape:
    """What a task gives back.

    Args:
        representation: the geometry.
        seed: that it came from.
        latent: with shape (L,), on the CPU; None where the system has no latents.
        t: place between two shapes, where it is an interpolation.
    """

    representation: Representation
    seed: int
    latent: Tensor | None = None
    t: float | None = None


def sample(system: System, run: Run) -> Iterator[Shape]:
    """New shapes, one per seed.

    Raises:
        Unsupported: the system cannot sample.
    """
    for one in run.each():
        if isinstance(system, HasLatents):
            latent = system.prior(one)
            yield _decoded(system, latent, one)
        elif isinstance(system, Samples):
            yield Shape(system.sample(one)[0], one.seeds[0])
        else:
            raise _unsupported(system, "generate shapes")


def from_class(system: System, name: str, run: Run) -> Iterator[Shape]:
    """New shapes of a class, one per seed.

    Raises:
        Unsupported: the system does not draw by class.
        BadRequest: no such class.
    """
    if not isinstance(system, FromClasses):
        raise _unsupported(system, "generate shapes of a class")
    names = system.class_names()
    if name not in names:
        raise BadRequest(f"This model knows no class '{name}'.", f"It knows {', '.join(names) or 'none'}.")
    for one in run.each():
        yield Shape(system.from_class(name, one)[0], one.seeds[0])


def from_text(system: System, text: str, run: Run) -> Iterator[Shape]:
    """Shapes that a text describes, one per seed.

    Raises:
        Unsupported: the system does not read text.
        BadRequest: no text, or none of its words is understood.
    """
    if not isinstance(system, FromText):
        raise _unsupported(system, "make shapes from text")
    if not text.strip():
        raise BadRequest("The text is empty.", "Describe a shape, as in: a round table with four legs.")
    for one in run.each():
        yield Shape(system.from_text(text, one)[0], one.seeds[0])


def from_images(system: System, images: Tensor, run: Run) -> Iterator[Shape]:
    """Shapes that pictures of one object show, one per seed.

    Args:
        system: that reads pictures.
        images: with shape (V, 4, S, S), as for :meth:`FromImages.from_images`.
        run: one seed a shape.

    Raises:
        Unsupported: the system does not read pictures.
        BadRequest: no picture, or pictures of another size.
    """
    if not isinstance(system, FromImages):
        raise _unsupported(system, "make shapes from pictures")
    _check_images(system, images)
    for one in run.each():
        yield Shape(system.from_images(images.to(system.device), one)[0], one.seeds[0])


def arithmetic(system: System, a: Tensor, b: Tensor, c: Tensor, run: Run) -> Shape:
    """The shape of the latent a - b + c, each with shape (L,): what ``a`` has more than ``b``, added to ``c``.

    Raises:
        Unsupported: the system has no latents.
        BadRequest: a latent of another size.
    """
    if not isinstance(system, HasLatents):
        raise _unsupported(system, "calculate with shapes")
    _check_latents(system, a, b, c)
    z = (a - b + c).to(system.device)[None]
    return _decoded(system, system.restrict(z) if isinstance(system, Fits) else z, run)


def decode(system: System, a: Tensor, b: Tensor, t: float, run: Run, offset: Tensor | None = None) -> Shape:
    """The shape that lies the share ``t`` of the way from latent ``a`` to latent ``b``, each with shape (L,).

    Args:
        system, a, b, t, run: as said.
        offset: with shape (L,), added to what lies there; None for nothing. See :mod:`gen3d_core.directions`.

    Raises:
        Unsupported: the system has no latents.
        BadRequest: a latent of another size.
    """
    if not isinstance(system, HasLatents):
        raise _unsupported(system, "move between shapes")
    _check_latents(system, a, b, *_given(offset))
    a, b = a.to(system.device)[None], b.to(system.device)[None]
    # At the ends nothing is mixed, so that the slider's ends are the two shapes to the bit.
    latent = a if t == 0 else b if t == 1 else system.mix(a, b, t)
    return _decoded(system, _moved(latent, offset), run, t)


def blend(system: System, latents: Tensor, weights: Sequence[float], run: Run, offset: Tensor | None = None) -> Shape:
    """The shape of several latents x_1 ... x_N mixed by weights, by the system's own way between two:

        z_1 = x_1,    z_k = mix(z_{k-1}, x_k, w_k / (w_1 + ... + w_k))

    Where that way is straight this is the weighted mean, whatever the order; for two it is :func:`decode`.

    Args:
        latents: with shape (N, L), at least one.
        weights: one for each, not negative; only their ratios count, and all zero means all alike.
        offset: as for :func:`decode`.

    Raises:
        Unsupported: the system has no latents.
        BadRequest: a latent of another size, or weights that are none.
    """
    if not isinstance(system, HasLatents):
        raise _unsupported(system, "mix shapes")
    if not len(latents) or len(weights) != len(latents) or not all(math.isfinite(w) and w >= 0 for w in weights):
        raise BadRequest(
            f"{len(latents)} shapes and the weights {list(weights)} make no blend.",
            "Give at least one shape, and for each a weight that is a number and not negative.",
        )
    _check_latents(system, *latents, *_given(offset))
    if not any(weights):
        weights = [1.0] * len(weights)
    mixed, total = None, 0.0
    for latent, weight in zip(latents.to(system.device), weights, strict=True):
        # What has no weight is left out, so that a single one is that shape to the bit.
        if weight:
            total += weight
            mixed = latent[None] if mixed is None else system.mix(mixed, latent[None], weight / total)
    assert mixed is not None
    return _decoded(system, _moved(mixed, offset), run)


def interpolate(system: System, a: Tensor, b: Tensor, steps: int, run: Run) -> Iterator[Shape]:
    """``steps`` shapes from latent ``a`` to latent ``b``, ends included.

    Raises:
        Unsupported, BadRequest: as :func:`decode`, or fewer than two steps.
    """
    if steps < 2:
        raise BadRequest(f"An interpolation of {steps} steps has no two ends.", "Use at least 2 steps.")
    for i in run.track(range(steps)):
        yield decode(system, a, b, i / (steps - 1), run)


def vary(system: System, latent: Tensor, amount: float, run: Run) -> Iterator[Shape]:
    """Shapes near a given one, one per seed: the share ``amount`` of the way to a shape of the prior.

    Raises:
        Unsupported: the system has no latents.
        BadRequest: a latent of another size, or an amount outside [0, 1].
    """
    _check_amount(amount)
    if not isinstance(system, HasLatents):
        raise _unsupported(system, "vary shapes")
    _check_latents(system, latent)
    for one in run.each():
        start = latent.to(system.device)[None]
        yield _decoded(system, system.mix(start, system.prior(one), amount), one)


def encode(system: System, asset: Asset, run: Run) -> Tensor:
    """The latent of a given shape, with shape (L,): by the system's encoder, else by latent search.

    Raises:
        Unsupported: neither is possible.
    """
    if isinstance(system, Encodes):
        return system.encode([asset], run)[0].cpu()
    everything = torch.ones((COMPARED_AT,) * 3, dtype=torch.bool)
    return _search(system, asset, everything, run)[0].cpu()


def reconstruct(system: System, asset: Asset, run: Run) -> Shape:
    """A given shape as the system sees it, with its latent.

    Raises:
        Unsupported: the system can neither encode nor search.
    """
    latent = encode(system, asset, run)
    if not isinstance(system, HasLatents):
        raise _unsupported(system, "reconstruct shapes")
    return _decoded(system, latent.to(system.device)[None], run)


def complete(
    system: System, partial: Asset, known: Tensor, run: Run, text: str = "", images: Tensor | None = None
) -> Iterator[Shape]:
    """Completions of a given part, one per seed: the system's own way, else latent search on what is given.

    Args:
        partial: the given shape; what lies outside ``known`` does not count.
        known: with shape (R, R, R), bool.
        run: one seed a completion.
        text: describes the whole; empty for none.
        images: of the whole, as for :func:`from_images`; None for none.

    Raises:
        Unsupported: neither is possible, or the system cannot be guided while it completes.
        BadRequest: nothing is known, or pictures of another size.
    """
    if not known.any():
        raise BadRequest("Nothing of the shape is kept.", "Keep a larger part, or use Generate.")
    guided = bool(text.strip()) or images is not None
    if guided and not isinstance(system, Guided):
        raise _unsupported(system, "be guided by text or pictures while it completes")
    if images is not None:
        _check_images(system, images)
        images = images.to(system.device)
    for one in run.each():
        if guided and isinstance(system, Guided):
            yield Shape(system.complete_guided(partial, known, text, images, one)[0], one.seeds[0])
        elif isinstance(system, Completes):
            yield Shape(system.complete(partial, known, one)[0], one.seeds[0])
        else:
            latent = _search(system, partial, known, one)
            if not isinstance(system, HasLatents):
                raise _unsupported(system, "complete shapes")
            yield Shape(_kept(system.decode(latent, one)[0], partial, known), one.seeds[0])


def refine(system: System, asset: Asset, run: Run) -> Iterator[Shape]:
    """A shape in twice the resolution, one per seed.

    Raises:
        Unsupported: the system does not refine shapes.
    """
    if not isinstance(system, Refines):
        raise _unsupported(system, "give shapes a higher resolution")
    for one in run.each():
        yield Shape(system.refine([asset], one)[0], one.seeds[0])


def classify(system: System, asset: Asset, run: Run) -> dict[str, float]:
    """The probability of each class that the system knows, the highest first.

    Raises:
        Unsupported: the system does not classify.
    """
    if not isinstance(system, Classifies):
        raise _unsupported(system, "tell what a shape is")
    found = zip(system.class_names(), system.classify([asset], run)[0].tolist(), strict=True)
    return dict(sorted(found, key=lambda entry: -entry[1]))


def score(system: System, assets: Sequence[Asset], run: Run) -> list[float]:
    """How unusual each shape is, higher is more: the system's own score, else how badly it can be made from scratch.

    That is the misfit of the latent that makes it best, among those that the prior can produce, and how unlikely that
    latent is.

    Raises:
        Unsupported: neither is possible.
    """
    everything = torch.ones((COMPARED_AT,) * 3, dtype=torch.bool)
    scores = []
    for asset in run.track(assets):
        if isinstance(system, Scores):
            scores.append(float(system.score([asset], run)[0]))
        elif isinstance(system, Fits):
            latent = encode(system, asset, run).to(system.device)[None]
            with torch.no_grad():
                # An encoder may keep more of a shape than the prior knows; that part explains anything.
                known = system.restrict(latent)
                unlikely = (system.surprise(known) - 1).clamp_min(0)
                scores.append(float((system.misfit(asset, everything)(known) + UNLIKELY * unlikely)[0]))
        else:
            raise _unsupported(system, "score shapes")
    return scores


def augment(system: System, asset: Asset, amount: float, run: Run) -> Iterator[Shape]:
    """Variations of a given shape, one per seed: it is encoded once, then varied.

    Args:
        system: with latents, and an encoder or latent search.
        asset: to be varied.
        amount: how far to go, the share of the way to a shape of the prior; 0 is the shape as the model sees it.
        run: one seed a variation.

    Raises:
        Unsupported: the system has no latents, or can neither encode nor search.
        BadRequest: an amount outside [0, 1].
    """
    _check_amount(amount)
    if not isinstance(system, HasLatents):
        raise _unsupported(system, "vary shapes")
    with run.span(0.0, 0.3):
        # Always by the same seed: the latent must not depend on which variations are asked for.
        latent = encode(system, asset, run.seeded(0))
    with run.span(0.3, 1.0):
        yield from vary(system, latent, amount, run)


def deform(mesh: Mesh, amount: float, run: Run) -> Iterator[Shape]:
    """Variations of a mesh by geometry alone, one per seed: other proportions and a slight bend, same faces.

    They are as large as the mesh and stand where it stands.

    Args:
        mesh: in the engine's axes.
        amount: 0 leaves it as it is, 1 is as much as keeps most things what they are.
        run: one seed a variation.

    Raises:
        BadRequest: an amount outside [0, 1].
    """
    _check_amount(amount)
    # Reading meshes takes a third of a second to import, which the first sample should not wait for.
    from .data import solid
    from .data.augmentation import Augmentation

    changes = Augmentation(mirror=False, scale=MOST_SCALE * amount, bend=MOST_BEND * amount)
    frame = solid.fit(mesh.vertices)
    floor = float(mesh.vertices[:, 2].min())
    for one in run.each():
        found = changes.apply(mesh, np.random.Generator(np.random.PCG64(one.seeds[0])))
        vertices = frame.outward(found.vertices)
        vertices[:, 2] += floor - vertices[:, 2].min()
        yield Shape(Mesh(vertices, found.faces), one.seeds[0])


def _moved(latent: Tensor, offset: Tensor | None) -> Tensor:
    """A latent (1, L) with an offset (L,) added."""
    return latent if offset is None else latent + offset.to(latent.device)[None]


def _given(offset: Tensor | None) -> list[Tensor]:
    return [] if offset is None else [offset]


def _decoded(system: HasLatents, latent: Tensor, run: Run, t: float | None = None) -> Shape:
    return Shape(system.decode(latent, run)[0], run.seeds[0], latent[0].cpu(), t)


def _search(system: System, target: Asset, known: Tensor, run: Run) -> Tensor:
    """The latent (1, L) that fits ``target`` best where ``known``, from several draws of the prior."""
    if not (isinstance(system, Fits) and isinstance(system, HasLatents)):
        raise _unsupported(system, "take a given shape")
    # Derived from the seed alone, so that other seeds find other completions.
    starts = system.prior(
        Run([(run.seeds[0] * inversion.STARTS + i) % 2**63 for i in range(inversion.STARTS)], run.device)
    )
    return inversion.search(starts, system.misfit(target, known), system.surprise, system.restrict, run)


def _kept(found: Representation, given: Asset, known: Tensor) -> Representation:
    """What was found, with what is given put back to the letter."""
    if isinstance(found, Voxels):
        return found.keep(given, nearest(known, found.resolution))
    return found.keep(given, known) if isinstance(found, Field) else found


def _check_amount(amount: float) -> None:
    if not 0 <= amount <= 1:
        raise BadRequest(f"Amount {amount} is out of range; expected 0 to 1.", "Try 0.3.")


def _check_latents(system: System, *latents: Tensor) -> None:
    size = system.prior(Run([0], system.device)).shape[1] if isinstance(system, HasLatents) else 0
    for latent in latents:
        if latent.shape != (size,):
            raise BadRequest(
                f"This model's latents have {size} numbers; got {tuple(latent.shape)}.",
                "Use shapes that were made by this model, or reconstruct them with it first.",
            )


def _check_images(system: System, images: Tensor) -> None:
    size = system.image_size() if isinstance(system, FromImages) else 0
    if images.ndim != 4 or not len(images) or tuple(images.shape[1:]) != (4, size, size):
        raise BadRequest(
            f"The pictures have shape {tuple(images.shape)}; this model takes (V, 4, {size}, {size}).",
            "Bring them to that size first, as gen3d_core.data.pictures does.",
        )


def _unsupported(system: object, verb: str) -> Unsupported:
    name = system_name(type(system)) if isinstance(system, System) else type(system).__name__
    return Unsupported(f"The system {name} cannot {verb}.", "Choose another model.")
