"""Convolutions over voxel grids: halving, doubling, grids of another size, and cells that are hidden."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


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


def hidden_regions(numbers: Tensor, cells: Tensor) -> Tensor:
    """Cells to be recovered, with shape (B, R, R, R), bool: halves, octants, boxes, and scattered cells.

    Unlike :func:`hidden_cells` it does not look at the shape.

    Args:
        numbers: uniform in [0, 1), with shape (B, 8).
        cells: uniform in [0, 1), with shape (B, R, R, R).
    """
    count = len(numbers)
    kind, which = numbers[:, 0], numbers[:, 1]
    low, size = numbers[:, 2:5], 0.3 + 0.5 * numbers[:, 5:8]
    # A half starts at one of the grid's sides and leaves the other two axes whole; an octant starts at sides of all.
    axis = functional.one_hot((which * 3).long(), 3).bool()
    near = low < 0.5
    side = torch.where(near, torch.zeros_like(size), 1 - size)
    half, octant = (kind < 0.45)[:, None], (kind < 0.6)[:, None]
    start = torch.where(
        half, torch.where(axis, side, torch.zeros_like(side)), torch.where(octant, side, low * (1 - size))
    )
    length = torch.where(half & ~axis, torch.ones_like(size), size)
    centres = (torch.arange(cells.shape[-1], device=cells.device) + 0.5) / cells.shape[-1]
    inside = (centres >= start[..., None]) & (centres < (start + length)[..., None])
    box = inside[:, 0, :, None, None] & inside[:, 1, None, :, None] & inside[:, 2, None, None, :]
    scattered = (kind >= 0.85).reshape(count, 1, 1, 1)
    return torch.where(scattered, cells < 0.7, box)
