"""What is to be installed, and whether there is room for it: checked before anything begins."""

import sys
from dataclasses import dataclass
from pathlib import Path

from ...gen3d_core.errors import EngineError
from . import environment, packages
from .interpreters import Interpreter
from .packages import Choice, Contents

#: The longest path inside an environment, and what Windows allows in all.
INSIDE_LETTERS, WINDOWS_LETTERS = 170, 259


@dataclass(frozen=True)
class Plan:
    """What is installed from where to where.

    Args:
        root: the folder that everything goes into.
        choice: of PyTorch.
        contents: what is installed.
        folder: of wheels; None to download them.
        index: address of a further index for PyTorch; empty for what pip's own configuration names.
        bases: Pythons to try, in this order; those of this machine where it is empty.
        room: bytes that must be free; None for what is usual.
    """

    root: Path
    choice: Choice
    contents: Contents
    folder: Path | None = None
    index: str = ""
    bases: tuple[Path, ...] = ()
    room: float | None = None

    @property
    def key(self) -> str:
        """The name of the environment's folder: short, because paths in it are long."""
        return f"{self.choice.build}-{self.contents.digest}"

    def needs(self, build: str) -> float:
        """Bytes that must be free for a build of PyTorch."""
        download, unpacked = packages.SIZES[build]
        return self.room if self.room is not None else unpacked + (0 if self.folder else download)

    def check_room(self, downloaded: int, build: str = "") -> None:
        """Whether the disk and its paths take what is to come.

        Args:
            downloaded: bytes that are there already.
            build: of PyTorch, where it is not the chosen one.

        Raises:
            EngineError: they do not.
        """
        needs = self.needs(build or self.choice.build)
        there = environment.free(self.root) + downloaded
        if there < needs:
            raise EngineError(
                f"The disk of {self.root} has {there / 1e9:.1f} GB free; the engine needs about {needs / 1e9:.1f} GB.",
                "Make room on it, then install again.",
            )
        if len(str(self.root / self.key)) + INSIDE_LETTERS > WINDOWS_LETTERS and not _long_paths():
            raise EngineError(
                f"The path {self.root / self.key} is too long for the files that belong into it.",
                "Switch on long paths in the settings of Windows, or let Blender's user folder have a shorter path.",
            )

    def check_folder(self, base: Interpreter) -> None:
        """Whether the folder of wheels, if there is one, has everything.

        Args:
            base: the Python that is to be used.

        Raises:
            EngineError: it lacks something.
        """
        if self.folder is None:
            return
        try:
            found = packages.wheels(self.folder)
        except OSError as error:
            raise EngineError(
                f"The folder {self.folder} cannot be read: {error.strerror or error}.", "Choose a folder with wheels."
            ) from error
        lacks = packages.missing(self.contents, base.version, found)
        if lacks:
            raise EngineError(
                f"The folder lacks {', '.join(lacks)}.",
                f"Add the wheels to {self.folder}, for instance with pip download in a Python {base.version[0]}."
                f"{base.version[1]} that is online.",
            )


def _long_paths() -> bool:
    """Whether the system takes paths of more than 260 letters."""
    if sys.platform != "win32":
        return True
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return False
