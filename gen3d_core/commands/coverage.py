"""``gen3d data coverage``: which share of real shapes has a catalogue shape nearby."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadRequest
from .common import command, say

if TYPE_CHECKING:
    from ..data.coverage import Coverage, Real

#: Shapes on a picture of those that are not covered.
MOST_PICTURES = 60


def add(group: Any) -> None:
    """Adds it."""
    parser = command(group, "coverage", _coverage, "Measure which share of real shapes the catalogue comes near.")
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"), help="folder with the real data")
    parser.add_argument("--categories", nargs="+", default=["chair", "table", "cabinet"], help="(default: all three)")
    parser.add_argument("--real", type=int, default=200, help="at most so many shapes of each source (default: 200)")
    parser.add_argument("--made", type=int, default=1000, help="catalogue shapes (default: 1000)")
    parser.add_argument("--others", type=int, default=0, help="also measure what so many other real shapes cover")
    parser.add_argument("--first", type=int, default=0, help="first seed of the catalogue shapes (default: 0)")
    parser.add_argument("--groups", action="store_true", help="print the share for each measured trait, too")
    parser.add_argument("--sheet", type=Path, help="a folder for pictures of the real shapes that are not covered")


def _coverage(options: argparse.Namespace) -> None:
    from ..data import catalogue
    from ..data.coverage import SOURCES, measure

    if options.real < 2 or options.made < 1 or options.others < 0:
        raise BadRequest(f"--real {options.real} --made {options.made}: too few.", "Use at least 2 and 1.")
    if unknown := set(options.categories) - {source.category for source in SOURCES}:
        raise BadRequest(f"There are no real shapes for {', '.join(sorted(unknown))}.", "Use chair, table or cabinet.")
    results = []
    for category in options.categories:
        shapes = [catalogue.make(category, options.first + i) for i in range(options.made)]
        for source in SOURCES:
            if source.category != category:
                continue
            result, real = measure(
                source,
                options.shared,
                shapes,
                options.real,
                options.others,
                _note,
            )
            results.append(result)
            if options.sheet is not None:
                _picture(result, real, options.sheet)
    say(options, [_values(result) for result in results], table(results, options.groups))


def _note(text: str) -> None:
    sys.stderr.write(text + "\n")


def table(results: Sequence[Coverage], groups: bool = False) -> str:
    """The results as a table for people, in Markdown. Distances are Chamfer distances times 1000."""
    rows = [
        "| real shapes | real | catalogue | strict radius | covered (strict) | by other real shapes | loose radius "
        "| covered (loose) | real to catalogue | catalogue to real | real to real |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        distances = [r.strict_radius, r.loose_radius, r.real_to_catalogue, r.catalogue_to_real, r.between_real]
        strict, loose, there, back, between = (f"{1000 * value:.2f}" for value in distances)
        others = f"{r.strict_others:.0%} ({r.others})" if r.others else "-"
        rows.append(
            f"| {r.source.name} | {r.real} | {r.made} | {strict} | {r.strict:.0%} | {others} | {loose} | {r.loose:.0%} "
            f"| {there} | {back} | {between} |"
        )
    if groups:
        for r in results:
            rows += [
                "",
                f"{r.source.name}, covered (strict) by trait:",
                "",
                "| trait | shapes | covered |",
                "|---|---|---|",
            ]
            rows += [f"| {group.trait} | {group.shapes} | {group.covered:.0%} |" for group in r.groups]
    return "\n".join(rows)


def _values(result: Coverage) -> dict[str, Any]:
    values = {name: getattr(result, name) for name in ("real", "made", "turn", "strict_radius", "loose_radius")}
    values |= {name: getattr(result, name) for name in ("strict", "loose", "between_real", "others")}
    values["strict_others"] = result.strict_others if result.others else None
    values |= {name: getattr(result, name) for name in ("real_to_catalogue", "catalogue_to_real")}
    groups = [asdict(group) for group in result.groups]
    return {"source": result.source.name, "category": result.source.category, **values, "groups": groups}


def _picture(result: Coverage, real: Sequence[Real], folder: Path) -> None:
    from PIL import Image

    from ..preview import sheet

    shown = result.uncovered[:MOST_PICTURES]
    if not len(shown):
        return
    folder.mkdir(parents=True, exist_ok=True)
    picture = sheet([real[index].mesh() for index in shown], min(12, len(shown)), 110)
    Image.fromarray(picture).save(folder / f"{result.source.name.lower().replace(' ', '_')}.png")
