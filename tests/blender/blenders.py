"""A Blender in a Python: how the tests run a script inside one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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

    def run(self, script: str, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Runs a script inside; returns what it prints, and fails where it fails."""
        variables = {
            **os.environ,
            "BLENDER_USER_RESOURCES": str(self.resources),
            "GEN3D_ZOO": str(self.zoo),
            "GEN3D_PYTHON": sys.executable,
            **(environment or {}),
        }
        command = [self.python, "-c", LAUNCH, str(SCRIPTS / script), *arguments]
        done = subprocess.run(
            command, env=variables, cwd=SCRIPTS, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, f"{script} failed:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        return done.stdout
