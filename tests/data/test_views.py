"""Cameras against points whose pictures are known, and views against the shapes' own distances."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gen3d_core.data.catalogue import CATEGORIES, Part, Shape, make
from gen3d_core.data.catalogue.solids import Box, Frame
from gen3d_core.data.views import render
from gen3d_core.representations.camera import Camera, dome, look_at, orbit, poses, towards_origin


def plain(pose: np.ndarray | None = None, size: int = 8) -> Camera:
    return Camera(np.eye(4) if pose is None else pose, size, size, 10.0, 10.0, size / 2, size / 2)


# Cameras


def test_known_points_project_where_they_should() -> None:
    # At the origin with the identity as its pose a camera looks along -z, x to the right and y up.
    found = plain().project(np.array([[0, 0, -2], [0.2, 0, -2], [0, 0.2, -2], [0, 0, 3.0]]))
    np.testing.assert_allclose(found.pixels[:3], [[4, 4], [5, 4], [4, 3]])
    np.testing.assert_allclose(found.depth, [2, 2, 2, -3])
    assert np.isnan(found.pixels[3]).all()
    local = found.pixels[:3]
    uvw = np.c_[local, np.ones(3)] @ np.linalg.inv(plain().intrinsics).T * found.depth[:3, None]
    np.testing.assert_allclose(uvw, [[0, 0, 2], [0.2, 0, 2], [0, -0.2, 2]], atol=1e-12)


def test_a_camera_in_front_sees_the_left_side_on_the_right() -> None:
    # Facing the shape from -Y, its own left (+X) is on the picture's right, and up is up.
    camera = towards_origin(0, 0, 64)
    np.testing.assert_allclose(camera.eye, [0, -2.4, 0], atol=1e-12)
    np.testing.assert_allclose(camera.forward, [0, 1, 0], atol=1e-12)
    found = camera.project(np.array([[0, 0, 0], [0.3, 0, 0], [0, 0, 0.3]]))
    np.testing.assert_allclose(found.pixels[0], [32, 32])
    assert found.pixels[1, 0] > 32
    assert found.pixels[2, 1] < 32
    edge = 2.4 * math.tan(math.radians(17))
    assert camera.project(np.array([[edge, 0, 0]])).pixels[0, 0] == pytest.approx(64)


def test_azimuth_turns_to_minus_x_and_elevation_upward() -> None:
    np.testing.assert_allclose(towards_origin(90, 0, 8).eye, [-2.4, 0, 0], atol=1e-12)
    assert towards_origin(0, 30, 8).eye[2] == pytest.approx(1.2)


def test_rays_go_through_the_points_they_show() -> None:
    camera = towards_origin(33, 21, 12).resized(12, 9)
    rays = camera.rays()
    assert rays.shape == (9, 12, 3)
    np.testing.assert_allclose(rays @ camera.forward, 1, atol=1e-6)
    points = camera.eye + 1.7 * rays.reshape(-1, 3)
    found = camera.project(points)
    column, row = np.meshgrid(np.arange(12) + 0.5, np.arange(9) + 0.5)
    np.testing.assert_allclose(found.pixels, np.c_[column.ravel(), row.ravel()], atol=1e-4)
    np.testing.assert_allclose(found.depth, 1.7, atol=1e-6)
    np.testing.assert_allclose(camera.unproject(np.full((9, 12), 1.7)).reshape(-1, 3), points, atol=1e-6)
    with pytest.raises(ValueError, match=r"\(9, 12\)"):
        camera.unproject(np.zeros((12, 9)))


def test_the_middle_ray_of_an_odd_grid_is_the_pixels_own() -> None:
    camera = towards_origin(-50, 10, 6)
    np.testing.assert_allclose(camera.rays(3)[1::3, 1::3], camera.rays(), atol=1e-6)


def test_cameras_spread_around_and_look_at_the_origin() -> None:
    ring, over = orbit(8, 16, 15), dome(40, 16, 0, 70)
    turns = [math.atan2(-camera.eye[0], -camera.eye[1]) for camera in ring]
    np.testing.assert_allclose(np.unwrap(turns), np.arange(8) * math.pi / 4, atol=1e-9)
    heights = np.array([camera.eye[2] / 2.4 for camera in over])
    assert np.all(np.diff(heights) > 0)
    assert 0 < heights[0] < heights[-1] < math.sin(math.radians(70))
    for camera in [*ring, *over]:
        np.testing.assert_allclose(camera.project(np.zeros((1, 3))).pixels, [[8, 8]], atol=1e-9)
        assert camera.pose[2, 1] > 0
    assert poses(ring).shape == (8, 4, 4)


def test_a_camera_survives_its_plain_values() -> None:
    camera = towards_origin(12, 34, 56)
    again = Camera.from_dict(camera.to_dict())
    assert np.array_equal(again.pose, camera.pose)
    assert (again.width, again.height, again.fx, again.fy, again.cx, again.cy) == (56, 56, camera.fx, camera.fy, 28, 28)


def test_impossible_cameras_are_refused() -> None:
    mirrored = np.diag([-1.0, 1, 1, 1])
    for pose in (mirrored, np.eye(3), 2 * np.eye(4)):
        with pytest.raises(ValueError, match="rigid"):
            plain(pose)
    with pytest.raises(ValueError, match="positive"):
        plain(size=0)
    with pytest.raises(ValueError, match="cannot look"):
        look_at((0, 0, 2))
    with pytest.raises(ValueError, match="cannot look"):
        look_at((0, 0, 0))


# Views


@pytest.fixture(scope="module", params=CATEGORIES)
def shape(request: pytest.FixtureRequest) -> Shape:
    return make(request.param, 4)


def test_depths_lie_on_the_surface(shape: Shape) -> None:
    for view in shape.views(3, 48):
        seen = view.depth > 0
        points = view.camera.unproject(view.depth)[seen].astype(np.float32)
        # Rays meet flat faces, which leave the curved surface a little.
        assert np.abs(shape.sdf(points)).max() < 4e-3
        assert np.abs(shape.sdf(points)).mean() < 5e-4
        # Nothing of the shape is in front of what is seen.
        eye = view.camera.eye.astype(np.float32)
        for share in (0.5, 0.8, 0.9, 0.97):
            assert shape.sdf(eye + share * (points - eye)).min() > -4e-3


def test_coverage_is_the_silhouette(shape: Shape) -> None:
    view = shape.views(1, 28, 2)[0]
    rays = view.camera.rays().reshape(-1, 3)
    lengths = np.linalg.norm(rays, axis=1)
    # March along the rays by the distance, which never steps over a surface.
    way = np.zeros(len(rays), np.float32)
    nearest = np.full(len(rays), np.inf, np.float32)
    for _ in range(70):
        distance = shape.sdf((view.camera.eye + way[:, None] * rays / lengths[:, None]).astype(np.float32))
        nearest = np.minimum(nearest, distance)
        way = np.minimum(way + np.maximum(distance, 5e-4), 5)
    hit, clear = (nearest < 2e-4).reshape(28, 28), (nearest > 3e-3).reshape(28, 28)
    assert np.all(view.depth[clear] == 0)
    assert (view.depth[hit] > 0).mean() > 0.97
    assert view.alpha.min() >= 0
    assert view.alpha.max() <= 1
    assert np.all(view.alpha[view.depth > 0] > 0)
    # A pixel whose rays all pass by is empty, one with its neighbours inside is full.
    inner = hit[1:-1, 1:-1] & hit[:-2, 1:-1] & hit[2:, 1:-1] & hit[1:-1, :-2] & hit[1:-1, 2:]
    assert view.alpha[1:-1, 1:-1][inner].mean() > 0.96
    assert np.all(view.colour[view.alpha == 0] == 0)


def test_the_whole_shape_is_in_the_picture(shape: Shape) -> None:
    for view in shape.views(4, 32, 1):
        border = np.concatenate([view.alpha[0], view.alpha[-1], view.alpha[:, 0], view.alpha[:, -1]])
        assert border.max() == 0


def test_a_point_has_one_colour_from_every_side(shape: Shape) -> None:
    first, second = render(shape, [towards_origin(20, 30, 96), towards_origin(45, 40, 96)])
    solid = (first.depth > 0) & (first.alpha == 1)
    points = first.camera.unproject(first.depth)[solid]
    found = second.camera.project(points)
    column, row = (found.pixels - 0.5).round().astype(int).T
    shown = np.abs(second.depth[row, column] - found.depth) < 3e-3
    assert shown.mean() > 0.2
    apart = np.abs(first.colour[solid][shown] - second.colour[row[shown], column[shown]]).max(1)
    assert np.median(apart) < 0.03


def test_a_wall_has_one_depth_and_the_colour_it_was_given() -> None:
    wall = Shape("chair", 0, {}, (Part("seat", Box(Frame.at(), (0.4, 0.1, 0.4), 0.002)),))
    view = render(wall, [towards_origin(0, 0, 32)], np.array([[0.5, 0.25, 0.75]], np.float32))[0]
    middle = view.depth[12:20, 12:20]
    np.testing.assert_allclose(middle, 2.3, atol=1e-5)
    colour = view.colour[16, 16]
    assert colour[2] > colour[0] > colour[1] > 0
    assert view.rgba()[16, 16, 3] == 255
    np.testing.assert_allclose(view.over(1.0)[0, 0], 1)
    np.testing.assert_allclose(view.over((0.2, 0.4, 0.6))[0, 0], [0.2, 0.4, 0.6])


def test_views_depend_on_their_seed_alone(shape: Shape) -> None:
    first, again, other = shape.views(1, 16, 0)[0], shape.views(1, 16, 0)[0], shape.views(1, 16, 1)[0]
    assert np.array_equal(first.rgba(), again.rgba())
    assert np.array_equal(first.depth, again.depth)
    assert not np.allclose(first.camera.pose, other.camera.pose)
