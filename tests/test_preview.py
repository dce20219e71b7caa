"""Pictures of meshes: what they show, from where, and in what light."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gen3d_core import preview
from gen3d_core.data import catalogue
from gen3d_core.errors import EngineError
from gen3d_core.preview import CLAY
from gen3d_core.representations import Field, Mesh, MeshOptions

PAPER = np.round(np.array(CLAY.paper) * 255).astype(np.uint8)
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32) / 2
SIDES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]),
        *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
    ],
    np.int32,
)
UNIT = np.array([[-0.5] * 3, [0.5] * 3], np.float32)


def box(centre: tuple[float, float, float], size: tuple[float, float, float]) -> Mesh:
    return Mesh((CORNERS * np.float32(size) + np.float32(centre)).astype(np.float32), SIDES)


def joined(*meshes: Mesh) -> Mesh:
    firsts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    faces = np.concatenate([mesh.faces + first for mesh, first in zip(meshes, firsts, strict=True)])
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), faces.astype(np.int32))


def ball(radius: float, resolution: int = 48) -> Mesh:
    return Field(lambda p: p.norm(dim=1) - radius).to_mesh(MeshOptions(resolution))


def clay(image: np.ndarray) -> np.ndarray:
    """Pixels that show the material, not the neutral ground: it is much less blue than red."""
    return image[..., 0].astype(int) - image[..., 2] > 10


def chair(seed: int) -> Mesh:
    return joined(*(Mesh(part.vertices, part.faces) for part in catalogue.make("chair", seed).parts_mesh()))


def test_a_picture_has_its_size_and_is_the_same_every_time() -> None:
    mesh = chair(3)
    image = preview.render(mesh, 80)
    assert (image.shape, image.dtype) == ((80, 80, 3), np.uint8)
    assert np.array_equal(image, preview.render(mesh, 80))


def test_a_ball_appears_as_a_disc_of_the_right_size_in_the_middle() -> None:
    seen = clay(preview.render(ball(0.4), 120))
    radius = 120 / 2 * CLAY.fill
    assert seen.sum() == pytest.approx(np.pi * radius**2, rel=0.03)
    rows, columns = np.nonzero(seen)
    assert rows.mean() == pytest.approx(59.5, abs=0.5)
    assert columns.mean() == pytest.approx(59.5, abs=0.5)


def test_every_shape_fills_the_picture_and_stays_inside() -> None:
    for mesh in (box((0.3, -0.2, 0.1), (0.1, 0.9, 0.1)), box((0, 0, 0), (0.02, 0.02, 2)), chair(12)):
        rows, columns = np.nonzero(clay(preview.render(mesh, 100)))
        extent = max(np.ptp(rows), np.ptp(columns)) + 1
        assert extent == pytest.approx(100 * CLAY.fill, abs=2)
        assert min(rows.min(), columns.min(), 99 - rows.max(), 99 - columns.max()) >= 6


def test_the_camera_stands_at_the_front_to_the_left_and_above() -> None:
    small = 0.24
    block = box((0, 0, 0), (0.5, 0.5, 0.5))
    alone = preview.render(block, 90, bounds=UNIT).astype(int)

    def change(x: float, y: float, z: float) -> float:
        image = preview.render(joined(block, box((x, y, z), (small,) * 3)), 90, bounds=UNIT).astype(int)
        return float((abs(image - alone).max(-1) > 25).mean())

    for nearer, farther in (((0, -1), (0, 1)), ((-1, 0), (1, 0))):
        front, back = (change(0.37 * x, 0.37 * y, -0.13) for x, y in (nearer, farther))
        assert front > 2 * back
    assert change(0, 0, 0.37) > 2 * change(0, 0, -0.37)


def test_light_comes_from_above_and_the_front() -> None:
    image = preview.render(box((0, 0, 0), (0.5, 0.5, 0.5)), 100).astype(int).sum(-1)
    # From this camera the left side is left of the middle, and the front lies to the right of it.
    top, front, left = image[25, 50], image[62, 66], image[62, 22]
    assert top > front > left


def test_a_shape_shades_the_ground_beside_it_and_not_the_border() -> None:
    image = preview.render(box((0, 0, -0.2), (0.4, 0.4, 0.4)), 120, bounds=UNIT)
    for border in (image[0], image[-1], image[:, 0], image[:, -1]):
        assert abs(border.astype(int) - PAPER).max() <= 2
    ground = ~clay(image)
    assert image[ground].astype(int).sum(-1).min() < PAPER.astype(int).sum() - 120


def test_a_floating_shape_leaves_the_ground_brighter_than_a_standing_one() -> None:
    standing, floating = (preview.render(box((0, 0, z), (0.5, 0.5, 0.1)), 90, bounds=UNIT) for z in (-0.44, 0.2))
    darkest = [image[~clay(image)].astype(int).sum(-1).min() for image in (standing, floating)]
    assert darkest[0] < darkest[1] - 60


def test_corners_between_walls_are_darker() -> None:
    floor = box((0, 0, -0.05), (1, 1, 0.1))
    walls = joined(floor, box((0, 0.475, 0.25), (1, 0.05, 0.6)), box((0.475, 0, 0.25), (0.05, 1, 0.6)))
    bounds = np.array([[-0.5, -0.5, -0.1], [0.5, 0.5, 0.55]], np.float32)
    change = preview.render(floor, 100, bounds=bounds).astype(int) - preview.render(walls, 100, bounds=bounds)
    seen = change.sum(-1)[clay(preview.render(floor, 100, bounds=bounds))]
    assert np.quantile(seen, 0.9) > 60 > np.quantile(seen, 0.1)


def test_one_looks_through_a_hole() -> None:
    upright = [box((x, 0, 0), (0.1, 0.1, 1)) for x in (-0.45, 0.45)]
    level = [box((0, 0, z), (0.8, 0.1, 0.1)) for z in (-0.45, 0.45)]
    seen = clay(preview.render(joined(*upright, *level), 90))
    assert not seen[45, 45]
    assert seen[45, :45].any()
    assert seen[45, 45:].any()


def test_edges_are_smooth() -> None:
    image = preview.render(box((0, 0, 0), (0.1, 0.1, 1)), 64).astype(int)
    upright = image[24:40].sum(-1)
    between = (upright < PAPER.astype(int).sum() - 30) & (upright > upright[:, 32].max() + 10)
    assert between.any()


def test_wrong_winding_changes_nothing() -> None:
    mesh = chair(7)
    inside_out = Mesh(mesh.vertices, mesh.faces[:, ::-1])
    difference = abs(preview.render(mesh, 64).astype(int) - preview.render(inside_out, 64))
    assert difference.mean() < 0.1


def test_normals_are_flat_at_creases() -> None:
    normals = preview._corner_normals(box((0, 0, 0), (1, 1, 1)), np.arange(12), 38.0)
    axes = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])
    assert normals == pytest.approx(np.repeat(axes, 2, axis=0)[:, None].repeat(3, 1), abs=1e-6)


def test_normals_are_round_on_a_ball_also_where_vertices_are_split() -> None:
    mesh = ball(0.4)
    some = np.arange(0, len(mesh.faces), 7)
    normals = preview._corner_normals(mesh, some, 38.0)
    corners = mesh.vertices[mesh.faces[some]]
    radial = corners / np.linalg.norm(corners, axis=-1, keepdims=True)
    assert (normals * radial).sum(-1).min() > np.cos(np.radians(4))
    count = len(mesh.faces)
    split = Mesh(mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(count * 3, dtype=np.int32).reshape(-1, 3))
    assert preview._corner_normals(split, some, 38.0) == pytest.approx(normals, abs=1e-5)


def test_normals_of_a_large_fan_and_of_faces_without_area_are_finite() -> None:
    count = preview.LARGEST_FAN + 50
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    rim = np.stack([np.cos(angle), np.sin(angle), np.zeros(count)], 1)
    vertices = np.concatenate([[[0, 0, 0]], rim]).astype(np.float32)
    step = np.arange(count)
    fan = np.stack([np.zeros(count), 1 + step, 1 + (step + 1) % count], 1).astype(np.int32)
    flat = Mesh(vertices, np.concatenate([fan, np.int32([[0, 1, 1]])]))
    normals = preview._corner_normals(flat, np.arange(len(flat.faces)), 38.0)
    assert normals[:-1] == pytest.approx(np.broadcast_to([0, 0, 1], (count, 3, 3)))
    assert np.isfinite(normals).all()


def test_directions_are_spread_as_they_should() -> None:
    dome = np.concatenate([preview._hemisphere(12, k, 9) for k in range(9)])
    assert np.linalg.norm(dome, axis=1) == pytest.approx(np.ones(108), abs=1e-6)
    # Dense as the cosine: the mean height is 2/3, and no side is preferred.
    assert dome.mean(0) == pytest.approx([0, 0, 2 / 3], abs=0.01)
    cone = preview._cone(9.0, 48)
    assert cone[:, 2].min() >= np.cos(np.radians(9)) - 1e-6
    axes = np.array([[0, 0, 1], [0, 0, -1], [0.6, 0, 0.8], [0, -0.6, -0.8]], np.float32)
    turned = preview._around(axes, dome)
    assert np.einsum("nkd,nd->nk", turned, axes) == pytest.approx(np.tile(dome[:, 2], (4, 1)), abs=1e-5)
    assert np.linalg.norm(turned, axis=-1) == pytest.approx(np.ones((4, 108)), abs=1e-5)


def test_a_sheet_has_its_tiles_row_by_row() -> None:
    meshes = [chair(1), ball(0.3), chair(2)]
    fractions: list[float] = []
    image = preview.sheet(meshes, 2, 48, on_progress=fractions.append)
    assert image.shape == (96, 96, 3)
    assert np.array_equal(image[:48, 48:], preview.render(meshes[1], 48))
    assert np.array_equal(image[48:, :48], preview.render(meshes[2], 48))
    assert (image[48:, 48:] == PAPER).all()
    assert fractions == [0, 1 / 3, 2 / 3, 1]


def test_captions_stand_below_their_tiles() -> None:
    meshes = [ball(0.3, 16), ball(0.4, 16)]
    image = preview.sheet(meshes, 2, 60, ["seed 1", "a caption that is far too long for its tile"])
    plain = preview.sheet(meshes, 2, 60)
    assert image.shape[0] > 60
    assert np.array_equal(image[:60], plain)
    band = (image[60:] != PAPER).any(-1)
    assert band[:, :60].any()
    assert band[:, 60:].any()
    assert not band[:, 59:61].any()
    assert band[:, :60].sum() < band[:, 60:].sum()


def test_one_scale_keeps_sizes_and_otherwise_each_fills_its_tile() -> None:
    meshes = [ball(0.2), ball(0.4)]
    small, large = np.split(preview.sheet(meshes, 2, 80, one_scale=True), 2, axis=1)
    assert clay(large).sum() / clay(small).sum() == pytest.approx(4, rel=0.1)
    small, large = np.split(preview.sheet(meshes, 2, 80), 2, axis=1)
    assert clay(large).sum() / clay(small).sum() == pytest.approx(1, rel=0.05)


def test_an_impossible_sheet_is_refused() -> None:
    for meshes, columns, captions in (([], 1, None), ([ball(0.3, 16)], 0, None), ([ball(0.3, 16)], 1, ["a", "b"])):
        with pytest.raises(ValueError, match="expected"):
            preview.sheet(meshes, columns, 16, captions)


def test_a_picture_survives_its_file(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    path = tmp_path / "preview.png"
    for _ in range(2):
        preview.save_png(path, image)
        with Image.open(path) as read:
            assert np.array_equal(np.asarray(read), image)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "preview.png"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        preview.save_png(path, np.zeros((4, 4, 5), np.uint8))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_without_embreex_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embreex.rtcore_scene", None)
    with pytest.raises(EngineError, match="pip install embreex"):
        preview.render(ball(0.3, 16), 16)


def test_a_mesh_far_from_the_origin_and_of_any_size_looks_the_same() -> None:
    mesh = ball(0.4, 24)
    moved = Mesh((mesh.vertices * 40 + np.float32([100, -50, 20])).astype(np.float32), mesh.faces)
    difference = abs(preview.render(mesh, 48).astype(int) - preview.render(moved, 48))
    assert difference.mean() < 0.5


def test_torch_settings_are_left_alone() -> None:
    state = torch.random.get_rng_state()
    preview.render(ball(0.3, 16), 16)
    assert torch.equal(state, torch.random.get_rng_state())
