"""Pictures: what is cut out, where the object lies in the square, and that every kind of asset has pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gen3d_core.data import catalogue, pictures, views
from gen3d_core.data.grids import Grid
from gen3d_core.data.solid import Solid
from gen3d_core.errors import BadRequest
from gen3d_core.preview import Scene
from gen3d_core.representations import Mesh
from gen3d_core.representations.camera import towards_origin

RED = np.array([0.9, 0.1, 0.1], np.float32)


def block(height: int, width: int, rows: slice, columns: slice) -> np.ndarray:
    """A red block on transparent green, with shape (H, W, 4)."""
    picture = np.zeros((height, width, 4), np.float32)
    picture[..., 1] = 1.0
    picture[rows, columns, :3] = RED
    picture[rows, columns, 3] = 1.0
    return picture


def extent(alpha: np.ndarray) -> tuple[float, float, float, float]:
    """Width, height, and how far the middle is off the picture's middle, to the right and down; in pixels."""
    rows, columns = np.flatnonzero((alpha > 0.5).any(1)), np.flatnonzero((alpha > 0.5).any(0))
    width, height = columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
    half = alpha.shape[0] / 2
    return width, height, (columns[0] + columns[-1] + 1) / 2 - half, (rows[0] + rows[-1] + 1) / 2 - half


# The frame


@pytest.mark.parametrize(("rows", "columns"), [(slice(0, 40), slice(110, 130)), (slice(60, 80), slice(3, 163))])
def test_the_object_fills_the_square_but_for_the_margin(rows: slice, columns: slice) -> None:
    given = (columns.stop - columns.start, rows.stop - rows.start)
    found = pictures.framed(block(90, 170, rows, columns), 50)
    assert found.shape == (4, 50, 50)
    assert found.dtype == np.float32
    width, height, right, down = extent(found[3])
    scale = 50 * (1 - 2 * pictures.MARGIN) / max(given)
    assert width == pytest.approx(given[0] * scale, abs=1.01)
    assert height == pytest.approx(given[1] * scale, abs=1.01)
    assert abs(right) <= 0.5
    assert abs(down) <= 0.5


def test_what_is_smaller_than_the_square_is_enlarged() -> None:
    width, height, right, down = extent(pictures.framed(block(8, 8, slice(2, 5), slice(1, 7)), 48)[3])
    assert (width, height) == (pytest.approx(40, abs=2), pytest.approx(20, abs=2))
    assert abs(right) <= 1
    assert abs(down) <= 1


def test_hidden_colours_do_not_bleed_in() -> None:
    found = pictures.framed(block(90, 90, slice(11, 52), slice(20, 57)), 31)
    seen = found[3] > 0.02
    np.testing.assert_allclose(found[:3, seen], np.broadcast_to(RED[:, None], (3, int(seen.sum()))), atol=1e-3)
    assert (found[:3, ~seen] <= 1).all()


def test_an_area_is_averaged_not_picked() -> None:
    # Stripes finer than the pixels become an even half.
    picture = np.zeros((400, 400, 4), np.float32)
    picture[:, ::2, 3] = 1
    alpha = pictures.framed(picture, 20)[3]
    np.testing.assert_allclose(alpha[4:-4, 4:-4], 0.5, atol=0.05)


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(BadRequest, match="transparent"):
        pictures.framed(np.zeros((20, 20, 4), np.float32), 16)


# Cutting out


def photo(background: np.ndarray | tuple[int, int, int]) -> np.ndarray:
    """A dark ring with a knob on a background, with shape (120, 160, 3)."""
    picture = np.zeros((120, 160, 3), np.float32) + np.asarray(background, np.float32)
    y, x = np.mgrid[:120, :160]
    radius = np.hypot(y - 60, x - 70)
    picture[(radius < 40) & (radius > 20)] = (60, 40, 30)
    picture[50:70, 105:130] = (30, 60, 120)
    return picture.round().astype(np.uint8)


def truth() -> np.ndarray:
    y, x = np.mgrid[:120, :160]
    radius = np.hypot(y - 60, x - 70)
    mask = (radius < 40) & (radius > 20)
    mask[50:70, 105:130] = True
    return mask


def test_transparency_is_taken_as_it_is() -> None:
    picture = np.full((6, 5, 4), 200, np.uint8)
    picture[..., 3] = np.arange(30).reshape(6, 5) * 8
    np.testing.assert_allclose(pictures.cut_out(picture), picture / 255, atol=1e-6)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("colour", [(255, 255, 255), (90, 160, 110)])
def test_a_plain_background_goes_with_what_is_seen_through_holes(colour: tuple[int, int, int], channels: int) -> None:
    picture = photo(colour)
    if channels == 4:
        picture = np.concatenate([picture, np.full((120, 160, 1), 255, np.uint8)], axis=2)
    found = pictures.cut_out(picture)
    assert (found[..., 3] > 0.5).sum() == pytest.approx(truth().sum(), rel=0.03)
    assert ((found[..., 3] > 0.5) != truth()).mean() < 0.01
    assert found[60, 70, 3] == 0
    np.testing.assert_allclose(found[60, 120, :3] * 255, (30, 60, 120), atol=0.01)


def test_a_background_may_change_evenly_and_be_noisy() -> None:
    ramp = np.linspace(140, 235, 160)[None, :, None] + np.linspace(0, 15, 120)[:, None, None]
    noise = np.random.default_rng(0).normal(0, 2.5, (120, 160, 3))
    found = pictures.cut_out(photo(ramp + noise))
    assert ((found[..., 3] > 0.5) != truth()).mean() < 0.02


def test_an_object_may_stand_on_the_border() -> None:
    picture = photo((230, 230, 225))
    picture[100:, 60:90] = (60, 40, 30)
    found = pictures.cut_out(picture)
    wanted = truth()
    wanted[100:, 60:90] = True
    assert ((found[..., 3] > 0.5) != wanted).mean() < 0.01


def test_without_a_plain_background_there_is_a_remedy() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (60, 60, 3)).astype(np.uint8)
    with pytest.raises(BadRequest, match="no plain background") as caught:
        pictures.cut_out(noise)
    assert "Cut the object out" in caught.value.remedy


def test_nothing_before_the_background_is_refused() -> None:
    with pytest.raises(BadRequest, match="nothing but its background"):
        pictures.cut_out(np.full((40, 40, 3), 190, np.uint8))


@pytest.mark.parametrize("picture", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3)), np.zeros((2, 9, 4), np.uint8)])
def test_what_is_no_picture_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(BadRequest, match="expected uint8"):
        pictures.cut_out(picture)


# Files


def test_files_are_read_upright_cut_out_and_framed(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    upright = photo((240, 240, 240))
    # Tag 274 with 6: the camera was held on its side, and the picture is to be turned clockwise.
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(upright))).save(path, quality=95, exif=exif)
    found = pictures.read(path, 40)
    wanted = pictures.framed(pictures.cut_out(upright), 40)
    assert found.shape == (4, 40, 40)
    assert np.abs(found[3] - wanted[3]).mean() < 0.02


def test_large_pictures_and_transparency_are_read(tmp_path: Path) -> None:
    path = tmp_path / "render.png"
    rgba = (block(900, 1200, slice(100, 500), slice(300, 1100)) * 255).astype(np.uint8)
    Image.fromarray(rgba).save(path)
    width, height, _, _ = extent(pictures.read(path, 48)[3])
    assert (width, height) == (pytest.approx(40, abs=1), pytest.approx(20, abs=1))


def test_a_file_that_is_no_picture_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("no picture")
    with pytest.raises(BadRequest, match=r"notes\.png cannot be read"):
        pictures.read(path, 32)
    with pytest.raises(BadRequest, match=r"missing\.png"):
        pictures.read(tmp_path / "missing.png", 32)


def test_a_refused_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "wall.png"
    Image.fromarray(np.full((40, 40, 3), 190, np.uint8)).save(path)
    with pytest.raises(BadRequest, match=r"wall\.png: The picture shows nothing"):
        pictures.read(path, 32)


# Assets


def test_every_picture_of_an_asset_is_framed() -> None:
    found = pictures.of_asset(catalogue.make("chair", 4), 8, 40, 3)
    assert found.shape == (8, 4, 40, 40)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    for alpha in found[:, 3]:
        width, height, right, down = extent(alpha)
        assert max(width, height) == pytest.approx(40 * (1 - 2 * pictures.MARGIN), abs=1.5)
        assert max(abs(right), abs(down)) <= 1


def test_pictures_depend_on_the_seed_alone() -> None:
    chair = catalogue.make("chair", 4)
    first, again, other = (pictures.of_asset(chair, 2, 24, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.01


def test_cameras_are_all_around_and_not_below() -> None:
    cameras = [camera for seed in range(12) for camera in pictures._cameras(6, 16, seed)]
    turns = np.array([np.degrees(np.arctan2(camera.eye[0], camera.eye[1])) % 360 for camera in cameras])
    assert set((turns // 45).astype(int)) == set(range(8))
    heights = np.array([np.degrees(np.arcsin(c.eye[2] / np.linalg.norm(c.eye))) for c in cameras])
    assert -5 <= heights.min() < 5 < 50 < heights.max() <= 60


def test_a_catalogue_shape_looks_as_in_its_views() -> None:
    table = catalogue.make("table", 5)
    (camera,) = pictures._cameras(1, 400, 7)
    (view,) = views.render(table, [camera])
    wanted = pictures.framed(np.concatenate([view.colour, view.alpha[..., None]], axis=2), 64)
    (found,) = pictures.of_asset(table, 1, 64, 7)
    both = np.minimum(wanted[3], found[3]).sum() / np.maximum(wanted[3], found[3]).sum()
    assert both > 0.92
    inside = (wanted[3] > 0.99) & (found[3] > 0.99)
    assert np.abs(wanted[:3] - found[:3])[:, inside].mean() < 0.04


def test_assets_without_colours_are_grey() -> None:
    chair = catalogue.make("chair", 2)
    coloured = pictures.of_asset(chair, 2, 24, 0)
    assert np.ptp(coloured[:, :3], axis=1).max() > 0.05

    class Bare:
        """Nothing but distances."""

        def sdf_grid(self, resolution: int, truncation: float = 0.1) -> np.ndarray:
            return chair.sdf_grid(resolution, truncation)

    whole = chair.mesh()
    for asset in (Solid(Mesh(whole.vertices, whole.faces)), Grid(chair.voxels(32)), Bare()):
        found = pictures.of_asset(asset, 2, 24, 0)  # type: ignore[arg-type]
        np.testing.assert_allclose(np.ptp(found[:, :3], axis=1), 0, atol=1e-6)
        # The same cameras see the same shape, as far as the grids tell.
        both = np.minimum(coloured[:, 3], found[:, 3]).sum() / np.maximum(coloured[:, 3], found[:, 3]).sum()
        assert both > 0.75


def test_the_mirror_image_of_a_picture_shows_the_mirror_image_of_the_shape() -> None:
    chair = catalogue.make("chair", 11)
    mesh = chair.mesh()
    mirrored = mesh.vertices * np.array([-1, 1, 1], np.float32)

    def alpha(vertices: np.ndarray, azimuth: float) -> np.ndarray:
        camera = towards_origin(azimuth, 25, 33)
        rays = camera.rays().reshape(-1, 3)
        eyes = np.repeat(camera.eye[None].astype(np.float32), len(rays), axis=0)
        seen = np.zeros(len(rays), bool)
        seen[Scene(Mesh(vertices, mesh.faces), 30).hit(eyes, rays).ray] = True
        return seen.reshape(33, 33)

    one, other = alpha(mesh.vertices, 35), alpha(mirrored, -35)
    assert one.any()
    assert (one != other[:, ::-1]).mean() < 0.005
