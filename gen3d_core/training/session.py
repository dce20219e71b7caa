"""A training and its run folder: writes how it goes, draws what it has learnt, obeys what is asked."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from .. import preview, runs, tasks
from ..errors import EmptyShape, EngineError
from ..representations import Mesh, MeshOptions
from ..run import Run
from ..runs import Status
from ..system import Asset, Encodes, System
from . import curve
from .history import read_losses
from .loop import Moment, Watch

#: Seconds between two looks at the folder, from the start to the first picture, and from one picture to the next.
OFTEN, FIRST, PICTURES = 0.5, 5.0, 20.0
#: Pictures take at most this share of the time.
SHARE = 0.03
#: What is drawn on the way: always the same seeds, so that one sees them become better.
DRAWN, RESOLUTION, SIZE = 6, 48, 160


class Session(Watch):
    """The run folder of one training.

    Args:
        folder: the run folder.
        status: how it starts: title, system and arguments.
        attended: whether to pause when standard input ends, because whoever started this has gone.
    """

    def __init__(self, folder: Path, status: Status, attended: bool = False) -> None:
        self.folder = folder
        self.status = replace(status, pid=os.getpid(), process=runs.identity(os.getpid()))
        self.shown: Sequence[Asset] = ()
        #: The last word, from the folder, a signal or the end of standard input.
        self.word = ""
        self._moment: Moment | None = None
        self._looked = self._drawn = self._plotted = -float("inf")
        self._began = float("inf")
        self._fraction = 0.0
        self._drawing = self._plotting = 0.0
        if attended:
            threading.Thread(target=self._attend, daemon=True).start()

    # What the loop calls

    def step(self, moment: Moment) -> str:
        now = time.monotonic()
        self._moment = moment
        if now - self._looked >= OFTEN:
            self._looked = now
            self.ask()
            left = None if moment.left is None else round(moment.left, 1)
            self.update(state="training", left=left, **self._learnt())
            self.plot()
        return self.word

    def wants_to_look(self, moment: Moment) -> bool:
        now = time.monotonic()
        self._began = min(self._began, now)
        return now - self._began > FIRST and now - self._drawn > max(PICTURES, self._drawing / SHARE)

    def look(self, system: System, moment: Moment) -> None:
        started = time.monotonic()
        if moment.index == 0 and moment.stages > 1 and isinstance(system, Encodes):
            # The first stage learns to rebuild what it is shown; it cannot yet draw.
            rebuilt = (tasks.reconstruct(system, asset, Run([0], system.device)) for asset in self.shown[:DRAWN])
            self.draw(list(meshes(rebuilt)))
        else:
            self.draw(samples(system))
        self._drawn = time.monotonic()
        self._drawing = self._drawn - started

    def warn(self, sentence: str) -> None:
        if sentence not in self.status.warnings:
            self.update(warnings=[*self.status.warnings, sentence])

    # What the command calls

    def finishing(self) -> None:
        """All is learnt: says so, with what the last step came to, however short the training was."""
        self.update(state="finishing", left=0.0, **self._learnt())
        self.plot(always=True)

    def update(self, **changes: Any) -> None:
        """Changes entries of the status and writes it."""
        self.status = replace(self.status, **changes)
        try:
            runs.write(self.folder, self.status)
        except OSError:
            # A full disk costs the interface its news; the training goes on.
            return

    def ask(self) -> str:
        """The word that was asked for last, or nothing."""
        self.word = runs.asked(self.folder) or self.word
        return self.word

    def going(self, fraction: float) -> bool:
        """Told of the progress of all, preparations and measurements included: whether to go on."""
        now = time.monotonic()
        self._fraction = round(fraction, 4)
        if now - self._looked >= OFTEN:
            self._looked = now
            self.ask()
            self.update(fraction=self._fraction)
        return self.word not in ("pause", "stop")

    def plot(self, always: bool = False) -> None:
        """Draws the learning curve, if it is time."""
        started = time.monotonic()
        if not always and started - self._plotted < max(5.0, self._plotting / SHARE):
            return
        try:
            curve.save(self.folder / runs.CURVE, read_losses(self.folder))
        except OSError:
            return
        finally:
            self._plotted = time.monotonic()
            self._plotting = self._plotted - started

    def draw(self, found: Sequence[Mesh]) -> None:
        """Draws shapes on the sheet of samples."""
        try:
            if found:
                preview.save_png(self.folder / runs.SAMPLES, preview.sheet(found, columns=3, size=SIZE))
        except (OSError, EngineError):
            # No room, or no ray caster: a picture is not worth a training.
            return

    def _learnt(self) -> dict[str, Any]:
        """How far the last step came, as entries of the status."""
        moment = self._moment
        if moment is None:
            return {}
        return {
            "stage": moment.stage,
            "step": moment.step,
            "steps": moment.steps,
            "fraction": self._fraction,
            "seconds": round(moment.seconds, 3),
            "loss": {name: float(f"{value:.5g}") for name, value in moment.loss.items()},
        }

    def heed(self) -> bool:
        """A signal means: pause. A second one is not for us."""
        first, self.word = not self.word, "pause"
        return first

    def _attend(self) -> None:
        """Reads standard input to its end, past Python's own buffers: their lock would outlive this thread."""
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            # Closed before it began: nobody attends.
            self.word = self.word or "pause"
            return
        self.word = self.word or "pause"


@contextmanager
def heeding(wish: Callable[[], bool]) -> Iterator[None]:
    """Inside, Ctrl-C and requests to terminate call ``wish``; where it answers False, they end the process as usual."""

    def heard(number: int, frame: FrameType | None) -> None:
        if not wish():
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def samples(system: System, count: int = DRAWN, resolution: int = RESOLUTION) -> list[Mesh]:
    """The first ``count`` shapes that have a surface; fewer where many seeds give none."""
    drawn = (shape for seed in range(1, 3 * count + 1) for shape in tasks.sample(system, Run([seed], system.device)))
    return list(itertools.islice(meshes(drawn, resolution), count))


def meshes(shapes: Iterable[tasks.Shape], resolution: int = RESOLUTION) -> Iterator[Mesh]:
    """Their surfaces; shapes without one are left out."""
    for shape in shapes:
        try:
            yield shape.representation.to_mesh(MeshOptions(resolution, debris=0.02))
        except EmptyShape:
            continue
