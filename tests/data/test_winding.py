"""The scan along rows of cells against the winding number cell by cell, and cones over openings."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from gen3d_core.data.winding import Triangles, cell_centres, inside, near


def triangles(shape: trimesh.Trimesh) -> Triangles:
    return Triangles(np.asarray(shape.vertices), np.asarray(shape.faces))


def pipe() -> trimesh.Trimesh:
    shape = trimesh.creation.cylinder(radius=0.2, height=0.7, sections=24)
    shape.update_faces(np.abs(shape.face_normals[:, 2]) < 0.5)
    return shape


def riddled() -> trimesh.Trimesh:
    shape = trimesh.creation.torus(0.3, 0.12)
    shape.update_faces(np.random.default_rng(1).random(len(shape.faces)) > 0.2)
    return shape


def crossing() -> trimesh.Trimesh:
    parts = [trimesh.creation.box(extents=(0.7, 0.2, 0.2)), trimesh.creation.icosphere(2, radius=0.25)]
    return trimesh.util.concatenate(parts)


def flipped() -> trimesh.Trimesh:
    shape = trimesh.creation.icosphere(3, radius=0.4)
    turned = np.random.default_rng(2).random(len(shape.faces)) < 0.1
    shape.faces[turned] = shape.faces[turned][:, ::-1]
    return shape


def beyond() -> trimesh.Trimesh:
    return trimesh.creation.box(extents=(3, 0.31, 0.52)).apply_translation((0.4, 0.2, 0.3))


def aligned() -> trimesh.Trimesh:
    """Faces and edges that pass exactly through centres of cells of a grid of 16."""
    return trimesh.creation.box(extents=(0.625, 0.625, 0.625))


@pytest.mark.parametrize("resolution", [16, 27])
@pytest.mark.parametrize("shape", [pipe, riddled, crossing, flipped, beyond, trimesh.creation.annulus])
def test_the_scan_finds_the_winding_number(shape: object, resolution: int) -> None:
    made = shape(0.2, 0.4, 0.5) if shape is trimesh.creation.annulus else shape()  # type: ignore[operator]
    solid = triangles(made)
    expected = solid.winding(cell_centres(resolution))
    sure = np.abs(expected - 0.5) > 1e-3
    assert sure.mean() > 0.99
    assert np.array_equal(inside(solid, resolution).ravel()[sure], (expected > 0.5)[sure])


def test_rows_through_edges_and_corners_meet_no_face_twice() -> None:
    found = inside(triangles(aligned()), 16)
    full = np.argwhere(found)
    # Whatever is decided on the surface itself, it is a box: nothing leaks along a row.
    assert found.sum() == np.ptp(full, axis=0).__add__(1).prod()
    assert (np.abs(np.ptp(full, axis=0) - 10) <= 1).all()


def test_cones_close_every_opening() -> None:
    for shape in (pipe(), riddled(), flipped()):
        solid = triangles(shape)
        cones = solid.open_edges.cones
        closed = Triangles(
            np.concatenate([solid.vertices, cones.vertices]),
            np.concatenate([solid.faces, cones.faces + len(solid.vertices)]),
        )
        points = np.random.default_rng(0).uniform(-0.5, 0.5, (400, 3))
        away = closed.nearest(points).distance > 0.02
        numbers = closed.winding(points[away])
        assert numbers == pytest.approx(np.round(numbers), abs=0.02)


def test_a_closed_mesh_has_no_open_edges() -> None:
    solid = triangles(trimesh.creation.icosphere(2))
    assert len(solid.open_edges.edges) == 0
    assert len(solid.open_edges.cones.faces) == 0
    assert len(triangles(pipe()).open_edges.edges) == 48


@pytest.mark.parametrize("resolution", [9, 32])
def test_the_band_holds_just_the_cells_that_are_near(resolution: int) -> None:
    surface, width = triangles(crossing()), 0.06
    found = near(surface, resolution, width)
    every = surface.nearest(cell_centres(resolution)).distance.reshape((resolution,) * 3)
    expected = np.argwhere(every <= width)
    assert sorted(map(tuple, found.cells)) == sorted(map(tuple, expected))
    assert np.array_equal(found.nearest.distance, every[tuple(found.cells.T)])


def test_no_triangles_are_nowhere() -> None:
    none = Triangles(np.zeros((0, 3)), np.zeros((0, 3), int))
    assert not inside(none, 8).any()
    assert none.winding(np.zeros((2, 3))).tolist() == [0, 0]
    assert none.nearest(np.zeros((2, 3))).distance.tolist() == [np.inf, np.inf]
