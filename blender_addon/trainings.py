"""Trainings: each is a process of its own that writes files into a folder, and that is asked by files in it.

So a training does not hold up anything else in Blender, and what Blender shows of it survives both: a training that was
interrupted is found again and can be resumed. While Blender is open it holds the other end of the process's standard
input; when that closes, the training makes a checkpoint and pauses.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..gen3d_core import runs
from ..gen3d_core.errors import BadRequest, EngineError, Gen3DError
from ..gen3d_core.runs import Status
from . import clock, engine, extension, jobs, models, pictures, preferences
from .collecting import Collecting
from .status import record, redraw
from .training import LOG, Order, Training

ASSETS = "assets"

TICK_SECONDS = 0.5
#: How long one tick may collect assets.
COLLECT_SECONDS = 0.02
#: A training that was told to stop and has not by then is ended.
STOP_SECONDS = 20.0
#: A folder without a status that is older was left behind.
LEFTOVER_SECONDS = 24 * 3600.0
NICENESS = 10


_trainings: dict[str, Training] = {}


def listing() -> list[Training]:
    """The trainings, latest first."""
    return list(_trainings.values())[::-1]


def find(name: str) -> Training:
    """A training by its id.

    Raises:
        BadRequest: there is none.
    """
    if name not in _trainings:
        raise BadRequest(f"There is no training '{name}'.", "Choose one of the list.")
    return _trainings[name]


def reason_to_wait() -> str:
    """Why no training may begin now; empty where one may."""
    if any(training.active for training in _trainings.values()):
        return "One training at a time: pause the other one, or let it finish"
    return ""


def start(order: Order) -> Training:
    """Begins to collect assets; the training follows by itself.

    Raises:
        Gen3DError: it cannot even begin.
    """
    if reason_to_wait():
        raise BadRequest("Another training is under way.", "Pause it, or let it finish.")
    title = " ".join(order.title.split())
    if not title:
        raise BadRequest("The new model has no name.", "Give it one.")
    # Both are checked now and not after minutes of collecting.
    assert preferences.engine_settings().executable
    if order.start:
        models.find(order.start)
    root = extension.my_trainings()
    folder = _unused(root, _slug(title), lambda name: (root / name).exists())
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise _unwritable(root, error) from error
    training = Training(folder)
    training.title, training.source, training.order = title, order.source.title, order
    try:
        training.collecting = Collecting(order.source, folder / ASSETS / _slug(order.source.title))
    except Gen3DError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _trainings[training.id] = training
    clock.wake()
    redraw()
    return training


def pause(training: Training) -> None:
    """Asks a training to make a checkpoint and to leave."""
    _ask(training, "pause")


def keep(training: Training) -> None:
    """Asks a training to end now and to keep what it has learned; one that does not run is resumed for that."""
    if training.state in ("paused", "interrupted"):
        resume(training, learn=False)
    else:
        _ask(training, "keep")


def resume(training: Training, *, learn: bool = True) -> None:
    """Goes on with a training that was paused or interrupted.

    Args:
        training: one that does not run.
        learn: whether it goes on learning; else it only finishes what it has.

    Raises:
        BadRequest: it does not wait for that.
        EngineError: there is no Python to run it.
    """
    if training.state not in ("paused", "interrupted", "failed"):
        raise BadRequest(f"The training '{training.title}' is not paused.", "Start another one.")
    if reason_to_wait():
        raise BadRequest("Another training is under way.", "Pause it, or let it finish.")
    arguments = ["--resume", str(training.folder), *([] if learn else ["--keep"])]
    if training.status is None or not training.status.arguments:
        arguments = training.arguments
    before, training.status, training.lost = training.status, None, False
    try:
        _launch(training, arguments)
    except EngineError:
        training.status = before
        training.look()
        raise


def discard(training: Training) -> None:
    """Ends a training and deletes everything of it; a model that it has made stays."""
    training.discarded_at = time.monotonic()
    training.collecting = None
    if _runs(training):
        runs.ask(training.folder, "stop")
        clock.wake()
    else:
        _forget(training)
    redraw()


def tick() -> float:
    """Goes on with what is under way; the clock calls it."""
    waits = [_advance(training) for training in listing()]
    return min(waits, default=inf)


def wait(training: Training) -> str:
    """Pauses until a training has ended; returns the id of its model, empty where it was paused or discarded.

    Raises:
        Gen3DError: it failed.
    """
    try:
        while training.active and training.id in _trainings:
            seconds = tick()
            if training.active:
                time.sleep(min(seconds, 0.1))
    except KeyboardInterrupt:
        if training.state in runs.ACTIVE:
            pause(training)
        raise
    if training.failure is not None:
        raise training.failure
    return training.model


def _advance(training: Training) -> float:
    """One tick of one training; returns the seconds until the next one that it wants."""
    drawn = (training.folder / runs.CURVE, training.folder / runs.SAMPLES)
    if not training.active:
        # Its last pictures are shown a little later than they are drawn.
        if time.monotonic() - training.ended_at > 2 * pictures.SETTLED_SECONDS:
            return inf
        if pictures.look(*drawn):
            redraw()
        return TICK_SECONDS
    if training.collecting:
        return _collect(training)
    changed = training.look()
    if training.process and training.process.poll() is not None:
        _reap(training)
        changed = True
    elif changed and training.process is None and training.state == "done":
        # One that another Blender began.
        models.refresh()
    if training.state == "discarding":
        if not _runs(training):
            _forget(training)
        elif training.process and time.monotonic() - training.discarded_at > STOP_SECONDS:
            training.process.kill()
        return TICK_SECONDS
    if pictures.look(*drawn) or changed:
        redraw()
    return TICK_SECONDS


def _collect(training: Training) -> float:
    """Reads some assets; in the end, starts the process."""
    collecting = training.collecting
    assert collecting
    if not bpy.app.background and jobs.reason_to_wait():
        return jobs.HELD_SECONDS
    end = time.monotonic() + COLLECT_SECONDS
    more = True
    try:
        while more and time.monotonic() < end:
            more = collecting.step()
    except OSError as error:
        training.collecting = None
        _give_up(training, _unwritable(collecting.folder, error))
        return TICK_SECONDS
    redraw()
    if more:
        return jobs.TICK_SECONDS
    training.collecting = None
    training.refused, training.notes = collecting.refused, collecting.notes
    try:
        collecting.check()
        training.arguments = _arguments(training, collecting.data)
        training.keep_facts()
        _launch(training, training.arguments)
    except Gen3DError as error:
        _give_up(training, error)
    except OSError as error:
        _give_up(training, EngineError(f"The training cannot begin: {error}.", "Make room on the disk, or try again."))
    return TICK_SECONDS


def _unwritable(folder: Path, error: OSError) -> BadRequest:
    """For a folder on a disk that is full or protected."""
    reason = error.strerror or error
    return BadRequest(f"Nothing can be written to {folder}: {reason}.", "Make room there, or let Blender write to it.")


def _arguments(training: Training, data: Path) -> list[str]:
    """Of the command line, for a training that begins."""
    order = training.order
    assert order
    taken = {card.id for card in models.listing()}
    root = extension.my_models()
    out = _unused(root, _slug(training.title), lambda name: name in taken or (root / name).exists())
    system = order.system
    arguments = []
    if order.start:
        card = models.find(order.start)
        system, arguments = card.system, ["--from", str(card.folder)]
    arguments += ["--data", str(data), "--out", str(out), "--run", str(training.folder)]
    arguments += ["--title", training.title, "--minutes", f"{order.minutes:g}"]
    arguments += ["--rotate"] if order.rotate else []
    arguments += [] if order.mirror else ["--no-mirror"]
    return [system, *arguments, "--device", preferences.get().device, *order.arguments]


def _launch(training: Training, arguments: Sequence[str]) -> None:
    """Starts the process.

    Raises:
        EngineError: there is no Python to run it.
    """
    settings = preferences.engine_settings()
    command = [str(settings.executable), "-m", "gen3d_core", "train", *arguments, "--attended"]
    below_normal = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        with (training.folder / LOG).open("ab") as log:
            training.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=engine.environment(settings),
                cwd=training.folder,
                creationflags=below_normal,
            )
    except OSError as error:
        raise EngineError(
            f"The Python at {settings.executable} cannot be started: {error.strerror or error}.",
            "Choose another one in the preferences.",
        ) from error
    if sys.platform != "win32":
        # Whoever works in the meantime comes first.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, training.process.pid, NICENESS)
    clock.wake()
    redraw()


def _reap(training: Training) -> None:
    """The process has ended: finds out how."""
    process, training.process = training.process, None
    assert process
    code = process.wait()
    if process.stdin:
        process.stdin.close()
    training.ended_at = time.monotonic()
    training.look()
    if training.discarded_at != inf:
        return
    if training.status is None:
        # It ended before it could say a word: on a resume the old status still tells where it was.
        training.status = runs.read(training.folder)
        _give_up(training, _obituary(training, code))
    elif training.state == "interrupted":
        training.notes = [f"The process ended without a word (exit status {code})."]
    elif training.state == "done":
        models.refresh()
        shutil.rmtree(training.folder / ASSETS, ignore_errors=True)
    elif training.failure:
        record(training.failure)


def _obituary(training: Training, code: int) -> Gen3DError:
    """Why a process ended that wrote nothing."""
    log = training.log
    missing = re.findall(r"(?:No module named '?|cannot import )(\w+)", log)
    if missing and missing[-1] != "gen3d_core":
        return engine.lacking(preferences.engine_settings(), engine.PACKAGES)
    last = (log.strip().splitlines() or ["It said nothing."])[-1]
    return EngineError(
        f"The training ended before it began (exit status {code}): {last}", "Test the engine in the preferences.", log
    )


def _give_up(training: Training, error: Gen3DError) -> None:
    """Keeps a failure where the panel, and the next start of Blender, find it."""
    record(error)
    known = training.status or Status("failed", title=training.title, started=time.time())
    status = replace(known, state="failed", message=error.message, remedy=error.remedy)
    training.status, training.lost = status, False
    with suppress(OSError):
        runs.write(training.folder, status)
    training.look()


def _ask(training: Training, word: str) -> None:
    if training.state not in runs.ACTIVE:
        raise BadRequest(f"The training '{training.title}' does not run.", "Resume it first.")
    runs.ask(training.folder, word)
    redraw()


def _runs(training: Training) -> bool:
    """Whether there is a process of it, here or of another Blender."""
    return training.process is not None or (training.status is not None and runs.alive(training.status))


def _forget(training: Training) -> None:
    _trainings.pop(training.id, None)
    pictures.forget(training.folder / runs.CURVE, training.folder / runs.SAMPLES)
    shutil.rmtree(training.folder, ignore_errors=True)
    redraw()


def _slug(title: str) -> str:
    """A folder's name for a title: ASCII, no spaces, never empty."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40] or "model"


def _unused(root: Path, name: str, taken: Callable[[str], bool]) -> Path:
    """``root / name``, with a number behind it where that is taken."""
    number, one = 1, name
    while taken(one):
        number += 1
        one = f"{name}-{number}"
    return root / one


@persistent
def _after_load(*_: object) -> None:
    # The objects that were being collected are those of another file. Trainings themselves go on.
    for training in listing():
        if training.collecting and training.collecting.source.path is None:
            _forget(training)
            record(BadRequest("Another file was opened while assets were collected.", "Start the training again."))


def load() -> None:
    """Finds the trainings of earlier times again."""
    root = extension.my_trainings()
    now = time.time()
    for folder in root.iterdir() if root.is_dir() else ():
        if not (folder / runs.STATUS).exists() and now - folder.stat().st_mtime > LEFTOVER_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
    for folder, _ in reversed(runs.listing(root)):
        training = _trainings.setdefault(folder.name, Training(folder))
        pictures.look(folder / runs.CURVE, folder / runs.SAMPLES)
        if training.active:
            clock.wake()


def register() -> None:
    """Adds the handler, and finds what was there."""
    bpy.app.handlers.load_post.append(_after_load)
    load()


def unregister() -> None:
    """Removes it; trainings pause when their standard input closes, and can be resumed."""
    bpy.app.handlers.load_post.remove(_after_load)
    stop()
    _trainings.clear()


def stop() -> None:
    """Lets go of every process: each makes a checkpoint and ends."""
    for training in listing():
        process, training.process = training.process, None
        if process and process.stdin:
            process.stdin.close()
