"""What an object remembers of the request that made it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from bpy.types import Object
from numpy.typing import NDArray

from ..gen3d_core.errors import BadRequest
from ..gen3d_core.protocol import Event

Latent = NDArray[np.float32]

#: Loose parts below this share of a shape's surface are debris.
DEBRIS_SHARE = 0.02
LATENTS = ("latent", "a", "b")
#: Lists of an object: the shapes of a blend of more than two, and the sliders.
LISTS = ("ends", "sliders")
#: Numbers of a remembered camera, and of a remembered matrix.
FLAT, MATRIX = 22, 16
#: The task of what follows its properties between shapes.
BLEND = "interpolate"


@dataclass(frozen=True)
class End:
    """One of the shapes of a blend of more than two.

    Args:
        name: the object's that it was.
        latent: with shape (L,).
        weight: what it counts, beside the others.
    """

    name: str
    latent: Latent
    weight: float = 1.0


@dataclass(frozen=True)
class Slider:
    """One thing that can be changed of a shape: see :mod:`gen3d_core.directions`.

    Args:
        name: what it changes.
        direction: what one standard deviation more of it adds to a latent, with shape (K,), K at most L: zeros at the
            end are left out.
        value: how much more of it, in standard deviations of the model's own shapes.
        low, high: between these lie nearly all of the model's own shapes.
    """

    name: str
    direction: Latent
    value: float = 0.0
    low: float = -2.0
    high: float = 2.0


@dataclass(frozen=True)
class Quality:
    """How shapes become meshes.

    Args:
        resolution: samples along each side of the shape.
        faces: at most so many triangles, or quads; 0 is no limit.
        debris: whether small loose parts are left out.
        quads: whether they are quads instead of triangles.
    """

    resolution: int = 64
    faces: int = 0
    debris: bool = True
    quads: bool = False

    def options(self) -> dict[str, Any]:
        """As options of a request."""
        options = {
            "resolution": self.resolution,
            "faces": self.faces,
            "debris": DEBRIS_SHARE if self.debris else 0.0,
        }
        # Meshes of triangles have kept their keys since there were no others.
        return {**options, "quads": True} if self.quads else options


@dataclass(frozen=True)
class Memory:
    """The fields are those of :class:`.properties.Gen3DObject`.

    Args:
        task: ``sample``, ``from_text``, ``from_images``, ``vary``, ``interpolate``, ``arithmetic``, ``reconstruct``,
            ``complete``, ``complete_view``, ``refine`` or ``augment``; empty where not ours.
        model, weights: id and SHA-256 of the model.
        method: of an augmentation: ``model`` or ``geometry``; that one has no model.
        category: the class that was asked for.
        text: that described it, or guided a completion.
        pictures: names of the images that it was made of, one a line.
        view: of a completion, the camera that saw its source: :attr:`.views.Camera.flat`.
        chosen: of a completion, which faces of its source were made anew; see :mod:`.parts`.
        outline: of a completion, around what of its source a line was drawn; see :mod:`.parts`.
        exact: of a completion, whether what is kept keeps its triangles.
        note: what the engine had to say about it.
        frame: where ``fitted``, from the engine's coordinates to the object's, a matrix row by row.
        latent: with shape (L,), where the model has latents: of a blend that of the shown shape, else that of the shape
            before its sliders are moved.
        a, b: the ends of a blend of two, each with shape (L,).
        ends: of a blend of more.
        sliders: in the order of the panel.
    """

    task: str = ""
    model: str = ""
    weights: str = ""
    seed: int = 0
    t: float = 0.0
    resolution: int = 64
    faces: int = 0
    debris: bool = True
    quads: bool = False
    amount: float = 0.0
    method: str = ""
    fitted: bool = False
    source: str = ""
    boxed: bool = False
    box: tuple[float, ...] = (0.0,) * 6
    category: str = ""
    text: str = ""
    pictures: str = ""
    view: tuple[float, ...] = (0.0,) * FLAT
    chosen: str = ""
    outline: str = ""
    exact: bool = False
    note: str = ""
    frame: tuple[float, ...] = (0.0,) * MATRIX
    latent: Latent | None = None
    a: Latent | None = None
    b: Latent | None = None
    ends: tuple[End, ...] = ()
    sliders: tuple[Slider, ...] = ()

    @property
    def effective(self) -> Latent | None:
        """The latent of what is seen, with shape (L,): what the shape is varied and blended by."""
        if self.latent is None or self.task == BLEND:
            return self.latent
        change = offset(self.sliders, len(self.latent))
        return self.latent if change is None else self.latent + change

    @property
    def quality(self) -> Quality:
        """How it became a mesh."""
        return Quality(self.resolution, self.faces, self.debris, self.quads)

    def of(self, result: Event) -> "Memory":
        """With what one result adds."""
        seed = int(result.values.get("seed", self.seed))
        note = str(result.values.get("note", ""))
        return replace(self, seed=seed, note=note, latent=result.arrays.get("latent"))


def offset(sliders: Sequence[Slider], size: int, values: Sequence[float] | None = None) -> Latent | None:
    """What sliders add to a latent of ``size`` numbers; None where all of them stand at 0.

    Args:
        sliders: whose directions are no longer than that.
        size: of the latent.
        values: instead of the sliders' own.
    """
    found = np.zeros(size, dtype=np.float64)
    for slider, value in zip(sliders, values or [slider.value for slider in sliders], strict=True):
        found[: len(slider.direction)] += value * slider.direction
    return found.astype(np.float32) if found.any() else None


def recall(obj: Object) -> Memory:
    """What an object remembers."""
    group: Any = obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    values = {f.name: getattr(group, f.name) for f in fields(Memory) if f.name not in LATENTS + LISTS}
    values |= {name: tuple(values[name]) for name in ("box", "view", "frame")}
    values |= {name: _array(group.get(name)) for name in LATENTS}
    values["ends"] = tuple(End(end.name, _row(end, "latent"), end.weight) for end in group.ends)
    values["sliders"] = tuple(
        Slider(one.name, _row(one, "direction"), one.value, one.low, one.high) for one in group.sliders
    )
    return Memory(**values)


def remember(obj: Object, memory: Memory) -> None:
    """Writes it into an object."""
    group: Any = obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    values = {f.name: getattr(memory, f.name) for f in fields(Memory)}
    # Last, so that a half-written blend asks for nothing.
    task = values.pop("task")
    group.task = ""
    for name in LATENTS:
        store_latent(obj, name, values.pop(name))
    _store_ends(obj, values.pop("ends"))
    store_sliders(obj, values.pop("sliders"))
    for name, value in values.items():
        setattr(group, name, value)
    group.task = task


def store_latent(obj: Object, name: str, latent: Latent | None) -> None:
    """Writes one latent into an object: ``latent``, ``a`` or ``b``."""
    group: Any = obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    if latent is not None:
        group[name] = latent.astype(np.float64).tolist()
    elif name in group:
        del group[name]


def store_sliders(obj: Object, sliders: Sequence[Slider]) -> None:
    """Gives an object these sliders, and no others."""
    group: Any = obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    # Nothing follows them while they are written.
    task, group.task = group.task, ""
    group.sliders.clear()
    for slider in sliders:
        item = group.sliders.add()
        item.name, item.value, item.low, item.high = slider.name, slider.value, slider.low, slider.high
        item["direction"] = np.trim_zeros(slider.direction.astype(np.float64), "b").tolist()
    group.task = task


def _store_ends(obj: Object, ends: Sequence[End]) -> None:
    group: Any = obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    group.ends.clear()
    for end in ends:
        item = group.ends.add()
        item.name, item.weight = end.name, end.weight
        item["latent"] = end.latent.astype(np.float64).tolist()


def _array(stored: Any) -> Latent | None:
    return None if stored is None else np.array(stored, dtype=np.float32)


def _row(item: Any, name: str) -> Latent:
    found = _array(item.get(name))
    return np.zeros(0, dtype=np.float32) if found is None else found


def require_ours(obj: Object) -> Memory:
    """What an object remembers.

    Raises:
        BadRequest: it was not made by us.
    """
    memory = recall(obj)
    if not memory.task:
        raise BadRequest(
            f"'{obj.name}' was not made by Gen3D.", "Select a generated object, or reconstruct this one first."
        )
    return memory
