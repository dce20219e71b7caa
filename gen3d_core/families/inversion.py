"""Latent search: which latents make a given shape? Inversion of a generator, for any family.

    z* = argmin_z misfit(z) + prior_weight * max(0, surprise(z) - 1)

from several starts at once, by Adam; after a third of the steps the best goes on alone. Where only a part of the
shape is given, different seeds find different completions that fit it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..run import Run

STARTS = 8
STEPS = 120
RATE = 0.05


def search(
    starts: Tensor,
    misfit: Callable[[Tensor], Tensor],
    surprise: Callable[[Tensor], Tensor],
    restrict: Callable[[Tensor], Tensor],
    run: Run,
    *,
    steps: int = STEPS,
    rate: float = RATE,
    prior_weight: float = 0.02,
) -> Tensor:
    """The latent of the best fit, with shape (1, L).

    Args:
        starts: with shape (S, L).
        misfit: latents (S, L) to distances (S,), differentiable.
        surprise: latents (S, L) to how unlikely they are (S,), about 1 for a typical one.
        restrict: latents to the nearest that the prior can produce.
        run: progress and cancellation.
        steps, rate: of Adam.
        prior_weight: of the surprise beyond 1.
    """
    z = starts.clone()
    optimizer = _Adam(rate)
    best, best_value = starts[:1], float("inf")
    for step in run.track(range(steps)):
        with torch.enable_grad():
            z.requires_grad_(True)
            value = misfit(z) + prior_weight * (surprise(z) - 1).clamp_min(0)
            (gradient,) = torch.autograd.grad(value.sum(), z)
        z, value = z.detach(), value.detach()
        lowest = int(value.argmin())
        if float(value[lowest]) < best_value:
            best, best_value = z[lowest : lowest + 1].clone(), float(value[lowest])
        if step == steps // 3 and len(z) > 1:
            z, optimizer = best.clone(), _Adam(rate)
        else:
            z = restrict(z - optimizer.step(gradient))
    return best


class _Adam:
    """Adam on one tensor. torch.optim costs a second and 80 MB at its first use, which a click should not."""

    def __init__(self, rate: float) -> None:
        self.rate, self.count = rate, 0
        self.mean = self.square = torch.zeros(())

    def step(self, gradient: Tensor) -> Tensor:
        """What to subtract."""
        self.count += 1
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.square = 0.99 * self.square + 0.01 * gradient**2
        mean = self.mean / (1 - 0.9**self.count)
        root = (self.square / (1 - 0.99**self.count)).sqrt()
        return self.rate * mean / (root + 1e-8)
