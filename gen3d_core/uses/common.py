"""What the measured uses share: their data, one score with its references, and how a use is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import tasks
from ..data import sources
from ..errors import EmptyShape
from ..evaluation import Check, occupancy
from ..representations import Representation
from ..system import Asset

Cells = NDArray[np.bool_]

R = tasks.COMPARED_AT


@dataclass(frozen=True)
class Counts:
    """How much is measured; the defaults take a fast system some minutes.

    Args:
        pool: training shapes that baselines may choose from.
        shapes: held-out shapes to be completed, shared by the ways of hiding a part.
        hypotheses: for each of them.
        partials, many: of how many of them so many hypotheses are drawn, for fidelity and diversity.
        pictured: held-out shapes whose pictures are shown.
        prompts, drawn: texts, and shapes for each.
        of_class: shapes of each class that can be asked for.
        judged: shapes to be classified, refined, or told from others, of each kind.
    """

    pool: int = 1000
    shapes: int = 60
    hypotheses: int = 3
    partials: int = 12
    many: int = 10
    pictured: int = 40
    prompts: int = 32
    drawn: int = 3
    of_class: int = 30
    judged: int = 60


#: For a quick look.
FEW = Counts(60, 8, 2, 4, 3, 6, 6, 1, 4, 10)


@dataclass(frozen=True)
class Data:
    """Held-out shapes, and training shapes for baselines.

    Args:
        source: as :func:`gen3d_core.data.sources.load` names it.
        held_out: its first shape that no training has seen.
        counts: how much is measured.
    """

    source: str
    held_out: int = sources.HELD_OUT
    counts: Counts = field(default_factory=Counts)

    def unseen(self, count: int) -> Sequence[Asset]:
        """Held-out shapes, as many of each category, in turn."""
        return _in_turn(sources.load(self.source, count, first=self.held_out))

    @cached_property
    def pool(self) -> Sequence[Asset]:
        """Training shapes."""
        return _in_turn(sources.load(self.source, self.counts.pool))

    @cached_property
    def pool_cells(self) -> NDArray[np.float32]:
        """Their occupancies, with shape (N, R^3), 0 or 1."""
        return np.stack([cells(asset).ravel() for asset in self.pool]).astype(np.float32)

    def nearest(self, given: Cells, known: Cells) -> Cells:
        """The training shape with the best intersection over union on the known cells, all (R, R, R)."""
        where = known.ravel().astype(np.float32)
        wanted = (given & known).ravel().astype(np.float32)
        common = self.pool_cells @ wanted
        union = self.pool_cells @ where + wanted.sum() - common
        best = int(np.argmax(common / np.maximum(union, 1)))
        return self.pool_cells[best].reshape((R,) * 3) > 0.5


@dataclass(frozen=True)
class Score:
    """One number of a model between its references.

    Args:
        name: what was measured.
        model: its number.
        floors: trivial ways of doing the same, by name.
        ceiling, ceiling_name: what can be reached at most, where that is known.
        unit: how it is written: "share", "plain", or "thousandth" for lengths and areas in 1/1000 of the model unit.
        lower: whether less is better.
        limit: what has to be reached.
        beats: whether the model has to be better than every floor.
    """

    name: str
    model: float
    floors: Mapping[str, float] = field(default_factory=dict)
    ceiling: float | None = None
    ceiling_name: str = ""
    unit: str = "share"
    lower: bool = False
    limit: float | None = None
    beats: bool = False

    def text(self, value: float) -> str:
        """A value as it stands in a table."""
        if self.unit == "share":
            return f"{value:.1%}"
        return f"{1000 * value:.2f}" if self.unit == "thousandth" else f"{value:.3f}"

    def check(self, use: str) -> Check | None:
        """The gate, if it has one."""
        if not self.beats and self.limit is None:
            return None
        bars = [*(self.floors.values() if self.beats else ()), *([] if self.limit is None else [self.limit])]
        hardest = min(bars) if self.lower else max(bars)
        met = self.model < hardest if self.lower else self.model > hardest
        return Check(
            f"{use}: {self.name}", f"{'<' if self.lower else '>'} {self.text(hardest)}", self.text(self.model), met
        )

    def row(self) -> list[str]:
        """Name, floors, model, ceiling."""
        floors = ", ".join(f"{name} {self.text(value)}" for name, value in self.floors.items())
        top = "" if self.ceiling is None else f"{self.ceiling_name} {self.text(self.ceiling)}".strip()
        return [f"{self.name} {'↓' if self.lower else '↑'}", floors, self.text(self.model), top]

    def values(self) -> dict[str, Any]:
        """Plain values."""
        known = {"model": self.model, "floors": dict(self.floors), "unit": self.unit, "lower": self.lower}
        return known | ({} if self.ceiling is None else {"ceiling": {self.ceiling_name: self.ceiling}})


@dataclass(frozen=True)
class Use:
    """One thing that a model can do, measured.

    Args:
        name: as the command line has it.
        conditions: what was measured on what, one sentence.
        scores: the numbers.
    """

    name: str
    conditions: str
    scores: Sequence[Score]

    def rows(self) -> list[list[str]]:
        """Lines of the table: use, what, baselines, model, ceiling."""
        return [[self.name, *score.row()] for score in self.scores]

    def checks(self) -> list[Check]:
        """Its gates."""
        return [check for score in self.scores if (check := score.check(self.name))]

    def values(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "conditions": self.conditions,
            "scores": {score.name: score.values() for score in self.scores},
            "gates": [{"name": c.name, "limit": c.limit, "measured": c.measured, "met": c.met} for c in self.checks()],
        }


def cells(asset: Asset, resolution: int = R) -> Cells:
    """The occupancy of an asset, with shape (R, R, R)."""
    return np.asarray(asset.voxels(resolution), dtype=bool)


def drawn(make: Callable[[], Iterable[Representation]]) -> Cells:
    """What the first shape that ``make`` gives fills; nothing where it has no surface."""
    try:
        return occupancy(next(iter(make())))
    except EmptyShape:
        return np.zeros((R,) * 3, dtype=bool)


def iou(a: Cells, b: Cells, where: Cells | None = None) -> float:
    """Intersection over union on some cells; 1 where both are empty there."""
    both, either = a & b, a | b
    if where is not None:
        both, either = both & where, either & where
    union = np.count_nonzero(either)
    return np.count_nonzero(both) / union if union else 1.0


def category(asset: Asset) -> str:
    """What a shape of the catalogue is; empty for other assets."""
    return str(getattr(asset, "category", ""))


def mean(values: Iterable[float]) -> float:
    """0 for nothing."""
    found = list(values)
    return float(np.mean(found)) if found else 0.0


def _in_turn(assets: Sequence[Asset]) -> Sequence[Asset]:
    """One of each category after the other, as far as they go: any first part of them is balanced."""
    kinds: dict[str, list[Asset]] = {}
    for asset in assets:
        kinds.setdefault(category(asset), []).append(asset)
    longest = max(map(len, kinds.values()), default=0)
    return [own[i] for i in range(longest) for own in kinds.values() if i < len(own)]
