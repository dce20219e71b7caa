"""The card for people that a new model gets: Markdown, with what the card of facts says in full sentences."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..cards import Card

if TYPE_CHECKING:
    from ..system import System

METRICS_START, METRICS_STOP = "<!-- metrics -->", "<!-- end of metrics -->"
#: Of a model that is trained on someone's own files: whoever has the rights in them decides.
OWN_LICENCE = "LicenseRef-own-assets"
CATALOGUE_LICENCE = "CC0-1.0"


@dataclass(frozen=True)
class Origin:
    """Where a model comes from.

    Args:
        described: what it was trained on, in a few words.
        own: whether these were someone's own files rather than the catalogue.
        licence: SPDX identifier of the weights.
        command: that made it, after ``gen3d``.
        parent: the model that it was fine-tuned from, if any.
        notes: sentences about the assets and the training.
        measured: sentences about how new the samples are.
    """

    described: str
    own: bool
    licence: str
    command: Sequence[str]
    parent: Card | None = None
    notes: Sequence[str] = ()
    measured: Sequence[str] = ()


def licence(own: bool, parent: Card | None) -> str:
    """The licence that a model's weights have unless its maker says otherwise."""
    if parent is not None and parent.licence != CATALOGUE_LICENCE:
        return parent.licence
    return OWN_LICENCE if own else CATALOGUE_LICENCE


def readme(system: System, kind: str, name: str, title: str, origin: Origin) -> str:
    """The text.

    Args:
        system: trained.
        kind: its name, for instance ``voxels.vae``.
        name: the model's id.
        title: for people.
        origin: where it comes from.
    """
    module = sys.modules[type(system).__module__].__doc__ or ""
    count = sum(p.numel() for p in system.parameters())
    whose = (
        "They are the maker's own; nothing of them is in this folder but what the weights have learnt."
        if origin.own
        else "The catalogue is Gen3D's own parametric generator; no other data was used."
    )
    if origin.parent:
        whose += f" The training started from the model `{origin.parent.id}` ({origin.parent.data})."
    terms = (
        f"{origin.licence}: whoever has the rights in the assets decides how the model may be used."
        if origin.licence == OWN_LICENCE
        else f"The weights are {origin.licence}. What you generate is yours, to sell as well."
    )
    notes = "".join(f"- {note}\n" for note in origin.notes)
    gap = "\n" if notes else ""
    measured = "".join(f"- {sentence}\n" for sentence in origin.measured)
    # Identifiers of one's own are no licence names on a model hub.
    tag = "other" if origin.licence.startswith("LicenseRef") else origin.licence.lower()
    return f"""---
license: {tag}
library_name: gen3d
tags: [3d, {kind}, {type(system).output.__name__.lower()}]
---

# {title}

{module.split(chr(10) + chr(10))[0].strip()} An instance of `{kind}` with {count:,} parameters.

**Source.** {_citation(module)} How it is built here: `gen3d_core/systems/{kind.replace(".", "/")}.py`.

**Data.** {origin.described}. {whose}

{notes}{gap}**Licence.** {terms}

**Made by**

    gen3d {shlex.join(origin.command)}

## Metrics

{measured}
{METRICS_START}
Not measured against other models yet: `gen3d evaluate {name} --write`
{METRICS_STOP}
"""


def _citation(module: str) -> str:
    """The paper: the sentence that a system's documentation begins with after its title, up to the year."""
    text = " ".join(module.partition("\n\n")[2].split())
    found = re.match(r".*?\b(19|20)\d\d\.", text)
    return found[0] if found else ""
