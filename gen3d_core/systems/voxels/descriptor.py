"""3D DescriptorNet, an energy-based model of voxel grids.

Xie, Zheng, Gao, Wang, Zhu and Wu, *Learning Descriptor Networks for 3D Shape Synthesis and Analysis*, CVPR 2018. A
convolutional network f tilts a Gaussian of deviation sigma around the mean of the data:

    p(x) = exp(f(x)) q(x) / Z,      U(x) = |x - mean|^2 / (2 sigma^2) - f(x)

It learns from Langevin chains: some persist from step to step, some recover data of which a part was hidden, and some
recover data that were averaged over blocks of 2^3 cells. So the same walk draws shapes, completes them with the given
cells clamped, and doubles their resolution with the mean of every block clamped. The energy says how unusual a shape
is.

Ours, for a training on a processor core:

- The reference density has two peaks for each cell, empty and full, as the data have; the network is left to learn how
  cells belong together. The data carry the noise of such a peak.
- Denoising score matching warms the network up, and goes on beside the chains.
- A new chain starts from a Gaussian with the mean of the data and their covariance on a coarse grid, which is nearer to
  shapes than white noise. New shapes start there too.
- Between steps a persistent chain is kept as its occupancy, a bit a cell: 4 KB each, in checkpoints and in the trained
  model, so that a training goes on with its own chains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...families import ebm
from ...nn.conv3d import nearest
from ...representations import Voxels
from ...run import Run
from ...system import Asset, Batch, Loss, Noise, Stage, System

RESOLUTION = 32
#: Side of the grid on which the covariance of the data is kept.
COARSE = 8
#: No cell is thought to be full, or empty, more seldom than this.
RARE = 0.002


@dataclass(frozen=True)
class Config:
    """Sizes of the network and rules of the walk.

    Args:
        channels, kernels, strides: of the convolutions; their padding is as little as reaches every cell.
        hidden: width of a fully connected layer before the energy; 0 for none, as published.
        smooth: SiLU, whose gradient has no steps, in place of ReLU.
        gain: what the network's output is multiplied by: how steep it is from the start.
        cells: the reference density has two peaks for each cell, empty and full as often as in the data, in place of
            one around their mean.
        sigma: deviation of the reference density's peaks.
        step: of the walk, in units of occupancy.
        steps: of the walk, for each update of the network.
        limit: the largest change of one cell by the drift of one step; 0 for none.
        noisy: the data carry the noise that the walk has around a peak of the reference density.
        shares: of the chains that persist and that complete; the others double the resolution.
        restart: probability that a persistent chain starts anew.
        chains: how many persist.
        directions: of the covariance of the data, for new chains; 0 for white noise of the reference Gaussian.
        calm: weight of the squared output of the network in the loss.
        rate: of Adam.
        average: exponential moving average of the weights, by decay; 0 for none.
        warm: steps of score matching before the first chain; 0 for none, as published.
        warm_rate: of Adam, for those.
        anchor: weight of score matching beside the chains; 0 for none, as published.
        walk: steps from a new start to a shape.
        onward: steps from where a persistent chain was.
        adjusted: accept or refuse each step of a shape's walk by the rule of Metropolis and Hastings.
    """

    channels: tuple[int, ...] = (16, 32, 64)
    kernels: tuple[int, ...] = (4, 4, 4)
    strides: tuple[int, ...] = (2, 2, 2)
    hidden: int = 64
    smooth: bool = True
    gain: float = 10.0
    cells: bool = True
    sigma: float = 0.35
    step: float = 0.2
    steps: int = 20
    limit: float = 0.2
    noisy: bool = True
    shares: tuple[float, float] = (0.45, 0.35)
    restart: float = 0.1
    chains: int = 48
    directions: int = 32
    calm: float = 0.01
    rate: float = 5e-4
    average: float = 0.99
    warm: int = 4000
    warm_rate: float = 2e-3
    anchor: float = 1.0
    walk: int = 120
    onward: int = 30
    adjusted: bool = False


@dataclass(frozen=True)
class Trace:
    """A walk.

    Args:
        shapes: at its end.
        energies: before each step and after the last, with shape (steps + 1, B).
    """

    shapes: list[Voxels]
    energies: Tensor


class Descriptor(System):
    """Energy of voxel grids, and the walks on it."""

    Config = Config
    output = Voxels
    presets: ClassVar = {
        "small": {},
        "paper": {
            "channels": (200, 100),
            "kernels": (16, 6),
            "strides": (3, 2),
            "hidden": 0,
            "smooth": False,
            "gain": 1.0,
            "cells": False,
            "sigma": 0.5,
            "step": 0.1,
            "limit": 0.0,
            "noisy": False,
            "shares": (1.0, 0.0),
            "restart": 0.0,
            "chains": 20,
            "directions": 0,
            "calm": 0.0,
            "rate": 0.01,
            "average": 0.0,
            "warm": 0,
            "anchor": 0.0,
        },
    }

    mean: Tensor
    spread: Tensor
    chains: Tensor
    usual: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.network = Network(config)
        self.register_buffer("mean", torch.zeros((RESOLUTION,) * 3))
        #: Directions of the coarse covariance, each as long as its deviation.
        self.register_buffer("spread", torch.zeros(config.directions, *(COARSE,) * 3))
        # All bits set: no chain begins as a full cube, so it says that none is kept there yet.
        self.register_buffer("chains", torch.full((config.chains, RESOLUTION**3 // 8), 255, dtype=torch.uint8))
        #: Mean and deviation of the energies of the data.
        self.register_buffer("usual", torch.tensor([0.0, 1.0]))

    # Data

    def prepare(self, asset: Asset, run: Run) -> Batch:
        return {"voxels": torch.as_tensor(asset.voxels(RESOLUTION))}

    # Training

    def stages(self) -> list[Stage]:
        config = self.config
        warming = Stage(
            "denoise",
            (self.network,),
            self._denoise,
            lambda network, parameters: torch.optim.Adam(parameters, lr=config.warm_rate),
            steps=config.warm,
            batch_size=16,
            average={self.network: 0.99},
            dataset=self._survey,
            finish=self._calibrate,
            cosine=True,
            cost=0.15,
        )
        return [
            *([warming] if config.warm else []),
            Stage(
                "energy",
                (self.network,),
                self._contrast,
                lambda network, parameters: torch.optim.Adam(parameters, lr=config.rate, betas=(0.5, 0.999)),
                steps=300,
                batch_size=12 if config.average else 20,
                average={self.network: config.average} if config.average else {},
                dataset=self._survey,
                finish=self._calibrate,
                cosine=bool(config.average),
            ),
        ]

    def _survey(self, data: Batch, run: Run) -> Batch:
        """Measures what new chains start from: the mean of the data and their covariance on the coarse grid."""
        total = sum(part.sum(0).double() for part in data["voxels"].split(256))
        self.mean.copy_(torch.as_tensor(total) / len(data["voxels"]))
        if self.config.directions:
            parts = [functional.avg_pool3d(p.float()[:, None], RESOLUTION // COARSE) for p in data["voxels"].split(256)]
            coarse = torch.cat(parts).flatten(1).double()
            coarse = coarse - coarse.mean(0)
            values, vectors = torch.linalg.eigh(coarse.T @ coarse / len(coarse))
            # eigh is free to choose signs; chosen here, so that every machine starts chains alike.
            vectors = vectors * torch.where(vectors.gather(0, vectors.abs().argmax(0)[None]) < 0, -1.0, 1.0)
            kept = (vectors * values.clamp_min(0).sqrt()).flip(1)[:, : self.config.directions]
            self.spread.copy_(kept.T.reshape(self.spread.shape))
        return data

    def _denoise(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        yield self.network, self._matching(batch["voxels"].float(), noise)

    def _matching(self, full: Tensor, noise: Noise) -> Tensor:
        """Denoising score matching, in nats: back from noise, from blur, and from regions that another shape fills."""
        count = len(full)
        kind, amount = noise.rand(count, 2)[..., None, None, None].unbind(1)
        mean = functional.avg_pool3d(self.mean[None], RESOLUTION // COARSE)
        coarse = (functional.avg_pool3d(full, RESOLUTION // COARSE) - mean).flatten(1)
        directions = self.spread.flatten(1)
        z = coarse @ directions.T / directions.square().sum(1).clamp_min(1e-6)
        still = torch.zeros_like(full)
        own, other = self._fresh(z, still), self._fresh(noise.randn(count, self.config.directions), still)
        hidden = _hidden(noise.rand(count, 8), noise.rand(*full.shape))
        far = torch.where(kind < 0.3, own, torch.where(hidden, torch.where(kind < 0.55, own, other), full))
        far = torch.where(kind >= 0.8, _blocks(full), far)
        noisy = full + amount * (far - full) + self.jitter * noise.randn(*full.shape)
        variance = self.jitter**2
        return ebm.denoising_loss(self._energy, noisy, full, variance) * RESOLUTION**3 / (2 * variance)

    def _contrast(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        config = self.config
        full = batch["voxels"].float()
        count = len(full)
        x = full + self.jitter * noise.randn(*full.shape)
        kind, again = noise.rand(count, 2).unbind(1)
        slots, number = self._slots(noise, count)
        # More chains in a batch than there are places: the rest completes.
        persistent = (kind < config.shares[0]) & (number < config.chains)
        doubling = kind >= sum(config.shares)
        kept = self._unpacked(slots) + self.jitter * noise.randn(*full.shape)
        fresh = self._fresh(noise.randn(count, config.directions), noise.randn(*full.shape))
        old = (again >= config.restart) & (self.chains[slots] < 255).any(1)
        hidden = persistent[:, None, None, None] | _hidden(noise.rand(count, 8), noise.rand(*full.shape))
        start = torch.where(hidden, fresh, x)
        start = torch.where((persistent & old)[:, None, None, None], kept, start)
        start = torch.where(doubling[:, None, None, None], _blocks(x), start)
        reached = self._dynamics(_free(hidden, doubling)).walk(
            start,
            range(config.steps),
            lambda *shape: noise.randn(count, *shape),
            lambda *shape: noise.rand(count, *shape),
        )
        self._keep(reached.x, slots, persistent, noise)
        found = self.network(torch.cat([x, reached.x]) - self.mean)
        # Of the energy only f learns: what the reference density says of either side has no gradient, but much noise.
        energies = -config.gain * found
        calm = config.calm * found.square().mean()
        loss = ebm.contrastive_loss(energies[:count], energies[count:]) + calm
        if config.anchor:
            loss = loss + config.anchor * self._matching(full, noise)
        yield self.network, loss

    def _slots(self, noise: Noise, count: int) -> tuple[Tensor, Tensor]:
        """Which chain each shape of this process's batch goes on with, and the shape's number in the whole batch."""
        whole = noise.whole or count
        order = torch.randperm(self.config.chains, generator=torch.Generator().manual_seed(int(noise.common() * 2**31)))
        number = torch.arange(whole)[noise.share] if noise.whole else torch.arange(count)
        return order[number % self.config.chains].to(self.device), number.to(self.device)

    def _keep(self, x: Tensor, slots: Tensor, persistent: Tensor, noise: Noise) -> None:
        """Remembers where persistent chains are, in all processes that share the batch."""
        rows = torch.cat([persistent[:, None].float(), slots[:, None].float(), _packed(self._full(x)).float()], dim=1)
        if noise.whole:
            own, rows = rows, rows.new_zeros(noise.whole, rows.shape[1])
            rows[noise.share] = own
            rows = noise.total(rows)
        rows = rows[rows[:, 0] > 0]
        self.chains[rows[:, 1].long()] = rows[:, 2:].to(torch.uint8)

    def _calibrate(self, data: Batch, run: Run) -> None:
        with torch.no_grad():
            parts = data["voxels"][:1024].split(32)
            energies = torch.cat([self._energy(part.float().to(self.device)) for part in parts])
        self.usual.copy_(torch.stack([energies.mean(), energies.std(correction=0).clamp_min(1e-3)]))

    # The energy, and walks on it

    @property
    def jitter(self) -> float:
        """Deviation of the noise on data: with long steps, a walk is a little wider than the peak it is on."""
        variance, step = self.config.sigma**2, self.config.step
        return (variance / (1 - step**2 / (4 * variance))) ** 0.5 if self.config.noisy else 0.0

    def _reference(self, x: Tensor) -> Tensor:
        """-log q up to a constant, of grids (B, R, R, R), with shape (B,)."""
        variance = self.config.sigma**2
        if not self.config.cells:
            return (x - self.mean).flatten(1).square().sum(1) / (2 * variance)
        return _Peaks.apply(x, self._odds, variance)  # type: ignore[return-value]  # untyped

    def _energy(self, x: Tensor) -> Tensor:
        """U of grids (B, R, R, R), with shape (B,)."""
        return self._reference(x) - self.config.gain * self.network(x - self.mean)

    def _dynamics(self, free: ebm.Projection, adjusted: bool = False) -> ebm.Langevin:
        return ebm.Langevin(self._energy, self.config.step, adjusted, free, self.config.limit or float("inf"))

    def _fresh(self, z: Tensor, epsilon: Tensor) -> Tensor:
        """Starts of new chains (B, R, R, R), from standard normal (B, directions) and (B, R, R, R)."""
        if not self.config.directions:
            return self.mean + self.config.sigma * epsilon
        coarse = (z @ self.spread.flatten(1)).reshape(-1, 1, *(COARSE,) * 3)
        smooth = functional.interpolate(coarse, size=RESOLUTION, mode="trilinear")[:, 0]
        return (self.mean + smooth).clamp(0, 1) + self.jitter * epsilon

    def _full(self, x: Tensor) -> Tensor:
        """Which cells of noisy grids (B, R, R, R) are full, most probably: seldom full ones need more of a reason."""
        if not self.config.cells:
            return x >= 0.5
        return self._odds + (x - 0.5) / self.config.sigma**2 >= 0

    @property
    def _odds(self) -> Tensor:
        """Logarithms of how much oftener full than empty each cell is, with shape (R, R, R)."""
        return self.mean.clamp(RARE, 1 - RARE).logit()

    def _unpacked(self, slots: Tensor) -> Tensor:
        """Occupancy (B, R, R, R), float, of kept chains."""
        bits = torch.arange(8, device=slots.device)
        return (self.chains[slots][..., None] >> bits & 1).float().reshape(-1, *(RESOLUTION,) * 3)

    def _walk(self, start: Tensor, free: ebm.Projection, run: Run, steps: int) -> Trace:
        """Walks over noisy shapes, then jumps to the mean of the shapes that each may be a noisy one of.

        Saremi and Hyvarinen, *Neural Empirical Bayes*, 2019: with U of shapes with noise of variance v, that mean is
        x - v dU/dx.
        """
        energies: list[Tensor] = []
        dynamics = self._dynamics(free, self.config.adjusted)
        state = dynamics.at(start)
        for step in run.track(range(steps)):
            energies.append(state.energy)
            if step % 5 == 0:
                run.note(f"energy {float(state.energy[0]):.1f}")
            state = dynamics.advance(state, run.randn, run.rand)
        jump = ebm.Langevin(self._energy, 2**0.5 * self.jitter, free=free).at(state.x).drift
        values = (state.x - jump).clamp(0, 1)
        return Trace([Voxels(one) for one in values], torch.stack([*energies, state.energy]))

    # Abilities

    def sample(self, run: Run) -> list[Voxels]:
        return [shape.largest_component() for shape in self.trace(run).shapes]

    def trace(self, run: Run) -> Trace:
        """Draws a shape per seed, and says how its energy went.

        As in the paper, shapes are where persistent chains are: each seed goes on with one of those that were kept, or
        begins a new one where none was.
        """
        z, epsilon, chooser = run.randn(self.config.directions), run.randn(*(RESOLUTION,) * 3), run.rand()
        kept = (self.chains < 255).any(1).nonzero()[:, 0]
        if not len(kept):
            return self._walk(self._fresh(z, epsilon), lambda change: change, run, self.config.walk)
        chosen = kept[(chooser * len(kept)).long().clamp_max(len(kept) - 1)]
        start = self._unpacked(chosen) + self.jitter * epsilon
        return self._walk(start, lambda change: change, run, self.config.onward)

    def complete(self, partial: Asset, known: Tensor, run: Run) -> list[Voxels]:
        """Walks with the given cells clamped."""
        mask = nearest(known.to(self.device), RESOLUTION)
        given = self._voxels([partial]) + self.jitter * run.randn(*(RESOLUTION,) * 3)
        fresh = self._fresh(run.randn(self.config.directions), run.randn(*(RESOLUTION,) * 3))
        trace = self._walk(torch.where(mask, given, fresh), lambda change: change * ~mask, run, self.config.walk)
        return [shape.keep(partial, mask) for shape in trace.shapes]

    def refine(self, assets: Sequence[Asset], run: Run) -> list[Voxels]:
        """Walks with the mean of every block of 2^3 cells clamped: all that is seen is how full each block is."""
        found = []
        for i, asset in enumerate(assets):
            with run.span(i / len(assets), (i + 1) / len(assets)):
                one = _seeded(run.seeds[i % len(run.seeds)], run)
                coarse = _blocks(self._voxels([asset]))
                start = coarse + _fine(self.jitter * one.randn(*(RESOLUTION,) * 3))
                (shape,) = self._walk(start, _fine, one, self.config.walk).shapes
                found.append(Voxels(_as_full(shape.values, coarse[0])))
        return found

    def score(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """How many deviations the energy lies above that of the training shapes."""
        with torch.no_grad():
            return (self._energy(self._voxels(assets)) - self.usual[0]) / self.usual[1]

    def _voxels(self, assets: Sequence[Asset]) -> Tensor:
        """With shape (B, R, R, R), float."""
        return torch.stack([torch.as_tensor(a.voxels(RESOLUTION)) for a in assets]).to(self.device).float()


def _seeded(seed: int, run: Run) -> Run:
    """A run of one seed whose progress is that of ``run``."""

    def on_progress(fraction: float) -> bool:
        run.report(fraction)
        return True

    return Run([seed], run.device, on_progress, run.on_note)


class _Peaks(torch.autograd.Function):
    """-log((1 - m) N(x; 0) + m N(x; 1)) for cells that are full with log-odds logit(m), summed over each grid.

    Its gradient is written out: it is half of what a step of the walk would cost beside the network.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, odds: Tensor, variance: float) -> Tensor:
        full = odds + (x - 0.5) / variance
        ctx.save_for_backward((x - full.sigmoid()) / variance)
        return (x.square() / (2 * variance) - functional.softplus(full)).flatten(1).sum(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return gradients[0][:, None, None, None] * slope, None, None


class Network(nn.Module):
    """f: convolutions, and a number for each grid."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        activation = nn.SiLU if config.smooth else nn.ReLU
        self.reach = _padding(RESOLUTION, config.kernels[0], config.strides[0])
        self.stride = config.strides[0]
        # A grid has one channel, for which convolutions are slow. Cells that a stride jumps over become channels where
        # the kernel is a multiple of the stride: the same sums, several times as fast.
        self.gathers = config.kernels[0] % self.stride == 0 and (RESOLUTION + sum(self.reach)) % self.stride == 0
        if self.gathers:
            self.first = nn.Conv3d(self.stride**3, config.channels[0], config.kernels[0] // self.stride)
        else:
            self.first = nn.Conv3d(1, config.channels[0], config.kernels[0], self.stride)
        side = _side(RESOLUTION, self.stride)
        layers: list[nn.Module] = [activation()]
        for (before, after), kernel, stride in zip(
            pairwise(config.channels), config.kernels[1:], config.strides[1:], strict=True
        ):
            layers += [_padded(before, after, kernel, stride, _padding(side, kernel, stride)), activation()]
            side = _side(side, stride)
        last = side**3 * config.channels[-1]
        layers.append(nn.Flatten())
        if config.hidden:
            layers += [nn.Linear(last, config.hidden), activation()]
        self.rest = nn.Sequential(*layers, nn.Linear(config.hidden or last, 1))

    def forward(self, x: Tensor) -> Tensor:
        """With shape (B,), of grids (B, R, R, R) less their mean."""
        x = functional.pad(x, self.reach * 3)
        if self.gathers:
            s, m = self.stride, x.shape[-1] // self.stride
            x = x.reshape(-1, m, s, m, s, m, s).permute(0, 2, 4, 6, 1, 3, 5).reshape(-1, s**3, m, m, m)
        else:
            x = x[:, None]
        return self.rest(self.first(x))[:, 0]


def _padded(before: int, after: int, kernel: int, stride: int, reach: tuple[int, int]) -> nn.Module:
    if reach[0] == reach[1]:
        return nn.Conv3d(before, after, kernel, stride, reach[0])
    return nn.Sequential(nn.ConstantPad3d(reach * 3, 0.0), nn.Conv3d(before, after, kernel, stride))


def _side(side: int, stride: int) -> int:
    """Side of what a convolution puts out that reaches every cell."""
    return -(-side // stride)


def _padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after, for that."""
    total = max((_side(side, stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def _packed(full: Tensor) -> Tensor:
    """Bits of (B, R, R, R), bool, with shape (B, R^3 / 8), uint8."""
    bits = full.reshape(len(full), -1, 8).to(torch.uint8)
    return (bits << torch.arange(8, device=full.device, dtype=torch.uint8)).sum(2).to(torch.uint8)


def _blocks(x: Tensor) -> Tensor:
    """Each cell's mean over its block of 2^3 cells."""
    half = RESOLUTION // 2
    blocks = x.reshape(-1, half, 2, half, 2, half, 2)
    return blocks.mean((2, 4, 6), keepdim=True).expand_as(blocks).reshape(x.shape)


def _fine(change: Tensor) -> Tensor:
    """The part of a change that leaves the mean of every block as it is."""
    return change - _blocks(change)


def _as_full(values: Tensor, coarse: Tensor) -> Tensor:
    """Shifts values (R, R, R), block by block, until as many cells reach 0.5 as the block's mean says."""
    half = RESOLUTION // 2
    order = (half, 2, half, 2, half, 2)
    blocks = values.reshape(order).permute(0, 2, 4, 1, 3, 5).reshape(-1, 8)
    count = (8 * coarse[::2, ::2, ::2]).round().long().reshape(-1)
    ranked = torch.cat([blocks.new_full((len(blocks), 1), 2.0), blocks.sort(1, descending=True).values], dim=1)
    ranked = torch.cat([ranked, blocks.new_full((len(blocks), 1), -1.0)], dim=1)
    edge = (ranked.gather(1, count[:, None]) + ranked.gather(1, count[:, None] + 1)) / 2
    shifted = (blocks - edge + 0.5).clamp(0, 1)
    return shifted.reshape(half, half, half, 2, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(values.shape)


def _free(hidden: Tensor, doubling: Tensor) -> ebm.Projection:
    """What moves in walks: hidden cells (B, R, R, R), or, where ``doubling`` (B,), blocks around their mean."""
    cells = hidden.float()

    def project(change: Tensor) -> Tensor:
        moved = change * cells
        moved[doubling] = _fine(change[doubling])
        return moved

    return project


def _hidden(numbers: Tensor, cells: Tensor) -> Tensor:
    """Cells to be recovered, with shape (B, R, R, R), bool: halves, octants, boxes, and scattered cells.

    Args:
        numbers: uniform in [0, 1), with shape (B, 8).
        cells: uniform in [0, 1), with shape (B, R, R, R).
    """
    count = len(numbers)
    kind, which = numbers[:, 0], numbers[:, 1]
    low, size = numbers[:, 2:5], 0.3 + 0.5 * numbers[:, 5:8]
    # A half starts at one of the grid's sides and leaves the other two axes whole; an octant starts at sides of all.
    axis = functional.one_hot((which * 3).long(), 3).bool()
    near = low < 0.5
    side = torch.where(near, torch.zeros_like(size), 1 - size)
    half, octant = (kind < 0.45)[:, None], (kind < 0.6)[:, None]
    start = torch.where(
        half, torch.where(axis, side, torch.zeros_like(side)), torch.where(octant, side, low * (1 - size))
    )
    length = torch.where(half & ~axis, torch.ones_like(size), size)
    centres = (torch.arange(RESOLUTION, device=cells.device) + 0.5) / RESOLUTION
    inside = (centres >= start[..., None]) & (centres < (start + length)[..., None])
    box = inside[:, 0, :, None, None] & inside[:, 1, None, :, None] & inside[:, 2, None, None, :]
    scattered = (kind >= 0.85).reshape(count, 1, 1, 1)
    return torch.where(scattered, cells < 0.7, box)
