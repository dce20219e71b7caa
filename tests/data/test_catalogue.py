"""The shape catalogue: solids against brute force, shapes against what models need of them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import trimesh
from scipy.spatial import KDTree
from skimage.measure import label

from gen3d_core.data.catalogue import CATEGORIES, Part, Shape, chair, make, table
from gen3d_core.data.catalogue.extruded import Extruded, extruded
from gen3d_core.data.catalogue.handles import handle, loop
from gen3d_core.data.catalogue.members import spread
from gen3d_core.data.catalogue.paths import filleted, flowing, squared_distance, swelling
from gen3d_core.data.catalogue.profiles import Bow, Ellipse, Trapezoid
from gen3d_core.data.catalogue.revolved import Revolved, turned, vessel
from gen3d_core.data.catalogue.solids import Arc, Box, Cone, Frame, Rod, Slab, Solid

#: Of each category, and those of quick tests.
SEEDS, FEW = range(14), range(2)
#: Categories whose shapes are their own mirror images; handles and steps are on one side.
SYMMETRIC = ("chair", "table", "cabinet", "lamp", "airplane", "car")
TILTED = Frame.at(0.05, -0.03, 0.02).turned("x", 0.4).turned("y", -0.7).turned("z", 1.1)
SOLIDS: dict[str, Solid] = {
    "box": Box(TILTED, (0.2, 0.1, 0.15), 0.02),
    "tapered box": Box(TILTED, (0.04, 0.05, 0.25), 0.01, 1.15),
    "cylinder": Cone(TILTED, 0.1, 0.1, 0.2, 0.015),
    "cone": Cone(TILTED, 0.18, 0.07, 0.12, 0.01),
    "rod": Rod(TILTED, 0.03, 0.07, 0.3),
    "arc": Arc(TILTED, 0.2, 1.2, 0.04),
    "long arc": Arc(TILTED, 0.2, 2.3, 0.04),
    "rectangle": Slab(TILTED, Trapezoid(0.2, 0.2, 0.15, 0.04), 0.04, 0.015),
    "trapezoid": Slab(TILTED, Trapezoid(0.25, 0.18, 0.15, 0.05), 0.03, 0.01),
    "ellipse": Slab(TILTED, Ellipse(0.28, 0.17, 0.03), 0.03, 0.012),
    "disc": Slab(TILTED, Ellipse(0.2, 0.2, 0.03), 0.03, 0.012),
    "bow": Slab(TILTED, Bow(0.2, 1.0, 0.025), 0.1, 0.014),
    "long bow": Slab(TILTED, Bow(0.2, 2.0, 0.025), 0.1, 0.014),
    "vase": vessel(
        TILTED, flowing([(0.1, -0.2), (0.17, -0.05), (0.1, 0.12), (0.08, 0.18), (0.12, 0.25)]), 0.05, 0.05, 0.015
    ),
    "baluster": turned(TILTED, swelling([(0.12, -0.3), (0.05, -0.2), (0.1, -0.05), (0.04, 0.2), (0.06, 0.3)]), 0.01),
    "top": turned(TILTED, [(0.0, -0.3), (0.1, -0.1), (0.1, 0.2), (0.0, 0.3)], 0.02),
    "stepped": turned(TILTED, [(0.2, -0.1), (0.2, 0.0), (0.08, 0.0), (0.08, 0.2)], 0.01, 0.03),
    "ball": Revolved(TILTED, np.array([(0.0, -0.2), (0.14, -0.14), (0.2, 0.0), (0.14, 0.14), (0.0, 0.2)]), 0.0),
    "outline": extruded(
        TILTED,
        [(-0.3, -0.05, 0.05, 0.1), (-0.1, -0.02, 0.06, 0.1), (0, -0.02, 0.13, 0.1), (0.3, -0.05, 0.1, 0.1)],
        0.02,
    ),
    "wing": extruded(TILTED, [(-0.3, -0.1, 0.1, 0.05), (0.3, 0.05, 0.1, 0.022)], 0.022),
    "delta": extruded(TILTED, [(-0.3, -0.2, 0.2, 0.05), (0.3, 0.2, 0.2, 0.022)], 0.022),
    "hull": extruded(
        TILTED,
        [(-0.3, -0.08, 0.05, 0.08), (-0.1, -0.08, 0.1, 0.14), (0.15, -0.05, 0.1, 0.14), (0.3, -0.05, 0.06, 0.1)],
        0.03,
    ),
}


def points_around(count: int, reach: float = 0.5) -> np.ndarray:
    random = np.random.default_rng(5)
    return random.uniform(-reach, reach, (count, 3)).astype(np.float32)


def dense_surface(solid: Solid) -> trimesh.Trimesh:
    mesh = solid.mesh()
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def single(*solids: Solid) -> Shape:
    return Shape("chair", 0, {}, tuple(Part("seat", solid) for solid in solids))


@pytest.fixture(
    scope="module",
    params=[
        *[pytest.param((category, FEW), id=f"{category}-few") for category in CATEGORIES],
        *[pytest.param((category, SEEDS), id=category, marks=pytest.mark.slow) for category in CATEGORIES],
    ],
)
def shapes(request: pytest.FixtureRequest) -> list[Shape]:
    category, seeds = request.param
    return [make(category, seed) for seed in seeds]


@pytest.mark.parametrize("name", SOLIDS)
def test_solid_distance_matches_brute_force_distance_to_its_mesh(name: str) -> None:
    solid = SOLIDS[name]
    mesh = dense_surface(solid)
    samples = np.asarray(trimesh.sample.sample_surface(mesh, 60_000, seed=1)[0])
    points = points_around(4000)
    nearest, _ = KDTree(samples).query(points)
    measured = solid.sdf(points)
    far = nearest > 0.03
    slack = 0.06 * nearest[far] + 2e-3 if name == "tapered box" else 4e-3
    assert np.all(np.abs(np.abs(measured[far]) - nearest[far]) < slack)
    assert np.array_equal(measured[far] < 0, mesh.contains(points[far].astype(float)))


@pytest.mark.parametrize("name", SOLIDS)
def test_solid_mesh_is_closed_outward_and_on_the_surface(name: str) -> None:
    solid = SOLIDS[name]
    mesh = dense_surface(solid)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0
    assert np.abs(solid.sdf(solid.mesh().vertices)).max() < 4e-4


@pytest.mark.parametrize("name", SOLIDS)
def test_rings_run_around_the_surface_from_cap_to_cap(name: str) -> None:
    solid = SOLIDS[name]
    rings = solid.rings()
    levels, around = rings.shape[:2]
    assert levels >= 2
    assert around % 4 == 0
    assert np.abs(solid.sdf(rings.reshape(-1, 3).astype(np.float32))).max() < 4e-4
    np.testing.assert_allclose(solid.mesh().vertices[: levels * around], rings.reshape(-1, 3), atol=1e-6)
    corners = solid.corners()
    assert sorted(corners) == list(corners)
    assert len(set(corners)) == 4
    assert corners[-1] < around
    if solid.strip:
        # Opposite points of a strip lie across it, the four corners at its ends.
        assert corners[0] + corners[3] == corners[1] + corners[2] == around - 1
    else:
        assert np.ptp(np.diff(corners)) == 0


@pytest.mark.parametrize("name", SOLIDS)
def test_thickness_is_at_most_the_width_of_the_mesh_along_any_axis(name: str) -> None:
    solid = SOLIDS[name]
    local = (solid.mesh().vertices - solid.frame.translation) @ solid.frame.rotation
    assert 0.02 < solid.thickness < np.ptp(local, axis=0).min() + 1e-3


def test_walls_of_a_vessel_are_as_thick_as_asked_and_its_bowl_is_open() -> None:
    wall = flowing([(0.15, 0.0), (0.22, 0.2), (0.16, 0.4), (0.2, 0.5)])
    cup = vessel(Frame.at(), wall, 0.05, 0.06, 0.012)
    assert cup.thickness == pytest.approx(0.05, abs=0.004)
    heights = np.linspace(0.1, 0.45, 8, dtype=np.float32)
    axis = np.stack([np.zeros(8), np.zeros(8), heights], 1).astype(np.float32)
    assert np.all(cup.sdf(axis) > 0.035)
    radii = np.interp(heights, wall[:, 1], wall[:, 0]) - 0.02
    assert np.all(cup.sdf(np.stack([radii, np.zeros(8), heights], 1).astype(np.float32)) < 0)
    assert cup.sdf(np.array([[0.0, 0.0, 0.03]], np.float32))[0] < 0


def test_wrong_paths_and_stations_are_refused() -> None:
    with pytest.raises(ValueError, match="axis to axis"):
        Revolved(Frame.at(), np.array([(0.1, 0.0), (0.2, 0.1), (0.0, 0.2)]), 0.01)
    with pytest.raises(ValueError, match="growing x"):
        Extruded(Frame.at(), np.array([(0.0, 0, 1, 1), (0.0, 0, 1, 1)]), 0.01)


def test_distance_to_a_path_matches_a_dense_sampling() -> None:
    path = filleted([(0.0, 0.0), (0.3, 0.0), (0.3, 0.2), (0.1, 0.4)], 0.05)
    dense = np.concatenate([a + (b - a) * np.linspace(0, 1, 400)[:, None] for a, b in pairwise(path)])
    points = points_around(500)[:, :2]
    nearest, _ = KDTree(dense).query(points)
    np.testing.assert_allclose(np.sqrt(squared_distance(points[:, 0], points[:, 1], path)), nearest, atol=1e-3)


def test_fillets_bend_gently_and_stay_near_their_corners() -> None:
    corner = [(0.0, 0.0), (0.3, 0.0), (0.3, 0.3)]
    path = filleted(corner, 0.1, bend=0.35)
    steps = np.diff(path, axis=0)
    turns = np.diff(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0])))
    assert np.abs(turns).max() < 0.36
    assert turns.sum() == pytest.approx(math.pi / 2)
    # The arc of radius 0.1 passes the corner at 0.1 * (sqrt(2) - 1).
    nearest = math.sqrt(float(squared_distance(np.array([0.3]), np.array([0.0]), path)[0]))
    assert nearest == pytest.approx(0.0414, abs=2e-3)


def test_swelling_curves_have_no_extremes_but_those_given() -> None:
    given = [(0.1, 0.0), (0.3, 0.2), (0.1, 0.5), (0.2, 0.7), (0.1, 1.0)]
    curve = swelling(given, 20)
    turns = np.flatnonzero(np.diff(np.sign(np.diff(curve[:, 0]))) != 0) + 1
    np.testing.assert_allclose(curve[turns], given[1:-1], atol=1e-9)


def test_a_loop_ends_where_it_should_and_stands_off_as_far_as_asked() -> None:
    arc = loop((0.2, 0.0, 0.1), (0.25, 0.0, 0.4), 0.12, 0.03)
    ends = np.array([(0.2, 0.0, 0.1), (0.25, 0.0, 0.4)], np.float32)
    np.testing.assert_allclose(arc.sdf(ends), -0.03, atol=1e-6)
    middle, way = ends.mean(0), np.array([0.3, 0.0, -0.05]) / np.hypot(0.3, 0.05)
    np.testing.assert_allclose(arc.sdf((middle + 0.12 * way)[None].astype(np.float32)), -0.03, atol=1e-6)


@pytest.mark.parametrize("form", ["loop", "ear", "square", "scroll"])
def test_handles_join_both_places_on_the_wall(form: str) -> None:
    low, high = (0.2, 0.0, 0.1), (0.18, 0.0, 0.4)
    handles = handle(form, low, high, 0.15, 0.03)
    ends = np.array([low, high], np.float32)
    assert np.all(np.min([solid.sdf(ends) for solid in handles], axis=0) < -0.029)
    assert max(solid.bounds()[1, 0] for solid in handles) > 0.3


@pytest.mark.parametrize("name", SOLIDS)
def test_solid_bounds_just_enclose_its_mesh(name: str) -> None:
    low, high = SOLIDS[name].bounds()
    vertices = SOLIDS[name].mesh().vertices
    assert np.all(vertices.min(0) > low - 1e-3)
    assert np.all(vertices.max(0) < high + 1e-3)
    assert np.all(vertices.min(0) < low + 4e-3)
    assert np.all(vertices.max(0) > high - 4e-3)


@pytest.mark.parametrize("name", SOLIDS)
def test_mirrored_solid_has_the_mirrored_distance(name: str) -> None:
    points = points_around(500)
    flipped = points * np.array([-1, 1, 1], np.float32)
    np.testing.assert_allclose(SOLIDS[name].mirrored().sdf(points), SOLIDS[name].sdf(flipped), atol=2e-6)


@pytest.mark.parametrize("name", SOLIDS)
def test_placed_solid_scales_its_distance(name: str) -> None:
    points = points_around(500)
    offset = np.array([0.1, -0.2, 0.05])
    moved = SOLIDS[name].placed(0.5, offset)
    source = ((points - offset) / 0.5).astype(np.float32)
    np.testing.assert_allclose(moved.sdf(points), 0.5 * SOLIDS[name].sdf(source), atol=3e-6)


def test_frame_between_points_along_its_z_axis() -> None:
    frame = Frame.between(np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.5, 0.7]))
    np.testing.assert_allclose(frame.point(0, 0, 0.5), [0.1, 0.5, 0.7], atol=1e-12)
    np.testing.assert_allclose(frame.rotation @ frame.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(frame.rotation) == pytest.approx(1)


@pytest.mark.parametrize(("inner", "width", "most"), [(0.4, 0.05, 7), (0.3, 0.044, 3), (0.12, 0.1, 4)])
def test_spread_leaves_open_and_equal_gaps(inner: float, width: float, most: int) -> None:
    places = spread(inner, width, most)
    assert len(places) <= most
    edges = [-inner / 2, *(side for u in places for side in (u - width / 2, u + width / 2)), inner / 2]
    gaps = np.diff(edges)[::2]
    assert gaps.min() > 0.0499
    assert np.ptp(gaps) < 1e-9


def test_unknown_category_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="chair, table"):
        make("spoon", 0)


def test_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        make("chair", -1)


@pytest.mark.parametrize(
    ("category", "seed", "expected", "cells"),
    [
        ("chair", 3, {"base": "pedestal", "back": "rest", "seat_width": 0.51244, "rake": 11.34479}, 896),
        ("chair", 7, {"base": "legs", "back": "panel", "seat_height": 0.36061, "splay": 0.0}, 3432),
        ("chair", 103, {"base": "legs", "back": "rest", "bar": 0.05385, "count": 1}, 1432),
        ("table", 2, {"base": "drawers", "top": "rectangle", "length": 0.9, "inset": 0.02788}, 4640),
        ("table", 14, {"base": "legs", "extra": "shelf", "height": 0.38432, "bar": 0.04705}, 1212),
    ],
)
def test_shapes_never_change(category: str, seed: int, expected: dict[str, float | str], cells: int) -> None:
    shape = make(category, seed)
    for name, value in expected.items():
        wanted = value if isinstance(value, str) else pytest.approx(value, abs=2e-5)
        assert shape.parameters[name] == wanted
    assert abs(int(shape.voxels(32).sum()) - cells) <= 4


def test_making_a_shape_twice_gives_the_same_arrays() -> None:
    first, second = make("chair", 11), make("chair", 11)
    assert first.parameters == second.parameters
    assert np.array_equal(first.sdf_grid(32), second.sdf_grid(32))
    assert all(np.array_equal(a, b) for a, b in zip(first.surface(200, 4), second.surface(200, 4), strict=True))


def test_seeds_and_categories_give_different_shapes(shapes: list[Shape]) -> None:
    grids = {shape.voxels(32).tobytes() for shape in shapes}
    assert len(grids) == len(shapes)


def test_shapes_are_centred_with_longest_side_nine_tenths(shapes: list[Shape]) -> None:
    for shape in shapes:
        low, high = shape.bounds()
        assert (high - low).max() == pytest.approx(0.9, abs=1e-6)
        np.testing.assert_allclose(low + high, 0, atol=1e-6)
        vertices = np.concatenate([mesh.vertices for mesh in shape.parts_mesh()])
        assert np.abs(vertices).max() == pytest.approx(0.45, abs=2e-3)


def test_shapes_are_one_connected_solid_with_a_margin(shapes: list[Shape]) -> None:
    for shape in shapes:
        grid = shape.sdf_grid(96, 0.05)
        for level in (0.0, -0.005):
            assert np.asarray(label(grid < level, connectivity=1)).max() == 1, (shape.category, shape.seed, level)


def test_members_are_thick_enough_to_be_seen_by_models(shapes: list[Shape]) -> None:
    for shape in shapes:
        for part in shape.parts:
            # The inlets of jet engines have sharp lips.
            assert part.solid.thickness >= 0.0435 or part.label == "engine", (shape.category, shape.seed, part)


def test_shapes_are_mirror_symmetric(shapes: list[Shape]) -> None:
    for shape in shapes:
        if shape.category in SYMMETRIC:
            grid = shape.sdf_grid(32)
            np.testing.assert_allclose(grid, grid[::-1], atol=1e-5)


def test_backs_stand_behind_the_seat() -> None:
    for seed in SEEDS:
        shape = make("chair", seed)
        backs = [part.solid.mesh().vertices[:, 1].mean() for part in shape.parts if part.label == "back"]
        seat = next(part.solid.frame.translation[1] for part in shape.parts if part.label == "seat")
        assert (shape.parameters["back"] == "none") == (not backs)
        assert all(y > seat + 0.01 for y in backs)


def test_grid_is_the_clamped_distance_at_cell_centres(shapes: list[Shape]) -> None:
    axis = (np.arange(24) + 0.5) / 24 - 0.5
    centres = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3).astype(np.float32)
    for shape in shapes[:8]:
        expected = shape.sdf(centres).reshape(24, 24, 24)
        np.testing.assert_allclose(shape.sdf_grid(24, 0.07), expected.clip(-0.07, 0.07), atol=2e-6)
        assert np.array_equal(shape.voxels(24), shape.sdf_grid(24) < 0)
        assert shape.sdf_grid(24).dtype == np.float32


def test_distance_outside_is_the_distance_to_the_surface(shapes: list[Shape]) -> None:
    points = points_around(3000)
    for shape in shapes[:5]:
        measured = shape.sdf(points)
        nearest, _ = KDTree(shape.surface(40_000)[0]).query(points)
        outside = measured > 0.02
        assert np.all(nearest[outside] > measured[outside] - 1e-3)
        assert np.all(nearest[outside] < measured[outside] + 0.01)


def test_distance_grows_by_one_per_unit_outside(shapes: list[Shape]) -> None:
    points, step = points_around(2000), np.float32(1e-3)
    for shape in shapes[:10]:
        kept = points[shape.sdf(points) > 0.01]
        axes = step * np.eye(3, dtype=np.float32)
        slopes = np.stack([(shape.sdf(kept + axis) - shape.sdf(kept - axis)) / (2 * step) for axis in axes], 1)
        off = np.abs(np.linalg.norm(slopes, axis=1) - 1) > 0.05
        # The distance has a crease where two members are equally near.
        assert off.mean() < 0.02


def test_surface_points_lie_on_the_union_and_normals_point_out(shapes: list[Shape]) -> None:
    for shape in shapes:
        points, normals = shape.surface(600)
        assert points.shape == normals.shape == (600, 3)
        assert points.dtype == normals.dtype == np.float32
        assert np.abs(shape.sdf(points)).max() < 1e-3
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
        assert np.all(shape.sdf(points - 0.004 * normals) < 0)
        # Where two members meet in a corner, a step out of one may enter the other.
        assert (shape.sdf(points + 0.004 * normals) > 0).mean() > 0.92


def test_surface_points_are_even_by_area_and_shared_faces_count_once() -> None:
    lower = Box(Frame.at(z=-0.1), (0.1, 0.1, 0.1), 0.001)
    upper = Box(Frame.at(z=0.05), (0.1, 0.1, 0.15), 0.001)
    points, _ = single(lower, upper).surface(20_000)
    # Together a box of 0.2 x 0.2 x 0.4, overlapping between z = -0.1 and 0: all its sides are equally dense.
    sides = points[np.abs(points[:, 2]) < 0.19]
    density, _ = np.histogram(sides[:, 2], bins=19, range=(-0.19, 0.19))
    assert np.abs(density / density.mean() - 1).max() < 0.15
    assert len(points[np.abs(points[:, 2]) > 0.1995]) / 20_000 == pytest.approx(0.2, abs=0.015)


def test_surface_takes_a_seed_and_any_count() -> None:
    shape = make("table", 1)
    assert not np.array_equal(shape.surface(50, 0)[0], shape.surface(50, 1)[0])
    assert shape.surface(0)[0].shape == (0, 3)
    with pytest.raises(ValueError, match="count"):
        shape.surface(-1)


def test_wrong_arguments_are_explained() -> None:
    shape = make("chair", 0)
    with pytest.raises(ValueError, match=r"\(N, 3\)"):
        shape.sdf(np.zeros((4, 2), np.float32))
    with pytest.raises(ValueError, match="truncation"):
        shape.sdf_grid(8, -0.1)
    with pytest.raises(ValueError, match="resolution"):
        shape.voxels(0)


def test_every_structure_is_common_enough_to_be_learned() -> None:
    assert 0.45 <= chair.BASES["legs"] / sum(chair.BASES.values()) <= 0.55
    assert 0.45 <= table.BASES["legs"] / sum(table.BASES.values()) <= 0.55
    backs: dict[str, float] = {}
    for base, probability in chair.BASES.items():
        assert probability >= 0.06
        for back, weight in chair.BACKS[base].items():
            backs[back] = backs.get(back, 0.0) + probability * weight / sum(chair.BACKS[base].values())
    assert math.isclose(sum(backs.values()), 1)
    assert min(backs.values()) >= 0.06
    assert min(table.BASES.values()) >= 0.06
