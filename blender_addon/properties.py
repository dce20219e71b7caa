"""What Blender saves for us: the panel's settings on the scene, the request on the object, the key on the mesh."""

# Blender reads these annotations as properties.
# pyright: reportInvalidTypeForm=false

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)
from bpy.types import PropertyGroup

from . import models, slider

MAX_SEED = 2**31 - 1

RESOLUTIONS = [
    ("32", "32", "Coarse and quick"),
    ("64", "64", "Good for most shapes"),
    ("128", "128", "Fine; takes about eight times as long as 64"),
]
KEPT = [
    ("REST", "What Is Left", "Delete the faces to be replaced; what is near the remaining ones is kept"),
    ("OUTSIDE", "Outside of a Box", "Select an object around the part to be replaced, then, too, the shape"),
]


def _model_index(settings: "Gen3DSettings") -> int:
    ids = [card.id for card in models.listing()]
    return ids.index(settings.model_id) if settings.model_id in ids else 0


def _set_model_index(settings: "Gen3DSettings", index: int) -> None:
    settings.model_id = models.listing()[index].id


class Gen3DSettings(PropertyGroup):
    """What the panel shows; the scene holds it."""

    # The name is what is saved: a number would mean another model as soon as one is added.
    model_id: StringProperty(options={"HIDDEN"})
    model: EnumProperty(
        name="Model",
        description="What makes the shapes",
        items=models.items,
        get=_model_index,
        set=_set_model_index,
        options=set(),
    )
    count: IntProperty(name="Count", description="How many shapes to make", default=4, min=1, max=1000, soft_max=16)
    seed: IntProperty(
        name="Seed",
        description="The same seed makes the same shape; the next ones follow",
        default=1,
        min=0,
        max=MAX_SEED,
    )
    resolution: EnumProperty(
        name="Resolution", description="Samples along each side of the shape", items=RESOLUTIONS, default="64"
    )
    faces: IntProperty(
        name="Face Budget", description="At most so many triangles; 0 is no limit", default=0, min=0, soft_max=50_000
    )
    debris: BoolProperty(name="Remove Debris", description="Leave out small loose parts", default=True)
    amount: FloatProperty(
        name="Amount",
        description="How far variations lie from the shape: 0 is the shape itself, 1 is any shape of the model",
        default=0.3,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    variations: IntProperty(
        name="Count", description="How many variations to make", default=4, min=1, max=100, soft_max=16
    )
    keep: EnumProperty(name="Keep", description="Which part stays as it is", items=KEPT)
    completions: IntProperty(
        name="Count", description="How many completions to make", default=1, min=1, max=100, soft_max=16
    )


class Gen3DObject(PropertyGroup):
    """The request that an object came from; ``task`` is empty where it did not come from us.

    Latents are stored beside these as arrays of numbers: ``latent``, and for a slider its ends ``a`` and ``b``.
    """

    task: StringProperty()
    model: StringProperty(name="Model")
    weights: StringProperty(name="Weights", description="SHA-256 of the weights")
    seed: IntProperty(name="Seed", min=0, max=MAX_SEED)
    t: FloatProperty(
        name="Blend",
        description="From the first shape (0) to the second (1). Can be animated",
        min=0.0,
        max=1.0,
        precision=3,
        subtype="FACTOR",
        update=slider.changed,
    )
    resolution: IntProperty(
        name="Resolution",
        description="Samples along each side of the shape",
        default=64,
        min=8,
        max=1024,
        soft_min=32,
        soft_max=128,
        update=slider.changed,
    )
    faces: IntProperty(
        name="Face Budget",
        description="At most so many triangles; 0 is no limit",
        min=0,
        soft_max=50_000,
        update=slider.changed,
    )
    debris: BoolProperty(
        name="Remove Debris", description="Leave out small loose parts", default=True, update=slider.changed
    )
    amount: FloatProperty(name="Amount", min=0.0, max=1.0)
    fitted: BoolProperty(description="The mesh is in the artist's coordinates and not in the engine's frame")
    source: StringProperty(name="Source", description="The object that this was made from")
    boxed: BoolProperty()
    box: FloatVectorProperty(size=6)


class Gen3DMesh(PropertyGroup):
    """What a mesh was made from, so that it can be told whether it still is what its object's properties say."""

    key: StringProperty()
    fingerprint: StringProperty()


CLASSES = (Gen3DSettings, Gen3DObject, Gen3DMesh)


def register() -> None:
    """Adds the properties; the classes are registered before."""
    bpy.types.Scene.gen3d = PointerProperty(type=Gen3DSettings)  # pyright: ignore[reportAttributeAccessIssue]
    bpy.types.Object.gen3d = PointerProperty(type=Gen3DObject)  # pyright: ignore[reportAttributeAccessIssue]
    bpy.types.Mesh.gen3d = PointerProperty(type=Gen3DMesh)  # pyright: ignore[reportAttributeAccessIssue]


def unregister() -> None:
    """Takes them away; what is saved in files stays there."""
    del bpy.types.Mesh.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    del bpy.types.Object.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    del bpy.types.Scene.gen3d  # pyright: ignore[reportAttributeAccessIssue]
