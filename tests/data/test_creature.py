"""Creatures: solids without holes, thin but visible limbs, and one template that fits them all."""

from __future__ import annotations

from dataclasses import asdict, fields

import numpy as np
import pytest
import trimesh
from scipy.spatial import KDTree
from skimage.measure import label, marching_cubes

from gen3d_core.data.catalogue import Shape, creature, make
from gen3d_core.data.catalogue.animals import COMMON
from gen3d_core.data.catalogue.cage import LIMBS, MARKS, cage
from gen3d_core.data.catalogue.members import Draw, fit
from gen3d_core.data.catalogue.shape import generator

#: Of all tests, and of quick ones.
SEEDS, FEW = range(16), range(4)


def drawn(seed: int) -> creature.Creature:
    return creature.sample(Draw(generator("catalogue creature", seed)))


@pytest.fixture(
    scope="module", params=[pytest.param(FEW, id="few"), pytest.param(SEEDS, id="all", marks=pytest.mark.slow)]
)
def shapes(request: pytest.FixtureRequest) -> list[Shape]:
    found = []
    for seed in request.param:
        design, parts = fit(drawn(seed), creature.LENGTHS, creature.build)
        found.append(Shape("creature", seed, asdict(design), tuple(parts)))
    return found


@pytest.fixture(scope="module")
def wraps(shapes: list[Shape]) -> list[tuple[Shape, creature.Registered]]:
    return [(shape, creature.registered(shape)) for shape in shapes[:8]]


def test_every_value_is_documented_and_has_limits_in_every_kind() -> None:
    names = {field.name for field in fields(creature.Creature)}
    text = creature.Creature.__doc__ or ""
    assert all(name in text for name in names)
    assert set(COMMON) == names - {"kind", "legs"}
    for kind in creature.KINDS.values():
        assert set(kind.ranges) <= set(COMMON)
        assert set(kind.often) <= set(COMMON)
        assert all(low <= high for low, high in kind.ranges.values())
    assert not {"pitch", "ear_angle", "tail_curl", "neck_bend", "kind"} & set(creature.LENGTHS)


@pytest.mark.slow
def test_designs_depend_on_the_seed_alone_and_kinds_vary() -> None:
    assert drawn(5) == drawn(5)
    assert len({drawn(seed).kind for seed in range(40)}) >= 10


def test_shapes_are_one_solid_nine_tenths_long_with_visible_members(shapes: list[Shape]) -> None:
    for shape in shapes:
        low, high = shape.bounds()
        assert (high - low).max() == pytest.approx(0.9, abs=1e-6)
        assert np.asarray(label(shape.voxels(32), connectivity=3)).max() == 1, shape.parameters["kind"]
        assert min(part.solid.thickness for part in shape.parts) >= 0.044
        assert len({part.name for part in shape.parts}) == len(shape.parts)


def test_surfaces_are_deformed_spheres(shapes: list[Shape]) -> None:
    for shape in shapes:
        mesh = shape.mesh()
        surface = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        assert surface.is_watertight
        assert surface.euler_number == 2, (shape.seed, shape.parameters["kind"])


def test_level_sets_have_no_holes_either(shapes: list[Shape]) -> None:
    for shape in shapes[:5]:
        grid = np.pad(shape.sdf_grid(128, 0.05), 1, constant_values=0.05)
        vertices, faces, _, _ = marching_cubes(grid, 0.0)
        pieces = trimesh.Trimesh(vertices, faces, process=False).split(only_watertight=False)
        # In a narrow fold between two limbs, single cells of the grid may be cut off from the outside.
        assert max(pieces, key=lambda piece: len(piece.faces)).euler_number == 2
        assert sorted(len(piece.faces) for piece in pieces)[-2:-1] <= [50]


def test_creatures_stand_on_their_legs_and_look_ahead(shapes: list[Shape]) -> None:
    for shape in shapes:
        ground = shape.bounds()[0, 2]
        feet = [name for name in ("left hind", "right hind", "left fore", "right fore") if "hind" in name]
        feet += ["left fore", "right fore"] if shape.parameters["legs"] == 4 else []
        for name in feet:
            lowest = min(part.solid.bounds()[0, 2] for part in shape.parts if name in part.name)
            assert lowest == pytest.approx(ground, abs=2e-3), (shape.parameters["kind"], name)
        places = {part.name: part.solid.bounds().mean(0) for part in shape.parts}
        assert places["head"][1] < places["hind body"][1]
        lefts = [
            place[0] for name, place in places.items() if "left" in name.split() and shape.parameters["stride"] == 0
        ]
        assert all(x > 0 for x in lefts)


def test_limbs_that_are_not_drawn_are_left_out(shapes: list[Shape]) -> None:
    for shape in shapes:
        found = {part.label for part in shape.parts}
        for limb in ("tail", "snout", "ear", "horn", "wing"):
            assert (float(shape.parameters[limb]) > 0) == (limb in found)
        assert ("arm" in found) == (shape.parameters["legs"] == 2 and float(shape.parameters["arm"]) > 0)


def test_poses_whose_limbs_touch_are_drawn_again() -> None:
    design = drawn(0)
    bones = creature.skeleton(design)
    assert creature._clear(bones)
    left, right = bones.limbs["left hind leg"], bones.limbs["right hind leg"].copy()
    right[-1, :3] = left[-1, :3]
    assert not creature._clear(creature.Skeleton(bones.stem, bones.limbs | {"right hind leg": right}))


# The template


def test_the_template_is_a_sphere_of_moderate_size() -> None:
    net = cage()
    assert 600 <= net.count <= 2600
    assert set(net.faces.ravel()) == set(range(net.count))
    surface = trimesh.Trimesh(np.random.default_rng(0).normal(size=(net.count, 3)), net.faces, process=False)
    assert surface.is_watertight
    assert surface.is_winding_consistent
    assert surface.euler_number == 2


@pytest.mark.slow
def test_all_creatures_share_faces_and_landmarks(wraps: list[tuple[Shape, creature.Registered]]) -> None:
    for _, wrap in wraps:
        assert np.array_equal(wrap.faces, wraps[0][1].faces)
        assert wrap.landmarks == wraps[0][1].landmarks
        assert wrap.vertices.shape == (cage().count, 3)
        assert wrap.vertices.dtype == np.float32
    assert set(wraps[0][1].landmarks) == {*LIMBS, *MARKS}
    assert len(wraps[0][1].landmarks) >= 12


@pytest.mark.slow
def test_wraps_lie_on_the_surface_face_outward_and_hardly_fold(wraps: list[tuple[Shape, creature.Registered]]) -> None:
    folds = []
    for shape, wrap in wraps:
        assert np.quantile(np.abs(shape.sdf(wrap.vertices)), 0.98) < 1e-3
        assert np.abs(shape.sdf(wrap.vertices)).max() < 0.01
        corners = wrap.vertices[wrap.faces].astype(float)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        offsets = 1e-3 * np.array([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
        around = (corners.mean(1)[:, None] + offsets).reshape(-1, 3).astype(np.float32)
        gradient = shape.sdf(around).reshape(-1, 4) @ offsets
        folds.append(((normals * gradient).sum(1) < 0).mean())
        assert np.linalg.norm(normals, axis=1).min() > 0
    assert max(folds) < 0.03
    assert np.mean(folds) < 0.008


def test_wraps_cover_the_whole_surface(wraps: list[tuple[Shape, creature.Registered]]) -> None:
    for shape, wrap in wraps:
        mesh = trimesh.Trimesh(wrap.vertices, wrap.faces, process=False)
        spread = np.asarray(trimesh.sample.sample_surface(mesh, 20_000, seed=1)[0])
        distance, _ = KDTree(spread).query(shape.surface(2000)[0])
        assert np.quantile(distance, 0.95) < 0.015, shape.parameters["kind"]
        assert distance.max() < 0.06, shape.parameters["kind"]
        # Nowhere is the net so wide that a part falls through.
        nearest, _ = KDTree(wrap.vertices).query(shape.surface(2000)[0])
        assert np.quantile(nearest, 0.99) < 0.06, shape.parameters["kind"]


def test_landmarks_mark_the_tips_of_limbs(wraps: list[tuple[Shape, creature.Registered]]) -> None:
    for shape, wrap in wraps:
        bones = creature.skeleton(creature.Creature(**shape.parameters))  # type: ignore[arg-type]
        middle = np.array([part.solid.frame.translation for part in shape.parts])[0] - bones.stem[0, :3]
        for name, joints in bones.limbs.items():
            tip = wrap.vertices[wrap.landmarks[name]]
            end = joints[-1, :3] + middle
            assert np.linalg.norm(tip - end) == pytest.approx(joints[-1, 3], abs=3e-3), (shape.parameters["kind"], name)
        left, right = (wrap.vertices[wrap.landmarks[f"{side} ear"]] for side in ("left", "right"))
        np.testing.assert_allclose(left, right * [-1, 1, 1], atol=0.03)


def test_wrapping_is_repeatable_and_only_for_creatures(wraps: list[tuple[Shape, creature.Registered]]) -> None:
    shape, wrap = wraps[0]
    assert np.array_equal(creature.registered(shape).vertices, wrap.vertices)
    with pytest.raises(ValueError, match="chair"):
        creature.registered(make("chair", 0))
