"""Directions beside a model's weights: a small file, good for exactly these weights and found anew for others."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from . import cards
from .cards import Card
from .directions import Directions, find
from .errors import BadModel, Gen3DError
from .run import Run
from .system import HasLatents, System

#: Samples to begin with where an artist waits for them.
QUICK = 120
#: The file, the version of what is in it, and the entry of its header that says what that is.
FILE, VERSION, ENTRY = "directions.safetensors", "2", "directions"


def read(card: Card) -> Directions | None:
    """The directions beside a model's weights; None where there are none, or those of other weights."""
    path = card.folder / FILE
    try:
        with safe_open(path, framework="np") as file:
            facts = json.loads((file.metadata() or {})[ENTRY])
            if (facts["version"], facts["weights"]) != (VERSION, card.sha256):
                return None
            said = facts["directions"]
            lists = {name: tuple(said[name]) for name in ("names", "low", "high", "scores")}
            found = Directions(
                **lists,
                refused=said["refused"],
                units=said["units"],
                vectors=file.get_tensor("vectors"),
                effects=file.get_tensor("effects"),
            )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    sizes = {len(values) for values in lists.values()}
    return found if found.vectors.ndim == 2 and sizes == {len(found.vectors)} else None


def write(found: Directions, card: Card) -> Path:
    """Writes directions beside a model's weights, and returns the path.

    Raises:
        Gen3DError: they cannot be written.
    """
    path = card.folder / FILE
    # In one entry, as several would be written in another order each time.
    facts = {ENTRY: json.dumps({"version": VERSION, "weights": card.sha256, "directions": found.values()})}
    beside = ""
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{FILE}-", dir=card.folder)
        os.close(handle)
        arrays = {"vectors": np.ascontiguousarray(found.vectors), "effects": np.ascontiguousarray(found.effects)}
        save_file(arrays, beside, metadata=facts)
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except (OSError, SafetensorError) as error:
        if beside:
            Path(beside).unlink(missing_ok=True)
        raise Gen3DError(
            f"The directions cannot be written to {card.folder}: {error}.", "Make the folder writable, then try again."
        ) from error
    return path


def of(card: Card, system: System, run: Run) -> Directions:
    """The directions of a model: those beside its weights, else found, and written there where it is the artist's own.

    Raises:
        Unsupported, EmptyShape, Cancelled: see :func:`find`.
        BadModel: the latents of the directions are larger than the model's.
    """
    found = read(card)
    if found is None:
        found = find(system, run, QUICK)
        # Nothing is ever written beside the program's own files.
        if card.folder.parent != cards.BUNDLED:
            try:
                write(found, card)
            except Gen3DError:
                # The artist gets the sliders all the same; the next sitting finds them again.
                return found
    if isinstance(system, HasLatents):
        size = system.prior(Run([0], system.device)).shape[1]
        if found.vectors.shape[1] > size:
            raise BadModel(
                f"The directions of '{card.id}' have {found.vectors.shape[1]} numbers; its latents have {size}.",
                f"Delete {FILE} in the model's folder, then try again.",
            )
    return found
