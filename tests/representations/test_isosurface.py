"""Marching cubes: closed, outward, of the right size, and clear words where there is no surface."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gen3d_core.errors import EmptyShape
from gen3d_core.representations import Mesh, MeshOptions
from gen3d_core.representations.isosurface import extract, grid_centres

RAW = MeshOptions(32)


def volume(mesh: Mesh) -> float:
    """By the divergence theorem; positive where faces look outward."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def sphere(resolution: int, radius: float = 0.3) -> torch.Tensor:
    return grid_centres(resolution).norm(dim=-1) - radius


def test_grid_centres_follow_the_convention() -> None:
    centres = grid_centres(4)
    assert centres.shape == (4, 4, 4, 3)
    assert centres[3, 0, 1].tolist() == [0.375, -0.375, -0.125]


@pytest.mark.parametrize("resolution", [16, 33])
def test_a_sphere_is_closed_outward_and_of_its_size(resolution: int) -> None:
    mesh = extract(sphere(resolution), 0.0, RAW)
    assert mesh.is_closed()
    assert np.linalg.norm(mesh.vertices, axis=1) == pytest.approx(0.3, abs=0.2 / resolution)
    assert volume(mesh) == pytest.approx(4 / 3 * np.pi * 0.3**3, rel=10 / resolution**2)
    assert mesh.face_areas().sum() == pytest.approx(4 * np.pi * 0.3**2, rel=10 / resolution**2)


def test_axes_are_x_y_z() -> None:
    scale = torch.tensor([0.1, 0.2, 0.4])
    mesh = extract((grid_centres(32) / scale).norm(dim=-1) - 1, 0.0, RAW)
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([0.2, 0.4, 0.8], rel=0.03)


def test_the_level_moves_the_surface() -> None:
    mesh = extract(sphere(32, 0.0), 0.2, RAW)
    assert np.linalg.norm(mesh.vertices, axis=1) == pytest.approx(0.2, abs=0.01)


def test_shapes_that_leave_the_grid_are_closed_at_its_border() -> None:
    slab = grid_centres(16)[..., 2].abs() - 0.2
    mesh = extract(slab, 0.0, RAW)
    assert mesh.is_closed()
    assert volume(mesh) == pytest.approx(0.4, rel=0.12)
    assert np.abs(mesh.vertices).max() <= 0.5 + 0.5 / 16


def test_a_full_grid_is_a_closed_block() -> None:
    mesh = extract(torch.full((8, 8, 8), -1.0), 0.0, RAW)
    assert mesh.is_closed()
    assert volume(mesh) == pytest.approx(1.0, rel=0.25)


@pytest.mark.parametrize("value", [1.0, 0.0, -1e-12])
def test_a_field_without_an_inside_is_empty(value: float) -> None:
    values = torch.ones(8, 8, 8)
    values[4, 4, 4] = value
    with pytest.raises(EmptyShape, match="empty at resolution 8"):
        extract(values, 0.0, RAW)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_numbers_are_refused(value: float) -> None:
    values = sphere(8)
    values[1, 2, 3] = value
    with pytest.raises(EmptyShape, match="not numbers"):
        extract(values, 0.0, RAW)


def test_values_exactly_on_the_level_leave_no_degenerate_triangles() -> None:
    steps = (sphere(24) * 12).round() / 12
    assert int((steps == 0).sum()) > 100
    mesh = extract(steps, 0.0, RAW)
    assert mesh.is_closed()
    assert (mesh.faces[:, 0] != mesh.faces[:, 1]).all()
    assert volume(mesh) > 0


@pytest.mark.parametrize("seed", range(20))
def test_noise_of_two_values_is_closed(seed: int) -> None:
    """Equal magnitudes make every ambiguous face of marching cubes a tie."""
    solid = torch.rand(10, 10, 10, generator=torch.Generator().manual_seed(seed)) < 0.3
    mesh = extract(0.5 - solid.float(), 0.0, RAW)
    assert mesh.is_closed()
    assert volume(mesh) > 0


@pytest.mark.parametrize("seed", range(5))
def test_noise_of_many_values_is_closed(seed: int) -> None:
    values = torch.randn(10, 10, 10, generator=torch.Generator().manual_seed(seed)) + 0.3
    assert extract(values, 0.0, RAW).is_closed()


def test_low_precision_fields_are_meshed() -> None:
    mesh = extract(sphere(16).half(), 0.0, RAW)
    assert mesh.is_closed()
    assert mesh.vertices.dtype == np.float32
