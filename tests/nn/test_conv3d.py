"""Cells that are hidden from systems which learn to complete."""

from __future__ import annotations

import torch

from gen3d_core.nn import conv3d


def test_hidden_cells_are_boxes_all_but_boxes_or_in_the_shade() -> None:
    x = torch.zeros(1, 1, 24, 24, 24)
    x[0, 0, 5, 6, 7] = 1
    numbers = torch.full((1, 11), 0.9)
    behind = {0.0: (slice(5, 6), slice(6, 7), slice(0, 7)), 0.2: (slice(6, 24), slice(6, 7), slice(7, 8))}
    for side, cells in behind.items():
        numbers[0, 9] = side
        wanted = torch.zeros(24, 24, 24, dtype=torch.bool)
        wanted[cells] = True
        assert torch.equal(conv3d.hidden_cells(x, numbers)[0, 0], wanted)
    numbers[0, 10] = 0.1
    box = conv3d.hidden_cells(x, numbers)
    assert torch.equal(box, conv3d.random_boxes(numbers[:, :9], 24))
    assert 0 < int(box.sum()) < 24**3
    numbers[0, 10] = 0.5
    assert torch.equal(conv3d.hidden_cells(x, numbers), ~box)


def test_hidden_regions_are_of_all_kinds_and_leave_something() -> None:
    generator = torch.Generator().manual_seed(0)
    numbers, cells = torch.rand(200, 8, generator=generator), torch.rand(200, 32, 32, 32, generator=generator)
    hidden = conv3d.hidden_regions(numbers, cells)
    share = hidden.float().mean((1, 2, 3))
    assert 0 < float(share.min()) < 0.1
    assert 0.6 < float(share.max()) < 0.9
    whole = sum(hidden.any(axis).all(1).all(1) for axis in (1, 2, 3))
    # Halves reach over two whole axes: seen along the third, nothing of the grid is left.
    assert 60 < int((whole == 1).sum()) < 130
