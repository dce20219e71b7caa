"""The run folder: what a training process and whoever watches it tell one another, in small files.

The training writes ``status.json``; the watcher asks by writing ``asked``. Both are written beside their place and
renamed into it, so that nobody ever reads half a file. Only the standard library is used: Blender reads this too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

STATES = ("preparing", "training", "finishing", "paused", "done", "failed")
#: States in which a process is at work.
ACTIVE = ("preparing", "training", "finishing")
#: What a watcher may ask: write a checkpoint and leave; end the learning now and keep the model; leave at once.
WORDS = ("pause", "keep", "stop")

STATUS = "status.json"
ASKED = "asked"
LOSSES = "losses.csv"
CURVE = "loss.png"
SAMPLES = "samples.png"
CHECKPOINT = "checkpoint.pt"

#: On Windows a file cannot be replaced while it is read, nor read while it is replaced: that lasts milliseconds.
ATTEMPTS = 20
PAUSE = 0.01


@dataclass(frozen=True)
class Status:
    """Where a training is.

    Args:
        state: one of :data:`STATES`.
        title: of the model, for people.
        system: for instance ``voxels.vae``.
        stage: the part of the training that runs.
        step, steps: steps of that stage made, and expected in all; 0 expected while nobody knows.
        fraction: of the whole training, from 0 to 1.
        seconds: spent on learning, earlier sittings included.
        left: seconds of learning left, or None while nobody knows.
        loss: the latest losses by network.
        assets: how many are learnt from.
        refused: name and reason, of each asset that could not be used.
        warnings: sentences.
        message, remedy: why it failed and what to do, or a sentence about how it ended.
        model: the folder of the finished model.
        pid: of the training's process.
        process: tells this process from another that has its number later; see :func:`identity`.
        started, updated: when the run was made and when this was written, in seconds since 1970.
        arguments: what to give to ``python -m gen3d_core`` to start this training again; paths are absolute.
    """

    state: str
    title: str = ""
    system: str = ""
    stage: str = ""
    step: int = 0
    steps: int = 0
    fraction: float = 0.0
    seconds: float = 0.0
    left: float | None = None
    loss: Mapping[str, float] = field(default_factory=dict)
    assets: int = 0
    refused: Sequence[Sequence[str]] = ()
    warnings: Sequence[str] = ()
    message: str = ""
    remedy: str = ""
    model: str = ""
    pid: int = 0
    process: str = ""
    started: float = 0.0
    updated: float = 0.0
    arguments: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"'{self.state}' is not a state of a training; expected one of {', '.join(STATES)}.")


def write(folder: Path, status: Status) -> None:
    """Puts ``status`` into ``folder``, which is made if need be, with the present time.

    Raises:
        OSError: it cannot be written, for instance because the disk is full; the previous one stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = asdict(status) | {"updated": time.time()}
    _put(folder / STATUS, json.dumps(values, indent=1) + "\n")


def read(folder: Path) -> Status | None:
    """The status of the training in ``folder``; None where there is none that can be read."""
    text = _get(folder / STATUS)
    try:
        values = json.loads(text) if text else None
        if not isinstance(values, dict) or not all(_fits(key, value) for key, value in values.items()):
            return None
        known = {f.name for f in fields(Status)}
        # What another version of Gen3D wrote besides is passed over.
        return Status(**{key: value for key, value in values.items() if key in known})
    except (TypeError, ValueError):
        return None


def ask(folder: Path, word: str) -> None:
    """Asks the training in ``folder`` for one of :data:`WORDS`; the last word counts.

    Raises:
        ValueError: another word.
        OSError: it cannot be written.
    """
    if word not in WORDS:
        raise ValueError(f"A training cannot be asked to '{word}'; expected one of {', '.join(WORDS)}.")
    _put(folder / ASKED, word + "\n")


def asked(folder: Path) -> str | None:
    """What was asked for and not yet cleared, or None."""
    word = (_get(folder / ASKED) or "").strip()
    return word if word in WORDS else None


def clear(folder: Path) -> None:
    """Forgets what was asked. A training does so itself when it starts and when it has obeyed."""
    (folder / ASKED).unlink(missing_ok=True)


def alive(status: Status) -> bool:
    """Whether the process that wrote ``status`` still runs."""
    return bool(status.process) and identity(status.pid) == status.process


def interrupted(status: Status) -> bool:
    """Whether the training ended without a word: its process was killed, or the machine went down."""
    return status.state in ACTIVE and not alive(status)


def listing(root: Path) -> list[tuple[Path, Status]]:
    """Every run in ``root`` with its status, the latest started first."""
    found = [(path.parent, read(path.parent)) for path in sorted(root.glob(f"*/{STATUS}"))]
    known = [(folder, status) for folder, status in found if status is not None]
    return sorted(known, key=lambda one: -one[1].started)


def identity(pid: int) -> str:
    """What tells a running process from all others, earlier and later ones with its number too; empty if none runs."""
    if pid <= 0:
        return ""
    if sys.platform == "win32":
        return _windows_identity(pid)
    if sys.platform.startswith("linux"):
        return _linux_identity(pid)
    return _posix_identity(pid)


def _linux_identity(pid: int) -> str:
    """When the process started, in clock ticks since this boot; a process that has ended but is not reaped is none."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
    # The second entry is the program's name in parentheses, which may hold anything.
    entries = line.rpartition(")")[2].split()
    return "" if entries[0] in "ZX" else f"{boot} {entries[19]}"


def _posix_identity(pid: int) -> str:
    """When the process started, as ``ps`` tells it."""
    environment = {**os.environ, "LC_ALL": "C"}
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    state, _, born = done.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else born.strip()


def _windows_identity(pid: int) -> str:
    """When the process started, from its handle."""
    import ctypes
    from ctypes import wintypes

    query_limited_information, still_active = 0x1000, 259
    kernel: Any = getattr(ctypes, "WinDLL")("kernel32", use_last_error=True)  # noqa: B009 - only Windows has it
    kernel.OpenProcess.restype = wintypes.HANDLE
    kernel.OpenProcess.argtypes = [wintypes.DWORD, wintypes.BOOL, wintypes.DWORD]
    kernel.GetExitCodeProcess.argtypes = [wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD)]
    kernel.GetProcessTimes.argtypes = [wintypes.HANDLE, *[ctypes.POINTER(wintypes.FILETIME)] * 4]
    kernel.CloseHandle.argtypes = [wintypes.HANDLE]
    handle = kernel.OpenProcess(query_limited_information, False, pid)
    if not handle:
        return ""
    try:
        code = wintypes.DWORD()
        times = [wintypes.FILETIME() for _ in range(4)]
        if not kernel.GetExitCodeProcess(handle, ctypes.byref(code)) or code.value != still_active:
            return ""
        if not kernel.GetProcessTimes(handle, *[ctypes.byref(time) for time in times]):
            return ""
        return f"{times[0].dwHighDateTime}.{times[0].dwLowDateTime}"
    finally:
        kernel.CloseHandle(handle)


def _fits(key: str, value: object) -> bool:
    """Whether a stored entry has the type it should have."""
    default = {f.name: f.type for f in fields(Status)}.get(key)
    kinds: dict[str | Any, tuple[type, ...]] = {
        "str": (str,),
        "int": (int,),
        "float": (int, float),
        "float | None": (int, float, type(None)),
        "Mapping[str, float]": (dict,),
        "Sequence[str]": (list,),
        "Sequence[Sequence[str]]": (list,),
    }
    return default is None or isinstance(value, kinds[default])


def _put(path: Path, text: str) -> None:
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            # Or the name could survive a power cut and the content not.
            os.fsync(file.fileno())
        for attempt in range(ATTEMPTS):
            try:
                os.replace(beside, path)
                break
            except PermissionError:
                if attempt + 1 == ATTEMPTS:
                    raise
                time.sleep(PAUSE)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _get(path: Path) -> str | None:
    for _ in range(ATTEMPTS):
        try:
            return path.read_text(encoding="utf-8")
        except PermissionError:
            time.sleep(PAUSE)
        except (OSError, UnicodeDecodeError):
            return None
    return None
