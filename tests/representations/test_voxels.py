"""Voxel grids: checks, components, resampling and their surface."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator

from gen3d_core.errors import EmptyShape
from gen3d_core.representations import MeshOptions, Voxels


def boxes(*corners: tuple[slice, slice, slice], size: int = 8) -> torch.Tensor:
    values = torch.zeros(size, size, size)
    for corner in corners:
        values[corner] = 1.0
    return values


@pytest.mark.parametrize("values", [torch.zeros(4, 4), torch.zeros(4, 4, 5), torch.zeros(4, 4, 4, dtype=torch.long)])
def test_only_cubes_of_floats_are_voxels(values: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="float grid"):
        Voxels(values)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_numbers_are_refused(value: float) -> None:
    values = torch.zeros(4, 4, 4)
    values[0, 1, 2] = value
    with pytest.raises(EmptyShape, match="not numbers"):
        Voxels(values)


def test_what_reaches_the_threshold_is_occupied() -> None:
    values = torch.tensor([0.1, 0.29, 0.3, 0.31, 0.9, 0, 0, 0]).reshape(2, 2, 2)
    assert Voxels(values, 0.3).occupied.flatten().tolist() == [False, False, True, True, True, False, False, False]


def test_the_largest_component_is_by_cells_and_face_to_face() -> None:
    large = (slice(0, 3), slice(0, 3), slice(0, 3))
    touching_at_an_edge = (slice(3, 5), slice(3, 5), slice(0, 2))
    far = (slice(6, 8), slice(6, 8), slice(6, 8))
    voxels = Voxels(boxes(large, touching_at_an_edge, far) * 0.9 + 0.05)
    assert torch.equal(voxels.largest_component().occupied, boxes(large) > 0)
    # What is below the threshold was no component and stays.
    assert float(voxels.largest_component().values[7, 0, 0]) == pytest.approx(0.05)


def test_one_component_and_none_stay_as_they_are() -> None:
    whole, empty = Voxels(boxes((slice(0, 3),) * 3)), Voxels(torch.zeros(4, 4, 4))
    assert whole.largest_component() is whole
    assert empty.largest_component() is empty


@pytest.mark.parametrize("resolution", [5, 16, 24])
def test_resizing_is_trilinear_between_cell_centres(resolution: int) -> None:
    values = torch.rand(8, 8, 8, generator=torch.Generator().manual_seed(0))
    found = Voxels(values, 0.4).resized(resolution)
    axis = (np.arange(8) + 0.5) / 8 - 0.5
    wanted = (np.arange(resolution) + 0.5) / resolution - 0.5
    inside = np.abs(wanted) <= axis[-1]
    interpolate = RegularGridInterpolator((axis,) * 3, values.numpy())
    points = np.stack(np.meshgrid(*(wanted[inside],) * 3, indexing="ij"), -1)
    assert found.threshold == 0.4
    assert found.values.numpy()[np.ix_(inside, inside, inside)] == pytest.approx(interpolate(points), abs=1e-5)


def test_the_mesh_of_a_box_is_where_the_box_is() -> None:
    voxels = Voxels(boxes((slice(1, 3), slice(2, 6), slice(0, 8))))
    mesh = voxels.to_mesh(MeshOptions(8))
    assert mesh.is_closed()
    assert mesh.vertices.min(0) == pytest.approx([-0.375, -0.25, -0.5], abs=1e-3)
    assert mesh.vertices.max(0) == pytest.approx([-0.125, 0.25, 0.5], abs=1e-3)


def test_a_higher_resolution_is_interpolated_and_a_lower_one_is_the_grid() -> None:
    voxels = Voxels(boxes((slice(2, 6),) * 3))
    own, lower = voxels.to_mesh(MeshOptions(8)), Voxels(boxes((slice(5, 11),) * 3, size=16)).to_mesh(MeshOptions(8))
    finer = voxels.to_mesh(MeshOptions(32))
    assert len(finer.faces) > 4 * len(own.faces)
    assert finer.is_closed()
    assert len(lower.faces) > len(own.faces)


def test_the_threshold_decides_the_size() -> None:
    axis = torch.arange(16) - 7.5
    distance = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).norm(dim=0) / 16
    values = (1 - distance).clamp(0, 1)
    for threshold in (0.6, 0.8):
        mesh = Voxels(values, threshold).to_mesh(MeshOptions(16))
        assert np.linalg.norm(mesh.vertices, axis=1) == pytest.approx(1 - threshold, abs=0.01)


def test_empty_voxels_have_no_mesh() -> None:
    with pytest.raises(EmptyShape, match="empty"):
        Voxels(torch.full((8, 8, 8), 0.2)).to_mesh(MeshOptions(8))
