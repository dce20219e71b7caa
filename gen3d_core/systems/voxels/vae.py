"""Voxel VAE.

Brock, Lim, Ritchie and Weston, *Generative and Discriminative Voxel Modeling*, 2016. Four 3D convolutions and a fully
connected layer, mirrored; it maximises the evidence lower bound

    ELBO = E_q[log p(x|z)] - KL(q(z|x) || N(0, I))

with a cross-entropy that weighs a missed full cell ``weight / (1 - weight)`` times a falsely filled one, because nearly
all cells are empty. Chairs come in kinds, and N(0, I) lies between the kinds: after the training a mixture of Gaussians
is fitted to the codes, and shapes are drawn from it. That is ours, not the paper's; ``components = 0`` draws from
N(0, I). Ours too: a share ``unseen`` of the examples enters the encoder with a part hidden, so that the posterior of a
partial shape is that of its completions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...families import inversion, mixture, vae
from ...nn import occupancy
from ...nn.conv3d import hidden_cells, nearest
from ...representations import Voxels
from ...run import Run
from ...system import Asset, Batch, Loss, Noise, Stage, System, lerp


@dataclass(frozen=True)
class Config:
    """Sizes of the networks and weights of the loss.

    Args:
        channels: of the four convolutions.
        strides: of the four convolutions. (1, 2, 1, 2) with kernels of 3 is the published network; (2, 2, 2, 2) with
            kernels of 4 reaches a grid of 2^3, and is the one that two processor cores can train.
        hidden: width of the fully connected layer.
        latent: size of z.
        weight: of full cells in the cross-entropy, in (0, 1).
        kl: weight of the KL term beside the cross-entropy's sum over all cells.
        components: of the mixture that shapes are drawn from; 0 draws from N(0, I), as published.
        temperature: scales how far draws lie from their component's mean.
        unseen: share of the examples of which the encoder sees a part only; 0 as published.
    """

    channels: tuple[int, int, int, int] = (16, 32, 48, 64)
    strides: tuple[int, int, int, int] = (2, 2, 2, 2)
    hidden: int = 256
    latent: int = 64
    weight: float = 0.8
    kl: float = 1.5
    components: int = 64
    temperature: float = 0.7
    unseen: float = 0.0


RESOLUTION = 32
#: Latents of which a completion's search starts at the best, its steps, and their size.
STARTS, SEARCH, RATE = 16, 30, 0.07
#: A hidden cell, as the encoder sees it: after the scaling to {-1, 2} it is 0.
HIDDEN = 1 / 3
#: Full cells of drawn shapes, for each one of the data.
FULLER = 1.25
#: How many statistics a score is made of.
ODDITIES = 3


def _encoder(config: Config) -> tuple[nn.Sequential, int, int]:
    """The convolutions, and the side and channels of what they put out."""
    layers: list[nn.Module] = []
    side, before = RESOLUTION, 1
    for channels, stride in zip(config.channels, config.strides, strict=True):
        strided = set(config.strides) == {2}
        kernel, padding = (4, 1) if strided else (3, 1 if stride == 2 else 0)
        layers += [nn.Conv3d(before, channels, kernel, stride, padding), nn.BatchNorm3d(channels), nn.ELU()]
        side = (side + 2 * padding - kernel) // stride + 1
        before = channels
    return nn.Sequential(*layers), side, before


class VoxelVAE(System):
    """Encoder to mean and variance, decoder to 32^3 probabilities."""

    Config = Config
    output = Voxels
    presets: ClassVar = {
        "small": {"unseen": 0.6},
        "paper": {
            "channels": (8, 16, 32, 64),
            "strides": (1, 2, 1, 2),
            "hidden": 343,
            "latent": 100,
            "weight": 0.97,
            "components": 0,
            "temperature": 1.0,
            "unseen": 0.0,
        },
    }

    threshold: Tensor
    oddity_mean: Tensor
    oddity_std: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.network = Network(config)
        mixture.register(self, max(config.components, 1), config.latent)
        # Weighing full cells more shifts the probabilities: where to cut is measured at the end of the training.
        self.register_buffer("threshold", torch.tensor(0.5))
        self.register_buffer("oddity_mean", torch.zeros(ODDITIES))
        self.register_buffer("oddity_std", torch.ones(ODDITIES))
        self.register_load_state_dict_pre_hook(_uncalibrated)

    # Data

    def prepare(self, asset: Asset, run: Run) -> Batch:
        return {"voxels": torch.as_tensor(asset.voxels(RESOLUTION))[None]}

    # Training

    def stages(self) -> list[Stage]:
        return [
            Stage(
                "vae",
                (self.network,),
                self._bound,
                lambda network, parameters: torch.optim.Adam(parameters, lr=1e-3),
                steps=6000,
                batch_size=16,
                average={self.network: 0.995},
                finish=self._calibrate,
                cosine=True,
            )
        ]

    def _bound(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        x = batch["voxels"].float()
        seen = x
        if self.config.unseen:
            hidden = hidden_cells(x, noise.rand(len(x), 11))
            chosen = noise.rand(len(x), 1, 1, 1, 1) < self.config.unseen
            seen = x.masked_fill(hidden & chosen, HIDDEN)
        mean, log_variance = self.network.encode(seen)
        z = vae.reparametrise(mean, log_variance, noise.randn(len(x), self.config.latent))
        missed = vae.weighted_bernoulli(self.network.decode(z), x[:, 0], self.config.weight)
        divergence = vae.kl_to_standard_normal(mean, log_variance)
        yield self.network, (missed + self.config.kl * divergence).mean()

    @torch.no_grad()
    def _calibrate(self, data: Batch, run: Run) -> None:
        """Fits the prior to the codes of the data, the threshold to their mean occupancy, and the scale of scores.

        The weighting makes probabilities too high, so 0.5 would be too fat, and the cut that reproduces given shapes
        best breaks thin legs of drawn ones, which are never quite sure where they stand: the cut is where drawn shapes
        are a quarter fuller than the data, so that legs hold together.
        """
        grids = data["voxels"].split(64)
        posteriors = [self.network.encode(x.float().to(self.device)) for x in grids]
        if self.config.components:
            codes = torch.cat([mean for mean, _ in posteriors])
            # Half the mean posterior variance: codes nearer than that to one another decode alike.
            floor = 0.5 * torch.cat([log_variance for _, log_variance in posteriors]).exp().mean(0)
            fitted = mixture.fit(codes, self.config.components, floor, data.get("asset"))
            mixture.keep(self, fitted)
        wanted = float(torch.cat([x.float().flatten(1).mean(1) for x in grids]).mean())
        z = self.prior(Run(range(256), self.device))
        probabilities = torch.cat([self.network.decode(part).sigmoid().flatten() for part in z.split(32)])
        self.threshold.fill_(min(max(occupancy.cut_at(probabilities, FULLER * wanted), 0.3), 0.95))
        oddities = torch.cat([self._oddities(x.float().to(self.device)) for x in grids])
        self.oddity_mean.copy_(oddities.mean(0))
        self.oddity_std.copy_(oddities.std(0, correction=0).clamp_min(0.05))

    # Abilities

    def prior(self, run: Run) -> Tensor:
        chooser = run.rand()
        return mixture.kept(self).draw(chooser, run.randn(self.config.latent), self.config.temperature)

    def decode(self, z: Tensor, run: Run) -> list[Voxels]:
        with torch.no_grad():
            return [Voxels(p, float(self.threshold)) for p in self.network.decode(z).sigmoid()]

    def mix(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        return lerp(a, b, t)

    def encode(self, assets: Sequence[Asset], run: Run) -> Tensor:
        with torch.no_grad():
            return self.network.encode(self._voxels(assets))[0]

    def _voxels(self, assets: Sequence[Asset]) -> Tensor:
        """With shape (B, 1, R, R, R), float."""
        return occupancy.of_shapes(assets, RESOLUTION, self.device)[:, None]

    def complete(self, partial: Asset, known: Tensor, run: Run) -> list[Voxels]:
        """Latent search from what the encoder makes of the given part, then clamped re-encoding where it fits better.

        Each seed draws from the posterior of z given the known cells by a search with a prior of its own,

            z = argmin_z (nats that the decoder misses of the known cells + kl |z - e|^2 / 2),   e ~ N(0, I)

        which is exact for linear decoders (Bardsley, Solonen, Haario and Laine, *Randomize-Then-Optimize*, 2014).
        """
        given = self._voxels([partial])
        mask = nearest(known.to(self.device), RESOLUTION)[None, None]
        wanted = given[0, 0][mask[0, 0]]

        def missed(z: Tensor) -> Tensor:
            logits = self.network.decode(z)[:, mask[0, 0]]
            return vae.weighted_bernoulli(logits, wanted.expand_as(logits), self.config.weight)

        with torch.no_grad():
            z = self._guesses(torch.where(mask, given, HIDDEN), run)
            z = z[missed(z).argmin()][None]
        centre = run.randn(self.config.latent)
        found = inversion.search(
            z,
            lambda z: missed(z) + 0.5 * self.config.kl * (z - centre).square().sum(1),
            lambda z: torch.zeros_like(z[:, 0]),
            self.restrict,
            run,
            steps=SEARCH,
            rate=RATE,
        )
        with torch.no_grad():
            p = self.network.decode(found).sigmoid()[:, None]
            again = self.network.encode(torch.where(mask, given, (p >= self.threshold).float()))[0]
            both = torch.cat([found, again])
            best = both[missed(both).argmin()][None]
        return [shape.keep(partial, mask[0, 0]) for shape in self.decode(best, run)]

    def _guesses(self, seen: Tensor, run: Run) -> Tensor:
        """Latents to start a search from, with shape (STARTS, L): of what is seen, if the encoder has learnt that.

        Args:
            seen: occupancy with hidden cells, with shape (1, 1, R, R, R).
        """
        first = Run([(run.seeds[0] * STARTS + i) % 2**63 for i in range(STARTS)], self.device)
        if not self.config.unseen:
            return self.prior(first)
        mean, log_variance = self.network.encode(seen)
        return vae.reparametrise(mean, log_variance, first.randn(self.config.latent))

    def score(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """How many deviations a shape lies above the training shapes, the mean over :meth:`_oddities`.

        Standardising several statistics of a model on its training data after Morningstar et al., *Density of States
        Estimation for Out-of-Distribution Detection*, 2021. The evidence bound alone calls whatever is simple usual.
        """
        with torch.no_grad():
            return ((self._oddities(self._voxels(assets)) - self.oddity_mean) / self.oddity_std).mean(1)

    def _oddities(self, x: Tensor) -> Tensor:
        """Logarithms of three statistics of occupancies (B, 1, R, R, R), with shape (B, 3).

        What the posterior's mean misses; the same for each full cell, so that shapes with little in them do not pass
        for well explained; and the nats that the posterior spends, which rise where the codes of the data are few.
        """
        mean, log_variance = self.network.encode(x)
        missed = vae.weighted_bernoulli(self.network.decode(mean), x[:, 0], self.config.weight)
        spent = vae.kl_to_standard_normal(mean, log_variance)
        full = x.flatten(1).sum(1).clamp_min(1)
        return torch.stack([missed, missed / full, spent], dim=1).clamp_min(1e-6).log()

    def misfit(self, target: Asset, known: Tensor) -> Callable[[Tensor], Tensor]:
        mask = nearest(known.to(self.device), RESOLUTION)
        wanted = self._voxels([target])[0, 0][mask]

        def distance(z: Tensor) -> Tensor:
            logits = self.network.decode(z)[:, mask]
            return vae.weighted_bernoulli(logits, wanted.expand_as(logits), self.config.weight) / len(wanted)

        return distance

    def surprise(self, z: Tensor) -> Tensor:
        return mixture.kept(self).distances(z).amin(1) / self.config.latent

    def restrict(self, z: Tensor) -> Tensor:
        return z


def _uncalibrated(module: nn.Module, state: dict[str, Tensor], prefix: str, *rest: object) -> None:
    """Weights from before scores were calibrated keep the statistics as they are: mean 0, deviation 1."""
    for name in ("oddity_mean", "oddity_std"):
        state.setdefault(prefix + name, getattr(module, name))


class Network(nn.Module):
    """Both halves; they learn together."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.convolutions, side, channels = _encoder(config)
        self.inward = nn.Sequential(nn.Linear(channels * side**3, config.hidden), nn.ELU())
        self.posterior = nn.Linear(config.hidden, 2 * config.latent)
        strided = set(config.strides) == {2}
        # Published: the hidden layer is itself the seed of the decoder, 343 = 7^3 cells of one channel.
        seed = channels if strided else 1
        self.outward = nn.Sequential(
            nn.Linear(config.latent, config.hidden), nn.ELU(), nn.Linear(config.hidden, seed * side**3), nn.ELU()
        )
        if not strided and config.hidden == side**3:
            self.outward = nn.Sequential(nn.Linear(config.latent, config.hidden), nn.ELU())
        self.seed = nn.Unflatten(1, (seed, side, side, side))
        self.deconvolutions = _strided_decoder(config) if strided else _published_decoder(config)
        nn.init.constant_(self.deconvolutions[-1].bias, -2.0)  # type: ignore[arg-type]  # most cells are empty

    def encode(self, voxels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of z, each with shape (B, L), of occupancies (B, 1, R, R, R)."""
        # The published scaling of {0, 1} to {-1, 2}: full cells weigh more than empty ones.
        hidden = self.inward(self.convolutions(3 * voxels - 1).flatten(1))
        mean, log_variance = self.posterior(hidden).chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 4)

    def decode(self, z: Tensor) -> Tensor:
        """Logits with shape (B, R, R, R)."""
        return self.deconvolutions(self.seed(self.outward(z)))[:, 0]


def _strided_decoder(config: Config) -> nn.Sequential:
    widths = [*reversed(config.channels)]
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.ConvTranspose3d(a, b, 4, 2, 1), nn.BatchNorm3d(b), nn.ELU()]
    return nn.Sequential(*layers, nn.ConvTranspose3d(widths[-1], 1, 4, 2, 1))


def _published_decoder(config: Config) -> nn.Sequential:
    a, b, c, d = config.channels

    def block(before: int, after: int, kernel: int, padding: int) -> list[nn.Module]:
        return [nn.Conv3d(before, after, kernel, padding=padding), nn.BatchNorm3d(after), nn.ELU()]

    return nn.Sequential(
        *block(1, d, 3, 1),
        nn.Upsample(scale_factor=2),
        *block(d, c, 3, 1),
        *block(c, b, 3, 1),
        nn.Upsample(scale_factor=2),
        *block(b, a, 4, 3),
        nn.Conv3d(a, 1, 4, padding=2),
    )
