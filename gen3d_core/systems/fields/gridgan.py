"""Grid GAN: a GAN on the latent grids of an implicit autoencoder.

Ibing, Lim and Kobbelt, *3D Shape Generation with Grid-based Implicit Functions*, CVPR 2021. Written from the
published description; the layer sizes are ours.

An encoder turns a truncated signed distance grid into a coarse grid of codes. A decoder reads the distance at a
position p from the codes around it alone:

    f(p) = MLP(interpolate(codes, p), local(p))

so it learns pieces of geometry, not whole shapes. A Wasserstein GAN then learns which grids of codes are shapes. A third
small network finds the z whose grid is nearest to a given one, so that an artist's shape can join the latent space: a
latent is [z | rest], with grid = G(z) + rest, and generated shapes have rest = 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...families import gan, inversion
from ...families.inversion import STARTS
from ...nn.conv3d import down, nearest, up
from ...representations import Field
from ...representations.isosurface import grid_centres
from ...run import Run
from ...system import Asset, Batch, Loss, Noise, Stage, System, lerp, slerp


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


STORED_POINTS = 8192
HARMONICS = 2
FITTED_POINTS = 2048


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


class GridGAN(System):
    """The autoencoder, the GAN on its grids, and the network that leads from a grid back to z."""

    Config = Config
    output = Field
    presets = {"small": {}, "paper": {"resolution": 64, "channels": 32, "hidden": 128, "generator": (128, 64), "critic": (64, 128, 256), "latent": 128}}

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.autoencoder = Autoencoder(config)
        half, quarter = config.cells // 2, config.cells // 4
        (wide, narrow), (first, second, third) = config.generator, config.critic
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
        self.critic = nn.Sequential(
            nn.Conv3d(config.channels, first, 3, padding=1),
            nn.LeakyReLU(0.2),
            down(first, second),
            down(second, third),
            nn.Flatten(),
            nn.Linear(third * quarter**3, 1),
        )
        self.inverter = nn.Sequential(
            down(config.channels, first),
            down(first, second),
            nn.Flatten(),
            nn.Linear(second * quarter**3, config.latent),
        )
        self.register_buffer("code_mean", torch.zeros(config.channels, 1, 1, 1))
        self.register_buffer("code_std", torch.ones(config.channels, 1, 1, 1))

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
                steps=6000,
                batch_size=8,
                finish=self._standardise,
                cosine=True,
            ),
            Stage(
                "gan",
                (self.generator, self.critic),
                self._play,
                adam((0.0, 0.9), 2e-4),
                steps=6000,
                average={self.generator: 0.998},
                dataset=self._codes,
            ),
            Stage(
                "inverter",
                (self.inverter,),
                self._invert,
                adam((0.9, 0.999), 1e-3),
                steps=1500,
                batch_size=64,
                dataset=self._codes,
                cosine=True,
            ),
        ]

    def _reconstruct(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        count = batch["points"].shape[1]
        # A window of the stored points, which are in random order: as good as a random choice, and cheaper.
        start = int(noise.rand(1)[0] * (count - self.config.points + 1))
        points = batch["points"][:, start : start + self.config.points].float()
        distances = batch["distances"][:, start : start + self.config.points].float()
        codes = self.autoencoder.encoder(batch["grid"].float())
        # Only targets are clamped: a clamped prediction would have no gradient at the start.
        loss = functional.l1_loss(self.autoencoder.decoder(codes, points), distances) + 1e-4 * codes.pow(2).mean()
        yield self.autoencoder, loss

    @torch.no_grad()
    def _standardise(self, data: Batch, run: Run) -> None:
        """Remembers mean and deviation of each channel: the GAN works on codes of mean 0 and deviation 1."""
        codes = torch.cat([self.autoencoder.encoder(g.float().to(self.device)) for g in data["grid"].split(32)])
        self.code_mean.copy_(codes.mean((0, 2, 3, 4)).reshape(-1, 1, 1, 1))
        self.code_std.copy_(codes.std((0, 2, 3, 4)).clamp_min(1e-3).reshape(-1, 1, 1, 1))

    @torch.no_grad()
    def _codes(self, data: Batch, run: Run) -> Batch:
        """Every shape's standardised codes."""
        return {"codes": torch.cat([self._encode_grids(g.to(self.device)) for g in data["grid"].split(32)])}

    def _play(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        real = batch["codes"]
        for _ in range(2):
            with torch.no_grad():
                fake = self.generator(noise.randn(len(real), self.config.latent))
            penalty = gan.gradient_penalty(self._criticise, real, fake, noise.rand(len(real)))
            yield self.critic, gan.critic_loss(self._criticise(real), self._criticise(fake)) + 10 * penalty
        fake = self.generator(noise.randn(len(real), self.config.latent))
        yield self.generator, gan.wasserstein_generator_loss(self._criticise(fake))

    def _criticise(self, codes: Tensor) -> Tensor:
        return self.critic(codes)[:, 0]

    def _invert(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        z = noise.randn(len(batch["codes"]), self.config.latent)
        with torch.no_grad():
            codes = self.generator(z)
            real = batch["codes"]
        back = functional.mse_loss(self.inverter(codes), z)
        # For real shapes no z is known: ask that the grid of the z found be near.
        near = functional.mse_loss(self.generator(self.inverter(real)), real)
        yield self.inverter, back + near

    # Abilities

    def prior(self, run: Run) -> Tensor:
        z = run.randn(self.config.latent)
        return torch.cat([z, z.new_zeros(len(z), self._rest)], dim=1)

    @property
    def _rest(self) -> int:
        return self.config.channels * self.config.cells**3

    def _grids(self, latents: Tensor) -> Tensor:
        """Standardised codes of latents [z | rest], with shape (B, C, G, G, G)."""
        z, rest = latents.split([self.config.latent, self._rest], dim=1)
        grids = self.generator(z)
        return grids + rest.reshape(grids.shape)

    def _encode_grids(self, distances: Tensor) -> Tensor:
        """Standardised codes of distance grids with shape (B, 1, R, R, R), in units of the truncation."""
        return (self.autoencoder.encoder(distances.float()) - self.code_mean) / self.code_std

    def decode(self, z: Tensor, run: Run) -> list[Field]:
        with torch.no_grad():
            codes = self._grids(z) * self.code_std + self.code_mean
        return [self._field(one) for one in codes.split(1)]

    def _field(self, codes: Tensor) -> Field:
        """The field of one grid of codes (1, C, G, G, G)."""

        def distance(points: Tensor) -> Tensor:
            with torch.no_grad():
                chunks = [self.autoencoder.decoder(codes, chunk[None])[0] for chunk in points.split(8192)]
            return torch.cat(chunks) * self.config.truncation

        return Field(distance, truncation=self.config.truncation, device=codes.device)

    def mix(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        n = self.config.latent
        return torch.cat([slerp(a[:, :n], b[:, :n], t), lerp(a[:, n:], b[:, n:], t)], dim=1)

    def encode(self, assets: Sequence[Asset], run: Run) -> Tensor:
        with torch.no_grad():
            codes = torch.cat([self._encode_grids(self._distances(asset)) for asset in assets])
            z = self.inverter(codes)
            return torch.cat([z, (codes - self.generator(z)).flatten(1)], dim=1)

    def _distances(self, asset: Asset) -> Tensor:
        """An asset's distance grid for the encoder, with shape (1, 1, R, R, R)."""
        c = self.config
        grid = torch.as_tensor(asset.sdf_grid(c.resolution, c.truncation), device=self.device) / c.truncation
        return grid.clamp(-1, 1)[None, None].float()

    def complete(self, partial: Asset, known: Tensor, run: Run) -> list[Field]:
        """Finds the z whose shape agrees with what is given, then bends its codes there until they agree exactly.

        Where something is given, the result takes it to the letter; in between it passes smoothly from one to the other.
        """
        known = known.to(self.device)
        starts = self.prior(Run([(run.seeds[0] * STARTS + i) % 2**63 for i in range(STARTS)], run.device))
        misfit = self.misfit(partial, known)
        with run.span(0.0, 0.7):
            latent = inversion.search(starts, misfit, self.surprise, self.restrict, run)
        # From here on z stays and the codes move: only where evidence pulls at them.
        n = self.config.latent

        def only_rest(z: Tensor) -> Tensor:
            return torch.cat([latent[:, :n].expand(len(z), -1), z[:, n:]], dim=1)

        with run.span(0.7, 1.0):
            bent = inversion.search(latent, misfit, lambda z: 1 + z[:, n:].pow(2).mean(1), only_rest, run)
        (field,) = self.decode(bent, run)
        return [_kept(field, partial, known)]

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
            found = self.autoencoder.decoder(codes, points.expand(len(z), -1, 3))
            return (found.clamp(-1, 1) - wanted).abs().mean(1)

        return distance

    def surprise(self, z: Tensor) -> Tensor:
        return z[:, : self.config.latent].pow(2).mean(1)

    def restrict(self, z: Tensor) -> Tensor:
        return torch.cat([z[:, : self.config.latent], torch.zeros_like(z[:, self.config.latent :])], dim=1)


def _kept(field: Field, given: Asset, known: Tensor) -> Field:
    """``field``, replaced by the given shape's own distances where ``known``."""
    # Blurred once, the mask passes from 0 to 1 within a cell on either side of its border.
    weight = functional.avg_pool3d(known.float()[None, None], 3, 1, 1, count_include_pad=False)

    def distance(points: Tensor) -> Tensor:
        where = (points * 2).flip(-1)[None, None, None]
        w = functional.grid_sample(weight, where, padding_mode="border", align_corners=False)[0, 0, 0, 0]
        own = torch.as_tensor(given.sdf(points.cpu().numpy()), device=points.device)
        own = own.clamp(-field.truncation, field.truncation)
        return torch.lerp(field.distance(points), own, w)

    return Field(distance, field.truncation, field.steepness, field.device)
