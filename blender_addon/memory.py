"""What an object remembers of the request that made it."""

from dataclasses import asdict, dataclass, fields, replace
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
#: Numbers of a remembered camera.
FLAT = 22


@dataclass(frozen=True)
class Quality:
    """How shapes become meshes.

    Args:
        resolution: samples along each side of the shape.
        faces: at most so many triangles; 0 is no limit.
        debris: whether small loose parts are left out.
    """

    resolution: int = 64
    faces: int = 0
    debris: bool = True

    def options(self) -> dict[str, Any]:
        """As options of a request."""
        return {
            "resolution": self.resolution,
            "faces": self.faces,
            "debris": DEBRIS_SHARE if self.debris else 0.0,
        }


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
        latent: with shape (L,), where the model has latents.
        a, b: the ends of a slider, each with shape (L,).
    """

    task: str = ""
    model: str = ""
    weights: str = ""
    seed: int = 0
    t: float = 0.0
    resolution: int = 64
    faces: int = 0
    debris: bool = True
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
    latent: Latent | None = None
    a: Latent | None = None
    b: Latent | None = None

    @property
    def quality(self) -> Quality:
        """How it became a mesh."""
        return Quality(self.resolution, self.faces, self.debris)

    def of(self, result: Event) -> "Memory":
        """With what one result adds."""
        seed = int(result.values.get("seed", self.seed))
        return replace(self, seed=seed, latent=result.arrays.get("latent"))


def recall(obj: Object) -> Memory:
    """What an object remembers."""
    group: Any = obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    values = {f.name: getattr(group, f.name) for f in fields(Memory) if f.name not in LATENTS}
    values["box"], values["view"] = tuple(values["box"]), tuple(values["view"])
    for name in LATENTS:
        stored = group.get(name)
        values[name] = None if stored is None else np.array(stored, dtype=np.float32)
    return Memory(**values)


def remember(obj: Object, memory: Memory) -> None:
    """Writes it into an object."""
    group: Any = obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    values = asdict(memory)
    # Last, so that a half-written slider asks for nothing.
    task = values.pop("task")
    group.task = ""
    for name in LATENTS:
        store_latent(obj, name, values.pop(name))
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
