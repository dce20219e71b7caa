"""``gen3d list`` and ``gen3d info``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from .. import cards
from .common import command, model_options, say, zoo_option


def add(commands: Any) -> None:
    """Adds both."""
    parser = command(commands, "list", _list, "List the models of the zoo.")
    zoo_option(parser)
    parser = command(commands, "info", _info, "Show a model's card, after checking its weights.")
    model_options(parser)


def _list(options: argparse.Namespace) -> None:
    found = cards.listing(options.zoo)
    for problem in cards.damaged(options.zoo):
        sys.stderr.write(f"gen3d: {problem}\n")
    width = max((len(card.id) for card in found), default=0)
    lines = [f"{card.id:<{width}}  {card.system:<15} {card.title} [{card.licence}]" for card in found]
    say(options, [_values(card) for card in found], "\n".join(lines) or "There are no models.")


def _info(options: argparse.Namespace) -> None:
    card = cards.find(options.model, options.zoo)
    from .. import zoo

    zoo.verify(card)
    readme = card.folder / cards.README
    text = readme.read_text(encoding="utf-8") if readme.exists() else f"{card.id} has no {cards.README}."
    say(options, {**_values(card), "folder": str(card.folder), "config": dict(card.config)}, text)


def _values(card: cards.Card) -> dict[str, Any]:
    names = ("id", "system", "title", "output", "abilities", "licence", "data", "sha256")
    return {name: getattr(card, name) for name in names}
