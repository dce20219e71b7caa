"""Checkpoints: written beside the old one and renamed over it, so that there is always a whole one."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from ..errors import BadRequest
from ..runs import CHECKPOINT

#: A file that is being written; one that a killed process left behind is written over.
PART = CHECKPOINT + ".part"


class Checkpoint:
    """The one checkpoint of a training.

    Args:
        folder: of the training.
        fingerprint: what must be equal for a checkpoint to be continued; see :func:`fingerprint`.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder, self.fingerprint = folder, fingerprint
        self.saved_at = time.monotonic()

    def save(self, state: dict[str, Any]) -> str:
        """Writes ``state``.

        Returns:
            Nothing, or why it could not be written, for people; the previous checkpoint is still there then.
        """
        # Whatever comes of it: a full disk is not asked again at every step.
        self.saved_at = time.monotonic()
        beside = self.folder / PART
        try:
            with beside.open("wb") as file:
                torch.save({**state, "plan": self.fingerprint}, file)
                file.flush()
                # Or, after a power cut, the new name could stand for nothing while the old file is gone.
                os.fsync(file.fileno())
            os.replace(beside, self.folder / CHECKPOINT)
        except (OSError, RuntimeError) as error:
            # torch says in a RuntimeError of its own that the disk is full.
            beside.unlink(missing_ok=True)
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "the disk may be full"
            return f"The checkpoint could not be written to {self.folder}: {reason}."
        return ""

    def load(self) -> dict[str, Any] | None:
        """What was saved last, on the CPU, or None where nothing was.

        Raises:
            BadRequest: it is damaged, or belongs to another training.
        """
        path = self.folder / CHECKPOINT
        if not path.exists():
            return None
        try:
            # weights_only: a checkpoint is data, and data must not execute.
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, UnpicklingError, EOFError) as error:
            raise BadRequest(
                f"The checkpoint {path} cannot be read: it is damaged, or not a checkpoint.",
                "Delete it to start anew, or use another folder.",
                details=str(error),
            ) from error
        if not isinstance(state, dict) or state.get("plan") != self.fingerprint:
            raise BadRequest(
                f"The checkpoint in {self.folder} belongs to a training with other settings or other data.",
                "Use the same settings to resume it, or another folder to start anew.",
            )
        return state


def fingerprint(settings: Iterable[object], tensors: dict[str, Tensor]) -> str:
    """A hash of the settings and of every byte of the data, in hexadecimal."""
    digest = hashlib.sha256("\n".join(repr(one) for one in settings).encode())
    for key, value in sorted(tensors.items()):
        digest.update(f"{key}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
