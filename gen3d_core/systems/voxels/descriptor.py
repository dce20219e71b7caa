"""3D DescriptorNet, an energy-based model of voxel grids.

Xie, Zheng, Gao, Wang, Zhu and Wu, *Learning Descriptor Networks for 3D Shape Synthesis and Analysis*, CVPR 2018. A
convolutional network f tilts a simple density q of noisy grids:

    p(x) = exp(f(x)) q(x) / Z,      U(x) = -log q(x) - f(x)

As published q is a Gaussian around the mean of the data. The network learns from Langevin chains, which persist from
step to step. The same walk draws shapes, completes them with the given cells clamped, and doubles their resolution with
the mean of every block of 2^3 cells clamped. The energy says how unusual a shape is.

Ours, for a training on a processor core (of this, the preset "paper" only keeps its chains as we do):

- Cells are empty or full, so q has a peak for each, with noise of deviation s around it. By Bayes' rule the noisy cell
  x tells as much about its content as the log-odds

      l = e + (x - 1/2) / s^2,      U_s(x) = |x|^2 / (2 s^2) - sum log(1 + exp(o + l)) - f(l),

  where o are the log-odds of each cell in the data, and e those of what is given: cells that are known, or how full
  blocks are, interpolated. For the true density, f + sum log(1 + exp(o + l)) is the cumulant generating function of the
  data at l, whatever s. So a single f serves all noise and all that may be given, and x - s^2 dU/dx, the mean of the
  shapes that x may be a noisy one of, is sigmoid(o + l) + df/dl.
- f compares how well l fits cells that are independent with how well it fits those that a context makes likely. The
  context is the output of a small network that looks at the whole grid.
- Walks lose their noise on the way (annealed Langevin dynamics) and end with a jump to that mean.
- Denoising score matching, with noise of all sizes, teaches the network nearly everything: the whole shape noisy, or a
  part given, or the mean of blocks. Chains come last, for few steps, and score matching goes on beside them.
- A new chain starts from a Gaussian with the mean of the data and their covariance on a coarse grid, and much noise.
- Between steps a persistent chain is kept as its occupancy, a bit a cell: 4 KB each, in checkpoints and in the trained
  model, so that a training goes on with its own chains. It goes on from there with noise anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...families import ebm
from ...nn import blocks, occupancy
from ...nn.conv3d import hidden_regions, nearest
from ...nn.hourglass import Hourglass
from ...representations import Voxels
from ...run import Run
from ...system import Asset, Batch, Loss, Noise, Stage, System

RESOLUTION = 32
#: Side of the grid on which the covariance of the data is kept.
COARSE = 8
#: No cell is thought to be full, or empty, more seldom than this.
RARE = 0.002
#: Log-odds of cells that are known.
SURE = 6.0
#: Sizes of log-odds that the network can tell.
FELT = (0.3, 1.5, SURE)
#: Blocks that are partly full leave each cell at least this chance, of being full and of being empty.
CHANCE = 0.05


@dataclass(frozen=True)
class Config:
    """Sizes of the networks and rules of the walk.

    Args:
        channels: of the network's grids of 16, 8 and 4 cells a side; of the published stack of convolutions, each.
        kernels, strides: of the published stack; its padding is as little as reaches every cell. Empty for our network.
        sigma: the least deviation of the noise; of the reference density, as published.
        step: of the walk, in units of occupancy, as published.
        far: deviation of the noise with which a walk starts, and the most of score matching: that of cells adds up to
            more than shapes differ by.
        again: deviation of the noise with which a kept chain goes on.
        doubt: deviation of the noise with which walks end that double the resolution: the cells of blocks are not
            drawn then, but as full as is expected.
        steps: of the walk, for each update of the network.
        shares: of the chains that persist and that complete; the others double the resolution.
        restart: probability that a persistent chain starts anew.
        chains: how many persist.
        directions: of the covariance of the data, for new chains; 0 for white noise of the reference Gaussian.
        weight: of what chains teach, beside score matching.
        rate: of Adam.
        average: exponential moving average of the weights, by decay; 0 for none.
        warm: steps of score matching before the first chain; 0 for none, as published.
        warm_rate: of Adam, for those.
        walk: steps from a new start to a shape, and of a walk with something given.
        onward: steps from where a persistent chain was.
        adjusted: accept or refuse each published step of a shape's walk by the rule of Metropolis and Hastings.
    """

    channels: tuple[int, ...] = (24, 64, 96)
    kernels: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    sigma: float = 0.3
    step: float = 0.0
    far: float = 20.0
    again: float = 3.0
    doubt: float = 5.0
    steps: int = 20
    shares: tuple[float, float] = (0.6, 0.2)
    restart: float = 0.1
    chains: int = 48
    directions: int = 32
    weight: float = 0.1
    rate: float = 1e-4
    average: float = 0.99
    warm: int = 4000
    warm_rate: float = 2e-3
    walk: int = 60
    onward: int = 40
    adjusted: bool = False


@dataclass(frozen=True)
class Trace:
    """A walk.

    Args:
        values: at its end, 0 for empty and 1 for full or a little beyond, with shape (B, R, R, R).
        energies: before each step and after the last, with shape (steps + 1, B).
    """

    values: Tensor
    energies: Tensor

    @property
    def shapes(self) -> list[Voxels]:
        """What they stand for."""
        return [Voxels(one) for one in self.values.clamp(0, 1)]


@dataclass(frozen=True)
class Given:
    """What is given of shapes.

    Args:
        odds: of each cell, logarithms, with shape (B, R, R, R); 0 where nothing is known.
        free: what may move, and is noisy.
    """

    odds: Tensor
    free: ebm.Projection


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
            "sigma": 0.5,
            "step": 0.1,
            "steps": 20,
            "shares": (1.0, 0.0),
            "restart": 0.0,
            "chains": 20,
            "directions": 0,
            "weight": 1.0,
            "rate": 0.01,
            "average": 0.0,
            "warm": 0,
            "walk": 120,
            "onward": 30,
        },
    }

    mean: Tensor
    spread: Tensor
    chains: Tensor
    usual: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.published = bool(config.kernels)
        self.network: nn.Module = Stack(config) if self.published else Hourglass(config.channels, RESOLUTION, FELT)
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
            # A short memory: the first gradients are many times as large as all others.
            lambda network, parameters: torch.optim.Adam(parameters, lr=config.warm_rate, betas=(0.9, 0.99)),
            steps=config.warm,
            batch_size=16,
            average={self.network: 0.99},
            dataset=self._survey,
            finish=self._calibrate,
            cosine=True,
            cost=0.25,
        )
        return [
            *([warming] if config.warm else []),
            Stage(
                "energy",
                (self.network,),
                self._contrast,
                lambda network, parameters: torch.optim.Adam(parameters, lr=config.rate, betas=(0.5, 0.999)),
                steps=100 if config.warm else 300,
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
        """Denoising score matching, in cells: from noise of all sizes, with much, something or nothing given."""
        count = len(full)
        kind, size = noise.rand(count, 2).unbind(1)
        hidden, doubling = hidden_regions(noise.rand(count, 8), noise.rand(*full.shape)), kind >= 0.75
        given = _given(full, hidden | _wide(kind < 0.4), doubling)
        # A little less noise than walks end with, or the last steps were at the edge of what was learnt.
        least, most = 0.8 * self.config.sigma, self.config.far
        deviation = _wide(least * (most / least) ** size)
        noisy = full + deviation * given.free(noise.randn(*full.shape))
        energy = lambda x: self._energy(x, deviation, given.odds)  # noqa: E731
        return ebm.denoising_loss(energy, noisy, full, deviation.square()) * RESOLUTION**3

    def _contrast(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        config = self.config
        full = batch["voxels"].float()
        count = len(full)
        kind, again = noise.rand(count, 2).unbind(1)
        slots, number = self._slots(noise, count)
        # More chains in a batch than there are places: the rest completes.
        persistent = (kind < config.shares[0]) & (number < config.chains)
        doubling = kind >= sum(config.shares)
        old = persistent & (again >= config.restart) & (self.chains[slots] < 255).any(1)
        hidden = _wide(persistent) | hidden_regions(noise.rand(count, 8), noise.rand(*full.shape))
        given = _given(full, hidden, doubling)
        fresh = self._fresh(noise.randn(count, config.directions))
        start = torch.where(_wide(old), self._kept(slots), torch.where(hidden, fresh, full))
        start = torch.where(_wide(doubling), blocks.means(full), start)
        most = torch.where(old, self._again, self._far)
        randn = lambda *shape: noise.randn(count, *shape)  # noqa: E731
        begun = start + _wide(most) * given.free(randn(*full.shape[1:]))
        if self.published:
            x, reached = full, self._langevin(given).walk(begun, range(config.steps), randn, randn).x
            cells = reached
        else:
            x = full + config.sigma * given.free(randn(*full.shape[1:]))
            state = self._annealing(given).walk(begun, ebm.falling(_wide(most), config.sigma, config.steps), randn)
            reached, cells = state.x, state.x - state.drift
        self._keep(cells >= 0.5, slots, persistent, noise)
        odds = torch.cat([given.odds] * 2)
        # Of the energy only f learns: what the reference density says of either side has no gradient, but much noise.
        energies = -self._tilt(torch.cat([x, reached]), odds.new_full((2 * count, 1, 1, 1), config.sigma), odds)
        loss = config.weight * ebm.contrastive_loss(energies[:count], energies[count:])
        if config.warm:
            loss = loss + self._matching(full, noise)
        yield self.network, loss

    def _slots(self, noise: Noise, count: int) -> tuple[Tensor, Tensor]:
        """Which chain each shape of this process's batch goes on with, and the shape's number in the whole batch."""
        whole = noise.whole or count
        order = torch.randperm(self.config.chains, generator=torch.Generator().manual_seed(int(noise.common() * 2**31)))
        number = torch.arange(whole)[noise.share] if noise.whole else torch.arange(count)
        return order[number % self.config.chains].to(self.device), number.to(self.device)

    def _keep(self, full: Tensor, slots: Tensor, persistent: Tensor, noise: Noise) -> None:
        """Remembers the cells (B, R, R, R) of persistent chains, in all processes that share the batch."""
        rows = torch.cat([persistent[:, None].float(), slots[:, None].float(), occupancy.packed(full).float()], dim=1)
        if noise.whole:
            own, rows = rows, rows.new_zeros(noise.whole, rows.shape[1])
            rows[noise.share] = own
            rows = noise.total(rows)
        rows = rows[rows[:, 0] > 0]
        self.chains[rows[:, 1].long()] = rows[:, 2:].to(torch.uint8)

    def _calibrate(self, data: Batch, run: Run) -> None:
        with torch.no_grad():
            parts = data["voxels"][:1024].split(32)
            energies = torch.cat([self._settled(part.float().to(self.device)) for part in parts])
        self.usual.copy_(torch.stack([energies.mean(), energies.std(correction=0).clamp_min(1e-3)]))

    # The energy, and walks on it

    def _odds(self, x: Tensor, deviation: Tensor, given: Tensor) -> Tensor:
        """l: how much likelier than usual cells are full than empty, by what is given and by noisy grids."""
        return given + (x - 0.5) / deviation.square()

    def _reference(self, x: Tensor, deviation: Tensor, given: Tensor) -> Tensor:
        """-log q up to a constant, with shape (B,); arguments as for :meth:`_energy`."""
        if self.published:
            return ((x - self.mean).square() / (2 * deviation.square())).flatten(1).sum(1)
        peaks = functional.softplus(self._usual + self._odds(x, deviation, given))
        return (x.square() / (2 * deviation.square()) - peaks).flatten(1).sum(1)

    def _tilt(self, x: Tensor, deviation: Tensor, given: Tensor) -> Tensor:
        """f, with shape (B,); arguments as for :meth:`_energy`."""
        if self.published:
            return self.network(x - self.mean)
        return self.network(self._odds(x, deviation, given), self._usual)

    @property
    def _usual(self) -> Tensor:
        """o: logarithms of how much oftener full than empty each cell is in the data, with shape (R, R, R)."""
        return self.mean.clamp(RARE, 1 - RARE).logit()

    def _energy(self, x: Tensor, deviation: Tensor, given: Tensor) -> Tensor:
        """U, with shape (B,).

        Args:
            x: with shape (B, R, R, R).
            deviation: of their noise, with shape (B, 1, 1, 1).
            given: log-odds of what is given, with shape (B, R, R, R).
        """
        return self._reference(x, deviation, given) - self._tilt(x, deviation, given)

    def _settled(self, full: Tensor) -> Tensor:
        """U of grids (B, R, R, R) without noise, where the least of it is expected; with shape (B,)."""
        return self._energy(full, torch.full_like(full[:, :1, :1, :1], self.config.sigma), torch.zeros_like(full))

    def _langevin(self, given: Given, adjusted: bool = False) -> ebm.Langevin:
        """The published walk."""
        return ebm.Langevin(
            lambda x: self._energy(x, x.new_full((len(x), 1, 1, 1), self.config.sigma), given.odds),
            self.config.step,
            adjusted,
            given.free,
        )

    def _annealing(self, given: Given) -> ebm.Annealing:
        return ebm.Annealing(lambda x, deviation: self._energy(x, deviation, given.odds), given.free)

    # Deviations of the noise at the start of a walk: of a new one, and from a kept chain.

    @property
    def _far(self) -> float:
        return self.config.sigma if self.published else self.config.far

    @property
    def _again(self) -> float:
        return 0.0 if self.published else self.config.again

    def _fresh(self, z: Tensor) -> Tensor:
        """Starts of new chains (B, R, R, R), without noise, from standard normal (B, directions)."""
        coarse = (z @ self.spread.flatten(1)).reshape(-1, 1, *(COARSE,) * 3)
        if not self.config.directions:
            return self.mean.expand(len(z), *self.mean.shape)
        smooth = functional.interpolate(coarse, size=RESOLUTION, mode="trilinear")[:, 0]
        return (self.mean + smooth).clamp(0, 1)

    def _kept(self, slots: Tensor) -> Tensor:
        """Occupancy (B, R, R, R), float, of kept chains."""
        return occupancy.unpacked(self.chains[slots], RESOLUTION)

    def _walk(
        self, start: Tensor, given: Given, most: float, steps: int, run: Run, least: float | None = None
    ) -> Trace:
        """Walks over noisy shapes, then jumps to the mean of the shapes that each may be a noisy one of.

        That mean is x - s^2 dU/dx: Saremi and Hyvarinen, *Neural Empirical Bayes*, 2019. As published there is no jump.

        Args:
            start: without noise, with shape (B, R, R, R).
            given: what is clamped.
            most: deviation of the noise at the start.
            steps: from there.
            run: randomness, progress, cancellation.
            least: deviation of the noise at the end; by default the least there is. Has no effect as published.
        """
        energies: list[Tensor] = []

        def watch(step: int, found: Tensor) -> None:
            energies.append(found)
            if step % 5 == 0:
                run.note(f"energy {float(found[0]):.1f}")

        noisy = start + most * given.free(run.randn(*start.shape[1:]))
        if self.published:
            walk = self._langevin(given, self.config.adjusted)
            state = walk.walk(noisy, run.track(range(steps)), run.randn, run.rand, watch)
            values, energies = state.x, [*energies, state.energy]
        else:
            levels = ebm.falling(start.new_full((len(start), 1, 1, 1), most), least or self.config.sigma, steps)
            state = self._annealing(given).walk(noisy, run.track(levels), run.randn, watch)
            values = state.x - state.drift
        return Trace(values, torch.stack(energies))

    # Abilities

    def sample(self, run: Run) -> list[Voxels]:
        return [shape.largest_component() for shape in self.trace(run).shapes]

    def trace(self, run: Run) -> Trace:
        """Draws a shape per seed, and says how its energy went.

        As in the paper, shapes are where persistent chains are: each seed goes on with one of those that were kept, or
        begins a new one where none was.
        """
        config = self.config
        z, chooser = run.randn(config.directions), run.rand()
        fresh = self._fresh(z)
        nothing = _given(fresh, torch.ones_like(fresh, dtype=torch.bool))
        kept = (self.chains < 255).any(1).nonzero()[:, 0]
        if not len(kept):
            return self._walk(fresh, nothing, self._far, config.walk, run)
        chosen = kept[(chooser * len(kept)).long().clamp_max(len(kept) - 1)]
        return self._walk(self._kept(chosen), nothing, self._again, config.onward, run)

    def complete(self, partial: Asset, known: Tensor, run: Run) -> list[Voxels]:
        """Walks with the given cells clamped."""
        mask = nearest(known.to(self.device), RESOLUTION)
        cells = torch.where(mask, self._voxels([partial]), self._fresh(run.randn(self.config.directions)))
        trace = self._walk(cells, _given(cells, ~mask), self._far, self.config.walk, run)
        return [shape.keep(partial, mask) for shape in trace.shapes]

    def refine(self, assets: Sequence[Asset], run: Run) -> list[Voxels]:
        """Walks with the mean of every block of 2^3 cells clamped: all that is seen is how full each block is."""
        found = []
        for i, asset in enumerate(assets):
            with run.span(i / len(assets), (i + 1) / len(assets)):
                one = run.seeded(run.seeds[i % len(run.seeds)])
                coarse = blocks.means(self._voxels([asset]))
                given = _given(coarse, torch.zeros_like(coarse, dtype=torch.bool), coarse.new_ones(1, dtype=torch.bool))
                walked = self._walk(coarse, given, self._far, self.config.walk, one, self.config.doubt)
                found.append(Voxels(blocks.as_full(walked.values[0], coarse[0, ::2, ::2, ::2])))
        return found

    def score(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """How many deviations the energy lies above that of the training shapes."""
        with torch.no_grad():
            return (self._settled(self._voxels(assets)) - self.usual[0]) / self.usual[1]

    def _voxels(self, assets: Sequence[Asset]) -> Tensor:
        """With shape (B, R, R, R), float."""
        return occupancy.of_shapes(assets, RESOLUTION, self.device)


class Stack(nn.Module):
    """f as published: convolutions, and a number for each grid."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        side, layers = RESOLUTION, []
        for (before, after), kernel, stride in zip(
            pairwise((1, *config.channels)), config.kernels, config.strides, strict=True
        ):
            reached = -(-side // stride)
            # As little as reaches every cell.
            total = max((reached - 1) * stride + kernel - side, 0)
            low, high = total // 2, total - total // 2
            layers += [
                nn.ConstantPad3d((low, high, low, high, low, high), 0.0),
                nn.Conv3d(before, after, kernel, stride),
                nn.ReLU(),
            ]
            side = reached
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(side**3 * config.channels[-1], 1))

    def forward(self, x: Tensor) -> Tensor:
        """With shape (B,), of grids (B, R, R, R) less their mean."""
        return self.layers(x[:, None])[:, 0]


def _wide(values: Tensor) -> Tensor:
    """(B,) to (B, 1, 1, 1)."""
    return values[:, None, None, None]


def _given(full: Tensor, hidden: Tensor, doubling: Tensor | None = None) -> Given:
    """Of shapes (B, R, R, R) all cells but the ``hidden`` ones, or, where ``doubling`` (B,), the mean of blocks."""
    odds = SURE * (2 * full - 1) * ~hidden
    if doubling is not None and doubling.any():
        odds = torch.where(_wide(doubling), _odds_in_blocks(full), odds)

    def project(change: Tensor) -> Tensor:
        moved = change * hidden
        return moved if doubling is None else torch.where(_wide(doubling), blocks.within(change), moved)

    return Given(odds, project)


def _odds_in_blocks(full: Tensor) -> Tensor:
    """Log-odds of cells (B, R, R, R) of which only the mean of blocks of 2^3 is seen: interpolated, and then shifted to
    that mean; where a block is full or empty there is no doubt."""
    shares = blocks.means(full)
    smooth = functional.interpolate(shares[:, None, ::2, ::2, ::2], size=RESOLUTION, mode="trilinear")[:, 0]
    partly = (shares + blocks.within(smooth)).clamp(CHANCE, 1 - CHANCE).logit()
    return torch.where(shares < 0.01, -SURE, torch.where(shares > 0.99, SURE, partly))
