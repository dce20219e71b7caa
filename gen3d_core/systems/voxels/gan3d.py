"""3D-GAN.

Wu, Zhang, Xue, Freeman and Tenenbaum, *Learning a Probabilistic Latent Space of Object Shapes via 3D
Generative-Adversarial Modeling*, NIPS 2016. A generator of transposed 3D convolutions and a discriminator that mirrors
it play the original game

    L_D = -E_x[log D(x)] - E_z[log(1 - D(G(z)))],   L_G = -E_z[log D(G(z))],   z uniform in [0, 1]

and, because the discriminator learns faster, it is updated only while it classifies less than 80 % of the last batch
correctly. Its features describe shapes for classification.

Ours, and off in the preset ``paper``: where the probabilities are cut is measured after the training, so that drawn
shapes are as full as the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...families import gan
from ...nn import occupancy
from ...nn.conv3d import nearest
from ...nn.norms import statistics_anew
from ...nn.voxelnets import Discriminator, Generator
from ...representations import Voxels
from ...run import Run
from ...system import Asset, Batch, Loss, Noise, Stage, System, lerp


@dataclass(frozen=True)
class Config:
    """Sizes of the networks and rules of the game.

    Args:
        generator: channels at 4^3 and at each doubling; the grid's side is 4 * 2 ** len(generator).
        discriminator: channels after each halving, down to 4^3.
        latent: size of z.
        rates: learning rates of the generator and the discriminator.
        rule: the discriminator rests while its accuracy on the last batch is at least this; 1 never rests.
        noise: deviation of Gaussian noise on all grids the discriminator sees: hard zeros and ones would give real
            shapes away.
        smooth: the discriminator's target for real shapes.
        threshold: where the probabilities are cut; 0 measures it.
    """

    generator: tuple[int, ...] = (64, 48, 24)
    discriminator: tuple[int, ...] = (16, 32, 64)
    latent: int = 64
    rates: tuple[float, float] = (1e-3, 2e-4)
    rule: float = 0.8
    noise: float = 0.1
    smooth: float = 0.9
    threshold: float = 0.0


#: Shapes that are drawn to measure where to cut, and between which bounds.
MEASURED, CUTS = 256, (0.3, 0.9)


class GAN3D(System):
    """Generator and discriminator of voxel grids."""

    Config = Config
    output = Voxels
    presets: ClassVar = {
        "small": {},
        "paper": {
            "generator": (512, 256, 128, 64),
            "discriminator": (64, 128, 256, 512),
            "latent": 200,
            "rates": (2.5e-3, 1e-5),
            "noise": 0.0,
            "smooth": 1.0,
            "threshold": 0.1,
        },
    }

    threshold: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("threshold", torch.tensor(config.threshold or 0.5))
        self.register_load_state_dict_pre_hook(_unmeasured)
        self.resolution = 4 * 2 ** len(config.generator)
        self.generator = Generator(config.latent, config.generator)
        self.discriminator = Discriminator(config.discriminator)

    # Data

    def prepare(self, asset: Asset, run: Run) -> Batch:
        return {"voxels": torch.as_tensor(asset.voxels(self.resolution))[None]}

    # Training

    def stages(self) -> list[Stage]:
        rates = {self.generator: self.config.rates[0], self.discriminator: self.config.rates[1]}
        return [
            Stage(
                "gan",
                (self.generator, self.discriminator),
                self._play,
                lambda network, parameters: torch.optim.Adam(parameters, lr=rates[network], betas=(0.5, 0.999)),
                steps=8000,
                batch_size=16,
                average={self.generator: 0.998},
                finish=self._measure,
            )
        ]

    def _play(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        real = batch["voxels"].float()
        fake = self._logits(noise.rand(len(real), self.config.latent)).sigmoid()
        # Separate passes: batch statistics of a mixed batch would tell real from generated.
        judged_real = self.discriminator(self._noisy(real, noise))
        judged_fake = self.discriminator(self._noisy(fake.detach(), noise))
        # Over the whole batch: processes that share it must play the same game.
        if noise.mean(gan.accuracy(judged_real, judged_fake)) < self.config.rule:
            yield self.discriminator, gan.discriminator_loss(judged_real, judged_fake, self.config.smooth)
        yield self.generator, gan.generator_loss(self.discriminator(self._noisy(fake, noise)))

    def _logits(self, z: Tensor) -> Tensor:
        """With shape (B, 1, R, R, R), of latents (B, L) in [0, 1]."""
        # Centred: uniform [0, 1] has a mean that the first layer would otherwise have to unlearn.
        return self.generator(2 * z - 1)

    def _noisy(self, voxels: Tensor, noise: Noise) -> Tensor:
        return voxels + self.config.noise * noise.randn(*voxels.shape) if self.config.noise else voxels

    @torch.no_grad()
    def _measure(self, data: Batch, run: Run) -> None:
        """Measures the batch statistics of the averaged weights, and where to cut."""
        z = self.prior(Run(range(MEASURED), self.device))
        with statistics_anew(self.generator):
            for part in z.split(64):
                self._logits(part)
        if self.config.threshold:
            return
        wanted = float(torch.stack([part.float().mean() for part in data["voxels"][:1024]]).mean())
        p = torch.cat([self._logits(part).sigmoid().flatten() for part in z.split(32)])
        self.threshold.fill_(min(max(occupancy.cut_at(p, wanted), CUTS[0]), CUTS[1]))

    # Abilities

    def prior(self, run: Run) -> Tensor:
        return run.rand(self.config.latent)

    def decode(self, z: Tensor, run: Run) -> list[Voxels]:
        with torch.no_grad():
            grids = self._logits(z).sigmoid()[:, 0]
        # As the paper shows its shapes: the largest connected component alone.
        return [Voxels(p, float(self.threshold)).largest_component() for p in grids]

    def mix(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        return lerp(a, b, t)

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
            p = self._logits(z).sigmoid()[:, 0, mask]
            # Overlap rather than cross-entropy: saturated cells would have no gradient, and most cells are empty.
            return 1 - 2 * (p * wanted).sum(1) / (p + wanted).sum(1).clamp_min(1e-6)

        return distance

    def surprise(self, z: Tensor) -> Tensor:
        return torch.ones_like(z[:, 0])

    def restrict(self, z: Tensor) -> Tensor:
        return z.clamp(0, 1)


def _unmeasured(module: nn.Module, state: dict[str, Tensor], prefix: str, *rest: object) -> None:
    """Weights from before the threshold was measured keep the configuration's."""
    state.setdefault(prefix + "threshold", module.get_buffer("threshold"))
