"""Masks of what an artist keeps."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy import ndimage

from gen3d_core.data import catalogue, views
from gen3d_core.data.partial import far_from_faces, from_depth, near_surface, open_edge_points
from gen3d_core.data.solid import Solid
from gen3d_core.errors import BadMesh, BadRequest
from gen3d_core.representations import Mesh
from gen3d_core.representations.camera import Camera, look_at, towards_origin

RADIUS = 0.35
RESOLUTION = 24


def ball(cut: float = 1.0) -> Solid:
    """A sphere without its faces above ``z = cut``."""
    shape = trimesh.creation.icosphere(subdivisions=4, radius=RADIUS)
    kept = shape.triangles_center[:, 2] < cut
    return Solid(Mesh(np.asarray(shape.vertices, np.float32), np.asarray(shape.faces[kept], np.int32)))


def centres(resolution: int) -> np.ndarray:
    axis = (np.arange(resolution) + 0.5) / resolution - 0.5
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)


def test_the_rest_of_an_open_mesh_is_known_but_not_its_edge() -> None:
    known = near_surface(ball(cut=0.15), RESOLUTION)
    points = centres(RESOLUTION)
    distance = np.abs(np.linalg.norm(points, axis=-1) - RADIUS)
    edge = np.stack([np.linalg.norm(points[..., :2], axis=-1) - np.sqrt(RADIUS**2 - 0.15**2), points[..., 2] - 0.15])
    from_edge = np.linalg.norm(edge, axis=0)
    cell = 1 / RESOLUTION
    below = points[..., 2] < 0.15
    # Slack of a cell: the edge is a zigzag of triangles.
    assert known[below & (distance < 1.5 * cell) & (from_edge > 4 * cell)].all()
    assert not known[from_edge < 1.5 * cell].any()
    assert not known[~below & (from_edge > 3 * cell)].any()
    assert not known[0, 0].any()


def test_a_closed_mesh_misses_nothing() -> None:
    with pytest.raises(BadMesh, match="closed"):
        near_surface(ball(), RESOLUTION)


def test_seams_are_not_openings() -> None:
    whole = ball().mesh
    apart = Solid(
        Mesh(whole.vertices[whole.faces].reshape(-1, 3), np.arange(3 * len(whole.faces), dtype=np.int32).reshape(-1, 3))
    )
    assert len(open_edge_points(apart, 0.01)) == 0


def test_points_along_the_open_edge_are_as_dense_as_asked_for() -> None:
    square = Solid(
        Mesh(
            np.array([[0, 0, 0], [0.4, 0, 0], [0.4, 0.4, 0], [0, 0.4, 0]], np.float32),
            np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        )
    )
    points = open_edge_points(square, 0.05)
    on_border = np.isin(np.round(points[:, :2], 6), [0.0, 0.4]).any(1)
    assert on_border.all()
    wanted = np.linspace(0, 0.4, 33)
    for side in (np.stack([wanted, 0 * wanted], 1), np.stack([0 * wanted + 0.4, wanted], 1)):
        gaps = np.linalg.norm(side[:, None] - points[None, :, :2], axis=2).min(1)
        assert gaps.max() <= 0.025 + 1e-6


def facing(pixels: int = 96) -> Camera:
    """A camera in front of the cube, two units away; the whole cube is in the picture."""
    return Camera(look_at([0, -2, 0]), pixels, pixels, pixels * 1.3, pixels * 1.3, pixels / 2, pixels / 2)


def test_a_wall_parts_the_cube_into_empty_full_and_unknown() -> None:
    """A plane at y = -0.1 fills the picture, so that its depth is 1.9 in every pixel."""
    grid, known = from_depth(np.full((96, 96), 1.9, np.float32), facing(), RESOLUTION)
    y = centres(RESOLUTION)[..., 1]
    assert np.array_equal(grid.occupancy, (y >= -0.1) & (y <= -0.1 + 1 / RESOLUTION))
    assert np.array_equal(known, y <= -0.1 + 1 / RESOLUTION)


@pytest.mark.parametrize("nothing", [0.0, np.inf, np.nan])
def test_pixels_without_depth_free_their_whole_rays(nothing: float) -> None:
    depth = np.full((96, 96), nothing, np.float32)
    depth[:, :48] = 1.9
    grid, known = from_depth(depth, facing(), RESOLUTION)
    x = centres(RESOLUTION)[..., 0]
    # A pixel's width beside the edge stays unknown: its rays are between those that are known.
    right = x > 0.05
    assert known[right].all()
    assert not grid.occupancy[x > 0].any()
    assert not known[x < 0].all()


def test_what_is_outside_the_picture_is_unknown() -> None:
    camera = Camera(look_at([0, -2, 0]), 96, 96, 96 * 4.0, 96 * 4.0, 48, 48)
    grid, known = from_depth(np.full((96, 96), 1.9, np.float32), camera, RESOLUTION)
    seen = camera.project(centres(RESOLUTION).reshape(-1, 3)).pixels
    outside = ((seen < 0) | (seen >= 96)).any(1).reshape((RESOLUTION,) * 3)
    assert outside.any()
    assert not known[outside].any()
    assert not grid.occupancy[outside].any()


@pytest.mark.parametrize("category", ["chair", "table"])
@pytest.mark.parametrize("elevation", [4.0, 30.0])
def test_a_picture_of_a_shape_tells_nothing_wrong(category: str, elevation: float) -> None:
    shape = catalogue.make(category, 3)
    camera = towards_origin(35, elevation, 128)
    (view,) = views.render(shape, [camera])
    grid, known = from_depth(view.depth, camera)
    true = shape.voxels(32)
    free = known & ~grid.occupancy
    assert (free & true).sum() <= 0.002 * true.sum()
    beside = ndimage.binary_dilation(true, np.ones((3, 3, 3)))
    assert (grid.occupancy & beside).sum() >= 0.995 * grid.occupancy.sum()
    assert (grid.occupancy & true).sum() >= 0.7 * grid.occupancy.sum()
    # It tells something, of a block too, of which little can be seen; and most of the empty space is free.
    assert (grid.occupancy & true).sum() >= 0.03 * true.sum()
    assert free.sum() >= 0.5 * (~true).sum()


def test_pictures_that_show_nothing_or_have_another_size_are_refused() -> None:
    with pytest.raises(BadRequest, match="no surface"):
        from_depth(np.zeros((96, 96), np.float32), facing())
    with pytest.raises(BadRequest, match="no surface"):
        from_depth(np.full((96, 96), 9.0, np.float32), facing())
    with pytest.raises(BadRequest, match=r"\(96, 96\)"):
        from_depth(np.full((48, 96), 1.9, np.float32), facing())


def test_of_a_whole_mesh_what_is_nearer_to_the_selected_faces_is_not_known() -> None:
    whole = ball()
    corners = whole.mesh.vertices[whole.mesh.faces]
    above = corners.mean(axis=1)[:, 2] > 0.15
    kept = Solid(Mesh(whole.mesh.vertices, whole.mesh.faces[~above]))
    known = far_from_faces(corners[above], kept, RESOLUTION)
    z = centres(RESOLUTION)[..., 2]
    beyond = np.linalg.norm(centres(RESOLUTION), axis=-1) > 0.2
    assert known[beyond & (z < 0.0)].all()
    assert not known[beyond & (z > 0.2)].any()
    with pytest.raises(BadRequest, match="No face is selected"):
        far_from_faces(corners[:0], kept, RESOLUTION)
