"""A collection in the order of how unusual its assets are, and how sure that order is.

A score is one number of one placing of an asset, and systems look at assets on coarse grids: the same chair half a cell
further left scores a little differently. So each asset is scored several times under changes that no artist would
notice (:data:`CHANGES`), and the order of two assets is as sure as the share of those scores that agree with it:

    sure(i before j) = P(s_i > s_j),    over all pairs of a score of i and a score of j, ties counting half

which is the area under the curve that tells the one from the other. A ranking is as sure as its pairs are on average.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from . import tasks
from .errors import BadRequest
from .run import Run
from .system import Asset, Encodes, Scores, System


@dataclass(frozen=True)
class Change:
    """A change of an asset that leaves it the same to a person.

    Args:
        mirror: swaps left and right.
        shift: how far it is moved, with 3 numbers, in model units.
        scale: how many times as large it becomes, about the middle of the cube.
    """

    mirror: bool = False
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0


#: A quarter of a cell of the grids that systems look at.
NUDGE = 0.25 / tasks.COMPARED_AT
#: As it is first; then mirrored, moved by a quarter of a cell, and a little smaller or larger.
CHANGES = (
    Change(),
    Change(mirror=True),
    Change(shift=(NUDGE, NUDGE, NUDGE)),
    Change(shift=(-NUDGE, -NUDGE, NUDGE)),
    Change(mirror=True, shift=(NUDGE, -NUDGE, -NUDGE)),
    Change(scale=0.97),
    Change(mirror=True, scale=1.03),
)
#: As many of them where a score needs a search, which takes seconds.
SEARCHED = 3
#: Beyond this percentile of shapes that the model has not seen, an asset counts as unusual.
UNUSUAL = 95.0
#: A collection of fewer assets says little, and a reference of fewer shapes says percentiles only roughly.
FEW, FEW_KNOWN = 5, 20
#: With more than this share of the collection beyond all that the model knows, the model is of another kind.
FOREIGN = 0.5


@dataclass(frozen=True)
class Entry:
    """One asset of a ranking.

    Args:
        index: its place in the collection that was given.
        name: for people.
        score: the median over the changes; higher is more unusual.
        low, high: the smallest and the largest over the changes.
        percentile: share of the shapes that the model has not seen which score lower, 0 to 100; None where the model
            remembers none.
    """

    index: int
    name: str
    score: float
    low: float
    high: float
    percentile: float | None = None


@dataclass(frozen=True)
class Ranking:
    """Assets, the most unusual first.

    Args:
        entries: sorted.
        sure: the mean probability that the order of two assets is right; one half is chance, and where each was scored
            once, nothing is known. 1 for a single asset.
        known: how many shapes the percentiles rest on; 0 without a reference.
        unseen: whether those are shapes that the training has not seen; training shapes score lower.
        beyond: how many assets score higher than every one of them.
        changes: under how many changes each asset was scored.
    """

    entries: Sequence[Entry]
    sure: float
    known: int = 0
    unseen: bool = True
    beyond: int = 0
    changes: int = len(CHANGES)

    @property
    def unusual(self) -> int:
        """How many assets lie beyond the percentile ``UNUSUAL``."""
        return sum(entry.percentile is not None and entry.percentile > UNUSUAL for entry in self.entries)

    def sentence(self) -> str:
        """How sure the ranking is, for people."""
        count = len(self.entries)
        if count == 1:
            words = ["One asset alone cannot be ranked: choose a collection."]
        elif self.changes == 1:
            words = ["Each asset was scored once, so nothing is known of how sure their order is."]
        else:
            words = [
                f"The order of two assets stays in {self.sure:.0%} of harmless changes (mirrored, moved by a quarter "
                f"of a cell, {abs(CHANGES[-2].scale - 1):.0%} larger or smaller)" + _how_sure(self.sure)
            ]
        if self.known:
            shapes = "shapes that the model was not shown" if self.unseen else "of the model's own training shapes"
            verb = "is" if self.unusual == 1 else "are"
            words.append(
                f"{self.unusual} of {count} {verb} more unusual than {UNUSUAL:.0f} % of {self.known} {shapes}."
            )
            if self.known < FEW_KNOWN:
                words.append("That is a rough measure: the model remembers few shapes.")
            if count > 1 and self.beyond > FOREIGN * count:
                words.append(
                    f"{self.beyond} of {count} lie beyond everything that the model knows: it may be a model of "
                    "another kind of shape, and then their order means little."
                )
        else:
            words.append(
                "The model remembers no scores of usual shapes, so these compare the assets with one another only."
            )
        if 1 < count < FEW:
            words.append(f"{count} assets are few: one that is last here may still be unusual.")
        return " ".join(words)

    def values(self) -> dict[str, Any]:
        """Plain values: entries in order, how sure, and the sentence."""
        rows = [
            {
                "place": place,
                "index": entry.index,
                "name": entry.name,
                "score": entry.score,
                "low": entry.low,
                "high": entry.high,
                "percentile": entry.percentile,
            }
            for place, entry in enumerate(self.entries, 1)
        ]
        return {"entries": rows, "sure": self.sure, "sentence": self.sentence()}


def rank(
    system: System,
    assets: Sequence[Asset],
    names: Sequence[str],
    run: Run,
    known: Mapping[str, Any] | None = None,
    changes: Sequence[Change] | None = None,
) -> Ranking:
    """Scores a collection and puts the most unusual first.

    Args:
        system: that can score, or encode or search.
        assets, names: the collection.
        run: device, progress and cancellation; its seeds do not count.
        known: ``metrics["scores"]`` of the model's card, quantiles of the scores of ``held_out`` or ``training``
            shapes, as :meth:`gen3d_core.novelty.Novelty.values` makes them.
        changes: under which each asset is scored; all, or the first few where a score needs a search.

    Raises:
        BadRequest: no assets, no changes, or not as many names as assets.
        Unsupported: the system cannot score.
        Cancelled: the user asked to stop.
    """
    if not len(assets) or len(assets) != len(names):
        raise BadRequest(f"{len(assets)} assets and {len(names)} names cannot be ranked.", "Name at least one asset.")
    if changes is None:
        changes = CHANGES if isinstance(system, (Scores, Encodes)) else CHANGES[:SEARCHED]
    if not changes:
        raise BadRequest("Without any change there is nothing to score.", "Name at least one.")
    rows = []
    for i, asset in enumerate(assets):
        with run.span(i / len(assets), (i + 1) / len(assets)):
            rows.append(tasks.score(system, changed(asset, changes), run))
    table = np.array(rows)
    reference = _Reference.of(known)
    middles = np.median(table, axis=1)
    entries = [
        Entry(
            i,
            names[i],
            float(middles[i]),
            float(table[i].min()),
            float(table[i].max()),
            reference.percentile(float(middles[i])) if reference else None,
        )
        for i in map(int, np.argsort(-middles, kind="stable"))
    ]
    if reference is None:
        return Ranking(entries, _sure(table), changes=len(changes))
    beyond = int((middles > reference.values[-1]).sum())
    return Ranking(entries, _sure(table), reference.count, reference.unseen, beyond, len(changes))


def auroc(usual: Sequence[float], unusual: Sequence[float]) -> float:
    """The probability that one of ``unusual`` scores above one of ``usual``, ties counting half."""
    if not len(usual) or not len(unusual):
        raise ValueError("A comparison needs scores on both sides.")
    a, b = np.asarray(unusual)[:, None], np.asarray(usual)[None]
    return float(((a > b) + 0.5 * (a == b)).mean())


def changed(asset: Asset, changes: Sequence[Change]) -> list[Asset]:
    """The asset under each change; its grids are computed once for all of them."""
    source = _Remembered(asset)
    return [asset if change == Change() else _Changed(source, change) for change in changes]


class _Remembered:
    """Grids of an asset, kept."""

    def __init__(self, asset: Asset) -> None:
        self.asset = asset
        self._fine: dict[int, NDArray[np.bool_]] = {}
        self._distances: dict[tuple[int, float], NDArray[np.float32]] = {}

    def fine(self, resolution: int) -> NDArray[np.bool_]:
        if resolution not in self._fine:
            self._fine[resolution] = np.asarray(self.asset.voxels(resolution))
        return self._fine[resolution]

    def distances(self, resolution: int, truncation: float) -> NDArray[np.float32]:
        key = (resolution, truncation)
        if key not in self._distances:
            self._distances[key] = np.asarray(self.asset.sdf_grid(resolution, truncation), dtype=np.float32)
        return self._distances[key]


class _Changed:
    """An asset under a change. Grids are read off those of the asset: occupancy off one of twice the resolution."""

    def __init__(self, source: _Remembered, change: Change) -> None:
        self._source, self._change = source, change

    def _back(self, points: NDArray) -> NDArray[np.float64]:
        """Where the asset itself has what now is at ``points`` (N, 3)."""
        moved = (np.asarray(points, dtype=np.float64) - self._change.shift) / self._change.scale
        return moved * ((-1, 1, 1) if self._change.mirror else (1, 1, 1))

    def voxels(self, resolution: int) -> NDArray[np.bool_]:
        if self._change == Change(mirror=True):
            return np.ascontiguousarray(self._source.fine(resolution)[::-1])
        fine = self._source.fine(2 * resolution).astype(np.float32)
        at = (self._back(_centres(resolution)) + 0.5) * len(fine) - 0.5
        return (map_coordinates(fine, at.T, order=1, mode="constant") >= 0.5).reshape((resolution,) * 3)

    def sdf_grid(self, resolution: int, truncation: float = 0.1) -> NDArray[np.float32]:
        grid = self._source.distances(resolution, truncation)
        at = (self._back(_centres(resolution)) + 0.5) * resolution - 0.5
        found = self._change.scale * map_coordinates(grid, at.T, order=1, mode="nearest")
        # Where the asset's own grid is clamped, a smaller copy's would be too.
        found = np.where(
            np.abs(found) >= truncation * self._change.scale * (1 - 1e-6), np.sign(found), found / truncation
        )
        return (found.clip(-1, 1) * truncation).astype(np.float32).reshape((resolution,) * 3)

    def sdf(self, points: NDArray) -> NDArray[np.float32]:
        found = np.asarray(self._source.asset.sdf(self._back(points).astype(np.float32)))
        return (self._change.scale * found).astype(np.float32)

    def surface(self, count: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        points, normals = (np.array(array, dtype=np.float32) for array in self._source.asset.surface(count, seed))
        if self._change.mirror:
            points[:, 0], normals[:, 0] = -points[:, 0], -normals[:, 0]
        return (points * self._change.scale + np.array(self._change.shift, np.float32)).astype(np.float32), normals


@dataclass(frozen=True)
class _Reference:
    """Scores that a model remembers of usual shapes, as quantiles.

    Args:
        levels, values: shares from 0 to 1, and the scores below which so many lie, both rising.
        count: how many shapes they were measured on.
        unseen: whether the training has not seen those.
    """

    levels: Sequence[float]
    values: Sequence[float]
    count: int
    unseen: bool

    @classmethod
    def of(cls, known: Mapping[str, Any] | None) -> _Reference | None:
        """Of held-out shapes, else of training shapes; None where the card has neither."""
        for name in ("held_out", "training"):
            found = (known or {}).get(name)
            if isinstance(found, Mapping) and found.get("count"):
                levels, values = list(found["levels"]), list(found["values"])
                if len(levels) == len(values) and all(math.isfinite(value) for value in values):
                    return cls(levels, values, int(found["count"]), name == "held_out")
        return None

    def percentile(self, score: float) -> float:
        """Between the remembered quantiles it is interpolated."""
        return float(100 * np.interp(score, self.values, self.levels, left=0.0, right=1.0))


def _sure(table: NDArray[np.float64]) -> float:
    """The mean over pairs of rows (N, C) of the probability that their order, by the medians, is right."""
    if table.shape[1] == 1 and len(table) > 1:
        return 0.5
    order = np.argsort(-np.median(table, axis=1), kind="stable")
    pairs = [auroc(table[j].tolist(), table[i].tolist()) for i, j in combinations(order, 2)]
    return float(np.mean(pairs)) if pairs else 1.0


def _how_sure(sure: float) -> str:
    if sure >= 0.95:
        return ": the ranking is sure."
    return ": read it as a rough order." if sure >= 0.8 else ": the ranking is hardly better than chance."


def _centres(resolution: int) -> NDArray[np.float64]:
    axis = (np.arange(resolution) + 0.5) / resolution - 0.5
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
