"""Variations of assets by geometry."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from gen3d_core.data import catalogue
from gen3d_core.data.augmentation import Augmentation, augmented
from gen3d_core.data.grids import Grid
from gen3d_core.data.solid import Solid
from gen3d_core.errors import BadRequest
from gen3d_core.representations import Mesh

PLAIN = Augmentation(mirror=False, scale=0.0, bend=0.0)


def step() -> Mesh:
    """Two boxes, the higher one at the right (+X) and at the back (+Y): no symmetry."""
    low = trimesh.creation.box(extents=(0.9, 0.6, 0.2)).apply_translation((0, 0, -0.3))
    high = trimesh.creation.box(extents=(0.3, 0.2, 0.6)).apply_translation((0.3, 0.2, 0.1))
    both = trimesh.util.concatenate([low, high])
    return Mesh(np.asarray(both.vertices, np.float32), np.asarray(both.faces, np.int32))


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(float) for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def test_nothing_changes_without_changes() -> None:
    mesh = step()
    same = PLAIN.apply(mesh, generator(0))
    assert np.array_equal(same.faces, mesh.faces)
    centred = mesh.vertices - (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    assert same.vertices == pytest.approx(centred, abs=1e-6)


def test_variations_are_fitted_face_out_and_depend_on_the_seed_alone() -> None:
    mesh, everything = step(), Augmentation(rotate=True, scale=0.2, bend=0.2)
    volumes = set()
    for seed in range(12):
        changed = everything.apply(mesh, generator(seed))
        assert np.ptp(changed.vertices, axis=0).max() == pytest.approx(0.9, abs=1e-5)
        assert changed.vertices.max(0) == pytest.approx(-changed.vertices.min(0), abs=1e-5)
        assert volume(changed) > 0
        assert np.array_equal(changed.vertices, everything.apply(mesh, generator(seed)).vertices)
        volumes.add(round(volume(changed), 5))
    assert len(volumes) == 12


def test_half_of_the_variations_are_mirrored_left_to_right() -> None:
    mesh = step()
    mirrored = Augmentation(scale=0.0, bend=0.0)
    sides = [mirrored.apply(mesh, generator(seed)) for seed in range(60)]
    right = np.array([one.vertices[one.vertices[:, 2] > 0.3][:, 0].mean() > 0 for one in sides])
    back = np.array([one.vertices[one.vertices[:, 2] > 0.3][:, 1].mean() > 0 for one in sides])
    assert back.all()
    assert 15 <= right.sum() <= 45
    assert all(volume(one) == pytest.approx(volume(mesh), rel=1e-4) for one in sides)


def test_the_front_stays_unless_asked_to_turn() -> None:
    mesh = step()

    def angle(augmentation: Augmentation, seed: int) -> float:
        changed = augmentation.apply(mesh, generator(seed))
        top = changed.vertices[changed.vertices[:, 2] > 0.3].mean(0)
        return float(np.arctan2(top[1], top[0]))

    still = Augmentation(mirror=False, scale=0.0, bend=0.0)
    turning = Augmentation(rotate=True, mirror=False, scale=0.0, bend=0.0)
    assert len({round(angle(still, seed), 4) for seed in range(8)}) == 1
    found = np.array([angle(turning, seed) for seed in range(40)])
    assert np.histogram(found, 4, (-np.pi, np.pi))[0].min() > 2


def test_a_turn_keeps_the_shape() -> None:
    box = trimesh.creation.box(extents=(0.2, 0.2, 0.9))
    mesh = Mesh(np.asarray(box.vertices, np.float32), np.asarray(box.faces, np.int32))
    changed = Augmentation(rotate=True, mirror=False, scale=0.0, bend=0.0).apply(mesh, generator(3))
    assert volume(changed) == pytest.approx(volume(mesh), rel=1e-4)
    assert np.ptp(changed.vertices[:, 2]) == pytest.approx(0.9, abs=1e-6)


def test_a_bend_leaves_the_floor_and_leans_the_top_by_its_share() -> None:
    box = trimesh.creation.box(extents=(0.2, 0.2, 0.9))
    mesh = Mesh(np.asarray(box.vertices, np.float32), np.asarray(box.faces, np.int32))
    leans = []
    for seed in range(30):
        changed = Augmentation(mirror=False, scale=0.0, bend=0.1).apply(mesh, generator(seed)).vertices
        low, high = changed[changed[:, 2] < 0], changed[changed[:, 2] > 0]
        assert np.ptp(low[:, :2], axis=0) == pytest.approx(0.2, abs=1e-5)
        leans.append(np.linalg.norm(high.mean(0)[:2] - low.mean(0)[:2]) / 0.9)
    assert max(leans) <= 0.1 + 1e-6
    assert max(leans) > 0.07
    assert min(leans) < 0.03


def test_proportions_change_within_their_range() -> None:
    mesh = step()
    before = np.ptp(mesh.vertices, axis=0)
    ratios = []
    for seed in range(40):
        after = np.ptp(Augmentation(mirror=False, scale=0.1, bend=0.0).apply(mesh, generator(seed)).vertices, axis=0)
        factors = np.log(after / before)
        ratios.append(np.ptp(factors))
    assert max(ratios) <= 0.2 + 1e-5
    assert max(ratios) > 0.1


def test_a_solid_varies_as_its_mesh_does() -> None:
    solid = Solid(step())
    augmentation = Augmentation(rotate=True, scale=0.1)
    for seed in range(4):
        changed = augmented(solid, augmentation, seed)
        assert isinstance(changed, Solid)
        expected = Solid(augmentation.apply(solid.mesh, generator(seed)))
        assert (changed.voxels(32) != expected.voxels(32)).mean() < 1e-3
        assert changed.thinnest == solid.thinnest
    assert np.array_equal(augmented(solid, augmentation, 3).voxels(16), augmented(solid, augmentation, 3).voxels(16))


def test_a_grid_becomes_a_solid_and_a_catalogue_shape_stays() -> None:
    cells = np.zeros((16,) * 3, bool)
    cells[2:14, 4:12, 6:9] = True
    changed = augmented(Grid(cells), PLAIN, 0)
    assert isinstance(changed, Solid)
    assert np.ptp(changed.mesh.vertices, axis=0).max() == pytest.approx(0.9, abs=1e-5)
    shape = catalogue.make("chair", 0)
    assert augmented(shape, Augmentation(), 1) is shape


@pytest.mark.parametrize("values", [{"scale": -0.1}, {"bend": 1.5}, {"scale": float("nan")}])
def test_changes_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(BadRequest, match="expected 0 to 1"):
        Augmentation(**values)  # type: ignore[arg-type]
