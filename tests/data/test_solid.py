"""Meshes as solids against shapes whose distance is a formula, and meshes that are damaged."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from gen3d_core.data.solid import Frame, Solid, fit, read_solid
from gen3d_core.errors import BadMesh
from gen3d_core.representations import Mesh

RADIUS = 0.35
HALF = np.array([0.1, 0.2, 0.3])


def as_mesh(shape: trimesh.Trimesh) -> Mesh:
    return Mesh(np.asarray(shape.vertices, np.float32), np.asarray(shape.faces, np.int32))


def ball() -> Mesh:
    return as_mesh(trimesh.creation.icosphere(subdivisions=4, radius=RADIUS))


def box() -> Mesh:
    return as_mesh(trimesh.creation.box(extents=2 * HALF))


def positions(count: int = 3000) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (count, 3))


def box_distance(points: np.ndarray) -> np.ndarray:
    q = np.abs(points) - HALF
    return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0)


def centres(resolution: int) -> np.ndarray:
    axis = (np.arange(resolution) + 0.5) / resolution - 0.5
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)


def test_distances_to_a_sphere() -> None:
    points = positions()
    found = Solid(ball()).sdf(points)
    assert found.dtype == np.float32
    assert found == pytest.approx(np.linalg.norm(points, axis=1) - RADIUS, abs=2e-3)


def test_distances_to_a_box_are_exact() -> None:
    points = positions()
    assert Solid(box()).sdf(points) == pytest.approx(box_distance(points), abs=1e-6)


def test_voxels_of_a_box_are_its_cells() -> None:
    inside = (np.abs(centres(20)) < HALF).all(-1)
    assert np.array_equal(Solid(box()).voxels(20), inside)


@pytest.mark.parametrize("resolution", [6, 32, 42])
def test_the_grid_of_distances_is_the_clamped_distance(resolution: int) -> None:
    grid = Solid(box()).sdf_grid(resolution, 0.07)
    expected = box_distance(centres(resolution).reshape(-1, 3)).clip(-0.07, 0.07).reshape((resolution,) * 3)
    assert grid.dtype == np.float32
    assert grid == pytest.approx(expected, abs=1e-6)


def test_a_mesh_with_missing_faces_keeps_its_inside() -> None:
    whole = ball()
    kept = np.random.default_rng(0).random(len(whole.faces)) >= 0.05
    assert 0.04 < 1 - kept.mean() < 0.06
    damaged = Solid(Mesh(whole.vertices, whole.faces[kept])).voxels(32)
    assert (damaged != Solid(whole).voxels(32)).mean() < 0.002


def test_a_mesh_inside_out_is_turned() -> None:
    whole = ball()
    turned = Solid(Mesh(whole.vertices, np.ascontiguousarray(whole.faces[:, ::-1])))
    assert np.array_equal(turned.voxels(24), Solid(whole).voxels(24))
    points, normals = turned.surface(200)
    assert np.einsum("ij,ij->i", points, normals).min() > 0


def test_overlapping_parts_are_one_solid() -> None:
    left, right = (trimesh.creation.box(extents=(0.4, 0.2, 0.2)) for _ in range(2))
    left.apply_translation((-0.1, 0, 0))
    right.apply_translation((0.1, 0, 0))
    inside = (np.abs(centres(25)) < (0.3, 0.1, 0.1)).all(-1)
    assert np.array_equal(Solid(as_mesh(trimesh.util.concatenate([left, right]))).voxels(25), inside)


def test_winding_is_one_inside_and_zero_outside() -> None:
    solid = Solid(ball())
    assert solid.winding(np.zeros((1, 3))) == pytest.approx(1, abs=5e-3)
    assert solid.winding(np.array([[0.45, 0.45, 0.45]])) == pytest.approx(0, abs=5e-3)


def test_surface_points_lie_on_the_surface_with_its_normals() -> None:
    points, normals = Solid(ball()).surface(4000, seed=1)
    assert points.shape == normals.shape == (4000, 3)
    assert points.dtype == normals.dtype == np.float32
    assert np.linalg.norm(points, axis=1) == pytest.approx(RADIUS, abs=2e-3)
    assert np.einsum("ij,ij->i", points / RADIUS, normals) == pytest.approx(1, abs=5e-3)
    assert points.mean(0) == pytest.approx(0, abs=0.02)
    again, _ = Solid(ball()).surface(4000, seed=1)
    other, _ = Solid(ball()).surface(4000, seed=2)
    assert np.array_equal(points, again)
    assert not np.array_equal(points, other)


def test_fitting_centres_scales_and_can_be_undone() -> None:
    artist = np.random.default_rng(0).uniform((10, -3, 0), (12, 5, 1), (50, 3))
    frame = fit(artist)
    engine = frame.inward(artist)
    assert engine.max(0) == pytest.approx(-engine.min(0), abs=1e-6)
    assert np.ptp(engine, axis=0).max() == pytest.approx(0.9, rel=1e-6)
    assert frame.outward(engine) == pytest.approx(artist, abs=1e-5)
    ratio = np.ptp(engine, axis=0) / np.ptp(artist, axis=0)
    assert ratio == pytest.approx(ratio[0], rel=1e-6)


def test_fitting_keeps_details_far_from_the_origin() -> None:
    artist = np.array([[1e6, 0, 0], [1e6 + 1, 0, 0], [1e6, 1, 0.5]])
    assert np.ptp(fit(artist).inward(artist), axis=0) == pytest.approx([0.9, 0.9, 0.45])


@pytest.mark.parametrize(
    ("vertices", "reason"),
    [(np.zeros((0, 3)), "no vertices"), (np.ones((4, 3)), "one place"), (np.full((2, 3), np.inf), "not numbers")],
)
def test_vertices_that_span_nothing_are_refused(vertices: np.ndarray, reason: str) -> None:
    with pytest.raises(BadMesh, match=reason):
        fit(vertices)


def test_faces_without_area_are_refused() -> None:
    line = Mesh(np.array([[0, 0, 0], [0.1, 0, 0], [0.2, 0, 0]], np.float32), np.array([[0, 1, 2]], np.int32))
    with pytest.raises(BadMesh, match="no area"):
        Solid(line)


def test_a_file_becomes_a_fitted_solid(tmp_path) -> None:  # noqa: ANN001
    trimesh.creation.box(extents=(2, 4, 6)).apply_translation((5, 5, 5)).export(tmp_path / "box.stl")
    solid = read_solid(tmp_path / "box.stl")
    assert np.ptp(solid.mesh.vertices, axis=0) == pytest.approx([0.3, 0.6, 0.9])
    assert solid.sdf(np.zeros((1, 3))) == pytest.approx(-0.15, abs=1e-6)


def test_frames_invert_for_any_scale() -> None:
    frame = Frame(np.array([1.0, 2.0, 3.0]), 0.25)
    points = positions(10)
    assert frame.inward(frame.outward(points)) == pytest.approx(points, abs=1e-6)
