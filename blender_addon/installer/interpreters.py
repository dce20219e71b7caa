"""Pythons that an environment can be made with: Blender's own first, then those on PATH."""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MINIMUM = (3, 11)
#: Looked for on PATH.
NAMES = ("python3.14", "python3.13", "python3.12", "python3.11", "python3", "python")

#: Run in a candidate: what it is, and whether it can make environments. Python 2 can read it, too.
PROBE = """
import json, os, struct, sys
lacks = []
for name in ("venv", "ensurepip"):
    try:
        __import__(name)
    except ImportError:
        lacks.append(name)
real = getattr(sys, "_base_executable", None) or sys.executable
# A link such as python3 may point to another Python after an upgrade.
real = real if os.name == "nt" else os.path.realpath(real)
print("probe " + json.dumps([list(sys.version_info[:3]), real, lacks, 8 * struct.calcsize("P")]))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python that was asked.

    Args:
        path: of the one that stands behind every link and every virtual environment.
        version: major, minor and patch.
        fault: why no environment can be made with it; empty where one can.
    """

    path: Path
    version: tuple[int, ...]
    fault: str = ""


def candidates(environment: str | None = None) -> list[Path]:
    """Files that may be Pythons, the preferred one first.

    Args:
        environment: the PATH to look in; that of this process where it is None.
    """
    number = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    # In some Blenders, sys.executable is Blender itself; its Python then lies in the bundled folder.
    found = [Path(path) for path in (getattr(sys, "_base_executable", ""), sys.executable) if path]
    for prefix in (sys.base_exec_prefix, sys.exec_prefix):
        folder = Path(prefix)
        found += [folder / "python.exe", *(folder / "bin" / name for name in (number, "python3", "python"))]
    known = [path for path in found if path.stem.lower().startswith("python")]
    known += [Path(path) for name in NAMES if (path := shutil.which(name, path=environment))]
    # An empty python.exe on Windows is no Python: it opens a shop.
    files = [path for path in known if path.is_file() and path.stat().st_size and os.access(path, os.X_OK)]
    return list(dict.fromkeys(files))


def command(path: Path) -> list[str]:
    """Asks a candidate what it is."""
    return [str(path), "-I", "-c", PROBE]


def answer(path: Path, code: int, output: str) -> Interpreter:
    """What a candidate said.

    Args:
        path: of the candidate.
        code: its exit status.
        output: of :func:`command`.
    """
    lines = [line.removeprefix("probe ") for line in output.splitlines() if line.startswith("probe ")]
    if code != 0 or not lines:
        return Interpreter(path, (), f"it does not start (exit status {code})")
    numbers, real, lacks, bits = json.loads(lines[-1])
    version = tuple(int(number) for number in numbers)
    if version < MINIMUM:
        return Interpreter(path, version, f"it is Python {version[0]}.{version[1]}")
    if lacks:
        return Interpreter(path, version, f"it lacks {' and '.join(lacks)}")
    if bits < 64:
        return Interpreter(path, version, "it has 32 bits")
    return Interpreter(Path(real), version)


def complaint(asked: Sequence[Interpreter]) -> str:
    """Why none of some Pythons will do, for people."""
    return "; ".join(f"{one.path}: {one.fault}" for one in asked) or "none was found"
