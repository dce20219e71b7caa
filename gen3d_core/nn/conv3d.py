"""Convolutions over voxel grids: halving, doubling, and grids of another size."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def down(channels_in: int, channels_out: int) -> nn.Sequential:
    """Halves the sides of a grid: (B, channels_in, R, R, R) to (B, channels_out, R / 2, R / 2, R / 2)."""
    return nn.Sequential(nn.Conv3d(channels_in, channels_out, 4, stride=2, padding=1), nn.LeakyReLU(0.2))


def up(channels_in: int, channels_out: int) -> nn.Sequential:
    """Doubles the sides of a grid: (B, channels_in, R, R, R) to (B, channels_out, 2 R, 2 R, 2 R)."""
    return nn.Sequential(nn.ConvTranspose3d(channels_in, channels_out, 4, stride=2, padding=1), nn.LeakyReLU(0.2))


def nearest(mask: Tensor, resolution: int) -> Tensor:
    """A mask (R, R, R), bool, on a grid of another resolution: true where all it covers is true.

    Between grids where neither side is a multiple of the other, each cell takes the value at its centre.
    """
    size = len(mask)
    if size == resolution:
        return mask
    if size % resolution == 0:
        k = size // resolution
        blocks = mask.reshape(resolution, k, resolution, k, resolution, k)
        return blocks.all(5).all(3).all(1)
    index = ((torch.arange(resolution, device=mask.device) + 0.5) * size / resolution).long()
    return mask[index][:, index][:, :, index]
