"""The losses of a training as it goes: a table for the interface and events for TensorBoard.

Both are kept without gaps and without doubles: what a training wrote after its last checkpoint and will now compute
again is taken back when it resumes.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from ..runs import LOSSES

# Their classes are made when they are imported, out of sight of type checkers.
Event: Any = vars(event_pb2)["Event"]
SessionLog: Any = vars(event_pb2)["SessionLog"]
Summary: Any = vars(summary_pb2)["Summary"]

COLUMNS = ("step", "stage", "name", "value")


class History:
    """Appends losses to ``losses.csv`` and to ``history/`` in the run folder.

    A disk that is full costs the history its next entries, never the training.

    Args:
        folder: of the training.
        first: the number of the first step to come, over all stages; entries from there on are taken back.
    """

    def __init__(self, folder: Path, first: int) -> None:
        self._table = folder / LOSSES
        rows = [row for row in read_losses(folder) if row.step < first]
        beside = self._table.with_suffix(".part")
        try:
            with beside.open("w", newline="", encoding="utf-8") as file:
                table = csv.writer(file)
                table.writerow(COLUMNS)
                table.writerows([(row.step, row.stage, row.name, f"{row.value:.6g}") for row in rows])
            os.replace(beside, self._table)
        except OSError:
            beside.unlink(missing_ok=True)
        self._events: Path | None = folder / "history"
        # Readers take the files of a folder in the order of their names.
        self._file_name = f"events.out.tfevents.{time.time_ns():020d}.gen3d"
        self._event(Event(wall_time=time.time(), step=first, file_version="brain.Event:2"))
        # TensorBoard's own sign that everything from this step on is void.
        self._event(Event(wall_time=time.time(), step=first, session_log=SessionLog(status=SessionLog.START)))

    def add(self, step: int, stage: str, losses: Mapping[str, float]) -> None:
        """Notes the losses of one step.

        Args:
            step: number over all stages.
            stage: that the step belongs to.
            losses: by the network's name.
        """
        try:
            with self._table.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([(step, stage, name, f"{value:.6g}") for name, value in losses.items()])
        except OSError:
            return
        values = [Summary.Value(tag=f"{stage}/{name}", simple_value=value) for name, value in losses.items()]
        self._event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def _event(self, event: Any) -> None:
        if self._events is None:
            return
        try:
            self._events.mkdir(parents=True, exist_ok=True)
            with (self._events / self._file_name).open("ab") as file:
                RecordWriter(file).write(event.SerializeToString())
        except OSError:
            # Half a record spoils what would follow it.
            self._events = None


@dataclass(frozen=True)
class Row:
    """One line of the table: the loss ``value`` of the network ``name`` at ``step``, counted over all stages."""

    step: int
    stage: str
    name: str
    value: float


def read_losses(folder: Path) -> list[Row]:
    """The table in a run folder, in order; lines that were cut short are passed over."""
    try:
        with (folder / LOSSES).open(newline="", encoding="utf-8", errors="replace") as file:
            lines = list(csv.reader(file))[1:]
    except OSError:
        return []
    rows = []
    for line in lines:
        try:
            step, stage, name, value = line
            rows.append(Row(int(step), stage, name, float(value)))
        except ValueError:
            continue
    return rows
