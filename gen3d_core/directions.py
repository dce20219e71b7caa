"""Shape sliders: directions of a latent space along which one property of the shapes changes, found from samples.

Attributes y_i of samples are measured on their geometry (:mod:`.dimensions`) and predicted from the latents z by ridge
regression in closed form, the strength of its penalty by generalised cross-validation (Golub, Heath, Wahba 1979,
"Generalized Cross-Validation as a Method for Choosing a Good Ridge Parameter"):

    w_i = argmin_w |y_i - Z w|^2 + lambda |w|^2 = V diag(s / (s^2 + lambda)) U^T y_i,       Z = U diag(s) V^T

with y in standard deviations. Kept are attributes that are predicted on samples which the regression has not seen.

Along w_i other attributes change, too. As in the conditional manipulation of Shen, Gu, Tang, Zhou (2020, "Interpreting
the Latent Space of GANs for Semantic Face Editing"), which takes from one direction what lies along another, each
direction is made to leave the other kept attributes alone. For any number of them, in the least-squares sense and on
the way that the prior Sigma makes most likely, with W the matrix of all w_i:

    d_i = argmin_d |W d - e_i|^2 + epsilon d^T Sigma^-1 d = Sigma W^T (W Sigma W^T + epsilon I)^-1 e_i

scaled to w_i . d_i = 1: a step of 1 is one standard deviation more of attribute i, as the regression predicts it; what
a decoder makes of it may be less. Attributes that cannot be told apart, or only by going where the prior hardly ever
is, are given up, the worst first.

Besides them, principal directions of the latents: those whose variance stands out of what isotropic noise of as many
samples would show (the edge of Marchenko and Pastur), without what the attributes change already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import dimensions
from .errors import EmptyShape, Unsupported
from .run import Run
from .system import HasLatents, System, system_name

#: Samples that are measured, and which part of them tests what the others taught.
COUNT, HELD_OUT = 400, 4
#: The first seed: far from those that an artist begins with.
FIRST = 1_000_000
#: R^2 on held-out samples from which on an attribute counts as predicted.
LEAST = 0.3
#: Samples that must have an attribute.
FEWEST = 40
#: What a standard deviation of an attribute may take at most, in those of the prior; and what it may change of
#: another, in that one's.
FARTHEST, LEAK = 4.0, 0.35
#: Weight of the prior beside the attributes that are to stay.
EPSILON = 0.02
#: Penalties that are tried, in shares of the largest squared singular value.
PENALTIES = np.logspace(-6, 1, 29)
#: Of the samples, this share lies between the limits of a slider.
INNER = 0.95
#: So many principal directions at most, of which this share must be left without what the attributes change.
PRINCIPAL, LEFT = 3, 0.5

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Directions:
    """Named directions of one model.

    Args:
        names: what each changes.
        vectors: with shape (D, K), what one standard deviation more of it adds to a latent, whose numbers from K on
            stay.
        low, high: between these lies all but 5 % of the samples, in standard deviations.
        scores: R^2 of each on held-out samples; of a principal direction its share of the latents' variance.
        refused: R^2 of attributes that are not offered, by name; 0 of those that too few samples have.
        leaks: with shape (A, A), for the first A, which are attributes: what a step along column j changes of i.
    """

    names: tuple[str, ...]
    vectors: NDArray[np.float32]
    low: tuple[float, ...]
    high: tuple[float, ...]
    scores: tuple[float, ...]
    refused: Mapping[str, float] = field(default_factory=dict)
    leaks: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))

    def values(self) -> dict[str, Any]:
        """What is said of them, as plain values."""
        plain = {name: list(getattr(self, name)) for name in ("names", "low", "high", "scores")}
        return {**plain, "refused": dict(self.refused)}


def find(system: System, run: Run, count: int = COUNT) -> Directions:
    """The directions of a system's latent space; always the same for the same weights.

    Raises:
        Unsupported: the system has no latents.
        EmptyShape: hardly any of its samples has a surface.
        Cancelled: the user asked to stop.
    """
    if not isinstance(system, HasLatents):
        raise Unsupported(f"The system {system_name(type(system))} has no latents.", "Choose another model.")
    seeds = range(FIRST, FIRST + count)
    latents = system.prior(Run(seeds, system.device))
    rows, kept = [], []
    for i in run.track(range(count)):
        try:
            (shape,) = system.decode(latents[i : i + 1], Run([seeds[i]], system.device))
            rows.append(dimensions.measured(dimensions.coverage(shape)))
            kept.append(i)
        except EmptyShape:
            continue
    if len(kept) < FEWEST:
        raise EmptyShape(f"Only {len(kept)} of {count} samples have a surface.", "Train the model for longer.")
    attributes = {name: np.array([row[name] for row in rows]) for name in dimensions.NAMES}
    return solve(latents[kept].cpu().double().numpy(), attributes)


def solve(latents: Floats, attributes: Mapping[str, Floats]) -> Directions:
    """The directions of measured samples.

    Args:
        latents: with shape (N, L).
        attributes: by name, each with shape (N,); not a number where a sample has none.
    """
    # Numbers that the prior never moves, as what an encoder keeps besides, would only cost memory.
    moving = latents.std(0) > 0
    centred = latents[:, moving] - latents[:, moving].mean(0)
    covariance = centred.T @ centred / len(centred)
    found: dict[str, _Regression] = {}
    refused: dict[str, float] = {}
    for name, values in attributes.items():
        regression = _regressed(centred, values)
        if regression is not None and regression.score >= LEAST:
            found[name] = regression
        else:
            refused[name] = 0.0 if regression is None else regression.score
    names = list(found)
    while True:
        weights = _stacked([found[name].weights for name in names], centred.shape[1])
        rows, lengths = _apart(weights, covariance)
        worst = _worst([found[name].score for name in names], weights @ rows.T, lengths)
        if worst < 0:
            break
        refused[names[worst]] = found[names[worst]].score
        del names[worst]
    parts = _principal(centred, covariance, weights, rows)
    vectors = np.zeros((len(rows) + len(parts), latents.shape[1]))
    vectors[:, moving] = np.concatenate([rows, *(part.vector[None] for part in parts)])
    limits = [found[name].limits for name in names] + [part.limits for part in parts]
    used = np.flatnonzero(vectors.any(axis=0))
    return Directions(
        (*names, *(f"Variation {number}" for number in range(1, len(parts) + 1))),
        vectors[:, : int(used[-1]) + 1 if len(used) else 0].astype(np.float32),
        tuple(round(low, 4) for low, _ in limits),
        tuple(round(high, 4) for _, high in limits),
        tuple(round(score, 4) for score in [*(found[name].score for name in names), *(part.share for part in parts)]),
        {name: round(score, 4) for name, score in refused.items()},
        (weights @ rows.T).astype(np.float32),
    )


def _apart(weights: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """The directions (A, L) of attributes with these weights (A, L), and how far a step along each goes in the prior.

    The lengths, with shape (A,), are in standard deviations of the prior: |d| with the inverse covariance between.
    """
    gram = weights @ covariance @ weights.T
    solved = np.linalg.inv(gram + EPSILON * np.eye(len(gram)))
    scale = np.diag(gram @ solved).clip(1e-9)
    lengths = np.sqrt(np.diag(solved @ gram @ solved).clip(0)) / scale
    return (covariance @ weights.T @ solved / scale).T, lengths


def _worst(scores: Sequence[float], leaks: Floats, lengths: Floats) -> int:
    """The attribute to give up: the less predictable of two that cannot be told apart, or the farthest; -1 for none."""
    between = np.abs(leaks - np.diag(np.diag(leaks)))
    if len(between) and between.max() > LEAK:
        one, other = divmod(int(between.argmax()), len(between))
        return min(one, other, key=lambda place: scores[place])
    return int(lengths.argmax()) if len(lengths) and lengths.max() > FARTHEST else -1


def _stacked(rows: Sequence[Floats], size: int) -> Floats:
    """Rows (N, size), also where there are none."""
    return np.stack(rows) if rows else np.zeros((0, size))


@dataclass(frozen=True)
class _Regression:
    """An attribute as predicted by latents: ``weights`` (L,) in standard deviations, R^2, and limits."""

    weights: Floats
    score: float
    limits: tuple[float, float]


def _regressed(centred: Floats, values: Floats) -> _Regression | None:
    """The ridge regression of an attribute, tested on every fourth sample; None where too few have it, or all alike."""
    has = np.flatnonzero(np.isfinite(values))
    if len(has) < FEWEST:
        return None
    test = np.arange(len(has)) % HELD_OUT == HELD_OUT - 1
    x, y = centred[has], values[has]
    spread = float(y[~test].std())
    if spread < 1e-6 * max(float(np.abs(y).max()), 1e-6):
        return None
    middle, offset = float(y[~test].mean()), x[~test].mean(0)
    standard = (y - middle) / spread
    weights = _ridge(x[~test] - offset, standard[~test])
    missed = standard[test] - (x[test] - offset) @ weights
    total = float(((standard[test] - standard[test].mean()) ** 2).sum())
    score = 1 - float((missed**2).sum()) / max(total, 1e-12)
    low, high = np.quantile(standard, [(1 - INNER) / 2, (1 + INNER) / 2])
    return _Regression(weights, score, (float(low), float(high)))


def _ridge(x: Floats, y: Floats) -> Floats:
    """The weights (L,) of a ridge regression of y (N,) on x (N, L), both without their means."""
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


@dataclass(frozen=True)
class _Part:
    """A principal direction: ``vector`` (L,), one standard deviation long; its share of the variance; limits."""

    vector: Floats
    share: float
    limits: tuple[float, float]


def _principal(centred: Floats, covariance: Floats, weights: Floats, rows: Floats) -> list[_Part]:
    """Principal directions of latents that stand out, without what attributes change, which stay."""
    variances, axes = np.linalg.eigh(covariance)
    active = int((variances > 1e-9 * max(float(variances[-1]), 1e-30)).sum())
    edge = float(variances.sum()) / max(active, 1) * (1 + np.sqrt(active / len(centred))) ** 2
    found: list[_Part] = []
    for variance, axis in list(zip(variances, axes.T, strict=True))[::-1][:PRINCIPAL]:
        if variance <= edge:
            break
        # Of the two signs one has to be chosen, the same at every call.
        axis = axis * np.sign(axis[np.abs(axis).argmax()])
        alone = axis - rows.T @ (weights @ axis) if len(rows) else axis
        if np.linalg.norm(alone) < LEFT:
            continue
        places = centred @ axis / np.sqrt(variance)
        low, high = np.quantile(places, [(1 - INNER) / 2, (1 + INNER) / 2])
        share = float(variance / variances.sum())
        found.append(_Part(alone * np.sqrt(variance), share, (float(low), float(high))))
    return found


def text(found: Directions) -> str:
    """For people: what was found, and what was not."""
    lines = [f"{'slider':18s} {'R^2':>6s}   between"]
    rows: Sequence[tuple[str, float, float, float]] = list(
        zip(found.names, found.scores, found.low, found.high, strict=True)
    )
    lines += [f"{name:18s} {score:6.2f}   {low:+.1f} and {high:+.1f} sd" for name, score, low, high in rows]
    if found.refused:
        lines.append("Not offered: " + ", ".join(f"{name} ({score:.2f})" for name, score in found.refused.items()))
    return "\n".join(lines)
