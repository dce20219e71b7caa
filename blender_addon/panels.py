"""The sidebar tab. Drawing reads, and changes nothing."""

# The stubs know sets of literals only.
# pyright: reportIncompatibleVariableOverride=false

import textwrap
from typing import Any, ClassVar

import bpy
from bpy.types import Context, Panel, UILayout

from . import jobs, models, objects, slider
from .status import status

#: Average width of a letter of Blender's interface, in pixels at a scale of 1.
LETTER_PIXELS = 6.6


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
        layout, settings = _split(self), _settings(context)
        _draw_error(layout, context)
        cards = models.listing()
        if not cards:
            draw_text(layout, "There are no models. Name a folder of them in the preferences.", _letters(context))
            layout.operator("gen3d.open_preferences", icon="PREFERENCES")
            return
        _draw_model(layout, context, settings)
        column = layout.column(align=True)
        column.prop(settings, "count")
        row = column.row(align=True)
        row.prop(settings, "seed")
        row.operator("gen3d.new_seed", text="", icon="FILE_REFRESH")
        layout.row().prop(settings, "resolution", expand=True)
        if jobs.active():
            _draw_jobs(layout)
        else:
            button = layout.column()
            button.scale_y = 1.5
            button.operator("gen3d.generate", icon="ADD")


class GEN3D_PT_options(Tab, Panel):  # noqa: N801
    """What is rarely changed."""

    bl_label = "Mesh"
    bl_parent_id = "GEN3D_PT_generate"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = _split(self), _settings(context)
        layout.prop(settings, "faces")
        layout.prop(settings, "debris")


class GEN3D_PT_shape(Tab, Panel):  # noqa: N801
    """The active shape: its slider, its origin, its children."""

    bl_label = "Shape"

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = _split(self), _settings(context)
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
                draw_text(layout, note, _letters(context), "INFO")
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
        layout, settings = _split(self), _settings(context)
        column = layout.column()
        column.prop(settings, "keep")
        column.prop(settings, "completions")
        layout.operator("gen3d.complete", icon="MOD_BOOLEAN")
        layout.operator("gen3d.reconstruct", icon="MOD_REMESH")


def draw_text(layout: UILayout, text: str, letters: int, icon: str = "NONE") -> None:
    """A sentence, in as many lines as it takes."""
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(text, max(letters, 16))):
        column.label(text=line, icon=icon if number == 0 else "BLANK1" if icon != "NONE" else "NONE")  # pyright: ignore[reportArgumentType]


def _draw_model(layout: UILayout, context: Context, settings: Any) -> None:
    card = models.find(settings.model)
    column = layout.column()
    column.use_property_split = False
    column.template_icon_view(settings, "model", show_labels=True, scale=6.0, scale_popup=5.0)
    column.prop(settings, "model", text="")
    facts = column.column(align=True)
    facts.active = False
    facts.scale_y = 0.8
    draw_text(facts, card.data, _letters(context))
    draw_text(facts, f"Weights: {card.licence}", _letters(context))


def _draw_jobs(layout: UILayout) -> None:
    column = layout.column(align=True)
    for job in jobs.active():
        column.progress(factor=job.fraction, text=job.text)
    column.operator("gen3d.cancel", icon="X")


def _draw_error(layout: UILayout, context: Context) -> None:
    error = status.error
    if error is None:
        return
    box = layout.box().column()
    row = box.row()
    draw_text(row, error.message, _letters(context) - 8, "ERROR")
    row.operator("gen3d.dismiss", text="", icon="X", emboss=False)
    draw_text(box, error.remedy, _letters(context) - 4)
    row = box.row()
    if error.kind == "engine":
        row.operator("gen3d.open_preferences", icon="PREFERENCES")
    row.operator("gen3d.copy_report", icon="COPYDOWN")


def _split(panel: Panel) -> UILayout:
    layout = panel.layout
    assert layout is not None
    layout.use_property_split = True
    layout.use_property_decorate = False
    return layout


def _settings(context: Context) -> Any:
    return context.scene.gen3d  # pyright: ignore[reportAttributeAccessIssue]


def _letters(context: Context) -> int:
    """How many letters a line of the sidebar holds."""
    width = context.region.width if context.region else 300
    return int(width / (bpy.context.preferences.system.ui_scale * LETTER_PIXELS)) - 6


CLASSES = (GEN3D_PT_generate, GEN3D_PT_options, GEN3D_PT_shape, GEN3D_PT_complete)
