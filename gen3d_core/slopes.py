"""What latents predict of the attributes of their shapes: ridge regressions within kinds.

    w_i = argmin_w |y_i - Z w|^2 + lambda |w|^2 = V diag(s / (s^2 + lambda)) U^T y_i,       Z = U diag(s) V^T

with y in standard deviations, and the penalty by generalised cross-validation (Golub, Heath, Wahba 1979, "Generalized
Cross-Validation as a Method for Choosing a Good Ridge Parameter"). A kind is what has the same parts: a slider makes a
chair higher, not a table of it, so what tells chairs from tables must not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import dimensions
from .effects import Floats, Measured
from .errors import EmptyShape

#: R^2 on held-out samples from which on an attribute counts as predicted, and which part of them is held out.
LEAST, HELD_OUT = 0.2, 4
#: Samples that must have an attribute, and those that make a kind: others belong to none.
FEWEST, KIND = 40, 8
#: Penalties that are tried, in shares of the largest squared singular value.
PENALTIES = np.logspace(-6, 1, 29)


@dataclass(frozen=True)
class Samples:
    """Latents, and what was measured of their shapes.

    Args:
        latents: with shape (N, L), of samples with a surface that belong to a kind.
        measured: of their shapes.
        centred: with shape (N, M), the numbers of them that move, without the mean of their kind.
        moving: with shape (L,), bool: which these are.
        units: with shape (A,), by :data:`.dimensions.NAMES`: a standard deviation within kinds; 0 of an attribute that
            too few samples have, or all alike.
        weights: with shape (A, M), units that each number of a latent adds, as the regression has it.
        scores: R^2 on held-out samples, by name, of attributes that are predicted.
        refused: by name, why others are not.
    """

    latents: Floats
    measured: Measured
    centred: Floats
    moving: NDArray[np.bool_]
    units: Floats
    weights: Floats
    scores: Mapping[str, float]
    refused: Mapping[str, str]

    @classmethod
    def of(cls, latents: Floats, measured: Measured) -> Samples:
        """Regressions of what was measured of latents, with shape (N, L).

        Raises:
            EmptyShape: hardly any of them has a surface.
        """
        full = measured.whole > 0
        if full.sum() < FEWEST:
            raise EmptyShape(
                f"Only {full.sum()} of {len(latents)} samples have a surface.", "Train the model for longer."
            )
        has = np.isfinite(measured.values)
        _, kinds, sizes = np.unique(has, axis=0, return_inverse=True, return_counts=True)
        # NumPy 2.0 gave the inverse a second axis.
        kinds = kinds.reshape(-1)
        full &= sizes[kinds] >= KIND
        latents, values, kinds = latents[full], measured.values[full], kinds[full]
        # Numbers that the prior never moves, as what an encoder keeps besides, would only cost memory.
        moving = latents.std(0) > 0
        centred, within = latents[:, moving], values.copy()
        for kind in np.unique(kinds):
            centred[kinds == kind] -= centred[kinds == kind].mean(0)
            within[kinds == kind] -= within[kinds == kind].mean(0)
        units, weights = np.zeros(values.shape[1]), np.zeros((values.shape[1], centred.shape[1]))
        scores: dict[str, float] = {}
        refused: dict[str, str] = {}
        for i, name in enumerate(dimensions.NAMES):
            rows = np.isfinite(within[:, i])
            spread = float(within[rows, i].std()) if rows.sum() >= FEWEST else 0.0
            if spread < 1e-6:
                refused[name] = f"{rows.sum()} of {len(rows)} samples have it" if rows.sum() < FEWEST else "all alike"
                continue
            units[i] = spread
            weights[i], score = regressed(centred[rows], within[rows, i] / spread)
            if score < LEAST:
                refused[name] = f"not predicted, R^2 {score:.2f}"
            else:
                scores[name] = score
        return cls(latents, Measured(values, measured.whole[full]), centred, moving, units, weights, scores, refused)

    @property
    def held(self) -> list[int]:
        """The attributes that differ among samples, by their places in :data:`.dimensions.NAMES`."""
        return [i for i, unit in enumerate(self.units) if unit > 0]

    @property
    def covariance(self) -> Floats:
        """Of the numbers that move, within kinds, with shape (M, M)."""
        return self.centred.T @ self.centred / len(self.centred)


def regressed(x: Floats, y: Floats) -> tuple[Floats, float]:
    """The weights (M,) of y (N,) on x (N, M), both without their means, and R^2 on every fourth sample, unseen."""
    test = np.arange(len(x)) % HELD_OUT == HELD_OUT - 1
    missed = y[test] - x[test] @ ridge(x[~test], y[~test])
    total = float(((y[test] - y[test].mean()) ** 2).sum())
    return ridge(x, y), 1 - float((missed**2).sum()) / max(total, 1e-12)


def ridge(x: Floats, y: Floats) -> Floats:
    """The weights (M,) of a ridge regression of y (N,) on x (N, M), both without their means."""
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    projected = u.T @ y
    outside = float((y**2).sum() - (projected**2).sum())
    best, chosen = np.inf, 0.0
    for penalty in PENALTIES * float(s[0] ** 2):
        left = penalty / (s**2 + penalty)
        # The mean was taken away before: one more number that the data has determined.
        freedom = len(y) - 1 - float((1 - left).sum())
        criterion = (outside + float(((left * projected) ** 2).sum())) / max(freedom, 1e-3) ** 2
        if criterion < best:
            best, chosen = criterion, penalty
    return vt.T @ (s / (s**2 + chosen) * projected)
