"""Completions that keep the given triangles, on shapes whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from gen3d_core.data import closing, partial
from gen3d_core.data.exact import NOT_CLOSED, Exact, Kept
from gen3d_core.data.regions import Box
from gen3d_core.data.solid import Solid
from gen3d_core.representations import Field, Mesh, MeshOptions

OPTIONS = MeshOptions(64)
CELL = 1 / 64
HALF = np.array([0.4, 0.2, 0.3])


def box_field(half: np.ndarray) -> Field:
    """A box around the origin, to the letter."""
    sides = torch.as_tensor(half, dtype=torch.float32)

    def distance(points: torch.Tensor) -> torch.Tensor:
        q = points.abs() - sides
        return q.clamp_min(0).norm(dim=1) + q.max(dim=1).values.clamp_max(0)

    return Field(distance)


def box_mesh(half: np.ndarray) -> trimesh.Trimesh:
    """The same with some hundred faces; its numbers are those of single precision."""
    made = trimesh.creation.box(2 * half).subdivide().subdivide().subdivide()
    return trimesh.Trimesh(made.vertices.astype(np.float32), made.faces, process=False)


def mesh_of(made: trimesh.Trimesh, kept: np.ndarray | None = None) -> Mesh:
    faces = made.faces if kept is None else made.faces[kept]
    return Mesh(np.asarray(made.vertices, np.float32), np.asarray(faces, np.int32))


def triangles(vertices: np.ndarray, faces: np.ndarray) -> set[bytes]:
    """Each to the bit, whichever corner comes first."""
    corners = np.asarray(vertices, np.float32)[faces]
    first = np.lexsort(corners.transpose(2, 0, 1).reshape(3, len(corners), 3), axis=1)[:, 0]
    order = (first[:, None] + np.arange(3)) % 3
    return {one.tobytes() for one in np.take_along_axis(corners, order[:, :, None], axis=1)}


def sides(points: np.ndarray, half: np.ndarray) -> np.ndarray:
    """The signed distance to the box."""
    return box_field(half).distance(torch.as_tensor(points, dtype=torch.float32)).numpy()


def check(made: Mesh, half: np.ndarray, step: float) -> None:
    """It is closed, in one piece, and the box up to the rounding of its edges; ``step`` may stick out, in cells."""
    assert made.is_closed()
    solid = trimesh.Trimesh(made.vertices, made.faces, process=False)
    assert solid.volume == pytest.approx(8 * half.prod(), rel=0.01)
    distance = sides(made.sample(20_000, np.random.default_rng(0)), half)
    assert distance.max() < step * CELL, distance.max() / CELL
    assert distance.min() > -0.5 * CELL, distance.min() / CELL
    assert len(made.components()[1]) == 1


@pytest.mark.parametrize(("edge", "step"), [(0.05, 0.15), (0.11, 0.01)], ids=["ragged", "straight"])
def test_a_box_whose_end_was_deleted_is_completed_without_touching_the_rest(edge: float, step: float) -> None:
    whole = box_mesh(HALF)
    kept = whole.triangles_center[:, 0] < edge
    solid = Solid(mesh_of(whole, kept))
    given = Kept(solid, partial.near_surface(solid, 32))
    assert given.note == ""
    made = Exact(box_field(HALF), given).to_mesh(OPTIONS)
    check(made, HALF, step)
    assert triangles(whole.vertices, whole.faces[kept]) <= triangles(made.vertices, made.faces)


def test_what_a_box_marks_is_cut_off_exactly_and_made_anew() -> None:
    whole = box_mesh(HALF)
    low, high = np.array([0.137, -0.5, -0.5]), np.array([0.5, 0.5, 0.5])
    region = Box(low, high)
    given = Kept(Solid(mesh_of(whole)), region.outside(32), region)
    made = Exact(box_field(HALF), given).to_mesh(OPTIONS)
    check(made, HALF, 0.01)
    kept = (whole.triangles[:, :, 0] < low[0]).all(axis=1)
    assert triangles(whole.vertices, whole.faces[kept]) <= triangles(made.vertices, made.faces)
    # The border is where the box has it: corners of the cut are on its side.
    assert (np.abs(made.vertices[:, 0] - low[0]) < 1e-6).sum() > 8


def test_a_dent_is_made_where_the_model_wants_one() -> None:
    """A patch of a flat side is made anew; the model hollows it out."""
    whole = box_mesh(HALF)
    centre = whole.triangles_center
    patch = (centre[:, 2] > 0.299) & (np.abs(centre[:, 0]) < 0.2) & (np.abs(centre[:, 1]) < 0.1)
    solid = Solid(mesh_of(whole, ~patch))
    known = partial.far_from_faces(whole.vertices[whole.faces[patch]], solid, 32)
    box = box_field(HALF).distance

    def dented(points: torch.Tensor) -> torch.Tensor:
        return torch.maximum(box(points), 0.12 - (points - torch.tensor([0.0, 0.0, 0.3])).norm(dim=1))

    made = Exact(Field(dented), Kept(solid, known)).to_mesh(OPTIONS)
    assert made.is_closed()
    assert triangles(whole.vertices, whole.faces[~patch]) <= triangles(made.vertices, made.faces)
    deepest = trimesh.Trimesh(made.vertices, made.faces, process=False).contains(np.array([[0.0, 0.0, 0.25]]))
    assert not deepest[0]


def test_a_part_that_only_touched_the_rest_is_replaced() -> None:
    """A leg of its own, without a border to the plate it carries."""
    plate = box_mesh(np.array([0.4, 0.4, 0.05]))
    leg = box_mesh(np.array([0.05, 0.05, 0.2]))
    leg.apply_translation([0, 0, -0.2])
    solid = Solid(mesh_of(plate))
    known = partial.far_from_faces(leg.triangles, solid, 32)
    top, foot = box_field(np.array([0.4, 0.4, 0.05])).distance, box_field(np.array([0.08, 0.08, 0.2])).distance
    whole = Field(lambda points: torch.minimum(top(points), foot(points + torch.tensor([0.0, 0.0, 0.2]))))
    made = Exact(whole, Kept(solid, known)).to_mesh(OPTIONS)
    assert made.is_closed()
    assert len(np.unique(made.components()[0])) == 1
    above = plate.triangles[:, :, 2].min(axis=1) > 0.049
    assert triangles(plate.vertices, plate.faces[above]) <= triangles(made.vertices, made.faces)
    assert made.vertices[:, 2].min() == pytest.approx(-0.4, abs=CELL)


def test_what_cannot_be_closed_is_joined_as_it_is() -> None:
    sheet = trimesh.Trimesh([[-0.4, -0.4, 0], [0.4, -0.4, 0], [0.4, 0.4, 0], [-0.4, 0.4, 0]], [[0, 1, 2], [0, 2, 3]])
    solid = Solid(mesh_of(sheet))
    given = Kept(solid, np.ones((32, 32, 32), bool))
    made = Exact(box_field(np.array([0.1, 0.1, 0.4])), given).to_mesh(OPTIONS)
    assert given.note == NOT_CLOSED
    assert triangles(sheet.vertices, sheet.faces) <= triangles(made.vertices, made.faces)


def test_openings_are_closed_in_their_planes_with_their_holes() -> None:
    """A tube, cut off flat: one cap with a hole in it; a ball with a ragged rim: a cone."""
    tube = trimesh.creation.annulus(0.2, 0.4, 0.8, sections=24)
    open_tube = mesh_of(tube, np.abs(tube.face_normals[:, 2]) < 0.5)
    closed = closing.close(open_tube.vertices.astype(np.float64), open_tube.faces.astype(np.int64))
    assert len(closed.vertices) == len(open_tube.vertices)
    assert Mesh(closed.vertices.astype(np.float32), closed.faces.astype(np.int32)).is_closed()
    made = trimesh.Trimesh(closed.vertices, closed.faces, process=False)
    assert made.volume == pytest.approx(tube.volume, rel=1e-5)
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.4)
    rest = mesh_of(ball, ball.triangles_center[:, 2] < 0.21)
    clean = trimesh.Trimesh(rest.vertices, rest.faces, process=True)
    closed = closing.close(np.asarray(clean.vertices), np.asarray(clean.faces))
    assert len(closed.vertices) == len(clean.vertices) + 1
    assert closing.body(closed.vertices, closed.faces) is not None
