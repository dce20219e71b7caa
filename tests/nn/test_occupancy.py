"""Grids of cells that are full or empty."""

from __future__ import annotations

import pytest
import torch

from gen3d_core.nn import occupancy


def test_packed_cells_are_unpacked_again() -> None:
    full = torch.rand(3, 4, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.5
    rows = occupancy.packed(full)
    assert (rows.shape, rows.dtype) == ((3, 8), torch.uint8)
    assert torch.equal(occupancy.unpacked(rows, 4).bool(), full)


def test_overlaps_are_intersections_over_unions() -> None:
    p = torch.tensor([0.9, 0.6, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1]).expand(2, 8).reshape(2, 2, 2, 2)
    full = torch.zeros(2, 8, dtype=torch.bool)
    full[0, :2], full[1, 1:4] = True, True
    found = occupancy.overlaps(p, full.reshape(2, 2, 2, 2), torch.tensor([0.3, 0.5, 0.95]))
    assert found.tolist() == pytest.approx([2 / 3 + 2 / 4, 1 + 1 / 4, 0])


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_cut_leaves_the_share_that_is_asked_for(share: float) -> None:
    p = torch.randperm(100, generator=torch.Generator().manual_seed(0)) / 100
    assert int((p >= occupancy.cut_at(p, share)).sum()) == 100 * share
