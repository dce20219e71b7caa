"""The part of the tab that works on the artist's own assets: training, variations, outliers."""

# The stubs know sets of literals only.
# pyright: reportIncompatibleVariableOverride=false

from itertools import islice
from typing import Any, ClassVar

from bpy.types import Context, Panel, UILayout, UIList

from ..gen3d_core import runs
from ..gen3d_core.errors import UnknownModel
from . import asset_verbs, assets, findings, models, outliers, pictures, trainings
from .panels import Tab, draw_button, draw_maker, settings_of, split
from .text import LETTER_PIXELS, draw_text, letters
from .training import Training

#: More objects than that are many assets; counting them would cost time at every drawing.
COUNTED = 200
#: So many refused assets are named.
NAMED = 4
#: Pixels of a layout's unit, in which pictures are measured.
UNIT_PIXELS = 20

WORDS = {
    "collecting": "Collecting assets",
    "starting": "Starting",
    "preparing": "Preparing assets",
    "training": "Training",
    "finishing": "Measuring and saving",
    "discarding": "Stopping",
    "paused": "Paused",
    "interrupted": "Interrupted",
    "done": "Done",
    "failed": "Failed",
}
ASKED = {"pause": "Pausing", "keep": "Stopping, to keep it", "stop": "Stopping"}
ICONS = {"done": "CHECKMARK", "failed": "ERROR", "interrupted": "ERROR", "paused": "PAUSE"}


class GEN3D_PT_assets(Tab, Panel):  # noqa: N801 - Blender's rule for names
    """What counts as the artist's assets, for the panels inside."""

    bl_label = "My Assets"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = split(self), settings_of(context)
        expanded(layout, settings, "source")
        if settings.source == "COLLECTION":
            layout.prop(settings, "collection")
        elif settings.source == "FILES":
            manager: Any = context.window_manager
            layout.prop(manager.gen3d, "path")


class GEN3D_PT_train(Tab, Panel):  # noqa: N801
    """A new training, and those that were begun."""

    bl_label = "Train"
    bl_parent_id = "GEN3D_PT_assets"

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = split(self), settings_of(context)
        column = layout.column()
        column.prop(settings, "title")
        column.prop(settings, "start")
        if settings.start == models.SCRATCH:
            column.prop(settings, "system")
        column.prop(settings, "minutes")
        column = layout.column(heading="Learn Also", align=True)
        column.prop(settings, "mirror", text="Mirrored")
        column.prop(settings, "rotate", text="Turned")
        few = _few(context, settings)
        if few:
            draw_text(layout, few, letters(context), "INFO")
        row = layout.row()
        row.scale_y = 1.5
        row.operator("gen3d.train", icon="PLAY")
        for number, training in enumerate(trainings.listing()):
            if training not in _earlier():
                _draw_training(layout.box(), context, training, number == 0 or training.active)


class GEN3D_PT_earlier(Tab, Panel):  # noqa: N801
    """Trainings that came to their end before the last one."""

    bl_label = "Earlier Trainings"
    bl_parent_id = "GEN3D_PT_train"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there are any."""
        return bool(_earlier())

    def draw(self, context: Context) -> None:
        """See the class."""
        for training in _earlier():
            _draw_training(split(self).box(), context, training, True)


class GEN3D_PT_variations(Tab, Panel):  # noqa: N801
    """More assets like these."""

    bl_label = "Variations"
    bl_parent_id = "GEN3D_PT_assets"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = split(self), settings_of(context)
        expanded(layout, settings, "method")
        column = layout.column(align=True)
        column.prop(settings, "change", slider=True)
        column.prop(settings, "each")
        if settings.method == "model":
            _draw_judge(layout, context, settings)
        draw_button(layout, "gen3d.augment", "MOD_ARRAY")


class GEN3D_PT_outliers(Tab, Panel):  # noqa: N801
    """What is unusual among the assets."""

    bl_label = "Outliers"
    bl_parent_id = "GEN3D_PT_assets"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings = split(self), settings_of(context)
        _draw_judge(layout, context, settings)
        draw_button(layout, "gen3d.find_outliers", "VIEWZOOM")
        ranking = outliers.latest()
        if ranking is None:
            return
        width = letters(context)
        draw_text(layout, f"{ranking.title}, as {ranking.model} sees it: the most unusual first", width)
        manager: Any = context.window_manager
        group, rows = manager.gen3d, min(8, len(ranking.entries))
        layout.template_list("GEN3D_UL_outliers", "", group, "ranked", group, "outlier", rows=rows)
        draw_text(layout, ranking.sentence, width, "INFO")
        _draw_refused(layout, ranking.refused, width)


class GEN3D_PT_labels(Tab, Panel):  # noqa: N801
    """What the assets are, from a few examples."""

    bl_label = "Labels"
    bl_parent_id = "GEN3D_PT_assets"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """See the class."""
        layout, settings, width = split(self), settings_of(context), letters(context)
        row = layout.row(align=True)
        row.use_property_split = False
        row.prop(settings, "label", text="", placeholder="chair")
        row.operator("gen3d.set_label")
        obj = context.active_object
        if obj and asset_verbs.label_of(obj):
            draw_text(layout, f"{obj.name}: {asset_verbs.label_of(obj)}", width)
        _draw_judge(layout, context, settings)
        draw_maker(layout, context, "features")
        draw_button(layout, "gen3d.label", "BOOKMARKS")
        found = findings.labelling()
        if found is None:
            return
        draw_text(layout, f"{found.title}, labelled by what {found.model} sees", width)
        manager: Any = context.window_manager
        group, rows = manager.gen3d, max(min(8, len(found.guesses)), 1)
        layout.template_list("GEN3D_UL_labels", "", group, "labelled", group, "guess", rows=rows)
        draw_text(layout, found.sentence, width, "INFO")
        _draw_refused(layout, found.refused, width)


class GEN3D_UL_labels(UIList):  # noqa: N801
    """Guessed labels; a click selects the object."""

    def draw_item(
        self,
        context: Context | None,
        layout: UILayout,
        data: Any,
        item: Any,
        icon: int | None,
        active_data: Any,
        active_property: str | None,
        index: int | None = 0,
        flt_flag: int | None = 0,
    ) -> None:
        """One asset: its name, its label, and how sure that is."""
        found = findings.labelling()
        if found is None or index is None or index >= len(found.guesses):
            return
        guess = found.guesses[index]
        row = layout.row()
        row.label(text=guess.name)
        part = row.row()
        part.alignment = "RIGHT"
        part.label(text=f"{guess.label} {guess.probability:.0%}")


class GEN3D_UL_outliers(UIList):  # noqa: N801
    """A ranking; a click selects the object."""

    def draw_item(
        self,
        context: Context | None,
        layout: UILayout,
        data: Any,
        item: Any,
        icon: int | None,
        active_data: Any,
        active_property: str | None,
        index: int | None = 0,
        flt_flag: int | None = 0,
    ) -> None:
        """One asset: its name, and how unusual it is."""
        ranking = outliers.latest()
        if ranking is None or index is None or index >= len(ranking.entries):
            return
        entry = ranking.entries[index]
        row = layout.row()
        row.label(text=f"{entry.place}  {entry.name}")
        part = row.row()
        part.alignment = "RIGHT"
        part.label(text=f"{entry.score:.3g}" if entry.percentile is None else f"{entry.percentile:.0f} %")


def expanded(layout: UILayout, owner: Any, name: str) -> None:
    """The choices of a property side by side, over the whole width."""
    row = layout.row()
    row.use_property_split = False
    row.prop(owner, name, expand=True)


def describe(training: Training) -> str:
    """What a training does, in a few words for its bar."""
    state = training.state
    words = ASKED.get(training.asking, "") or WORDS[state]
    if training.collecting:
        return f"{words}: {training.collecting.done} of {training.collecting.total}"
    status = training.status
    if state in ("paused", "interrupted"):
        return f"{words} at {training.fraction:.0%}"
    if state == "training" and not training.asking and status and status.left is not None:
        return f"{words}: {duration(status.left)} left"
    return words


def duration(seconds: float) -> str:
    """A time, as a person says it."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _earlier() -> list[Training]:
    return [training for training in trainings.listing()[1:] if training.state == "done"]


def _draw_training(box: UILayout, context: Context, training: Training, whole: bool) -> None:
    state, width = training.state, letters(context) - 4
    row = box.row()
    row.label(text=training.title, icon=ICONS.get(state, "TIME"))  # pyright: ignore[reportArgumentType]
    if state in ("done", "failed", "paused", "interrupted"):
        _on(row, "hide" if state == "done" else "discard", training, "X", text="", emboss=False)
    if training.active:
        row = box.row(align=True)
        row.progress(factor=training.fraction, text=describe(training))
        if state == "collecting":
            _on(row, "discard", training, "X", text="")
    elif state in ("paused", "interrupted"):
        draw_text(box, describe(training), width)
    if state in runs.ACTIVE:
        row = box.row(align=True)
        row.enabled = not training.asking
        _on(row, "pause", training, "PAUSE")
        _on(row, "keep", training, "CHECKMARK")
        _on(row, "discard", training, "TRASH", text="")
    elif state in ("paused", "interrupted"):
        row = box.row(align=True)
        _on(row, "resume", training, "PLAY")
        _on(row, "keep", training, "CHECKMARK")
    elif state == "done":
        row = box.row()
        row.enabled = any(card.id == training.model for card in models.listing())
        row.operator("gen3d.use_model", icon="ADD").model = training.model  # pyright: ignore
    elif state == "failed" and training.status:
        draw_text(box, training.status.message, width)
        draw_text(box, training.status.remedy, width)
        row = box.row(align=True)
        _on(row, "resume", training, "PLAY", text="Try Again")
        row.operator("gen3d.copy_report", icon="COPYDOWN")
    if whole:
        _draw_facts(box, context, training, width)


def _draw_facts(box: UILayout, context: Context, training: Training, width: int) -> None:
    status, state = training.status, training.state
    manager: Any = context.window_manager
    if any(pictures.icon(training.folder / name) for name in (runs.SAMPLES, runs.CURVE)):
        expanded(box, manager.gen3d, "picture")
        icon = pictures.icon(training.folder / manager.gen3d.picture)
        # Blender draws a picture as a square: as large as the panel is wide.
        scale = max(width * LETTER_PIXELS / UNIT_PIXELS, 5.0)
        if icon:
            box.template_icon(icon, scale=scale)
        else:
            draw_text(box, "None yet: it comes as the training goes on.", width)
    if state == "done" and status:
        _draw_truth(box, training, width)
    small = box.column(align=True)
    if status and status.assets:
        draw_text(small, f"Learns from {status.assets} assets of: {training.source or 'unknown'}", width)
    for note in (*training.notes, *(status.warnings if status else ())):
        draw_text(small, note, width, "INFO")
    _draw_refused(small, training.all_refused, width)


def _draw_truth(box: UILayout, training: Training, width: int) -> None:
    try:
        card = models.find(training.model)
    except UnknownModel:
        draw_text(box, "Its model was deleted.", width)
        return
    for sentence in models.truth(card):
        draw_text(box, sentence, width)


def _draw_refused(layout: UILayout, refused: Any, width: int) -> None:
    if not refused:
        return
    count = len(refused)
    draw_text(layout, f"{count} asset{'' if count == 1 else 's'} could not be used:", width, "ERROR")
    for name, reason in refused[:NAMED]:
        draw_text(layout, f"{name}: {reason}", width)
    if count > NAMED:
        draw_text(layout, f"and {count - NAMED} more; Copy Report has them all", width)


def _draw_judge(layout: UILayout, context: Context, settings: Any) -> None:
    if models.listing():
        layout.prop(settings, "model")


def _on(row: UILayout, verb: str, training: Training, icon: Any, **options: Any) -> None:
    row.operator(f"gen3d.train_{verb}", icon=icon, **options).training = training.id  # pyright: ignore


def _few(context: Context, settings: Any) -> str:
    """A warning, where there are too few assets to learn much."""
    if settings.source == "COLLECTION" and settings.collection:
        given = settings.collection.all_objects
    elif settings.source == "SELECTION":
        given = context.selected_objects
    else:
        return ""
    if not len(given) or len(given) > COUNTED:
        return ""
    count = len(list(islice(assets.tops(given), assets.FEW)))
    if count >= assets.FEW:
        return ""
    return f"{count} asset{'' if count == 1 else 's'}: with fewer than {assets.FEW} a model mostly copies"


CLASSES = (
    GEN3D_PT_assets,
    GEN3D_PT_train,
    GEN3D_PT_earlier,
    GEN3D_PT_variations,
    GEN3D_PT_outliers,
    GEN3D_PT_labels,
    GEN3D_UL_outliers,
    GEN3D_UL_labels,
)
