"""The installer as the extension has it, and what its tests do with it."""

from __future__ import annotations

import importlib
import os
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = "gen3d_extension"

posix_only = pytest.mark.skipif(os.name == "nt", reason="The stand-in for a Python is a script with a #! line.")


def _part(name: str) -> Any:
    """A module of the extension that needs no Blender, as the extension has it: inside a package of its own."""
    for package, folder in ((PACKAGE, ROOT), (f"{PACKAGE}.blender_addon", ROOT / "blender_addon")):
        if package not in sys.modules:
            module = types.ModuleType(package)
            module.__path__ = [str(folder)]
            sys.modules[package] = module
    return importlib.import_module(f"{PACKAGE}.blender_addon.{name}")


driver, environment, interpreters = (_part(f"installer.{n}") for n in ("driver", "environment", "interpreters"))
downloads, installation, packages = (_part(f"installer.{n}") for n in ("downloads", "installation", "packages"))
children, pip_words, plans = (_part(f"installer.{n}") for n in ("children", "pip_words", "plans"))
engine = _part("engine")
# The extension's copy of the class, not the one of gen3d_core.
EngineError = importlib.import_module(f"{PACKAGE}.gen3d_core.errors").EngineError


def run(plan: Any) -> Any:
    """Installs to the end, as the window does: in short steps that never go back."""
    one = installation.Installation(plan)
    seen = [0.0]
    while not one.ended:
        start = time.monotonic()
        seconds = one.poll()
        assert time.monotonic() - start < 5.0, "the window would have stood still"
        assert one.fraction >= seen[-1]
        seen.append(one.fraction)
        if not one.ended:
            time.sleep(seconds)
    return one


def fails(plan: Any, sentence: str, remedy: str) -> Any:
    """Checks that an installation fails in these words and leaves nothing that looks complete."""
    one = run(plan)
    assert one.error is not None
    assert sentence in one.error.message, (one.error.message, one.error.details)
    assert remedy in one.error.remedy, one.error.remedy
    assert one.made is None
    assert environment.find(plan.root) is None
    assert not (plan.root / environment.LOCK).exists()
    return one


def until(one: Any, condition: Any) -> None:
    """Goes on with an installation until something holds."""
    end = time.monotonic() + 300
    while not condition():
        assert not one.ended, (one.error, one.error and one.error.details)
        assert time.monotonic() < end
        time.sleep(min(one.poll(), 0.05))
