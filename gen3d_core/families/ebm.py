"""Energy-based models: an energy U gives every point a probability, low energy a high one.

    p(x) = exp(-U(x)) / Z,      Z = integral of exp(-U(x)) dx

Z is out of reach, its gradient is not. The gradient of the negative log-likelihood over parameters theta,

    d/dtheta (-log p(x)) = dU(x)/dtheta - E_{x' ~ p}[dU(x')/dtheta],

lowers the energy of data and raises that of what the model itself draws, until the two cannot be told apart. Draws come
from Langevin dynamics, a walk down the energy with noise:

    x' = x - (s^2 / 2) dU/dx + s epsilon,       epsilon ~ N(0, I)

For small steps s it forgets where it started and visits points as often as p says. Taken as they come the steps are
slightly wrong (unadjusted Langevin, the usual choice for networks); accepted with the probability of Metropolis and
Hastings,

    min(1, exp(U(x) - U(x')) r(x | x') / r(x' | x)),      r(x' | x) = N(x'; x - (s^2 / 2) dU/dx, s^2 I),

they are exact (MALA, Roberts and Tweedie, 1996). Accepting only what lowers the energy would be a descent to the
nearest minimum, and no sampling.

Chains are costly, and at first there is little they could tell. Denoising score matching (Vincent, 2011) needs none: if
x is data and y is x with noise of variance v, the energy of all y has the gradient that leads back, in the mean, to x,

    loss = E |y - v dU(y)/dy - x|^2,

and noise of several sizes teaches one energy the way from afar as well (Li, Chen and Sommer, 2019).

With an energy U_s for data with noise of each deviation s, a walk may begin where all is smooth and lose its noise on
the way: annealed Langevin dynamics (Song and Ermon, 2019). From s to a smaller s' a step

    x' = x - (s^2 - s'^2) dU_s/dx + (s'/s) (s^2 - s'^2)^(1/2) epsilon

takes the share a = 1 - s'^2/s^2 of the way to x - s^2 dU_s/dx, the mean of the data that x may be a noisy one of, and
draws as much noise as is lacking for s' then (Ho, Jain and Abbeel, 2020). A longer way with as little noise would end
at means of means.

Evidence is clamped by letting only some directions move: with an orthogonal projection P onto them, both the gradient
and the noise are projected, and the walk samples p on the plane of all points that agree with the evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

#: Points (B, ...) to energies (B,).
Energy = Callable[[Tensor], Tensor]
#: Changes (B, ...) to their part in the directions that are free; an orthogonal projection.
Projection = Callable[[Tensor], Tensor]
#: The sizes of one chain, each an argument, to random numbers of that size, a row for each chain.
Draw = Callable[..., Tensor]


def contrastive_loss(data: Tensor, drawn: Tensor) -> Tensor:
    """What has the gradient of the negative log-likelihood: mean energy of data minus mean energy of the model's draws.

    Args:
        data: energies of data, with shape (B,).
        drawn: energies of what chains reached, with shape (C,); the chains themselves without gradients.
    """
    return data.mean() - drawn.mean()


def denoising_loss(energy: Energy, noisy: Tensor, data: Tensor, variance: float | Tensor) -> Tensor:
    """Mean squared distance, over all numbers, from data to where one step down the energy leads.

    Args:
        energy: differentiable twice in what it learns.
        noisy: data with noise, with shape (B, ...).
        data: with shape (B, ...).
        variance: of the noise: how long the step is; of each point, with shape (B, 1, ...), where they differ.
    """
    with torch.enable_grad():
        noisy = noisy.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(energy(noisy).sum(), noisy, create_graph=True)
    return (noisy.detach() - variance * gradient - data).square().mean()


@dataclass(frozen=True)
class State:
    """Where chains are.

    Args:
        x: with shape (B, ...).
        energy: of each, with shape (B,).
        drift: where the energy alone would move them in one step, s^2 / 2 dU/dx within the free directions.
    """

    x: Tensor
    energy: Tensor
    drift: Tensor


@dataclass(frozen=True)
class Langevin:
    """Langevin dynamics.

    Args:
        energy: to be sampled.
        step: s, in units of x.
        adjusted: accept or refuse each step, which makes the walk exact.
        free: what may move; everything by default.
    """

    energy: Energy
    step: float
    adjusted: bool = False
    free: Projection = lambda change: change

    def at(self, x: Tensor) -> State:
        """Chains at ``x`` with shape (B, ...)."""
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            energy = self.energy(x)
            (gradient,) = torch.autograd.grad(energy.sum(), x)
        drift = self.free(0.5 * self.step**2 * gradient)
        return State(x.detach(), energy.detach(), drift)

    def proposal(self, state: State, epsilon: Tensor) -> State:
        """One step, not yet accepted, by standard normal ``epsilon`` of the size of x."""
        return self.at(state.x + (self.step * self.free(epsilon) - state.drift))

    def log_acceptance(self, old: State, new: State) -> Tensor:
        """Logarithm of the ratio of Metropolis and Hastings, with shape (B,); above 0 the step is always accepted."""
        there = (new.x - old.x + old.drift).flatten(1).square().sum(1)
        back = (old.x - new.x + new.drift).flatten(1).square().sum(1)
        return old.energy - new.energy + (there - back) / (2 * self.step**2)

    def advance(self, state: State, randn: Draw, rand: Draw) -> State:
        """One step of every chain.

        Args:
            state: before it.
            randn, rand: standard normal numbers, and uniform ones in [0, 1).
        """
        new = self.proposal(state, randn(*state.x.shape[1:]))
        if not self.adjusted:
            return new
        accepted = rand().log() < self.log_acceptance(state, new)
        return State(*(_chosen(accepted, getattr(new, k), getattr(state, k)) for k in ("x", "energy", "drift")))

    def walk(
        self,
        x: Tensor,
        steps: Iterable[int],
        randn: Draw,
        rand: Draw,
        watch: Callable[[int, Tensor], None] = lambda step, energies: None,
    ) -> State:
        """Many steps.

        Args:
            x: where the chains start, with shape (B, ...).
            steps: their numbers; an iterable that reports progress can end the walk.
            randn, rand: as for :meth:`advance`.
            watch: told of each step and of the energies (B,) before it.
        """
        state = self.at(x)
        for step in steps:
            watch(step, state.energy)
            state = self.advance(state, randn, rand)
        return state


@dataclass(frozen=True)
class Annealing:
    """Langevin dynamics that lose their noise on the way.

    Args:
        energy: of points (B, ...) that are data with noise of deviations (B, 1, ...), with shape (B,).
        free: what may move, and has noise; everything by default.
    """

    energy: Callable[[Tensor, Tensor], Tensor]
    free: Projection = lambda change: change

    def at(self, x: Tensor, deviation: Tensor) -> State:
        """Chains at ``x`` with shape (B, ...); their drift, to be subtracted, leads all the way to the mean."""
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            energy = self.energy(x, deviation)
            (gradient,) = torch.autograd.grad(energy.sum(), x)
        return State(x.detach(), energy.detach(), self.free(deviation.square() * gradient))

    def walk(
        self,
        x: Tensor,
        deviations: Iterable[Tensor],
        randn: Draw,
        watch: Callable[[int, Tensor], None] = lambda step, energies: None,
    ) -> State:
        """From each deviation to the next, and no further: x keeps the noise of the last.

        Args:
            x: where the chains start, with shape (B, ...), with noise of the first deviation.
            deviations: each with shape (B, 1, ...), falling; an iterable that reports progress can end the walk.
            randn: as for :meth:`Langevin.advance`.
            watch: told of the number of each place and of the energies (B,) there.
        """
        state, before = None, x
        for number, deviation in enumerate(deviations):
            if state is not None:
                share = 1 - (deviation / before).square()
                anew = deviation * share.sqrt()
                x = state.x - share * state.drift + anew * self.free(randn(*x.shape[1:]))
            state, before = self.at(x, deviation), deviation
            watch(number, state.energy)
        if state is None:
            raise ValueError("A walk without deviations leads nowhere.")
        return state


def falling(most: Tensor, least: float, steps: int) -> list[Tensor]:
    """Deviations of the noise for :meth:`Annealing.walk`, each the same share of the one before.

    Args:
        most: the first, with shape (B, 1, ...).
        least: the last.
        steps: between them.
    """
    ratio = least / most
    return [most * ratio ** (step / steps) for step in range(steps + 1)]


def still(x: Tensor) -> Draw:
    """No noise, for chains like ``x``: a walk with it goes straight down."""
    return lambda *shape: x.new_zeros(len(x), *shape)


def _chosen(which: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(which.reshape(-1, *[1] * (yes.ndim - 1)), yes, no)
