"""What models understand and tell: shapes from text and pictures, the class of a shape, labels from a few examples."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from ..errors import BadRequest
from .common import command, device_options, load_system, model_options, progress_run, say, to_mesh_options
from .shapes import SOURCES, read_pictures, seeds_option, verb, write_shapes


def add(commands: Any) -> None:
    """Adds all four."""
    parser = verb(commands, "text", _text, "Shapes that a text describes, one file a seed.")
    parser.add_argument("text", help="as in: a round table with four legs")
    seeds_option(parser)
    parser = verb(commands, "image", _image, "Shapes that pictures of one object show, one file a seed.")
    parser.add_argument("pictures", type=Path, nargs="+", help="with alpha, or before a plain background")
    seeds_option(parser)
    parser = command(commands, "classify", _classify, "Say what assets are, with the probability of each class.")
    model_options(parser)
    parser.add_argument("sources", nargs="+", help=SOURCES)
    parser.add_argument("--count", type=int, default=1000, help="assets of each source at most (default: 1000)")
    device_options(parser)
    parser = command(commands, "label", _label, "Label a collection from a few labelled assets.")
    model_options(parser)
    parser.add_argument("sources", nargs="+", help=SOURCES)
    parser.add_argument("--count", type=int, default=1000, help="assets of each source at most (default: 1000)")
    parser.add_argument(
        "--as", dest="given", action="append", default=[], metavar="NAME=LABEL", help="the label of the asset NAME"
    )
    device_options(parser)


def _text(options: argparse.Namespace) -> None:
    mesh_settings = to_mesh_options(options)
    system = load_system(options)
    from .. import tasks

    name = re.sub(r"[^a-z0-9]+", "-", options.text.lower()).strip("-")[:60] or "text"
    with progress_run(options.seeds, system.device, "Generating") as run:
        shapes = tasks.from_text(system, options.text, run)
        write_shapes(options, shapes, mesh_settings, lambda shape: f"{name}-{shape.seed}")


def _image(options: argparse.Namespace) -> None:
    mesh_settings = to_mesh_options(options)
    system = load_system(options)
    from .. import tasks

    images = read_pictures(system, options.pictures)
    with progress_run(options.seeds, system.device, "Generating") as run:
        shapes = tasks.from_images(system, images, run)
        write_shapes(options, shapes, mesh_settings, lambda shape: f"{options.pictures[0].stem}-{shape.seed}")


def _classify(options: argparse.Namespace) -> None:
    system = load_system(options)
    from .. import tasks
    from ..data import sources

    rows: list[dict[str, Any]] = []
    with progress_run([0], system.device, "Classifying") as run:
        for source in options.sources:
            found = sources.prepared(source, options.count)
            for name, asset in run.track(list(zip(found.names, found.assets, strict=True))):
                rows.append({"name": name, "probabilities": tasks.classify(system, asset, run)})
    say(options, rows, "\n".join(f"{_most(row['probabilities'])}  {row['name']}" for row in rows))


def _most(probabilities: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.0%}" for name, value in list(probabilities.items())[:3])


def _label(options: argparse.Namespace) -> None:
    system = load_system(options)
    from .. import fewshot
    from ..data import sources

    with progress_run([0], system.device, "Labelling") as run:
        with run.span(0.0, 0.4):
            parts = [sources.prepared(source, options.count, 0, run) for source in options.sources]
        names = [name for part in parts for name in part.names]
        given = dict.fromkeys(names, "")
        for entry in options.given:
            name, _, label = entry.rpartition("=")
            if name not in given or not label:
                raise BadRequest(f"'{entry}' names no asset and label.", f"Assets are {', '.join(names[:5])} ...")
            given[name] = label
        assets = [asset for part in parts for asset in part.assets]
        with run.span(0.4, 1.0):
            found = fewshot.label(system, assets, [given[name] for name in names], run)
    rows = [
        {"name": name, "label": label, "probability": probability, "given": bool(given[name])}
        for name, label, probability in zip(names, found.labels, found.probabilities, strict=True)
    ]
    lines = [f"{row['label']:20s} {row['probability']:5.0%}  {row['name']}" for row in rows if not row["given"]]
    say(options, {"labels": rows, "sentence": found.sentence()}, "\n".join([*lines, found.sentence()]))
