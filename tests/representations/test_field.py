"""Coarse to fine and warm evaluation against the dense grid, on fields whose distance is exact."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from gen3d_core.data import catalogue
from gen3d_core.errors import EmptyShape
from gen3d_core.representations import Field, MeshOptions
from gen3d_core.representations.field import SampledField
from gen3d_core.representations.isosurface import extract

Distance = Callable[[Tensor], Tensor]


def sphere(radius: float = 0.3, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Distance:
    return lambda points: (points - torch.tensor(centre)).norm(dim=1) - radius


def torus(points: Tensor) -> Tensor:
    """Thinner than two cells of 64."""
    ring = points[:, :2].norm(dim=1) - 0.3
    return torch.stack([ring, points[:, 2]]).norm(dim=0) - 0.013


def chair(seed: int) -> Distance:
    shape = catalogue.make("chair", seed)
    return lambda points: torch.as_tensor(shape.sdf(points.numpy()))


def truncated(distance: Distance) -> Distance:
    return lambda points: distance(points).clamp(-0.1, 0.1)


def corners_of_crossings(values: Tensor) -> Tensor:
    """Samples of the marching cubes' cells that the surface passes through: all that decides the mesh."""
    inside = values < 0
    crossed = torch.zeros_like(inside)
    n = len(values) - 1
    octants = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    eight = torch.stack([inside[a : a + n, b : b + n, c : c + n] for a, b, c in octants])
    mixed = eight.any(0) & ~eight.all(0)
    for a, b, c in octants:
        crossed[a : a + n, b : b + n, c : c + n] |= mixed
    return crossed


def assert_as_dense(found: SampledField, field: Field, resolution: int) -> None:
    dense = field.dense(resolution)
    assert torch.equal(found.values < 0, dense < 0)
    near = corners_of_crossings(dense)
    assert near.any()
    assert torch.allclose(found.values[near], dense[near], atol=1e-6)


@pytest.mark.parametrize(
    "distance",
    [
        sphere(),
        sphere(0.05, (0.3, -0.2, 0.1)),
        truncated(sphere()),
        torus,
        chair(0),
        chair(1),
        truncated(chair(2)),
        chair(3),
    ],
    ids=["sphere", "small", "truncated", "torus", "chair0", "chair1", "chair2", "chair3"],
)
def test_coarse_to_fine_is_the_dense_grid(distance: Distance) -> None:
    field = Field(distance)
    assert_as_dense(field.grid(64), field, 64)


@pytest.mark.parametrize("resolution", [8, 17, 24, 40, 50])
def test_resolutions_that_are_no_powers_of_two(resolution: int) -> None:
    field = Field(sphere())
    assert_as_dense(field.grid(resolution), field, resolution)


@pytest.mark.parametrize(("resolution", "share"), [(64, 0.35), (128, 0.16)])
def test_most_of_the_grid_is_never_asked_for(resolution: int, share: float) -> None:
    asked = 0

    def counted(points: Tensor) -> Tensor:
        nonlocal asked
        asked += len(points)
        return sphere()(points)

    found = Field(counted).grid(resolution)
    assert found.queries == asked < share * resolution**3
    assert int(found.evaluated.sum()) <= asked


def test_what_is_marked_as_evaluated_is_exact() -> None:
    field = Field(chair(4))
    found, dense = field.grid(48), field.dense(48)
    assert torch.allclose(found.values[found.evaluated], dense[found.evaluated], atol=1e-6)
    assert not found.evaluated.all()


@pytest.mark.parametrize("factor", [0.6, 10.0])
def test_a_field_steeper_than_a_distance_needs_its_steepness(factor: float) -> None:
    def scaled(points: Tensor) -> Tensor:
        return factor * torus(points)

    field = Field(scaled, truncation=0.1 * factor, steepness=max(factor, 1.0))
    assert_as_dense(field.grid(64), field, 64)
    if factor > 1:
        unaware = Field(scaled, truncation=0.1 * factor, steepness=1.0)
        assert not torch.equal(unaware.grid(64).values < 0, field.grid(64).values < 0)


def test_a_change_of_sign_counts_whatever_the_distances_say() -> None:
    def steep(points: Tensor) -> Tensor:
        return 30 * sphere()(points)

    field = Field(steep, truncation=3.0, steepness=1.0)
    assert torch.equal(field.grid(64).values < 0, field.dense(64) < 0)


def test_warm_tracking_of_a_moving_sphere_is_the_dense_grid() -> None:
    resolution = 32
    grid = Field(sphere(0.2, (-0.2, 0.0, 0.0))).grid(resolution)
    for step in range(1, 9):
        field = Field(sphere(0.2 + 0.01 * step, (-0.2 + 0.05 * step, 0.02 * step, 0.0)))
        grid = field.grid(resolution, near=grid.values)
        assert_as_dense(grid, field, resolution)
        assert grid.queries < 0.4 * resolution**3


def test_warm_tracking_of_a_jump_is_the_dense_grid() -> None:
    """Further than the band is wide, yet overlapping: the band has to grow."""
    field = Field(sphere(0.25, (0.1, 0.1, 0.0)))
    grid = field.grid(32, near=Field(sphere(0.25, (-0.1, 0.0, 0.0))).grid(32).values)
    assert_as_dense(grid, field, 32)


def test_warm_tracking_sees_a_part_that_appears_elsewhere() -> None:
    def two(points: Tensor) -> Tensor:
        return torch.minimum(sphere(0.2, (-0.2, 0, 0))(points), sphere(0.12, (0.3, 0.2, 0.2))(points))

    near = Field(sphere(0.2, (-0.2, 0, 0))).grid(32).values
    found = Field(two).grid(32, near=near)
    assert_as_dense(found, Field(two), 32)
    assert found.queries < 0.4 * 32**3
    # And one that is gone again.
    field = Field(sphere(0.2, (-0.2, 0, 0)))
    assert_as_dense(field.grid(32, near=found.values), field, 32)


def test_a_small_move_costs_less_than_a_cold_pass_and_gives_the_same_mesh() -> None:
    options = MeshOptions(64)
    near = Field(chair(3)).grid(64).values

    def taller(points: Tensor) -> Tensor:
        return chair(3)(points / torch.tensor([1.0, 1.0, 1.02]))

    cold, warm = Field(taller).grid(64), Field(taller).grid(64, near=near)
    assert warm.queries < 0.8 * cold.queries
    one, two = (extract(found.values, 0.0, options) for found in (cold, warm))
    assert np.array_equal(one.faces, two.faces)
    assert np.allclose(one.vertices, two.vertices, atol=1e-6)


def test_a_grid_of_another_size_is_no_help_and_no_harm() -> None:
    field = Field(sphere())
    near = field.grid(16).values
    assert torch.equal(field.grid(32, near=near).values, field.grid(32).values)


def test_warm_tracking_leaves_the_earlier_grid_alone() -> None:
    near = Field(sphere(0.2)).grid(16).values
    kept = near.clone()
    Field(sphere(0.25)).grid(16, near=near)
    assert torch.equal(near, kept)


def test_a_field_becomes_a_closed_mesh() -> None:
    mesh = Field(chair(5)).to_mesh(MeshOptions(64))
    assert mesh.is_closed()


def test_values_that_are_not_numbers_are_refused() -> None:
    def broken(points: Tensor) -> Tensor:
        return torch.where(points[:, 0] > 0.4, float("nan"), sphere()(points))

    with pytest.raises(EmptyShape, match="not numbers"):
        Field(broken).grid(16)
    with pytest.raises(EmptyShape, match="not numbers"):
        Field(broken).to_mesh(MeshOptions(16))


def test_an_empty_field_is_said_to_be_empty() -> None:
    with pytest.raises(EmptyShape, match="empty"):
        Field(lambda points: torch.ones(len(points))).to_mesh(MeshOptions(32))
