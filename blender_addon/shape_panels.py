"""Below the active shape: its sliders, and what makes its animation independent. See :mod:`.panels`."""

# The stubs know sets of literals only.
# pyright: reportIncompatibleVariableOverride=false

from typing import Any, ClassVar

from bpy.types import Context, Panel

from . import objects
from .panels import Tab, draw_small, settings_of, split
from .text import draw_text, letters
from .wanted import follows


class GEN3D_PT_sliders(Tab, Panel):  # noqa: N801 - Blender's rule for names
    """What the model can change of the active shape, by name."""

    bl_label = "Sliders"
    bl_parent_id = "GEN3D_PT_shape"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether the active object is ours."""
        return context.active_object is not None and bool(objects.task_of(context.active_object))

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, obj = split(self), context.active_object
        assert obj is not None
        group = objects.properties(obj)
        column = layout.column(align=True)
        column.use_property_split = False
        beyond: list[str] = []
        for item in group.sliders:
            row: Any = column.row(align=True)
            row.alert = not item.low <= item.value <= item.high
            row.prop(item, "value", text=item.name, slider=True)
            beyond += [item.name] if row.alert else []
        if beyond:
            words = f"{', '.join(beyond)}: beyond what the model's own shapes show, so it may look odd"
            draw_text(layout, words, letters(context), "INFO")
        row = layout.row(align=True)
        if group.sliders:
            row.operator("gen3d.reset_sliders", icon="LOOP_BACK")
        else:
            draw_small(layout, "gen3d.sliders", "OPTIONS")


class GEN3D_PT_bake(Tab, Panel):  # noqa: N801
    """The animation of the active shape as meshes."""

    bl_label = "Bake"
    bl_parent_id = "GEN3D_PT_shape"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether the active shape follows its sliders."""
        return context.active_object is not None and follows(context.active_object)

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = split(self), settings_of(context)
        column = layout.column(align=True)
        column.prop(context.scene, "frame_start", text="Start")
        column.prop(context.scene, "frame_end", text="End")
        column.prop(settings, "bake_step")
        layout.row().prop(settings, "bake_method", expand=True)
        draw_small(layout, "gen3d.bake", "RENDER_ANIMATION")


CLASSES = (GEN3D_PT_sliders, GEN3D_PT_bake)
