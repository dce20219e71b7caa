"""Where the engine's Python is, on what it computes, and where more models are."""

# Blender reads these annotations as properties.
# pyright: reportInvalidTypeForm=false

import os
from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy.types import AddonPreferences, Context, UILayout

from . import extension
from .engine import Settings
from .status import status
from .text import draw_text

#: Names the engine's Python where the preferences do not.
ENVIRONMENT = "GEN3D_PYTHON"
LOG = "engine.log"

DEVICES = [
    ("auto", "Automatic", "The graphics card where PyTorch can use one, else the processor"),
    ("cpu", "Processor", "Always the processor"),
    ("cuda", "NVIDIA GPU", "A graphics card with CUDA"),
    ("mps", "Apple GPU", "The graphics processor of an Apple computer"),
]


def _zoo_changed(preferences: "Gen3DPreferences", context: Context) -> None:
    from . import models

    models.refresh()


class Gen3DPreferences(AddonPreferences):
    """The extension's preferences; nothing of them is saved in a .blend file."""

    bl_idname = extension.ROOT

    python: StringProperty(
        name="Python",
        description="A Python 3.11 or later with PyTorch, or the folder of its virtual environment. "
        f"Left empty, the environment variable {ENVIRONMENT} counts",
        subtype="FILE_PATH",
    )
    device: EnumProperty(name="Device", description="Where the models compute", items=DEVICES)
    zoo: StringProperty(
        name="More Models",
        description="A folder of further models; each is a folder in it, as the engine saves them",
        subtype="DIR_PATH",
        update=_zoo_changed,
    )

    def draw(self, context: Context) -> None:
        """Shows the settings and what is known about the engine."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(self, "python")
        if not self.python:
            named = os.environ.get(ENVIRONMENT)
            row = column.row()
            row.active = False
            row.label(text=f"{ENVIRONMENT}: {named}" if named else f"Or set {ENVIRONMENT} before Blender starts")
        column.prop(self, "device")
        column.prop(self, "zoo")
        row = layout.row(align=True)
        row.operator("gen3d.test_engine", icon="CHECKMARK")
        row.operator("gen3d.restart_engine", icon="FILE_REFRESH")
        row.operator("gen3d.reload_models", icon="ASSET_MANAGER")
        _draw_verdict(layout)


def _draw_verdict(layout: UILayout) -> None:
    verdict = status.verdict
    if verdict is None:
        return
    box = layout.box().column(align=True)
    box.label(
        text="The engine works" if verdict.good else "The engine cannot work yet",
        icon="CHECKMARK" if verdict.good else "ERROR",
    )
    for line in verdict.lines:
        draw_text(box, line, 90)


def get() -> Gen3DPreferences:
    """The preferences of the enabled extension."""
    return bpy.context.preferences.addons[extension.ROOT].preferences  # pyright: ignore[reportReturnType]


def extra_zoos() -> list[Path]:
    """Further folders of models: the artist's own, and the one that the preferences name."""
    zoo = get().zoo
    return [extension.my_models(), *([Path(bpy.path.abspath(zoo))] if zoo else [])]


def engine_settings() -> Settings:
    """What the engine is to be started with."""
    chosen = get()
    return Settings(
        python=bpy.path.abspath(chosen.python) if chosen.python else os.environ.get(ENVIRONMENT, ""),
        device=chosen.device,
        zoo=os.pathsep.join(str(zoo) for zoo in extra_zoos()),
        root=extension.FOLDER,
        log=extension.user_folder() / LOG,
    )


CLASSES = (Gen3DPreferences,)
