"""Grid GAN: a GAN on the latent grids of an implicit autoencoder.

Ibing, Lim and Kobbelt, *3D Shape Generation with Grid-based Implicit Functions*, CVPR 2021. Written from the
published description; the layer sizes are ours.

An encoder turns a truncated signed distance grid into a coarse grid of codes. A decoder reads the distance at a
position p from the codes around it alone:

    f(p) = MLP(interpolate(codes, p), local(p))

so it learns pieces of geometry, not whole shapes. A Wasserstein GAN then learns which grids of codes are shapes.

Three things are ours, not the paper's. The generator starts as the decoder of a variational autoencoder on the grids,
and z is drawn from a mixture of Gaussians fitted to its codes: the game then only has to sharpen what is nearly right,
which two processor cores can do. The encoder of that autoencoder leads from any grid back to z, so that an artist's
shape can join the latent space: a latent is [z | rest], with grid = G(z) + rest, and generated shapes have rest = 0.
And because generated grids are smoother than real ones, which thins legs and slats until they break, the surface of a
generated shape lies a little outside f = 0, as far as is needed to hold most shapes together; the last number of the
rest, 1 for encoded shapes, takes that back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from ...families import gan, inversion, mixture, vae
from ...nn.conv3d import down, nearest, up
from ...representations import Field
from ...representations.isosurface import grid_centres
from ...run import Run
from ...system import Asset, Batch, Loss, Noise, Stage, System, lerp


@dataclass(frozen=True)
class Config:
    """Sizes of the networks.

    Args:
        resolution: of the distance grid that the encoder reads; a multiple of ``cells``.
        cells: codes along one side.
        channels: numbers a code.
        width: of the encoder, at its first level.
        hidden: width of the decoder's layers.
        latent: size of z.
        generator: widths at half the cells, and at all of them.
        critic: widths at all cells, half of them and a quarter.
        truncation: distances are clamped to this, in model units.
        points: positions a shape at which the autoencoder is trained a step.
        components: of the mixture that z is drawn from.
        temperature: scales how far draws lie from their component's mean.
    """

    resolution: int = 32
    cells: int = 8
    channels: int = 8
    width: int = 24
    hidden: int = 96
    latent: int = 64
    generator: tuple[int, int] = (64, 32)
    critic: tuple[int, int, int] = (24, 48, 96)
    truncation: float = 0.1
    points: int = 1024
    components: int = 48
    temperature: float = 0.7


STORED_POINTS = 8192
HARMONICS = 2
FITTED_POINTS = 2048
#: Completion: few starts, or every seed would end in the same best fit; and a strong prior, or the new part would be
#: whatever the fit of the old one leaves over.
STARTS = 2
LIKELY = 0.3
#: Shapes that are drawn to find the offset, the grid they are looked at on, and the offsets tried, in model units.
DRAWN = 96
HELD_AT = 40
OFFSETS = (0.0, 0.002, 0.004, 0.006, 0.008, 0.01, 0.012)


class Decoder(nn.Module):
    """Distances from codes: a perceptron on what the grid holds around a position."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.cells = config.cells
        self.first = nn.Linear(config.channels + 6 * HARMONICS, config.hidden)
        self.rest = nn.Sequential(
            nn.ReLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, 1),
        )

    def forward(self, codes: Tensor, points: Tensor) -> Tensor:
        """Distances in units of the truncation, with shape (B, N).

        Args:
            codes: with shape (B, C, G, G, G), its axes after the channels being x, y, z.
            points: with shape (B, N, 3), in model units.
        """
        where = (points * 2).flip(-1)[:, None, None]
        around = functional.grid_sample(codes, where, padding_mode="border", align_corners=False)[:, :, 0, 0]
        # The position inside a cell, periodic: it does not jump at the cells' borders, so neither do distances.
        phase = points * (2 * math.pi * self.cells)
        local = torch.cat([f(k * phase) for k in range(1, HARMONICS + 1) for f in (torch.sin, torch.cos)], dim=-1)
        return self.rest(self.first(torch.cat([around.transpose(1, 2), local], dim=-1)))[..., 0]


class Autoencoder(nn.Module):
    """The two halves that learn together."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        levels = int(math.log2(config.resolution // config.cells))
        widths = [config.width * 2**i for i in range(levels)]
        self.encoder = nn.Sequential(
            *(down(a, b) for a, b in zip([1, *widths], widths, strict=False)),
            nn.Conv3d(widths[-1], widths[-1], 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv3d(widths[-1], config.channels, 1),
        )
        self.decoder = Decoder(config)


class LatentSpace(nn.Module):
    """z to grids of codes, and back: the halves of the autoencoder on grids. The generator is the one of the game."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        half, quarter = config.cells // 2, config.cells // 4
        (wide, narrow), (first, second, _) = config.generator, config.critic
        self.generator = nn.Sequential(
            nn.Linear(config.latent, wide * half**3),
            nn.Unflatten(1, (wide, half, half, half)),
            nn.LeakyReLU(0.2),
            nn.Conv3d(wide, wide, 3, padding=1),
            nn.LeakyReLU(0.2),
            up(wide, narrow),
            nn.Conv3d(narrow, narrow, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv3d(narrow, config.channels, 3, padding=1),
        )
        self.inverter = nn.Sequential(
            down(config.channels, first),
            down(first, second),
            nn.Flatten(),
            nn.Linear(second * quarter**3, 2 * config.latent),
        )

    def posterior(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of z, each with shape (B, L), for grids of codes."""
        mean, log_variance = self.inverter(codes).chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 4)


class GridGAN(System):
    """The implicit autoencoder, and the latent space of its grids with its critic."""

    Config = Config
    output = Field
    presets: ClassVar = {
        "small": {},
        "paper": {
            "resolution": 64,
            "channels": 32,
            "hidden": 128,
            "generator": (128, 64),
            "critic": (64, 128, 256),
            "latent": 128,
        },
    }

    code_mean: Tensor
    code_std: Tensor
    offset: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.autoencoder = Autoencoder(config)
        self.space = LatentSpace(config)
        first, second, third = config.critic
        self.critic = nn.Sequential(
            nn.Conv3d(config.channels, first, 3, padding=1),
            nn.LeakyReLU(0.2),
            down(first, second),
            down(second, third),
            nn.Flatten(),
            nn.Linear(third * (config.cells // 4) ** 3, 1),
        )
        self.register_buffer("code_mean", torch.zeros(config.channels, 1, 1, 1))
        self.register_buffer("code_std", torch.ones(config.channels, 1, 1, 1))
        self.register_buffer("offset", torch.tensor(0.0))
        mixture.register(self, config.components, config.latent)

    # Data

    def prepare(self, asset: Asset, run: Run) -> Batch:
        c = self.config
        generator = run.generators[0]
        near = STORED_POINTS * 3 // 4
        surface, _ = asset.surface(near, seed=int(run.seeds[0]))
        spread = torch.where(torch.arange(near) % 2 == 0, 0.01, 0.04)[:, None]
        close = torch.as_tensor(surface) + torch.randn(near, 3, generator=generator) * spread
        anywhere = torch.rand(STORED_POINTS - near, 3, generator=generator) - 0.5
        points = torch.cat([close, anywhere]).clamp(-0.5, 0.5).float()
        points = points[torch.randperm(len(points), generator=generator)]
        distances = torch.as_tensor(asset.sdf(points.numpy())) / c.truncation
        grid = torch.as_tensor(asset.sdf_grid(c.resolution, c.truncation)) / c.truncation
        return {
            "grid": grid.clamp(-1, 1).half()[None],
            "points": points.half(),
            "distances": distances.clamp(-1, 1).half(),
        }

    # Training

    def stages(self) -> list[Stage]:
        def adam(betas: tuple[float, float], rate: float):  # noqa: ANN202 - the type is Stage.optimizer's
            return lambda network, parameters: torch.optim.Adam(parameters, lr=rate, betas=betas)

        return [
            Stage(
                "autoencoder",
                (self.autoencoder,),
                self._reconstruct,
                adam((0.9, 0.999), 1e-3),
                steps=8000,
                batch_size=8,
                finish=self._standardise,
                cosine=True,
                cost=1.0,
            ),
            Stage(
                "space",
                (self.space,),
                self._bound,
                adam((0.9, 0.999), 1e-3),
                steps=3000,
                average={self.space: 0.995},
                dataset=self._codes,
                finish=self._fit_prior,
                cosine=True,
                cost=2.0,
            ),
            Stage(
                "gan",
                (self.space.generator, self.critic),
                self._play,
                adam((0.0, 0.9), 2e-4),
                steps=1200,
                average={self.space.generator: 0.995},
                dataset=self._codes,
                finish=self._find_offset,
                cost=7.0,
            ),
        ]

    def _reconstruct(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        points, distances = self._window(batch, noise, self.config.points)
        codes = self.autoencoder.encoder(batch["grid"].float())
        # Only targets are clamped: a clamped prediction would have no gradient at the start.
        loss = functional.l1_loss(self.autoencoder.decoder(codes, points), distances) + 1e-4 * codes.pow(2).mean()
        yield self.autoencoder, loss

    @staticmethod
    def _window(batch: Batch, noise: Noise, count: int) -> tuple[Tensor, Tensor]:
        """Some of the stored positions (B, count, 3) and their distances: a window, as they are in random order."""
        start = int(noise.common() * (batch["points"].shape[1] - count + 1))
        points, distances = (batch[key][:, start : start + count].float() for key in ("points", "distances"))
        return points, distances

    @torch.no_grad()
    def _standardise(self, data: Batch, run: Run) -> None:
        """Remembers mean and deviation of each channel: the GAN works on codes of mean 0 and deviation 1."""
        codes = torch.cat([self.autoencoder.encoder(g.float().to(self.device)) for g in data["grid"].split(32)])
        self.code_mean.copy_(codes.mean((0, 2, 3, 4)).reshape(-1, 1, 1, 1))
        self.code_std.copy_(codes.std((0, 2, 3, 4)).clamp_min(1e-3).reshape(-1, 1, 1, 1))

    @torch.no_grad()
    def _codes(self, data: Batch, run: Run) -> Batch:
        """Every shape's standardised codes beside its distances."""
        codes = torch.cat([self._encode_grids(g.to(self.device)) for g in data["grid"].split(32)])
        return {"codes": codes, "points": data["points"], "distances": data["distances"]}

    def _bound(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        codes = batch["codes"]
        mean, log_variance = self.space.posterior(codes)
        z = vae.reparametrise(mean, log_variance, noise.randn(len(codes), self.config.latent))
        found = self.space.generator(z)
        # Near codes need not decode to near shapes: the distances themselves are asked for too.
        points, distances = self._window(batch, noise, self.config.points // 2)
        decoded = self.autoencoder.decoder(found * self.code_std + self.code_mean, points)
        shape_loss = functional.l1_loss(decoded, distances)
        divergence = vae.kl_to_standard_normal(mean, log_variance).mean()
        yield self.space, shape_loss + 0.25 * functional.mse_loss(found, codes) + 5e-4 * divergence

    @torch.no_grad()
    def _fit_prior(self, data: Batch, run: Run) -> None:
        """Fits the mixture to where the shapes lie in the latent space."""
        codes = self._codes(data, run)["codes"]
        posteriors = [self.space.posterior(part) for part in codes.split(64)]
        # Half the mean posterior variance: codes nearer than that to one another decode alike.
        floor = 0.5 * torch.cat([log_variance for _, log_variance in posteriors]).exp().mean(0)
        means = torch.cat([mean for mean, _ in posteriors])
        fitted = mixture.fit(means, self.config.components, floor, data.get("asset"))
        mixture.keep(self, fitted)

    @torch.no_grad()
    def _find_offset(self, data: Batch, run: Run) -> None:
        """The least distance outside f = 0 at which nearly all drawn shapes hold together."""
        z = self.prior(Run(range(DRAWN), self.device))[:, : self.config.latent]
        codes = self.space.generator(z) * self.code_std + self.code_mean
        centres = grid_centres(HELD_AT, self.device).reshape(1, -1, 3)
        grids = [self.autoencoder.decoder(one, centres).reshape((HELD_AT,) * 3).cpu().numpy() for one in codes.split(1)]
        for offset in OFFSETS:
            held = [_largest_share(grid < offset / self.config.truncation) >= 0.9 for grid in grids]
            self.offset.fill_(offset)
            if np.mean(held) >= 0.95:
                break

    def _play(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        real = batch["codes"]
        for _ in range(2):
            with torch.no_grad():
                fake = self.space.generator(self._draw(len(real), noise))
            penalty = gan.gradient_penalty(self._criticise, real, fake, noise.rand(len(real)))
            yield self.critic, gan.critic_loss(self._criticise(real), self._criticise(fake)) + 10 * penalty
        fake = self.space.generator(self._draw(len(real), noise))
        # Real shapes stay where the inverter finds them, so that encoding remains true while the game goes on.
        with torch.no_grad():
            mean, _ = self.space.posterior(real)
        anchor = functional.mse_loss(self.space.generator(mean), real)
        yield self.space.generator, gan.wasserstein_generator_loss(self._criticise(fake)) + 20 * anchor

    def _draw(self, count: int, noise: Noise) -> Tensor:
        """z of the prior, with shape (count, L), without the temperature: the game is played on all of it."""
        chooser = noise.rand(count)
        return mixture.kept(self).draw(chooser, noise.randn(count, self.config.latent))

    def _criticise(self, codes: Tensor) -> Tensor:
        return self.critic(codes)[:, 0]

    # Abilities

    def prior(self, run: Run) -> Tensor:
        chooser = run.rand()
        z = mixture.kept(self).draw(chooser, run.randn(self.config.latent), self.config.temperature)
        return torch.cat([z, z.new_zeros(len(z), self._rest)], dim=1)

    @property
    def _rest(self) -> int:
        return self.config.channels * self.config.cells**3 + 1

    def _grids(self, latents: Tensor) -> Tensor:
        """Standardised codes of latents [z | rest], with shape (B, C, G, G, G)."""
        z, rest = latents.split([self.config.latent, self._rest], dim=1)
        grids = self.space.generator(z)
        return grids + rest[:, :-1].reshape(grids.shape)

    def _levels(self, latents: Tensor) -> Tensor:
        """Where the surface of each latent's shape lies, in units of the truncation, with shape (B,)."""
        return (1 - latents[:, -1]) * self.offset / self.config.truncation

    def _encode_grids(self, distances: Tensor) -> Tensor:
        """Standardised codes of distance grids with shape (B, 1, R, R, R), in units of the truncation."""
        return (self.autoencoder.encoder(distances.float()) - self.code_mean) / self.code_std

    def decode(self, z: Tensor, run: Run) -> list[Field]:
        with torch.no_grad():
            codes = self._grids(z) * self.code_std + self.code_mean
            levels = self._levels(z)
        return [self._field(one, level) for one, level in zip(codes.split(1), levels, strict=True)]

    def _field(self, codes: Tensor, level: Tensor) -> Field:
        """The field of one grid of codes (1, C, G, G, G), with its surface at ``level``."""

        def distance(points: Tensor) -> Tensor:
            with torch.no_grad():
                chunks = [self.autoencoder.decoder(codes, chunk[None])[0] for chunk in points.split(8192)]
            return (torch.cat(chunks) - level) * self.config.truncation

        return Field(distance, truncation=self.config.truncation, device=codes.device)

    def mix(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        return lerp(a, b, t)

    def encode(self, assets: Sequence[Asset], run: Run) -> Tensor:
        with torch.no_grad():
            codes = torch.cat([self._encode_grids(self._distances(asset)) for asset in assets])
            z, _ = self.space.posterior(codes)
            rest = (codes - self.space.generator(z)).flatten(1)
            return torch.cat([z, rest, torch.ones_like(z[:, :1])], dim=1)

    def _distances(self, asset: Asset) -> Tensor:
        """An asset's distance grid for the encoder, with shape (1, 1, R, R, R)."""
        c = self.config
        grid = torch.as_tensor(asset.sdf_grid(c.resolution, c.truncation), device=self.device) / c.truncation
        return grid.clamp(-1, 1)[None, None].float()

    def complete(self, partial: Asset, known: Tensor, run: Run) -> list[Field]:
        """Finds the z whose shape agrees with what is given, then bends its codes there until they agree exactly.

        Where something is given, the result takes it to the letter, and passes smoothly to what is new.
        """
        known = known.to(self.device)
        starts = self.prior(Run([(run.seeds[0] * STARTS + i) % 2**63 for i in range(STARTS)], run.device))
        misfit = self.misfit(partial, known)
        with run.span(0.0, 0.7):
            latent = inversion.search(starts, misfit, self.surprise, self.restrict, run, prior_weight=LIKELY)
        # From here on z stays and the codes move: only where evidence pulls at them.
        n = self.config.latent

        def only_rest(z: Tensor) -> Tensor:
            return torch.cat([latent[:, :n].expand(len(z), -1), z[:, n:]], dim=1)

        with run.span(0.7, 1.0):
            bent = inversion.search(latent, misfit, lambda z: 1 + z[:, n:].pow(2).mean(1), only_rest, run)
        (field,) = self.decode(bent, run)
        return [field.keep(partial, known)]

    def misfit(self, target: Asset, known: Tensor) -> Callable[[Tensor], Tensor]:
        c = self.config
        mask = nearest(known.to(self.device), c.resolution)
        wanted = self._distances(target)[0, 0][mask]
        points = grid_centres(c.resolution, self.device)[mask]
        # Most known cells are far from the surface and alike: a few thousand tell as much, and near ones tell more.
        generator = torch.Generator().manual_seed(0)
        order = torch.randperm(len(points), generator=generator).to(self.device)
        near = wanted[order].abs() < 0.9
        chosen = torch.cat([order[near][: FITTED_POINTS * 3 // 4], order[~near][: FITTED_POINTS // 4]])
        points, wanted = points[chosen], wanted[chosen]

        def distance(z: Tensor) -> Tensor:
            codes = self._grids(z) * self.code_std + self.code_mean
            found = self.autoencoder.decoder(codes, points.expand(len(z), -1, 3)) - self._levels(z)[:, None]
            return (found.clamp(-1, 1) - wanted).abs().mean(1)

        return distance

    def surprise(self, z: Tensor) -> Tensor:
        return mixture.kept(self).distances(z[:, : self.config.latent]).amin(1) / self.config.latent

    def restrict(self, z: Tensor) -> Tensor:
        return torch.cat([z[:, : self.config.latent], torch.zeros_like(z[:, self.config.latent :])], dim=1)


def _largest_share(inside: NDArray[np.bool_]) -> float:
    """The share of the cells inside that belong to the largest connected part; 0 where there are none."""
    labels = np.asarray(ndimage.label(inside, structure=np.ones((3, 3, 3)))[0])  # type: ignore[index]
    sizes = np.bincount(labels.ravel())[1:]
    return float(sizes.max() / sizes.sum()) if len(sizes) else 0.0
