"""How buttons work: pressed in the panel they go on in the background, called by a script they wait for the result."""

# Blender reads these annotations as properties, and its stubs know sets of literals only.
# pyright: reportInvalidTypeForm=false, reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from typing import Any, ClassVar

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty
from bpy.types import Context, Event, Object, Operator

from ..gen3d_core.errors import BadRequest, Gen3DError
from . import jobs, models, objects, verbs
from .memory import Quality
from .status import record


class Button:
    """What the verbs share: how they run, and how they fail."""

    bl_options: ClassVar[set[str]] = {"UNDO"}

    def verb(self: Any, context: Context) -> verbs.Verb:
        """What to do, with the operator's properties."""
        raise NotImplementedError

    def fill(self: Any, context: Context) -> None:
        """Takes what the panel has for properties that the caller does not give; here, none."""

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
            self.fill(context)
            jobs.start(self.bl_label, self.verb(context))
        except Gen3DError as error:
            return failed(self, error)
        # Neither finished, which would make an undo step of nothing, nor cancelled.
        return {"INTERFACE"}


class Verb(Button):
    """What the verbs share that make shapes: their settings."""

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

    def fill(self: Any, context: Context) -> None:
        """The panel's settings."""
        group: Any = context.scene.gen3d  # pyright: ignore[reportAttributeAccessIssue]
        common = {name: name for name in ("model", "resolution", "faces", "debris", "quads")}
        for name, source in (common | self.settings).items():
            if name in self.properties.bl_rna.properties and not self.properties.is_property_set(name):
                self.take(name, getattr(group, source))

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


def failed(operator: Operator, error: Gen3DError) -> set[str]:
    """Tells the artist, or the script, which sees it as a RuntimeError."""
    record(error)
    operator.report({"ERROR"}, str(error))
    return {"CANCELLED"}


def active(context: Context) -> Object:
    if context.active_object is None:
        raise BadRequest("No object is active.", "Click a shape, then try again.")
    return context.active_object


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


def ours_active(cls: Any, context: Context) -> bool:
    if context.active_object is None or not objects.task_of(context.active_object):
        cls.poll_message_set("Click a shape that was made here, or reconstruct this one first")
        return False
    return True
