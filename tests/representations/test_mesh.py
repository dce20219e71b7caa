"""Meshes: what is checked, and every question against a slow or a known answer."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from gen3d_core.errors import BadMesh, BadRequest
from gen3d_core.representations import Mesh, MeshOptions
from gen3d_core.representations.isosurface import extract, grid_centres


def sphere(radius: float = 0.3, centre: tuple[float, float, float] = (0.0, 0.0, 0.0), resolution: int = 24) -> Mesh:
    centres = grid_centres(resolution) - torch.tensor(centre)
    return extract(centres.norm(dim=-1) - radius, 0.0, MeshOptions(8))


def joined(*meshes: Mesh) -> Mesh:
    offsets = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    faces = [m.faces + np.int32(o) for m, o in zip(meshes, offsets, strict=False)]
    return Mesh(np.concatenate([m.vertices for m in meshes]), np.concatenate(faces).astype(np.int32))


TETRAHEDRON = Mesh(
    np.array([[0, 0, 0], [0.4, 0, 0], [0, 0.4, 0], [0, 0, 0.4]], np.float32),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32),
)


@pytest.mark.parametrize(
    ("vertices", "faces", "reason"),
    [
        (np.zeros((3, 3)), np.array([[0, 1, 2]], np.int32), "float32"),
        (np.zeros((3, 2), np.float32), np.array([[0, 1, 2]], np.int32), "float32"),
        (np.zeros((3, 3), np.float32), np.array([[0, 1, 2]]), "int32"),
        (np.zeros((4, 3), np.float32), np.array([[0, 1, 2, 3]], np.int32), "int32"),
        (np.zeros((3, 3), np.float32), np.zeros((0, 3), np.int32), "no faces"),
        (np.zeros((3, 3), np.float32), np.array([[0, 1, 3]], np.int32), "missing vertices"),
        (np.zeros((3, 3), np.float32), np.array([[0, 1, -1]], np.int32), "missing vertices"),
        (np.full((3, 3), np.nan, np.float32), np.array([[0, 1, 2]], np.int32), "not numbers"),
    ],
)
def test_arrays_that_are_no_mesh_are_refused(vertices: np.ndarray, faces: np.ndarray, reason: str) -> None:
    with pytest.raises(BadMesh, match=reason):
        Mesh(vertices, faces)


@pytest.mark.parametrize(
    "options",
    [{"resolution": 7}, {"resolution": 1025}, {"debris": -0.1}, {"debris": 1.0}, {"faces": 15}, {"faces": -1}],
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(BadRequest):
        MeshOptions(**options)  # type: ignore[arg-type]


def test_edges_against_brute_force() -> None:
    for mesh in (TETRAHEDRON, sphere(resolution=10)):
        edges, of_corner = mesh.edges()
        expected = {tuple(sorted(pair)) for f in mesh.faces.tolist() for pair in pairwise([*f, f[0]])}
        assert {tuple(edge) for edge in edges.tolist()} == expected
        assert len(edges) == len(expected) == len(mesh.vertices) + len(mesh.faces) - 2
        for face, corners in zip(mesh.faces.tolist(), of_corner.reshape(-1, 3).tolist(), strict=True):
            for (start, stop), edge in zip(pairwise([*face, face[0]]), corners, strict=True):
                assert sorted(edges[edge].tolist()) == sorted([start, stop])


def test_closedness_sees_holes_flips_and_doubled_faces() -> None:
    assert TETRAHEDRON.is_closed()
    v, f = TETRAHEDRON.vertices, TETRAHEDRON.faces
    assert not Mesh(v, f[1:]).is_closed()
    flipped = f.copy()
    flipped[0] = flipped[0, ::-1]
    assert not Mesh(v, flipped).is_closed()
    assert not Mesh(v, np.concatenate([f, f[:1]])).is_closed()
    assert Mesh(v, np.ascontiguousarray(f[:, ::-1])).is_closed()


def test_areas_of_a_tetrahedron() -> None:
    assert TETRAHEDRON.face_areas() == pytest.approx([0.08, 0.08, 0.08, 0.16 * np.sqrt(3) / 2])


def test_components_and_their_shares() -> None:
    big, small = sphere(0.2, (-0.25, 0, 0)), sphere(0.1, (0.3, 0, 0))
    of_face, shares = joined(big, small).components()
    assert sorted(shares) == pytest.approx([0.2, 0.8], abs=0.02)
    assert len(set(of_face[: len(big.faces)])) == len(set(of_face[len(big.faces) :])) == 1
    assert shares[of_face[0]] > shares[of_face[-1]]


def test_debris_goes_and_the_largest_part_always_stays() -> None:
    big, small = sphere(0.2, (-0.25, 0, 0)), sphere(0.1, (0.3, 0, 0))
    both = joined(small, big)
    assert both.without_debris(0.1) is both
    cleaned = both.without_debris(0.3)
    assert np.array_equal(cleaned.vertices, big.vertices)
    assert np.array_equal(cleaned.faces, big.faces)
    halves = joined(sphere(0.1, (-0.3, 0, 0)), sphere(0.1, (0.3, 0, 0)))
    assert len(halves.without_debris(0.9).components()[1]) == 1


def test_refining_does_only_what_is_asked_for() -> None:
    mesh = joined(sphere(0.2, (-0.25, 0, 0)), sphere(0.1, (0.3, 0, 0)))
    assert mesh.to_mesh(MeshOptions(8)) is mesh
    assert len(mesh.to_mesh(MeshOptions(8, debris=0.3)).components()[1]) == 1
    assert mesh.to_mesh(MeshOptions(8, faces=len(mesh.faces))) is mesh


@pytest.mark.parametrize("budget", [16, 100, 500])
def test_decimation_stays_closed_and_within_the_budget(budget: int) -> None:
    mesh = sphere()
    assert len(mesh.faces) > 1000
    small = mesh.to_mesh(MeshOptions(8, faces=budget))
    assert 0 < len(small.faces) <= budget
    assert small.is_closed()
    if budget >= 100:
        assert np.linalg.norm(small.vertices, axis=1) == pytest.approx(0.3, abs=0.03)


def test_normals_of_a_sphere_are_its_directions() -> None:
    mesh = sphere()
    normals = mesh.vertex_normals()
    assert normals.dtype == np.float32
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1, abs=1e-5)
    directions = mesh.vertices / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
    assert np.einsum("ij,ij->i", normals, directions).min() > 0.95


def test_normals_against_a_loop() -> None:
    expected = np.zeros((4, 3))
    for a, b, c in TETRAHEDRON.faces:
        pa, pb, pc = TETRAHEDRON.vertices[[a, b, c]]
        for corner in (a, b, c):
            expected[corner] += np.cross(pb - pa, pc - pa)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(TETRAHEDRON.vertex_normals(), expected, atol=1e-6)


def test_normals_of_vertices_without_faces_are_zero() -> None:
    loose = Mesh(np.concatenate([TETRAHEDRON.vertices, [[1, 1, 1]]]).astype(np.float32), TETRAHEDRON.faces)
    assert loose.vertex_normals()[-1].tolist() == [0, 0, 0]


def test_sampling_is_uniform_by_area() -> None:
    points, faces = TETRAHEDRON.sample_with_faces(40_000, np.random.default_rng(0))
    areas = TETRAHEDRON.face_areas()
    assert np.bincount(faces) / len(faces) == pytest.approx(areas / areas.sum(), abs=0.01)
    slanted = points[faces == 3]
    assert slanted.sum(1) == pytest.approx(0.4, abs=1e-5)
    # Within a face too: the centre is the mean, and each corner's quarter-triangle holds a quarter of the points.
    assert slanted.mean(0) == pytest.approx([0.4 / 3] * 3, abs=0.003)
    assert (slanted[:, 0] > 0.2).mean() == pytest.approx(0.25, abs=0.015)


def test_sampling_depends_on_its_generator_alone() -> None:
    first, again, other = (TETRAHEDRON.sample(50, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.dtype == np.float32
