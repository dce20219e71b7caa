"""Grids as blocks of 2^3 cells: what half the resolution tells of a grid, and what it leaves open."""

from __future__ import annotations

import torch
from torch import Tensor


def gathered(x: Tensor) -> Tensor:
    """Cells of blocks as channels: (B, C, R, R, R) to (B, 8 C, R / 2, R / 2, R / 2)."""
    count, width, half = x.shape[0], x.shape[1], x.shape[2] // 2
    return x.reshape(count, width, half, 2, half, 2, half, 2).permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)


def scattered(x: Tensor) -> Tensor:
    """The way back: (B, 8 C, R, R, R) to (B, C, 2 R, 2 R, 2 R)."""
    count, width, side = x.shape[0], x.shape[1] // 8, x.shape[2]
    parts = x.reshape(count, width, 2, 2, 2, side, side, side).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return parts.reshape(count, width, *(2 * side,) * 3)


def means(x: Tensor) -> Tensor:
    """For each cell of (B, R, R, R) the mean of its block, of the same size."""
    half = x.shape[-1] // 2
    blocks = x.reshape(-1, half, 2, half, 2, half, 2)
    return blocks.mean((2, 4, 6), keepdim=True).expand_as(blocks).reshape(x.shape)


def within(change: Tensor) -> Tensor:
    """The part of a change (B, R, R, R) that leaves the mean of every block as it is."""
    return change - means(change)


def fullest(values: Tensor, shares: Tensor) -> Tensor:
    """In each block as many of the cells with the highest values as make it as full as it is.

    Args:
        values: with shape (R, R, R); of equal ones the first counts as higher.
        shares: of full cells in each block, eighths, with shape (R / 2, R / 2, R / 2).

    Returns:
        With shape (R, R, R), bool.
    """
    return _joined(_highest(_rows(values), _counts(shares)), len(values))


def as_full(values: Tensor, shares: Tensor) -> Tensor:
    """Shifts values, block by block, until as many cells reach 0.5 as the block's share says.

    Args:
        values: with shape (R, R, R).
        shares: as for :func:`fullest`.

    Returns:
        With shape (R, R, R), in [0, 1].
    """
    blocks, count = _rows(values), _counts(shares)
    ranked = torch.cat([blocks.amax(1, keepdim=True) + 1, blocks.sort(1, descending=True).values], dim=1)
    ranked = torch.cat([ranked, blocks.amin(1, keepdim=True) - 1], dim=1)
    edge = (ranked.gather(1, count) + ranked.gather(1, count + 1)) / 2
    shifted = blocks - edge + 0.5
    # Exactly as many, should values be equal.
    full = _highest(blocks, count)
    return _joined(torch.where(full, shifted.clamp(0.5, 1), shifted.clamp(0, 0.49)), len(values))


def _rows(values: Tensor) -> Tensor:
    """A row of 8 for each block of (R, R, R)."""
    half = len(values) // 2
    return values.reshape(half, 2, half, 2, half, 2).permute(0, 2, 4, 1, 3, 5).reshape(-1, 8)


def _joined(rows: Tensor, side: int) -> Tensor:
    """The way back."""
    half = side // 2
    return rows.reshape(half, half, half, 2, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(side, side, side)


def _counts(shares: Tensor) -> Tensor:
    """Full cells of each block, with shape (N, 1)."""
    return (8 * shares).round().long().reshape(-1, 1)


def _highest(rows: Tensor, count: Tensor) -> Tensor:
    """Which ``count`` (N, 1) of each row (N, 8) are the highest."""
    return torch.sort(rows, dim=1, descending=True, stable=True).indices.argsort(1) < count
