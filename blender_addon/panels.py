"""The sidebar tab. Drawing reads, and changes nothing."""

# The stubs know sets of literals only.
# pyright: reportIncompatibleVariableOverride=false

from typing import Any, ClassVar

import bpy
from bpy.types import Context, Panel, UILayout

from ..gen3d_core.cards import Card
from . import findings, jobs, models, objects, verbs
from .keep_operators import draw_keep
from .memory import BLEND
from .outline_operators import draw_outline_buttons
from .status import status
from .text import draw_text, letters
from .wanted import follows

#: So many classes are shown.
CHANCES = 5
#: Of a row, what the name of a model takes beside a button.
MAKER_SHARE = 0.75


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
        draw_count(layout, settings, "count")
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
        layout.prop(settings, "quads")
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
        draw_count(layout, settings, "count")
        draw_maker(layout, context, "from_text")
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
        draw_count(layout, settings, "count")
        draw_maker(layout, context, "from_images")
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
            if task == BLEND:
                _draw_blend(layout, group)
            column = layout.column()
            column.prop(group, "resolution")
            column.prop(group, "faces")
            column.prop(group, "quads")
            if group.text:
                draw_text(column, f"Text: {group.text}", letters(context))
            note = status.notes.get(obj.session_uid)
            if group.note:
                draw_text(layout, group.note, letters(context), "INFO")
            if note:
                draw_text(layout, note, letters(context), "INFO")
            # What follows its properties does so by itself, unless something keeps it from it.
            if note or not follows(obj):
                draw_small(layout, "gen3d.regenerate", "FILE_REFRESH")
            draw_keep(layout, context)
            layout.separator()
        draw_small(layout, "gen3d.interpolate", "ARROW_LEFTRIGHT")
        layout.separator()
        column = layout.column(align=True)
        column.prop(settings, "amount", slider=True)
        column.prop(settings, "variations")
        draw_small(layout, "gen3d.vary", "MOD_ARRAY")
        layout.separator()
        row = layout.row(align=True)
        row.operator("gen3d.copy_latent", icon="COPYDOWN")
        row.operator("gen3d.paste_latent", icon="PASTEDOWN")
        layout.operator("gen3d.as_assets", icon="ASSET_MANAGER")


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
        draw_small(layout, "gen3d.arithmetic", "ADD")


class GEN3D_PT_classify(Tab, Panel):  # noqa: N801
    """What a model takes the active mesh for."""

    bl_label = "Class"
    bl_parent_id = "GEN3D_PT_shape"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """See the class."""
        layout = split(self)
        draw_maker(layout, context, "classifies")
        draw_small(layout, "gen3d.classify", "QUESTION")
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
        maker = draw_maker(layout, context, *verbs.COMPLETES)
        if maker and "guided" in maker.abilities:
            layout.prop(settings, "guide", placeholder="May be empty")
        draw_count(layout, settings, "completions")
        layout.prop(settings, "keep")
        layout.prop(settings, "exact")
        if settings.keep != "REST":
            draw_small(layout, "gen3d.complete", "FILE_REFRESH", "Regenerate This Region")
        else:
            draw_small(layout, "gen3d.complete", "MOD_BOOLEAN")
        draw_outline_buttons(layout)
        layout.separator()
        layout.row().prop(settings, "look", expand=True)
        draw_small(layout, "gen3d.complete_view", "VIEW_CAMERA")
        layout.separator()
        draw_small(layout, "gen3d.reconstruct", "MOD_REMESH")
        layout.separator()
        draw_maker(layout, context, "refines")
        draw_small(layout, "gen3d.refine", "MOD_SUBSURF")


def _draw_blend(layout: UILayout, group: Any) -> None:
    """The slider between two shapes, or the weights of more."""
    column = layout.column(align=True)
    column.use_property_split = False
    column.scale_y = 1.4 if not group.ends else 1.0
    if not group.ends:
        column.prop(group, "t", slider=True)
    for end in group.ends:
        column.prop(end, "weight", text=end.name, slider=True)


def draw_count(layout: UILayout, settings: Any, count: str) -> None:
    """How many to make, and from which seed on."""
    column = layout.column(align=True)
    column.prop(settings, count)
    row = column.row(align=True)
    row.prop(settings, "seed")
    row.operator("gen3d.new_seed", text="", icon="FILE_REFRESH")


def draw_button(layout: UILayout, name: str, icon: Any) -> None:
    """The button that a panel is there for."""
    _draw_verb(layout, name, icon, "", 1.5)


def draw_small(layout: UILayout, name: str, icon: Any, text: str = "") -> None:
    """One of several buttons of a panel."""
    _draw_verb(layout, name, icon, text, 1.0)


def _draw_verb(layout: UILayout, name: str, icon: Any, text: str, height: float) -> None:
    """A button; the bar of its own tasks takes its place, so that nothing jumps when one begins or ends.

    With two small ones beside the bar they are cancelled, and another one is put in line.
    """
    label = getattr(bpy.ops.gen3d, name.partition(".")[2]).get_rna_type().name  # pyright: ignore
    own = [job for job in jobs.active() if job.label == label]
    place = layout.column(align=True)
    place.scale_y = height
    if not own:
        place.operator(name, text=text or label, icon=icon)
        return
    row = place.row(align=True)
    more = f" (and {len(own) - 1} more)" if len(own) > 1 else ""
    row.progress(factor=own[0].fraction, text=own[0].text + more)
    row.operator("gen3d.cancel", text="", icon="X").job = " ".join(job.number for job in own)  # pyright: ignore
    row.operator(name, text="", icon="ADD")


def draw_maker(layout: UILayout, context: Context, *abilities: str) -> Card | None:
    """Which model will do it, where the chosen one cannot, with a button to choose that one; None where none can."""
    able, chosen = models.able(*abilities), settings_of(context).model
    if not able:
        layout.label(text="No model here can do this", icon="INFO")
        return None
    maker = next((card for card in able if card.id == chosen), able[0])
    if maker.id != chosen:
        row = layout.split(factor=MAKER_SHARE)
        # The whole title: models of one subject differ in the brackets only.
        draw_text(row, f"Uses {maker.title}", int(letters(context) * MAKER_SHARE), "INFO")
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
