"""The sidebar tab. Drawing reads, and changes nothing."""

# The stubs know sets of literals only.
# pyright: reportIncompatibleVariableOverride=false

from typing import Any, ClassVar

from bpy.types import Context, Panel, UILayout

from . import jobs, models, objects, slider
from .status import status
from .text import draw_text, letters


class Tab:
    """What the panels of the tab share."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Gen3D"


class GEN3D_PT_generate(Tab, Panel):  # noqa: N801 - Blender's rule for names
    """New shapes, and what is under way."""

    bl_label = "Generate"
    bl_idname = "GEN3D_PT_generate"

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = split(self), settings_of(context)
        _draw_error(layout, context)
        cards = models.listing()
        if not cards:
            draw_text(layout, "There are no models. Name a folder of them in the preferences.", letters(context))
            layout.operator("gen3d.open_preferences", icon="PREFERENCES")
            return
        _draw_model(layout, context, settings)
        column = layout.column(align=True)
        column.prop(settings, "count")
        row = column.row(align=True)
        row.prop(settings, "seed")
        row.operator("gen3d.new_seed", text="", icon="FILE_REFRESH")
        layout.row().prop(settings, "resolution", expand=True)
        # The bar takes the place of the button, so that nothing jumps when a task begins or ends.
        place = layout.column(align=True)
        place.scale_y = 1.5
        for job in jobs.active():
            row = place.row(align=True)
            row.progress(factor=job.fraction, text=job.text)
            row.operator("gen3d.cancel", text="", icon="X")
        if not jobs.active():
            place.operator("gen3d.generate", icon="ADD")


class GEN3D_PT_options(Tab, Panel):  # noqa: N801
    """What is rarely changed."""

    bl_label = "Mesh"
    bl_parent_id = "GEN3D_PT_generate"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = split(self), settings_of(context)
        layout.prop(settings, "faces")
        layout.prop(settings, "debris")


class GEN3D_PT_shape(Tab, Panel):  # noqa: N801
    """The active shape: its slider, its origin, its children."""

    bl_label = "Shape"

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = split(self), settings_of(context)
        obj = context.active_object
        task = objects.task_of(obj) if obj else ""
        if obj and task:
            group: Any = obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]
            if task == slider.TASK:
                row = layout.row()
                row.use_property_split = False
                row.scale_y = 1.4
                row.prop(group, "t", slider=True)
            column = layout.column()
            column.prop(group, "resolution")
            column.prop(group, "faces")
            note = status.notes.get(obj.session_uid)
            if note:
                draw_text(layout, note, letters(context), "INFO")
            # A blend follows its properties by itself, unless something keeps it from doing so.
            if note or task != slider.TASK:
                layout.operator("gen3d.regenerate", icon="FILE_REFRESH")
            layout.separator()
        layout.operator("gen3d.interpolate", icon="ARROW_LEFTRIGHT")
        layout.separator()
        column = layout.column(align=True)
        column.prop(settings, "amount", slider=True)
        column.prop(settings, "variations")
        layout.operator("gen3d.vary", icon="MOD_ARRAY")


class GEN3D_PT_complete(Tab, Panel):  # noqa: N801
    """The missing part of a mesh."""

    bl_label = "Complete"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = split(self), settings_of(context)
        column = layout.column()
        column.prop(settings, "keep")
        column.prop(settings, "completions")
        layout.operator("gen3d.complete", icon="MOD_BOOLEAN")
        layout.operator("gen3d.reconstruct", icon="MOD_REMESH")


def _draw_model(layout: UILayout, context: Context, settings: Any) -> None:
    card = models.find(settings.model)
    column = layout.column()
    column.use_property_split = False
    column.template_icon_view(settings, "model", show_labels=True, scale=6.0, scale_popup=5.0)
    row = column.row(align=True)
    row.prop(settings, "model", text="")
    if models.mine(card):
        row.operator("gen3d.delete_model", text="", icon="TRASH").model = card.id  # pyright: ignore
    facts = column.column(align=True)
    facts.active = False
    facts.scale_y = 0.8
    for fact in models.facts(card):
        draw_text(facts, fact, letters(context))


def _draw_error(layout: UILayout, context: Context) -> None:
    error = status.error
    if error is None:
        return
    box = layout.box().column()
    row = box.row()
    draw_text(row, error.message, letters(context) - 8, "ERROR")
    row.operator("gen3d.dismiss", text="", icon="X", emboss=False)
    draw_text(box, error.remedy, letters(context) - 4)
    row = box.row()
    if error.kind == "engine":
        row.operator("gen3d.open_preferences", text="Preferences", icon="PREFERENCES")
    row.operator("gen3d.copy_report", icon="COPYDOWN")


def split(panel: Panel) -> UILayout:
    layout = panel.layout
    assert layout is not None
    layout.use_property_split = True
    layout.use_property_decorate = False
    return layout


def settings_of(context: Context) -> Any:
    return context.scene.gen3d  # pyright: ignore[reportAttributeAccessIssue]


CLASSES = (GEN3D_PT_generate, GEN3D_PT_options, GEN3D_PT_shape, GEN3D_PT_complete)
