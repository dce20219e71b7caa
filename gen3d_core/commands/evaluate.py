"""``gen3d evaluate``: a model between its floor and its ceiling, and everything that it can be used for."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import cards
from ..errors import BadModel
from .common import command, device_options, load_system, model_options, progress_run, say
from .train import METRICS_START, METRICS_STOP

if TYPE_CHECKING:
    from ..uses import Data

#: Where a card's numbers keep those of this command.
ENTRY = "evaluation"
#: What a model was trained on, in its card's words.
TRAINED_ON = re.compile(r"catalogue:[a-z]+(,[a-z]+)*")
#: How much of the progress drawing shapes fills where uses are measured too.
DRAWING = 0.4


def add(commands: Any) -> None:
    """Adds it."""
    parser = command(commands, "evaluate", _evaluate, "MMD, COV, 1-NNA, meshes and every use, between references.")
    model_options(parser)
    parser.add_argument("--data", default="", help="what it is held against (default: the card's, or catalogue:chair)")
    parser.add_argument("--count", type=int, help="shapes of each set (default: 100)")
    parser.add_argument("--points", type=int, default=2048, help="points of each shape (default: 2048)")
    parser.add_argument("--seeds", type=int, nargs="+", help="repetitions (default: 0 1 2)")
    parser.add_argument("--resolution", type=int, default=64, help="of the meshes (default: 64)")
    parser.add_argument("--debris", type=float, default=0.0, help="remove parts below this share of the area")
    parser.add_argument("--weak", action="store_true", help="gates for families that are weak by nature, as raw GANs")
    parser.add_argument("--uses", default="all", help="all, none, or of: completion,images,text,classes,... ")
    parser.add_argument("--uses-only", action="store_true", help="leave the sets of drawn shapes out")
    parser.add_argument("--train-count", type=int, help="training shapes that baselines choose from (default: 1000)")
    parser.add_argument("--few", action="store_true", help="a quick look: few shapes of everything")
    parser.add_argument("--first", type=int, default=0, help="of other data: the first asset that was not trained on")
    parser.add_argument("--write", action="store_true", help="write the tables and the numbers into the model's card")
    device_options(parser)


def _evaluate(options: argparse.Namespace) -> None:
    card = cards.find(options.model, options.zoo)
    options.data = options.data or source_of(card)
    options.count = options.count or (10 if options.few else 100)
    options.seeds = options.seeds or ([0] if options.few else [0, 1, 2])
    system = load_system(options)
    from .. import evaluation, uses
    from ..representations import MeshOptions
    from ..system import HasLatents, Samples

    data = _data(options)
    names = uses.chosen(options.uses, system)
    report = None
    with progress_run([0], system.device, f"Evaluating {card.id}") as run:
        if isinstance(system, (HasLatents, Samples)) and not options.uses_only:
            with run.span(0.0, DRAWING if names else 1.0):
                report = evaluation.evaluate(
                    system,
                    options.data,
                    count=options.count,
                    points=options.points,
                    seeds=options.seeds,
                    name=card.id,
                    mesh_options=MeshOptions(options.resolution, options.debris),
                    gates=evaluation.WEAK if options.weak else evaluation.Gates(),
                    held_out=data.held_out,
                    run=run,
                )
        with run.span(DRAWING if report else 0.0, 1.0):
            grids = report.grids if report and options.uses != "none" else ()
            found = uses.measure_uses(system, names, data, run, grids)
    tables = [*([report.table()] if report else []), *([uses.tables(found)] if found else [])]
    values = {
        "command": _command(card, options),
        **(report.values() if report else {}),
        "uses": {use.name: use.values() for use in found},
    }
    if options.write:
        write(card, values, "\n\n".join(tables))
    say(options, values, "\n\n".join(tables))


def source_of(card: cards.Card) -> str:
    """The catalogue that a model was trained on, as far as its card says; else its chairs."""
    found = TRAINED_ON.search(card.data)
    return found[0] if found else "catalogue:chair"


def _data(options: argparse.Namespace) -> Data:
    from .. import uses
    from ..data import sources

    counts = uses.FEW if options.few else uses.Counts()
    if options.train_count:
        counts = replace(counts, pool=options.train_count)
    held_out = sources.HELD_OUT if options.data.startswith(sources.CATALOGUE) else options.first
    if not options.data.startswith(sources.CATALOGUE):
        # What is held out begins where the training data ends.
        counts = replace(counts, pool=min(counts.pool, max(options.first, 1)))
    return uses.Data(options.data, held_out, counts)


def _command(card: cards.Card, options: argparse.Namespace) -> str:
    """What measured this, without what is usual."""
    arguments = ["gen3d", "evaluate", card.id, "--data", options.data]
    arguments += ["--few"] if options.few else []
    arguments += ["--count", str(options.count)] if options.count != (10 if options.few else 100) else []
    arguments += ["--points", str(options.points)] if options.points != 2048 else []
    arguments += ["--seeds", *map(str, options.seeds)] if options.seeds != ([0] if options.few else [0, 1, 2]) else []
    arguments += ["--resolution", str(options.resolution)] if options.resolution != 64 else []
    arguments += ["--weak"] if options.weak else []
    arguments += ["--debris", str(options.debris)] if options.debris else []
    arguments += ["--uses", options.uses] if options.uses != "all" else []
    arguments += ["--uses-only"] if options.uses_only else []
    arguments += ["--train-count", str(options.train_count)] if options.train_count else []
    arguments += ["--first", str(options.first)] if options.first else []
    return shlex.join(arguments)


def write(card: cards.Card, values: dict[str, Any], tables: str) -> None:
    """Puts what was measured into a model's folder: the tables into its README, the numbers into its card.

    Raises:
        BadModel: the README has no place for metrics.
    """
    path = card.folder / cards.README
    text = path.read_text(encoding="utf-8")
    if METRICS_START not in text or METRICS_STOP not in text:
        raise BadModel(f"{path} has no place for metrics.", f"Add the lines {METRICS_START} and {METRICS_STOP}.")
    measured = f"    {values['command']} --write\n\n{tables}\n"
    head, rest = text.split(METRICS_START, 1)
    _, tail = rest.split(METRICS_STOP, 1)
    _replace(path, f"{head}{METRICS_START}\n{measured}{METRICS_STOP}{tail}")
    # Read again: the numbers of other commands may have come in since.
    current = cards.read(card.folder)
    metrics = {**current.metrics, ENTRY: _rounded(values)}
    _replace(card.folder / cards.CONFIG, json.dumps(replace(current, metrics=metrics).values(), indent=2) + "\n")


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def _rounded(values: Any) -> Any:
    """Six digits are more than the noise leaves."""
    if isinstance(values, float):
        return float(f"{values:.6g}")
    if isinstance(values, dict):
        return {key: _rounded(value) for key, value in values.items()}
    if isinstance(values, Sequence) and not isinstance(values, str):
        return [_rounded(value) for value in values]
    return values
