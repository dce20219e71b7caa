"""Installations from a folder, without Blender: real environments and real pip, with small stand-in wheels."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import stand_ins
from tests.installer.parts import ROOT, EngineError, environment, fails, installation, packages, plans, posix_only, run

#: Names a folder with wheels of everything, for the one test that installs the real thing.
WHEELS = "GEN3D_TEST_WHEELS"

pytestmark = posix_only


@pytest.mark.slow
def test_installs_from_a_folder(plan: Any) -> None:
    one = run(plan)
    assert one.error is None, (one.error, one.error and one.error.details)
    made = environment.find(plan.root)
    assert made == one.made
    assert (made.facts.torch, made.facts.build, made.facts.device) == ("1.0+cpu", "cpu", "")
    assert made.facts.packages["alpha"] == "1.0"
    assert made.facts.size > 1000
    assert "There was no wheel of gamma" in " ".join(made.facts.notes)
    assert made.fault == ""
    done = subprocess.run([made.python, "-c", "import alpha, torch"], check=False)
    assert done.returncode == 0
    assert sorted(path.name for path in plan.root.iterdir()) == [plan.key, environment.LOG], "nothing is left over"
    assert "Successfully installed" in environment.log_tail(plan.root)
    # Another one beside it; the old one serves until the new one is whole.
    again = installation.Installation(plan)
    while again.text != "Installing: 0 of 3 packages" and not again.ended:
        time.sleep(again.poll())
        assert environment.find(plan.root) == made
    again.cancel()
    assert environment.find(plan.root) == made


def test_says_what_a_folder_lacks(plan: Any, folder: Path) -> None:
    (folder / "alpha-1.0-py3-none-any.whl").unlink()
    stand_ins.wheel(folder, "alpha", "0.9")
    next(folder.glob("torch-*")).unlink()
    one = fails(plan, "The folder lacks torch 1.0, alpha 1.0 (it has 0.9).", str(folder))
    assert not (plan.root / plan.key).exists(), "it was said before anything began"
    assert "-m pip" not in environment.log_tail(plan.root)
    fails(replace(plan, folder=folder / "nowhere"), "cannot be read", "Choose a folder")
    failure = environment.failure(plan.root)
    assert one.error.message != failure.message
    assert "cannot be read" in failure.message


@pytest.mark.slow
def test_wheel_for_another_python(plan: Any, folder: Path) -> None:
    next(folder.glob("alpha-*")).unlink()
    stand_ins.wheel(folder, "alpha", "1.0", tag="cp27-cp27m-win32")
    fails(plan, "no wheel of alpha==1.0 that fits Python 3.", f"Add it to {folder}")


@pytest.mark.slow
def test_another_python_is_tried(plan: Any, folder: Path, python: Path, tmp_path: Path) -> None:
    """A package without a wheel for the first Python, with one for the second."""
    (tmp_path / "newer").write_text(
        f'#!/bin/sh\ncase "$*" in *ensurepip*) echo \'probe [[3, 99, 0], "{tmp_path / "newer"}", [], 64]\';;'
        f'*) {python} "$@"; mkdir -p "$6/bin"; rm -f "$6/bin/python"; '
        "printf '#!/bin/sh\\necho No matching distribution found for torch; exit 1\\n' > \"$6/bin/python\"; "
        'chmod +x "$6/bin/python";; esac\n'
    )
    (tmp_path / "newer").chmod(0o755)
    one = run(replace(plan, bases=(tmp_path / "newer", python)))
    assert one.error is None, (one.error, one.error and one.error.details)
    assert one.made.facts.base == str(python)
    assert "No matching distribution found for torch" in (plan.root / environment.LOG).read_text()


def test_no_python_will_do(plan: Any, tmp_path: Path) -> None:
    fails(replace(plan, bases=(Path("/bin/false"),)), "/bin/false: it does not start", "Install Python 3.11 or later")


@pytest.mark.slow
def test_changed_and_damaged_wheels(plan: Any, folder: Path) -> None:
    good = (folder / "beta-2.0-py3-none-any.whl").read_bytes()
    stand_ins.wheel(folder, "beta", "2.0", {"beta/__init__.py": "import os  # and something evil"})
    fails(plan, "not the one that was published", "do not use that source")
    (folder / "beta-2.0-py3-none-any.whl").write_bytes(good)
    alpha = folder / "alpha-1.0-py3-none-any.whl"
    alpha.write_bytes(alpha.read_bytes()[:-30])
    fails(plan, "damaged", "replace the file")


@pytest.mark.slow
def test_engine_that_does_not_run(plan: Any, folder: Path) -> None:
    stand_ins.wheel(
        folder,
        "alpha",
        "1.0",
        {"alpha/__init__.py": "raise ImportError('libalpha.so: cannot open shared object file')"},
    )
    fails(plan, "libalpha.so", "virus scanner")
    assert (plan.root / plan.key).is_dir()
    stand_ins.wheel(folder, "alpha", "1.0")
    assert run(plan).error is None, "what was left half made is in the way"


@pytest.mark.slow
def test_too_long_names(plan: Any, folder: Path) -> None:
    stand_ins.wheel(folder, "alpha", "1.0", {f"alpha/{'a' * 300}.py": ""})
    fails(plan, "longer than this system allows", "shorter path")


def test_windows_paths(plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "_long_paths", lambda: False)
    fails(replace(plan, root=plan.root / ("x" * 120)), "is too long for the files", "long paths")


def test_too_little_room(plan: Any) -> None:
    fails(replace(plan, room=1e18), "GB free; the engine needs about", "Make room")


@pytest.mark.slow
def test_full_disk(plan: Any, folder: Path, small_disk: Path) -> None:
    stand_ins.wheel(folder, "alpha", "1.0", filling=6_000_000)
    fails(replace(plan, root=small_disk / "engine"), "is full", "Make room on it")


def test_read_only_folder(plan: Any, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    one = installation.Installation(replace(plan, root=small_disk / "engine"))
    with pytest.raises(EngineError, match="Nothing can be written"):
        one.wait()


@pytest.mark.slow
def test_real_engine(tmp_path: Path) -> None:
    named = os.environ.get(WHEELS, "")
    if not named:
        pytest.skip(f"{WHEELS} names no folder with wheels of everything that the engine needs.")
    folder = Path(named)
    lacks = packages.missing(packages.CONTENTS, sys.version_info[:3], packages.wheels(folder))
    if lacks:
        pytest.skip(f"The folder {folder} lacks {', '.join(lacks)}.")
    plan = plans.Plan(tmp_path / "engine", packages.choose("cpu", None), packages.CONTENTS, folder)
    one = run(plan)
    assert one.error is None, (one.error, one.error and one.error.details)
    code = "import gen3d_core.worker, torch, igl, skimage, embreex; print(torch.ones(2).sum())"
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [one.made.python, "-c", code], env=variables, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
