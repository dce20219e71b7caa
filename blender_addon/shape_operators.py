"""The buttons for a shape that follows its sliders: get them, put them back, bake what is animated."""

# Blender reads these annotations as properties, and its stubs know sets of literals only.
# pyright: reportInvalidTypeForm=false, reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from typing import Any, ClassVar

from bpy.props import EnumProperty, IntProperty
from bpy.types import Context, Event, Object, Operator

from ..gen3d_core.errors import Gen3DError
from . import baking, objects, slider_verbs, verbs
from .pressing import Button, active, failed, object_mode
from .properties import BAKES
from .wanted import follows


class GEN3D_OT_sliders(Button, Operator):  # noqa: N801 - Blender's rule for names
    """Get what the model can change of the active shape: how high, how wide, how thick its legs are.
    The first time for a model of your own, they are found from its shapes, which takes some minutes"""

    bl_idname = "gen3d.sliders"
    bl_label = "Get Sliders"

    def verb(self, context: Context) -> verbs.Verb:
        """See the base class."""
        return slider_verbs.sliders(active(context))

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether a shape with a latent is active."""
        if not object_mode(cls, context):
            return False
        obj = context.active_object
        if obj is None or not objects.task_of(obj) or not obj.gen3d.get("latent"):  # pyright: ignore
            cls.poll_message_set("Click a shape that was generated, blended, varied or reconstructed here")
            return False
        return True


class GEN3D_OT_reset_sliders(Operator):  # noqa: N801
    """Put all sliders of the active shape to 0"""

    bl_idname = "gen3d.reset_sliders"
    bl_label = "Reset Sliders"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        try:
            slider_verbs.reset(active(context))
        except Gen3DError as error:
            return failed(self, error)
        return {"FINISHED"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether the active object has sliders."""
        return object_mode(cls, context) and context.active_object is not None and follows(context.active_object)


class GEN3D_OT_bake(Button, Operator):  # noqa: N801
    """Make the animation of the active shape independent of Gen3D: a new collection with a mesh for each frame, or
    with one mesh that deforms. The shape itself is hidden"""

    bl_idname = "gen3d.bake"
    bl_label = "Bake"

    start: IntProperty(name="Start", description="First frame; the scene's where it is not given")
    end: IntProperty(name="End", description="Last frame; the scene's where it is not given")
    step: IntProperty(name="Step", description="Every so many frames", default=1, min=1)
    method: EnumProperty(name="Bake To", description="What the frames become", items=BAKES)

    def verb(self, context: Context) -> verbs.Verb:
        """See the base class."""
        scene: Any = context.scene
        given = self.properties.is_property_set  # pyright: ignore[reportAttributeAccessIssue]
        start = self.start if given("start") else scene.frame_start
        end = self.end if given("end") else scene.frame_end
        return baking.bake(active(context), start, end, self.step, self.method)

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Begins in the background, with the panel's settings where the caller gives none."""
        group = context.scene.gen3d  # pyright: ignore[reportAttributeAccessIssue]
        for name in ("step", "method"):
            if not self.properties.is_property_set(name):  # pyright: ignore[reportAttributeAccessIssue]
                setattr(self, name, getattr(group, f"bake_{name}"))
        return super().invoke(context, event)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether the active shape follows its sliders."""
        if not object_mode(cls, context):
            return False
        obj: Object | None = context.active_object
        if obj is None or not follows(obj):
            cls.poll_message_set("Click a blend, or a shape with sliders")
            return False
        return True


CLASSES = (GEN3D_OT_sliders, GEN3D_OT_reset_sliders, GEN3D_OT_bake)
