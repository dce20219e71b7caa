"""Pictures of single objects as systems read them: cut out, in the middle of a square, of one size.

What an artist brings, a render with alpha or a photograph before a plain background, and what systems learn from pass
through the same frame: the object fills the square but for a margin, so its size in the picture tells nothing.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy import ndimage

from ..errors import BadRequest
from ..preview import Scene, encoded, linear
from ..representations import Mesh, MeshOptions
from ..representations.camera import Camera, towards_origin
from . import views

if TYPE_CHECKING:
    from ..system import Asset

Floats = NDArray[np.float32]

#: Free space on each side of the object, as a share of the square's side.
MARGIN = 0.08
#: What is covered less than this is seen as empty when the object's borders are found.
FAINT = 0.04
#: Colours (0 to 255) that differ less than this in their largest channel are one; holes must be nearer.
TOLERANCE, HOLE_TOLERANCE = 26.0, 10.0
#: Share of the picture's border that must have the background's colour.
PLAIN = 0.7
#: Pieces smaller than this share of the largest are dirt.
DIRT = 0.01
#: Larger pictures are made smaller before anything else.
LARGEST = 768
#: Rays along each side of a pixel of a training picture.
GRID = 2
#: Cameras of training pictures: degrees above the horizon, and distances in model units.
ELEVATIONS, DISTANCES = (-5.0, 60.0), (1.8, 4.0)
#: The sRGB colour of assets that have none.
GREY = 0.66
#: Side of the grid whose surface stands for an asset without a mesh.
SURFACE_GRID = 48


def framed(rgba: NDArray[np.floating], size: int) -> Floats:
    """The object of a picture in the middle of a square, all of it, with a margin of 8 %.

    Args:
        rgba: with shape (H, W, 4), in [0, 1], straight alpha.
        size: S, pixels along each side of what is returned.

    Returns:
        With shape (4, S, S), straight alpha; colours are 0 where nothing is seen.

    Raises:
        BadRequest: nothing is covered.
    """
    alpha = np.asarray(rgba[..., 3], np.float32)
    rows, columns = np.flatnonzero((alpha > FAINT).any(1)), np.flatnonzero((alpha > FAINT).any(0))
    if not len(rows):
        raise BadRequest("The picture is empty: all of it is transparent.", "Choose a picture that shows the object.")
    top, left, bottom, right = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
    height, width = int(bottom - top), int(right - left)
    side = max(height, width) / (1 - 2 * MARGIN)
    # A whole number of pixels around the square, which itself may begin between two.
    pad = int(np.ceil(side - min(height, width))) // 2 + 2
    part = np.pad(np.asarray(rgba[top:bottom, left:right], np.float32), ((pad, pad), (pad, pad), (0, 0)))
    x, y = pad + (width - side) / 2, pad + (height - side) / 2
    # Colours of empty pixels must not bleed into covered ones: they are weighed by their coverage.
    part[..., :3] *= part[..., 3:]
    how = Image.Resampling.BOX if side > size else Image.Resampling.BILINEAR
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(part[..., k])).resize((size, size), how, (x, y, x + side, y + side))
        )
        for k in range(4)
    ]
    return _straight(np.stack(planes))


def cut_out(picture: NDArray[np.uint8]) -> Floats:
    """A picture whose background is transparent.

    A picture with any transparency is taken as it is. Otherwise the background is the colour of the border, which may
    change evenly across the picture: what has it and touches the border goes, and holes of just that colour.

    Args:
        picture: with shape (H, W, 3 or 4), sRGB from 0 to 255.

    Returns:
        With shape (H, W, 4), in [0, 1], straight alpha.

    Raises:
        BadRequest: not such a picture, no plain background, or nothing before it.
    """
    if picture.ndim != 3 or picture.shape[2] not in (3, 4) or picture.dtype != np.uint8 or min(picture.shape[:2]) < 4:
        raise BadRequest(
            f"The picture is {picture.dtype} {picture.shape}; expected uint8 (height, width, 3 or 4).",
            "Choose a picture of at least 4 x 4 pixels.",
        )
    if picture.shape[2] == 4 and (picture[..., 3] < 255).any():
        return (picture / 255).astype(np.float32)
    colours = picture[..., :3].astype(np.float32)
    behind, share = _background(colours)
    if share < PLAIN:
        raise BadRequest(
            f"The picture has no plain background: {share:.0%} of its border has one colour.",
            "Cut the object out (a PNG with transparency), or photograph it before an even wall.",
        )
    away = np.abs(colours - behind).max(2)
    outer = _labels(away < TOLERANCE)
    border = np.unique(np.concatenate([outer[0], outer[-1], outer[:, 0], outer[:, -1]]))
    empty = np.isin(outer, border[border > 0]) | (ndimage.median_filter(away, 3) < HOLE_TOLERANCE)
    pieces = _labels(~empty)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    if sizes.max() < 9:
        raise BadRequest(
            "The picture shows nothing but its background.", "Choose one in which the object differs from it."
        )
    alpha = np.isin(pieces, np.flatnonzero(sizes >= max(DIRT * sizes.max(), 1)))
    return np.concatenate([colours / 255, alpha[..., None]], axis=2).astype(np.float32)


def read(path: Path | str, size: int) -> Floats:
    """The object in a picture file, with shape (4, S, S), in [0, 1], straight alpha.

    Raises:
        BadRequest: no picture, or :func:`cut_out` or :func:`framed` refuse it.
    """
    name = os.path.basename(path)
    try:
        with warnings.catch_warnings():
            # A picture so large that Pillow warns is made smaller at once.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                upright = ImageOps.exif_transpose(file)
                image = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadRequest(f"{name} cannot be read as a picture.", "Choose a PNG or JPEG file.", repr(error)) from error
    image.thumbnail((LARGEST, LARGEST))
    try:
        return framed(cut_out(np.asarray(image)), size)
    except BadRequest as error:
        raise BadRequest(f"{name}: {error.message}", error.remedy) from error


def of_asset(asset: Asset, count: int, size: int, seed: int) -> Floats:
    """Training pictures of an asset, from all around and from just below the horizon to 60 degrees above it.

    A shape of the catalogue has its own colours, any other asset is grey; the lights are those of :mod:`.views`.

    Args:
        count: V, how many.
        size: S, pixels along each side.
        seed: 0 or more; of the cameras.

    Returns:
        With shape (V, 4, S, S), in [0, 1], straight alpha, framed.

    Raises:
        EngineError: the ray caster embreex is not installed.
    """
    mesh, albedo = _coloured(asset)
    cameras = [_fitted(camera, mesh.vertices) for camera in _cameras(count, size, seed)]
    # All pictures at once: what the ray caster prepares for each call costs more than the rays.
    rays = np.concatenate([camera.rays(GRID).reshape(-1, 3) for camera in cameras])
    eyes = np.repeat(np.stack([camera.eye for camera in cameras]).astype(np.float32), (size * GRID) ** 2, axis=0)
    hits = Scene(mesh, views.CREASE).hit(eyes, rays)
    fine = np.zeros((len(rays), 4), np.float32)
    fine[hits.ray, :3] = albedo[hits.face] * views.lit(hits.normals)[:, None]
    fine[hits.ray, 3] = 1
    found = fine.reshape(count, size, GRID, size, GRID, 4).mean((2, 4)).transpose(0, 3, 1, 2)
    alpha = found[:, 3:]
    colour = encoded(found[:, :3] / np.maximum(alpha, 1e-6))
    return np.concatenate([colour, alpha], axis=1).astype(np.float32)


def _straight(planes: Floats) -> Floats:
    """Premultiplied planes (4, H, W) with straight alpha."""
    alpha = planes[3].clip(0, 1)
    colour = np.where(alpha > 1e-3, planes[:3] / np.maximum(alpha, 1e-3), 0)
    return np.concatenate([colour.clip(0, 1), alpha[None]]).astype(np.float32)


def _labels(mask: NDArray[np.bool_]) -> NDArray[np.integer]:
    return np.asarray(ndimage.label(mask)[0])  # type: ignore[index]  # a pair unless an output array is given


def _background(colours: Floats) -> tuple[Floats, float]:
    """The border's colour, continued evenly over the picture (H, W, 3), and the share of the border that has it."""
    height, width = colours.shape[:2]
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    basis = np.stack([np.ones_like(x), x, y], axis=2)
    edge = np.zeros((height, width), dtype=bool)
    edge[[0, -1]] = True
    edge[:, [0, -1]] = True
    seen, where = colours[edge].astype(np.float64), basis[edge]
    plane = np.zeros((3, 3))
    plane[0] = np.median(seen, axis=0)
    near = np.abs(seen - plane[0]).max(1) < 2 * TOLERANCE
    # An object that is cut by the border must not tilt the background: only what fits is fitted again.
    for _ in range(3):
        if near.sum() < 8:
            break
        plane = np.linalg.lstsq(where[near], seen[near], rcond=None)[0]
        near = np.abs(seen - where @ plane).max(1) < TOLERANCE
    return (basis @ plane).astype(np.float32), float(near.mean())


def _coloured(asset: Asset) -> tuple[Mesh, Floats]:
    """A mesh of an asset and the linear colour of each of its faces (F, 3)."""
    from .catalogue.shape import Shape
    from .catalogue.textures import colours

    if isinstance(asset, Shape):
        parts = views.assembled(asset)
        return parts.mesh, linear(colours(asset))[parts.owner]
    given: Mesh | Callable[[], Mesh] = getattr(asset, "mesh", None) or _surface(asset)
    mesh = given if isinstance(given, Mesh) else given()
    return mesh, np.broadcast_to(linear(np.full(3, GREY)), (len(mesh.faces), 3))


def _surface(asset: Any) -> Mesh:
    import torch

    from ..representations import isosurface

    grid = torch.as_tensor(asset.sdf_grid(SURFACE_GRID))
    return isosurface.extract(grid.float(), 0.0, MeshOptions(SURFACE_GRID))


def _cameras(count: int, size: int, seed: int) -> list[Camera]:
    """Cameras in sectors of equal width around the object, anywhere in them."""
    random = np.random.Generator(np.random.PCG64([seed, count]))
    turns = 360 * (np.arange(count) + random.random(count)) / max(count, 1) + 360 * random.random()
    heights = random.uniform(*ELEVATIONS, count)
    distances = random.uniform(*DISTANCES, count)
    return [
        towards_origin(float(turn), float(height), size, float(distance))
        for turn, height, distance in zip(turns, heights, distances, strict=True)
    ]


def _fitted(camera: Camera, points: NDArray[np.floating]) -> Camera:
    """The camera with the lens under which points (N, 3) fill the picture but for the margin, in its middle."""
    pixels = camera.project(points).pixels
    low, high = np.nanmin(pixels, axis=0), np.nanmax(pixels, axis=0)
    zoom = camera.width * (1 - 2 * MARGIN) / max(float((high - low).max()), 1e-6)
    # The middle of the object, as an offset from the optical axis, moves to the middle of the picture.
    cx, cy = camera.width / 2 - zoom * ((low + high) / 2 - [camera.cx, camera.cy])
    return replace(camera, fx=camera.fx * zoom, fy=camera.fy * zoom, cx=float(cx), cy=float(cy))
