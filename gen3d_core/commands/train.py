"""``gen3d train``: from assets to a model in a folder, with its card and its picture."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadRequest
from .common import choose_device, command, device_options, progress_run, say

if TYPE_CHECKING:
    import torch

    from ..run import Run
    from ..system import Batch, System

METRICS_START, METRICS_STOP = "<!-- metrics -->", "<!-- end of metrics -->"
PREVIEWS = 4


def add(commands: Any) -> None:
    """Adds it."""
    parser = command(commands, "train", _train, "Train a system on a catalogue or on a folder of meshes.")
    parser.add_argument("system", help="for instance voxels.vae")
    parser.add_argument("--data", required=True, help="catalogue:chair, catalogue:chair,table or a folder of meshes")
    parser.add_argument("--count", type=int, default=2000, help="shapes of a catalogue, or files at most")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new model; its name is the model's id")
    parser.add_argument("--run", dest="folder", type=Path, help="folder of checkpoint and history (default: runs/ID)")
    parser.add_argument("--title", default="", help="name in the model chooser")
    parser.add_argument("--licence", default="CC0-1.0", help="SPDX identifier of the weights (default: CC0-1.0)")
    parser.add_argument("--rank", type=int, default=100, help="place in lists, lowest first")
    parser.add_argument("--preset", default="small", help="sizes of the networks: small or paper (default: small)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON", help="change one size")
    parser.add_argument("--steps", action="append", default=[], metavar="STAGE=N", help="change a stage's length")
    parser.add_argument("--batch-size", type=int, help="shapes a step (default: the system's own)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    parser.add_argument("--precision", choices=("no", "bf16"), default="no", help="(default: no, that is fp32)")
    device_options(parser)


def _train(options: argparse.Namespace) -> None:
    if options.out.exists():
        raise BadRequest(f"{options.out} exists already.", "Choose another --out: a model is never overwritten.")
    device = choose_device(options)
    import torch

    from .. import training, zoo
    from ..system import find_system

    system_class = find_system(options.system)
    if options.preset not in system_class.presets:
        raise BadRequest(
            f"{options.system} has no preset '{options.preset}'.", f"It has {', '.join(system_class.presets)}."
        )
    values = {**system_class.presets[options.preset], **_pairs(options.set)}
    plan = training.Plan(
        seed=options.seed,
        steps={stage: int(count) for stage, count in _pairs(options.steps).items()},
        batch_size=options.batch_size,
        precision=options.precision,
        device=device.type,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        system = system_class.from_config(values)
    folder = options.folder or Path("runs") / options.out.name
    with progress_run([options.seed], device, f"Training {options.out.name}") as run:
        with run.span(0.0, 0.1):
            data = _prepared(system, options, folder, run)
        with run.span(0.1, 1.0):
            training.train(system, data, folder, plan, run)
    count = len(next(iter(data.values())))
    described = f"{count} shapes of {options.data}"
    card = zoo.save(
        system,
        options.out,
        title=options.title or options.out.name,
        licence=options.licence,
        data=described,
        readme=_readme(system, options, described),
        rank=options.rank,
    )
    _draw(card.preview, zoo.load(card))
    say(options, {"model": card.id, "folder": str(card.folder)}, f"{card.folder}")


def _pairs(texts: list[str]) -> dict[str, Any]:
    """``KEY=JSON`` options as a dictionary."""
    out = {}
    for text in texts:
        key, separator, value = text.partition("=")
        try:
            out[key] = json.loads(value)
        except json.JSONDecodeError as error:
            raise BadRequest(
                f"'{text}' is not KEY=VALUE with a JSON value.", "Write for instance latent=64."
            ) from error
        if not separator:
            raise BadRequest(f"'{text}' has no value.", "Write for instance latent=64.")
    return out


def _prepared(system: System, options: argparse.Namespace, folder: Path, run: Run) -> Batch:
    """The training examples, kept beside the checkpoint so that resuming does not prepare them again."""
    import os

    from safetensors.torch import load_file, save_file

    from .. import training
    from ..data import sources

    key = hashlib.sha256(repr([options.system, system.config, options.data, options.count]).encode()).hexdigest()
    path = folder / f"data-{key[:16]}.safetensors"
    if path.exists():
        return load_file(path)
    data = training.prepare(system, sources.load(options.data, options.count), run)
    folder.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    save_file(data, beside)
    os.replace(beside, path)
    return data


def _readme(system: System, options: argparse.Namespace, described: str) -> str:
    """The card for people."""
    module = sys.modules[type(system).__module__].__doc__ or ""
    count = sum(p.numel() for p in system.parameters())
    arguments = ["gen3d", "train", options.system, "--data", options.data, "--count", str(options.count)]
    arguments += ["--out", f"models_zoo/{options.out.name}", "--title", options.title or options.out.name]
    arguments += ["--preset", options.preset] if options.preset != "small" else []
    arguments += [part for text in options.set for part in ("--set", text)]
    arguments += [part for text in options.steps for part in ("--steps", text)]
    arguments += ["--batch-size", str(options.batch_size)] if options.batch_size else []
    arguments += ["--seed", str(options.seed)] if options.seed else []
    arguments += ["--precision", options.precision] if options.precision != "no" else []
    arguments += ["--rank", str(options.rank)]
    return f"""---
license: {options.licence.lower()}
library_name: gen3d
tags: [3d, {options.system}, {type(system).output.__name__.lower()}]
---

# {options.title or options.out.name}

{module.split(chr(10) + chr(10))[0].strip()} An instance of `{options.system}` with {count:,} parameters.

**Source.** {_citation(module)} How it is built here: `gen3d_core/systems/{options.system.replace(".", "/")}.py`.

**Data.** {described}. The catalogue is Gen3D's own parametric generator; no other data was used.

**Licence.** The weights are {options.licence}. What you generate is yours, to sell as well.

**Made by**

    {shlex.join(arguments)}

## Metrics

{METRICS_START}
Not measured yet: `gen3d evaluate {options.out.name} --write`
{METRICS_STOP}
"""


def _citation(module: str) -> str:
    """The paper: the sentence that a system's documentation begins with after its title, up to the year."""
    text = " ".join(module.partition("\n\n")[2].split())
    found = re.match(r".*?\b(19|20)\d\d\.", text)
    return found[0] if found else ""


def _draw(path: Path, system: System) -> None:
    """A picture of the first shapes, for the model chooser."""
    from .. import preview, tasks
    from ..errors import EmptyShape
    from ..representations import MeshOptions
    from ..run import Run

    meshes = []
    for seed in range(1, 4 * PREVIEWS):
        try:
            (shape,) = tasks.sample(system, Run([seed], _cpu()))
            meshes.append(shape.representation.to_mesh(MeshOptions(64, debris=0.02)))
        except EmptyShape:
            continue
        if len(meshes) == PREVIEWS:
            break
    if meshes:
        preview.save_png(path, preview.sheet(meshes, columns=2, size=160))


def _cpu() -> torch.device:
    import torch

    return torch.device("cpu")
