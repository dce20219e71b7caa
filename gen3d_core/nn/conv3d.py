"""Convolutions over voxel grids: halving, doubling, grids of another size, and cells that are hidden."""

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


def hidden_cells(x: Tensor, numbers: Tensor) -> Tensor:
    """Cells that a system which learns to complete does not see, with shape (B, 1, R, R, R), bool.

    In a third of the shapes a box, in a third all but a box, and else what full cells shade from one side: behind the
    first full cell along an axis, from above or from a side, never from below.

    Args:
        x: occupancies, with shape (B, 1, R, R, R), 0 or 1.
        numbers: uniform in [0, 1), with shape (B, 11).
    """
    boxes = random_boxes(numbers[:, :9], x.shape[-1])
    above = (x.flip(4).cumsum(4).flip(4) - x) > 0
    sides = [above]
    for axis in (2, 3):
        summed = x.cumsum(axis)
        sides += [(summed - x) > 0, (summed.amax(axis, keepdim=True) - summed) > 0]
    side = (numbers[:, 9] * len(sides)).long()
    shaded = torch.stack(sides, dim=1)[torch.arange(len(x), device=x.device), side]
    kind = numbers[:, 10, None, None, None, None]
    return torch.where(kind < 1 / 3, boxes, torch.where(kind < 2 / 3, ~boxes, shaded))
