"""Gen3D for scripts: each function waits for its result and returns the new objects.

    from bl_ext.user_default.gen3d.blender_addon import api
    a, b = api.generate(seeds=(1, 2))
    slider, = api.interpolate(a, b)
    slider.gen3d.t = 0.25

Where something cannot be done, a function raises :class:`gen3d_core.errors.Gen3DError`, with a sentence and a remedy,
and leaves Blender's data as it was. Resolutions are samples along each side; ``faces`` is a budget of triangles, or
of quads, 0 is none. An empty ``model`` is the model that made the objects, else the best one.

    name = api.train(bpy.data.collections["Chairs"], "My Chairs", minutes=20, start="objects-vae")
    chairs = api.generate(name, seeds=range(8))

Assets are the objects of a collection, or those of a sequence: each is one asset, together with its children, as it is
seen: modifiers are applied, instances are real, what is hidden is left out. Assets are never changed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
from bpy.types import Collection, Image, Object

from ..gen3d_core.errors import BadRequest
from . import (
    again,
    asset_verbs,
    baking,
    findings,
    jobs,
    keeping,
    models,
    objects,
    outliers,
    recipe,
    recipe_operators,
    seen_verbs,
    slider,
    slider_verbs,
    trainings,
    verbs,
    views,
)
from .assets import inside, tops
from .collecting import Source
from .findings import Classification, Labelling
from .memory import Quality, recall
from .outliers import Ranking
from .parts import Outline
from .training import Order, Training


def generate(
    model: str = "",
    seeds: Sequence[int] = (1,),
    resolution: int = 64,
    *,
    category: str = "",
    faces: int = 0,
    debris: bool = True,
    quads: bool = False,
) -> list[Object]:
    """New shapes, one per seed, in a row at the 3D cursor, or in a sheet where they are more than six.

    They are as large as things are in metres, whatever the scene's unit is.

    Args:
        model: id of a model.
        seeds: the same seed makes the same shape.
        category: one of the classes of a model that draws by class.
        resolution, faces: see above.
        debris: whether small loose parts are removed.
        quads: whether the faces are quads; of a completion that is exact, and of what geometry alone varies, they stay
            triangles.
    """
    return jobs.run(verbs.generate(model, seeds, Quality(resolution, faces, debris, quads), category))


def from_text(
    text: str,
    seeds: Sequence[int] = (1,),
    *,
    model: str = "",
    resolution: int = 64,
    faces: int = 0,
    debris: bool = True,
    quads: bool = False,
) -> list[Object]:
    """Shapes that a text describes, one per seed, in a row at the 3D cursor."""
    return jobs.run(verbs.from_text(text, model, seeds, Quality(resolution, faces, debris, quads)))


def from_images(
    pictures: Sequence[Image | Path],
    seeds: Sequence[int] = (1,),
    *,
    model: str = "",
    resolution: int = 64,
    faces: int = 0,
    debris: bool = True,
    quads: bool = False,
) -> list[Object]:
    """Shapes of what pictures show, one per seed, in a row at the 3D cursor.

    Args:
        pictures: images of Blender's, as the Render Result, or files: of one thing, upright and alone, before nothing
            or before a plain background.
        seeds, model, resolution, faces, debris, quads: as for :func:`generate`.
    """
    return jobs.run(seen_verbs.from_images(pictures, model, seeds, Quality(resolution, faces, debris, quads)))


def interpolate(
    a: Object,
    b: Object,
    steps: int = 0,
    *,
    model: str = "",
    resolution: int = 64,
    faces: int = 0,
    debris: bool = True,
    quads: bool = False,
) -> list[Object]:
    """One object whose ``gen3d.t`` blends from ``a`` to ``b``; with ``steps``, so many objects from ``a`` to ``b``.

    Args:
        a, b: generated objects, or any meshes where the model can reconstruct them.
        steps: at least 2, or 0 for the slider.
        model, resolution, faces, debris, quads: as for :func:`generate`.
    """
    return jobs.run(verbs.interpolate(a, b, model, steps, Quality(resolution, faces, debris, quads)))


def blend(
    objects: Sequence[Object],
    weights: Sequence[float] = (),
    *,
    model: str = "",
    resolution: int = 64,
    faces: int = 0,
    debris: bool = True,
    quads: bool = False,
) -> list[Object]:
    """One object between two to five others: of two, its ``gen3d.t`` blends them, of more the weights of its ends.

        mixed, = api.blend([a, b, c], weights=(1, 1, 0))
        mixed.gen3d.ends[c.name].weight = 0.5

    Args:
        objects: generated objects, or any meshes where the model can reconstruct them.
        weights: one for each, of which only the ratios count; empty for all alike.
        model, resolution, faces, debris, quads: as for :func:`generate`.
    """
    return jobs.run(verbs.blend(objects, weights, model, Quality(resolution, faces, debris, quads)))


def arithmetic(
    a: Object,
    b: Object,
    c: Object,
    *,
    model: str = "",
    resolution: int = 64,
    faces: int = 0,
    debris: bool = True,
    quads: bool = False,
) -> list[Object]:
    """The shape ``a - b + c``, at the 3D cursor: what ``a`` has and ``b`` lacks is given to ``c``."""
    return jobs.run(verbs.arithmetic(a, b, c, model, Quality(resolution, faces, debris, quads)))


def vary(
    obj: Object,
    seeds: Sequence[int] = (1, 2, 3, 4),
    amount: float = 0.3,
    *,
    resolution: int = 64,
    faces: int = 0,
    debris: bool = True,
    quads: bool = False,
) -> list[Object]:
    """Shapes near ``obj``, one per seed, in a row at the 3D cursor.

    Args:
        obj: a generated object.
        seeds: the same seed makes the same variation.
        amount: 0 is the shape itself, 1 is any shape of the model.
        resolution, faces, debris, quads: as for :func:`generate`.
    """
    return jobs.run(verbs.vary(obj, seeds, amount, Quality(resolution, faces, debris, quads)))


def complete(
    obj: Object,
    seeds: Sequence[int] = (1,),
    box: Object | None = None,
    *,
    selected: bool = False,
    outline: Outline | None = None,
    exact: bool = False,
    text: str = "",
    model: str = "",
    resolution: int = 64,
    faces: int = 0,
    debris: bool = True,
    quads: bool = False,
) -> list[Object]:
    """Completions of ``obj``, one per seed, beside it.

    Args:
        obj: a mesh; where nothing marks what is to be made anew, one from which those faces were deleted.
        seeds: the same seed makes the same completion.
        box: an object whose bounding box in the world is the region to be made anew.
        outline: around what is made anew, as somebody draws it in a view; :func:`outlined` makes one.
        selected: whether the faces that are selected on the mesh are made anew.
        exact: whether what is kept keeps its very triangles; ``gen3d.note`` says where that leaves a seam.
        text: that describes the whole, for a model that listens.
        model, resolution, faces, debris, quads: as for :func:`generate`.
    """
    quality = Quality(resolution, faces, debris, quads)
    model = model or _completer(obj, text)
    return jobs.run(verbs.complete(obj, box, model, seeds, quality, text, selected, exact, outline))


def outlined(obj: Object, points: Sequence[tuple[float, float]], camera: Object | None = None) -> Outline:
    """An outline for :func:`complete`, drawn in a camera's picture.

    Args:
        obj: the mesh that is to be completed.
        points: corners of the closed line, -1 to 1 from left to right and from the bottom to the top of the picture.
        camera: else the scene's.
    """
    return Outline.of(points, views.clip(_camera_or_scene(camera)), obj)


def complete_view(
    obj: Object,
    camera: Object | None = None,
    seeds: Sequence[int] = (1,),
    *,
    text: str = "",
    model: str = "",
    resolution: int = 64,
    faces: int = 0,
    debris: bool = True,
    quads: bool = False,
) -> list[Object]:
    """Completions of what a camera sees of ``obj``, one per seed, beside it.

    Args:
        obj: a mesh; its other sides do not count.
        camera: else the scene's.
        seeds: the same seed makes the same completion.
        text: that describes the whole, for a model that listens.
        model, resolution, faces, debris, quads: as for :func:`generate`.
    """
    camera = _camera_or_scene(camera)
    seen = views.through_camera(camera, views.room(objects.world_box(obj)), views.DEPTH_RAYS)
    quality = Quality(resolution, faces, debris, quads)
    return jobs.run(seen_verbs.complete_view(obj, seen, model or _completer(obj, text), seeds, quality, text))


def refine(
    obj: Object,
    *,
    model: str = "",
    resolution: int = 128,
    faces: int = 0,
    debris: bool = True,
    quads: bool = False,
) -> list[Object]:
    """``obj`` with twice the model's resolution, beside it."""
    return jobs.run(verbs.refine(obj, model, Quality(resolution, faces, debris, quads)))


def reconstruct(
    obj: Object,
    *,
    model: str = "",
    resolution: int = 64,
    faces: int = 0,
    debris: bool = True,
    quads: bool = False,
) -> list[Object]:
    """``obj`` as a model sees it, beside it; the new object can be interpolated and varied."""
    return jobs.run(verbs.reconstruct(obj, model or recall(obj).model, Quality(resolution, faces, debris, quads)))


def keep(objects: Sequence[Object], in_place: bool = False) -> list[Object]:
    """Deletes what was made together with ``objects``, which stay; returns these.

        options = api.complete(obj, seeds=range(9))
        chosen, = api.keep(options[3:4], in_place=True)

    Args:
        objects: some of those that a task made.
        in_place: whether they take the place of the object that they were made of, with its materials; it is hidden.
    """
    scene = bpy.context.scene
    assert scene
    return keeping.keep(scene, objects, in_place)


def regenerate(obj: Object) -> list[Object]:
    """Makes a generated object's mesh again, in its present ``gen3d.resolution``; edits by hand are replaced."""
    return jobs.run(again.regenerate(obj))


def refresh(obj: Object) -> None:
    """Waits until the mesh of a blend, or of a shape with sliders, shows its present properties.

    In a window it follows by itself soon after.
    """
    slider.refresh(obj)


def directions(obj: Object) -> dict[str, float]:
    """The sliders of ``obj`` and where they stand, by name; it gets them from its model where it has none yet.

        api.directions(chair)
        api.set_direction(chair, "Leg Thickness", 1.5)
        chair.gen3d.sliders["Leg Thickness"].keyframe_insert("value", frame=1)

    They are in standard deviations of the model's own shapes; 0 is the shape as it was made.
    """
    if not recall(obj).sliders:
        jobs.run(slider_verbs.sliders(obj))
    return {one.name: one.value for one in recall(obj).sliders}


def set_direction(obj: Object, name: str, value: float) -> None:
    """Moves one slider of ``obj``, which has to have them: see :func:`directions`. The mesh follows."""
    slider_verbs.place(obj, name, value)


def bake(
    obj: Object, start: int | None = None, end: int | None = None, step: int = 1, method: str = baking.MESHES
) -> list[Object]:
    """The animation of a blend, or of a shape with sliders, as meshes that need neither Gen3D nor its engine.

    Args:
        obj: is hidden afterwards.
        start, end: frames, both included; None for the scene's.
        step: every so many frames.
        method: ``MESHES`` for an object for each frame, shown one at a time; ``SHAPE_KEYS`` for one that deforms, where
            no part and no hole comes or goes, else as ``MESHES``.
    """
    scene = bpy.context.scene
    assert scene is not None
    first, last = (scene.frame_start if start is None else start), (scene.frame_end if end is None else end)
    return jobs.run(baking.bake(obj, first, last, step, method))


def copy(obj: Object) -> str:
    """What ``obj`` is made from, as a text: its model, and its latent or its seed."""
    return recipe.write(recall(obj))


def paste(text: str) -> list[Object]:
    """The shape that such a text tells of, at the 3D cursor."""
    return jobs.run(recipe_operators.paste(text))


def train(
    assets: Collection | Sequence[Object] | Path,
    title: str,
    *,
    start: str = "",
    system: str = "voxels.vae",
    minutes: float = 20.0,
    mirror: bool = True,
    rotate: bool = False,
    arguments: Sequence[str] = (),
) -> str:
    """Trains a model and waits for it; returns its id, empty where the training was paused or discarded meanwhile.

    Args:
        assets: of the scene, or the path of a folder, a zip or a file.
        title: of the new model.
        start: id of a model to go on from; empty to start from scratch.
        system: what is trained from scratch.
        minutes: how long it may learn.
        mirror, rotate: whether assets are also learned mirrored, or turned about Z.
        arguments: further ones of the command line's ``train``.
    """
    order = Order(_source(assets), title, system, start, minutes, rotate, mirror, arguments)
    return trainings.wait(trainings.start(order))


def start_training(assets: Collection | Sequence[Object] | Path, title: str, **options: Any) -> Training:
    """As :func:`train`, in the background: returns at once.

    In a Blender with a window it goes on by itself. In one without, nothing calls it: use :func:`wait` or, again and
    again, ``trainings.tick``. :mod:`.trainings` has ``pause``, ``keep``, ``resume`` and ``discard``.
    """
    return trainings.start(Order(_source(assets), title, **options))


def wait(training: Training) -> str:
    """Waits until a training has ended; returns the id of its model, empty where there is none."""
    return trainings.wait(training)


def augment(
    assets: Collection | Sequence[Object],
    seeds: Sequence[int] = (1, 2, 3, 4),
    amount: float = 0.3,
    *,
    method: str = "model",
    model: str = "",
    resolution: int = 64,
    faces: int = 0,
    debris: bool = True,
    quads: bool = False,
) -> list[Object]:
    """Variations of each asset, one per seed, in a new collection beside them.

    Args:
        assets: what is varied; it stays as it is.
        seeds: the same seed makes the same variation.
        amount: 0 is the asset itself.
        method: ``model``, or ``geometry`` for bends and scales without one.
        model, resolution, faces, debris, quads: as for :func:`generate`.
    """
    quality = Quality(resolution, faces, debris, quads)
    return jobs.run(asset_verbs.augment(_tops(assets), _title(assets), seeds, amount, method, model, quality))


def rank(assets: Collection | Sequence[Object], *, model: str = "") -> Ranking:
    """Assets by how unusual they are to a model, the most unusual first, and how sure that is."""
    jobs.run(asset_verbs.rank(_tops(assets), _title(assets), model))
    ranking = outliers.latest()
    assert ranking
    return ranking


def classify(obj: Object, *, model: str = "") -> Classification:
    """What ``obj`` is: the model's classes, the most probable first."""
    jobs.run(asset_verbs.classify(obj, model))
    found = findings.classification()
    assert found
    return found


def label(assets: Collection | Sequence[Object], *, model: str = "") -> Labelling:
    """Labels for those of some assets whose ``gen3d.label`` is empty, learned from those that have one.

    The objects keep them as ``gen3d.guess``, with ``gen3d.probability``.
    """
    jobs.run(asset_verbs.label(_tops(assets), _title(assets), model))
    found = findings.labelling()
    assert found
    return found


def _camera_or_scene(camera: Object | None) -> Object:
    scene = bpy.context.scene
    camera = camera or (scene.camera if scene else None)
    if camera is None:
        raise BadRequest("The scene has no camera.", "Add one, or name another.")
    return camera


def _completer(obj: Object, text: str) -> str:
    """The model that made an object if it can complete it, else empty for the best one that can."""
    wanted = ("guided",) if text else verbs.COMPLETES
    made_by = recall(obj).model
    return made_by if any(card.id == made_by for card in models.able(*wanted)) else ""


def _source(given: Collection | Sequence[Object] | Path) -> Source:
    return Source.on_disk(given) if isinstance(given, Path) else Source.of(_title(given), _tops(given))


def _tops(given: Collection | Sequence[Object]) -> list[Object]:
    return inside(given) if isinstance(given, Collection) else list(tops(given))


def _title(given: Collection | Sequence[Object]) -> str:
    if isinstance(given, Collection):
        return given.name
    return given[0].name if len(given) == 1 else "Selection"
