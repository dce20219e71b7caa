"""The engine's own Python in this Blender: installed and removed in the background, looked at by the one timer."""

import time
from collections.abc import Iterator, Sequence
from math import inf
from pathlib import Path

import bpy

from ..gen3d_core.errors import BadRequest, Gen3DError
from . import calls, clock, extension, jobs, preferences, trainings
from .installer import driver, environment, packages
from .installer.driver import AUTOMATIC, Driver
from .installer.environment import Environment
from .installer.installation import Installation, Interrupted
from .installer.packages import Choice
from .installer.plans import Plan
from .status import Verdict, record, redraw, status

#: How long one tick may delete.
SLICE_SECONDS = 0.02
#: How often the picture follows a deletion: drawing takes longer than deleting.
REDRAW_SECONDS = 0.25
#: How long what was read from the disk may be shown.
KNOWN_SECONDS = 2.0
REMOVING_SECONDS = 0.01


class _State:
    """What is under way, and what was found out."""

    installation: Installation | None = None
    removal: Iterator[int] | None = None
    freed: int = 0
    drawn_at = -inf
    driver: Driver | None = None
    asked_driver = False
    known: Environment | None = None
    failure: Gen3DError | None = None
    looked_at = -inf


_state = _State()


def root() -> Path:
    """The folder that everything of the engine's Python is in."""
    return extension.my_engine()


def installation() -> Installation | None:
    """The one under way."""
    return _state.installation


def removing() -> bool:
    """Whether something is being deleted."""
    return _state.removal is not None


def freed() -> int:
    """Bytes that the last removal gave back so far."""
    return _state.freed


def known() -> Environment | None:
    """The installed environment, as it was a moment ago; None where there is none."""
    _look()
    return _state.known


def failure() -> Gen3DError | None:
    """Why the last installation failed, also before Blender was started again; None where it did not."""
    _look()
    return _state.failure


def choice(build: str) -> Choice:
    """Which PyTorch fits this machine; asks the driver, the first time."""
    if not _state.asked_driver:
        _state.driver, _state.asked_driver = driver.find(), True
    return packages.choose(build, _state.driver, packages.CONTENTS.torch)


def reason_to_wait() -> str:
    """Why nothing can be installed or removed now; empty where it can."""
    if _state.installation:
        return "The engine is being installed"
    if _state.removal:
        return "Something is being deleted"
    if root().is_relative_to(Path(bpy.app.tempdir)):
        return "Blender gives the extension no folder of its own: install the extension from its zip"
    return ""


def start(build: str = AUTOMATIC, folder: str = "", bases: Sequence[Path] = ()) -> Installation:
    """Begins an installation.

    Args:
        build: of PyTorch: ``auto``, ``cpu`` or ``cuda``.
        folder: of wheels; empty to download them.
        bases: Pythons to try; those of this machine where it is empty.

    Raises:
        BadRequest: it cannot begin now.
    """
    if reason := reason_to_wait():
        raise BadRequest(f"{reason}.", "Try again after that.")
    if not folder and not bpy.app.online_access:
        raise BadRequest(
            "Blender is not allowed to go online.",
            "Allow online access in the preferences under System, or install from a folder of wheels.",
        )
    path = Path(bpy.path.abspath(folder)).expanduser() if folder else None
    plan = Plan(root(), choice(build), packages.CONTENTS, path, preferences.get().torch_index.strip(), tuple(bases))
    _state.installation = Installation(plan)
    _state.failure = None
    status.error = None
    clock.wake()
    redraw()
    return _state.installation


def cancel() -> None:
    """Stops what is being installed."""
    if _state.installation:
        _state.installation.cancel()
        tick()


def remove() -> None:
    """Begins to delete everything that was installed or downloaded.

    Raises:
        BadRequest: it is in use, or there is nothing.
    """
    if reason := reason_to_wait():
        raise BadRequest(f"{reason}.", "Try again after that.")
    if not root().is_dir():
        raise BadRequest("No engine was installed here.", "There is nothing to remove.")
    if preferences.engine_settings().private:
        _let_go()
    status.error = None
    _delete(list(root().iterdir()))


def wait() -> None:
    """Pauses until nothing is under way: application timers do not run without a window.

    Raises:
        Gen3DError: what was under way failed.
    """
    under_way = _state.installation
    try:
        while _state.installation or _state.removal:
            time.sleep(min(tick(), 0.1))
    except KeyboardInterrupt:
        cancel()
        raise
    if under_way and under_way.error:
        raise under_way.error
    if status.error and not under_way:
        raise status.error


def tick() -> float:
    """Goes on with what is under way; the clock calls it."""
    if _state.removal:
        return _go_on_deleting()
    one = _state.installation
    if one is None:
        return inf
    before = (one.fraction, one.text)
    seconds = one.poll()
    if one.ended:
        _state.installation = None
        forget_known()
        if one.error is None:
            _welcome(one)
        elif not isinstance(one.error, Interrupted):
            record(one.error)
        redraw()
        return REMOVING_SECONDS if _state.removal else inf
    if (one.fraction, one.text) != before:
        redraw()
    return seconds


def forget_failure() -> None:
    """Takes the last failure away; its log stays until the next installation."""
    (root() / environment.FAILED).unlink(missing_ok=True)
    forget_known()


def forget_known() -> None:
    """The disk is to be looked at again."""
    _state.looked_at = -inf


def report() -> list[str]:
    """Lines about the engine's Python for a report."""
    lines: list[str] = []
    found, error = environment.find(root()), environment.failure(root())
    if found:
        facts = found.facts
        lines.append(f"Installed: torch {facts.torch} ({facts.build}), Python {facts.python} at {facts.base}")
        lines += [found.fault] if found.fault else []
        lines += facts.notes
    if error:
        lines += [
            f"Installation failed: {error.message}",
            f"Remedy: {error.remedy}",
            "Installation log:",
            error.details,
        ]
    return lines


def stop() -> None:
    """Ends what is under way at once: Blender closes, or the extension is disabled."""
    if _state.installation:
        _state.installation.cancel()
    _state.installation, _state.removal = None, None
    forget_known()


def _look() -> None:
    now = time.monotonic()
    if now - _state.looked_at > KNOWN_SECONDS:
        _state.known, _state.failure = environment.find(root()), environment.failure(root())
        _state.looked_at = now


def _welcome(one: Installation) -> None:
    """A new environment: it is used from now on, and what it replaces is deleted."""
    made = one.made
    if made is None:
        return
    facts = made.facts
    device = facts.device or "the processor"
    lines = [f"Python {facts.python}, torch {facts.torch}", f"Computes on {device}", *facts.notes]
    status.verdict = Verdict(True, lines)
    status.error = None
    if jobs.active() or any(training.active for training in trainings.listing()):
        return  # the old one is still at work; it is deleted with the next installation or removal
    calls.stop()
    _delete(environment.leftovers(root()))


def _let_go() -> None:
    """Ends what uses the environment, unless it is a training.

    Raises:
        BadRequest: it is one.
    """
    if any(training.active for training in trainings.listing()):
        raise BadRequest("A training uses the engine.", "Pause it, or let it finish, then remove the engine.")
    calls.stop()


def _delete(paths: Sequence[Path]) -> None:
    _state.removal, _state.freed = environment.delete(root(), paths), 0
    clock.wake()
    redraw()


def _go_on_deleting() -> float:
    end = time.monotonic() + SLICE_SECONDS
    assert _state.removal
    try:
        while time.monotonic() < end:
            _state.freed = next(_state.removal)
    except StopIteration:
        _state.removal = None
        if not any(root().iterdir()):
            root().rmdir()
    except Gen3DError as error:
        _state.removal = None
        record(error)
    if _state.removal is None:
        forget_known()
    if _state.removal is None or time.monotonic() - _state.drawn_at > REDRAW_SECONDS:
        _state.drawn_at = time.monotonic()
        redraw()
    return REMOVING_SECONDS if _state.removal else inf
