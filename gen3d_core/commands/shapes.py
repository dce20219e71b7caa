"""The verbs of the artist: sample, interpolate, vary, arithmetic, complete, refine, reconstruct, score."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import cards
from ..errors import BadMesh, BadRequest, Unsupported
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
    from ..data.sources import Prepared
    from ..ranking import Entry, Ranking
    from ..representations import Mesh
    from ..run import Run
    from ..system import Asset, System
    from ..tasks import Shape


#: Pixels along each side of the depth picture that a completion from a view starts with.
VIEW = 96
#: What can be named as a collection.
SOURCES = "mesh files, folders, zip files, catalogue:CATEGORY or FILE.npz:KEY"


def add(commands: Any) -> None:
    """Adds all of them."""
    parser = verb(commands, "sample", _sample, "Generate shapes, one file a seed.")
    seeds_option(parser)
    parser.add_argument("--class", dest="class_name", default="", help="of the classes that the model knows")
    parser = verb(commands, "interpolate", _interpolate, "Shapes on the way from one seed or mesh file to another.")
    parser.add_argument("--from", dest="start", required=True, help="a seed, or a mesh file")
    parser.add_argument("--to", dest="stop", required=True, help="a seed, or a mesh file")
    parser.add_argument("--steps", type=int, default=7, help="shapes, ends included (default: 7)")
    parser = verb(commands, "vary", _vary, "Shapes near a seed or a mesh file.")
    parser.add_argument("--of", required=True, help="a seed, or a mesh file")
    parser.add_argument("--amount", type=float, default=0.3, help="0 is the same, 1 is unrelated (default: 0.3)")
    seeds_option(parser)
    parser = verb(commands, "arithmetic", _arithmetic, "The shape A - B + C, by the model's latents.")
    for name in ("a", "b", "c"):
        parser.add_argument(name, metavar=name.upper(), help="a seed, or a mesh file")
    parser = verb(commands, "refine", _refine, "Mesh files in twice the resolution.")
    parser.add_argument("meshes", type=Path, nargs="+", help="mesh files")
    parser = verb(commands, "complete", _complete, "Complete a shape of which a part is given.")
    parser.add_argument(
        "mesh", type=Path, help="an open mesh, or any mesh with --box; it is fitted by its bounding box"
    )
    parser.add_argument("--engine-frame", action="store_true", help="the mesh lies in the engine's cube already")
    numbers = ("X0", "Y0", "Z0", "X1", "Y1", "Z1")
    parser.add_argument("--box", type=float, nargs=6, metavar=numbers, help="make anew what lies in this box, +Z up")
    angles = ("AZIMUTH", "ELEVATION")
    help_text = "keep only what a camera sees from these degrees: turned from the front, above the horizon"
    parser.add_argument("--view", type=float, nargs=2, metavar=angles, help=help_text)
    parser.add_argument("--exact", action="store_true", help="keep the very triangles of what is kept")
    parser.add_argument("--text", default="", help="describes the whole, for models that read text")
    parser.add_argument("--image", type=Path, nargs="+", default=[], help="show the whole, for models that read them")
    seeds_option(parser)
    parser = verb(commands, "reconstruct", _reconstruct, "Mesh files as the model sees them.")
    parser.add_argument("meshes", type=Path, nargs="+", help="mesh files")
    parser = command(commands, "score", _score, "Rank assets by how unusual they are, and say how sure that is.")
    model_options(parser)
    parser.add_argument("sources", nargs="+", help=SOURCES)
    parser.add_argument("--count", type=int, default=1000, help="assets of each source at most (default: 1000)")
    parser.add_argument("--usual", metavar="SOURCE", help="usual assets to hold them against: how well are they told?")
    parser.add_argument("--usual-first", type=int, default=0, metavar="N", help="leave out the first N of --usual")
    parser.add_argument("--quick", action="store_true", help="score each once: no intervals")
    device_options(parser)


def verb(commands: Any, name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
    """A command that writes shapes, with what all such commands have."""
    parser = command(commands, name, run, text)
    model_options(parser)
    mesh_options(parser)
    parser.add_argument("--sheet", type=Path, help="also draw all shapes into this PNG")
    device_options(parser)
    return parser


def seeds_option(parser: argparse.ArgumentParser) -> None:
    """``--seeds``."""
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="one shape a seed (default: 1)")


def _sample(options: argparse.Namespace) -> None:
    mesh_settings = to_mesh_options(options)
    system = load_system(options)
    from .. import tasks

    with progress_run(options.seeds, system.device, "Generating") as run:
        name, start = options.class_name, Path(options.model).name
        shapes = tasks.from_class(system, name, run) if name else tasks.sample(system, run)
        start = f"{start}-{name}" if name else start
        write_shapes(options, shapes, mesh_settings, lambda shape: f"{start}-{shape.seed}")


def _interpolate(options: argparse.Namespace) -> None:
    mesh_settings = to_mesh_options(options)
    system = load_system(options)
    from .. import tasks

    with progress_run([0], system.device, "Interpolating") as run:
        with run.span(0.0, 0.3):
            a, b = _latent(system, options.start, run), _latent(system, options.stop, run)
        with run.span(0.3, 1.0):
            shapes = tasks.interpolate(system, a, b, options.steps, run)
            write_shapes(options, shapes, mesh_settings, lambda shape: f"{Path(options.model).name}-t{shape.t:.3f}")


def _vary(options: argparse.Namespace) -> None:
    mesh_settings = to_mesh_options(options)
    system = load_system(options)
    from .. import tasks

    with progress_run(options.seeds, system.device, "Varying") as run:
        latent = _latent(system, options.of, run)
        shapes = tasks.vary(system, latent, options.amount, run)
        write_shapes(options, shapes, mesh_settings, lambda shape: f"{Path(options.model).name}-varied-{shape.seed}")


def _complete(options: argparse.Namespace) -> None:
    mesh_settings = to_mesh_options(options)
    system = load_system(options)
    import numpy as np
    import torch

    from .. import tasks
    from ..data import exact, partial, regions

    if options.exact and options.view is not None:
        raise BadRequest("What a view shows has no triangles to be kept.", "Leave out --exact, or mark a --box.")
    solid, frame = _solid(options.mesh, fitted=not options.engine_frame)
    given: Asset = solid
    region = None
    if options.view is not None:
        given, known = _seen(solid.mesh, *options.view)
    elif options.box is None:
        known = partial.near_surface(solid, tasks.COMPARED_AT)
    else:
        region = regions.Box(*np.asarray(frame.inward(np.reshape(options.box, (2, 3))), dtype=np.float64))
        known = region.outside(tasks.COMPARED_AT)
    images = read_pictures(system, options.image) if options.image else None
    with progress_run(options.seeds, system.device, "Completing") as run:
        shapes = tasks.complete(system, given, torch.as_tensor(known), run, options.text, images)
        if options.exact:
            kept = exact.Kept(solid, known, region)
            if kept.note:
                sys.stderr.write(f"{kept.note}.\n")
            shapes = (replace(shape, representation=exact.Exact(shape.representation, kept)) for shape in shapes)
        write_shapes(options, shapes, mesh_settings, lambda shape: f"{options.mesh.stem}-completed-{shape.seed}", frame)


def _seen(mesh: Mesh, azimuth: float, elevation: float) -> tuple[Asset, Any]:
    """What a camera sees of a mesh in the engine's frame, and where that is."""
    from ..data import partial
    from ..preview import Scene
    from ..representations.camera import towards_origin

    camera = towards_origin(azimuth, elevation, VIEW)
    return partial.from_depth(Scene(mesh).depth(camera), camera)


def _arithmetic(options: argparse.Namespace) -> None:
    mesh_settings = to_mesh_options(options)
    system = load_system(options)
    from .. import tasks

    with progress_run([0], system.device, "Calculating") as run:
        a, b, c = (_latent(system, source, run) for source in (options.a, options.b, options.c))
        name = "-".join(
            [Path(options.model).name, *(Path(source).stem for source in (options.a, options.b, options.c))]
        )
        write_shapes(options, [tasks.arithmetic(system, a, b, c, run)], mesh_settings, lambda shape: name)


def _refine(options: argparse.Namespace) -> None:
    mesh_settings = to_mesh_options(options)
    system = load_system(options)
    from .. import tasks

    for path in options.meshes:
        solid, frame = _solid(path)
        with progress_run([0], system.device, f"Refining {path.name}") as run:
            shapes = tasks.refine(system, solid, run)
            write_shapes(options, shapes, mesh_settings, lambda shape, path=path: f"{path.stem}-refined", frame)


def _reconstruct(options: argparse.Namespace) -> None:
    mesh_settings = to_mesh_options(options)
    system = load_system(options)
    from .. import tasks

    for path in options.meshes:
        solid, frame = _solid(path)
        with progress_run([0], system.device, f"Reconstructing {path.name}") as run:
            shape = tasks.reconstruct(system, solid, run)
        write_shapes(options, [shape], mesh_settings, lambda shape, path=path: f"{path.stem}-reconstructed", frame)


def _score(options: argparse.Namespace) -> None:
    card = cards.find(options.model, options.zoo)
    system = load_system(options)
    from .. import novelty, ranking
    from ..data import sources

    changes = ranking.CHANGES[:1] if options.quick else None
    with progress_run([0], system.device, "Ranking") as run:
        parts: list[Prepared] = []
        for i, source in enumerate(options.sources):
            with run.span(0.2 * i / len(options.sources), 0.2 * (i + 1) / len(options.sources)):
                parts.append(sources.prepared(source, options.count, 0, run))
        names = [name for part in parts for name in part.names]
        refused = [entry for part in parts for entry in part.refused]
        if not names:
            raise BadMesh("; ".join(f"{name}: {sentence}" for name, sentence in refused[:3]), "Choose other assets.")
        known = card.metrics.get("scores")
        usual: list[float] = []
        if options.usual:
            with run.span(0.2, 0.25):
                found = sources.prepared(options.usual, options.count, options.usual_first, run)
            with run.span(0.25, 0.5):
                usual = [
                    entry.score for entry in ranking.rank(system, found.assets, found.names, run, None, changes).entries
                ]
            known = {"held_out": novelty.remembered(usual)}
        with run.span(0.5, 1.0):
            ranked = ranking.rank(system, [a for part in parts for a in part.assets], names, run, known, changes)
    values = {**ranked.values(), "refused": [list(entry) for entry in refused]}
    lines = [_row(entry, place) for place, entry in enumerate(ranked.entries, 1)]
    lines += [ranked.sentence(), *(f"Left out: {name}: {sentence}" for name, sentence in refused)]
    if usual:
        owners = [source for source, part in zip(options.sources, parts, strict=True) for _ in part.names]
        values["auroc"] = _auroc(ranked, owners, usual)
        lines.append(f"AUROC against {len(usual)} usual assets; 1 tells them apart, 0.5 is chance:")
        lines += [f"{value:8.3f}  {source}" for source, value in values["auroc"].items()]
    say(options, values, "\n".join(lines))


def _auroc(ranked: Ranking, owners: Sequence[str], usual: Sequence[float]) -> dict[str, float]:
    """How well the assets of each source, and all of them, are told from usual ones."""
    from .. import ranking

    told: dict[str, list[float]] = {}
    for entry in ranked.entries:
        told.setdefault(owners[entry.index], []).append(entry.score)
    found = {source: ranking.auroc(usual, told[source]) for source in dict.fromkeys(owners)}
    return {**found, "all": ranking.auroc(usual, [entry.score for entry in ranked.entries])}


def _row(entry: Entry, place: int) -> str:
    percentile = "" if entry.percentile is None else f"{entry.percentile:.0f} %"
    interval = "" if entry.low == entry.high else f"{entry.low:.3f} to {entry.high:.3f}"
    return f"{place:5d}  {entry.score:10.3f}  {interval:20s}  {percentile:>5s}  {entry.name}"


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


def read_pictures(system: System, paths: Sequence[Path]) -> Tensor:
    """Picture files as the system takes them, with shape (V, 4, S, S).

    Raises:
        Unsupported: the system does not read pictures.
        BadRequest: a file that is no picture of one object before a plain background.
    """
    import torch

    from ..data import pictures
    from ..system import FromImages

    if not isinstance(system, FromImages):
        raise Unsupported("This model does not read pictures.", "Choose another model.")
    return torch.stack([torch.as_tensor(pictures.read(path, system.image_size())) for path in paths])


def write_shapes(
    options: argparse.Namespace,
    shapes: Iterable[Shape],
    mesh_settings: Any,
    name: Callable[[Shape], str],
    frame: Frame | None = None,
) -> None:
    """Writes each shape as soon as it is there, and the sheet at the end; prints what was written."""
    from ..data.files import write_mesh

    written: list[dict[str, Any]] = []
    meshes: list[Mesh] = []
    for shape in shapes:
        mesh = shape.representation.to_mesh(mesh_settings)
        meshes.append(mesh)
        if frame is not None:
            mesh = replace(mesh, vertices=frame.outward(mesh.vertices))
        path = options.out / f"{name(shape)}.{options.format}"
        write_mesh(path, mesh, path.stem)
        values = {"file": str(path), "seed": shape.seed, "t": shape.t}
        written.append({**values, "vertices": len(mesh.vertices), "faces": len(mesh.polygons)})
    if options.sheet:
        from .. import preview

        if not meshes:
            raise BadRequest("There is nothing to draw.", "Ask for at least one shape.")
        preview.save_png(options.sheet, preview.sheet(meshes, columns=min(len(meshes), 8), size=192))
    say(options, written, "\n".join(f"{w['file']}  {w['faces']} faces" for w in written))
