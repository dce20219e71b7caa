"""``gen3d data catalogue``: shapes of the catalogue as files, on a contact sheet, and how fast they are made."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadRequest
from .common import command, say

if TYPE_CHECKING:
    from ..data.catalogue import Shape

#: Seeds that are measured where none are given.
MEASURED = 20


def add(group: Any) -> None:
    """Adds it."""
    parser = command(group, "catalogue", _catalogue, "Write catalogue shapes in every representation, or draw them.")
    parser.add_argument("category", help="a category, as chair; several as chair,table; or all")
    parser.add_argument("seeds", type=int, nargs="*", metavar="SEED", help="whole numbers from 0 on (default: 0 to 19)")
    parser.add_argument("--out", type=Path, help="a folder; each shape gets a folder of its own in it")
    parser.add_argument("--sheet", type=Path, help="draw all shapes into this PNG")
    parser.add_argument("--captions", action="store_true", help="write each shape's sentence below it on the sheet")
    parser.add_argument("--columns", type=int, default=8, help="shapes in a row of the sheet (default: 8)")
    parser.add_argument("--speed", action="store_true", help="print how many shapes a second each representation takes")
    parser.add_argument("--resolution", type=int, default=64, help="of the grids (default: 64)")
    parser.add_argument("--points", type=int, default=4096, help="surface points and distances (default: 4096)")
    parser.add_argument("--views", type=int, default=12, help="pictures of each shape (default: 12)")
    parser.add_argument("--size", type=int, default=128, help="pixels along a side of pictures (default: 128)")


def _catalogue(options: argparse.Namespace) -> None:
    from ..data import catalogue

    categories = list(catalogue.CATEGORIES) if options.category == "all" else options.category.split(",")
    if unknown := set(categories) - set(catalogue.CATEGORIES):
        raise BadRequest(
            f"The catalogue has no category '{', '.join(sorted(unknown))}'.",
            f"It has {', '.join(catalogue.CATEGORIES)}.",
        )
    seeds = options.seeds or list(range(MEASURED))
    if min(seeds) < 0:
        raise BadRequest(f"The seed {min(seeds)} is negative.", "Choose whole numbers from 0 on.")
    if options.out is None and options.sheet is None and not options.speed:
        raise BadRequest("Nothing was asked for.", "Add --out FOLDER, --sheet FILE or --speed.")
    values: dict[str, Any] = {}
    lines: list[str] = []
    if options.out is not None:
        values["shapes"] = _write(options, categories, seeds)
        lines += [f"{row['folder']}  {row['sentence']}" for row in values["shapes"]]
    if options.sheet is not None:
        _sheet(options, [catalogue.make(category, seed) for category in categories for seed in seeds])
        values["sheet"] = str(options.sheet)
        lines.append(str(options.sheet))
    if options.speed:
        values["speed"] = {category: _measure(options, category, seeds) for category in categories}
        lines += _table(values["speed"])
    say(options, values, "\n".join(lines))


def _write(options: argparse.Namespace, categories: list[str], seeds: list[int]) -> list[dict[str, Any]]:
    from ..data import catalogue
    from ..data.catalogue.export import write_all

    rows = []
    for category in categories:
        for seed in seeds:
            folder = options.out / f"{category}-{seed}"
            shape = catalogue.make(category, seed)
            found = write_all(shape, folder, options.resolution, options.points, options.views, options.size)
            rows.append({"folder": str(folder), "sentence": found["sentence"]})
    return rows


def _sheet(options: argparse.Namespace, shapes: list[Shape]) -> None:
    from .. import preview
    from ..representations import Mesh

    joined = [shape.mesh() for shape in shapes]
    captions = [shape.sentence() if options.captions else f"{shape.category} {shape.seed}" for shape in shapes]
    meshes = [Mesh(mesh.vertices, mesh.faces) for mesh in joined]
    picture = preview.sheet(meshes, min(options.columns, len(meshes)), options.size, captions)
    options.sheet.parent.mkdir(parents=True, exist_ok=True)
    preview.save_png(options.sheet, picture)


def emissions(options: argparse.Namespace) -> dict[str, Callable[[Shape], object]]:
    """What is measured, by name: every representation a shape has, with the sizes asked for."""
    resolution, points = options.resolution, options.points
    return {
        "meshes of the parts": lambda shape: shape.parts_mesh(),
        "closed union mesh": lambda shape: shape.mesh(),
        f"{resolution}^3 voxels": lambda shape: shape.voxels(resolution),
        f"{points} + {points} signed distances": lambda shape: shape.samples(points, points),
        f"{points} surface points": lambda shape: shape.surface(points),
        "deformed cubes": lambda shape: shape.cubes(),
        "cuboid program": lambda shape: shape.program(),
        "low-poly mesh": lambda shape: shape.lowpoly(),
        "textures of 64^2": lambda shape: shape.textured(64),
        "one view of 64^2": lambda shape: shape.views(1, 64),
        "sentence": lambda shape: shape.sentence(),
    }


def _measure(options: argparse.Namespace, category: str, seeds: list[int]) -> dict[str, float]:
    """Shapes a second of this process's processor time, by representation; three of them with the making."""
    from ..data import catalogue

    wanted = emissions(options)
    # The first time includes the import of libraries.
    for emit in wanted.values():
        emit(catalogue.make(category, seeds[0]))
    spent = dict.fromkeys(["making", *wanted], 0.0)
    for done, seed in enumerate(seeds):
        sys.stderr.write(f"\r{category}: {done} of {len(seeds)}")
        start = time.process_time()
        shape = catalogue.make(category, seed)
        spent["making"] += time.process_time() - start
        for name, emit in wanted.items():
            start = time.process_time()
            emit(shape)
            spent[name] += time.process_time() - start
    sys.stderr.write("\n")
    parts, union, voxels, distances, *_ = (spent[name] for name in wanted)
    spent = {
        "made, with meshes of the parts": spent["making"] + parts,
        "made, with closed union mesh": spent["making"] + union,
        "made, with voxels and distances": spent["making"] + voxels + distances,
        **spent,
    }
    return {name: len(seeds) / max(seconds, 1e-9) for name, seconds in spent.items()}


def _table(speeds: dict[str, dict[str, float]]) -> list[str]:
    """Shapes a second on one core, a column for each category."""
    rows = ["| shapes a second on one core | " + " | ".join(speeds) + " |", "|---|" + "---:|" * len(speeds)]
    for name in next(iter(speeds.values())):
        rows.append(f"| {name} | " + " | ".join(f"{found[name]:.0f}" for found in speeds.values()) + " |")
    return rows
