"""What Blender saves for us: the panel's settings on the scene, the request on the object, the key on the mesh.

What the window manager holds is not saved.
"""

# Blender reads these annotations as properties.
# pyright: reportInvalidTypeForm=false

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)
from bpy.types import Collection, Context, Image, Object, PropertyGroup

from ..gen3d_core import runs
from . import findings, models, outliers, papers, slider
from .memory import FLAT, MATRIX

MAX_SEED = 2**31 - 1

RESOLUTIONS = [
    ("32", "32", "Coarse and quick"),
    ("64", "64", "Good for most shapes"),
    ("128", "128", "Fine; takes about eight times as long as 64"),
]
QUADS = (
    "Quads instead of triangles: each face has four corners, which is easy to edit and to subdivide. With a face "
    "budget they come from a coarser grid, drawn onto the fine surface"
)
KEPT = [
    # With the numbers that are saved in files.
    ("REST", "What Is Left", "Delete the faces to be replaced; what is near the remaining ones is kept", 0),
    (
        "SELECTED",
        "What Is Not Selected",
        "Select the faces to be replaced in Edit Mode, by any tool; what is near the others is kept",
        2,
    ),
    ("OUTSIDE", "Outside of a Box", "Select an object around the part to be replaced, then, too, the shape", 1),
]
VIEWS = [
    ("VIEW", "This View", "As the 3D view shows it"),
    ("CAMERA", "Camera", "As the scene's camera sees it"),
]
SOURCES = [
    ("SELECTION", "Selection", "What is selected: each object is one asset, together with its children"),
    (
        "COLLECTION",
        "Collection",
        "What is in a collection and in those inside it: each object is one asset, together "
        "with its children. What is hidden is left out",
    ),
    ("FILES", "Files", "A folder of mesh files, a zip, or a single file: each file is one asset"),
]
PICTURES = [
    (runs.SAMPLES, "Samples", "Shapes that the model makes, always of the same seeds: they become better as it learns"),
    (runs.CURVE, "Curve", "The errors that the training makes smaller, over its steps"),
]
BAKES = [
    ("MESHES", "Meshes", "A mesh for each frame, shown one at a time; always works"),
    (
        "SHAPE_KEYS",
        "Shape Keys",
        "One mesh that deforms; works where no part and no hole comes or goes, else there will be meshes",
    ),
]
METHODS = [
    ("model", "By Model", "The model makes new shapes near each asset: parts may change"),
    ("geometry", "By Geometry", "Each asset is scaled, bent and mirrored a little: its parts stay"),
]


def system_items(owner: object, context: Context | None) -> list[Any]:
    """The systems that can be trained."""
    return papers.items()


def _start_index(settings: "Gen3DSettings") -> int:
    ids = [models.SCRATCH, *(card.id for card in models.listing())]
    # Few assets are the normal case, and a model that knows shapes already makes the most of them.
    return ids.index(settings.start_id) if settings.start_id in ids else min(1, len(ids) - 1)


def _set_start_index(settings: "Gen3DSettings", index: int) -> None:
    settings.start_id = [models.SCRATCH, *(card.id for card in models.listing())][index]


def _system_index(settings: "Gen3DSettings") -> int:
    names = [paper.name for paper in papers.listing()]
    best = [card.system for card in models.listing()]
    return next((names.index(name) for name in (settings.system_name, *best) if name in names), 0)


def _set_system_index(settings: "Gen3DSettings", index: int) -> None:
    settings.system_name = papers.listing()[index].name


def _model_index(settings: "Gen3DSettings") -> int:
    ids = [card.id for card in models.listing()]
    return ids.index(settings.model_id) if settings.model_id in ids else 0


def _set_model_index(settings: "Gen3DSettings", index: int) -> None:
    settings.model_id = models.listing()[index].id


def category_items(settings: "Gen3DSettings", context: Context | None) -> list[Any]:
    """The classes of the chosen model."""
    return models.class_items(settings.model)


def _category_index(settings: "Gen3DSettings") -> int:
    names = [item[0] for item in models.class_items(settings.model)]
    return names.index(settings.category_name) if settings.category_name in names else 0


def _set_category_index(settings: "Gen3DSettings", index: int) -> None:
    settings.category_name = models.class_items(settings.model)[index][0]


def _is_mesh(settings: "Gen3DSettings", obj: Object) -> bool:
    return obj.type == "MESH"


class Gen3DPicture(PropertyGroup):
    """One picture of the thing that a shape is to be made of."""

    image: PointerProperty(name="Image", description="A picture of the thing, upright and whole", type=Image)


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
    category_name: StringProperty(options={"HIDDEN"})
    category: EnumProperty(
        name="Class",
        description="What kind of thing to make",
        items=category_items,
        get=_category_index,
        set=_set_category_index,
        options=set(),
    )
    text: StringProperty(name="Text", description="What the shape is, in a few words: a wide table with four thin legs")
    pictures: CollectionProperty(type=Gen3DPicture)
    look: EnumProperty(name="From", description="Where the shape is looked at from", items=VIEWS)
    guide: StringProperty(name="Description", description="What the whole shape is, in a few words; may be empty")
    term_a: PointerProperty(name="A", description="Shape that has something", type=Object, poll=_is_mesh)
    term_b: PointerProperty(name="B", description="The same sort of shape without it", type=Object, poll=_is_mesh)
    term_c: PointerProperty(name="C", description="Shape that is to get it", type=Object, poll=_is_mesh)
    label: StringProperty(name="Label", description="What the selected assets are; empty takes their label away")
    resolution: EnumProperty(
        name="Resolution", description="Samples along each side of the shape", items=RESOLUTIONS, default="64"
    )
    faces: IntProperty(
        name="Face Budget",
        description="At most so many triangles, or quads; 0 is no limit",
        default=0,
        min=0,
        soft_max=50_000,
    )
    debris: BoolProperty(name="Remove Debris", description="Leave out small loose parts", default=True)
    quads: BoolProperty(name="Quads", description=QUADS, default=False)
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
    exact: BoolProperty(
        name="Keep Exact",
        description="Keep the very triangles of what is kept, and make only the rest; else all of the shape is made "
        "of the model's cells",
        default=False,
    )
    completions: IntProperty(
        name="Count", description="How many completions to make", default=1, min=1, max=100, soft_max=16
    )
    source: EnumProperty(name="Assets", description="What counts as your assets", items=SOURCES)
    collection: PointerProperty(name="Collection", description="Each object in it is one asset", type=Collection)
    title: StringProperty(
        name="Name", description="Of the new model, as the list of models shows it", default="My Model"
    )
    start_id: StringProperty(options={"HIDDEN"})
    start: EnumProperty(
        name="Start From",
        description="What the training begins with. A model that knows shapes already makes the most of a few assets",
        items=models.start_items,
        get=_start_index,
        set=_set_start_index,
        options=set(),
    )
    system_name: StringProperty(options={"HIDDEN"})
    system: EnumProperty(
        name="System",
        description="What kind of model is trained",
        items=system_items,
        get=_system_index,
        set=_set_system_index,
        options=set(),
    )
    minutes: IntProperty(
        name="Minutes",
        description="How long it may learn; preparing the assets and measuring the model come on top",
        default=20,
        min=1,
        soft_max=600,
    )
    mirror: BoolProperty(
        name="Also Mirrored",
        description="Learn each asset also with left and right exchanged; not for assets that have a side, as letters",
        default=True,
    )
    rotate: BoolProperty(
        name="Also Turned",
        description="Learn each asset also turned about the vertical axis; not for assets that have a front, as chairs",
        default=False,
    )
    each: IntProperty(
        name="Each", description="How many variations of each asset to make", default=4, min=1, max=100, soft_max=16
    )
    change: FloatProperty(
        name="Amount",
        description="How far variations lie from their asset: 0 is the asset itself",
        default=0.3,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    method: EnumProperty(name="Method", description="What makes the variations", items=METHODS)
    bake_step: IntProperty(name="Step", description="Every so many frames", default=1, min=1, soft_max=10)
    bake_method: EnumProperty(name="Bake To", description="What the frames become", items=BAKES)


class Gen3DEnd(PropertyGroup):
    """One of the shapes of a blend of more than two, by its object's name. Its ``latent`` is stored beside these."""

    weight: FloatProperty(
        name="Weight",
        description="How much of this shape, beside the others. Can be animated",
        default=1.0,
        min=0.0,
        soft_max=1.0,
        precision=3,
        subtype="FACTOR",
        update=slider.changed,
    )


class Gen3DSlider(PropertyGroup):
    """One thing that can be changed of a shape; its name says what. Its ``direction`` is stored beside these."""

    value: FloatProperty(
        name="Value",
        description="More or less of it, in standard deviations of the model's own shapes. Can be animated",
        min=-6.0,
        max=6.0,
        soft_min=-3.0,
        soft_max=3.0,
        precision=2,
        update=slider.changed,
    )
    low: FloatProperty(description="Nearly all of the model's own shapes lie above")
    high: FloatProperty(description="Nearly all of the model's own shapes lie below")


class Gen3DObject(PropertyGroup):
    """The request that an object came from; ``task`` is empty where it did not come from us. And what any object is:
    ``label`` as the artist says, ``guess`` as a model does.

    Latents are stored beside these as arrays of numbers: ``latent``, and for a blend of two its ends ``a`` and ``b``.
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
    ends: CollectionProperty(type=Gen3DEnd)
    sliders: CollectionProperty(type=Gen3DSlider)
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
        description="At most so many triangles, or quads; 0 is no limit",
        min=0,
        soft_max=50_000,
        update=slider.changed,
    )
    debris: BoolProperty(
        name="Remove Debris", description="Leave out small loose parts", default=True, update=slider.changed
    )
    quads: BoolProperty(name="Quads", description=QUADS, default=False, update=slider.changed)
    amount: FloatProperty(name="Amount", min=0.0, max=1.0)
    method: StringProperty(name="Method", description="Of an augmentation: model or geometry")
    fitted: BoolProperty(description="The mesh is in the artist's coordinates and not in the engine's frame")
    source: StringProperty(name="Source", description="The object that this was made from")
    boxed: BoolProperty()
    box: FloatVectorProperty(size=6)
    category: StringProperty(name="Class")
    text: StringProperty(name="Text", description="That described it")
    pictures: StringProperty(name="Pictures", description="Names of the images that it was made of")
    view: FloatVectorProperty(size=FLAT)
    batch: StringProperty(description="Shared by all that was made together with it")
    chosen: StringProperty(description="Which faces of its source were made anew")
    outline: StringProperty(description="Around what of its source a line was drawn, and in which view")
    exact: BoolProperty(name="Keep Exact", description="What was kept has its own triangles")
    note: StringProperty(name="Note", description="What the engine had to say about it")
    frame: FloatVectorProperty(size=MATRIX)
    label: StringProperty(name="Label", description="What it is, by hand")
    guess: StringProperty(name="Guess", description="What it is, as a model says")
    probability: FloatProperty(name="Probability", description="Of the guess", min=0.0, max=1.0)


class Gen3DMesh(PropertyGroup):
    """What a mesh was made from, so that it can be told whether it still is what its object's properties say."""

    key: StringProperty()
    fingerprint: StringProperty()


class Gen3DRow(PropertyGroup):
    """One row of a list of assets; its name is the object's."""

    uid: StringProperty()


class Gen3DWindow(PropertyGroup):
    """What belongs to this sitting and not to the file: paths of this machine, and lists."""

    path: StringProperty(
        name="Path", description="A folder of mesh files, a zip, or a single mesh file", subtype="FILE_PATH"
    )
    picture: EnumProperty(name="Picture", description="What is shown of a training", items=PICTURES)
    ranked: CollectionProperty(type=Gen3DRow)
    outlier: IntProperty(name="Outlier", description="Click to select it", default=-1, update=outliers.pick)
    labelled: CollectionProperty(type=Gen3DRow)
    guess: IntProperty(name="Label", description="Click to select it", default=-1, update=findings.pick)


CLASSES = (Gen3DPicture, Gen3DSettings, Gen3DEnd, Gen3DSlider, Gen3DObject, Gen3DMesh, Gen3DRow, Gen3DWindow)


def register() -> None:
    """Adds the properties; the classes are registered before."""
    bpy.types.Scene.gen3d = PointerProperty(type=Gen3DSettings)  # pyright: ignore[reportAttributeAccessIssue]
    bpy.types.Object.gen3d = PointerProperty(type=Gen3DObject)  # pyright: ignore[reportAttributeAccessIssue]
    bpy.types.Mesh.gen3d = PointerProperty(type=Gen3DMesh)  # pyright: ignore[reportAttributeAccessIssue]
    bpy.types.WindowManager.gen3d = PointerProperty(type=Gen3DWindow)  # pyright: ignore[reportAttributeAccessIssue]


def unregister() -> None:
    """Takes them away; what is saved in files stays there."""
    del bpy.types.WindowManager.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    del bpy.types.Mesh.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    del bpy.types.Object.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    del bpy.types.Scene.gen3d  # pyright: ignore[reportAttributeAccessIssue]
