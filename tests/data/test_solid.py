"""Meshes as solids against shapes whose distance is a formula, and meshes that are damaged."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import trimesh

from gen3d_core.data.repair import clean
from gen3d_core.data.solid import THINNEST, Frame, Solid, fit, read_solid
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
    assert np.abs(found - (np.linalg.norm(points, axis=1) - RADIUS)).max() < 2e-3


def test_distances_to_a_box_are_exact() -> None:
    points = positions()
    assert np.abs(Solid(box()).sdf(points) - box_distance(points)).max() < 1e-6


def test_voxels_of_a_box_are_its_cells() -> None:
    inside = (np.abs(centres(20)) < HALF).all(-1)
    assert np.array_equal(Solid(box()).voxels(20), inside)


@pytest.mark.parametrize("resolution", [12, 32, 42])
def test_the_grid_of_distances_is_the_clamped_distance(resolution: int) -> None:
    grid = Solid(box()).sdf_grid(resolution, 0.07)
    expected = box_distance(centres(resolution).reshape(-1, 3)).clip(-0.07, 0.07).reshape((resolution,) * 3)
    assert grid.dtype == np.float32
    assert np.abs(grid - expected).max() < 1e-6


def table() -> trimesh.Trimesh:
    """A top on four legs that reach into it, of small faces."""
    parts = [trimesh.creation.box(extents=(0.9, 0.6, 0.08)).apply_translation((0, 0, 0.3))]
    for x in (-0.38, 0.38):
        for y in (-0.23, 0.23):
            parts.append(trimesh.creation.box(extents=(0.08, 0.08, 0.7)).apply_translation((x, y, -0.05)))
    joined = trimesh.util.concatenate(parts)
    return joined.subdivide().subdivide().subdivide()


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape", [trimesh.creation.icosphere(subdivisions=4, radius=RADIUS), table()], ids=["ball", "table"]
)
@pytest.mark.parametrize("resolution", [32, 64])
def test_missing_and_flipped_faces_hardly_change_the_solid(shape: trimesh.Trimesh, resolution: int) -> None:
    whole = as_mesh(shape)
    random = np.random.default_rng(0)
    intact = Solid(whole).voxels(resolution)
    kept = random.random(len(whole.faces)) >= 0.05
    assert 0.03 < 1 - kept.mean() < 0.07
    holes = Solid(Mesh(whole.vertices, whole.faces[kept]))
    assert (holes.voxels(resolution) != intact).mean() < 0.002
    assert any(note.startswith("open edges bridged") for note in holes.notes)
    flipped = whole.faces.copy()
    turned = random.random(len(flipped)) < 0.1
    flipped[turned] = flipped[turned][:, ::-1]
    mixed = Solid(Mesh(whole.vertices, flipped))
    assert (mixed.voxels(resolution) != intact).mean() < 0.002
    assert f"faces turned to agree with their neighbours ({turned.sum()})" in mixed.notes


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
    assert np.abs(np.linalg.norm(points, axis=1) - RADIUS).max() < 2e-3
    assert np.einsum("ij,ij->i", points / RADIUS, normals).min() > 0.99
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


# Sheets and thin walls


def square(side: float = 0.6, tilt: float = 0.0) -> trimesh.Trimesh:
    """A square of two triangles, tilted about the x axis."""
    h = side / 2
    sheet = trimesh.Trimesh([[-h, -h, 0], [h, -h, 0], [h, h, 0], [-h, h, 0]], [[0, 1, 2], [0, 2, 3]], process=False)
    return sheet.apply_transform(trimesh.transformations.rotation_matrix(tilt, [1, 0, 0]))


@pytest.mark.parametrize("resolution", [16, 32, 64])
@pytest.mark.parametrize("height", [0.0, 0.0123])
def test_an_open_sheet_is_about_a_cell_thick(resolution: int, height: float) -> None:
    solid = Solid(as_mesh(square().apply_translation((0, 0, height))))
    columns = solid.voxels(resolution)[resolution // 2, resolution // 2 - resolution // 5 : resolution // 2]
    assert set(columns.sum(axis=-1)) <= {1, 2}
    assert solid.notes == ("open sheets thickened (100% of the surface)",)
    assert np.array_equal(solid.sdf_grid(resolution) < 0, solid.voxels(resolution))


def test_the_distance_to_a_sheet_is_that_to_a_plate() -> None:
    solid = Solid(as_mesh(square()))
    points = np.array([[0, 0, 0], [0, 0, 0.2], [0.1, 0.1, -0.2]])
    half = THINNEST / 2
    assert solid.sdf(points) == pytest.approx([-half, 0.2 - half, 0.2 - half], abs=1e-6)


def test_a_tilted_sheet_has_no_gaps() -> None:
    grid = Solid(as_mesh(square(tilt=0.6))).voxels(32)
    # Along the tilt, every column over the sheet is full somewhere.
    assert grid[8:24, 10:22].any(axis=-1).all()


def test_points_of_a_sheet_lie_on_both_of_its_sides() -> None:
    points, normals = Solid(as_mesh(square())).surface(600)
    assert np.abs(np.abs(points[:, 2]) - THINNEST / 2).max() < 1e-6
    assert np.array_equal(np.sign(points[:, 2]), np.sign(normals[:, 2]))
    assert 0.4 < (normals[:, 2] > 0).mean() < 0.6


def test_a_waving_curtain_is_a_sheet_and_its_folds_stay_open() -> None:
    u, v = np.meshgrid(np.linspace(-0.4, 0.4, 60), np.linspace(-0.4, 0.4, 8), indexing="ij")
    points = np.stack([u, 0.06 * np.sin(30 * u), v], -1).reshape(-1, 3)
    index = np.arange(480).reshape(60, 8)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    solid = Solid(Mesh(points.astype(np.float32), faces.astype(np.int32)))
    assert solid.notes == ("open sheets thickened (100% of the surface)",)
    middle = solid.voxels(64)[:, :, 32]
    assert middle.any(axis=1)[8:56].all()
    # Length of the wave times a thickness of one to two cells, not the area between the folds.
    assert middle.sum() < 2.5 * 64 * 0.8 * 1.45


def test_a_leaf_on_a_pot_is_thickened_and_the_pot_is_not() -> None:
    pot = trimesh.creation.cylinder(radius=0.2, height=0.4)
    leaf = square(0.3).apply_translation((0.3, 0, 0.3))
    both = Solid(as_mesh(trimesh.util.concatenate([pot, leaf])))
    (note,) = both.notes
    assert note.startswith("open sheets thickened")
    alone = Solid(as_mesh(pot)).voxels(48)
    changed = both.voxels(48) & ~alone
    assert changed.any()
    assert (centres(48)[changed][:, 2] > 0.25).all()
    assert not (alone & ~both.voxels(48)).any()


def test_thin_closed_walls_are_seen_by_every_grid() -> None:
    plate = as_mesh(trimesh.creation.box(extents=(0.8, 0.8, 0.004)).apply_translation((0, 0, 0.0021)))
    wire = as_mesh(trimesh.creation.box(extents=(0.006, 0.006, 0.8)).apply_translation((0.0079, 0.0079, 0)))
    for resolution in (16, 32, 64):
        assert (
            Solid(plate).voxels(resolution)[4 * resolution // 10 : 6 * resolution // 10, resolution // 2].any(-1).all()
        )
        assert Solid(wire).voxels(resolution).any(axis=(0, 1))[resolution // 8 : -resolution // 8].all()
    # Nothing is thickened that is thick enough.
    assert np.array_equal(Solid(box()).voxels(24), (np.abs(centres(24)) < HALF).all(-1))


# Damage


def test_a_part_that_is_inside_out_is_turned_alone() -> None:
    left, right = (trimesh.creation.box(extents=(0.3, 0.3, 0.3)) for _ in range(2))
    left.apply_translation((-0.25, 0, 0))
    right.apply_translation((0.25, 0, 0))
    right.invert()
    solid = Solid(as_mesh(trimesh.util.concatenate([left, right])))
    assert solid.notes == ("parts that were inside out turned (1)",)
    assert solid.voxels(20).sum() == 2 * 6**3


@pytest.mark.parametrize("inside_out", [False, True])
def test_a_double_wall_is_a_hollow(inside_out: bool) -> None:
    outer, inner = trimesh.creation.icosphere(3, radius=0.4), trimesh.creation.icosphere(3, radius=0.25)
    inner.invert()
    shell = trimesh.util.concatenate([outer, inner])
    if inside_out:
        shell.invert()
    solid = Solid(as_mesh(shell))
    distance = np.linalg.norm(centres(32), axis=-1)
    grid = solid.voxels(32)
    assert grid[(distance > 0.27) & (distance < 0.38)].all()
    assert not grid[(distance < 0.23) | (distance > 0.42)].any()


def test_a_second_skin_that_faces_out_too_is_filled() -> None:
    outer, inner = trimesh.creation.icosphere(3, radius=0.4), trimesh.creation.icosphere(3, radius=0.36)
    solid = Solid(as_mesh(trimesh.util.concatenate([outer, inner])))
    assert np.array_equal(solid.voxels(32), Solid(as_mesh(outer)).voxels(32))
    # The inner skin is hidden: it has no points, and distances do not see it.
    assert np.linalg.norm(solid.surface(300)[0], axis=1) == pytest.approx(0.4, abs=0.01)
    assert solid.sdf(np.zeros((1, 3))) == pytest.approx(-0.4, abs=0.01)


def test_a_box_of_doubled_faces_is_a_box() -> None:
    once = box()
    doubled = Mesh(once.vertices, np.concatenate([once.faces, once.faces[:, ::-1], once.faces[:3]]))
    solid = Solid(doubled)
    assert "doubled faces removed (15)" in solid.notes
    assert np.array_equal(solid.voxels(20), Solid(once).voxels(20))


def test_boxes_that_touch_have_no_wall_between_them() -> None:
    left = trimesh.creation.box(extents=(0.4, 0.2, 0.2)).apply_translation((-0.2, 0, 0))
    right = trimesh.creation.box(extents=(0.4, 0.2, 0.2)).apply_translation((0.2, 0, 0))
    solid = Solid(as_mesh(trimesh.util.concatenate([left, right])))
    assert np.array_equal(solid.voxels(28), (np.abs(centres(28)) < (0.4, 0.1, 0.1)).all(-1))
    assert solid.sdf(np.zeros((1, 3))) == pytest.approx(-0.1, abs=1e-6)


def test_a_membrane_inside_does_not_count() -> None:
    """A cushion of two halves with the cut between them still there, as drawing programs leave it."""
    halves = []
    for sign in (-1.0, 1.0):
        half = trimesh.creation.box(extents=(0.4, 0.4, 0.2)).apply_translation((0, 0, 0.1 * sign))
        half.update_faces(~(np.abs(half.triangles[:, :, 2]) < 1e-6).all(axis=1))
        halves.append(half)
    cut = square(0.4)
    for membrane in (cut, cut.copy().apply_transform(np.diag([-1.0, 1, 1, 1]))):
        solid = Solid(as_mesh(trimesh.util.concatenate([*halves, membrane])))
        assert np.array_equal(solid.voxels(28), (np.abs(centres(28)) < 0.2).all(-1))
        assert solid.sdf(np.zeros((1, 3))) == pytest.approx(-0.2, abs=1e-6)
        assert solid.notes == ()


def test_a_box_without_its_bottom_is_closed_by_a_flat_one() -> None:
    whole = box()
    open_box = Mesh(whole.vertices, whole.faces[~(whole.vertices[whole.faces][:, :, 2] < -0.29).all(1)])
    solid = Solid(open_box)
    assert solid.notes == ("open edges bridged (4)",)
    for resolution in (20, 64):
        assert np.array_equal(solid.voxels(resolution), Solid(whole).voxels(resolution))


def test_an_open_crate_with_an_inner_wall_stays_open() -> None:
    """Two boxes without lids, the inner one facing inwards, as game assets have them."""

    def without_lid(extents: tuple[float, float, float]) -> trimesh.Trimesh:
        crate = trimesh.creation.box(extents=extents)
        crate.apply_translation((0, 0, -crate.bounds[1, 2]))
        crate.update_faces(~(crate.triangles[:, :, 2] > -1e-6).all(axis=1))
        return crate

    inner = without_lid((0.6, 0.6, 0.3))
    inner.invert()
    solid = Solid(as_mesh(trimesh.util.concatenate([without_lid((0.8, 0.8, 0.4)), inner])))
    grid, points = solid.voxels(40), centres(40)
    hollow = (np.abs(points[..., :2]) < 0.28).all(-1) & (points[..., 2] > -0.28)
    assert not grid[hollow & (points[..., 2] < 0)].any()
    wall = (np.abs(points[..., 0]) > 0.32) & (np.abs(points[..., 0]) < 0.38) & (np.abs(points[..., 1]) < 0.38)
    assert grid[wall & (points[..., 2] > -0.35) & (points[..., 2] < -0.05)].all()


def test_stray_vertices_do_not_count() -> None:
    whole = box()
    stray = np.array([[50, 0, 0], [0, -9, 3], [np.nan, 0, 0]], np.float32)
    cleaned = clean(np.concatenate([whole.vertices, stray]), whole.faces)
    assert np.ptp(cleaned.vertices, axis=0) == pytest.approx(2 * HALF)
    assert cleaned.notes == ()


def test_faces_that_mean_nothing_are_left_out() -> None:
    whole = box()
    vertices = np.concatenate([whole.vertices, [[np.inf, 0, 0], [0.05, 0.05, 0.05]]])
    more = np.array([[8, 0, 1], [0, 0, 1], [0, 9, 9], [3, 77, 2]])
    cleaned = clean(vertices, np.concatenate([whole.faces, more]))
    assert cleaned.notes == (
        "faces with coordinates that are not numbers removed (2)",
        "faces without area removed (2)",
    )
    assert len(cleaned.faces) == 12
    assert np.abs(cleaned.vertices).max() == pytest.approx(0.3)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e4, 1e9])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_size_and_place_do_not_matter(scale: float, offset: float) -> None:
    whole = box()
    cleaned = clean((whole.vertices.astype(np.float64) + offset) * scale, whole.faces)
    fitted = fit(cleaned.vertices).inward(cleaned.vertices)
    assert np.ptp(fitted, axis=0) == pytest.approx([0.3, 0.6, 0.9], rel=1e-6)
    solid = Solid(Mesh(fitted, cleaned.faces.astype(np.int32)))
    assert solid.voxels(20).sum() == 6 * 12 * 18


@pytest.mark.parametrize(
    ("vertices", "faces", "reason"),
    [
        (np.zeros((3, 3)), np.zeros((0, 3), int), "no faces"),
        (np.full((3, 3), np.nan), np.array([[0, 1, 2]]), "not numbers"),
        (np.eye(3) * 1e300, np.array([[0, 1, 2]]), "not numbers"),
        (np.eye(3), np.array([[0, 1, 7]]), "not numbers"),
        (np.ones((3, 3)), np.array([[0, 1, 2]]), "one place"),
        (np.arange(9.0).reshape(3, 3), np.array([[0, 1, 2]]), "no area"),
    ],
)
def test_what_is_no_surface_is_refused(vertices: np.ndarray, faces: np.ndarray, reason: str) -> None:
    with pytest.raises(BadMesh, match=reason):
        clean(vertices, faces)


def test_a_million_faces_without_area_are_refused_quickly() -> None:
    vertices = np.stack([np.linspace(0, 1, 1000), np.zeros(1000), np.zeros(1000)], axis=1)
    faces = np.random.default_rng(0).integers(0, 1000, (1_000_000, 3))
    with pytest.raises(BadMesh, match="no area"):
        clean(vertices, faces)


def test_grids_agree_with_distances_asked_one_by_one() -> None:
    solid = Solid(as_mesh(table()))
    exact = solid.sdf(centres(32).reshape(-1, 3)).reshape((32,) * 3).clip(-0.2, 0.2)
    # At this resolution, sheets would be thicker than for single positions: there are none here.
    assert np.abs(solid.sdf_grid(32, truncation=0.2) - exact).max() < 1e-6
    assert np.array_equal(solid.voxels(32), exact < 0)


def test_a_solid_travels_to_another_process() -> None:
    solid = Solid(as_mesh(trimesh.util.concatenate([as_trimesh(box()), square()])))
    again = pickle.loads(pickle.dumps(solid))  # noqa: S301
    assert again.notes == solid.notes
    assert np.array_equal(again.sdf_grid(24), solid.sdf_grid(24))


def as_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
