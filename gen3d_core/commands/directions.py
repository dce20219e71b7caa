"""Shape sliders of a model, found and written beside its weights."""

from __future__ import annotations

import argparse
from typing import Any

from .. import cards
from .common import command, device_options, load_system, model_options, progress_run, say


def add(commands: Any) -> None:
    """Adds it."""
    parser = command(commands, "directions", _directions, "Find a model's shape sliders, beside its weights.")
    model_options(parser)
    parser.add_argument("--count", type=int, default=400, help="samples to be measured (default: 400)")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    device_options(parser)


def _directions(options: argparse.Namespace) -> None:
    card = cards.find(options.model, options.zoo)
    system = load_system(options)
    from .. import direction_files, directions

    with progress_run([0], system.device, "Measuring") as run:
        found = directions.find(system, run, options.count)
    if not options.dry:
        direction_files.write(found, card)
    leaks = [[round(float(value), 3) for value in row] for row in found.leaks]
    say(options, {**found.values(), "leaks": leaks}, directions.text(found))
