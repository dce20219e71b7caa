"""Grids as blocks of 2^3 cells."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gen3d_core.nn import blocks


def drawn(*size: int) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(7))


def test_gathered_blocks_are_scattered_again() -> None:
    x = drawn(2, 3, 4, 4, 4)
    gathered = blocks.gathered(x)
    assert torch.equal(gathered[1, 8:16, 0, 1, 1].sort().values, x[1, 1, 0:2, 2:4, 2:4].flatten().sort().values)
    assert torch.equal(blocks.scattered(gathered), x)


def test_changes_within_blocks_leave_their_means() -> None:
    x = drawn(2, 6, 6, 6)
    coarse = functional.avg_pool3d(x[:, None], 2)
    assert torch.allclose(functional.interpolate(coarse, scale_factor=2)[:, 0], blocks.means(x), atol=1e-6)
    moved = x + blocks.within(drawn(2, 6, 6, 6).flip(1))
    assert not torch.allclose(moved, x)
    assert torch.allclose(blocks.means(moved), blocks.means(x), atol=1e-6)


def test_the_fullest_cells_are_as_many_as_said() -> None:
    values = drawn(6, 6, 6)
    # Blocks in which many values are equal, too.
    values[:2] = values[:2].round()
    counts = torch.arange(27).reshape(3, 3, 3) % 9
    full = blocks.fullest(values, counts / 8)
    assert torch.equal(8 * functional.avg_pool3d(full[None].float(), 2)[0], counts.float())
    for x, y, z in counts.nonzero().tolist():
        block = (slice(2 * x, 2 * x + 2), slice(2 * y, 2 * y + 2), slice(2 * z, 2 * z + 2))
        least = values[block].flatten().sort(descending=True).values[counts[x, y, z] - 1]
        assert (values[block][full[block]] >= least).all()
    shifted = blocks.as_full(values, counts / 8)
    assert torch.equal(shifted >= 0.5, full)
    assert 0 <= float(shifted.min()) < float(shifted.max()) <= 1
