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


def random_boxes(numbers: Tensor, resolution: int) -> Tensor:
    """Boxes of cells, from slabs and octants to small blocks: what a system that learns to complete does not see.

    Args:
        numbers: uniform in [0, 1), with shape (B, 9): along each axis whether the box is cut there, where, and which
            side of it.
        resolution: R.

    Returns:
        With shape (B, 1, R, R, R), bool; true inside the box, which covers between an eighth and all of two axes.
    """
    cut, where, side = numbers.reshape(-1, 3, 3).unbind(1)
    # At least one axis is cut, else nothing would be seen.
    cut = torch.where(cut == cut.amin(1, keepdim=True), torch.zeros_like(cut), cut)
    place = 0.25 + 0.5 * where
    centres = (torch.arange(resolution, device=numbers.device) + 0.5) / resolution
    inside = (centres < place[..., None]) == (side < 0.5)[..., None]
    inside = inside | (cut >= 0.5)[..., None]
    x, y, z = inside.unbind(1)
    return (x[:, :, None, None] & y[:, None, :, None] & z[:, None, None, :])[:, None]
