"""The buttons that look at assets: variations of each, which of them are unusual, and what they are."""

# Blender reads these annotations as properties, and its stubs know sets of literals only.
# pyright: reportInvalidTypeForm=false, reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from typing import Any, ClassVar

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy.types import Context, Event, Operator

from . import asset_verbs, assets, source, verbs
from .pressing import Verb, active, has_models, mesh_active, object_mode
from .properties import MAX_SEED, METHODS
from .source import FromSource


class GEN3D_OT_augment(FromSource, Verb, Operator):  # noqa: N801 - Blender's rule for names
    """Make variations of each asset, in a collection of their own beside them.
    Each object is one asset, together with its children. The assets stay as they are"""

    bl_idname = "gen3d.augment"
    bl_label = "Make Variations"
    settings: ClassVar[dict[str, str]] = {"count": "each", "seed": "seed", "amount": "change", "method": "method"}

    count: IntProperty(name="Each", description="How many variations of each asset", default=4, min=1, soft_max=16)
    seed: IntProperty(name="Seed", description="Of the first; the next ones follow", default=1, min=0, max=MAX_SEED)
    amount: FloatProperty(
        name="Amount", description="How far from the asset: 0 is the asset itself", default=0.3, min=0.0, max=1.0
    )
    method: EnumProperty(name="Method", description="What makes the variations", items=METHODS)

    def invoke(self: Any, context: Context, event: Event) -> set[str]:
        """See the base class."""
        if not bpy.app.background:
            self.settle(context)
        return Verb.invoke(self, context, event)

    def verb(self: Any, context: Context) -> verbs.Verb:
        """See the base class."""
        seeds = range(self.seed, self.seed + self.count)
        tops, title = self.tops(context), self.called(context)
        return asset_verbs.augment(tops, title, seeds, self.amount, self.method, self.model, self.quality())

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there are assets, where a person is to press it."""
        return object_mode(cls, context) and (bpy.app.background or not source.missing(cls, context, files=False))


class GEN3D_OT_find_outliers(FromSource, Verb, Operator):  # noqa: N801
    """List the assets by how unusual they are to the chosen model, the most unusual first.
    Nothing in the scene changes"""

    bl_idname = "gen3d.find_outliers"
    bl_label = "Find Outliers"
    bl_options: ClassVar[set[str]] = set()

    def invoke(self: Any, context: Context, event: Event) -> set[str]:
        """See the base class."""
        if not bpy.app.background:
            self.settle(context)
        return Verb.invoke(self, context, event)

    def verb(self: Any, context: Context) -> verbs.Verb:
        """See the base class."""
        return asset_verbs.rank(self.tops(context), self.called(context), self.model)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there are a model and assets, where a person is to press it."""
        if not (object_mode(cls, context) and has_models(cls)):
            return False
        return bpy.app.background or not source.missing(cls, context, files=False)


class GEN3D_OT_set_label(Operator):  # noqa: N801
    """Say what the selected assets are, as examples for Label the Rest; an empty label takes theirs away"""

    bl_idname = "gen3d.set_label"
    bl_label = "Set Label"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    label: StringProperty(name="Label", description="What they are; empty for none")

    def execute(self: Any, context: Context) -> set[str]:
        """Writes it into them."""
        tops: list[Any] = [obj for obj in assets.selected(context) if not obj.library]
        for group in (obj.gen3d for obj in tops):
            group.label, group.guess, group.probability = self.label.strip(), "", 0.0
        return {"FINISHED"} if tops else {"CANCELLED"}

    def invoke(self: Any, context: Context, event: Event) -> set[str]:
        """With the panel's label where the caller gives none."""
        if not self.properties.is_property_set("label"):
            self.label = context.scene.gen3d.label  # pyright: ignore[reportAttributeAccessIssue]
        return self.execute(context)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether something is selected."""
        if not context.selected_objects:
            cls.poll_message_set("Select the assets that are examples of one kind")
            return False
        return True


class GEN3D_OT_label(FromSource, Verb, Operator):  # noqa: N801
    """Label the assets that have no label, as they resemble those that have one"""

    bl_idname = "gen3d.label"
    bl_label = "Label the Rest"
    abilities: ClassVar[tuple[str, ...]] = ("features",)

    def invoke(self: Any, context: Context, event: Event) -> set[str]:
        """See the base class."""
        if not bpy.app.background:
            self.settle(context)
        return Verb.invoke(self, context, event)

    def verb(self: Any, context: Context) -> verbs.Verb:
        """See the base class."""
        return asset_verbs.label(self.tops(context), self.called(context), self.model)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there are a model and assets, where a person is to press it."""
        if not (object_mode(cls, context) and has_models(cls, *cls.abilities)):
            return False
        return bpy.app.background or not source.missing(cls, context, files=False)


class GEN3D_OT_classify(Verb, Operator):  # noqa: N801
    """Say which class the active mesh belongs to, and how sure that is. Nothing in the scene changes"""

    bl_idname = "gen3d.classify"
    bl_label = "What Is It?"
    bl_options: ClassVar[set[str]] = set()
    abilities: ClassVar[tuple[str, ...]] = ("classifies",)

    def verb(self, context: Context) -> verbs.Verb:
        """See the base class."""
        return asset_verbs.classify(active(context), self.model)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether a mesh is active."""
        return object_mode(cls, context) and has_models(cls, *cls.abilities) and mesh_active(cls, context)


CLASSES = (GEN3D_OT_augment, GEN3D_OT_find_outliers, GEN3D_OT_set_label, GEN3D_OT_label, GEN3D_OT_classify)
