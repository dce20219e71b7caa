"""A Blender in a Python: how the tests run a script inside one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gen3d_core import runs

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE / "scripts"
CHECKOUT = HERE.parent.parent
SECONDS = 1500
#: Blender's own modules can be imported only after ``bpy``, whose C++ part can wait for itself for ever at the end.
LAUNCH = """
import atexit, os, runpy, sys
import bpy
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
atexit._run_exitfuncs()
sys.stdout.flush()
os._exit(0)
"""


@dataclass(frozen=True)
class Blender:
    """A Python with ``bpy`` in which the extension is installed.

    Args:
        python: its executable.
        resources: the folder of its user's files.
        zoo: a folder of models.
    """

    python: str
    resources: Path
    zoo: Path

    def run(
        self,
        script: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        status: int = 0,
    ) -> str:
        """Runs a script inside; returns what it prints, and fails where it fails.

        Args:
            script: a file of ``scripts``.
            arguments: of the script.
            environment: further variables.
            prefix: a command that runs the rest of its command line.
            status: with which it is to end.
        """
        variables = {
            **os.environ,
            "BLENDER_USER_RESOURCES": str(self.resources),
            "GEN3D_ZOO": str(self.zoo),
            "GEN3D_PYTHON": sys.executable,
            **(environment or {}),
        }
        command = [*prefix, self.python, "-c", LAUNCH, str(SCRIPTS / script), *arguments]
        done = subprocess.run(
            command, env=variables, cwd=SCRIPTS, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == status, f"{script} failed:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        return done.stdout


def ends(process: int, seconds: float) -> None:
    """Waits for the end of a process that nobody may be left to reap."""
    end = time.monotonic() + seconds
    while runs.identity(process):
        assert time.monotonic() < end, f"process {process} outlived Blender"
        time.sleep(0.05)
