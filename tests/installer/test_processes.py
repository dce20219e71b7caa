"""Processes of the installer that are killed, and what they leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gen3d_core import runs
from tests.installer.parts import (
    ROOT,
    EngineError,
    children,
    environment,
    installation,
    posix_only,
    run,
    until,
)

pytestmark = posix_only


CHILD = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}]
from tests.installer.parts import installation, packages, plans
contents = packages.Contents("1.0", (packages.Package("alpha", "1.0"), packages.Package("beta", "2.0")), (), ("torch",))
choice = packages.choose("cpu", None, "1.0", "linux")
plan = plans.Plan(Path({engine!r}), choice, contents, Path({folder!r}), bases=(Path({python!r}),), room=0)
one = installation.Installation(plan)
import time
while not one.ended:
    seconds = one.poll()
    print(one.text, one._child and one._child.pid, flush=True)
    time.sleep(min(seconds, 0.05))
"""


@pytest.mark.slow
def test_killed_in_the_middle(plan: Any, folder: Path, python: Path) -> None:
    """Blender and its child die: what is left looks unfinished, blocks nobody, and the child's work is over."""
    values = {"root": str(ROOT), "engine": str(plan.root), "folder": str(folder), "python": str(python)}
    blender = subprocess.Popen([sys.executable, "-c", CHILD.format(**values)], stdout=subprocess.PIPE, text=True)
    assert blender.stdout
    pid = 0
    for line in blender.stdout:
        if line.startswith("Installing"):
            pid = int(line.split()[-1])
            break
    else:
        raise AssertionError("it ended by itself")
    # While it runs, nobody else begins.
    other = installation.Installation(plan)
    with pytest.raises(EngineError, match="Another Blender is installing"):
        other.wait()
    assert blender.poll() is None, "the first one goes on"
    os.killpg(pid, signal.SIGSTOP)
    blender.kill()
    blender.wait()
    blender.stdout.close()
    assert environment.find(plan.root) is None
    assert (plan.root / environment.LOCK).exists()
    one = run(plan)
    assert one.error is None, (one.error, one.error and one.error.details)
    assert not runs.identity(pid), "what the dead Blender had started still runs"


@pytest.mark.slow
def test_killed_pip(plan: Any) -> None:
    one = installation.Installation(plan)
    until(one, lambda: one.text.startswith("Installing") and one._child)
    os.killpg(one._child.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="The installation was killed"):
        one.wait()
    assert environment.find(plan.root) is None
    assert "was killed" in environment.failure(plan.root).message


def test_children_of_children_end(tmp_path: Path) -> None:
    child = children.Child(["sh", "-c", "sleep 50 & echo $!; wait"], dict(os.environ), tmp_path / "log", tmp_path)
    end = time.monotonic() + 10
    lines: list[str] = []
    while not lines:
        lines = child.lines()
        assert time.monotonic() < end
        time.sleep(0.02)
    assert runs.identity(int(lines[0]))
    child.kill()
    while runs.identity(int(lines[0])):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert child.output().strip() == lines[0]
