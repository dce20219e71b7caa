"""Getting started: the first panel of the tab, while there is no Python that could run the engine."""

# The stubs know sets of literals only.
# pyright: reportIncompatibleVariableOverride=false

import os

from bpy.types import Context, Panel

from . import installs, preferences
from .panels import Tab
from .text import draw_text, letters


def needed() -> bool:
    """Whether no Python is named, and none is installed."""
    if preferences.get().python or os.environ.get(preferences.ENVIRONMENT):
        return False
    known = installs.known()
    return known is None or bool(known.fault)


class GEN3D_PT_start(Tab, Panel):  # noqa: N801 - Blender's rule for names
    """What to do first."""

    bl_label = "Getting Started"
    bl_order = -1

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is no engine."""
        return needed()

    def draw(self, context: Context) -> None:
        """See the class."""
        layout = self.layout
        assert layout is not None
        width, under_way = letters(context), installs.installation()
        if under_way:
            row = layout.row(align=True)
            row.progress(factor=under_way.fraction, text=under_way.text)
            row.operator("gen3d.cancel_install", text="", icon="X")
            return
        known, failure = installs.known(), installs.failure()
        if known:
            draw_text(layout, known.fault, width, "ERROR")
        if failure:
            draw_text(layout, failure.message, width, "ERROR")
            draw_text(layout, failure.remedy, width)
        draw_text(layout, "Models run in a Python of their own, with PyTorch. Install one, or choose yours.", width)
        column = layout.column(align=True)
        column.scale_y = 1.3
        column.operator("gen3d.install_engine", icon="IMPORT")
        column.operator("gen3d.install_engine_from_folder", icon="FILE_FOLDER")
        column.operator("gen3d.open_preferences", text="Use an Existing Python", icon="PREFERENCES")


CLASSES = (GEN3D_PT_start,)
