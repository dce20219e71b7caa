"""What moving along a direction of a latent space does to shapes: they are moved there and back, decoded and measured.

    effect of direction d on attribute i = mean over latents z of (y_i(z + t d) - y_i(z - t d)) / 2 t

What predicts an attribute among samples need not change it: samples differ in many things at once, and a decoder is not
linear. So what a slider does is measured, never inferred.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from . import dimensions
from .errors import EmptyShape
from .run import Run
from .system import HasLatents, System

#: A moved shape is sound if its largest part holds at least this share of what it held before.
WHOLE = 0.9
#: Shapes that are decoded at once.
BATCH = 8

Floats = NDArray[np.float64]


class LatentSystem(System, HasLatents):
    """For types: a system that has latents."""


@dataclass(frozen=True)
class Measured:
    """Shapes in numbers.

    Args:
        values: with shape (N, A), by :data:`.dimensions.NAMES`; not a number where a shape has no such thing.
        whole: with shape (N,), the share of the full cells in the largest part; 0 of a shape without a surface.
    """

    values: Floats
    whole: Floats

    def of(self, rows: NDArray[np.integer]) -> Measured:
        """Those of these rows."""
        return Measured(self.values[rows], self.whole[rows])


@dataclass(frozen=True)
class Moves:
    """Shapes moved along K directions, there and back.

    Args:
        there, back: with shape (K, N, A), attributes as :class:`Measured` has them.
        whole: with shape (K, 2, N), as there, of both.
        reach: with shape (K,): how many steps.
    """

    there: Floats
    back: Floats
    whole: Floats
    reach: Floats

    def effects(self) -> Floats:
        """What a step along each direction changes, with shape (A, K), of shapes that have the attribute on both sides.

        Where none has it, 0.
        """
        return (mean(self.there - self.back, axis=1) / 2 / self.reach[:, None]).T

    def sound(self, before: Measured) -> Floats:
        """The share of the shapes that hang together and kept their parts, legs and a back, with shape (K,).

        Args:
            before: the N shapes that were moved along each.
        """
        whole = self.whole >= WHOLE * before.whole
        had, has = np.isfinite(before.values), np.isfinite(np.stack([self.there, self.back], axis=1))
        return (whole & (has | ~had).all(axis=-1)).mean(axis=(1, 2))


def measure(system: LatentSystem, latents: Floats, run: Run) -> Measured:
    """The shapes of latents, with shape (N, L), in numbers.

    Raises:
        Cancelled: the user asked to stop.
    """
    values = np.full((len(latents), len(dimensions.NAMES)), np.nan)
    whole = np.zeros(len(latents))
    for first in run.track(range(0, len(latents), BATCH)):
        z = torch.as_tensor(latents[first : first + BATCH], dtype=torch.float32, device=system.device)
        # Of one seed, so that chance in a decoder is the same before and after a move.
        for i, shape in enumerate(system.decode(z, Run([0] * len(z), system.device)), first):
            try:
                grid = dimensions.coverage(shape)
                found = dimensions.measured(grid)
            except EmptyShape:
                continue
            values[i] = [found[name] for name in dimensions.NAMES]
            whole[i] = _largest(grid)
    return Measured(values, whole)


def moved(system: LatentSystem, starts: Floats, vectors: Floats, reach: Floats, run: Run) -> Moves:
    """Moves latents, with shape (K, N, L), along vectors, with shape (K, L), as many steps as each reaches, (K,).

    Raises:
        Cancelled: the user asked to stop.
    """
    far = (reach[:, None] * vectors)[:, None]
    goals = np.stack([starts + far, starts - far], axis=1)
    found = measure(system, goals.reshape(-1, starts.shape[-1]), run)
    values, whole = found.values.reshape(*goals.shape[:3], -1), found.whole.reshape(goals.shape[:3])
    return Moves(values[:, 0], values[:, 1], whole, reach)


def mean(values: Floats, axis: int) -> Floats:
    """The mean of the numbers along an axis; 0 where there are none."""
    has = np.isfinite(values)
    return np.where(has, values, 0.0).sum(axis=axis) / has.sum(axis=axis).clip(1)


def _largest(grid: dimensions.Grid) -> float:
    """The share of the full cells in the largest part that hangs together face to face."""
    labels = np.asarray(ndimage.label(grid >= 0.5)[0])  # type: ignore[index]
    sizes = np.bincount(labels.ravel())[1:]
    return float(sizes.max() / sizes.sum())
