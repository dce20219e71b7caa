"""What an artist marks: which cells it holds, and how surfaces are cut along it."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from gen3d_core.data import closing
from gen3d_core.data.regions import Box, Outline, Region
from gen3d_core.data.winding import cell_centres
from gen3d_core.errors import BadMesh, BadRequest

EVERYTHING = np.array([[-3.0, -3.0], [3.0, -3.0], [3.0, 3.0], [-3.0, 3.0]])


def from_the_front(parallel: bool, distance: float = 2.0, near: float = 0.1) -> np.ndarray:
    """OpenGL's clip coordinates of a camera that looks along +Y at the origin, +Z up; 45 degrees to each side."""
    far = 10.0
    view = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, -distance], [0, 0, 0, 1.0]])
    if parallel:
        window = np.diag([1.0, 1.0, -2 / (far - near), 1.0])
        window[2, 3] = -(far + near) / (far - near)
    else:
        window = np.diag([1.0, 1.0, -(far + near) / (far - near), 0.0])
        window[2, 3], window[3, 2] = -2 * far * near / (far - near), -1.0
    return window @ view


def test_a_box_holds_what_lies_between_its_corners() -> None:
    low, high = np.array([-0.2, 0.0, -0.5]), np.array([0.3, 0.4, 0.1])
    points = cell_centres(16)
    inside = ((points >= low) & (points <= high)).all(1).reshape(16, 16, 16)
    mask = Box(low, high).outside(16)
    assert mask.dtype == bool
    assert np.array_equal(mask, ~inside)
    assert inside.any()


@pytest.mark.parametrize(
    ("low", "high", "reason"),
    [
        ([0, 0, 0], [0.1, 0.0, 0.1], "empty"),
        ([0.2, 0, 0], [0.1, 0.1, 0.1], "empty"),
        ([0, 0], [1, 1], "empty"),
        ([0, 0, float("nan")], [1, 1, 1], "empty"),
        ([0.6, 0.6, 0.6], [0.9, 0.9, 0.9], "does not touch"),
        ([-1, -1, -1], [1, 1, 1], "whole shape"),
    ],
)
def test_boxes_that_leave_nothing_to_do_are_refused(low: list[float], high: list[float], reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        Box(np.array(low), np.array(high)).outside(16)


@pytest.mark.parametrize("parallel", [True, False])
def test_an_outline_holds_what_lies_behind_it(parallel: bool) -> None:
    # An L in the right half of the view: by hand, as two rectangles of the picture.
    outline = np.array([[0.05, -0.21], [0.4, -0.21], [0.4, 0.0], [0.15, 0.0], [0.15, 0.3], [0.05, 0.3]])
    points = cell_centres(24)
    depth = 1.0 if parallel else points[:, 1] + 2.0
    x, z = points[:, 0] / depth, points[:, 2] / depth
    lower = (x > 0.05) & (x < 0.4) & (z > -0.21) & (z < 0.0)
    upper = (x > 0.05) & (x < 0.15) & (z > -0.21) & (z < 0.3)
    held = Outline(outline, from_the_front(parallel)).holds(points)
    assert np.array_equal(held, lower | upper)
    assert held.any()


def test_nothing_behind_the_eye_is_held() -> None:
    points = np.array([[0.0, 0.3, 0.0], [0.0, -0.3, 0.0]])
    held = Outline(EVERYTHING, from_the_front(False, distance=0.0)).holds(points)
    assert held.tolist() == [True, False]


@pytest.mark.parametrize(
    ("region", "share"),
    [
        (Box(np.array([0.0, -0.5, -0.5]), np.array([0.5, 0.5, 0.5])), 0.5),
        # Where the picture's half ends on the axis, both views see the same.
        (Outline(np.array([[0.0, -3], [3, -3], [3, 3], [0, 3]]), from_the_front(True)), 0.5),
        (Outline(np.array([[0.0, -3], [3, -3], [3, 3], [0, 3]]), from_the_front(False)), 0.5),
        # With the eye inside of the ball, what is behind it stays.
        (Outline(np.array([[0.0, -9], [9, -9], [9, 9], [0, 9]]), from_the_front(False, 0.2, 0.01)), 0.59),
    ],
    ids=["box", "parallel", "perspective", "close"],
)
def test_a_body_is_cut_along_a_region(region: Region, share: float) -> None:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.4)
    body = closing.body(ball.vertices, ball.faces)
    cut = region.cut(body)
    made = trimesh.Trimesh(cut.vertices, cut.faces, process=False)
    assert made.is_watertight
    assert made.volume == pytest.approx(share * ball.volume, abs=0.02 * ball.volume)
    # Triangles beyond the region are the ball's own, and the caps are where it ends.
    assert cut.caps.any()
    assert not cut.caps.all()
    walls = np.linalg.norm(made.triangles[~cut.caps], axis=2)
    assert walls.max() < 0.4 + 1e-5
    centres = made.triangles_center[cut.caps]
    assert (np.linalg.norm(centres, axis=1) < 0.4).all()


def test_a_line_that_crosses_itself_is_even_and_odd() -> None:
    bow = np.array([[-0.4, -0.4], [0.4, 0.4], [0.4, -0.4], [-0.4, 0.4]])
    region = Outline(bow, from_the_front(True))
    points = np.array([[0.3, 0.0, 0.0], [-0.3, 0.0, 0.0], [0.0, 0.0, 0.3], [0.0, 0.0, -0.3]])
    assert region.holds(points).tolist() == [True, True, False, False]
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.35)
    cut = region.cut(closing.body(ball.vertices, ball.faces))
    assert trimesh.Trimesh(cut.vertices, cut.faces, process=False).volume == pytest.approx(ball.volume / 2, rel=0.02)


def test_an_open_surface_loses_whole_faces_behind_an_outline() -> None:
    sheet = trimesh.creation.box((0.8, 0.8, 0.001)).subdivide().subdivide()
    region = Outline(np.array([[0.0, -1], [1, -1], [1, 1], [0, 1]]), from_the_front(True))
    vertices, faces = region.trimmed(sheet.vertices, sheet.faces)
    assert vertices is sheet.vertices
    assert 0 < len(faces) < len(sheet.faces)
    assert (vertices[faces].mean(1)[:, 0] <= 0).all()


VIEW = from_the_front(True)


@pytest.mark.parametrize(
    ("points", "projection", "reason"),
    [
        (np.zeros((0, 2)), VIEW, "surrounds nothing"),
        (np.zeros((5, 2)), VIEW, "surrounds nothing"),
        (np.array([[0, 0], [1, 0], [0.5, 0]]), VIEW, "surrounds nothing"),
        (EVERYTHING, np.zeros((4, 4)), "surrounds nothing"),
        (np.full((4, 2), np.nan), VIEW, "not one"),
        (np.zeros((4, 3)), VIEW, "not one"),
        (EVERYTHING, np.eye(3), "not one"),
        (np.random.default_rng(0).normal(size=(3000, 2)), VIEW, "3000 corners"),
    ],
)
def test_outlines_that_are_none_are_refused(points: np.ndarray, projection: np.ndarray, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        Outline(points, projection)


@pytest.mark.parametrize(("points", "reason"), [(EVERYTHING, "whole shape"), (EVERYTHING + 9, "does not touch")])
def test_outlines_that_leave_nothing_to_do_are_refused(points: np.ndarray, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        Outline(points, VIEW).outside(16)


def test_what_is_wholly_cut_away_is_refused() -> None:
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.3)
    with pytest.raises(BadMesh, match="whole shape"):
        Outline(EVERYTHING, VIEW).cut(closing.body(ball.vertices, ball.faces))
