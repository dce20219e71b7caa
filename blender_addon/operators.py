"""The buttons of what is made with shapes."""

# Blender reads these annotations as properties, and its stubs know sets of literals only.
# pyright: reportInvalidTypeForm=false, reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

import random
from typing import Any, ClassVar

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy.types import Context, Object, Operator

from ..gen3d_core.errors import BadRequest, Gen3DError
from . import again, library, models, parts, verbs
from .memory import recall
from .pressing import Button, Verb, active, failed, has_models, mesh_active, object_mode, ours_active
from .properties import KEPT, MAX_SEED


class GEN3D_OT_generate(Verb, Operator):  # noqa: N801 - Blender's rule for names
    """Make new shapes at the 3D cursor: a few in a row, many in a sheet to choose from"""

    bl_idname = "gen3d.generate"
    bl_label = "Generate"
    settings: ClassVar[dict[str, str]] = {"count": "count", "seed": "seed", "category": "category"}
    special: ClassVar[dict[str, str]] = {"category": "from_classes"}

    count: IntProperty(name="Count", description="How many shapes to make", default=1, min=1, soft_max=16)
    seed: IntProperty(
        name="Seed", description="Of the first shape; the next ones follow", default=1, min=0, max=MAX_SEED
    )
    category: StringProperty(name="Class", description="One of the model's classes; empty for whatever comes")

    def verb(self, context: Context) -> verbs.Verb:
        """See the base class."""
        category = "" if self.category == models.ANY else self.category
        return verbs.generate(self.model, range(self.seed, self.seed + self.count), self.quality(), category)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is a model."""
        return object_mode(cls, context) and has_models(cls)


class GEN3D_OT_interpolate(Verb, Operator):  # noqa: N801
    """Blend between the selected shapes, two to five: makes an object with sliders, at the 3D cursor.
    Shapes that the model did not make are reconstructed first"""

    bl_idname = "gen3d.interpolate"
    bl_label = "Interpolate"

    steps: IntProperty(name="Steps", description="So many shapes in a row; 0 for one with a slider", default=0, min=0)

    def verb(self, context: Context) -> verbs.Verb:
        """From the selected object that is not active to the active one; of more, the active one is the last."""
        meshes = _selected_meshes(context)
        if not 2 <= len(meshes) <= verbs.MOST_BLENDED:
            raise BadRequest(
                f"{len(meshes)} meshes are selected; expected 2 to {verbs.MOST_BLENDED}.",
                "Select two to five shapes, then try again.",
            )
        last = context.active_object if context.active_object in meshes else meshes[-1]
        assert last is not None
        ordered = [*(obj for obj in meshes if obj != last), last]
        model = "" if any(recall(obj).model for obj in ordered) else self.model
        if len(ordered) == 2:
            return verbs.interpolate(ordered[0], last, model, self.steps, self.quality())
        if self.steps:
            raise BadRequest("A row of steps goes between two shapes.", "Select two, or leave the steps at 0.")
        return verbs.blend(ordered, (), model, self.quality())

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether some meshes are selected, where a person is to press it."""
        if not (object_mode(cls, context) and has_models(cls)):
            return False
        if not bpy.app.background and not 2 <= len(_selected_meshes(context)) <= verbs.MOST_BLENDED:
            cls.poll_message_set("Select two to five shapes")
            return False
        return True


class GEN3D_OT_vary(Verb, Operator):  # noqa: N801
    """Make shapes near the active one, in a row at the 3D cursor"""

    bl_idname = "gen3d.vary"
    bl_label = "Vary"
    settings: ClassVar[dict[str, str]] = {"count": "variations", "seed": "seed", "amount": "amount"}

    count: IntProperty(name="Count", description="How many variations to make", default=4, min=1, soft_max=16)
    seed: IntProperty(name="Seed", description="Of the first; the next ones follow", default=1, min=0, max=MAX_SEED)
    amount: FloatProperty(
        name="Amount", description="0 is the shape itself, 1 is any shape of the model", default=0.3, min=0.0, max=1.0
    )

    def verb(self, context: Context) -> verbs.Verb:
        """See the base class."""
        return verbs.vary(active(context), range(self.seed, self.seed + self.count), self.amount, self.quality())

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether a generated shape is active."""
        return object_mode(cls, context) and ours_active(cls, context)


class GEN3D_OT_complete(Verb, Operator):  # noqa: N801
    """Make the missing part of the active mesh.
    The completed shapes are put beside it, along the X axis; the mesh itself stays as it is"""

    bl_idname = "gen3d.complete"
    bl_label = "Complete"
    settings: ClassVar[dict[str, str]] = {
        "count": "completions",
        "seed": "seed",
        "keep": "keep",
        "exact": "exact",
        "text": "guide",
    }
    abilities = verbs.COMPLETES
    special: ClassVar[dict[str, str]] = {"text": "guided"}

    count: IntProperty(name="Count", description="How many completions to make", default=1, min=1, soft_max=16)
    seed: IntProperty(name="Seed", description="Of the first; the next ones follow", default=1, min=0, max=MAX_SEED)
    keep: EnumProperty(name="Keep", description="Which part stays as it is", items=KEPT)
    exact: BoolProperty(name="Keep Exact", description="Keep the very triangles of what is kept", default=False)
    text: StringProperty(name="Description", description="What the whole is, for models that listen; may be empty")

    def verb(self, context: Context) -> verbs.Verb:
        """See the base class."""
        obj = active(context)
        box = None
        if self.keep == "OUTSIDE":
            others = [other for other in context.selected_objects if other != obj]
            if len(others) != 1:
                raise BadRequest(
                    f"{len(others)} other objects are selected; expected 1 as the box.",
                    "Select the box, then, too, the shape.",
                )
            box = others[0]
        seeds = range(self.seed, self.seed + self.count)
        selected = self.keep == "SELECTED"
        return verbs.complete(obj, box, self.model, seeds, self.quality(), self.text, selected, self.exact)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether a mesh is active, and where a person is to press it, some of its faces are selected if these count.

        In Edit Mode it is read as it is; the result waits for Object Mode.
        """
        if context.mode != "EDIT_MESH" and not object_mode(cls, context):
            return False
        if not (has_models(cls, *cls.abilities) and mesh_active(cls, context)):
            return False
        group: Any = context.scene.gen3d  # pyright: ignore[reportAttributeAccessIssue]
        obj = context.active_object
        if not bpy.app.background and group.keep == "SELECTED" and obj and parts.unfit(obj):
            cls.poll_message_set(f"{parts.unfit(obj)}: select the faces to be made anew in Edit Mode")
            return False
        return True


class GEN3D_OT_reconstruct(Verb, Operator):  # noqa: N801
    """Make the active mesh as the model sees it, so that it can be blended and varied.
    The new shape is put beside it, along the X axis"""

    bl_idname = "gen3d.reconstruct"
    bl_label = "Reconstruct"

    def verb(self, context: Context) -> verbs.Verb:
        """See the base class."""
        return verbs.reconstruct(active(context), self.model, self.quality())

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether a mesh is active."""
        return object_mode(cls, context) and has_models(cls) and mesh_active(cls, context)


class GEN3D_OT_regenerate(Button, Operator):  # noqa: N801
    """Make the mesh of the active shape again from what it remembers, in its present resolution.
    Edits by hand are replaced"""

    bl_idname = "gen3d.regenerate"
    bl_label = "Regenerate"

    def verb(self, context: Context) -> verbs.Verb:
        """See the base class."""
        return again.regenerate(active(context))

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether a generated shape is active."""
        return object_mode(cls, context) and ours_active(cls, context)


class GEN3D_OT_as_assets(Operator):  # noqa: N801
    """Make the selected shapes assets of this file: with a picture, in a catalogue named after their model.
    In the Asset Browser choose Current File, or save the file in an asset library"""

    bl_idname = "gen3d.as_assets"
    bl_label = "As Assets"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        shapes = _selected_meshes(context)
        try:
            catalogues = library.mark(shapes)
        except Gen3DError as error:
            return failed(self, error)
        where = f"in {', '.join(catalogues)}" if catalogues else "without a catalogue, until the file is saved"
        count = f"{len(shapes)} asset{'' if len(shapes) == 1 else 's'}"
        self.report({"INFO"}, f"{count} {where}")
        return {"FINISHED"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether meshes of this file are selected."""
        if not _selected_meshes(context):
            cls.poll_message_set("Select some shapes")
            return False
        if any(obj.library for obj in _selected_meshes(context)):
            cls.poll_message_set("Some are linked from another file, which alone can make them assets")
            return False
        return object_mode(cls, context)


class GEN3D_OT_new_seed(Operator):  # noqa: N801
    """Take another seed at random"""

    bl_idname = "gen3d.new_seed"
    bl_label = "New Seed"
    bl_options: ClassVar[set[str]] = {"UNDO", "INTERNAL"}

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        context.scene.gen3d.seed = random.randrange(1, 100_000)  # pyright: ignore[reportAttributeAccessIssue]
        return {"FINISHED"}


def _selected_meshes(context: Context) -> list[Object]:
    return [obj for obj in context.selected_objects if obj.type == "MESH"]


CLASSES = (
    GEN3D_OT_generate,
    GEN3D_OT_interpolate,
    GEN3D_OT_vary,
    GEN3D_OT_complete,
    GEN3D_OT_reconstruct,
    GEN3D_OT_regenerate,
    GEN3D_OT_as_assets,
    GEN3D_OT_new_seed,
)
