"""The buttons that install the engine, and that remove it."""

# Blender reads these annotations as properties.
# pyright: reportInvalidTypeForm=false, reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from typing import Any, ClassVar

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy.types import Context, Event, Operator, UILayout

from ..gen3d_core.errors import BadRequest, Gen3DError
from . import installs, preferences
from .installer import environment, packages
from .installer.driver import AUTOMATIC, CPU, CUDA
from .pressing import failed
from .text import draw_text

DIALOG_PIXELS = 480
DIALOG_LETTERS = 70
FILE_BROWSER_LETTERS = 34

BUILDS = [
    (AUTOMATIC, "Automatic", "For the graphics card where its driver is new enough, else for the processor"),
    (CPU, "Processor", "The small build, which computes on the processor"),
    (CUDA, "NVIDIA GPU", "The large build, which computes on a graphics card with CUDA"),
]


class Installs:
    """What both ways to install share."""

    build: EnumProperty(name="PyTorch", description="Which build of PyTorch", items=BUILDS)

    def install(self: Any, folder: str) -> set[str]:
        """Begins; without a window, also waits for the end."""
        try:
            installs.start(self.build, folder)
            if bpy.app.background:
                installs.wait()
        except Gen3DError as error:
            return failed(self, error)
        return {"FINISHED"}

    @classmethod
    def ready(cls: Any) -> bool:
        """Whether nothing is under way."""
        reason = installs.reason_to_wait()
        if reason:
            cls.poll_message_set(reason)
        return not reason


class GEN3D_OT_install_engine(Installs, Operator):  # noqa: N801 - Blender's rule for names
    """Download PyTorch and what else the engine needs, into a Python environment of its own. \
Nothing outside the extension's folder is changed"""

    bl_idname = "gen3d.install_engine"
    bl_label = "Install Engine"

    build: EnumProperty(name="PyTorch", description="Which build of PyTorch", items=BUILDS)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether it may go online."""
        if not bpy.app.online_access:
            cls.poll_message_set("Allow online access in the preferences under System, or install from a folder")
            return False
        return cls.ready()

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Asks first."""
        if bpy.app.background:
            return self.execute(context)
        assert context.window_manager is not None
        return context.window_manager.invoke_props_dialog(self, width=DIALOG_PIXELS, confirm_text="Install")

    def draw(self, context: Context) -> None:
        """What will happen."""
        assert self.layout is not None
        _draw_plan(self.layout, self, DIALOG_LETTERS, online=True)

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        return self.install("")


class GEN3D_OT_install_from_folder(Installs, Operator):  # noqa: N801
    """Install the engine from a folder of wheels, without going online"""

    bl_idname = "gen3d.install_engine_from_folder"
    bl_label = "Install from Folder"

    build: EnumProperty(name="PyTorch", description="Which build of PyTorch", items=BUILDS)
    directory: StringProperty(name="Folder", description="That holds the wheels", subtype="DIR_PATH")
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether nothing is under way."""
        return cls.ready()

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Lets the artist choose the folder."""
        if bpy.app.background:
            return self.execute(context)
        assert context.window_manager is not None
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, context: Context) -> None:
        """What will happen, beside the files."""
        assert self.layout is not None
        _draw_plan(self.layout, self, FILE_BROWSER_LETTERS, online=False)

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        if not self.directory:
            return failed(self, BadRequest("No folder was chosen.", "Choose the one that holds the wheels."))
        return self.install(self.directory)


class GEN3D_OT_cancel_install(Operator):  # noqa: N801
    """Stop the installation; what was downloaded stays for the next one"""

    bl_idname = "gen3d.cancel_install"
    bl_label = "Cancel Installation"

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        installs.cancel()
        return {"FINISHED"}


class GEN3D_OT_remove_engine(Operator):  # noqa: N801
    """Delete the installed engine and everything that was downloaded for it. \
Models, trainings and a Python of your own stay"""

    bl_idname = "gen3d.remove_engine"
    bl_label = "Remove Engine"

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is one, and nothing is under way."""
        reason = installs.reason_to_wait()
        if not reason and not installs.root().is_dir():
            reason = "No engine was installed here"
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Asks first."""
        if bpy.app.background:
            return self.execute(context)
        assert context.window_manager is not None
        return context.window_manager.invoke_confirm(
            self,
            event,
            title="Remove the engine?",
            message=f"This gives back {_bytes(environment.total(installs.root()))}. {installs.root()} is deleted.",
            confirm_text="Remove",
        )

    def execute(self, context: Context) -> set[str]:
        """Begins; without a window, also waits for the end."""
        try:
            installs.remove()
            if bpy.app.background:
                installs.wait()
                self.report({"INFO"}, f"{_bytes(installs.freed())} were given back")
        except Gen3DError as error:
            return failed(self, error)
        return {"FINISHED"}


class GEN3D_OT_dismiss_install(Operator):  # noqa: N801
    """Take this message away"""

    bl_idname = "gen3d.dismiss_install"
    bl_label = "Dismiss"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        installs.forget_failure()
        return {"FINISHED"}


def draw(layout: UILayout, width: int) -> None:
    """What is installed, or under way, with the buttons for it.

    Args:
        layout: of the preferences.
        width: of a line, in letters.
    """
    box = layout.box().column()
    under_way, known = installs.installation(), installs.known()
    if under_way:
        row = box.row(align=True)
        row.progress(factor=under_way.fraction, text=under_way.text)
        row.operator("gen3d.cancel_install", text="", icon="X")
        return
    if installs.removing():
        box.label(text=f"Deleting: {_bytes(installs.freed())} given back", icon="TRASH")
        return
    outdated = False
    if known and known.fault:
        draw_text(box, f"{known.fault} Install the engine again.", width, "ERROR")
    elif known:
        facts = known.facts
        computes = facts.device or "the processor"
        draw_text(
            box,
            f"The engine is installed: PyTorch {facts.torch}, Python {facts.python}, on {computes}, "
            f"{_bytes(facts.size)}",
            width,
            "CHECKMARK",
        )
        for note in facts.notes:
            draw_text(box, note, width, "INFO")
        outdated = facts.digest != packages.CONTENTS.digest
        if outdated:
            draw_text(box, "It was made for another version of Gen3D: install it again to renew it", width, "INFO")
    else:
        draw_text(box, "No engine is installed", width, "INFO")
    if known and preferences.get().python:
        draw_text(box, "The existing Python that is named in the preferences is used instead", width, "INFO")
    row = box.row(align=True)
    if known is None or known.fault or outdated:
        row.operator("gen3d.install_engine", icon="IMPORT")
        row.operator("gen3d.install_engine_from_folder", text="From a Folder", icon="FILE_FOLDER")
    if installs.root().is_dir():
        row.operator("gen3d.remove_engine", icon="TRASH")
    _draw_failure(box, width)


def _draw_failure(layout: UILayout, width: int) -> None:
    error = installs.failure()
    if error is None:
        return
    box = layout.box().column()
    row = box.row()
    draw_text(row, error.message, width - 8, "ERROR")
    row.operator("gen3d.dismiss_install", text="", icon="X", emboss=False)
    draw_text(box, error.remedy, width - 4)
    box.operator("gen3d.copy_report", icon="COPYDOWN")


def _draw_plan(layout: UILayout, operator: Any, width: int, *, online: bool) -> None:
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.prop(operator, "build")
    choice = installs.choice(operator.build)
    download, unpacked = packages.SIZES[choice.build]
    column = layout.column()
    draw_text(column, choice.reason, width, "INFO")
    if online:
        have = environment.size(installs.root() / environment.WHEELS)
        here = f", of which {_bytes(have)} are here already" if have else ""
        draw_text(column, f"Downloads about {_bytes(download)}{here}", width, "IMPORT")
        if choice.build == CPU and packages.is_large(choice.versions[-1]) and not preferences.get().torch_index:
            large, _ = packages.SIZES[CUDA]
            draw_text(
                column,
                f"Where pip's source has PyTorch for CUDA only, as the usual one for Linux, it is {_bytes(large)}: "
                "the address of an index with the build for the processor makes it small",
                width,
                "ERROR",
            )
    else:
        draw_text(column, "Installs the wheels of the folder that is open here; nothing is downloaded", width, "IMPORT")
    draw_text(column, f"Takes about {_bytes(unpacked)} in {installs.root()}", width, "DISK_DRIVE")
    if online:
        layout.prop(preferences.get(), "torch_index", placeholder="As pip is configured")


def _bytes(number: float) -> str:
    """For people."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


CLASSES = (
    GEN3D_OT_install_engine,
    GEN3D_OT_install_from_folder,
    GEN3D_OT_cancel_install,
    GEN3D_OT_remove_engine,
    GEN3D_OT_dismiss_install,
)
