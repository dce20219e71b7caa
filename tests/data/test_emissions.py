"""The representations of one catalogue shape: each against an independent computation, and against one another."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import igl
import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.optimize import linear_sum_assignment
from scipy.spatial import KDTree

from gen3d_core.__main__ import main
from gen3d_core.data.catalogue import CATEGORIES, Part, Shape, make
from gen3d_core.data.catalogue.cubes import SIDES, template
from gen3d_core.data.catalogue.cuboids import oriented_box
from gen3d_core.data.catalogue.export import write_all
from gen3d_core.data.catalogue.lowpoly import triangulated
from gen3d_core.data.catalogue.members import bar
from gen3d_core.data.catalogue.names import describe
from gen3d_core.data.catalogue.profiles import Bow
from gen3d_core.data.catalogue.shape import settled
from gen3d_core.data.catalogue.solids import Arc, Box, Cone, Frame, Mesh, Rod, Slab, Solid
from gen3d_core.data.catalogue.textures import materials
from gen3d_core.data.catalogue.union import union
from gen3d_core.data.programs import Attach, Reflect, Translate, execute, parse, to_text
from gen3d_core.representations.camera import Camera

# What is emitted is measured on every shape.
pytestmark = pytest.mark.slow

SEEDS = (0, 3)


@pytest.fixture(
    scope="module",
    params=[
        *[pytest.param((category, SEEDS[:1]), id=f"{category}-one") for category in CATEGORIES],
        *[pytest.param((category, SEEDS), id=category, marks=pytest.mark.slow) for category in CATEGORIES],
    ],
)
def shapes(request: pytest.FixtureRequest) -> list[Shape]:
    category, seeds = request.param
    return [make(category, seed) for seed in seeds]


def of(*solids: Solid, label: str = "seat") -> Shape:
    return Shape("chair", 0, {}, tuple(Part(label, solid) for solid in solids))


def closed(mesh: Mesh) -> trimesh.Trimesh:
    found = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert found.is_watertight
    assert found.is_winding_consistent
    assert found.volume > 0
    return found


def unlike(first: np.ndarray, second: np.ndarray) -> float:
    """How far the corners of two boxes (8, 3) are from one another, in whichever order."""
    apart = np.linalg.norm(first[:, None] - second[None], axis=-1)
    return float(max(apart.min(0).max(), apart.min(1).max()))


# Names


def mirror_pairs(names: list[str]) -> list[tuple[int, int]]:
    """Index pairs of parts, right and left, whose names differ in these words alone."""
    index = {name: i for i, name in enumerate(names)}
    found = []
    for name, i in index.items():
        words = name.split()
        if "right" in words:
            other = " ".join("left" if word == "right" else word for word in words)
            if other in index:
                found.append((i, index[other]))
    return found


def test_every_part_has_a_name_of_its_own(shapes: list[Shape]) -> None:
    for shape in shapes:
        names = [part.name for part in shape.parts]
        assert len(set(names)) == len(names)
        assert all(name.strip() == name != "" for name in names)


def test_left_is_plus_x_front_is_minus_y_and_upper_is_plus_z() -> None:
    corners = [(x, y, 0.0) for x in (-1, 1) for y in (-1, 1)]
    assert describe(["leg"] * 4, np.array(corners, float)) == [
        "front right leg",
        "rear right leg",
        "front left leg",
        "rear left leg",
    ]
    assert describe(["rail", "top", "rail"], np.array([[0, 0, 0.1], [0, 0, 0.5], [0, 0, 0.3]])) == [
        "lower rail",
        "top",
        "upper rail",
    ]
    assert describe(["bolt"] * 3, np.array([[0.2, 0, 0], [-0.2, 0, 0], [0.0, 0, 0]])) == [
        "left bolt",
        "right bolt",
        "centre bolt",
    ]


def test_splayed_legs_and_a_ring_of_rails_keep_their_words() -> None:
    legs = np.array([[0.2, -0.2, 0], [-0.2, -0.2, 0], [0.17, 0.21, 0.01], [-0.17, 0.21, 0.01]])
    assert describe(["leg"] * 4, legs) == ["front left leg", "front right leg", "rear left leg", "rear right leg"]
    ring = np.array([[0.2, 0, 0], [-0.2, 0, 0], [0, -0.2, 0], [0, 0.2, 0]])
    assert describe(["rail"] * 4, ring) == ["left rail", "right rail", "front rail", "rear rail"]


def test_long_rows_are_numbered_from_right_to_left() -> None:
    places = np.array([[x, 0.1, 0.2] for x in (0.3, 0.0, -0.15, -0.3, 0.15)])
    assert describe(["slat"] * 5, places) == ["slat 5", "slat 3", "slat 2", "slat 1", "slat 4"]


def test_mirrored_names_belong_to_mirrored_parts(shapes: list[Shape]) -> None:
    for shape in shapes:
        if shape.category == "creature":
            continue
        pairs = mirror_pairs([part.name for part in shape.parts])
        for right, left in pairs:
            own, other = (shape.parts[i].solid.bounds().mean(0) for i in (right, left))
            assert own[0] < other[0], shape.parts[right].name


def test_names_given_by_a_category_stay() -> None:
    box = Box(Frame.at(), (0.1, 0.1, 0.1), 0.01)
    shape = Shape("chair", 0, {}, (Part("leg", box, "short leg"), Part("leg", box, "long leg")))
    assert [part.name for part in shape.parts] == ["short leg", "long leg"]


# Union mesh


def test_union_mesh_is_closed_and_agrees_with_the_solid(shapes: list[Shape]) -> None:
    for shape in shapes:
        mesh = closed(shape.mesh())
        assert mesh.body_count == 1 or mesh.volume == pytest.approx(
            mesh.split(only_watertight=False)[0].volume, rel=0.1
        )
        assert np.abs(shape.sdf(shape.mesh().vertices)).max() < 3.5e-3
        # The share of random points inside is the volume, up to its standard error.
        points = np.random.default_rng(7).random((60_000, 3)).astype(np.float32) - 0.5
        share = float((shape.sdf(points) < 0).mean())
        assert mesh.volume == pytest.approx(share, abs=0.015 * share + 4 * (share / 60_000) ** 0.5)
        # Thin parts may gain or lose half a cell on every side.
        assert mesh.volume == pytest.approx(float(shape.voxels(96).mean()), abs=mesh.area * 0.5 / 96)


def test_union_mesh_of_two_boxes_has_their_joint_volume() -> None:
    sharp = 1e-4
    lower = Box(Frame.at(z=-0.1), (0.1, 0.1, 0.1), sharp)
    upper = Box(Frame.at(z=0.05), (0.1, 0.1, 0.15), sharp)
    mesh = closed(of(lower, upper).mesh())
    assert mesh.volume == pytest.approx(0.2 * 0.2 * 0.4, rel=1e-3)
    assert mesh.area == pytest.approx(2 * 0.04 + 4 * 0.2 * 0.4, rel=2e-3)


def test_union_mesh_has_no_inner_walls(shapes: list[Shape]) -> None:
    for shape in shapes:
        mesh = shape.mesh()
        middles = mesh.vertices[mesh.faces].mean(1).astype(np.float32)
        assert np.quantile(shape.sdf(middles), 0.01) > -3.5e-3


# Distances


def test_distances_are_those_to_a_much_finer_mesh(shapes: list[Shape]) -> None:
    for shape in shapes[:2]:
        samples = shape.samples(1500, 1500)
        fine = union(shape, 5e-5)
        vertices, faces = np.asfortranarray(fine.vertices, dtype=float), np.asfortranarray(fine.faces, dtype=np.int64)
        points = np.asfortranarray(samples.points, dtype=float)
        squared, _, _ = igl.point_mesh_squared_distance(points, vertices, faces)
        inside = np.asarray(igl.fast_winding_number(vertices, faces, points)) > 0.5
        wanted = np.sqrt(squared) * np.where(inside, -1, 1)
        error = np.abs(samples.distances - wanted)
        # The mesh has no more points than the outlines of the parts; a tapered bar's distance is a bound.
        assert np.quantile(error, 0.98) < 1e-3, (shape.category, shape.seed)
        assert error.max() < 6e-3, (shape.category, shape.seed)
        # No point of the surface is nearer than the distance tells.
        nearest, _ = KDTree(shape.surface(20_000)[0]).query(samples.points)
        assert (np.abs(samples.distances) - nearest).max() < 1e-3


def test_depth_where_parts_cross_is_exact_and_not_the_smallest_of_theirs() -> None:
    cross = of(Box(Frame.at(), (0.1, 0.3, 0.35), 1e-3), Box(Frame.at(), (0.35, 0.3, 0.1), 1e-3))
    middle = np.zeros((1, 3), np.float32)
    assert cross.sdf(middle)[0] == pytest.approx(-0.1, abs=1e-5)
    from gen3d_core.data.catalogue.distances import distance

    # The nearest points of the cross's surface are the four inner edges.
    assert distance(cross, middle)[0] == pytest.approx(-0.1 * 2**0.5, abs=2e-4)
    along = np.array([[0.0, 0.0, 0.2], [0.25, 0.0, 0.02], [0.0, 0.4, 0.0]], np.float32)
    assert distance(cross, along) == pytest.approx([-0.1, -0.08, 0.1], abs=2e-4)


def test_samples_are_even_in_the_cube_and_near_the_surface(shapes: list[Shape]) -> None:
    samples = shapes[0].samples(4000, 2000, 3)
    assert samples.points.shape == (6000, 3)
    assert samples.points.dtype == samples.distances.dtype == np.float32
    even, near = samples.points[:4000], samples.points[4000:]
    assert np.abs(even).max() <= 0.5
    np.testing.assert_allclose(even.mean(0), 0, atol=0.02)
    np.testing.assert_allclose(even.std(0), 12**-0.5, atol=0.01)
    assert np.abs(samples.distances[4000::2]).mean() < 0.009
    assert 0.009 < np.abs(samples.distances[4001::2]).mean() < 0.045
    assert len(near) == 2000
    again, other = shapes[0].samples(4000, 2000, 3), shapes[0].samples(4000, 2000, 4)
    assert np.array_equal(again.points, samples.points)
    assert np.array_equal(again.distances, samples.distances)
    assert not np.array_equal(other.points, samples.points)


def test_impossible_numbers_of_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        make("chair", 0).samples(-1, 5)
    assert make("chair", 0).samples(0, 0).points.shape == (0, 3)


def test_occupancy_samples_surface_and_mesh_agree(shapes: list[Shape]) -> None:
    for shape in shapes[:2]:
        mesh = closed(shape.mesh())
        samples = shape.samples(2000, 0)
        clear = np.abs(samples.distances) > 3e-3
        assert np.array_equal(mesh.contains(samples.points[clear].astype(float)), samples.distances[clear] < 0)
        cells = np.floor((samples.points + 0.5) * 128).astype(int).clip(0, 127)
        sure = np.abs(samples.distances) > 0.0075
        assert np.array_equal(shape.voxels(128)[tuple(cells[sure].T)], samples.distances[sure] < 0)
        points, _ = shape.surface(500)
        near, _ = KDTree(np.asarray(trimesh.sample.sample_surface(mesh, 40_000, seed=1)[0])).query(points)
        assert near.max() < 0.02


# Deformed cubes


@pytest.mark.parametrize("n", [2, 5, 8])
def test_the_template_is_a_cube_seen_from_outside(n: int) -> None:
    cube = template(n)
    assert len(cube.vertices) == 6 * n * n + 2
    assert len(np.unique(cube.vertices, axis=0)) == len(cube.vertices)
    assert closed(Mesh(cube.vertices, cube.faces)).volume == pytest.approx(1)
    for patch, (axis, end, right, up) in zip(cube.patches, SIDES, strict=True):
        places = cube.vertices[patch]
        assert np.all(places[..., axis] == end - 0.5)
        to_right, upward = places[-1, 0] - places[0, 0], places[0, -1] - places[0, 0]
        assert to_right[abs(right) - 1] == np.sign(right)
        assert upward[abs(up) - 1] == np.sign(up)
        outward = np.zeros(3)
        outward[axis] = 2 * end - 1
        np.testing.assert_allclose(np.cross(to_right, upward), outward, atol=1e-6)
    assert len(cube.quads) == 6 * n * n
    assert set(cube.quads.ravel()) == set(range(len(cube.vertices)))


def test_a_cube_of_one_quad_a_side_is_refused() -> None:
    with pytest.raises(ValueError, match="2 or more"):
        make("chair", 0).cubes(1)


def test_cubes_are_closed_on_their_parts_and_share_one_template(shapes: list[Shape]) -> None:
    for shape in shapes:
        cubes = shape.cubes(8)
        assert cubes.vertices.shape == (len(shape.parts), 386, 3)
        assert cubes.names == tuple(part.name for part in shape.parts)
        for i, part in enumerate(shape.parts):
            mesh = closed(cubes.mesh(i))
            assert np.abs(part.solid.sdf(cubes.vertices[i])).max() < 5e-4
            whole = part.solid.mesh()
            volume = trimesh.Trimesh(whole.vertices, whole.faces, process=False).volume
            assert 0.8 * volume < mesh.volume < 1.1 * volume, (shape.category, shape.seed, part.name)


def test_quads_of_cubes_face_outward_and_none_vanishes(shapes: list[Shape]) -> None:
    for shape in shapes:
        cubes = shape.cubes(8)
        for i, part in enumerate(shape.parts):
            quads = cubes.vertices[i][cubes.template.quads].astype(float)
            normals = np.cross(quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1])
            areas = np.linalg.norm(normals, axis=1)
            assert areas.min() > 1e-3 * areas.mean(), (shape.category, shape.seed, part.name)
            outward = settled(part.solid, quads.mean(1).astype(np.float32)).normals
            wrong = (normals * outward).sum(1) < 0
            assert wrong.mean() < 0.04, (shape.category, shape.seed, part.name)


@pytest.mark.parametrize(
    "solid",
    [
        Box(Frame.at(0.05, 0, 0.1).turned("x", 0.2), (0.2, 0.1, 0.15), 0.02),
        Cone(Frame.at(z=0.1).turned("y", 0.3), 0.1, 0.06, 0.2, 0.015),
        Rod(Frame.at().turned("x", 0.5), 0.03, 0.05, 0.3),
        Arc(Frame.at().turned("x", 1.2), 0.2, 2.0, 0.03),
        Slab(Frame.at(z=0.1), Bow(0.2, 2.0, 0.03), 0.1, 0.014),
    ],
    ids=lambda solid: type(solid).__name__,
)
def test_cube_faces_look_along_the_axes_of_the_shape(solid: Solid) -> None:
    cubes = of(solid).cubes(8)
    middles = cubes.vertices[0][cubes.template.patches].mean((1, 2))
    axes = middles[1::2] - middles[::2]
    likeness = np.trace(axes / np.linalg.norm(axes, axis=1, keepdims=True))
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            turn = np.eye(3)[list(order)] * np.array(signs)[:, None]
            if np.linalg.det(turn) > 0:
                other = turn @ axes
                assert np.trace(other / np.linalg.norm(other, axis=1, keepdims=True)) < likeness + 2e-3


def test_the_upper_face_of_a_seat_is_plus_z() -> None:
    for seed in range(4):
        shape = make("chair", seed)
        index = next(i for i, part in enumerate(shape.parts) if part.label == "seat")
        cubes = shape.cubes(4)
        inner = cubes.vertices[index][cubes.template.patches[5, 1:-1, 1:-1]]
        assert inner[..., 2].mean() > shape.parts[index].solid.bounds().mean(0)[2]


# Programs


def test_oriented_boxes_just_enclose_their_parts(shapes: list[Shape]) -> None:
    for shape in shapes:
        for part in shape.parts:
            box = oriented_box(part.solid)
            np.testing.assert_allclose(box.axes @ box.axes.T, np.eye(3), atol=1e-9)
            assert np.linalg.det(box.axes) == pytest.approx(1)
            local = (part.solid.mesh().vertices - box.centre) @ box.axes
            np.testing.assert_allclose(np.abs(local).max(0), box.dims / 2, atol=1e-5)


def test_executed_programs_give_back_the_boxes_of_the_parts(shapes: list[Shape]) -> None:
    for shape in shapes:
        program = shape.program()
        assert parse(to_text(program)) == program
        wanted = [oriented_box(part.solid) for part in shape.parts]
        found = execute(program)
        assert len(found) == len(wanted)
        apart = np.array([[unlike(a.corners(), b.corners()) for b in wanted] for a in found])
        rows, columns = linear_sum_assignment(apart)
        assert apart[rows, columns].max() < 2e-3, (shape.category, shape.seed)


def test_every_cuboid_is_attached_to_one_before_it(shapes: list[Shape]) -> None:
    for shape in shapes:
        program = shape.program()
        attached = {line.moved for line in program.lines if isinstance(line, Attach)}
        assert {cuboid.name for cuboid in program.cuboids} == attached
        low, high = shape.bounds()
        np.testing.assert_allclose(program.bbox.dims, (high - low)[[0, 2, 1]], atol=1e-6)


def test_mirrored_legs_are_reflected_and_rows_are_translated() -> None:
    seat = Slab(Frame.at(z=0.0), Bow(0.4, 0.6, 0.03), 0.05, 0.01)
    legs = [bar((x, -0.2, -0.4), (x * 0.8, -0.1, 0.0), 0.05, 0.05) for x in (-0.2, 0.2)]
    slats = [Box(Frame.at(x, 0.1, 0.2), (0.02, 0.02, 0.2), 0.01) for x in (-0.3, -0.15, 0.0, 0.15, 0.3)]
    parts = [Part("seat", seat), *(Part("leg", leg) for leg in legs), *(Part("slat", slat) for slat in slats)]
    lines = Shape("chair", 0, {}, tuple(parts)).program().lines
    rows = [line for line in lines if isinstance(line, Translate)]
    mirrored = [line for line in lines if isinstance(line, Reflect)]
    assert [(row.axis, row.copies) for row in rows] == [("X", 4)]
    assert [(line.name, line.axis) for line in mirrored] == [("right_leg", "X")]


def test_a_turned_bar_keeps_its_roll() -> None:
    first, second = Frame.at(0.1, 0.05, 0.1).turned("x", 0.5).turned("y", 0.4).turned("z", 0.3), Frame.at(z=-0.2)
    shape = of(Box(second, (0.3, 0.2, 0.1), 0.01), Box(first, (0.05, 0.02, 0.3), 0.005))
    found = {box.name: box for box in execute(shape.program())}
    for part in shape.parts:
        assert unlike(found[part.name.replace(" ", "_")].corners(), oriented_box(part.solid).corners()) < 1e-6


# Low poly


def test_lowpoly_meshes_are_closed_and_within_their_budget(shapes: list[Shape]) -> None:
    for shape, most in itertools.product(shapes, (40, 100)):
        low = shape.lowpoly(most)
        assert 8 <= len(low.vertices) <= most
        assert len(np.unique(low.vertices.round(5), axis=0)) == len(low.vertices)
        assert set(np.concatenate(low.polygons)) == set(range(len(low.vertices)))
        closed(low.mesh())
        for owner in np.unique(low.owners):
            mine = [polygon for polygon, part in zip(low.polygons, low.owners, strict=True) if part == owner]
            edges = [(int(a), int(b)) for p in mine for a, b in zip(p, np.roll(p, -1), strict=True)]
            assert len(set(edges)) == len(edges)
            assert set(edges) == {(b, a) for a, b in edges}
        assert all(len(polygon) >= 4 for polygon in low.polygons)


def test_lowpoly_keeps_what_makes_the_shape(shapes: list[Shape]) -> None:
    for shape in shapes:
        low = shape.lowpoly()
        mesh = low.mesh()
        points, _ = shape.surface(400)
        squared, _, _ = igl.point_mesh_squared_distance(
            np.asfortranarray(points, dtype=float),
            np.asfortranarray(mesh.vertices, dtype=float),
            np.asfortranarray(mesh.faces, dtype=np.int64),
        )
        whole = len(np.unique(low.owners)) == len(shape.parts)
        assert np.sqrt(squared).mean() < (0.02 if whole else 0.045), (shape.category, shape.seed)
        wanted = np.ptp(shape.bounds(), axis=0)
        assert np.abs(np.ptp(mesh.vertices, axis=0) - wanted).max() < (0.06 if whole else 0.2)


def test_lowpoly_polygons_are_nearly_flat(shapes: list[Shape]) -> None:
    for shape in shapes:
        low = shape.lowpoly()
        for polygon in low.polygons:
            centred = low.vertices[polygon].astype(float)
            centred -= centred.mean(0)
            assert np.linalg.svd(centred)[1][2] < 0.1 * np.linalg.svd(centred)[1][0] + 1e-6


def test_long_rows_are_thinned_and_large_parts_stay() -> None:
    slats = [Box(Frame.at(0.05 * k - 0.4, 0.1, 0.2), (0.012, 0.012, 0.2), 0.002) for k in range(17)]
    seat = Box(Frame.at(), (0.42, 0.2, 0.03), 0.01)
    parts = (Part("seat", seat), *(Part("slat", slat) for slat in slats))
    low = Shape("chair", 0, {}, parts).lowpoly()
    kept = sorted(set(low.owners))
    assert kept == [0, *range(1, 18, 2)]


def test_a_budget_below_a_box_is_refused() -> None:
    with pytest.raises(ValueError, match="8"):
        make("table", 0).lowpoly(7)


def test_a_bent_polygon_is_cut_into_triangles_inside_it() -> None:
    outline = np.array([[0, 0], [3, 0], [3, 1], [1, 1], [1, 2], [3, 2], [3, 3], [0, 3]], float)
    vertices = np.c_[outline, np.zeros(8)]
    triangles = np.array(triangulated(vertices, np.arange(8)))
    assert triangles.shape == (6, 3)
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    areas = np.cross(b - a, c - a)[:, 2] / 2
    assert np.all(areas > 0)
    assert areas.sum() == pytest.approx(7)


# Textures


def test_pictures_meet_at_the_edges_of_the_cube(shapes: list[Shape]) -> None:
    for shape in shapes[:2]:
        textured = shape.textured(17, 4)
        assert textured.pictures.shape == (len(shape.parts), 6, 17, 17, 4)
        assert textured.pictures.dtype == np.uint8
        # Every fourth texel lies on a vertex of the patch, which up to three faces share.
        values = textured.pictures[:, :, ::-1][:, :, ::4, ::4].transpose(0, 1, 3, 2, 4).astype(int)
        patches = textured.cubes.template.patches
        for vertex in np.unique(patches[:, [0, -1]]):
            same = values[:, patches == vertex]
            assert np.abs(same - same[:, :1]).max() <= 1


def test_pictures_depend_on_the_seed_alone() -> None:
    first, again, other = make("chair", 2).textured(16), make("chair", 2).textured(16), make("chair", 5).textured(16)
    assert np.array_equal(first.pictures, again.pictures)
    assert first.materials != other.materials


def test_equal_members_are_of_one_material_and_shapes_differ() -> None:
    looks = set()
    for seed in range(12):
        shape = make("chair", seed)
        found = materials(shape)
        legs = {material for part, material in zip(shape.parts, found, strict=True) if part.label == "leg"}
        assert len(legs) <= 1
        looks.add(found[0])
    assert len(looks) > 8


def test_alpha_cuts_holes_through_some_panels_and_nothing_else() -> None:
    cut = 0
    for seed in range(60):
        shape = make("chair", seed)
        holes = [material.holes for material in materials(shape)]
        if not any(holes):
            continue
        pictures = shape.textured(32).pictures
        assert set(np.unique(pictures[..., 3])) <= {0, 255}
        for picture, hole in zip(pictures, holes, strict=True):
            assert (picture[..., 3] == 0).any() == hole
            # What is cut out of one face is cut out of the opposite one.
            share = (picture[..., 3] == 0).mean((1, 2))
            assert sorted(share)[:4] == [0, 0, 0, 0]
            assert abs(np.subtract(*sorted(share)[4:])) < 1e-9
            cut += hole
        if cut:
            break
    assert cut


def test_the_atlas_shows_at_each_vertex_what_its_face_shows() -> None:
    textured = make("table", 3).textured(9, 4)
    found, atlas = textured.unwrapped(0), textured.atlas(0)
    assert atlas.shape == (18, 27, 4)
    assert found.uv.min() > 0
    assert found.uv.max() < 1
    column = (found.uv[:, 0] * 27).astype(int)
    row = ((1 - found.uv[:, 1]) * 18).astype(int)
    wanted = textured.pictures[0, :, ::-1][:, ::2, ::2].transpose(0, 2, 1, 3).reshape(-1, 4)
    assert np.array_equal(atlas[row, column], wanted)
    assert np.array_equal(found.mesh.vertices, textured.cubes.vertices[0][textured.cubes.template.patches.reshape(-1)])


# Words, registered members, files


def test_words_and_label_are_those_of_the_catalogue(shapes: list[Shape]) -> None:
    from gen3d_core.data.catalogue import words

    for shape in shapes:
        assert shape.category in CATEGORIES
        assert shape.sentence() == words.sentence(shape)
        assert shape.attributes() == words.attributes(shape)


def test_only_creatures_are_registered(shapes: list[Shape]) -> None:
    for shape in shapes:
        if shape.category != "creature":
            with pytest.raises(ValueError, match="only creatures"):
                shape.registered()
            continue
        found = shape.registered()
        closed(Mesh(found.vertices, found.faces))
        assert found.landmarks


def test_all_files_of_a_shape_can_be_read_back(tmp_path: Path) -> None:
    shape = make("chair", 1)
    values = write_all(shape, tmp_path / "chair one", resolution=16, points=64, views=2, size=24)
    folder = tmp_path / "chair one"
    low, high = shape.bounds()
    for name in ("mesh.glb", "parts.glb", "textured.glb"):
        scene = trimesh.load_scene(folder / name)
        # glTF has +Y up and +Z front.
        np.testing.assert_allclose(scene.bounds[0], [low[0], low[2], -high[1]], atol=6e-3)
        np.testing.assert_allclose(scene.bounds[1], [high[0], high[2], -low[1]], atol=6e-3)
    assert set(trimesh.load_scene(folder / "parts.glb").geometry) == {part.name for part in shape.parts}
    textured = trimesh.load_scene(folder / "textured.glb").geometry
    assert {mesh.visual.material.alphaMode for mesh in textured.values()} == {"MASK"}
    raw = (folder / "points.ply").read_bytes().split(b"end_header\n")[1]
    points = np.frombuffer(raw, "<f4").reshape(64, 6)
    assert np.array_equal(points[:, :3], shape.surface(64)[0])
    grids = np.load(folder / "grids.npz")
    assert np.array_equal(grids["voxels"], shape.voxels(16))
    assert grids["sample_points"].shape == (128, 3)
    cubes = np.load(folder / "cubes.npz")
    assert cubes["vertices"].shape == (len(shape.parts), 386, 3)
    assert cubes["names"].tolist() == [part.name for part in shape.parts]
    assert parse((folder / "program.txt").read_text()) == shape.program()
    lines = (folder / "lowpoly.obj").read_text().splitlines()
    polygons = shape.lowpoly().polygons
    assert [len(line.split()) - 1 for line in lines if line.startswith("f ")] == [len(p) for p in polygons]
    frames = json.loads((folder / "views" / "transforms.json").read_text())["frames"]
    views = shape.views(2, 24)
    for frame, view in zip(frames, views, strict=True):
        np.testing.assert_allclose(Camera.from_dict(frame).pose, view.camera.pose)
        with Image.open(folder / "views" / frame["file_path"]) as picture:
            assert np.array_equal(np.asarray(picture), view.rgba())
    written = json.loads((folder / "shape.json").read_text())
    assert written["sentence"] == values["sentence"] == shape.sentence()
    assert [part["name"] for part in written["parts"]] == [part.name for part in shape.parts]


def test_the_command_writes_draws_and_measures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--resolution", "16", "--points", "32", "--views", "1", "--size", "24"]
    out, sheet = tmp_path / "out", tmp_path / "sheet.png"
    assert main(["data", "catalogue", "table", "1", "2", "--out", str(out), "--sheet", str(sheet), *sizes]) == 0
    assert (out / "table-1" / "mesh.glb").is_file()
    assert (out / "table-2" / "shape.json").is_file()
    with Image.open(sheet) as picture:
        assert picture.size[0] == 48
    assert make("table", 2).sentence() in capsys.readouterr().out
    assert main(["data", "catalogue", "table", "1", "--speed", "--json", *sizes]) == 0
    speed = json.loads(capsys.readouterr().out)["speed"]["table"]
    assert speed["made, with closed union mesh"] > 0
    assert set(speed) >= {"deformed cubes", "cuboid program", "low-poly mesh", "sentence"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["sofa", "--speed"], "sofa"), (["chair", "-1", "--speed"], "negative"), (["chair", "1"], "Nothing was asked")],
)
def test_impossible_wishes_are_explained(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "catalogue", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_without_manifold3d_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from gen3d_core.errors import EngineError

    monkeypatch.setitem(sys.modules, "manifold3d", None)
    with pytest.raises(EngineError, match="pip install manifold3d"):
        make("table", 0).mesh()
