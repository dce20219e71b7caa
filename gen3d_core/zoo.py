"""Loading and saving models: safetensors only, checked against the card before anything is built."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from .cards import CONFIG, PREVIEW, README, WEIGHTS, Card
from .errors import BadModel, BadRequest, Gen3DError
from .preview import save_png
from .system import System, abilities, find_system, system_name


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(card: Card) -> None:
    """Checks the weights file against its card.

    Raises:
        BadModel: missing, a pickle, or not the file that the card describes.
    """
    path = card.weights
    if not path.exists():
        raise BadModel(f"The model '{card.id}' has no weights file {WEIGHTS}.", "Restore or reinstall the model.")
    with path.open("rb") as file:
        start = file.read(9)
    # A pickle protocol mark or a zip archive, in which torch keeps pickles: loading one would run its code. A
    # safetensors file starts with the length of its header, which can look like either, and goes on with a brace.
    if start[8:] != b"{" and (start[:1] == b"\x80" or start[:4] == b"PK\x03\x04"):
        raise BadModel(
            f"The weights of '{card.id}' are a pickle, which could run code; expected safetensors.",
            "Use a model from a source you trust that ships safetensors.",
        )
    if digest(path) != card.sha256:
        raise BadModel(
            f"The weights of '{card.id}' are not what its card describes: the file is damaged or was replaced.",
            "Restore or reinstall the model.",
        )


def load(card: Card, device: torch.device | None = None) -> System:
    """The system with its weights, in single precision, ready to sample.

    Raises:
        BadModel: weights or configuration cannot be used.
    """
    verify(card)
    try:
        system_class = find_system(card.system)
    except BadRequest as error:
        raise BadModel(f"The model '{card.id}' needs an unknown system.", error.message + " " + error.remedy) from error
    try:
        system = system_class.from_config(card.config)
    except (TypeError, ValueError, RuntimeError) as error:
        raise BadModel(
            f"The configuration of '{card.id}' does not fit the system {card.system}.",
            "Restore or reinstall the model.",
            details=str(error),
        ) from error
    try:
        weights = load_file(card.weights)
        system.load_state_dict(
            {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
        )
    except (SafetensorError, RuntimeError) as error:
        raise BadModel(
            f"The weights of '{card.id}' do not fit the system {card.system}.",
            "Restore or reinstall the model.",
            details=str(error),
        ) from error
    return system.to(device or torch.device("cpu")).eval().requires_grad_(False)


def save(
    system: System,
    folder: Path,
    *,
    title: str,
    licence: str,
    data: str,
    readme: str,
    rank: int = 100,
    picture: NDArray[np.uint8] | None = None,
    **facts: Any,
) -> Card:
    """Writes a model: beside its place, then renamed into it. Weights are stored in half precision.

    Args:
        system: trained.
        folder: of the model; its name becomes the id.
        title, licence, data, rank: see :class:`Card`.
        readme: the card for people, Markdown.
        picture: with shape (H, W, 3), for the model chooser.
        facts: further entries of the :class:`Card`: date, assets, sources, parent, metrics.

    Raises:
        BadRequest: the folder exists.
        BadModel: some weights are not finite, or too large for half precision.
        Gen3DError: it cannot be written, for instance because the disk is full; nothing is left behind.
    """
    if folder.exists():
        raise BadRequest(f"{folder} exists already.", "Choose another name: a model is never overwritten.")
    state = {k: v.half() if v.is_floating_point() else v for k, v in system.cpu().state_dict().items()}
    if wrong := [key for key, value in state.items() if not bool(torch.isfinite(value).all())]:
        raise BadModel(
            f"The weights of {folder.name} are not finite numbers of half precision: {', '.join(wrong[:3])}.",
            "Train again with a smaller learning rate, or with another seed.",
        )
    beside = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        save_file({key: value.contiguous() for key, value in state.items()}, beside / WEIGHTS)
        card = Card(
            id=folder.name,
            system=system_name(type(system)),
            title=title,
            output=type(system).output.__name__,
            abilities=abilities(system),
            licence=licence,
            data=data,
            config=system.config_values(),
            sha256=digest(beside / WEIGHTS),
            rank=rank,
            **facts,
        )
        (beside / README).write_text(readme, encoding="utf-8")
        if picture is not None:
            save_png(beside / PREVIEW, picture)
        # Last: a folder without its card is no model.
        (beside / CONFIG).write_text(json.dumps(card.values(), indent=2) + "\n", encoding="utf-8")
        beside.chmod(0o755)
        (beside / WEIGHTS).chmod(0o644)
        _settle(beside)
        os.replace(beside, folder)
    except BaseException as error:
        if beside is not None:
            shutil.rmtree(beside, ignore_errors=True)
        if isinstance(error, OSError | SafetensorError):
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise Gen3DError(
                f"The model cannot be written to {folder.parent}: {reason}.",
                "Make room there, or choose another folder; a training can then be resumed and will save it.",
            ) from error
        raise
    return replace(card, folder=folder)


def _settle(folder: Path) -> None:
    """Waits until the files of a folder are on the disk: after a power cut a name may otherwise outlive its content."""
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
