"""From assets to examples: who is held out, and how few assets give many examples."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..errors import BadMesh, BadRequest
from ..run import Run
from ..system import Asset, Batch, System

if TYPE_CHECKING:
    from ..data.augmentation import Augmentation

#: The tensor that says which asset an example is of; see :func:`prepare`.
ASSET = "asset"
#: From so many assets on, this share of them is held out.
FEWEST, HELD_OUT = 8, 0.15
#: Unseen shapes of a catalogue.
UNSEEN = 40
FEW = (
    "There are {count} assets, which is few: with at least {fewest} the model can be compared with assets that it has "
    "not seen, and will vary more."
)


@dataclass(frozen=True)
class Variation:
    """How few assets become many examples.

    Args:
        augmentation: what may be changed.
        wanted: examples in all; each asset as it is comes first.
        seconds: stop early after these.
    """

    augmentation: Augmentation
    wanted: int
    seconds: float = float("inf")


@dataclass(frozen=True)
class Collection:
    """What a source holds.

    Args:
        assets: to learn from.
        held_out: never learnt from; what is new is measured against them.
        names: of all of them.
        refused: name and reason of each asset that could not be used.
        repaired: name and what was repaired, of each asset that was.
        warnings: sentences.
    """

    assets: Sequence[Asset]
    held_out: Sequence[Asset]
    names: Sequence[str]
    refused: Sequence[tuple[str, str]] = ()
    repaired: Sequence[tuple[str, Sequence[str]]] = ()
    warnings: Sequence[str] = ()


def gather(source: str, count: int, seed: int, run: Run) -> Collection:
    """Reads a source and holds some of it out.

    Args:
        source: see :func:`gen3d_core.data.sources.load`.
        count: how many assets at most; of a catalogue, how many.
        seed: of who is held out.
        run: progress and cancellation.

    Raises:
        BadRequest: nothing of that name, or nothing in it that can be used.
        Cancelled: the user asked to stop.
    """
    from ..data import sources

    if source.startswith("catalogue:"):
        # It never ends: unseen shapes have other seeds, and all that were asked for are learnt from.
        held_out = sources.load(source, UNSEEN, first=sources.HELD_OUT)
        return Collection(sources.load(source, count), held_out, [source])
    found = sources.prepared(source, count, run=run)
    if not found.assets:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in found.refused[:3])
        raise BadRequest(f"None of the {len(found.refused)} assets can be used. {reasons}", "Choose other assets.")
    learnt, held_out = split(len(found.assets), seed)
    warnings = [] if held_out else [FEW.format(count=len(learnt), fewest=FEWEST)]
    return Collection(
        [found.assets[i] for i in learnt],
        [found.assets[i] for i in held_out],
        found.names,
        found.refused,
        found.notes,
        warnings,
    )


def split(count: int, seed: int = 0) -> tuple[list[int], list[int]]:
    """Which of ``count`` assets are learnt from, and which are held out: about 15 % from 8 assets on, none below."""
    if count < FEWEST:
        return list(range(count)), []
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    held_out = max(1, round(count * HELD_OUT))
    return sorted(order[held_out:]), sorted(order[:held_out])


def prepare(system: System, assets: Sequence[Asset], run: Run, variation: Variation | None = None) -> Batch:
    """The whole data set: the examples, stacked, with shape (N, ...), and as ``asset`` the number of each one's asset.

    Args:
        system: that learns.
        assets: to learn from.
        run: its progress is reported.
        variation: makes further examples of varied assets.

    Raises:
        BadRequest: no assets.
        Cancelled: the user asked to stop.
    """
    if not assets:
        raise BadRequest("There are no shapes to train on.", "Name a folder with meshes, or a catalogue category.")
    wanted = max(len(assets), variation.wanted if variation else 0)
    examples: list[Batch] = []
    for i, owner, asset in _drawn(assets, variation, wanted):
        run.report(min(i / wanted, 1.0))
        examples.append({**system.prepare(asset, Run([i])), ASSET: torch.tensor(owner)})
    run.report(1.0)
    # Stacking keeps the strides of what is stacked, and files hold tensors without gaps.
    return {key: torch.stack([example[key] for example in examples]).contiguous() for key in examples[0]}


def _drawn(assets: Sequence[Asset], variation: Variation | None, wanted: int) -> Iterator[tuple[int, int, Asset]]:
    """The number of each example, of its asset, and what it is an example of; rounds over all assets."""
    started = time.monotonic()
    for i, asset in enumerate(assets):
        yield i, i, asset
    if variation is None:
        return
    from ..data.augmentation import augmented

    for i in range(len(assets), wanted):
        if time.monotonic() - started > variation.seconds:
            return
        owner = i % len(assets)
        try:
            yield i, owner, augmented(assets[owner], variation.augmentation, i)
        except BadMesh:
            # One variation that is no solid is not missed.
            continue
