"""Pictures of one thing, from Blender's images or from files, as a request takes them; and the other way round."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bpy.types import Image
from numpy.typing import NDArray

from ..gen3d_core.errors import BadRequest
from .views import srgb

Bytes = NDArray[np.uint8]

#: Models look at far smaller pictures than that.
MOST_PIXELS = 512
#: Images whose content is another one after the next render.
PASSING = ("RENDER_RESULT", "COMPOSITING")


def gather(given: Sequence[Image | Path]) -> Bytes:
    """Pictures of one size, with shape (V, S, S, 4), RGBA with straight alpha, upright.

    Raises:
        BadRequest: there is none, or one cannot be read.
    """
    if not given:
        raise BadRequest("There are no pictures.", "Add a file, an image or the view first.")
    read = [_of_file(one) if isinstance(one, Path) else _of_image(one) for one in given]
    size = min(max(max(picture.shape[:2]) for picture in read), MOST_PIXELS)
    return np.stack([_square(picture, size) for picture in read])


def lasting(given: Sequence[Image | Path]) -> str:
    """The names by which pictures are found again, one a line; empty where one of them may not last."""
    if any(isinstance(one, Path) or one.type in PASSING for one in given):
        return ""
    return "\n".join(one.name_full for one in given if isinstance(one, Image))


def named(names: str) -> list[Image]:
    """Images by their names, one a line.

    Raises:
        BadRequest: one is gone.
    """
    known = {image.name_full: image for image in bpy.data.images}
    wanted = [name for name in names.split("\n") if name]
    if missing := [name for name in wanted if name not in known]:
        raise BadRequest(f"There is no image '{missing[0]}'.", "Undo, or start from another one.")
    return [known[name] for name in wanted]


def create(name: str, picture: Bytes) -> Image:
    """A new image with a picture (H, W, 4); it is saved inside the file."""
    image = bpy.data.images.new(name, picture.shape[1], picture.shape[0], alpha=True)
    image.pixels.foreach_set((picture[::-1].astype(np.float32) / 255).ravel())  # pyright: ignore
    image.update()
    image.pack()
    return image


def _of_file(path: Path) -> Bytes:
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError as error:
        raise BadRequest(f"The picture {path.name} cannot be read.", "Choose another file.", str(error)) from error
    try:
        return _of_image(image)
    finally:
        bpy.data.images.remove(image)


def _of_image(image: Image) -> Bytes:
    if image.type in PASSING:
        return _rendered(image)
    size: Any = image.size
    pixels: Any = image.pixels
    width, height = size
    if not width or not height or len(pixels) != width * height * image.channels:
        raise BadRequest(f"The image '{image.name}' has no pixels.", "Look whether its file is there.")
    values = np.empty(width * height * image.channels, dtype=np.float32)
    pixels.foreach_get(values)
    values = values.reshape(height, width, image.channels)[::-1]
    if image.channels < 3:
        values = np.concatenate([values[..., :1].repeat(3, 2), values[..., 1:]], axis=2)
    if values.shape[2] == 3:
        values = np.concatenate([values, np.ones_like(values[..., :1])], axis=2)
    if image.is_float:
        # Such images hold linear light that is multiplied by alpha.
        alpha = values[..., 3:].clip(0, 1)
        values = np.concatenate([srgb(values[..., :3] / np.maximum(alpha, 1e-6)), alpha], axis=2)
    return np.round(np.nan_to_num(values).clip(0, 1) * 255).astype(np.uint8)


def _rendered(image: Image) -> Bytes:
    """What Blender lets nobody read, but writes into a file."""
    scene = bpy.context.scene
    assert scene is not None
    settings = scene.render.image_settings
    before = settings.file_format, settings.color_mode
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "render.png"
        try:
            settings.file_format, settings.color_mode = "PNG", "RGBA"
            image.save_render(str(path), scene=scene)
        except RuntimeError as error:
            raise BadRequest("There is no rendered picture.", "Render one first.", str(error)) from error
        finally:
            settings.file_format, settings.color_mode = before
        return _of_file(path)


def _square(picture: Bytes, size: int) -> Bytes:
    """A picture (H, W, 4) in the middle of a square, with shape (size, size, 4)."""
    step = max(max(picture.shape[:2]) // (2 * size), 1)
    picture = picture[::step, ::step]
    height, width = picture.shape[:2]
    most = max(height, width)
    spare = [(most - height) // 2, (most - width) // 2]
    around = [(spare[0], most - height - spare[0]), (spare[1], most - width - spare[1]), (0, 0)]
    # A plain background goes on beside the picture, or it could not be told from the thing.
    whole = np.pad(picture, around, mode="edge") if picture[..., 3].min() == 255 else np.pad(picture, around)
    if most == size:
        return whole
    values = whole.astype(np.float64) / 255
    values[..., :3] *= values[..., 3:]
    for axis in (0, 1):
        values = np.moveaxis(_resized(np.moveaxis(values, axis, 0), size), 0, axis)
    values[..., :3] /= np.maximum(values[..., 3:], 1e-6)
    return np.round(values.clip(0, 1) * 255).astype(np.uint8)


def _resized(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """The first axis with another length: each new cell is the mean over its share of the old ones."""
    sums = np.concatenate([np.zeros_like(values[:1]), values.cumsum(0)])
    edges = np.linspace(0, len(values), size + 1)
    whole = np.minimum(edges.astype(int), len(values) - 1)
    share = (edges - whole).reshape(-1, *[1] * (values.ndim - 1))
    return np.diff(sums[whole] + share * values[whole], axis=0) * (size / len(values))
