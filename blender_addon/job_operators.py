"""The buttons of jobs: stop one, and what becomes of a result that waits."""

# Blender reads these annotations as properties, and its stubs know sets of literals only.
# pyright: reportInvalidTypeForm=false, reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from typing import ClassVar

from bpy.props import StringProperty
from bpy.types import Context, Operator

from ..gen3d_core.errors import Gen3DError
from . import jobs
from .pressing import failed


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


CLASSES = (
    GEN3D_OT_apply,
    GEN3D_OT_cancel,
    GEN3D_OT_add_held,
)
