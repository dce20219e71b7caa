"""Restricted Boltzmann machines: visible units v and hidden units h, all binary, no connections within either side.

With weights W, hidden biases c and visible biases b a pair of states has the energy, and so the probability,

    E(v, h) = -h'Wv - c'h - b'v,        p(v, h) = exp(-E(v, h)) / Z

Each side is independent given the other, and the hidden units can be summed out in closed form:

    p(h_j = 1 | v) = sigmoid(c + Wv)_j        p(v_i = 1 | h) = sigmoid(b + W'h)_i
    p(v) = exp(-F(v)) / Z,        F(v) = -b'v - sum_j log(1 + exp((c + Wv)_j))

As for every energy model, the gradient of the negative log-likelihood is a difference of two expectations,

    d/dtheta -log p(v) = E_{h ~ p(h|v)}[dE(v, h)/dtheta] - E_{(v, h) ~ p}[dE(v, h)/dtheta]

of which the second has no closed form. Contrastive divergence (Hinton, 2002) estimates it by k rounds of Gibbs sampling
that start at the data; persistent contrastive divergence (Tieleman, 2008) lets the chains go on from step to step, and
fast weights (Tieleman and Hinton, 2009), which follow the same gradient but forget, drive them out of where they are.
So the loss is E(data, h_data) - E(chain, h_chain), with all states detached: it is no likelihood, but its gradient by
autograd is exactly that estimate. E is linear in h, so probabilities in place of sampled h give the same expectation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Uniform numbers in [0, 1) of the size of the given probabilities: whoever samples says where they come from.
Uniform = Callable[[Tensor], Tensor]


def bernoulli(p: Tensor, uniform: Uniform) -> Tensor:
    """Zeros and ones, as floats, that are one with probabilities ``p``."""
    return (uniform(p) < p).to(p.dtype)


class RBM(nn.Module):
    """Every hidden unit sees every visible one.

    Args:
        visible: sizes of the visible states, without batch axis.
        hidden: how many hidden units.
    """

    def __init__(self, visible: Sequence[int], hidden: int) -> None:
        super().__init__()
        self.visible = tuple(visible)
        self.hidden: tuple[int, ...] = (hidden,)
        self._create((hidden, math.prod(self.visible)), hidden + math.prod(self.visible))

    def _create(self, weight: tuple[int, ...], fan: int) -> None:
        limit = math.sqrt(6 / fan)
        self.weight = nn.Parameter(torch.empty(weight).uniform_(-limit, limit))
        self.hidden_bias = nn.Parameter(torch.zeros(weight[0]))
        self.visible_bias = nn.Parameter(torch.zeros(self.visible))

    @property
    def positions(self) -> int:
        """At how many places each weight is used."""
        return math.prod(self.hidden) // len(self.hidden_bias)

    def hidden_input(self, v: Tensor) -> Tensor:
        """c + Wv, with shape (B, *hidden), of states (B, *visible): the logits of p(h|v)."""
        return functional.linear(v.flatten(1), self.weight, self.hidden_bias)

    def visible_input(self, h: Tensor) -> Tensor:
        """b + W'h, with shape (B, *visible), of states (B, *hidden): the logits of p(v|h)."""
        return (h @ self.weight).unflatten(1, self.visible) + self.visible_bias

    def up(self, v: Tensor) -> Tensor:
        """p(h = 1 | v)."""
        return self.hidden_input(v).sigmoid()

    def down(self, h: Tensor) -> Tensor:
        """p(v = 1 | h)."""
        return self.visible_input(h).sigmoid()

    def draw_hidden(self, v: Tensor, uniform: Uniform) -> Tensor:
        """A sample of p(h|v)."""
        return bernoulli(self.up(v), uniform)

    def draw_visible(self, h: Tensor, uniform: Uniform) -> Tensor:
        """A sample of p(v|h)."""
        return bernoulli(self.down(h), uniform)

    def energy(self, v: Tensor, h: Tensor, driven: Tensor | None = None) -> Tensor:
        """E(v, h), with shape (B,).

        Args:
            v, h: states or probabilities, with shapes (B, *visible) and (B, *hidden).
            driven: :meth:`hidden_input` of ``v``, where it has been computed already.
        """
        driven = self.hidden_input(v) if driven is None else driven
        return -(h * driven).flatten(1).sum(1) - (v * self.visible_bias).flatten(1).sum(1)

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = -log sum_h exp(-E(v, h)), with shape (B,)."""
        summed = functional.softplus(self.hidden_input(v)).flatten(1).sum(1)
        return -(v * self.visible_bias).flatten(1).sum(1) - summed


class ConvRBM(RBM):
    """Hidden maps whose units see a cube of the visible channels each, all units of a map through the same weights.

    In the energy, Wv is a 3D convolution and W'h its transpose. What pads the grid is known to be empty: it takes part
    in neither the energy nor the sampling. There is one hidden bias a map and one visible bias a cell.

    Args:
        channels, side: of the visible grids (channels, side, side, side).
        maps: hidden ones.
        kernel: side of the cube that a hidden unit sees.
        stride: from one cube to the next.
        padding: empty cells on every side.
    """

    def __init__(self, channels: int, side: int, maps: int, kernel: int, stride: int, padding: int = 0) -> None:
        nn.Module.__init__(self)
        self.stride, self.padding = stride, padding
        across, rest = divmod(side + 2 * padding - kernel, stride)
        if rest:
            raise ValueError(f"Kernels of {kernel} with stride {stride} do not tile {side} + 2 * {padding} cells.")
        self.visible = (channels, side, side, side)
        self.hidden = (maps, *[across + 1] * 3)
        self._create((maps, channels, kernel, kernel, kernel), kernel**3 * (maps + channels))
        # The same convolution with blocks of cells as channels: several times faster where there is one channel.
        self.folds = stride > 1 and kernel % stride == 0 and (side + 2 * padding) % stride == 0

    def hidden_input(self, v: Tensor) -> Tensor:
        if not self.folds:
            return functional.conv3d(v, self.weight, self.hidden_bias, self.stride, self.padding)
        padded = functional.pad(v, (self.padding,) * 6)
        return functional.conv3d(_folded(padded, self.stride), _folded(self.weight, self.stride), self.hidden_bias)

    def visible_input(self, h: Tensor) -> Tensor:
        if not self.folds:
            back = functional.conv_transpose3d(h, self.weight, stride=self.stride, padding=self.padding)
            return back + self.visible_bias
        back = _unfolded(functional.conv_transpose3d(h, _folded(self.weight, self.stride)), self.stride)
        a, b = self.padding, self.padding + self.visible[1]
        return back[:, :, a:b, a:b, a:b] + self.visible_bias


def _folded(x: Tensor, k: int) -> Tensor:
    """(N, C, k a, k b, k c) to (N, C k^3, a, b, c): blocks of cells become channels."""
    n, channels, *sides = x.shape
    a, b, c = (side // k for side in sides)
    return x.reshape(n, channels, a, k, b, k, c, k).permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(n, -1, a, b, c)


def _unfolded(x: Tensor, k: int) -> Tensor:
    """The inverse of :func:`_folded`."""
    n, _, a, b, c = x.shape
    return x.reshape(n, -1, k, k, k, a, b, c).permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(n, -1, a * k, b * k, c * k)


class LabelledRBM(RBM):
    """Besides binary visible units one label: K units of which exactly one is on, and all off where there is no label.

    States are (B, units + K), the label last. The label's units are one softmax given h. With ``drive`` 1 this is an
    RBM like any other. Above, the label counts so much more on the way up, as in 3D ShapeNets: few label units would
    else be drowned by many others. Then the two conditionals no longer belong to one energy; :meth:`free_energies` are
    those of the way up.

    Args:
        units: binary visible units.
        labels: K.
        hidden: how many hidden units.
        drive: factor of the label on the way up.
    """

    def __init__(self, units: int, labels: int, hidden: int, drive: float = 1.0) -> None:
        super().__init__((units + labels,), hidden)
        self.units, self.labels, self.drive = units, labels, drive

    def up(self, v: Tensor) -> Tensor:
        return self.hidden_input(self._driven(v)).sigmoid()

    def down(self, h: Tensor) -> Tensor:
        units, label = self.visible_input(h).split((self.units, self.labels), dim=1)
        return torch.cat([units.sigmoid(), label.softmax(1)], dim=1)

    def draw_visible(self, h: Tensor, uniform: Uniform) -> Tensor:
        p = self.down(h)
        numbers = uniform(p)
        units = (numbers[:, : self.units] < p[:, : self.units]).to(p.dtype)
        # One uniform number chooses the label: the first whose cumulated probability exceeds it.
        passed = p[:, self.units :].cumsum(1) <= numbers[:, self.units : self.units + 1]
        chosen = passed.sum(1).clamp_max(self.labels - 1)
        return torch.cat([units, functional.one_hot(chosen, self.labels).to(p.dtype)], dim=1)

    def free_energies(self, units: Tensor) -> Tensor:
        """F(units, label) for each label, with shape (B, K), of binary states or probabilities (B, units)."""
        inputs = functional.linear(units, self.weight[:, : self.units], self.hidden_bias)
        labels = self.drive * self.weight[:, self.units :].T
        summed = functional.softplus(inputs[:, None] + labels).sum(2)
        return -(units @ self.visible_bias[: self.units])[:, None] - self.visible_bias[self.units :] - summed

    def _driven(self, v: Tensor) -> Tensor:
        if self.drive == 1:
            return v
        return torch.cat([v[:, : self.units], self.drive * v[:, self.units :]], dim=1)


@dataclass(frozen=True)
class Contrast:
    """A step of contrastive divergence.

    Args:
        loss: E(data, h_data) - E(chain, h_chain), the mean over the batch; for its gradient.
        hidden: p(h|data), with shape (B, *hidden).
        chain: where Gibbs sampling went, with shape (B, *visible); probabilities or binary.
    """

    loss: Tensor
    hidden: Tensor
    chain: Tensor


def contrastive_divergence(
    rbm: RBM, data: Tensor, uniform: Uniform, steps: int = 1, probabilities: bool = True
) -> Contrast:
    """CD-k: ``steps`` rounds of Gibbs sampling from the data.

    Args:
        rbm: that learns; not one with labels, whose way up may have another drive.
        data: states or probabilities, with shape (B, *visible).
        uniform: see :data:`Uniform`.
        steps: k.
        probabilities: whether the last visible states are probabilities instead of samples: less noise, as Hinton's
            practical guide (2010) has it, but then the estimate stays slightly biased however many steps are made.
    """
    driven = rbm.hidden_input(data)
    p = driven.detach().sigmoid()
    with torch.no_grad():
        h = bernoulli(p, uniform)
        for _ in range(steps - 1):
            h = rbm.draw_hidden(rbm.draw_visible(h, uniform), uniform)
        v = rbm.down(h) if probabilities else rbm.draw_visible(h, uniform)
    again = rbm.hidden_input(v)
    q = again.detach().sigmoid()
    return Contrast((rbm.energy(data, p, driven) - rbm.energy(v, q, again)).mean(), p, v)


def persistent_contrast(rbm: RBM, data: Tensor, chain: Tensor) -> Contrast:
    """The loss with chains that were run elsewhere.

    Args:
        rbm: that learns.
        data, chain: binary states, with shapes (B, *visible) and (C, *visible).
    """
    with torch.no_grad():
        p, q = rbm.up(data), rbm.up(chain)
    return Contrast(rbm.energy(data, p).mean() - rbm.energy(chain, q).mean(), p, chain)


def sparsity(rbm: RBM, hidden: Tensor, target: float) -> Tensor:
    """A term whose gradient moves the hidden biases, and nothing else, until units are on with frequency ``target``.

    Lee, Ekanadham and Ng, *Sparse Deep Belief Net Model for Visual Area V2*, 2007.

    Args:
        rbm: that learns.
        hidden: p(h|data), with shape (B, *hidden).
        target: wanted mean of ``hidden`` of each unit, or map.
    """
    mean = hidden.detach().transpose(0, 1).flatten(1).mean(1)
    return ((mean - target) * rbm.hidden_bias).sum()


class Momentum(torch.optim.Optimizer):
    """Gradient descent as deep belief networks are trained: heavy-ball momentum that starts low, and fast weights.

    Args:
        rbm: whose parameters learn. Weights and hidden biases learn from means over positions, so that ``rate`` means
            the same for every layer; a visible bias is used at one position, and learns that much faster.
        rate: learning rate.
        slow: momentum is ``momentum[0]`` for so many steps, then ``momentum[1]``.
        momentum: both of them.
        decay: of the weights, not of the biases.
        fading: what a step leaves of the fast weights; 0 has none.
    """

    def __init__(
        self,
        rbm: RBM,
        rate: float,
        slow: int,
        momentum: tuple[float, float] = (0.5, 0.9),
        decay: float = 1e-5,
        fading: float = 0.0,
    ) -> None:
        groups = [
            {"params": [rbm.weight], "decay": decay},
            {"params": [rbm.hidden_bias], "decay": 0.0},
            {"params": [rbm.visible_bias], "decay": 0.0, "lr": rate * rbm.positions},
        ]
        self.fading = fading
        super().__init__(groups, {"lr": rate, "slow": slow, "momentum": momentum, "made": 0})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            low, high = group["momentum"]
            kept = low if group["made"] < group["slow"] else high
            group["made"] += 1
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                moved = state.setdefault("moved", torch.zeros_like(p))
                moved.mul_(kept).add_(p.grad + group["decay"] * p, alpha=-group["lr"])
                p.add_(moved)
                if self.fading:
                    state.setdefault("fast", torch.zeros_like(p)).mul_(self.fading).add_(moved)

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Inside, the fast weights are added to the weights: for the chains."""
        parameters = [p for group in self.param_groups for p in group["params"]]
        kept = [p.detach().clone() for p in parameters]
        with torch.no_grad():
            for p in parameters:
                if "fast" in self.state[p]:
                    p.add_(self.state[p]["fast"])
        try:
            yield
        finally:
            with torch.no_grad():
                for p, value in zip(parameters, kept, strict=True):
                    p.copy_(value)
