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
from .installer import environment
from .status import status
from .text import draw_text

#: Names the engine's Python where the preferences do not.
ENVIRONMENT = "GEN3D_PYTHON"
LOG = "engine.log"
#: Of a line.
LETTERS = 76

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
        "Where it is empty, the installed engine counts, and where none is installed, "
        f"the environment variable {ENVIRONMENT}",
        subtype="FILE_PATH",
    )
    torch_index: StringProperty(
        name="PyTorch Index",
        description="The address of a further index of packages, for the build of PyTorch that fits the graphics "
        "card; PyTorch's own page on how to install it names one for each. Left empty, pip's configuration decides",
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
        from . import install_operators

        install_operators.draw(layout, LETTERS)
        column = layout.column()
        column.prop(self, "torch_index", placeholder="As pip is configured")
        column.prop(self, "python", text="An Existing Python")
        if not self.python and not environment.find(extension.my_engine()):
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
        draw_text(box, line, LETTERS)


def get() -> Gen3DPreferences:
    """The preferences of the enabled extension."""
    return bpy.context.preferences.addons[extension.ROOT].preferences  # pyright: ignore[reportReturnType]


def extra_zoos() -> list[Path]:
    """Further folders of models: the artist's own, and the one that the preferences name."""
    zoo = get().zoo
    return [extension.my_models(), *([Path(bpy.path.abspath(zoo))] if zoo else [])]


def engine_settings() -> Settings:
    """What the engine is to be started with: the Python that the preferences name, else the installed one, else the
    one that the environment names."""
    chosen, named = get(), os.environ.get(ENVIRONMENT, "")
    installed = None if chosen.python else environment.find(extension.my_engine())
    if installed and installed.fault and named:
        installed = None
    return Settings(
        python=str(installed.python) if installed else bpy.path.abspath(chosen.python) if chosen.python else named,
        device=chosen.device,
        zoo=os.pathsep.join(str(zoo) for zoo in extra_zoos()),
        root=extension.FOLDER,
        log=extension.log_folder() / LOG,
        private=installed is not None,
        fault=installed.fault if installed else "",
    )


CLASSES = (Gen3DPreferences,)
