"""``gen3d train``: from assets to a model in a folder, with its card and its picture."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import cards, runs
from ..errors import BadRequest
from .card import METRICS_START, METRICS_STOP
from .common import command, device_options, say, zoo_option
from .sitting import EXAMPLES, GENTLE, Job, recorded, settings, write

__all__ = ["METRICS_START", "METRICS_STOP", "add"]


def add(commands: Any) -> None:
    """Adds it."""
    parser = command(commands, "train", _train, "Train a system on the catalogue or on your own meshes.")
    parser.set_defaults(parser=parser)
    parser.add_argument("system", nargs="?", default="", help="for instance voxels.vae; with --from, the model's own")
    parser.add_argument("--data", help="catalogue:chair[,table], a folder or zip of meshes, a mesh, or FILE.npz:KEY")
    parser.add_argument("--count", type=int, default=2000, help="shapes of a catalogue, or assets at most")
    parser.add_argument("--out", type=Path, help="folder of the new model; its name is the model's id")
    parser.add_argument("--run", dest="folder", type=Path, help="folder of checkpoint and progress (default: runs/ID)")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="continue the training of this run folder")
    parser.add_argument("--keep", action="store_true", help="with --resume: learn no more, finish and save the model")
    parser.add_argument("--from", dest="start", default="", metavar="MODEL", help="fine-tune this model")
    zoo_option(parser)
    parser.add_argument("--minutes", type=float, help="learn so long, instead of a number of steps")
    parser.add_argument("--title", default="", help="name in the model chooser")
    parser.add_argument("--licence", default="", help="SPDX identifier of the weights (default: by the data)")
    parser.add_argument("--rank", type=int, default=100, help="place in lists, lowest first")
    parser.add_argument("--preset", default="small", help="sizes of the networks: small or paper (default: small)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON", help="change one size")
    parser.add_argument("--steps", action="append", default=[], metavar="STAGE=N", help="change a stage's length")
    parser.add_argument("--batch-size", type=int, help="shapes a step (default: the system's own)")
    parser.add_argument("--rate", type=float, help=f"multiplies learning rates (default: 1, and {GENTLE} with --from)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    parser.add_argument("--precision", choices=("no", "bf16"), default="no", help="(default: no, that is fp32)")
    parser.add_argument("--rotate", action="store_true", help="variations of assets turn about Z")
    parser.add_argument("--no-mirror", action="store_true", help="variations of assets are not mirrored")
    parser.add_argument("--no-augment", action="store_true", help="learn from the assets alone, not from variations")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help=f"with variations (default: {EXAMPLES})")
    parser.add_argument("--attended", action="store_true", help="pause when standard input ends")
    device_options(parser)


def _train(options: argparse.Namespace) -> None:
    options = _resolved(options)
    folder = options.folder
    leads = os.environ.get("RANK", "0") == "0"
    status = replace(
        (runs.read(folder) if options.resume else None) or runs.Status("preparing", started=time.time()),
        state="preparing",
        title=options.title or options.out.name,
        system=options.system,
        warnings=(),
        message="",
        remedy="",
        arguments=_arguments(options),
        pid=os.getpid(),
        process=runs.identity(os.getpid()),
    )
    if leads and options.resume and (options.out / cards.CONFIG).exists():
        # It was killed after the model was in its place and before it could say so.
        write(folder, replace(status, state="done", fraction=1.0, left=0.0, model=str(options.out)))
        say(options, {"state": "done", "model": options.out.name, "folder": str(options.out)}, str(options.out))
        return
    if leads:
        _check(options)
        runs.clear(folder)
        # Before torch is imported, which takes seconds: whoever started this sees that it lives.
        write(folder, status)
    job = Job(options, status)
    with recorded(job if leads else None):
        job.execute()
    if leads:
        say(options, {"state": job.status.state, "model": options.out.name, "folder": str(options.out)}, job.summary())


def _resolved(options: argparse.Namespace) -> argparse.Namespace:
    """The options, with those of the run that is resumed, and with absolute paths."""
    if options.resume:
        before = runs.read(options.resume)
        if before is None or not before.arguments:
            raise BadRequest(
                f"{options.resume} is not the folder of a training.", "Name a folder that has status.json."
            )
        again = options.parser.parse_args(list(before.arguments)[1:])
        again.folder, again.resume = options.resume, options.resume
        again.keep, again.attended, again.json = options.keep, options.attended, options.json
        again.minutes = options.minutes or again.minutes
        options = again
    if not options.out or not options.data:
        raise BadRequest("A training needs --data and --out.", "Or name a run folder: gen3d train --resume RUN.")
    if options.start:
        card = cards.find(options.start, options.zoo)
        if options.system not in ("", card.system):
            raise BadRequest(
                f"The model '{card.id}' is of the system {card.system}, not of {options.system}.",
                "Leave the system out, or choose a model of that system.",
            )
        if options.set or options.preset != "small":
            raise BadRequest(
                "The sizes of a model that is fine-tuned are its own.", "Leave out --set and --preset, or --from."
            )
        options.system, options.start = card.system, str(card.folder.resolve())
    if not options.system:
        raise BadRequest("No system was named.", "Name one, for instance voxels.vae, or a model with --from.")
    options.folder = (options.folder or Path("runs") / options.out.name).resolve()
    options.out = options.out.resolve()
    file, packed, key = options.data.rpartition(".npz:")
    if packed:
        options.data = str(Path(file + ".npz").resolve()) + ":" + key
    elif not options.data.startswith("catalogue:"):
        options.data = str(Path(options.data).resolve())
    return options


def _check(options: argparse.Namespace) -> None:
    """What must be known before the run folder is touched.

    Raises:
        BadRequest: the model is there, or the run is at work.
    """
    before = runs.read(options.folder)
    if before is not None and runs.alive(before) and before.state in runs.ACTIVE and before.pid != os.getpid():
        raise BadRequest(
            f"The training in {options.folder} is running, as process {before.pid}.", "Pause it, or use another --run."
        )
    if options.out.exists():
        raise BadRequest(f"{options.out} exists already.", "Choose another --out: a model is never overwritten.")


def _arguments(options: argparse.Namespace) -> list[str]:
    """The whole command, from anywhere: what a resumed training is started with."""
    paths = ["--data", options.data, "--count", str(options.count), "--out", str(options.out)]
    paths += ["--run", str(options.folder), *(["--from", options.start] if options.start else [])]
    names = [
        part
        for name in ("title", "licence")
        if getattr(options, name)
        for part in (f"--{name}", getattr(options, name))
    ]
    machine = ["--device", options.device, "--threads", str(options.threads), "--rank", str(options.rank)]
    return ["train", options.system, *paths, *names, *settings(options), *machine]
