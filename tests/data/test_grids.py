"""Grids of cells as assets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gen3d_core.data.grids import Grid, read_grids
from gen3d_core.errors import BadMesh, BadRequest

SIDE = 16


def block(low: tuple[int, int, int] = (4, 3, 2), high: tuple[int, int, int] = (12, 11, 14)) -> Grid:
    cells = np.zeros((SIDE,) * 3, bool)
    cells[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return Grid(cells)


def box_distance(points: np.ndarray, grid: Grid) -> np.ndarray:
    """Exact signed distance of the box that the full cells of a block are."""
    full = np.argwhere(grid.occupancy)
    low, high = full.min(0) / SIDE - 0.5, (full.max(0) + 1) / SIDE - 0.5
    q = np.abs(points - (low + high) / 2) - (high - low) / 2
    return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(-1), 0)


def centres(resolution: int) -> np.ndarray:
    axis = (np.arange(resolution) + 0.5) / resolution - 0.5
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)


def test_its_own_cells_come_back() -> None:
    cells = np.random.default_rng(0).random((SIDE,) * 3) < 0.3
    grid = Grid(cells)
    found = grid.voxels(SIDE)
    assert np.array_equal(found, cells)
    found[:] = False
    assert np.array_equal(grid.voxels(SIDE), cells)


@pytest.mark.parametrize("resolution", [8, SIDE, 24, 32])
def test_distances_agree_with_the_cells_at_every_resolution(resolution: int) -> None:
    grid = block()
    values = grid.sdf_grid(resolution, 0.1)
    assert values.dtype == np.float32
    assert np.abs(values).max() <= np.float32(0.1)
    assert np.array_equal(values < 0, grid.voxels(resolution))
    # Distances are measured between the centres of cells: at the corners of a box that is a little too far.
    expected = box_distance(centres(resolution), grid).clip(-0.1, 0.1)
    assert np.abs(values - expected).max() < 0.6 / SIDE


def test_finer_grids_fill_the_same_volume() -> None:
    grid = block()
    assert grid.voxels(64).mean() == pytest.approx(grid.occupancy.mean(), rel=0.06)


def test_a_sheet_of_one_cell_stays_at_twice_the_resolution() -> None:
    sheet = block((2, 7, 2), (14, 8, 14)).voxels(2 * SIDE)
    assert sheet[6:26, :, 6:26].any(axis=1).all()


def test_distances_go_on_beyond_the_cube() -> None:
    grid = block()
    points = np.array([[0.9, 0.0, 0.0], [-2.0, -2.0, -2.0]])
    assert grid.sdf(points) == pytest.approx(box_distance(points, grid), abs=0.05)


def test_the_surface_is_closed_and_its_points_lie_on_it() -> None:
    grid = block()
    assert grid.mesh.is_closed()
    points, normals = grid.surface(500, seed=3)
    assert points.dtype == normals.dtype == np.float32
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.abs(box_distance(points, grid)).max() < 0.5 / SIDE
    assert (grid.sdf(points + 0.03 * normals) > grid.sdf(points - 0.03 * normals)).all()
    assert np.array_equal(points, grid.surface(500, seed=3)[0])
    assert not np.array_equal(points, grid.surface(500, seed=4)[0])


@pytest.mark.parametrize(
    "cells",
    [np.zeros((4, 4, 4), bool), np.ones((4, 4, 5), bool), np.ones((4, 4, 4)), np.ones((1, 1, 1), bool)],
    ids=["empty", "no cube", "no cells", "one cell"],
)
def test_what_is_no_shape_is_refused(cells: np.ndarray) -> None:
    with pytest.raises(BadMesh):
        Grid(cells)


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A seat with a back: in the file's axes the back is at the far end of the first, and a knob at its right."""
    cells = np.zeros((2, SIDE, SIDE, SIDE), bool)
    cells[:, 2:14, 3:13, 5] = True  # the seat
    cells[:, 12:14, 3:13, 5:15] = True  # the back
    cells[0, 3, 4, 6] = True  # a knob in front, where the second axis is low
    np.savez(tmp_path / "two.npz", seat=np.stack([np.packbits(one) for one in cells]), other=np.zeros(3))
    return tmp_path / "two.npz"


def test_the_files_axes_become_the_engines(packed: Path) -> None:
    first, second = read_grids(packed, "seat", 5)
    full = np.argwhere(second.occupancy)
    back = full[full[:, 2] > 5]
    assert back[:, 1].min() == 12  # +Y is the back
    assert full[:, 2].min() == 5  # +Z is up
    # A quarter turn, no mirroring: low on the file's second axis is the right side, +X seen from the front.
    (knob,) = np.argwhere(first.occupancy & ~second.occupancy)
    assert tuple(knob) == (SIDE - 1 - 4, 3, 6)


def test_rows_can_be_chosen(packed: Path) -> None:
    assert len(read_grids(packed, "seat", 1)) == 1
    (second,) = read_grids(packed, "seat", 4, first=1)
    assert np.array_equal(second.occupancy, read_grids(packed, "seat", 2)[1].occupancy)
    with pytest.raises(BadRequest, match="no row 2"):
        read_grids(packed, "seat", 1, first=2)


def test_other_layouts_are_refused_by_name(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no array 'sofa'"):
        read_grids(packed, "sofa", 1)
    with pytest.raises(BadRequest, match="expected packed grids"):
        read_grids(packed, "other", 1)
    with pytest.raises(BadRequest, match="no file"):
        read_grids(tmp_path / "nowhere.npz", "seat", 1)
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(BadRequest, match=r"text\.npz"):
        read_grids(tmp_path / "text.npz", "seat", 1)


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "unsafe.npz", seat=np.array([{"a": 1}], dtype=object))
    with pytest.raises(BadRequest, match=r"unsafe\.npz"):
        read_grids(tmp_path / "unsafe.npz", "seat", 1)


def test_an_empty_row_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "empty.npz", seat=np.zeros((1, SIDE**3 // 8), np.uint8))
    with pytest.raises(BadMesh, match="row 0"):
        read_grids(tmp_path / "empty.npz", "seat", 1)
