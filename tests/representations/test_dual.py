"""Quads: closed, manifold and outward whatever the field, and as near to the surface as a grid allows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gen3d_core.errors import BadMesh, EmptyShape
from gen3d_core.representations import Field, Mesh, MeshOptions, Voxels
from gen3d_core.representations.isosurface import extract, grid_centres

QUADS = MeshOptions(32, quads=True)


def volume(mesh: Mesh) -> float:
    """By the divergence theorem; positive where faces look outward."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def sphere(resolution: int, radius: float = 0.3, centre: tuple[float, float, float] = (0, 0, 0)) -> torch.Tensor:
    return (grid_centres(resolution) - torch.tensor(centre)).norm(dim=-1) - radius


def torus(resolution: int) -> torch.Tensor:
    centres = grid_centres(resolution)
    return torch.hypot(centres[..., :2].norm(dim=-1) - 0.28, centres[..., 2]) - 0.1


def away_from_torus(points: np.ndarray) -> np.ndarray:
    return np.abs(np.hypot(np.linalg.norm(points[:, :2], axis=1) - 0.28, points[:, 2]) - 0.1)


def euler(mesh: Mesh) -> int:
    return len(mesh.vertices) - len(mesh.edges()[0]) + len(mesh.polygons)


def require_manifold(mesh: Mesh) -> None:
    """Two quads at each edge, in opposite directions, and one ring of them around each vertex."""
    assert mesh.quads
    assert mesh.is_closed()
    polygons = mesh.polygons
    assert polygons.shape[1] == 4
    assert all(len(set(face)) == 4 for face in polygons.tolist())
    ends = np.sort(np.stack([polygons, np.roll(polygons, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    counts = np.unique(ends, axis=0, return_counts=True)[1]
    assert (counts == 2).all()
    around: dict[int, dict[int, int]] = {}
    for face in polygons.tolist():
        for k, corner in enumerate(face):
            around.setdefault(corner, {})[face[(k + 1) % 4]] = face[k - 1]
    assert len(around) == len(mesh.vertices)
    for following in around.values():
        first = at = next(iter(following))
        ring = 0
        while ring == 0 or at != first:
            at, ring = following[at], ring + 1
        assert ring == len(following) >= 3


@pytest.mark.parametrize("resolution", [16, 33])
def test_a_sphere_is_closed_outward_and_nearly_as_exact_as_in_triangles(resolution: int) -> None:
    mesh = extract(sphere(resolution), 0.0, QUADS)
    triangles = extract(sphere(resolution), 0.0, MeshOptions(32))
    require_manifold(mesh)
    assert euler(mesh) == 2
    assert len(mesh.polygons) == pytest.approx(len(triangles.faces) / 2, rel=0.02)
    exact = 4 / 3 * np.pi * 0.3**3
    assert abs(volume(mesh) / exact - 1) < 2 * abs(volume(triangles) / exact - 1)
    away = [
        np.abs(np.linalg.norm(one.sample(5000, np.random.default_rng(0)), axis=1) - 0.3).mean()
        for one in (mesh, triangles)
    ]
    assert away[0] < 2 * away[1]
    assert away[0] < 0.1 / resolution


def test_a_torus_has_its_hole_and_even_quads() -> None:
    mesh = extract(torus(48), 0.0, QUADS)
    require_manifold(mesh)
    assert euler(mesh) == 0
    assert away_from_torus(mesh.vertices).max() < 0.25 / 48
    corners = mesh.vertices[mesh.polygons].astype(np.float64)
    sides = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)
    assert np.median(sides.min(1) / sides.max(1)) > 0.7
    assert (sides.min(1) / sides.max(1)).min() > 0.3


def test_flat_sides_are_flat_and_their_edges_cut_off_by_less_than_half_a_cell() -> None:
    half = torch.tensor([0.31, 0.22, 0.13])
    mesh = extract((grid_centres(64).abs() - half).amax(dim=-1), 0.0, QUADS)
    require_manifold(mesh)
    away = np.sort(np.abs(np.abs(mesh.vertices) - half.numpy()), axis=1)
    assert away[away[:, 1] > 1.5 / 64, 0].max() < 1e-5
    assert away[:, 0].max() < 0.5 / 64
    assert volume(mesh) == pytest.approx(8 * float(half.prod()), rel=0.02)


def test_blobs_that_touch_at_an_edge_alone_stay_manifold() -> None:
    solid = torch.zeros(6, 6, 6, dtype=torch.bool)
    solid[2, 2, 2] = solid[3, 3, 2] = solid[4, 4, 3] = True
    mesh = extract(0.5 - solid.float(), 0.0, QUADS)
    require_manifold(mesh)
    assert len(mesh.components()[1]) == 3


def test_the_saddle_decides_what_is_joined() -> None:
    field = torch.ones(4, 4, 4)
    field[1, 1, 1:3] = field[2, 2, 1:3] = -2.0
    assert len(extract(field, 0.0, QUADS).components()[1]) == 1
    field[1, 1, 1:3] = field[2, 2, 1:3] = -0.5
    assert len(extract(field, 0.0, QUADS).components()[1]) == 2


def test_two_sheets_in_one_cell_stay_two() -> None:
    plate = grid_centres(16)[..., 2].abs() - 0.4 / 16
    assert (plate < 0).sum() == 0, "the middle of the plate lies between two samples"
    plate = (grid_centres(16)[..., 2] - 0.5 / 16).abs() - 0.2 / 16
    mesh = extract(plate, 0.0, QUADS)
    require_manifold(mesh)
    assert len(mesh.components()[1]) == 1
    assert volume(mesh) > 0.2 / 16


@pytest.mark.parametrize("seed", range(30))
def test_noise_is_manifold(seed: int) -> None:
    """Of two values every ambiguous face is a tie; of many values they fall either way."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(9, 9, 9, generator=generator)
    values = 0.5 - (values < 0.4).float() if seed % 2 else values - 0.4
    mesh = extract(values, 0.0, QUADS)
    require_manifold(mesh)
    assert volume(mesh) > 0


def test_shapes_that_leave_the_grid_are_closed_at_its_border() -> None:
    mesh = extract(grid_centres(16)[..., 2].abs() - 0.2, 0.0, QUADS)
    require_manifold(mesh)
    assert np.abs(mesh.vertices).max() <= 0.5 + 0.5 / 16
    full = extract(torch.full((8, 8, 8), -1.0), 0.0, QUADS)
    require_manifold(full)
    assert volume(full) == pytest.approx(1.0, rel=0.3)


def test_the_same_field_gives_the_same_bits() -> None:
    one, two = (extract(torus(32), 0.0, QUADS) for _ in range(2))
    assert np.array_equal(one.vertices, two.vertices)
    assert np.array_equal(one.faces, two.faces)


@pytest.mark.parametrize(("budget", "off"), [(3000, 0.02), (500, 0.06), (100, 0.25)])
def test_a_face_budget_counts_quads_and_is_used(budget: int, off: float) -> None:
    mesh = extract(torus(64), 0.0, MeshOptions(64, faces=budget, quads=True))
    require_manifold(mesh)
    assert 0.7 * budget < len(mesh.polygons) <= budget
    assert euler(mesh) == 0
    assert away_from_torus(mesh.vertices).max() < 0.1 / 64, "the vertices are not on the fine surface"
    assert volume(mesh) == pytest.approx(2 * np.pi**2 * 0.28 * 0.1**2, rel=off)


def test_a_budget_keeps_what_is_thinner_than_its_cells() -> None:
    """A table whose legs pass between the samples of the coarse grid."""
    x, y, z = grid_centres(64).unbind(-1)
    legs = torch.maximum(torch.maximum((x.abs() - 0.31).abs(), (y.abs() - 0.31).abs()) - 0.03, z.abs() - 0.35)
    top = torch.maximum(torch.maximum(x.abs(), y.abs()) - 0.35, (z - 0.33).abs() - 0.05)
    mesh = extract(torch.minimum(legs, top), 0.0, MeshOptions(64, faces=700, quads=True))
    require_manifold(mesh)
    assert len(mesh.polygons) <= 700
    for corner in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        leg = (mesh.vertices[:, :2] * corner > 0.25).all(axis=1)
        assert np.ptp(mesh.vertices[leg, 2]) > 0.6
    assert len(mesh.components()[1]) == 1


def test_a_budget_that_leaves_nothing_says_so() -> None:
    many = torch.full((64, 64, 64), 1.0)
    many[::4, ::4, ::4] = -1.0
    with pytest.raises(EmptyShape, match="Nothing is left of the shape with 16 quads"):
        extract(many, 0.0, MeshOptions(64, faces=16, quads=True))


def test_debris_goes_in_whole_quads() -> None:
    both = torch.minimum(sphere(32, 0.25, (-0.15, 0, 0)), sphere(32, 0.04, (0.4, 0, 0)))
    assert len(extract(both, 0.0, QUADS).components()[1]) == 2
    mesh = extract(both, 0.0, MeshOptions(32, debris=0.05, quads=True))
    require_manifold(mesh)
    assert mesh.vertices[:, 0].max() < 0.2


def test_fields_and_voxels_become_quads() -> None:
    field = Field(lambda points: points.norm(dim=-1) - 0.3)
    require_manifold(field.to_mesh(QUADS))
    require_manifold(Voxels((sphere(16) < 0).float()).to_mesh(QUADS))


def test_a_mesh_knows_its_quads() -> None:
    cube = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), np.float32).reshape(3, -1).T
    sides = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]], np.int32)
    mesh = Mesh.of_quads(cube, sides)
    require_manifold(mesh)
    assert np.array_equal(mesh.polygons, sides)
    assert volume(mesh) == pytest.approx(1)
    edges, of_corner = mesh.edges()
    assert len(edges) == 12
    ends = np.stack([sides, np.roll(sides, -1, axis=1)], axis=-1).reshape(-1, 2)
    assert np.array_equal(edges[of_corner], np.sort(ends, axis=1))
    with pytest.raises(BadMesh, match="pairs"):
        Mesh(cube, np.roll(mesh.faces, 1, axis=0), quads=True)
    with pytest.raises(BadMesh, match="pairs"):
        Mesh(cube, mesh.faces[:-1], quads=True)
    assert not mesh.decimated(16).quads
