"""The buttons that carry a shape through the clipboard, to another file or another person. See :mod:`.recipe`."""

# Blender's stubs know sets of literals only.
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from collections.abc import Sequence
from typing import ClassVar

import bpy
from bpy.types import Context, Object, Operator

from ..gen3d_core.errors import Gen3DError
from . import models, objects, recipe, steps, verbs
from .memory import Memory, recall
from .pressing import Button, active, failed, object_mode
from .steps import Step


def paste(text: str) -> verbs.Verb:
    """The shape that a text tells of, at the 3D cursor."""
    memory = recipe.read(text)
    step = _step(memory)
    where, title = objects.target(bpy.context), models.short(models.find(memory.model))
    results = (yield step).results
    names: Sequence[str] = [f"{memory.text or title} {memory.seed}".strip().capitalize()]
    return lambda: objects.in_row(where, results[:1], memory, names)


def _step(memory: Memory) -> Step:
    card = models.same_version(memory.model, memory.weights)
    if memory.latent is not None:
        return steps.decode(card, memory.latent, memory.latent, 0.0, memory.quality)
    if memory.task == "from_text":
        return steps.from_text(card, memory.text, [memory.seed], memory.quality)
    return steps.sample(card, [memory.seed], memory.category, memory.quality)


class GEN3D_OT_copy_latent(Operator):  # noqa: N801 - Blender's rule for names
    """Copy what the active shape is made from to the clipboard: its model, and its latent or its seed.
    As a text it can be pasted in another file, or sent to somebody who has the same model"""

    bl_idname = "gen3d.copy_latent"
    bl_label = "Copy Latent"

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        try:
            text = recipe.write(recall(active(context)))
        except Gen3DError as error:
            return failed(self, error)
        assert context.window_manager is not None
        context.window_manager.clipboard = text
        self.report({"INFO"}, f"Copied, {len(text)} letters")
        return {"FINISHED"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether a generated shape is active."""
        obj: Object | None = context.active_object
        if obj is None or not objects.task_of(obj):
            cls.poll_message_set("Click a shape that was made here")
            return False
        return True


class GEN3D_OT_paste_latent(Button, Operator):  # noqa: N801
    """Make the shape that was copied, at the 3D cursor"""

    bl_idname = "gen3d.paste_latent"
    bl_label = "Paste Latent"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    def verb(self, context: Context) -> verbs.Verb:
        """See the base class."""
        assert context.window_manager is not None
        return paste(context.window_manager.clipboard)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether shapes may be made now."""
        return object_mode(cls, context)


CLASSES = (GEN3D_OT_copy_latent, GEN3D_OT_paste_latent)
