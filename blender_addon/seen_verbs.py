"""The verbs on what is seen: shapes of pictures, and of what a camera sees of a thing. See :mod:`.verbs`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
from bpy.types import Image, Object

from ..gen3d_core.errors import BadMesh, BadRequest
from . import assets, images, models, objects, steps, verbs, views
from .memory import Quality
from .verbs import Verb
from .views import Camera


def from_images(given: Sequence[Image | Path], model: str, seeds: Sequence[int], quality: Quality) -> Verb:
    """Shapes of pictures of one thing, one per seed, in a row at the 3D cursor."""
    card = models.choose(model, "make shapes of pictures", "from_images")
    where, pictures = objects.target(bpy.context), images.gather(given)
    name, lasting = Path(given[0].name).stem, images.lasting(given)
    results = (yield steps.from_images(card, pictures, seeds, quality)).results
    memory = replace(verbs.remembered("from_images", card, quality), pictures=lasting)
    names = [f"{name} shape {result.values['seed']}" for result in results]
    return lambda: objects.in_row(where, results, memory, names)


def complete_view(
    obj: Object, camera: Camera, model: str, seeds: Sequence[int], quality: Quality, text: str = ""
) -> Verb:
    """Completions of what a camera sees of an object, one per seed, beside it.

    Args:
        obj: its other sides do not count; its size does.
        camera: of the world, as :mod:`.views` gives it.
        model: id; empty for the best.
        seeds: of the completions.
        quality: of their meshes.
        text: that describes the whole, for a model that listens; may be empty.
    """
    card = verbs.completer(model, text)
    where, surface = objects.target(bpy.context), objects.surface(obj)
    near = views.relative(camera, surface)
    seen = views.sight(surface, near)
    results = (yield steps.view_completion(card, seen, text, seeds, quality)).results
    memory = verbs.remembered("complete_view", card, quality)
    memory = replace(memory, fitted=surface.fit, source=surface.name, text=text, view=near.flat)
    names = [f"{surface.name} from view {result.values['seed']}" for result in results]
    return lambda: objects.beside(where, seen.surface, results, memory, names)


def show(given: Sequence[Object], camera: Camera) -> Image:
    """A new image of some things as a camera sees them, in plain colours before nothing.

    Raises:
        BadMesh: there is nothing to be seen of them.
        BadRequest: they are not in the picture.
    """
    pieces = assets.painted(given)
    if not pieces:
        raise BadMesh("Nothing that is selected has faces.", "Select what the picture is to show.")
    starts = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
    faces = [piece.faces + start for piece, start in zip(pieces, starts, strict=False)]
    vertices = np.concatenate([piece.vertices for piece in pieces])
    colours = np.concatenate([piece.colours for piece in pieces])
    picture = views.picture(camera, vertices, np.concatenate(faces), colours)
    if not picture[..., 3].any():
        raise BadRequest("The things are not in the picture.", "Turn the view or the camera to them.")
    return images.create(f"{given[0].name} view", picture)
