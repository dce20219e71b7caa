"""Gen3D for scripts: each function waits for its result and returns the new objects.

    from bl_ext.user_default.gen3d.blender_addon import api
    a, b = api.generate(seeds=(1, 2))
    slider, = api.interpolate(a, b)
    slider.gen3d.t = 0.25

Where something cannot be done, a function raises :class:`gen3d_core.errors.Gen3DError`, with a sentence and a remedy,
and leaves Blender's data as it was. Resolutions are samples along each side; ``faces`` is a budget of triangles, 0 is
none. An empty ``model`` is the model that made the objects, else the best one.
"""

from collections.abc import Sequence

from bpy.types import Object

from . import jobs, slider, verbs
from .memory import Quality, recall


def generate(
    model: str = "", seeds: Sequence[int] = (1,), resolution: int = 64, *, faces: int = 0, debris: bool = True
) -> list[Object]:
    """New shapes, one per seed, in a row at the 3D cursor.

    Args:
        model: id of a model.
        seeds: the same seed makes the same shape.
        resolution, faces: see above.
        debris: whether small loose parts are removed.
    """
    return jobs.run(verbs.generate(model, seeds, Quality(resolution, faces, debris)))


def interpolate(
    a: Object,
    b: Object,
    steps: int = 0,
    *,
    model: str = "",
    resolution: int = 64,
    faces: int = 0,
    debris: bool = True,
) -> list[Object]:
    """One object whose ``gen3d.t`` blends from ``a`` to ``b``; with ``steps``, so many objects from ``a`` to ``b``.

    Args:
        a, b: generated objects, or any meshes where the model can reconstruct them.
        steps: at least 2, or 0 for the slider.
        model, resolution, faces, debris: as for :func:`generate`.
    """
    return jobs.run(verbs.interpolate(a, b, model, steps, Quality(resolution, faces, debris)))


def vary(
    obj: Object,
    seeds: Sequence[int] = (1, 2, 3, 4),
    amount: float = 0.3,
    *,
    resolution: int = 64,
    faces: int = 0,
    debris: bool = True,
) -> list[Object]:
    """Shapes near ``obj``, one per seed, in a row at the 3D cursor.

    Args:
        obj: a generated object.
        seeds: the same seed makes the same variation.
        amount: 0 is the shape itself, 1 is any shape of the model.
        resolution, faces, debris: as for :func:`generate`.
    """
    return jobs.run(verbs.vary(obj, seeds, amount, Quality(resolution, faces, debris)))


def complete(
    obj: Object,
    seeds: Sequence[int] = (1,),
    box: Object | None = None,
    *,
    model: str = "",
    resolution: int = 64,
    faces: int = 0,
    debris: bool = True,
) -> list[Object]:
    """Completions of ``obj``, one per seed, beside it.

    Args:
        obj: a mesh; without ``box``, one from which the faces to be replaced were deleted.
        seeds: the same seed makes the same completion.
        box: an object whose bounding box in the world is the region to be made anew.
        model, resolution, faces, debris: as for :func:`generate`.
    """
    return jobs.run(verbs.complete(obj, box, model or recall(obj).model, seeds, Quality(resolution, faces, debris)))


def reconstruct(
    obj: Object, *, model: str = "", resolution: int = 64, faces: int = 0, debris: bool = True
) -> list[Object]:
    """``obj`` as a model sees it, beside it; the new object can be interpolated and varied."""
    return jobs.run(verbs.reconstruct(obj, model or recall(obj).model, Quality(resolution, faces, debris)))


def regenerate(obj: Object) -> list[Object]:
    """Makes a generated object's mesh again, in its present ``gen3d.resolution``; edits by hand are replaced."""
    return jobs.run(verbs.regenerate(obj))


def refresh(obj: Object) -> None:
    """Waits until the mesh of a blend shows its present ``gen3d.t``; in a window it follows by itself soon after."""
    slider.refresh(obj)
