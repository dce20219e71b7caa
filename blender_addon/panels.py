"""The sidebar tab. Drawing reads, and changes nothing."""

# The stubs know sets of literals only.
# pyright: reportIncompatibleVariableOverride=false

from typing import Any, ClassVar

from bpy.types import Context, Panel, UILayout

from ..gen3d_core.cards import Card
from . import findings, jobs, models, objects, slider, verbs
from .status import status
from .text import draw_text, letters

#: So many classes are shown.
CHANCES = 5


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
        if models.classes(models.find(settings.model)):
            layout.prop(settings, "category")
        draw_button(layout, "gen3d.generate", "ADD")


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


class GEN3D_PT_from_text(Tab, Panel):  # noqa: N801
    """Shapes that a text describes."""

    bl_label = "From Text"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = split(self), settings_of(context)
        row = layout.row()
        row.use_property_split = False
        row.prop(settings, "text", text="", placeholder="a wide table with four thin legs")
        layout.prop(settings, "count")
        draw_maker(layout, settings, "from_text")
        draw_button(layout, "gen3d.from_text", "FILE_TEXT")


class GEN3D_PT_from_images(Tab, Panel):  # noqa: N801
    """Shapes of what pictures show."""

    bl_label = "From Pictures"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = split(self), settings_of(context)
        column = layout.column(align=True)
        column.use_property_split = False
        for number, picture in enumerate(settings.pictures):
            row = column.row(align=True)
            if picture.image and picture.image.preview:
                row.template_icon(picture.image.preview.icon_id, scale=2.0)
            row.prop(picture, "image", text="")
            row.operator("gen3d.remove_picture", text="", icon="X").index = number  # pyright: ignore
        row = column.row(align=True)
        row.operator("gen3d.open_pictures", text="Files", icon="FILE_FOLDER")
        row.operator("gen3d.picture_of_view", text="View", icon="VIEW3D").view = "VIEW"  # pyright: ignore
        row.operator("gen3d.add_picture", text="Image", icon="IMAGE_DATA")
        layout.prop(settings, "count")
        draw_maker(layout, settings, "from_images")
        draw_button(layout, "gen3d.from_images", "IMAGE_REFERENCE")


class GEN3D_PT_shape(Tab, Panel):  # noqa: N801
    """The active shape: its slider, its origin, its children."""

    bl_label = "Shape"
    bl_idname = "GEN3D_PT_shape"

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
            if group.text:
                draw_text(column, f"Text: {group.text}", letters(context))
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


class GEN3D_PT_arithmetic(Tab, Panel):  # noqa: N801
    """What one shape has and another lacks, given to a third."""

    bl_label = "A - B + C"
    bl_parent_id = "GEN3D_PT_shape"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = split(self), settings_of(context)
        column = layout.column(align=True)
        for name in ("term_a", "term_b", "term_c"):
            column.prop(settings, name)
        layout.operator("gen3d.arithmetic", icon="ADD")


class GEN3D_PT_classify(Tab, Panel):  # noqa: N801
    """What a model takes the active mesh for."""

    bl_label = "Class"
    bl_parent_id = "GEN3D_PT_shape"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = split(self), settings_of(context)
        draw_maker(layout, settings, "classifies")
        layout.operator("gen3d.classify", icon="QUESTION")
        found, obj = findings.classification(), context.active_object
        if found is None or obj is None or obj.session_uid != found.uid:
            return
        column = layout.column(align=True)
        for chance in found.chances[:CHANCES]:
            column.progress(factor=chance.probability, text=f"{chance.name} {chance.probability:.0%}")
        draw_text(layout, f"As {found.model} sees it", letters(context))


class GEN3D_PT_complete(Tab, Panel):  # noqa: N801
    """The missing part of a mesh, and what is behind what can be seen of it."""

    bl_label = "Complete"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = split(self), settings_of(context)
        maker = draw_maker(layout, settings, *verbs.COMPLETES)
        if maker and "guided" in maker.abilities:
            layout.prop(settings, "guide", placeholder="May be empty")
        column = layout.column()
        column.prop(settings, "completions")
        column.prop(settings, "keep")
        if settings.keep == "OUTSIDE":
            layout.operator("gen3d.complete", text="Regenerate This Region", icon="FILE_REFRESH")
        else:
            layout.operator("gen3d.complete", icon="MOD_BOOLEAN")
        layout.separator()
        layout.row().prop(settings, "look", expand=True)
        layout.operator("gen3d.complete_view", icon="VIEW_CAMERA")
        layout.separator()
        layout.operator("gen3d.reconstruct", icon="MOD_REMESH")
        draw_maker(layout, settings, "refines")
        layout.operator("gen3d.refine", icon="MOD_SUBSURF")


def draw_button(layout: UILayout, name: str, icon: Any) -> None:
    """A button; the bar of what is under way takes its place, so that nothing jumps when a task begins or ends."""
    place = layout.column(align=True)
    place.scale_y = 1.5
    for job in jobs.active():
        row = place.row(align=True)
        row.progress(factor=job.fraction, text=job.text)
        row.operator("gen3d.cancel", text="", icon="X")
    if not jobs.active():
        place.operator(name, icon=icon)


def draw_maker(layout: UILayout, settings: Any, *abilities: str) -> Card | None:
    """Which model will do it, where the chosen one cannot, with a button to choose that one; None where none can."""
    able = models.able(*abilities)
    if not able:
        layout.label(text="No model here can do this", icon="INFO")
        return None
    maker = next((card for card in able if card.id == settings.model), able[0])
    if maker.id != settings.model:
        row = layout.row(align=True)
        row.label(text=f"By {models.short(maker)}", icon="INFO")
        row.operator("gen3d.use_model", text="Choose").model = maker.id  # pyright: ignore
    return maker


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


CLASSES = (
    GEN3D_PT_generate,
    GEN3D_PT_options,
    GEN3D_PT_from_text,
    GEN3D_PT_from_images,
    GEN3D_PT_shape,
    GEN3D_PT_arithmetic,
    GEN3D_PT_classify,
    GEN3D_PT_complete,
)
