"""``gen3d data check``: what would become of a collection of meshes, asset by asset."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadRequest
from .common import command, progress_run, say

if TYPE_CHECKING:
    from ..data.library import Outcome

TILE = 120


def add(group: Any) -> None:
    """Adds it."""
    parser = command(group, "check", _check, "Convert meshes and say of each what was repaired or why it is refused.")
    parser.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help="mesh files, folders or zip files")
    parser.add_argument("--count", type=int, default=0, help="at most so many assets (default: all)")
    parser.add_argument("--resolution", type=int, default=32, help="of the grid that is filled (default: 32)")
    parser.add_argument("--sheet", type=Path, help="also draw all solids into this PNG")
    parser.add_argument("--columns", type=int, default=10, help="solids in a row of the sheet (default: 10)")
    parser.add_argument("--processes", type=int, default=0, help="that work (default: by the amount of work)")
    parser.add_argument("--no-cache", action="store_true", help="prepare everything anew, keep nothing")


def _check(options: argparse.Namespace) -> None:
    from ..data import library
    from ..data.cache import Cache, default_folder

    items = [item for source in options.sources for item in library.scan(source)]
    items = items[: options.count or None]
    if not items:
        raise BadRequest("There are no meshes.", "Name mesh files, or folders or zip files that hold some.")
    cache = Cache(None if options.no_cache else default_folder())
    with progress_run([0], None, f"Checking {len(items)} assets") as run:
        start = time.perf_counter()
        outcomes = library.convert(items, run, options.processes, cache)
        waited = time.perf_counter() - start
    grids = [_filled(outcome, options.resolution) for outcome in outcomes]
    if options.sheet:
        _draw(options.sheet, outcomes, options.columns, options.resolution)
    values = {
        "assets": [
            {
                "name": outcome.name,
                "ok": outcome.problem is None,
                "repairs": outcome.notes,
                "problem": outcome.problem,
                "seconds": round(outcome.seconds, 4),
                "grid_seconds": round(seconds, 4),
                "full": full,
            }
            for outcome, (full, seconds) in zip(outcomes, grids, strict=True)
        ],
        "summary": _summary(outcomes, [seconds for _, seconds in grids], waited),
    }
    say(options, values, _text(values))


def _filled(outcome: Outcome, resolution: int) -> tuple[float, float]:
    """The share of a grid that a solid fills, and the seconds that this takes."""
    if outcome.solid is None:
        return 0.0, 0.0
    start = time.perf_counter()
    full = float(outcome.solid.voxels(resolution).mean())
    return round(full, 5), time.perf_counter() - start


def _summary(outcomes: Sequence[Outcome], grids: Sequence[float], waited: float) -> dict[str, Any]:
    good = [outcome for outcome in outcomes if outcome.problem is None]
    kinds = Counter(note.partition(" (")[0] for outcome in good for note in outcome.notes)
    seconds = sorted(outcome.seconds for outcome in outcomes)
    return {
        "assets": len(outcomes),
        "as they are": sum(not outcome.notes for outcome in good),
        "repaired": sum(bool(outcome.notes) for outcome in good),
        "refused": len(outcomes) - len(good),
        "repairs": dict(kinds.most_common()),
        "reasons": dict(Counter(outcome.problem for outcome in outcomes if outcome.problem).most_common()),
        "seconds": round(waited, 2),
        "median seconds an asset": round(seconds[len(seconds) // 2], 4),
        "largest seconds an asset": round(seconds[-1], 4),
        "mean seconds a grid": round(sum(grids) / len(grids), 4),
    }


def _text(values: dict[str, Any]) -> str:
    """One line an asset, then the sums."""
    width = min(max(len(asset["name"]) for asset in values["assets"]), 48)
    lines = []
    for asset in values["assets"]:
        if not asset["ok"]:
            verdict = f"refused: {asset['problem']}"
        else:
            verdict = f"repaired: {', '.join(asset['repairs'])}" if asset["repairs"] else "ok"
        lines.append(f"{asset['name']:<{width}}  {asset['seconds'] + asset['grid_seconds']:6.3f} s  {verdict}")
    total = values["summary"]
    counts = f"{total['as they are']} as they are, {total['repaired']} repaired, {total['refused']} refused"
    lines += ["", f"{total['assets']} assets: {counts}."]
    lines += [f"  {number:5d}  {kind}" for kind, number in total["repairs"].items()]
    lines += [f"  {number:5d}  refused: {reason}" for reason, number in total["reasons"].items()]
    lines.append(
        f"{total['seconds']:.1f} s in all; an asset {total['median seconds an asset']:.3f} s (median), "
        f"{total['largest seconds an asset']:.3f} s (most); its grid {total['mean seconds a grid']:.3f} s."
    )
    return "\n".join(lines)


def _draw(path: Path, outcomes: Sequence[Outcome], columns: int, resolution: int) -> None:
    """A sheet of the solids, as a grid of that resolution has them."""
    import dataclasses

    import torch

    from .. import preview
    from ..representations import MeshOptions, isosurface

    good = [(outcome.name, outcome.solid) for outcome in outcomes if outcome.solid is not None]
    if not good:
        raise BadRequest("There is nothing to draw: every asset is refused.", "See the reasons without --sheet.")
    meshes = [
        isosurface.extract(torch.as_tensor(solid.sdf_grid(resolution)), 0.0, MeshOptions(max(resolution, 8)))
        for _, solid in good
    ]
    names = [name.rpartition("/")[2][: TILE // 7] for name, _ in good]
    look = dataclasses.replace(preview.CLAY, key_rays=1, sky_rays=2)
    sys.stderr.write(f"drawing {len(meshes)} solids into {path}\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    preview.save_png(path, preview.sheet(meshes, columns, TILE, names, look))
