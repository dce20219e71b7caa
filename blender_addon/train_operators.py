"""The buttons of training: begin, pause, keep, resume, discard, and what becomes of the models."""

# Blender reads these annotations as properties, and its stubs know sets of literals only.
# pyright: reportInvalidTypeForm=false, reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

import shlex
from typing import Any, ClassVar

import bpy
from bpy.props import BoolProperty, FloatProperty, StringProperty
from bpy.types import Context, Event, Operator

from ..gen3d_core.errors import Gen3DError
from . import models, source, trainings
from .pressing import failed, object_mode
from .source import FromSource
from .status import redraw, status
from .training import Order, Training

#: Names of the panel's settings, by those of the operator's properties.
SETTINGS = {"title": "title", "start": "start", "system": "system", "minutes": "minutes"}
SETTINGS |= {"mirror": "mirror", "rotate": "rotate"}


class GEN3D_OT_train(FromSource, Operator):  # noqa: N801 - Blender's rule for names
    """Train a model on your assets, in the background.
    Each object is one asset, together with its children, as you see it: modifiers and instances count, what is hidden
    does not. Nothing in the scene changes"""

    bl_idname = "gen3d.train"
    bl_label = "Train"

    title: StringProperty(name="Name", description="Of the new model", default="My Model")
    start: StringProperty(name="Start From", description="Id of a model to go on from; empty to start from scratch")
    system: StringProperty(name="System", description="What is trained from scratch", default="voxels.vae")
    minutes: FloatProperty(name="Minutes", description="How long it may learn", default=20.0, min=0.01)
    mirror: BoolProperty(name="Also Mirrored", description="Learn each asset also mirrored", default=True)
    rotate: BoolProperty(name="Also Turned", description="Learn each asset also turned about Z", default=False)
    arguments: StringProperty(
        name="Arguments", description="Further ones of the command line's train, as --steps or --set"
    )

    def execute(self: Any, context: Context) -> set[str]:
        """Waits until it is trained."""
        try:
            trainings.wait(self.begin(context))
        except Gen3DError as error:
            return failed(self, error)
        return {"FINISHED"}

    def invoke(self: Any, context: Context, event: Event) -> set[str]:
        """Begins in the background, with the panel's settings where the caller gives none."""
        if bpy.app.background:
            return self.execute(context)
        self.settle(context)
        group: Any = context.scene.gen3d  # pyright: ignore[reportAttributeAccessIssue]
        for name, setting in SETTINGS.items():
            if not self.properties.is_property_set(name):
                setattr(self, name, getattr(group, setting))
        try:
            self.begin(context)
        except Gen3DError as error:
            return failed(self, error)
        return {"INTERFACE"}

    def begin(self: Any, context: Context) -> Training:
        """Starts the training."""
        status.error = None
        start = "" if self.start == models.SCRATCH else self.start
        further = shlex.split(self.arguments)
        order = Order(
            self.collected(context), self.title, self.system, start, self.minutes, self.rotate, self.mirror, further
        )
        return trainings.start(order)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there are assets and a name, where a person is to press it."""
        if not object_mode(cls, context):
            return False
        if bpy.app.background:
            return True
        reason = trainings.reason_to_wait()
        group: Any = context.scene.gen3d  # pyright: ignore[reportAttributeAccessIssue]
        if not reason and not group.title.strip():
            reason = "Give the new model a name"
        if reason:
            cls.poll_message_set(reason)
            return False
        return not source.missing(cls, context, files=True)


class OnTraining:
    """An operator on one training."""

    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    training: StringProperty(name="Training", description="Its id", options={"SKIP_SAVE"})

    def act(self: Any, training: Training) -> None:
        """Does it."""
        raise NotImplementedError

    def execute(self: Any, context: Context) -> set[str]:
        """See the class."""
        try:
            self.act(trainings.find(self.training))
        except Gen3DError as error:
            return failed(self, error)
        return {"FINISHED"}


class GEN3D_OT_train_pause(OnTraining, Operator):  # noqa: N801
    """Stop for now, with everything that was learned; Resume goes on from there"""

    bl_idname = "gen3d.train_pause"
    bl_label = "Pause"

    def act(self, training: Training) -> None:
        """See the class."""
        trainings.pause(training)


class GEN3D_OT_train_keep(OnTraining, Operator):  # noqa: N801
    """End the training here and make a model of what it has learned"""

    bl_idname = "gen3d.train_keep"
    bl_label = "Stop and Keep"

    def act(self, training: Training) -> None:
        """See the class."""
        trainings.keep(training)


class GEN3D_OT_train_resume(OnTraining, Operator):  # noqa: N801
    """Go on from where the training stopped"""

    bl_idname = "gen3d.train_resume"
    bl_label = "Resume"

    def act(self, training: Training) -> None:
        """See the class."""
        trainings.resume(training)


class GEN3D_OT_train_discard(OnTraining, Operator):  # noqa: N801
    """End the training and delete what it has learned"""

    bl_idname = "gen3d.train_discard"
    bl_label = "Discard"

    def invoke(self: Any, context: Context, event: Event) -> set[str]:
        """Asks first."""
        return confirm(self, context, event, "Delete what this training has learned?", "Discard")

    def act(self, training: Training) -> None:
        """See the class."""
        trainings.discard(training)


class GEN3D_OT_train_hide(OnTraining, Operator):  # noqa: N801
    """Take this finished training out of the panel; its model stays"""

    bl_idname = "gen3d.train_hide"
    bl_label = "Hide"

    def act(self, training: Training) -> None:
        """See the class."""
        if not training.active:
            trainings.discard(training)


class GEN3D_OT_use_model(Operator):  # noqa: N801
    """Choose this model for Generate and the other buttons"""

    bl_idname = "gen3d.use_model"
    bl_label = "Use This Model"
    bl_options: ClassVar[set[str]] = {"UNDO", "INTERNAL"}

    model: StringProperty(name="Model", description="Its id", options={"SKIP_SAVE"})

    def execute(self: Any, context: Context) -> set[str]:
        """See the class."""
        group: Any = context.scene.gen3d  # pyright: ignore[reportAttributeAccessIssue]
        try:
            group.model = models.find(self.model).id
        except Gen3DError as error:
            return failed(self, error)
        return {"FINISHED"}


class GEN3D_OT_delete_model(Operator):  # noqa: N801
    """Delete this model, which you trained, from the disk. This cannot be undone"""

    bl_idname = "gen3d.delete_model"
    bl_label = "Delete My Model"

    model: StringProperty(name="Model", description="Its id", options={"SKIP_SAVE"})

    def invoke(self: Any, context: Context, event: Event) -> set[str]:
        """Asks first."""
        return confirm(self, context, event, "Delete this model from the disk?", "Delete")

    def execute(self: Any, context: Context) -> set[str]:
        """See the class."""
        try:
            models.delete(models.find(self.model))
        except Gen3DError as error:
            return failed(self, error)
        redraw()
        return {"FINISHED"}


def confirm(operator: Operator, context: Context, event: Event, question: str, answer: str) -> set[str]:
    """Asks; the operator is executed where the artist agrees."""
    manager: Any = context.window_manager
    return manager.invoke_confirm(operator, event, title=operator.bl_label, message=question, confirm_text=answer)


CLASSES = (
    GEN3D_OT_train,
    GEN3D_OT_train_pause,
    GEN3D_OT_train_keep,
    GEN3D_OT_train_resume,
    GEN3D_OT_train_discard,
    GEN3D_OT_train_hide,
    GEN3D_OT_use_model,
    GEN3D_OT_delete_model,
)
