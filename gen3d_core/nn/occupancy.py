"""Grids of cells that are full or empty: of assets, as bits, how they overlap, and where probabilities are cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor


class Shape(Protocol):
    """What :func:`of_shapes` asks of a shape."""

    def voxels(self, resolution: int) -> Any:
        """Solid occupancy at the cell centres, with shape (R, R, R), bool."""
        ...


def of_shapes(shapes: Sequence[Shape], resolution: int, device: torch.device) -> Tensor:
    """0 and 1, with shape (B, R, R, R), float."""
    return torch.stack([torch.as_tensor(shape.voxels(resolution)) for shape in shapes]).to(device).float()


def packed(full: Tensor) -> Tensor:
    """Bits of (B, R, R, R), bool, with shape (B, R^3 / 8), uint8."""
    bits = full.reshape(len(full), -1, 8).to(torch.uint8)
    return (bits << torch.arange(8, device=full.device, dtype=torch.uint8)).sum(2).to(torch.uint8)


def unpacked(rows: Tensor, resolution: int) -> Tensor:
    """The way back, as 0 and 1, with shape (B, R, R, R), float."""
    bits = torch.arange(8, device=rows.device)
    return (rows[..., None] >> bits & 1).float().reshape(-1, *(resolution,) * 3)


def overlaps(p: Tensor, full: Tensor, cuts: Tensor) -> Tensor:
    """Intersection over union with the true cells, summed over shapes, with shape (C,), on the CPU.

    Args:
        p: probabilities, with shape (B, R, R, R).
        full: true cells, with shape (B, R, R, R), bool.
        cuts: from which probability on a cell counts as full, with shape (C,).
    """
    return torch.stack([_overlap(p >= cut, full).sum() for cut in cuts.tolist()]).cpu()


def cut_at(p: Tensor, share: float) -> float:
    """Where probabilities (N,) are to be cut for this share of them to be full."""
    rank = min(round(len(p) * (1 - share)), len(p) - 1)
    return float(p.sort().values[rank])


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    """Of grids (B, R, R, R), bool, with shape (B,)."""
    return (a & b).flatten(1).sum(1) / (a | b).flatten(1).sum(1).clamp_min(1)
