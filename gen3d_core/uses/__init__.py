"""What a model can do, measured on held-out shapes between trivial ways to do it and what can be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..errors import BadRequest, Unsupported
from ..evaluation import table
from ..run import Run
from ..system import System, abilities
from .common import FEW, Cells, Counts, Data, Score, Use
from .hypotheses import completion
from .judging import classes, classify, labels
from .pictures import images
from .prompts import guided, text
from .shapes import outliers, refine, samples

__all__ = ["FEW", "MEASURES", "Counts", "Data", "Score", "Use", "chosen", "measure_uses", "tables"]

#: By name: which abilities make it possible, and what measures it.
MEASURES: dict[str, tuple[frozenset[str], Callable[[Any, Data, Run], Use | None]]] = {
    "completion": (frozenset({"completes", "fits"}), completion),
    "images": (frozenset({"from_images"}), images),
    "text": (frozenset({"from_text"}), text),
    "guided": (frozenset({"guided"}), guided),
    "classes": (frozenset({"from_classes"}), classes),
    "classify": (frozenset({"classifies"}), classify),
    "labels": (frozenset({"features"}), labels),
    "refine": (frozenset({"refines"}), refine),
    "outliers": (frozenset({"scores", "fits"}), outliers),
}


def chosen(words: str, system: System) -> list[str]:
    """The uses that a system has, of ``all``, ``none``, or a list of names with commas.

    Raises:
        BadRequest: an unknown name, or one that the system cannot do.
    """
    has = set(abilities(system))
    possible = [name for name, (needs, _) in MEASURES.items() if needs & has]
    if words in ("all", "none"):
        return possible if words == "all" else []
    names = words.split(",")
    if unknown := [name for name in names if name not in MEASURES]:
        raise BadRequest(f"There is no use '{unknown[0]}'.", f"Choose all, none, or of {', '.join(MEASURES)}.")
    if missing := [name for name in names if name not in possible]:
        raise BadRequest(f"This model has no {missing[0]}.", f"It has {', '.join(possible) or 'none of the uses'}.")
    return names


def measure_uses(system: System, names: Sequence[str], data: Data, run: Run, grids: Sequence[Cells] = ()) -> list[Use]:
    """Measures each use in turn; one that the data does not allow, or that the model has not learnt, is left out.

    Args:
        system: trained.
        names: of :data:`MEASURES`; the system must have them.
        data: held-out shapes, and training shapes for the baselines.
        run: device, progress and cancellation; its seeds do not count.
        grids: drawn shapes, each with shape (R, R, R), to be looked at as cells.

    Raises:
        Cancelled: the user asked to stop.
    """
    found = [samples(grids, data)] if len(grids) > 1 else []
    for i, name in enumerate(names):
        with run.span(i / len(names), (i + 1) / len(names)):
            try:
                use = MEASURES[name][1](system, data, run)
            except Unsupported:
                # A system that reads texts or pictures learns it only from data that has them.
                continue
            if use is not None:
                found.append(use)
    return found


def tables(uses: Iterable[Use]) -> str:
    """Markdown: how each use was measured, the numbers between their references, and the gates."""
    uses = list(uses)
    checks = [check for use in uses for check in use.checks()]
    gates = [[c.name, c.limit, c.measured, "met" if c.met else "**not met**"] for c in checks]
    head = ["use", "measure", "trivial ways", "**model**", "reference"]
    return "\n".join(
        [
            *(f"- {use.conditions}" for use in uses),
            "",
            *table(head, [row for use in uses for row in use.rows()]),
            "",
            *(table(["gate", "limit", "measured", ""], gates) if gates else []),
        ]
    ).rstrip()
