"""Model cards: what is in the zoo, read without torch.

A model is a folder as on a model hub: ``config.json`` (the facts), ``model.safetensors`` (the weights), ``README.md``
(the card for people) and ``preview.png``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from .errors import BadModel, UnknownModel

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
README = "README.md"
PREVIEW = "preview.png"

#: Beside the package: in a checkout, and in Blender's extension folder.
BUNDLED = Path(__file__).resolve().parent.parent / "models_zoo"
ENVIRONMENT = "GEN3D_ZOO"


#: What the entries of a card are in JSON.
TYPES = {
    **dict.fromkeys(("system", "title", "output", "licence", "data", "sha256", "date", "parent"), str),
    **dict.fromkeys(("abilities", "sources"), list),
    **dict.fromkeys(("config", "metrics"), dict),
    **dict.fromkeys(("rank", "assets"), int),
}
#: Entries that a card may lack.
OPTIONAL = frozenset({"rank", "date", "assets", "sources", "parent", "metrics"})


@dataclass(frozen=True)
class Card:
    """The facts of a model.

    Args:
        id: the folder's name.
        system: ``voxels.vae``, the file in ``systems/`` that it is an instance of.
        title: for the model chooser.
        output: the representation's name.
        abilities: names, as :data:`gen3d_core.system.ABILITIES` has them.
        licence: SPDX identifier of the weights.
        data: what it was trained on, one sentence.
        config: the system's configuration.
        sha256: of the weights file, in hexadecimal.
        rank: place in lists; the lowest is the default model.
        date: when it was made, as 2026-01-31.
        assets: how many it was trained on.
        sources: their names.
        parent: the model that it was fine-tuned from.
        metrics: what was measured, by the measure's name.
        folder: where it is; not stored.
    """

    id: str
    system: str
    title: str
    output: str
    abilities: Sequence[str]
    licence: str
    data: str
    config: Mapping[str, Any]
    sha256: str
    rank: int = 100
    date: str = ""
    assets: int = 0
    sources: Sequence[str] = ()
    parent: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = field(default=Path(), compare=False)

    @property
    def weights(self) -> Path:
        """The weights file."""
        return self.folder / WEIGHTS

    @property
    def preview(self) -> Path:
        """The picture; it may be missing."""
        return self.folder / PREVIEW

    def values(self) -> dict[str, Any]:
        """What is stored, as plain values; what is not known is left out."""
        values = asdict(self)
        del values["folder"]
        return {key: value for key, value in values.items() if value or key not in OPTIONAL}


def read(folder: Path) -> Card:
    """The card of one model's folder.

    Raises:
        BadModel: no card there, or one that cannot be used.
    """
    path = folder / CONFIG
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadModel(f"{folder} is not a model: it has no {CONFIG}.", "Choose a folder of the zoo.") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadModel(f"The card {path} cannot be read: {error}.", "Restore or reinstall the model.") from error
    known = {f.name for f in fields(Card)} - {"folder", "id"}
    needed = known - OPTIONAL
    wrong = needed
    if isinstance(values, dict):
        wrong = (needed - set(values)) | (set(values) - known - {"id"})
    if wrong:
        raise BadModel(
            f"The card {path} has missing or unknown entries: {', '.join(sorted(wrong))}.",
            "Restore or reinstall the model.",
        )
    if mistyped := [name for name, kind in TYPES.items() if name in values and not isinstance(values[name], kind)]:
        raise BadModel(
            f"The card {path} has entries of a wrong type: {', '.join(mistyped)}.", "Restore or reinstall the model."
        )
    return Card(**{**values, "id": folder.name, "folder": folder})


def zoos(extra: Sequence[Path] = ()) -> list[Path]:
    """The folders that hold models: ``extra``, those in the environment's ``GEN3D_ZOO``, and the bundled one."""
    named = [Path(part) for part in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if part]
    return [*extra, *named, BUNDLED]


def listing(extra: Sequence[Path] = ()) -> list[Card]:
    """Every usable model, best first; the first of two of one name counts. See :func:`damaged` for the others."""
    return sorted((card for card in _all(extra) if isinstance(card, Card)), key=lambda card: (card.rank, card.id))


def damaged(extra: Sequence[Path] = ()) -> list[BadModel]:
    """What is wrong with the models that cannot be listed."""
    return [problem for problem in _all(extra) if isinstance(problem, BadModel)]


def _all(extra: Sequence[Path]) -> list[Card | BadModel]:
    """Each model's card, or why it cannot be used; folders that are not models are passed over."""
    found: dict[str, Card | BadModel] = {}
    for zoo in zoos(extra):
        for path in sorted(zoo.glob(f"*/{CONFIG}")):
            # A name with a dot in front is a model that is being written, or that a killed process left half written.
            if path.parent.name not in found and not path.parent.name.startswith("."):
                try:
                    found[path.parent.name] = read(path.parent)
                except BadModel as problem:
                    found[path.parent.name] = problem
    return list(found.values())


def find(name: str, extra: Sequence[Path] = ()) -> Card:
    """The card of a model, by its id or by the path of its folder.

    Raises:
        UnknownModel: there is none.
        BadModel: its card cannot be used.
    """
    if not name:
        raise UnknownModel("No model was named.", "Choose one of the list.")
    if os.sep in name or (os.altsep and os.altsep in name):
        return read(Path(name))
    for zoo in zoos(extra):
        if Path(name).name == name and (zoo / name / CONFIG).exists():
            return read(zoo / name)
    known = ", ".join(card.id for card in listing(extra)) or "none"
    raise UnknownModel(f"There is no model '{name}'.", f"Known models: {known}.")
