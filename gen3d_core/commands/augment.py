"""``gen3d augment``: many assets out of few, each with the record of what it was made from."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__, cards
from ..errors import BadMesh, BadRequest, EmptyShape
from .common import command, device_options, load_system, mesh_options, progress_run, say, to_mesh_options, zoo_option

if TYPE_CHECKING:
    from ..representations import Mesh, MeshOptions
    from ..system import System
    from ..tasks import Shape

PROVENANCE = "provenance.json"
#: Points of each surface when distances are measured.
POINTS = 2048


def add(commands: Any) -> None:
    """Adds it."""
    parser = command(commands, "augment", _augment, "Write variations of assets, with their provenance.")
    names = "a model's id or folder, then mesh files, folders or zip files; with --without-model only these"
    parser.add_argument("names", nargs="+", metavar="MODEL SOURCE", help=names)
    parser.add_argument("--without-model", action="store_true", help="by geometry alone: proportions, a slight bend")
    parser.add_argument("--count", type=int, default=4, help="variations of each asset (default: 4)")
    parser.add_argument("--amount", type=float, default=0.3, help="0 is the same, 1 is unrelated (default: 0.3)")
    parser.add_argument("--seed", type=int, default=1, help="of the first variation (default: 1)")
    parser.add_argument("--licence", default="", help="of the assets, for the record: variations are made from them")
    zoo_option(parser)
    mesh_options(parser)
    device_options(parser)


def _augment(options: argparse.Namespace) -> None:
    if options.count < 1:
        raise BadRequest(f"{options.count} variations were asked for; expected at least 1.", "Choose a larger --count.")
    settings = to_mesh_options(options)
    sources = options.names if options.without_model else options.names[1:]
    if not sources:
        raise BadRequest("No assets were named.", "Name a model and then files or folders, or use --without-model.")
    maker = _Maker(options, settings)
    from ..data import library

    items = library.scan([Path(source) for source in sources])
    if not items:
        raise BadRequest("There are no meshes in what was named.", "Name mesh files, or folders or zips of them.")
    record = _Record(options.out)
    written: list[dict[str, Any]] = []
    refused: list[tuple[str, str]] = []
    taken: set[str] = set()
    for item in items:
        stem = _unused(_safe(item.name), taken)
        try:
            rows = maker.write(item.read(), item.name, stem)
        except (BadMesh, EmptyShape) as error:
            refused.append((item.name, error.message))
            continue
        record.add(rows)
        written += rows
    if not written:
        reasons = " ".join(f"{name}: {sentence}" for name, sentence in refused[:3])
        raise BadMesh(f"None of the assets can be varied. {reasons}".strip(), "Choose other assets.")
    lines = [f"{options.out / row['file']}  {row['distance']:.1%} of its size from {row['source']}" for row in written]
    lines += [f"Left out: {name}: {sentence}" for name, sentence in refused]
    say(options, {"variations": written, "refused": [list(entry) for entry in refused]}, "\n".join(lines))


class _Maker:
    """Varies one asset after the other.

    Args:
        options: of the command line.
        settings: of the meshes.
    """

    def __init__(self, options: argparse.Namespace, settings: MeshOptions) -> None:
        self.options, self.settings = options, settings
        self.system: System | None = None
        self.origin: dict[str, Any] = {"method": "geometry", "model": None, "weights": None, "model_licence": None}
        if not options.without_model:
            options.model = options.names[0]
            card = cards.find(options.model, options.zoo)
            self.system = load_system(options)
            self.origin = {"method": "model", "model": card.id, "weights": card.sha256, "model_licence": card.licence}

    def write(self, given: Mesh, name: str, stem: str) -> list[dict[str, Any]]:
        """Writes the variations of a mesh; returns what is to be recorded of each.

        Raises:
            BadMesh: the mesh is no solid.
            EmptyShape: the model makes nothing of it.
        """
        from .. import novelty, tasks
        from ..data import solid
        from ..data.files import write_mesh
        from ..representations import Mesh

        frame = solid.fit(given.vertices)
        fitted = Mesh(frame.inward(given.vertices), given.faces)
        seeds = [self.options.seed + i for i in range(self.options.count)]
        rows: list[dict[str, Any]] = []
        clouds = [_points(fitted, 0)]
        with progress_run(seeds, self.system.device if self.system else _cpu(), f"Varying {name}") as run:
            shapes: Iterable[Shape]
            if self.system is None:
                shapes = tasks.deform(fitted, self.options.amount, run)
            else:
                shapes = tasks.augment(self.system, solid.Solid(fitted), self.options.amount, run)
            for shape in shapes:
                mesh = shape.representation.to_mesh(self.settings)
                clouds.append(_points(mesh, 1 + len(clouds)))
                path = self.options.out / f"{stem}-variation-{shape.seed}.{self.options.format}"
                write_mesh(path, replace(mesh, vertices=frame.outward(mesh.vertices)), path.stem)
                rows.append(self._row(path, name, shape.seed))
        apart = novelty.distances(clouds) / solid.LONGEST
        for i, row in enumerate(rows):
            others = np.delete(apart[1 + i], [0, 1 + i])
            row["distance"] = float(apart[1 + i, 0])
            row["distance_to_next"] = float(others.min()) if len(others) else None
        return rows

    def _row(self, path: Path, name: str, seed: int) -> dict[str, Any]:
        o, s = self.options, self.settings
        return {
            "file": path.name,
            "source": name,
            "source_licence": o.licence or None,
            **self.origin,
            "seed": seed,
            "amount": o.amount,
            "settings": {"resolution": s.resolution, "debris": s.debris, "faces": s.faces, "quads": s.quads},
            "made_by": f"gen3d {__version__}",
        }


class _Record:
    """The provenance of all variations in a folder, those of earlier calls included.

    Args:
        folder: that the files are in.

    Raises:
        BadRequest: the folder has a record that is none.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / PROVENANCE
        self._rows: dict[str, Mapping[str, Any]] = {}
        if self._path.exists():
            try:
                self._rows = {row["file"]: row for row in json.loads(self._path.read_text(encoding="utf-8"))}
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise BadRequest(
                    f"{self._path} is not a record of variations.", "Choose another --out.", details=str(error)
                ) from error

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Adds rows, which replace those of files of the same name."""
        self._rows |= {row["file"]: row for row in rows}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".part")
        beside.write_text(json.dumps(list(self._rows.values()), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(beside, self._path)


def _points(mesh: Mesh, seed: int) -> Any:
    return mesh.sample(POINTS, np.random.Generator(np.random.PCG64(seed)))


def _safe(name: str) -> str:
    """A name that every file system takes, at most 80 characters."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:80] or "asset"


def _unused(stem: str, taken: set[str]) -> str:
    """The stem, or with a number; file systems may not tell capitals apart."""
    found, number = stem, 1
    while found.lower() in taken:
        number += 1
        found = f"{stem}-{number}"
    taken.add(found.lower())
    return found


def _cpu() -> Any:
    import torch

    return torch.device("cpu")
