"""Generator and discriminator of voxel grids: transposed 3D convolutions up from a vector, and their mirror down.

Wu, Zhang, Xue, Freeman and Tenenbaum, *Learning a Probabilistic Latent Space of Object Shapes via 3D
Generative-Adversarial Modeling*, NIPS 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class Generator(nn.Module):
    """Latents to logits of occupancy.

    Args:
        latent: size of z.
        widths: channels at 4^3 and at each doubling; the grid's side is 4 * 2 ** len(widths).
    """

    def __init__(self, latent: int, widths: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ConvTranspose3d(latent, widths[0], 4)]
        for before, after in pairwise(widths):
            layers += [nn.BatchNorm3d(before), nn.ReLU(), nn.ConvTranspose3d(before, after, 4, 2, 1)]
        last = nn.ConvTranspose3d(widths[-1], 1, 4, 2, 1)
        nn.init.constant_(last.bias, -2.0)  # type: ignore[arg-type]  # nearly all cells are empty
        self.layers = nn.Sequential(*layers, nn.BatchNorm3d(widths[-1]), nn.ReLU(), last)

    def forward(self, z: Tensor) -> Tensor:
        """Logits with shape (B, 1, R, R, R) of latents (B, L), which should have a mean of 0."""
        return self.layers(z[:, :, None, None, None])


class Discriminator(nn.Module):
    """Occupancy to a logit, through features at several scales.

    Args:
        widths: channels after each halving, down to 4^3.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        for i, (before, after) in enumerate(pairwise((1, *widths))):
            # No normalisation on raw voxels: the share of full cells is what it would erase.
            norm = nn.BatchNorm3d(after) if i else nn.Identity()
            self.blocks.append(nn.Sequential(nn.Conv3d(before, after, 4, 2, 1), norm, nn.LeakyReLU(0.2)))
        self.last = nn.Conv3d(widths[-1], 1, 4)

    def forward(self, voxels: Tensor) -> Tensor:
        """Logits with shape (B,) of grids (B, 1, R, R, R)."""
        return self.last(self.activations(voxels)[-1]).flatten()

    def activations(self, voxels: Tensor) -> list[Tensor]:
        """What each block puts out, from fine to coarse."""
        out = []
        for block in self.blocks:
            voxels = block(voxels)
            out.append(voxels)
        return out

    def features(self, voxels: Tensor) -> Tensor:
        """The last three blocks' activations, max-pooled to the same coarse grid: as published, a shape's description.

        With shape (B, D), of grids (B, 1, R, R, R).
        """
        activations = self.activations(voxels)[-3:]
        coarse = activations[-1].shape[-1] // 2
        return torch.cat([functional.adaptive_max_pool3d(a, coarse).flatten(1) for a in activations], dim=1)
