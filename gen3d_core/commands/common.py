"""What several commands share: options, progress, devices, models."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import cards

if TYPE_CHECKING:
    from ..representations import MeshOptions
    from ..run import Run
    from ..system import System


def command(commands: Any, name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
    """A command with the options that all have."""
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def device_options(parser: argparse.ArgumentParser) -> None:
    """``--device`` and ``--threads``."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--threads", type=int, default=0, help="threads of torch (default: as many as processors)")


def model_options(parser: argparse.ArgumentParser) -> None:
    """``MODEL`` and where to look for it."""
    parser.add_argument("model", help="id of a model in the zoo, or the path of a model folder")
    zoo_option(parser)


def zoo_option(parser: argparse.ArgumentParser) -> None:
    """``--zoo``."""
    parser.add_argument("--zoo", type=Path, action="append", default=[], help="a further folder of models")


def mesh_options(parser: argparse.ArgumentParser) -> None:
    """What is asked of meshes, and where they go."""
    parser.add_argument("--resolution", type=int, default=64, help="samples along one side (default: 64)")
    parser.add_argument("--debris", type=float, default=0.0, help="remove parts below this share of the area, as 0.02")
    parser.add_argument("--faces", type=int, default=0, help="at most this many triangles or quads (default: no limit)")
    parser.add_argument("--quads", action="store_true", help="quads instead of triangles; OBJ, PLY and X3D keep them")
    parser.add_argument("--format", choices=("glb", "obj", "ply", "stl", "x3d"), default="glb", help="(default: glb)")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the files (default: here)")


def to_mesh_options(options: argparse.Namespace) -> MeshOptions:
    """The mesh options of a command line, checked."""
    from ..memory import require_grid
    from ..representations import MeshOptions

    checked = MeshOptions(options.resolution, options.debris, options.faces, options.quads)
    require_grid(checked.resolution)
    return checked


def load_system(options: argparse.Namespace) -> System:
    """The model that the command line names, on its device; says what ``auto`` chose."""
    # The name is checked first: it costs nothing, and importing torch does.
    card = cards.find(options.model, options.zoo)
    from .. import zoo

    return zoo.load(card, choose_device(options))


def choose_device(options: argparse.Namespace) -> Any:
    """The torch device; says on standard error what ``auto`` chose."""
    import torch

    from ..run import resolve_device

    if options.threads:
        torch.set_num_threads(options.threads)
    device = resolve_device(options.device)
    if options.device == "auto":
        sys.stderr.write(f"device: {device.type} (auto)\n")
    return device


@contextmanager
def progress_run(seeds: Sequence[int], device: Any, text: str) -> Iterator[Run]:
    """A run that shows a progress bar on a terminal."""
    from tqdm import tqdm

    from ..run import Run

    with tqdm(total=1000, desc=text, bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}", disable=None) as bar:

        def on_progress(fraction: float) -> bool:
            bar.update(int(fraction * 1000) - bar.n)
            return True

        yield Run(seeds, device, on_progress)


def say(options: argparse.Namespace, values: Any, text: str) -> None:
    """Prints ``values`` as JSON or ``text`` for people."""
    sys.stdout.write((json.dumps(values, indent=2) if options.json else text) + "\n")
