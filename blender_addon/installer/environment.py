"""The engine's own Python environments on the disk: which one is whole, what everything takes, how it is deleted.

All of it is one folder: environments, each in a folder named by what is in it, and what an installation needs while it
is under way. An environment counts only with its marker, which is written last. Its Python is that of Blender or of the
system, so it can be lost when that is upgraded; the environment itself need not match Blender's Python.
"""

import json
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ...gen3d_core import runs
from ...gen3d_core.errors import EngineError, Gen3DError
from . import children

MARKER = "ready.json"
WHEELS = "wheels"
TEMPORARY = "tmp"
LOG = "install.log"
FAILED = "failed.json"
LOCK = "installing.json"
TRASH = "trash-"


@dataclass(frozen=True)
class Facts:
    """What an environment's marker tells.

    Args:
        digest: of the contents it was made from.
        build: of PyTorch: ``cpu`` or ``cuda``.
        torch: its version.
        python: the version of the environment's Python.
        base: path of the Python that it was made with, and cannot do without.
        device: name of the graphics card that it can use; empty where it computes on the processor.
        notes: sentences for the artist.
        size: in bytes.
        made: in seconds since 1970.
        packages: versions by name.
    """

    digest: str
    build: str
    torch: str
    python: str
    base: str
    device: str = ""
    notes: Sequence[str] = ()
    size: int = 0
    made: float = 0.0
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Environment:
    """A complete environment.

    Args:
        folder: of it.
        facts: from its marker.
    """

    folder: Path
    facts: Facts

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return interpreter(self.folder)

    @property
    def fault(self) -> str:
        """Why it cannot be used any more, in a sentence; empty where it can, as far as that can be seen."""
        if self.python.is_file() and Path(self.facts.base).is_file():
            return ""
        return (
            f"The engine was installed with Python {self.facts.python} at {self.facts.base}, which is gone: "
            "Blender or Python was upgraded or moved."
        )


def interpreter(folder: Path) -> Path:
    """Where an environment has its Python."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def read(folder: Path) -> Environment | None:
    """The environment in a folder; None where there is none, or not all of it."""
    values = _read(folder / MARKER)
    known = {f.name for f in fields(Facts)}
    try:
        return Environment(folder, Facts(**{key: value for key, value in values.items() if key in known}))
    except TypeError:  # another version's, or damaged
        return None


def write(folder: Path, facts: Facts) -> None:
    """Declares an environment complete.

    Raises:
        OSError: it cannot be written; the environment does not count then.
    """
    _write(folder / MARKER, asdict(facts))


def find(root: Path) -> Environment | None:
    """The environment to use: the latest complete one that has its Python, or else the latest complete one."""
    folders = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    made = [one for folder in folders if not folder.name.startswith(TRASH) and (one := read(folder))]
    return max(made, key=lambda one: (not one.fault, one.facts.made), default=None)


def unused(root: Path, key: str) -> Path:
    """A folder for a new environment; it may hold one that was left half made, never a whole one."""
    number, folder = 1, root / key
    while read(folder):
        number += 1
        folder = root / f"{key}-{number}"
    return folder


def leftovers(root: Path) -> list[Path]:
    """What is of no use beside the environment: others, half made ones, and what an installation downloaded."""
    used = find(root)
    kept = {LOG, FAILED, LOCK, *([used.folder.name] if used else [])}
    return [path for path in sorted(root.iterdir()) if path.name not in kept] if root.is_dir() else []


def size(path: Path) -> int:
    """Bytes of everything in a folder, without what links lead to; of a complete environment, as its marker says."""
    if known := read(path):
        return known.facts.size
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size if path.is_symlink() or path.exists() else 0
    total = 0
    for parent, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


def total(root: Path) -> int:
    """Bytes of everything that was installed and downloaded."""
    return sum(size(path) for path in root.iterdir()) if root.is_dir() else 0


# One installation at a time ------------------------------------------------------------------------------------------


def lock(root: Path, child: int = 0) -> None:
    """Notes who installs here, and the process that does it at present.

    Raises:
        EngineError: another Blender does.
        OSError: nothing can be written here.
    """
    values = _read(root / LOCK)
    owner, before = int(values.get("owner", 0)), int(values.get("child", 0))
    if owner != os.getpid() and owner and runs.identity(owner) == values.get("owner_identity"):
        raise EngineError("Another Blender is installing the engine.", "Wait until it is done, or cancel it there.")
    if owner != os.getpid() and before and runs.identity(before) == values.get("child_identity"):
        # Its Blender was killed, and nobody waits for it any more.
        children.kill(before)
    _write(
        root / LOCK,
        {
            "owner": os.getpid(),
            "owner_identity": runs.identity(os.getpid()),
            "child": child,
            "child_identity": runs.identity(child),
        },
    )


def unlock(root: Path) -> None:
    """Nobody installs here any more."""
    with suppress(OSError):
        (root / LOCK).unlink(missing_ok=True)


def keep_failure(root: Path, error: Gen3DError) -> None:
    """Remembers why an installation ended, as far as the disk lets it."""
    with suppress(OSError):
        _write(root / FAILED, {"kind": error.kind, "message": error.message, "remedy": error.remedy})


def failure(root: Path) -> Gen3DError | None:
    """Why the last installation ended; None where it did not fail, or was not even begun."""
    values = _read(root / FAILED)
    if not values.get("message"):
        return None
    return EngineError(str(values["message"]), str(values.get("remedy", "")), log_tail(root))


def log_tail(root: Path, length: int = 6000) -> str:
    """The end of the installation's log."""
    try:
        with (root / LOG).open("rb") as log:
            log.seek(max(log.seek(0, os.SEEK_END) - length, 0))
            return log.read().decode(errors="replace")
    except OSError:
        return ""


# Deleting ------------------------------------------------------------------------------------------------------------


def delete(root: Path, paths: Sequence[Path]) -> Iterator[int]:
    """Deletes files and folders of ``root``, a few at a time; gives the bytes freed so far after each few.

    A folder loses its marker first and its name next, so that it never looks complete, and is either all there or away.
    Links are deleted, and never what they lead to.

    Raises:
        EngineError: a path is not in ``root``, or something cannot be deleted.
    """
    inside = root.resolve()
    for path in paths:
        if path.parent.resolve() != inside or path.name in ("", ".", ".."):
            raise EngineError(
                f"{path} is not a part of the engine at {root}.", "Delete it yourself if it is of no use."
            )
    freed = 0
    for path in paths:
        bytes_known = 0
        try:
            if path.is_symlink() or not path.is_dir():
                bytes_known = path.lstat().st_size if path.is_symlink() or path.exists() else 0
                path.unlink(missing_ok=True)
                freed += bytes_known
                continue
            (path / MARKER).unlink(missing_ok=True)
            gone = path if path.name.startswith(TRASH) else path.rename(_trash(root))
            for number, count in enumerate(_sweep(gone)):
                freed += count
                if number % 50 == 0:
                    yield freed
        except OSError as error:
            raise EngineError(
                f"{error.filename or path} cannot be deleted: {error.strerror or error}.",
                "Close other programs and Blenders that use the engine, then try again.",
            ) from error
        yield freed


def _trash(root: Path) -> Path:
    return root / f"{TRASH}{time.time_ns()}"


def _sweep(folder: Path) -> Iterator[int]:
    """Deletes a folder from the inside; gives the bytes of each file."""
    with os.scandir(folder) as entries:
        listed = list(entries)
    for entry in listed:
        known = entry.stat(follow_symlinks=False)
        # On Windows, a junction is a folder that leads elsewhere and no symbolic link.
        if entry.is_dir(follow_symlinks=False) and not getattr(known, "st_reparse_tag", 0):
            yield from _sweep(Path(entry.path))
            continue
        _unlink(entry.path, directory=entry.is_dir(follow_symlinks=False))
        yield known.st_size
    _unlink(str(folder), directory=True)


def _unlink(path: str, *, directory: bool) -> None:
    remove = os.rmdir if directory else os.unlink
    try:
        remove(path)
    except PermissionError:  # on Windows, a file that may only be read
        os.chmod(path, stat.S_IRWXU)
        remove(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _write(path: Path, values: Mapping[str, Any]) -> None:
    """Writes beside the place and renames into it: nobody ever reads half a file."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(json.dumps(values, indent=1, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def free(root: Path) -> int:
    """Bytes that are free on the disk of a folder that may not be there yet."""
    while not root.exists() and root != root.parent:
        root = root.parent
    return shutil.disk_usage(root).free
