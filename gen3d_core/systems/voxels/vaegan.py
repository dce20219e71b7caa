"""3D-VAE-GAN.

Wu, Zhang, Xue, Freeman and Tenenbaum, *Learning a Probabilistic Latent Space of Object Shapes via 3D
Generative-Adversarial Modeling*, NIPS 2016. A generator G and a discriminator D of voxel grids as in 3D-GAN, and an
encoder E of pictures y to a Gaussian q(z|y), so that one latent space is drawn from and found in pictures:

    L = L_GAN + alpha_1 KL(q(z|y) || N(0, I)) + alpha_2 L_rec(G(z), x),   z from q(z|y),   x the shape of the picture

Each step updates D on real shapes and on G(z) with z from N(0, I), unless it already classifies 80 % of them, then E by
the KL and the reconstruction, then G by L_GAN and the reconstruction.

The paper measures the reconstruction as the Euclidean distance of the grids, and published are alpha_1 = 5, alpha_2 =
1e-4. These belong together with sums over 64^3 cells; next to a KL that counts five times they leave z little of the
picture. The small network therefore takes the cross-entropy, summed over the cells in nats, with weights at which a nat
of z costs 1.5 nats of the shape. Several pictures of one object give the mean of their means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...data import pictures
from ...families import gan, mixture, vae
from ...nn import occupancy
from ...nn.conv3d import nearest
from ...nn.norms import statistics_anew
from ...nn.pictures import before_paper, disturbed
from ...nn.voxelnets import Discriminator, Generator
from ...representations import Voxels
from ...run import Run
from ...system import Asset, Batch, Loss, Noise, Stage, System, lerp


@dataclass(frozen=True)
class Config:
    """Sizes of the networks and rules of the game.

    Args:
        size: pixels along each side of the pictures.
        silhouette: the encoder also sees which pixels the object covers; published: colours alone.
        encoder, kernels, strides: of the encoder's convolutions; the last one covers what is left of the picture and
            has two channels for each number of z, mean and log-variance.
        generator: channels at 4^3 and at each doubling; the grid's side is 4 * 2 ** len(generator).
        discriminator: channels after each halving, down to 4^3.
        latent: size of z.
        rates: learning rates of the encoder, the generator and the discriminator.
        batch: shapes a step.
        divergence: alpha_1, of the KL in nats.
        reconstruction: alpha_2, of the distance between shapes.
        euclidean: the distance is that of the grids, as published; otherwise the cross-entropy in nats.
        weight: of full cells in the cross-entropy, in (0, 1).
        rule: the discriminator rests while its accuracy on the last batch is at least this; 1 never rests.
        noise: deviation of Gaussian noise on all grids the discriminator sees.
        smooth: the discriminator's target for real shapes.
        views: pictures prepared of each shape.
        components, temperature: of the mixture that latents are drawn from, and how far from its means; 0 components
            draw from N(0, I), as published.
    """

    size: int = 48
    silhouette: bool = True
    encoder: tuple[int, ...] = (16, 32, 64, 80)
    kernels: tuple[int, ...] = (5, 5, 5, 5, 3)
    strides: tuple[int, ...] = (2, 2, 2, 2, 1)
    generator: tuple[int, ...] = (80, 32, 16)
    discriminator: tuple[int, ...] = (16, 32, 64)
    latent: int = 64
    rates: tuple[float, float, float] = (1e-3, 1e-3, 2e-4)
    batch: int = 12
    divergence: float = 0.015
    reconstruction: float = 0.01
    euclidean: bool = False
    weight: float = 0.65
    rule: float = 0.8
    noise: float = 0.1
    smooth: float = 0.9
    views: int = 6
    components: int = 48
    temperature: float = 0.7


#: Shapes that the statistics, the prior and the threshold are measured on, at most.
MEASURED = 3000
#: Cuts among which the threshold is found.
CUTS = torch.linspace(0.2, 0.7, 26)


class VAEGAN(System):
    """Encoder of pictures, generator and discriminator."""

    Config = Config
    output = Voxels
    presets: ClassVar = {
        "small": {},
        "paper": {
            "size": 256,
            "silhouette": False,
            "encoder": (64, 128, 256, 512),
            "kernels": (11, 5, 5, 5, 8),
            "strides": (4, 2, 2, 2, 1),
            "generator": (512, 256, 128, 64),
            "discriminator": (64, 128, 256, 512),
            "latent": 200,
            "rates": (2.5e-3, 2.5e-3, 1e-5),
            "batch": 100,
            "divergence": 5.0,
            "reconstruction": 1e-4,
            "euclidean": True,
            "noise": 0.0,
            "smooth": 1.0,
            "components": 0,
            "temperature": 1.0,
        },
    }

    threshold: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.resolution = 4 * 2 ** len(config.generator)
        self.encoder = Encoder(config)
        self.generator = Generator(config.latent, config.generator)
        self.discriminator = Discriminator(config.discriminator)
        self.register_buffer("threshold", torch.tensor(0.5))
        mixture.register(self, max(config.components, 1), config.latent)

    # Data

    def prepare(self, asset: Asset, run: Run) -> Batch:
        drawn = pictures.of_asset(asset, self.config.views, self.config.size, run.seeds[0])
        return {
            "voxels": torch.as_tensor(asset.voxels(self.resolution))[None],
            "views": (torch.as_tensor(drawn) * 255).round().to(torch.uint8),
        }

    # Training

    def stages(self) -> list[Stage]:
        players: tuple[nn.Module, ...] = (self.encoder, self.generator, self.discriminator)
        rates: dict[nn.Module, float] = dict(zip(players, self.config.rates, strict=True))
        return [
            Stage(
                "vaegan",
                players,
                self._play,
                lambda network, parameters: torch.optim.Adam(parameters, lr=rates[network], betas=(0.5, 0.999)),
                steps=5000,
                batch_size=self.config.batch,
                average={self.encoder: 0.995, self.generator: 0.995},
                finish=self._measure,
                cosine=True,
            )
        ]

    def _play(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        config = self.config
        # The mirror image of a picture shows the mirror image of the shape.
        mirrored = noise.rand(len(batch["voxels"]), 1, 1, 1, 1) < 0.5
        real = batch["voxels"].float()
        real = torch.where(mirrored, real.flip(2), real)
        images = self._one_each(batch["views"], noise)
        images = torch.where(mirrored, images.flip(4), images)
        seen = self._seen(disturbed(images, noise), noise)[:, 0]
        fake = self.generator(noise.randn(len(real), config.latent)).sigmoid()
        # Separate passes: batch statistics of a mixed batch would tell real from generated.
        judged_real = self.discriminator(self._noisy(real, noise))
        judged_fake = self.discriminator(self._noisy(fake.detach(), noise))
        # Over the whole batch: processes that share it must play the same game.
        if noise.mean(gan.accuracy(judged_real, judged_fake)) < config.rule:
            yield self.discriminator, gan.discriminator_loss(judged_real, judged_fake, config.smooth)

        mean, log_variance = self.encoder(seen)
        z = vae.reparametrise(mean, log_variance, noise.randn(len(real), config.latent))
        missed = self._distance(self.generator(z), real)
        divergence = vae.kl_to_standard_normal(mean, log_variance)
        yield self.encoder, (config.divergence * divergence + config.reconstruction * missed).mean()

        missed = self._distance(self.generator(z.detach()), real)
        fooled = gan.generator_loss(self.discriminator(self._noisy(fake, noise)))
        yield self.generator, fooled + config.reconstruction * missed.mean()

    def _one_each(self, views: Tensor, noise: Noise) -> Tensor:
        """A picture of each shape, with shape (B, 1, 4, S, S), of (B, V, 4, S, S), uint8."""
        chosen = (noise.rand(len(views)) * views.shape[1]).long().clamp_max(views.shape[1] - 1)
        return views[torch.arange(len(views), device=views.device), chosen][:, None].float() / 255

    def _seen(self, images: Tensor, noise: Noise | None = None) -> Tensor:
        """What the encoder sees of pictures (B, V, 4, S, S)."""
        return before_paper(images, noise) if self.config.silhouette else before_paper(images, noise)[:, :, :3]

    def _distance(self, logits: Tensor, voxels: Tensor) -> Tensor:
        """Between generated and real grids, each with shape (B, 1, R, R, R); with shape (B,)."""
        if self.config.euclidean:
            return (logits.sigmoid() - voxels).flatten(1).norm(dim=1)
        return vae.weighted_bernoulli(logits, voxels, self.config.weight)

    def _noisy(self, voxels: Tensor, noise: Noise) -> Tensor:
        return voxels + self.config.noise * noise.randn(*voxels.shape) if self.config.noise else voxels

    @torch.no_grad()
    def _measure(self, data: Batch, run: Run) -> None:
        """Measures the batch statistics of the averaged weights, the prior, and the threshold of the best overlap."""
        chosen = torch.randperm(len(data["views"]), generator=torch.Generator().manual_seed(0))[:MEASURED]
        # Two pictures of each shape, the one after all others: statistics are of batches of different shapes.
        count = min(data["views"].shape[1], 2)
        views = torch.cat([data["views"][chosen, i] for i in range(count)])
        voxels = data["voxels"][chosen, 0].repeat(count, 1, 1, 1)
        rows = torch.arange(len(views))
        parts = [part for part in rows.split(64) if len(part) > 1]
        with run.span(0.0, 0.5), statistics_anew(self.encoder), statistics_anew(self.generator):
            for part in run.track(parts):
                mean, log_variance = self.encoder(self._of_bytes(views[part]))
                epsilon = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0)).to(self.device)
                self.generator(vae.reparametrise(mean, log_variance, epsilon))
        overlap, means, variances = torch.zeros(len(CUTS)), [], []
        with run.span(0.5, 1.0):
            for part in run.track(rows.split(64)):
                mean, log_variance = self.encoder(self._of_bytes(views[part]))
                means.append(mean.cpu())
                variances.append(log_variance.exp().cpu())
                p, full = self.generator(mean).sigmoid()[:, 0], voxels[part].to(self.device)
                overlap += occupancy.overlaps(p, full, CUTS)
        self.threshold.fill_(float(CUTS[overlap.argmax()]))
        if self.config.components:
            owners = data["asset"].cpu()[chosen] if "asset" in data else chosen
            floor = 0.5 * torch.cat(variances).mean(0)
            fitted = mixture.fit(torch.cat(means), self.config.components, floor, owners.repeat(count))
            mixture.keep(self, fitted)

    def _of_bytes(self, views: Tensor) -> Tensor:
        """What the encoder sees of pictures (B, 4, S, S), uint8."""
        return self._seen(views.to(self.device)[:, None].float() / 255)[:, 0]

    # Abilities

    def prior(self, run: Run) -> Tensor:
        chooser = run.rand()
        return mixture.kept(self).draw(chooser, run.randn(self.config.latent), self.config.temperature)

    def decode(self, z: Tensor, run: Run) -> list[Voxels]:
        with torch.no_grad():
            grids = self.generator(z).sigmoid()[:, 0]
        return [Voxels(p, float(self.threshold)).largest_component() for p in grids]

    def mix(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        return lerp(a, b, t)

    def image_size(self) -> int:
        return self.config.size

    def from_images(self, images: Tensor, run: Run) -> list[Voxels]:
        """Seed 0 gives the shape of the mean of q(z|y), other seeds draw from it.

        Of several pictures the means are averaged; what they leave open shrinks with their number.
        """
        with torch.no_grad():
            mean, log_variance = self.encoder(self._seen(images.to(self.device)[None])[0])
            deviation = (log_variance.exp().mean(0) / len(images)).sqrt()
            moved = torch.tensor([float(seed != 0) for seed in run.seeds], device=self.device)[:, None]
            return self.decode(mean.mean(0) + moved * deviation * run.randn(self.config.latent), run)

    def encode(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """By pictures of the assets, the same ones at each call."""
        found = []
        with torch.no_grad():
            for asset in assets:
                drawn = pictures.of_asset(asset, self.config.views, self.config.size, 0)
                seen = self._seen(torch.as_tensor(drawn, device=self.device)[None])[0]
                found.append(self.encoder(seen)[0].mean(0))
        return torch.stack(found)

    def features(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """What the discriminator sees at several scales."""
        with torch.no_grad():
            return self.discriminator.features(self._voxels(assets))

    def score(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """The discriminator's logit for *generated*: high where a shape looks unlike the training set."""
        with torch.no_grad():
            return -self.discriminator(self._voxels(assets))

    def _voxels(self, assets: Sequence[Asset]) -> Tensor:
        """With shape (B, 1, R, R, R), float."""
        return occupancy.of_shapes(assets, self.resolution, self.device)[:, None]

    def misfit(self, target: Asset, known: Tensor) -> Callable[[Tensor], Tensor]:
        mask = nearest(known.to(self.device), self.resolution)
        wanted = self._voxels([target])[0, 0][mask]

        def distance(z: Tensor) -> Tensor:
            logits = self.generator(z)[:, 0, mask]
            return vae.weighted_bernoulli(logits, wanted.expand_as(logits), self.config.weight) / len(wanted)

        return distance

    def surprise(self, z: Tensor) -> Tensor:
        return mixture.kept(self).distances(z).amin(1) / self.config.latent

    def restrict(self, z: Tensor) -> Tensor:
        return z


class Encoder(nn.Module):
    """Pictures to mean and log-variance of z."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = (4 if config.silhouette else 3, *config.encoder, 2 * config.latent)
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(pairwise(widths)):
            kernel, stride = config.kernels[i], config.strides[i]
            last = i == len(config.kernels) - 1
            layers.append(nn.Conv2d(before, after, kernel, stride, 0 if last else (kernel - stride + 1) // 2))
            if not last:
                layers += [nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Each with shape (B, L), of pictures (B, K, S, S)."""
        mean, log_variance = self.layers(images).flatten(1).chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 4)
