"""One training: what was ordered, and where it is, as its folder says."""

import json
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from ..gen3d_core import runs
from ..gen3d_core.errors import EngineError, Gen3DError
from ..gen3d_core.runs import Status
from .collecting import Collecting, Source

LOG = "log.txt"
#: What is known before the training begins: the order's title and source, and what could not be used.
COLLECTED = "collected.json"
LOG_TAIL_BYTES = 4000


@dataclass(frozen=True)
class Order:
    """What is to be trained.

    Args:
        source: of the assets.
        title: of the new model.
        system: of :mod:`.papers`; counts where ``start`` is empty.
        start: id of a model that the training begins with; empty to begin with nothing.
        minutes: how long it may learn.
        rotate: whether assets are also shown turned about Z.
        mirror: whether they are also shown mirrored.
        arguments: further ones of the command line's ``train``.
    """

    source: Source
    title: str
    system: str = "voxels.vae"
    start: str = ""
    minutes: float = 20.0
    rotate: bool = False
    mirror: bool = True
    arguments: Sequence[str] = ()


class Training:
    """One training.

    Args:
        folder: with its files; its name is the training's id.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.title, self.source = folder.name, ""
        self.refused: list[tuple[str, str]] = []
        self.notes: list[str] = []
        #: Of the command line, for one that ended before it could note them itself.
        self.arguments: list[str] = []
        self.status: Status | None = None
        self.order: Order | None = None
        self.collecting: Collecting | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.discarded_at = inf
        self.ended_at = -inf
        self.lost = False
        self._stamp = 0
        with suppress(OSError, ValueError, KeyError, TypeError):
            values = json.loads((folder / COLLECTED).read_text(encoding="utf-8"))
            self.title, self.source = str(values["title"]), str(values["source"])
            self.refused = [(str(name), str(reason)) for name, reason in values["refused"]]
            self.notes = [str(note) for note in values["notes"]]
            self.arguments = [str(argument) for argument in values["arguments"]]
        self.look()

    @property
    def id(self) -> str:
        """Its name among the trainings."""
        return self.folder.name

    @property
    def state(self) -> str:
        """``collecting``, ``starting``, ``discarding``, ``interrupted``, or one of :data:`gen3d_core.runs.STATES`."""
        if self.discarded_at != inf:
            return "discarding"
        if self.collecting:
            return "collecting"
        if self.status is None:
            return "starting"
        return "interrupted" if self.lost else self.status.state

    @property
    def active(self) -> bool:
        """Whether something is under way."""
        # A process that has said its last word may still be ending.
        return self.process is not None or self.state in ("collecting", "starting", "discarding", *runs.ACTIVE)

    @property
    def asking(self) -> str:
        """What the training was asked for and has not done yet."""
        return (runs.asked(self.folder) or "") if self.active else ""

    @property
    def model(self) -> str:
        """Id of the model that it has made; empty before."""
        return Path(self.status.model).name if self.status and self.state == "done" else ""

    @property
    def fraction(self) -> float:
        """The progress, 0 to 1."""
        if self.collecting:
            return self.collecting.done / max(self.collecting.total, 1)
        return self.status.fraction if self.status else 0.0

    @property
    def all_refused(self) -> list[tuple[str, str]]:
        """Name and reason of each asset that was not used, by Blender or by the engine."""
        theirs = self.status.refused if self.status else ()
        return [*self.refused, *((str(name), str(reason)) for name, reason in theirs)]

    @property
    def log(self) -> str:
        """The end of what the process printed."""
        try:
            text = (self.folder / LOG).read_bytes()
        except OSError:
            return ""
        return text[-LOG_TAIL_BYTES:].decode(errors="replace")

    @property
    def failure(self) -> Gen3DError | None:
        """Why it did not come to its end; None where it did, or may yet."""
        if self.state == "failed" and self.status:
            return Gen3DError(self.status.message, self.status.remedy, self.log)
        if self.state == "interrupted":
            return EngineError(
                f"The training '{self.title}' was interrupted.", "Resume goes on from its last checkpoint.", self.log
            )
        return None

    def look(self) -> bool:
        """Reads what the process wrote since; whether anything changed."""
        try:
            stamp = (self.folder / runs.STATUS).stat().st_mtime_ns
        except OSError:
            stamp = 0
        before = (self.status, self.lost)
        if stamp != self._stamp:
            self.status, self._stamp = runs.read(self.folder) or self.status, stamp
        self.lost = self.process is None and self.status is not None and runs.interrupted(self.status)
        return before != (self.status, self.lost)

    def keep_facts(self) -> None:
        """Writes what will be needed after Blender was started again."""
        facts: dict[str, Any] = {"title": self.title, "source": self.source, "arguments": self.arguments}
        facts |= {"refused": self.refused, "notes": self.notes}
        (self.folder / COLLECTED).write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")
