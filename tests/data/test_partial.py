"""Masks of what an artist keeps."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from gen3d_core.data.partial import near_surface, open_edge_points, outside_box
from gen3d_core.data.solid import Solid
from gen3d_core.errors import BadMesh, BadRequest
from gen3d_core.representations import Mesh

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


def test_everything_outside_the_box_is_kept() -> None:
    low, high = np.array([-0.2, 0.0, -0.5]), np.array([0.3, 0.4, 0.1])
    points = centres(16)
    inside = ((points >= low) & (points <= high)).all(-1)
    mask = outside_box(low, high, 16)
    assert mask.dtype == bool
    assert np.array_equal(mask, ~inside)
    assert not mask[np.argwhere(inside)[0][0], np.argwhere(inside)[0][1], np.argwhere(inside)[0][2]]


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
        outside_box(np.array(low), np.array(high), 16)


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
