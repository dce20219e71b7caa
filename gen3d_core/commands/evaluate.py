"""``gen3d evaluate``: a model between its floor and its ceiling."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import Any

from .. import cards
from ..errors import BadModel
from .common import command, device_options, load_system, model_options, progress_run, say
from .train import METRICS_START, METRICS_STOP


def add(commands: Any) -> None:
    """Adds it."""
    parser = command(commands, "evaluate", _evaluate, "MMD, COV, 1-NNA and mesh quality, between floor and ceiling.")
    model_options(parser)
    parser.add_argument("--data", default="catalogue:chair", help="what it is held against (default: catalogue:chair)")
    parser.add_argument("--count", type=int, default=100, help="shapes of each set (default: 100)")
    parser.add_argument("--points", type=int, default=2048, help="points of each shape (default: 2048)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="repetitions (default: 0 1 2)")
    parser.add_argument("--resolution", type=int, default=64, help="of the meshes (default: 64)")
    parser.add_argument("--debris", type=float, default=0.0, help="remove parts below this share of the area")
    parser.add_argument("--weak", action="store_true", help="gates for families that are weak by nature, as raw GANs")
    parser.add_argument("--first", type=int, default=0, help="of a folder: the first file that was not trained on")
    parser.add_argument("--write", action="store_true", help="write the table into the model's card")
    device_options(parser)


def _evaluate(options: argparse.Namespace) -> None:
    system = load_system(options)
    from .. import evaluation
    from ..data import sources
    from ..representations import MeshOptions

    with progress_run([0], system.device, f"Evaluating {Path(options.model).name}") as run:
        report = evaluation.evaluate(
            system,
            options.data,
            count=options.count,
            points=options.points,
            seeds=options.seeds,
            name=Path(options.model).name,
            mesh_options=MeshOptions(options.resolution, options.debris),
            gates=evaluation.WEAK if options.weak else evaluation.Gates(),
            held_out=sources.HELD_OUT if options.data.startswith("catalogue:") else options.first,
            run=run,
        )
    table = report.table()
    if options.write:
        _write(cards.find(options.model, options.zoo), table, options)
    say(options, report.values(), table)


def _write(card: cards.Card, table: str, options: argparse.Namespace) -> None:
    """Replaces the metrics in the model's README, with the command that measured them."""
    path = card.folder / cards.README
    text = path.read_text(encoding="utf-8")
    if METRICS_START not in text or METRICS_STOP not in text:
        raise BadModel(f"{path} has no place for metrics.", f"Add the lines {METRICS_START} and {METRICS_STOP}.")
    arguments = ["gen3d", "evaluate", card.id, "--data", options.data, "--count", str(options.count)]
    arguments += ["--resolution", str(options.resolution)]
    arguments += ["--weak"] if options.weak else []
    arguments += ["--debris", str(options.debris)] if options.debris else []
    measured = f"    {shlex.join(arguments)}\n\n{table}\n"
    head, rest = text.split(METRICS_START, 1)
    _, tail = rest.split(METRICS_STOP, 1)
    beside = path.with_suffix(".part")
    beside.write_text(f"{head}{METRICS_START}\n{measured}{METRICS_STOP}{tail}", encoding="utf-8")
    os.replace(beside, path)
