"""3D-R2N2.

Choy, Xu, Gwak, Chen and Savarese, *3D-R2N2: A Unified Approach for Single and Multi-view 3D Object Reconstruction*,
ECCV 2016. A residual encoder turns each picture into a vector x_t, a convolutional gated recurrent unit writes it into
a grid h of 4^3 cells, and a residual decoder reads 32^3 probabilities from the grid after the last picture:

    u_t = sigmoid(W_u x_t + U_u * h_{t-1} + b_u)              which cells keep what they know
    r_t = sigmoid(W_r x_t + U_r * h_{t-1} + b_r)
    h_t = u_t h_{t-1} + (1 - u_t) tanh(W_h x_t + U_h * (r_t h_{t-1}) + b_h)

It learns from one to ``most`` pictures at a time, in any order, so that more pictures tell it more. One logit a cell
stands for the paper's softmax over two classes, which depends on their difference alone.

The paper has no prior. Here the grids h of the training shapes are described by their principal components, to which a
mixture of Gaussians is fitted after the training: latents are drawn from it, and the decoder makes shapes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...data import pictures
from ...families import mixture
from ...nn import occupancy
from ...nn.conv3d import nearest
from ...nn.pictures import before_paper, disturbed
from ...representations import Voxels
from ...run import Run
from ...system import Asset, Batch, Loss, Noise, Stage, System, lerp


@dataclass(frozen=True)
class Config:
    """Sizes of the networks, and what they learn from.

    Args:
        size: pixels along each side of the pictures.
        silhouette: the encoder also sees which pixels the object covers; published: colours alone.
        encoder: channels before each halving of the picture.
        first: side of the first kernel.
        vector: size of x, what a picture is turned into.
        hidden: channels of the 4^3 grid.
        decoder: channels at 8^3, 16^3 and, as published, 32^3. Without the third, the logits are read from the 16^3
            grid: convolutions at 32^3 cost more than all others together.
        unpooling: side of the kernels that double the grid. 3 is the paper's: zeros between the cells, then a
            convolution; 4 covers all cells alike.
        last: channels of one more residual block at the end, as published; 0 for none.
        views: pictures prepared of each shape.
        most: pictures shown at a time, at most.
        weight: of full cells in the cross-entropy, relative to empty ones; published: 1.
        rate, decay: learning rate and weight decay of Adam.
        batch: shapes a step.
        latent: principal components of the grid.
        components, temperature: of the mixture that latents are drawn from; the latter scales how far they lie from
            their component's mean.
    """

    size: int = 48
    silhouette: bool = True
    encoder: tuple[int, ...] = (16, 32, 48, 64)
    first: int = 5
    vector: int = 96
    hidden: int = 32
    decoder: tuple[int, ...] = (32, 16)
    unpooling: int = 4
    last: int = 0
    views: int = 6
    most: int = 4
    weight: float = 2.0
    rate: float = 1e-3
    decay: float = 0.0
    batch: int = 12
    latent: int = 64
    components: int = 48
    temperature: float = 0.7


RESOLUTION = 32
#: Cells along each side of the hidden grid.
GRID = 4
#: Slope of the leaky rectifiers below 0.
SLOPE = 0.1
#: Shapes that the prior and the threshold are measured on, at most.
MEASURED = 3000
#: Cuts among which the threshold is found.
CUTS = torch.linspace(0.3, 0.7, 21)


class R2N2(System):
    """One or more pictures to 32^3 probabilities."""

    Config = Config
    output = Voxels
    presets: ClassVar = {
        "small": {},
        "paper": {
            "size": 127,
            "silhouette": False,
            "encoder": (96, 128, 256, 256, 256, 256),
            "first": 7,
            "vector": 1024,
            "hidden": 128,
            "decoder": (128, 128, 64),
            "unpooling": 3,
            "last": 32,
            "views": 24,
            "most": 5,
            "weight": 1.0,
            "rate": 1e-4,
            "decay": 5e-5,
            "batch": 36,
        },
    }

    threshold: Tensor
    centre: Tensor
    basis: Tensor
    spread: Tensor
    doubt: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.network = Network(config)
        n, cells = config.latent, config.hidden * GRID**3
        self.register_buffer("threshold", torch.tensor(0.5))
        # Latents are coordinates along the rows of the basis, in units of their deviation over the training shapes.
        self.register_buffer("centre", torch.zeros(cells))
        self.register_buffer("basis", torch.eye(n, cells))
        self.register_buffer("spread", torch.ones(n))
        # Deviation of a shape's latents between single pictures of it.
        self.register_buffer("doubt", torch.full((n,), 0.5))
        mixture.register(self, config.components, config.latent)

    # Data

    def prepare(self, asset: Asset, run: Run) -> Batch:
        drawn = pictures.of_asset(asset, self.config.views, self.config.size, run.seeds[0])
        return {
            "voxels": torch.as_tensor(asset.voxels(RESOLUTION))[None],
            "views": (torch.as_tensor(drawn) * 255).round().to(torch.uint8),
        }

    # Training

    def stages(self) -> list[Stage]:
        config = self.config
        return [
            Stage(
                "reconstruction",
                (self.network,),
                self._cross_entropy,
                lambda network, parameters: torch.optim.Adam(parameters, lr=config.rate, weight_decay=config.decay),
                steps=6000,
                batch_size=config.batch,
                average={self.network: 0.995},
                finish=self._measure,
                cosine=True,
            )
        ]

    def _cross_entropy(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        voxels, views = batch["voxels"][:, 0].float(), batch["views"]
        count = 1 + int(noise.common() * min(self.config.most, views.shape[1]))
        order = noise.rand(len(views), views.shape[1]).argsort(1)[:, :count]
        chosen = views[torch.arange(len(views), device=views.device)[:, None], order].float() / 255
        # The mirror image of a picture shows the mirror image of the shape.
        mirrored = noise.rand(len(views), 1, 1, 1) < 0.5
        voxels = torch.where(mirrored, voxels.flip(1), voxels)
        chosen = torch.where(mirrored[..., None], chosen.flip(4), chosen)
        hidden = self.network.look(self._seen(disturbed(chosen, noise), noise))
        logits = self.network.decode(hidden)
        weight = torch.tensor(self.config.weight, device=logits.device)
        yield self.network, functional.binary_cross_entropy_with_logits(logits, voxels, pos_weight=weight)

    def _seen(self, images: Tensor, noise: Noise | None = None) -> Tensor:
        """What the encoder sees of pictures (B, V, 4, S, S)."""
        return before_paper(images, noise) if self.config.silhouette else before_paper(images, noise)[:, :, :3]

    @torch.no_grad()
    def _measure(self, data: Batch, run: Run) -> None:
        """Finds the principal components and the prior of the grids, and the threshold of the best overlap."""
        views, voxels = data["views"], data["voxels"]
        rows = torch.randperm(len(views), generator=torch.Generator().manual_seed(0))[:MEASURED]
        half = max(views.shape[1] // 2, 1)
        codes, overlap = [], torch.zeros(len(CUTS))
        for part in run.track(rows.split(32)):
            images = views[part].to(self.device).float() / 255
            grids = [self.network.look(self._seen(images[:, i : i + half])) for i in (0, views.shape[1] - half)]
            codes.append(torch.stack([grid.flatten(1) for grid in grids], dim=1).cpu())
            full = voxels[part][:, 0].to(self.device)
            p = self.network.decode(grids[0]).sigmoid()
            overlap += occupancy.overlaps(p, full, CUTS)
        self.threshold.fill_(float(CUTS[overlap.argmax()]))
        # Twice each shape, seen from other sides: nearer than that, latents need not be told apart.
        found = torch.cat(codes)
        centre, basis, spread = principal_components(found.flatten(0, 1), self.config.latent)
        self.centre.copy_(centre)
        self.basis.copy_(basis)
        self.spread.copy_(spread)
        z = self._latents(found.flatten(0, 1).to(self.device)).cpu()
        within = ((z[0::2] - z[1::2]) ** 2).mean(0) / 2
        self.doubt.copy_((within * half).sqrt())
        fitted = mixture.fit(z, self.config.components, 0.5 * within + 1e-4, _owners(data, rows))
        mixture.keep(self, fitted)

    # Latents

    def _latents(self, grids: Tensor) -> Tensor:
        """With shape (B, L), of hidden grids (B, C * 4^3)."""
        return (grids - self.centre) @ self.basis.T / self.spread

    def _grids(self, z: Tensor) -> Tensor:
        """The hidden grids (B, C, 4, 4, 4) of latents (B, L)."""
        return (self.centre + (z * self.spread) @ self.basis).reshape(len(z), self.config.hidden, GRID, GRID, GRID)

    # Abilities

    def prior(self, run: Run) -> Tensor:
        chooser = run.rand()
        return mixture.kept(self).draw(chooser, run.randn(self.config.latent), self.config.temperature)

    def decode(self, z: Tensor, run: Run) -> list[Voxels]:
        with torch.no_grad():
            return self._voxels(self._grids(z))

    def _voxels(self, grids: Tensor) -> list[Voxels]:
        return [Voxels(p, float(self.threshold)) for p in self.network.decode(grids).sigmoid()]

    def mix(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        return lerp(a, b, t)

    def encode(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """By pictures of the assets, the same ones at each call."""
        found = []
        with torch.no_grad():
            for asset in assets:
                drawn = pictures.of_asset(asset, self.config.views, self.config.size, 0)
                found.append(self.network.look(self._seen(torch.as_tensor(drawn, device=self.device)[None])))
            return self._latents(torch.cat(found).flatten(1))

    def image_size(self) -> int:
        return self.config.size

    def from_images(self, images: Tensor, run: Run) -> list[Voxels]:
        """Seed 0 gives what the network sees; others what it might see in other pictures of the object.

        The hidden grid then moves at random as far as the grids of one shape lie apart that were made of as many other
        pictures, along the principal components.
        """
        with torch.no_grad():
            grid = self.network.look(self._seen(images.to(self.device)[None]))
            moved = torch.tensor([float(seed != 0) for seed in run.seeds], device=self.device)[:, None]
            noise = moved * run.randn(self.config.latent) * self.doubt / len(images) ** 0.5
            return self._voxels(grid + self._grids(noise) - self._grids(torch.zeros_like(noise)))

    def misfit(self, target: Asset, known: Tensor) -> Callable[[Tensor], Tensor]:
        mask = nearest(known.to(self.device), RESOLUTION)
        wanted = occupancy.of_shapes([target], RESOLUTION, self.device)[0][mask]
        weight = torch.tensor(self.config.weight, device=self.device)

        def distance(z: Tensor) -> Tensor:
            logits = self.network.decode(self._grids(z))[:, mask]
            targets = wanted.expand_as(logits)
            return functional.binary_cross_entropy_with_logits(
                logits, targets, pos_weight=weight, reduction="none"
            ).mean(1)

        return distance

    def surprise(self, z: Tensor) -> Tensor:
        return mixture.kept(self).distances(z).amin(1) / self.config.latent

    def restrict(self, z: Tensor) -> Tensor:
        return z


def principal_components(rows: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The directions in which rows (N, D) vary most.

    Returns:
        The mean (D,), unit directions (count, D), the most important first, and the deviations along them (count,), at
        least a thousandth of the largest. Where the rows do not vary in so many directions, the last ones are 0.
    """
    x = rows.double()
    centre = x.mean(0)
    x = x - centre
    # The smaller of the two products has the same eigenvalues.
    wide = len(x) < x.shape[1]
    values, vectors = torch.linalg.eigh((x @ x.T if wide else x.T @ x) / max(len(x), 1))
    values, vectors = values.flip(0)[:count].clamp_min(0), vectors.flip(1)[:, :count]
    used = values > 1e-10 * values[:1].clamp_min(1e-12)
    directions = (vectors.T @ x) / (len(x) * values).sqrt().clamp_min(1e-12)[:, None] if wide else vectors.T
    basis = torch.zeros(count, x.shape[1], dtype=x.dtype)
    basis[: len(values)] = directions * used[:, None]
    spread = torch.zeros(count, dtype=x.dtype)
    spread[: len(values)] = values.sqrt()
    spread = spread.clamp_min(1e-3 * max(float(spread[0]), 1e-6))
    return centre.float(), basis.float(), spread.float()


def _owners(data: Batch, rows: Tensor) -> Tensor:
    """Of which asset each of the two latents of each of some examples is."""
    return (data["asset"].cpu()[rows] if "asset" in data else rows).repeat_interleave(2)


class Network(nn.Module):
    """Encoder, recurrent unit and decoder; they learn together."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.memory = Memory(config.vector, config.hidden)
        widths = (config.hidden, *config.decoder)
        blocks: list[nn.Module] = [Doubling(a, b, config.unpooling) for a, b in pairwise(widths)]
        width = widths[-1]
        if config.last:
            blocks.append(Residual3d(width, config.last))
            width = config.last
        whole = GRID * 2 ** len(config.decoder) == RESOLUTION
        final = nn.Conv3d(width, 1, 3, padding=1) if whole else nn.ConvTranspose3d(width, 1, 4, stride=2, padding=1)
        self.decoder = nn.Sequential(*blocks, final)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose3d):
                nn.init.kaiming_normal_(module.weight, a=SLOPE, mode="fan_in")
        nn.init.normal_(final.weight, std=0.01)
        nn.init.constant_(final.bias, -2.0)  # type: ignore[arg-type]  # nearly all cells are empty

    def look(self, views: Tensor) -> Tensor:
        """The grids (B, C, 4, 4, 4) after pictures (B, V, K, S, S), one after the other."""
        vectors = self.encoder(views.flatten(0, 1)).reshape(*views.shape[:2], -1)
        hidden = self.memory.empty(len(views), views.device)
        for x in vectors.unbind(1):
            hidden = self.memory(x, hidden)
        return hidden

    def decode(self, hidden: Tensor) -> Tensor:
        """Logits with shape (B, R, R, R)."""
        return self.decoder(hidden.contiguous(memory_format=torch.channels_last_3d))[:, 0]


class Encoder(nn.Module):
    """Pictures (B, K, S, S) to vectors (B, D)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = (4 if config.silhouette else 3, *config.encoder)
        # As published, the first block has no shortcut.
        self.blocks = nn.ModuleList(
            Residual2d(a, b, config.first if i == 0 else 3, i > 0) for i, (a, b) in enumerate(pairwise(widths))
        )
        side = config.size
        for _ in config.encoder:
            side = -(-side // 2)
        self.outward = nn.Linear(widths[-1] * side**2, config.vector)

    def forward(self, views: Tensor) -> Tensor:
        views = views.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            views = functional.max_pool2d(block(views), 2, ceil_mode=True)
        return functional.leaky_relu(self.outward(views.flatten(1)), SLOPE)


class Residual2d(nn.Module):
    """Two convolutions over pictures, beside a shortcut of one pixel's kernel."""

    def __init__(self, before: int, after: int, kernel: int, shortcut: bool) -> None:
        super().__init__()
        self.a = nn.Conv2d(before, after, kernel, padding=kernel // 2)
        self.b = nn.Conv2d(after, after, 3, padding=1)
        self.beside = nn.Conv2d(before, after, 1) if shortcut else None

    def forward(self, x: Tensor) -> Tensor:
        found = functional.leaky_relu(self.b(functional.leaky_relu(self.a(x), SLOPE)), SLOPE)
        return found if self.beside is None else found + self.beside(x)


class Memory(nn.Module):
    """The convolutional gated recurrent unit: one step from a vector x (B, D) and a grid h (B, C, 4, 4, 4)."""

    def __init__(self, vector: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.from_vector = nn.Linear(vector, 3 * channels * GRID**3)
        self.from_gates = nn.Conv3d(channels, 2 * channels, 3, padding=1, bias=False)
        self.from_kept = nn.Conv3d(channels, channels, 3, padding=1, bias=False)

    def empty(self, count: int, device: torch.device) -> Tensor:
        """The grids before the first picture."""
        return torch.zeros(count, self.channels, GRID, GRID, GRID, device=device)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        update, reset, candidate = (
            self.from_vector(x).reshape(len(x), 3 * self.channels, GRID, GRID, GRID).chunk(3, dim=1)
        )
        gates = self.from_gates(hidden)
        update = torch.sigmoid(update + gates[:, : self.channels])
        reset = torch.sigmoid(reset + gates[:, self.channels :])
        return update * hidden + (1 - update) * torch.tanh(candidate + self.from_kept(reset * hidden))


class Doubling(nn.Module):
    """A residual block that doubles the sides of a grid (B, C, R, R, R)."""

    def __init__(self, before: int, after: int, kernel: int) -> None:
        super().__init__()
        # Zeros between the cells and a convolution are one transposed convolution.
        self.a = nn.ConvTranspose3d(before, after, kernel, stride=2, padding=1, output_padding=kernel % 2)
        self.b = nn.Conv3d(after, after, 3, padding=1)
        self.beside = nn.Conv3d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        found = functional.leaky_relu(self.b(functional.leaky_relu(self.a(x), SLOPE)), SLOPE)
        # A kernel of one cell commutes with repeating cells, and costs an eighth before it.
        return found + functional.interpolate(self.beside(x), scale_factor=2)


class Residual3d(nn.Module):
    """Two convolutions over a grid, beside a shortcut of one cell's kernel."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.a = nn.Conv3d(before, after, 3, padding=1)
        self.b = nn.Conv3d(after, after, 3, padding=1)
        self.beside = nn.Conv3d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        found = functional.leaky_relu(self.b(functional.leaky_relu(self.a(x), SLOPE)), SLOPE)
        return found + self.beside(x)
