"""Shape sliders of a model: found and written beside its weights, measured, and drawn."""

from __future__ import annotations

import argparse
from typing import Any

from .. import cards
from ..errors import BadRequest
from .common import command, device_options, load_system, model_options, progress_run, say


def add(commands: Any) -> None:
    """Adds it."""
    parser = command(commands, "directions", _directions, "Find a model's shape sliders, beside its weights.")
    model_options(parser)
    parser.add_argument("--count", type=int, default=300, help="samples to begin with (default: 300)")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    parser.add_argument(
        "--check", type=int, metavar="N", help="find nothing; measure what the present sliders do to N unseen shapes"
    )
    device_options(parser)


def _directions(options: argparse.Namespace) -> None:
    card = cards.find(options.model, options.zoo)
    system = load_system(options)
    from .. import direction_files, directions

    if options.check is not None:
        found = direction_files.read(card)
        if found is None or options.check < 1:
            raise BadRequest(
                f"'{card.id}' has no sliders, or no shapes were asked for.", f"Run gen3d directions {card.id} first."
            )
        with progress_run([0], system.device, "Measuring") as run:
            verdict = directions.check(system, found, run, options.check)
        say(options, verdict.values(), "\n".join(directions.table(found.names, verdict.effects)))
        return
    with progress_run([0], system.device, "Measuring") as run:
        found = directions.find(system, run, options.count)
    if not options.dry:
        direction_files.write(found, card)
    effects = [[round(float(value), 3) for value in row] for row in found.effects]
    say(options, {**found.values(), "effects": effects}, directions.text(found))
