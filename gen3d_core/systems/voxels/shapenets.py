"""3D ShapeNets: a convolutional deep belief network over voxels.

Wu, Song, Khosla, Yu, Zhang, Tang and Xiao, *3D ShapeNets: A Deep Representation for Volumetric Shapes*, CVPR 2015.
Restricted Boltzmann machines, three of them convolutional, each learning the hidden states of the one below; on top an
associative memory over the last hidden states and the class y, so that

    p(v, h1 ... h5, y) = p(v|h1) p(h1|h2) p(h2|h3) p(h3|h4) p(h4, y, h5)

Each learns by contrastive divergence, the memory by its persistent kind with fast weights; see :mod:`...families.rbm`.
Shapes are drawn by Gibbs sampling in the memory and one pass down through probabilities. A part is completed by Gibbs
sampling with what is known put back each round.

Ours, and off in the preset ``paper``: before the memory learns, the four layers below are tuned together by back-
propagation through their pass up and down (Hinton and Salakhutdinov, 2006) with sampled states on top and part of the
shape hidden; the weights up and down stay the same. The learning rate falls along a cosine instead of being halved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import BadRequest
from ...families import rbm
from ...nn import occupancy
from ...nn.conv3d import hidden_cells, nearest
from ...representations import Voxels
from ...run import Run
from ...system import Asset, Batch, Loss, Noise, Stage, System, lerp


@dataclass(frozen=True)
class Config:
    """Sizes of the layers and how they learn.

    Args:
        maps: of the three convolutional layers.
        hidden: units of the fourth layer.
        memory: hidden units of the associative memory.
        classes: names of the classes, as catalogue shapes have them; other shapes have no label.
        drive: how much more the label counts on the way up to the memory.
        rates: learning rates of the five layers.
        sparsity: wanted frequency of the hidden units of the five layers; 0 wants none.
        sparsity_cost: how strongly.
        tune: whether the four layers below the memory are tuned together.
        unseen: share of the shapes that are tuned with a part hidden.
        weight: of full cells in the tuning's cross-entropy, in (0, 1).
        chains: persistent ones; of as many training shapes the states are kept for sampling to start at.
        burn_in: rounds of Gibbs sampling before a shape is drawn.
        fresh: start at random states, as published, instead of at those of training shapes.
        rounds: of completion.
        particles: chains that each completion is chosen from.
    """

    maps: tuple[int, int, int] = (24, 48, 104)
    hidden: int = 400
    memory: int = 800
    classes: tuple[str, ...] = ("chair", "table")
    drive: float = 10.0
    rates: tuple[float, float, float, float, float] = (0.1, 0.05, 0.05, 0.05, 0.01)
    sparsity: tuple[float, float, float, float, float] = (0.1, 0.1, 0.0, 0.0, 0.0)
    sparsity_cost: float = 0.1
    tune: bool = True
    unseen: float = 0.5
    weight: float = 0.6
    chains: int = 64
    burn_in: int = 100
    fresh: bool = False
    rounds: int = 12
    particles: int = 8


RESOLUTION = 24
#: Sides and steps of the cubes that hidden units see, and the empty cells around the grid.
KERNELS, STRIDES, PADDING = (6, 5, 4), (2, 2, 1), 3
#: Cells whose centre lies so far outside, in cells, still are full: at this resolution thin legs would else fall apart.
SLACK = 0.1
#: How many statistics a score is made of, and from how many shapes they are measured.
ODDITIES, MEASURED = 3, 1024
#: Shapes that are encoded at once.
AT_ONCE = 32
#: The memory's Gibbs rounds in each step of its training, and what a step leaves of the fast weights.
GIBBS, FADING = 1, 0.95


class ShapeNets(System):
    """Five layers of binary units over 24^3 cells."""

    Config = Config
    output = Voxels
    presets: ClassVar = {
        "small": {},
        "paper": {
            "maps": (48, 160, 512),
            "hidden": 1200,
            "memory": 4000,
            "rates": (0.01, 0.01, 0.01, 0.003, 0.003),
            "sparsity": (0.01, 0.02, 0.0, 0.0, 0.0),
            "sparsity_cost": 0.001,
            "tune": False,
            "burn_in": 2000,
            "fresh": True,
            "rounds": 50,
            "particles": 9,
        },
    }

    threshold: Tensor
    begun: Tensor
    labelled: Tensor
    fantasies: Tensor
    remembered: Tensor
    oddity_mean: Tensor
    oddity_std: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        layers: list[rbm.RBM] = []
        channels, side, padding = 1, RESOLUTION, PADDING
        for maps, kernel, stride in zip(config.maps, KERNELS, STRIDES, strict=True):
            layers.append(rbm.ConvRBM(channels, side, maps, kernel, stride, padding))
            channels, side, padding = maps, layers[-1].hidden[1], 0
        layers.append(rbm.RBM(layers[-1].hidden, config.hidden))
        self.layers = nn.ModuleList(layers)
        self.memory = rbm.LabelledRBM(config.hidden, len(config.classes), config.memory, config.drive)
        self.register_buffer("threshold", torch.tensor(0.5))
        # Which visible biases have been set to the frequencies of what they stand for.
        self.register_buffer("begun", torch.zeros(len(layers) + 1, dtype=torch.uint8))
        # Share of the shapes that have a label: as many of the chains have one.
        self.register_buffer("labelled", torch.tensor(1.0))
        # The memory's persistent chains, and states of training shapes; each with its label.
        self.register_buffer("fantasies", torch.zeros(config.chains, *self.memory.visible, dtype=torch.uint8))
        self.register_buffer("remembered", torch.zeros(config.chains, *self.memory.visible, dtype=torch.uint8))
        self.register_buffer("oddity_mean", torch.zeros(ODDITIES))
        self.register_buffer("oddity_std", torch.ones(ODDITIES))

    # Data

    def prepare(self, asset: Asset, run: Run) -> Batch:
        names = self.config.classes
        category = getattr(asset, "category", None)
        label = names.index(category) if category in names else -1
        return {"voxels": _voxels(asset)[None], "label": torch.tensor(label)}

    # Training

    def stages(self) -> list[Stage]:
        config = self.config
        steps = (800, 1200, 2000, 4000)
        costs = (0.13, 0.17, 0.04, 0.01)
        sizes = (32, 32, 32, 64)
        stages = [self._layer_stage(i, steps[i], sizes[i], costs[i]) for i in range(len(self._rbms))]
        if config.tune:
            stages.append(
                Stage(
                    "tune",
                    (self.layers,),
                    self._tune,
                    lambda network, parameters: torch.optim.Adam(parameters, lr=2e-3),
                    steps=5000,
                    batch_size=24,
                    finish=self._calibrate,
                    cosine=True,
                    cost=0.3,
                )
            )
        return [*stages, self._memory_stage()]

    def _layer_stage(self, index: int, steps: int, size: int, cost: float) -> Stage:
        layer, config = self._rbms[index], self.config

        def losses(batch: Batch, noise: Noise) -> Iterator[Loss]:
            v = self._up(batch["v"].float(), index, first=self._stored(index))
            contrast = rbm.contrastive_divergence(layer, v, lambda p: noise.rand(*p.shape))
            loss = contrast.loss / layer.positions
            if config.sparsity[index]:
                loss = loss + config.sparsity_cost * rbm.sparsity(layer, contrast.hidden, config.sparsity[index])
            yield layer, loss

        def dataset(data: Batch, run: Run) -> Batch:
            stored = self._encoded(data["voxels"], self._stored(index), run)
            if not self.begun[index]:
                total = torch.zeros(layer.visible, device=self.device)
                for x in _parts(stored):
                    total += self._up(x.float().to(self.device), index, self._stored(index)).sum(0)
                _begin(layer, total / len(stored))
                self.begun[index] = 1
            return {"v": stored}

        return Stage(
            f"layer{index + 1}",
            (layer,),
            losses,
            lambda network, parameters: rbm.Momentum(layer, config.rates[index], steps // 4),
            steps=steps,
            batch_size=size,
            dataset=dataset,
            cosine=True,
            cost=cost,
            finish=self._calibrate if index == len(self._rbms) - 1 else _nothing,
        )

    def _memory_stage(self) -> Stage:
        config, steps = self.config, 6000
        optimizers: list[rbm.Momentum] = []

        def optimizer(network: nn.Module, parameters: Iterator[nn.Parameter]) -> rbm.Momentum:
            # Published: the momentum stays low in the memory.
            optimizers[:] = [rbm.Momentum(self.memory, config.rates[-1], steps, fading=FADING)]
            return optimizers[0]

        def dataset(data: Batch, run: Run) -> Batch:
            codes, label = self._encoded(data["voxels"], len(self._rbms), run), data["label"]
            self.labelled.fill_(float((label >= 0).float().mean()))
            if not self.begun[-1]:
                mean = torch.cat([codes.float().mean(0), _one_hot(label, len(config.classes)).mean(0)])
                _begin(self.memory, mean.to(self.device), config.hidden)
                self.begun[-1] = 1
            return {"code": codes, "label": label}

        return Stage(
            "memory",
            (self.memory,),
            lambda batch, noise: self._associate(batch, noise, optimizers),
            optimizer,
            steps=steps,
            batch_size=64,
            dataset=dataset,
            finish=self._calibrate,
            cosine=True,
            cost=0.015,
        )

    @property
    def _rbms(self) -> list[rbm.RBM]:
        """The four layers below the memory."""
        return [layer for layer in self.layers if isinstance(layer, rbm.RBM)]

    def _stored(self, index: int) -> int:
        """Up to which layer shapes are encoded once for the stage of layer ``index``, and not in each step.

        The hidden states of the first layer are many more numbers than the cells.
        """
        return index if index > 1 else 0

    def _tune(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        x = batch["voxels"].float()
        seen = x
        if self.config.unseen:
            hidden = hidden_cells(x, noise.rand(len(x), 11)) & (noise.rand(len(x), 1, 1, 1, 1) < self.config.unseen)
            seen = torch.where(hidden, (noise.rand(*x.shape) < 0.5).float(), x)
        p = self._up(seen)
        # Sampled states on the way down, and the gradient as though there were none: what lies on top is binary.
        h = p + (rbm.bernoulli(p, lambda q: noise.rand(*q.shape)) - p).detach()
        weight = torch.where(x > 0, 2 * self.config.weight, 2 * (1 - self.config.weight))
        missed = functional.binary_cross_entropy_with_logits(self._down(h), x, weight, reduction="none")
        yield self.layers, missed.flatten(1).sum(1).mean()

    def _associate(self, batch: Batch, noise: Noise, optimizers: Sequence[rbm.Momentum]) -> Iterator[Loss]:
        """One step of the memory: the chains go on, and their states are compared with the data's."""
        code = batch["code"].float()
        units = rbm.bernoulli(code, lambda p: noise.rand(*p.shape))
        v = torch.cat([units, _one_hot(batch["label"], self.memory.labels)], dim=1)

        def uniform(p: Tensor) -> Tensor:
            # The same in every process that shares the step: all of them run all chains.
            return torch.rand(p.shape, generator=noise.generator).to(p.device)

        with torch.no_grad():
            chain = self.fantasies.float()
            if optimizers:
                with optimizers[0].hurried():
                    chain = self._walk(chain, uniform, GIBBS)
            else:
                chain = self._walk(chain, uniform, GIBBS)
            self.fantasies.copy_(chain)
        loss = rbm.persistent_contrast(self.memory, v, chain).loss
        if self.config.sparsity[-1]:
            loss = loss + self.config.sparsity_cost * rbm.sparsity(
                self.memory, self.memory.up(v), self.config.sparsity[-1]
            )
        yield self.memory, loss

    def _walk(self, chain: Tensor, uniform: rbm.Uniform, rounds: int) -> Tensor:
        """Rounds of Gibbs sampling in the memory; the first chains have labels, the others none."""
        labelled = round(float(self.labelled) * len(chain))
        for _ in range(rounds):
            chain = self.memory.draw_visible(self.memory.draw_hidden(chain, uniform), uniform)
            chain[labelled:, self.memory.units :] = 0
        return chain

    def _encoded(self, voxels: Tensor, depth: int, run: Run) -> Tensor:
        """Probabilities of the hidden units of layer ``depth``, in half precision; of none the cells themselves."""
        if not depth:
            return voxels
        return torch.cat([self._up(x.float().to(self.device), depth).half().cpu() for x in _parts(voxels)])

    @torch.no_grad()
    def _calibrate(self, data: Batch, run: Run) -> None:
        """Measures where to cut, so that shapes passed up and down are as full as they were, and the scale of scores.

        It also keeps states of shapes for sampling to start at.
        """
        few = data["voxels"][:: max(1, len(data["voxels"]) // MEASURED)]
        parts = [x.float().to(self.device) for x in _parts(few)]
        p = torch.cat([self._down(self._up(x)).sigmoid().flatten() for x in parts])
        wanted = float(torch.cat(parts).mean())
        self.threshold.fill_(min(max(occupancy.cut_at(p, wanted), 0.2), 0.8))
        oddities = torch.cat([self._oddities(x) for x in parts])
        self.oddity_mean.copy_(oddities.mean(0))
        self.oddity_std.copy_(oddities.std(0, correction=0).clamp_min(0.05))
        chosen = torch.arange(len(self.remembered)) * len(data["voxels"]) // len(self.remembered)
        codes = self._encoded(data["voxels"][chosen], len(self._rbms), run)
        labels = _one_hot(data["label"][chosen], self.memory.labels)
        self.remembered.copy_(torch.cat([(codes > 0.5).to(torch.uint8), labels.to(torch.uint8)], dim=1))

    # Passes

    def _up(self, v: Tensor, depth: int = 4, first: int = 0) -> Tensor:
        """Probabilities of the hidden units of layer ``depth``, counted from 1, of what layer ``first`` puts out."""
        for layer in self._rbms[first:depth]:
            v = layer.up(v)
        return v

    def _down(self, h: Tensor) -> Tensor:
        """Logits of the cells, with shape (B, 1, R, R, R), of states or probabilities (B, hidden) of layer 4."""
        for layer in self._rbms[:0:-1]:
            h = layer.down(h)
        return self._rbms[0].visible_input(h)

    def _grids(self, assets: Sequence[Asset]) -> Tensor:
        """With shape (B, 1, R, R, R), float."""
        return torch.stack([_voxels(asset) for asset in assets]).to(self.device).float()[:, None]

    # Abilities

    def prior(self, run: Run) -> Tensor:
        """Probabilities of the units of layer 4 after Gibbs sampling in the memory."""
        return self._dreamt(run, None)

    @torch.no_grad()
    def _dreamt(self, run: Run, label: int | None) -> Tensor:
        units, memory = self.memory.units, self.memory
        count = len(run.seeds)
        choice = run.rand()
        if self.config.fresh:
            v = torch.cat([0.5 * run.rand(units), run.rand(memory.labels)], dim=1)
        else:
            starts = self._starts(label)
            v = starts[(choice * len(starts)).long().clamp_max(len(starts) - 1)].float()

        def uniform(p: Tensor) -> Tensor:
            return run.rand(*p.shape[1:])

        def clamped(v: Tensor) -> Tensor:
            if label is not None or float(self.labelled) == 0:
                v[:, units:] = 0
            if label is not None:
                v[:, units + label] = 1
            return v

        v = clamped(v)
        h = memory.draw_hidden(v, uniform)
        for _ in run.track(range(self.config.burn_in)):
            v = clamped(memory.draw_visible(h, uniform))
            h = memory.draw_hidden(v, uniform)
        assert len(v) == count
        return memory.down(h)[:, :units]

    def _starts(self, label: int | None) -> Tensor:
        """States of training shapes to start from: those with the label, if there are any."""
        if label is None:
            return self.remembered
        own = self.remembered[self.remembered[:, self.memory.units + label] > 0]
        return own if len(own) else self.remembered

    def decode(self, z: Tensor, run: Run) -> list[Voxels]:
        with torch.no_grad():
            return [Voxels(p, float(self.threshold)) for p in self._down(z).sigmoid()[:, 0]]

    def mix(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        return lerp(a, b, t)

    def encode(self, assets: Sequence[Asset], run: Run) -> Tensor:
        with torch.no_grad():
            return self._up(self._grids(assets))

    def features(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """Probabilities of the units of layer 4."""
        return self.encode(assets, run)

    def class_names(self) -> tuple[str, ...]:
        return self.config.classes

    def from_class(self, name: str, run: Run) -> list[Voxels]:
        self._check_labels()
        if name not in self.config.classes:
            raise BadRequest(
                f"This model knows no class '{name}'.", f"Its classes are {', '.join(self.config.classes)}."
            )
        return self.decode(self._dreamt(run, self.config.classes.index(name)), run)

    def classify(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """By the memory's free energy with each of the labels."""
        self._check_labels()
        with torch.no_grad():
            return (-self.memory.free_energies(self._up(self._grids(assets)))).softmax(1)

    def _check_labels(self) -> None:
        if float(self.labelled) == 0:
            raise BadRequest("This model was trained on shapes without classes.", "Use Generate, or another model.")

    @torch.no_grad()
    def complete(self, partial: Asset, known: Tensor, run: Run) -> list[Voxels]:
        """Gibbs sampling with the known cells put back each round; the unknown ones are random at first.

        Each seed has several chains. Of all their states the one is taken that, before the known cells are put back,
        agrees with most of them: a chain that is in another kind of shape seldom leaves it.
        """
        mask = nearest(known.to(self.device), RESOLUTION)[None, None]
        given = self._grids([partial])
        cut, memory = float(self.threshold), self.memory
        seeds, chains = len(run.seeds), self.config.particles

        def uniform(p: Tensor) -> Tensor:
            return run.rand(chains, *p.shape[1:]).flatten(0, 1)

        v = torch.where(mask, given, (uniform(given.expand(seeds * chains, -1, -1, -1, -1)) < 0.5).float())
        label = torch.zeros(len(v), memory.labels, device=self.device)
        best, fewest = torch.zeros_like(v[::chains]), torch.full((seeds,), math.inf, device=self.device)
        for _ in run.track(range(self.config.rounds)):
            units = rbm.bernoulli(self._up(v), uniform)
            h = memory.draw_hidden(torch.cat([units, label], dim=1), uniform)
            drawn = memory.draw_visible(h, uniform)
            label = drawn[:, memory.units :] if float(self.labelled) else label
            p = self._down(memory.down(h)[:, : memory.units]).sigmoid()
            wrong = (((p >= cut) != (given > 0)) & mask).flatten(1).sum(1).float().reshape(seeds, chains)
            misses, which = wrong.min(1)
            better = misses < fewest
            fewest = torch.where(better, misses, fewest)
            found = p[torch.arange(seeds, device=self.device) * chains + which]
            best = torch.where(better[:, None, None, None, None], found, best)
            v = torch.where(mask, given, (p >= cut).float())
        # On the grid of the mask, where it is the finer one: what is known stays to its cell.
        size = max(len(known), RESOLUTION)
        kept = nearest(known.to(self.device), size)
        return [Voxels(one, cut).resized(size).keep(partial, kept) for one in best[:, 0]]

    def score(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """How many deviations a shape lies above the training shapes, the mean over :meth:`_oddities`."""
        with torch.no_grad():
            return ((self._oddities(self._grids(assets)) - self.oddity_mean) / self.oddity_std).mean(1)

    def _oddities(self, x: Tensor) -> Tensor:
        """Three statistics of occupancies (B, 1, R, R, R), with shape (B, 3).

        The logarithms of what the passes up and down miss and of the same for each full cell, and the memory's free
        energy in tens of nats, labels summed out.
        """
        codes = self._up(x)
        logits = self._down(codes)
        missed = functional.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
        full = x.flatten(1).sum(1).clamp_min(1)
        free = -torch.logsumexp(-self.memory.free_energies(codes), dim=1)
        return torch.stack([missed.clamp_min(1e-6).log(), (missed / full).clamp_min(1e-6).log(), free / 10], dim=1)


def _voxels(asset: Asset) -> Tensor:
    """Cells that are full, or nearly, with shape (R, R, R), bool."""
    return torch.as_tensor(np.asarray(asset.sdf_grid(RESOLUTION, 0.1) < SLACK / RESOLUTION))


def _parts(x: Tensor) -> Sequence[Tensor]:
    return x.split(AT_ONCE)


def _nothing(data: Batch, run: Run) -> None:
    """A layer by itself leaves nothing to be measured."""


def _one_hot(label: Tensor, count: int) -> Tensor:
    """With shape (B, count), float; all zero where the label is -1."""
    return functional.one_hot(label.clamp_min(0), count).float() * (label >= 0)[:, None]


@torch.no_grad()
def _begin(layer: rbm.RBM, mean: Tensor, units: int | None = None) -> None:
    """Sets visible biases to the log-odds of the mean states: else they would be all that is learnt for a long time.

    Args:
        mean: with shape (*visible).
        units: the binary ones; the rest are a label, whose log-probabilities are set.
    """
    p = mean.clamp(0.005, 0.995)
    bias = p.log() - (1 - p).log()
    if units is not None:
        bias[units:] = p[units:].log()
    layer.visible_bias.copy_(bias)
