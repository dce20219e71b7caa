"""Loading and saving models: safetensors only, checked against the card before anything is built."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from .cards import CONFIG, WEIGHTS, Card
from .errors import BadModel, BadRequest
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


def save(system: System, folder: Path, *, title: str, licence: str, data: str, readme: str, rank: int = 100) -> Card:
    """Writes a model: beside its place, then renamed into it. Weights are stored in half precision.

    Args:
        system: trained.
        folder: of the model; its name becomes the id.
        title, licence, data, rank: see :class:`Card`.
        readme: the card for people, Markdown.

    Raises:
        BadRequest: the folder exists.
    """
    if folder.exists():
        raise BadRequest(f"{folder} exists already.", "Choose another name: a model is never overwritten.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        state = {k: v.half() if v.is_floating_point() else v for k, v in system.cpu().state_dict().items()}
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
        )
        (beside / CONFIG).write_text(json.dumps(card.values(), indent=2) + "\n", encoding="utf-8")
        (beside / "README.md").write_text(readme, encoding="utf-8")
        beside.chmod(0o755)
        (beside / WEIGHTS).chmod(0o644)
        os.replace(beside, folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return replace(card, folder=folder)
