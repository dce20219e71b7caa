"""What else is measured: how full and how whole drawn shapes are, finer grids of coarse ones, and unusual shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from .. import metrics, ranking, tasks
from ..data import catalogue, sources
from ..data.grids import Grid
from ..evaluation import each, run_of
from ..nn import blocks
from ..representations import Voxels
from ..run import Run
from ..system import Asset, Refines, Scores, System
from .common import Cells, Data, R, Score, Use, category, cells, drawn, iou, mean

#: Of the published voxel GAN's acceptance: shares of the data's occupancy, of the largest part, and the set scores.
OFF, WHOLE, SEPARABLE, COVERED = 0.20, 0.80, 0.95, 0.30
#: As many shapes as a search can score, which takes seconds for each.
SEARCHED = 12


def samples(grids: Sequence[Cells], data: Data) -> Use:
    """Drawn shapes as cells: how full, how whole, and how like unseen ones as sets.

    Args:
        grids: each with shape (R, R, R); as many held-out shapes are compared with.
    """
    unseen = [cells(asset) for asset in data.unseen(len(grids))]
    grids = grids[: len(unseen)]
    # The mean of the training shapes, which are many, is steadier than that of a few unseen ones.
    full = float(data.pool_cells.mean())
    d_gg, d_gr, d_rr = distances(grids, grids), distances(grids, unseen), distances(unseen, unseen)
    training = [row.reshape((R,) * 3) > 0.5 for row in data.pool_cells[: len(unseen)]]
    d_tt, d_tr = distances(training, training), distances(training, unseen)
    return Use(
        "samples",
        f"Samples: {len(grids)} against as many held-out shapes, {R}³, the distance of two is 1 - IoU.",
        [
            Score(
                "occupancy, deviation from the data",
                abs(mean(grid.mean() for grid in grids) / full - 1),
                lower=True,
                limit=OFF,
            ),
            Score(
                "cells in the largest part",
                mean(map(largest, grids)),
                ceiling=mean(map(largest, unseen)),
                ceiling_name="held-out shapes",
                limit=WHOLE,
            ),
            Score(
                "1-NNA of 1 - IoU",
                metrics.one_nna(d_gg, d_gr, d_rr),
                ceiling=metrics.one_nna(d_tt, d_tr, d_rr) if len(training) == len(unseen) else None,
                ceiling_name="training shapes",
                lower=True,
                limit=SEPARABLE,
            ),
            Score(
                "COV of 1 - IoU",
                metrics.coverage(d_gr),
                ceiling=metrics.coverage(d_tr) if len(training) == len(unseen) else None,
                ceiling_name="training shapes",
                limit=COVERED,
            ),
        ],
    )


def distances(a: Sequence[Cells], b: Sequence[Cells]) -> NDArray[np.float64]:
    """1 - IoU of every grid of ``a`` with every one of ``b``, with shape (len(a), len(b))."""
    x, y = (np.stack([one.ravel() for one in grids]).astype(np.float32) for grids in (a, b))
    both = (x @ y.T).astype(np.float64)
    union = x.sum(1)[:, None] + y.sum(1)[None] - both
    return 1.0 - np.divide(both, union, out=np.ones_like(both), where=union > 0)


def largest(grid: Cells) -> float:
    """Share of the full cells that are in the largest part, face to face; 0 of an empty grid."""
    labels, count = ndimage.label(grid)  # type: ignore[misc]
    return float(np.bincount(labels.ravel())[1:].max() / grid.sum()) if count else 0.0


@dataclass(frozen=True, eq=False)
class Coarse(Grid):
    """A shape of which is known only how full the blocks of 2^3 cells are: within each, the cells lie in any order."""

    @classmethod
    def of(cls, fine: Cells) -> Coarse:
        """Of cells with shape (R, R, R), at least one of them full."""
        order = np.random.Generator(np.random.PCG64(0)).random(fine.shape)
        return cls(_fullest(order, shares(fine)))

    def voxels(self, resolution: int) -> Cells:
        """At half the resolution, the blocks that are at least half full."""
        if 2 * resolution == len(self.occupancy):
            return shares(self.occupancy) >= 0.5
        return super().voxels(resolution)


def shares(fine: Cells) -> NDArray[np.float64]:
    """How full blocks of 2^3 cells are, with shape (R / 2, R / 2, R / 2)."""
    k = len(fine) // 2
    return fine.astype(np.float64).reshape(k, 2, k, 2, k, 2).mean((1, 3, 5))


def _fullest(values: NDArray[np.floating], full: NDArray[np.floating]) -> Cells:
    """In each block of 2^3 cells, as many of those with the highest values (R, R, R) as make it as full as it is."""
    return blocks.fullest(torch.as_tensor(values), torch.as_tensor(full)).numpy()


def refine(system: Refines, data: Data, run: Run) -> Use:
    """Shapes of which only the shares of full cells in blocks are given, made finer.

    The trivial ways know as much: blocks copied or interpolated, and of each block as many of the interpolation's
    highest cells as it has.

    Raises:
        Cancelled: the user asked to stop.
    """
    assets = data.unseen(data.counts.judged)
    rows: list[list[float]] = []
    for i, asset in each(list(enumerate(assets)), run):
        truth = cells(asset)
        if not truth.any():
            continue
        given, coarse = shares(truth), Coarse.of(truth)
        smooth = Voxels(torch.as_tensor(given)).resized(R)
        found = [
            drawn(lambda c=coarse, i=i: system.refine([c], run_of(i, run))),
            (given >= 0.5).repeat(2, 0).repeat(2, 1).repeat(2, 2),
            smooth.occupied.numpy(),
            _fullest(smooth.values.numpy(), given),
        ]
        rows.append([iou(one, truth) for one in found])
    own, copied, interpolated, filled = np.mean(rows, axis=0).tolist()
    trivial = {"copied": copied, "trilinear": interpolated, "trilinear, as full": filled}
    return Use(
        "refine",
        f"Refinement: {len(rows)} held-out shapes from {R // 2}³ shares of full cells to {R}³ cells.",
        [Score("IoU", own, trivial, unit="plain", beats=True)],
    )


def outliers(system: System, data: Data, run: Run) -> Use | None:
    """Whether shapes of other categories score higher than held-out ones of the model's own; None without others.

    Beside it the simplest score: 1 - IoU with the nearest training shape.

    Raises:
        Unsupported: the system cannot score.
        Cancelled: the user asked to stop.
    """
    count = data.counts.judged if isinstance(system, Scores) else min(SEARCHED, data.counts.judged)
    own = {category(asset) for asset in data.pool}
    others = [name for name in catalogue.CATEGORIES if name not in own]
    if not others or own == {""}:
        return None
    usual = data.unseen(count)
    strange = sources.load(sources.CATALOGUE + ",".join(others), count, first=sources.HELD_OUT)
    scores = []
    for i, asset in each(list(enumerate([*usual, *strange])), run):
        scores += tasks.score(system, [asset], run_of(i, run))
    simple = [_alone(asset, data) for asset in (*usual, *strange)]
    return Use(
        "outliers",
        f"Outliers: {len(usual)} held-out shapes against {len(strange)} of the categories {', '.join(others)}.",
        [
            Score(
                "AUROC",
                ranking.auroc(scores[: len(usual)], scores[len(usual) :]),
                {"chance": 0.5},
                ranking.auroc(simple[: len(usual)], simple[len(usual) :]),
                "distance to training shapes",
                beats=True,
            )
        ],
    )


def _alone(asset: Asset, data: Data) -> float:
    """How far the nearest training shape is."""
    wanted = cells(asset)
    return 1 - iou(data.nearest(wanted, np.ones_like(wanted)), wanted)
