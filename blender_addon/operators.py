"""The buttons: pressed in the panel they work in the background, called by a script they wait for their result."""

# Blender reads these annotations as properties, and its stubs know sets of literals only.
# pyright: reportInvalidTypeForm=false, reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

import platform
import random
import time
from pathlib import Path
from typing import Any, ClassVar

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy.types import Context, Event, Object, Operator

from ..gen3d_core import __version__
from ..gen3d_core.errors import BadRequest, Gen3DError
from . import again, calls, extension, installs, jobs, library, models, objects, parts, preferences, trainings, verbs
from .memory import Quality, recall
from .properties import KEPT, MAX_SEED
from .status import record, redraw, status


class Verb:
    """What the verbs share: their settings, how they run, and how they fail."""

    bl_options: ClassVar[set[str]] = {"UNDO"}
    #: Properties of the operator that the panel's settings give, by the settings' name.
    settings: ClassVar[dict[str, str]] = {}
    #: What the model must be able to do, any of these: the best one that can stands in for a chosen one that cannot.
    abilities: ClassVar[tuple[str, ...]] = ()
    #: Those of the properties that only models with an ability know, with that ability.
    special: ClassVar[dict[str, str]] = {}

    model: StringProperty(name="Model", description="Id of a model; empty for the best, or for the objects' own")
    resolution: IntProperty(name="Resolution", description="Samples along each side of the shape", default=64)
    faces: IntProperty(
        name="Face Budget", description="At most so many triangles, or quads; 0 is no limit", default=0, min=0
    )
    debris: BoolProperty(name="Remove Debris", description="Leave out small loose parts", default=True)
    quads: BoolProperty(name="Quads", description="Make quads instead of triangles", default=False)

    def verb(self: Any, context: Context) -> verbs.Verb:
        """What to do, with the operator's properties."""
        raise NotImplementedError

    def execute(self: Any, context: Context) -> set[str]:
        """Waits for the result."""
        try:
            jobs.run(self.verb(context))
        except Gen3DError as error:
            return failed(self, error)
        return {"FINISHED"}

    def invoke(self: Any, context: Context, event: Event) -> set[str]:
        """Begins in the background, with the panel's settings where the caller gives none."""
        if bpy.app.background:
            return self.execute(context)
        group: Any = context.scene.gen3d  # pyright: ignore[reportAttributeAccessIssue]
        common = {name: name for name in ("model", "resolution", "faces", "debris", "quads")}
        try:
            for name, source in (common | self.settings).items():
                if name in self.properties.bl_rna.properties and not self.properties.is_property_set(name):
                    self.take(name, getattr(group, source))
            jobs.start(self.bl_label, self.verb(context))
        except Gen3DError as error:
            return failed(self, error)
        # Neither finished, which would make an undo step of nothing, nor cancelled.
        return {"INTERFACE"}

    def take(self: Any, name: str, value: Any) -> None:
        """Takes one of the panel's settings, in so far as it is for the model."""
        if name == "model":
            value = models.instead(value, *self.abilities)
        elif name == "resolution":
            value = int(value)
        if name not in self.special or self.special[name] in models.find(self.model).abilities:
            setattr(self, name, value)

    def quality(self: Any) -> Quality:
        """How the shapes become meshes."""
        return Quality(self.resolution, self.faces, self.debris, self.quads)


class Alone:
    """What verbs without settings of shapes share: how they run, and how they fail."""

    bl_options: ClassVar[set[str]] = {"UNDO"}

    def verb(self: Any, context: Context) -> verbs.Verb:
        """What to do, with the operator's properties."""
        raise NotImplementedError

    def execute(self: Any, context: Context) -> set[str]:
        """Waits for the result."""
        try:
            jobs.run(self.verb(context))
        except Gen3DError as error:
            return failed(self, error)
        return {"FINISHED"}

    def invoke(self: Any, context: Context, event: Event) -> set[str]:
        """Begins in the background."""
        if bpy.app.background:
            return self.execute(context)
        try:
            jobs.start(self.bl_label, self.verb(context))
        except Gen3DError as error:
            return failed(self, error)
        return {"INTERFACE"}


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
        return object_mode(cls, context) and _ours_active(cls, context)


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


class GEN3D_OT_regenerate(Alone, Operator):  # noqa: N801
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
        return object_mode(cls, context) and _ours_active(cls, context)


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


class GEN3D_OT_apply(Operator):  # noqa: N801
    """Put the shapes of a finished task into the scene"""

    bl_idname = "gen3d.apply"
    bl_label = "Gen3D"
    bl_options: ClassVar[set[str]] = {"UNDO", "INTERNAL"}

    job: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: Context) -> set[str]:
        """One undo step, or none where there is nothing."""
        return {"FINISHED"} if jobs.apply(self.job) else {"CANCELLED"}


class GEN3D_OT_cancel(Operator):  # noqa: N801
    """Stop what is under way; nothing of it is left"""

    bl_idname = "gen3d.cancel"
    bl_label = "Cancel"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    job: StringProperty(name="Job", description="Numbers of jobs, with spaces between them; empty for every job")

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        jobs.cancel(self.job.split() or None)
        return {"FINISHED"}


class GEN3D_OT_add_held(Operator):  # noqa: N801
    """Put a finished shape whose own object is gone, or must not be changed, into the scene as a new object"""

    bl_idname = "gen3d.add_held"
    bl_label = "Add as New Object"
    bl_options: ClassVar[set[str]] = {"UNDO", "INTERNAL"}

    job: StringProperty(name="Job", description="Number of the job", options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: Context) -> set[str]:
        """One undo step, or none where there is nothing."""
        try:
            return {"FINISHED"} if jobs.add_anew(self.job) else {"CANCELLED"}
        except Gen3DError as error:
            return failed(self, error)


class GEN3D_OT_new_seed(Operator):  # noqa: N801
    """Take another seed at random"""

    bl_idname = "gen3d.new_seed"
    bl_label = "New Seed"
    bl_options: ClassVar[set[str]] = {"UNDO", "INTERNAL"}

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        context.scene.gen3d.seed = random.randrange(1, 100_000)  # pyright: ignore[reportAttributeAccessIssue]
        return {"FINISHED"}


class GEN3D_OT_test_engine(Operator):  # noqa: N801
    """Start the engine and see whether its Python has what it needs"""

    bl_idname = "gen3d.test_engine"
    bl_label = "Test Engine"

    def execute(self, context: Context) -> set[str]:
        """Waits for the answer."""
        try:
            calls.stop()
            calls.wait(calls.send("hello"))
        except Gen3DError as error:
            return failed(self, error)
        self.report({"INFO"}, "The engine works. " + ". ".join(status.verdict.lines if status.verdict else ()))
        return {"FINISHED"}

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Asks, and shows the answer in the preferences when it comes."""
        if bpy.app.background:
            return self.execute(context)
        try:
            calls.stop()
            calls.send("hello", on_end=lambda call: record(call.error) if call.error else redraw())
        except Gen3DError as error:
            return failed(self, error)
        return {"INTERFACE"}


class GEN3D_OT_restart_engine(Operator):  # noqa: N801
    """End the engine, which gives its memory back; the next task starts it anew"""

    bl_idname = "gen3d.restart_engine"
    bl_label = "Restart Engine"

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        calls.stop()
        status.error, status.verdict = None, None
        redraw()
        return {"FINISHED"}


class GEN3D_OT_reload_models(Operator):  # noqa: N801
    """Read the list of models anew"""

    bl_idname = "gen3d.reload_models"
    bl_label = "Reload Models"

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        models.refresh()
        self.report({"INFO"}, f"{len(models.listing())} models")
        redraw()
        return {"FINISHED"}


class GEN3D_OT_open_preferences(Operator):  # noqa: N801
    """Open the preferences of Gen3D, where the engine's Python is chosen"""

    bl_idname = "gen3d.open_preferences"
    bl_label = "Open Preferences"

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        bpy.ops.preferences.addon_show(module=extension.ROOT)
        return {"FINISHED"}


class GEN3D_OT_dismiss(Operator):  # noqa: N801
    """Take this message away"""

    bl_idname = "gen3d.dismiss"
    bl_label = "Dismiss"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        status.error = None
        redraw()
        return {"FINISHED"}


class GEN3D_OT_copy_report(Operator):  # noqa: N801
    """Copy what happened to the clipboard: versions, the last error, the end of the engine's log"""

    bl_idname = "gen3d.copy_report"
    bl_label = "Copy Report"

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        assert context.window_manager is not None
        context.window_manager.clipboard = report()
        self.report({"INFO"}, "The report is in the clipboard")
        return {"FINISHED"}


def report() -> str:
    """What happened, for somebody who is to help; the user's folder is not named in it."""
    lines = [
        f"Gen3D {__version__}, Blender {bpy.app.version_string}, Python {platform.python_version()}, "
        f"{platform.platform()}, {time.strftime('%Y-%m-%d %H:%M')}",
        f"Device: {preferences.get().device}",
    ]
    if status.verdict:
        lines += ["Engine: " + ("works" if status.verdict.good else "does not work"), *status.verdict.lines]
    if status.error:
        error = status.error
        lines += [f"Error ({error.kind}): {error.message}", f"Remedy: {error.remedy}", error.details]
    for training in trainings.listing():
        lines.append(f"Training '{training.title}': {training.state}")
        lines += [f"  {name}: {reason}" for name, reason in training.all_refused]
        lines += [training.log] if training.failure else []
    lines += installs.report()
    lines += ["Log:", calls.log_tail()]
    return "\n".join(lines).replace(str(Path.home()), "~")


def failed(operator: Operator, error: Gen3DError) -> set[str]:
    """Tells the artist, or the script, which sees it as a RuntimeError."""
    record(error)
    operator.report({"ERROR"}, str(error))
    return {"CANCELLED"}


def active(context: Context) -> Object:
    if context.active_object is None:
        raise BadRequest("No object is active.", "Click a shape, then try again.")
    return context.active_object


def _selected_meshes(context: Context) -> list[Object]:
    return [obj for obj in context.selected_objects if obj.type == "MESH"]


def object_mode(cls: Any, context: Context) -> bool:
    if context.mode != "OBJECT":
        cls.poll_message_set("Switch to Object Mode")
        return False
    return True


def has_models(cls: Any, *abilities: str) -> bool:
    """Whether there is a model with one of some abilities; any will do where none is named."""
    if not models.listing():
        cls.poll_message_set("There are no models: name a folder of them in the preferences")
    elif not models.able(*abilities):
        cls.poll_message_set("No model here can do this: choose another folder of models")
    else:
        return True
    return False


def mesh_active(cls: Any, context: Context) -> bool:
    if context.active_object is None or context.active_object.type != "MESH":
        cls.poll_message_set("Click a mesh")
        return False
    return True


def _ours_active(cls: Any, context: Context) -> bool:
    if context.active_object is None or not objects.task_of(context.active_object):
        cls.poll_message_set("Click a shape that was made here, or reconstruct this one first")
        return False
    return True


CLASSES = (
    GEN3D_OT_generate,
    GEN3D_OT_interpolate,
    GEN3D_OT_vary,
    GEN3D_OT_complete,
    GEN3D_OT_reconstruct,
    GEN3D_OT_regenerate,
    GEN3D_OT_as_assets,
    GEN3D_OT_apply,
    GEN3D_OT_cancel,
    GEN3D_OT_add_held,
    GEN3D_OT_new_seed,
    GEN3D_OT_test_engine,
    GEN3D_OT_restart_engine,
    GEN3D_OT_reload_models,
    GEN3D_OT_open_preferences,
    GEN3D_OT_dismiss,
    GEN3D_OT_copy_report,
)
