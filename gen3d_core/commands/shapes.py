"""The verbs of the artist: sample, interpolate, vary, complete, reconstruct, score."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadRequest
from .common import (
    command,
    device_options,
    load_system,
    mesh_options,
    model_options,
    progress_run,
    say,
    to_mesh_options,
)

if TYPE_CHECKING:
    from torch import Tensor

    from ..data.solid import Frame, Solid
    from ..representations import Mesh
    from ..run import Run
    from ..system import System
    from ..tasks import Shape


def add(commands: Any) -> None:
    """Adds all six."""
    parser = _verb(commands, "sample", _sample, "Generate shapes, one file a seed.")
    _seeds(parser)
    parser.add_argument("--sheet", type=Path, help="also draw all shapes into this PNG")
    parser = _verb(commands, "interpolate", _interpolate, "Shapes on the way from one seed or mesh file to another.")
    parser.add_argument("--from", dest="start", required=True, help="a seed, or a mesh file")
    parser.add_argument("--to", dest="stop", required=True, help="a seed, or a mesh file")
    parser.add_argument("--steps", type=int, default=7, help="shapes, ends included (default: 7)")
    parser.add_argument("--sheet", type=Path, help="also draw all shapes into this PNG")
    parser = _verb(commands, "vary", _vary, "Shapes near a seed or a mesh file.")
    parser.add_argument("--of", required=True, help="a seed, or a mesh file")
    parser.add_argument("--amount", type=float, default=0.3, help="0 is the same, 1 is unrelated (default: 0.3)")
    _seeds(parser)
    parser.add_argument("--sheet", type=Path, help="also draw all shapes into this PNG")
    parser = _verb(commands, "complete", _complete, "Complete a shape of which a part is given.")
    parser.add_argument(
        "mesh", type=Path, help="an open mesh, or any mesh with --box; it is fitted by its bounding box"
    )
    parser.add_argument("--engine-frame", action="store_true", help="the mesh lies in the engine's cube already")
    numbers = ("X0", "Y0", "Z0", "X1", "Y1", "Z1")
    parser.add_argument("--box", type=float, nargs=6, metavar=numbers, help="make anew what lies in this box, +Z up")
    _seeds(parser)
    parser.add_argument("--sheet", type=Path, help="also draw all shapes into this PNG")
    parser = _verb(commands, "reconstruct", _reconstruct, "Mesh files as the model sees them.")
    parser.add_argument("meshes", type=Path, nargs="+", help="mesh files")
    parser = command(commands, "score", _score, "Rate how unusual mesh files are: higher is more.")
    model_options(parser)
    parser.add_argument("meshes", type=Path, nargs="+", help="mesh files")
    device_options(parser)


def _verb(commands: Any, name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
    parser = command(commands, name, run, text)
    model_options(parser)
    mesh_options(parser)
    device_options(parser)
    return parser


def _seeds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="one shape a seed (default: 1)")


def _sample(options: argparse.Namespace) -> None:
    mesh_settings = to_mesh_options(options)
    system = load_system(options)
    from .. import tasks

    with progress_run(options.seeds, system.device, "Generating") as run:
        _write(
            options, tasks.sample(system, run), mesh_settings, lambda shape: f"{Path(options.model).name}-{shape.seed}"
        )


def _interpolate(options: argparse.Namespace) -> None:
    mesh_settings = to_mesh_options(options)
    system = load_system(options)
    from .. import tasks

    with progress_run([0], system.device, "Interpolating") as run:
        with run.span(0.0, 0.3):
            a, b = _latent(system, options.start, run), _latent(system, options.stop, run)
        with run.span(0.3, 1.0):
            shapes = tasks.interpolate(system, a, b, options.steps, run)
            _write(options, shapes, mesh_settings, lambda shape: f"{Path(options.model).name}-t{shape.t:.3f}")


def _vary(options: argparse.Namespace) -> None:
    mesh_settings = to_mesh_options(options)
    system = load_system(options)
    from .. import tasks

    with progress_run(options.seeds, system.device, "Varying") as run:
        latent = _latent(system, options.of, run)
        shapes = tasks.vary(system, latent, options.amount, run)
        _write(options, shapes, mesh_settings, lambda shape: f"{Path(options.model).name}-varied-{shape.seed}")


def _complete(options: argparse.Namespace) -> None:
    mesh_settings = to_mesh_options(options)
    system = load_system(options)
    import numpy as np
    import torch

    from .. import tasks
    from ..data import partial

    solid, frame = _solid(options.mesh, fitted=not options.engine_frame)
    if options.box is None:
        known = partial.near_surface(solid, tasks.COMPARED_AT)
    else:
        low, high = frame.inward(np.reshape(options.box, (2, 3)))
        known = partial.outside_box(low, high, tasks.COMPARED_AT)
    with progress_run(options.seeds, system.device, "Completing") as run:
        shapes = tasks.complete(system, solid, torch.as_tensor(known), run)
        _write(options, shapes, mesh_settings, lambda shape: f"{options.mesh.stem}-completed-{shape.seed}", frame)


def _reconstruct(options: argparse.Namespace) -> None:
    mesh_settings = to_mesh_options(options)
    system = load_system(options)
    from .. import tasks

    for path in options.meshes:
        solid, frame = _solid(path)
        with progress_run([0], system.device, f"Reconstructing {path.name}") as run:
            shape = tasks.reconstruct(system, solid, run)
        _write(options, [shape], mesh_settings, lambda shape, path=path: f"{path.stem}-reconstructed", frame)


def _score(options: argparse.Namespace) -> None:
    system = load_system(options)
    from .. import tasks

    solids = [_solid(path)[0] for path in options.meshes]
    with progress_run([0], system.device, "Scoring") as run:
        scores = tasks.score(system, solids, run)
    rows = sorted(zip(map(str, options.meshes), scores, strict=True), key=lambda row: -row[1])
    say(
        options,
        [{"file": name, "score": value} for name, value in rows],
        "\n".join(f"{value:12.4f}  {name}" for name, value in rows),
    )


def _latent(system: System, source: str, run: Run) -> Tensor:
    """The latent of a seed, or of a mesh file."""
    from .. import tasks
    from ..run import Run
    from ..system import HasLatents

    if source.isdecimal() and isinstance(system, HasLatents):
        return system.prior(Run([int(source)], system.device))[0].cpu()
    return tasks.encode(system, _solid(Path(source))[0], run)


def _solid(path: Path, fitted: bool = True) -> tuple[Solid, Frame]:
    from ..data import solid
    from ..data.files import read_mesh
    from ..representations import Mesh

    mesh = read_mesh(path)
    frame = solid.fit(mesh.vertices) if fitted else solid.IDENTITY
    return solid.Solid(Mesh(frame.inward(mesh.vertices), mesh.faces)), frame


def _write(
    options: argparse.Namespace,
    shapes: Iterable[Shape],
    mesh_settings: Any,
    name: Callable[[Shape], str],
    frame: Frame | None = None,
) -> None:
    """Writes each shape as soon as it is there, and the sheet at the end; prints what was written."""
    from ..data.files import write_mesh
    from ..representations import Mesh

    written: list[dict[str, Any]] = []
    meshes: list[Mesh] = []
    for shape in shapes:
        mesh = shape.representation.to_mesh(mesh_settings)
        meshes.append(mesh)
        if frame is not None:
            mesh = Mesh(frame.outward(mesh.vertices), mesh.faces)
        path = options.out / f"{name(shape)}.{options.format}"
        write_mesh(path, mesh, path.stem)
        values = {"file": str(path), "seed": shape.seed, "t": shape.t}
        written.append({**values, "vertices": len(mesh.vertices), "faces": len(mesh.faces)})
    if getattr(options, "sheet", None):
        from .. import preview

        if not meshes:
            raise BadRequest("There is nothing to draw.", "Ask for at least one shape.")
        preview.save_png(options.sheet, preview.sheet(meshes, columns=min(len(meshes), 8), size=192))
    say(options, written, "\n".join(f"{w['file']}  {w['faces']} faces" for w in written))
