"""The buttons of the engine: whether it works, what went wrong, and a report of that."""

# Blender reads these annotations as properties, and its stubs know sets of literals only.
# pyright: reportInvalidTypeForm=false, reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

import platform
import time
from pathlib import Path
from typing import ClassVar

import bpy
from bpy.types import Context, Event, Operator

from ..gen3d_core import __version__
from ..gen3d_core.errors import Gen3DError
from . import calls, extension, installs, models, preferences, trainings
from .pressing import failed
from .status import record, redraw, status


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


CLASSES = (
    GEN3D_OT_test_engine,
    GEN3D_OT_restart_engine,
    GEN3D_OT_reload_models,
    GEN3D_OT_open_preferences,
    GEN3D_OT_dismiss,
    GEN3D_OT_copy_report,
)
