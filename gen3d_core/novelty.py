"""Whether a model makes new shapes: how far its samples lie from the shapes that it was trained on.

The distance of two shapes is the root mean square distance between their surfaces, from the Chamfer distance of points
on them without what it owes to the points being finitely many, CD(X, X') of two drawings from one surface:

    d(A, B)^2 = (CD(A, B) - (CD(A, A') + CD(B, B')) / 2) / 2

Meehan, Chaudhuri and Dasgupta, *A Non-Parametric Test to Detect Data-Copying in Generative Models*, 2020, compare each
sample's distance to its nearest training shape with the distances that unseen shapes of the same kind have:

    P = probability that a sample lies nearer to the training shapes than an unseen shape does

One half is a model that is as new as the world is; near one, it copies. Birnbaum and Klose, 1957, bound the variance of
P by P (1 - P) / min(n, m), so its interval here is Wilson's for so many trials: cautious, and honest for small sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from . import metrics, tasks
from .errors import BadRequest, EmptyShape, Unsupported
from .metrics import Cloud
from .representations import MeshOptions
from .run import Run
from .system import Asset, Encodes, Fits, HasLatents, Samples, Scores, System

#: Points on each shape.
POINTS = 1024
#: Where a first look finds out which training shapes may be nearest, up to which distance, and how many of them are
#: then looked at closely.
NODES = np.stack(np.meshgrid(*[(np.arange(8) + 0.5) / 8 - 0.5] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
FAR, CLOSEST = 0.2, 10
#: Keeps the points of samples apart from those of assets.
SAMPLED = 1
#: Samples are compared with at most so many training shapes: more would take longer than many a training.
KNOWN = 1000
#: How many training shapes are compared with the others and scored: evenly spaced ones stand for all.
AT_MOST = 200
#: As above where a score needs a search, which takes seconds a shape.
SEARCHED = 8
#: A sample is a copy when it lies nearer to a training shape than this share of what training shapes lie apart.
COPY = 0.4
#: Shares of the distribution of scores that a model's card remembers.
LEVELS = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
#: Fewer held-out shapes than this are joined by the training shapes, each against the others.
ENOUGH = 16
#: With an interval of P wider than this, nothing is claimed.
UNSURE = 0.5
#: The quantile of the normal distribution that belongs to intervals of 95 %.
Z95 = 1.959964


@dataclass(frozen=True)
class Interval:
    """A measured share and the interval that holds the true one with 95 % probability."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Novelty:
    """What was measured. Distances are to the nearest training shape, in model units.

    Args:
        samples: of generated shapes.
        held_out: of shapes that the training has not seen; empty where there are none.
        training: of training shapes, each to the nearest other one.
        assets: how many training shapes there are.
        empty: samples without a surface; they have no distance.
        scores: what :func:`gen3d_core.tasks.score` says of ``held_out`` and ``training`` shapes; empty lists where
            the system cannot score.
    """

    samples: Sequence[float]
    held_out: Sequence[float]
    training: Sequence[float]
    assets: int
    empty: int = 0
    scores: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def copies(self) -> int:
        """How many samples are copies of training shapes."""
        if not len(self.training):
            return 0
        return int((np.asarray(self.samples) < COPY * np.median(self.training)).sum())

    @property
    def nearer(self) -> Interval:
        """The probability that a sample lies nearer to the training shapes than an unseen shape does."""
        return _probability_below(self.samples, self._unseen)

    @property
    def verdict(self) -> str:
        """``new``, ``copies``, ``nearer``, ``farther``, ``unsure`` or ``empty``."""
        if not len(self.samples):
            return "empty"
        if self.copies > len(self.samples) / 2:
            return "copies"
        if not len(self._unseen):
            return "unsure"
        p = self.nearer
        if p.low > 0.5:
            return "nearer"
        if p.high < 0.5:
            return "farther"
        return "unsure" if p.high - p.low > UNSURE else "new"

    def values(self) -> dict[str, Any]:
        """Plain values for a model's card: ``novelty``, and ``scores`` by which outliers are judged later."""
        p = self.nearer
        novelty = {
            "verdict": self.verdict,
            "assets": self.assets,
            "samples": _summary(self.samples),
            "held_out": _summary(self.held_out),
            "training": _summary(self.training),
            "copies": self.copies,
            "empty": self.empty,
            "nearer": {"value": p.value, "low": p.low, "high": p.high},
            "sentences": self.sentences(),
        }
        return {"novelty": novelty, "scores": {name: remembered(values) for name, values in self.scores.items()}}

    def sentences(self) -> list[str]:
        """For people: the verdict first, then what it rests on."""
        words = [_VERDICTS[self.verdict]]
        if len(self.samples):
            of = f"{self.assets} assets" if self.assets <= KNOWN else f"{KNOWN} of {self.assets} assets"
            near = [f"Samples lie {_percent(self.samples)} of their size from the nearest of {of}"]
            if len(self.held_out):
                near.append(f"assets that it never saw {_percent(self.held_out)}")
            if len(self.training):
                near.append(f"training assets {_percent(self.training)} from one another")
            words.append(", ".join(near) + " (medians).")
        if self.verdict not in ("empty", "copies") and len(self._unseen):
            p = self.nearer
            words.append(
                f"With a probability of {p.value:.0%} (95 % interval {p.low:.0%} to {p.high:.0%}, {len(self.samples)} "
                f"samples against {len(self._unseen)} assets) a sample lies nearer to what it learned from than an "
                "unseen asset; 50 % is ideal."
            )
        if self.copies or self.verdict == "nearer":
            count = self.copies or "None"
            words.append(f"{count} of {len(self.samples)} samples repeat a training asset.")
        if self.empty:
            words.append(f"{self.empty} samples had no surface.")
        if len(self.held_out) < ENOUGH and len(self.training) and len(self.samples):
            few = f"Only {len(self.held_out)} assets were" if len(self.held_out) else "No asset was"
            words.append(f"{few} held out, so training assets, each against the others, stand in for unseen ones.")
        return words

    @property
    def _unseen(self) -> Sequence[float]:
        """What samples are held against: unseen shapes; where they are few, training shapes among themselves too."""
        return self.held_out if len(self.held_out) >= ENOUGH else [*self.held_out, *self.training]


_VERDICTS = {
    "new": "Samples are as far from the training assets as unseen assets are: nothing points to copying.",
    "copies": "Samples are copies: most of them repeat a training asset.",
    "nearer": "Samples keep closer to the training assets than unseen assets do.",
    "farther": "Samples lie farther from the training assets than unseen assets do: they stray from the collection.",
    "unsure": "There are too few assets to tell whether samples are new or copied.",
    "empty": "No sample had a surface: the model has not learned to make shapes.",
}


def measure(
    system: System, training: Sequence[Asset], held_out: Sequence[Asset], run: Run, seeds: Sequence[int]
) -> Novelty:
    """Samples of a system beside the shapes that it was trained on.

    Args:
        system: trained.
        training: what it was trained on.
        held_out: shapes of the same collection that it has not seen; may be empty.
        run: device, progress and cancellation; its seeds do not count.
        seeds: one a sample.

    Raises:
        BadRequest: no training shapes, or no seeds.
        Unsupported: the system cannot sample.
        Cancelled: the user asked to stop.
    """
    if not len(training) or not len(seeds):
        raise BadRequest(
            f"Novelty of {len(seeds)} samples against {len(training)} training assets cannot be measured.",
            "Provide at least one of each.",
        )
    if not isinstance(system, (HasLatents, Samples)):
        raise Unsupported("This system does not generate shapes, so there is no novelty to measure.")
    with run.span(0.0, 0.35):
        clouds, empty = _sampled(system, seeds, run)
    # Every shape has points of its own: two shapes that share their randomness seem nearer than they are.
    compared = [training[i] for i in _spaced(len(training), KNOWN)]
    known = _Known([_Drawn.of(asset, 2 * i) for i, asset in enumerate(_within(run, 0.35, 0.5, compared))])
    unseen = [_Drawn.of(asset, 2 * i + 1) for i, asset in enumerate(_within(run, 0.5, 0.55, held_out))]
    samples = [known.nearest(cloud) for cloud in _within(run, 0.55, 0.65, clouds)]
    others = [known.nearest(cloud) for cloud in _within(run, 0.65, 0.7, unseen)]
    chosen = _spaced(len(compared), AT_MOST) if len(compared) > 1 else []
    own = [known.nearest(known.drawn[i], without=i) for i in _within(run, 0.7, 0.8, chosen)]
    with run.span(0.8, 1.0):
        scores = _scores(system, training, held_out, run)
    return Novelty(samples, others, own, len(training), empty, scores)


def remembered(scores: Sequence[float]) -> dict[str, Any]:
    """What a model's card keeps of scores: how many they are, and their quantiles."""
    values = np.quantile(scores, LEVELS).tolist() if len(scores) else []
    return {"count": len(scores), "levels": list(LEVELS) if len(scores) else [], "values": values}


def distances(clouds: Sequence[Cloud]) -> NDArray[np.float64]:
    """How far shapes lie from one another, in model units, with shape (N, N).

    Args:
        clouds: points on each surface, an even number, with shape (M, 3), in model units.
    """
    drawn = [_Drawn(cloud) for cloud in clouds]
    table = np.zeros((len(drawn),) * 2)
    for i, j in combinations(range(len(drawn)), 2):
        table[i, j] = table[j, i] = drawn[i].apart(drawn[j])
    return table


class _Drawn:
    """Points of a surface, and what their number alone makes of its distance to itself.

    Args:
        points: with shape (2 N, 3), in model units: one half is kept, the other tells the floor.
    """

    def __init__(self, points: Cloud) -> None:
        order = np.random.Generator(np.random.PCG64(0)).permutation(len(points))
        first, second = points[order].astype(np.float64).reshape(2, -1, 3)
        self.tree = KDTree(first, leafsize=metrics.LEAF)
        self.floor = _chamfer(self.tree, KDTree(second, leafsize=metrics.LEAF))

    @classmethod
    def of(cls, asset: Asset, seed: int) -> _Drawn:
        return cls(np.asarray(asset.surface(2 * POINTS, seed)[0]))

    def glance(self) -> NDArray[np.float32]:
        """How far the surface is from the nodes of a coarse grid, with shape (M,): alike for shapes that are near."""
        return self.tree.query(NODES)[0].clip(max=FAR).astype(np.float32)

    def apart(self, other: _Drawn) -> float:
        """The root mean square distance between the two surfaces, in model units."""
        return float(np.sqrt(max(_chamfer(self.tree, other.tree) - (self.floor + other.floor) / 2, 0.0) / 2))


class _Known:
    """The training shapes, searched in two steps: a glance at all of them, then all points of the nearest."""

    def __init__(self, drawn: list[_Drawn]) -> None:
        self.drawn = drawn
        self._glances = np.stack([one.glance() for one in drawn])

    def nearest(self, one: _Drawn, without: int | None = None) -> float:
        """Distance to the nearest of them, in model units; ``without`` leaves one out."""
        rough = ((self._glances - one.glance()) ** 2).sum(1)
        if without is not None:
            rough[without] = np.inf
        closest = np.argsort(rough, kind="stable")[: min(CLOSEST, len(rough) - (without is not None))]
        return min(one.apart(self.drawn[i]) for i in closest)


def _chamfer(a: KDTree, b: KDTree) -> float:
    """As :func:`gen3d_core.metrics.chamfer`, of points in trees."""
    there, _ = b.query(a.data)
    back, _ = a.query(b.data)
    return float(np.mean(there**2) + np.mean(back**2))


def _sampled(system: System, seeds: Sequence[int], run: Run) -> tuple[list[_Drawn], int]:
    """Points on generated shapes, and how many had no surface."""
    clouds, empty = [], 0
    for seed in run.track(seeds):
        try:
            (shape,) = tasks.sample(system, Run([seed], run.device))
            mesh = shape.representation.to_mesh(MeshOptions(64))
        except EmptyShape:
            empty += 1
            continue
        generator = np.random.Generator(np.random.PCG64([seed, SAMPLED]))
        clouds.append(_Drawn(mesh.sample(2 * POINTS, generator)))
    return clouds, empty


def _scores(
    system: System, training: Sequence[Asset], held_out: Sequence[Asset], run: Run
) -> dict[str, Sequence[float]]:
    """Scores of both sets; empty where the system cannot score."""
    if not isinstance(system, Scores) and not (isinstance(system, Fits) and isinstance(system, HasLatents)):
        return {}
    most = AT_MOST if isinstance(system, (Scores, Encodes)) else SEARCHED
    found: dict[str, Sequence[float]] = {}
    for name, assets, start in (("held_out", held_out, 0.0), ("training", training, 0.5)):
        with run.span(start, start + 0.5):
            chosen = [assets[i] for i in _spaced(len(assets), most)]
            found[name] = tasks.score(system, chosen, run) if chosen else []
    return found


def _within(run: Run, start: float, stop: float, items: Sequence[Any]) -> Iterator[Any]:
    """Iterates with progress from ``start`` to ``stop``."""
    with run.span(start, stop):
        yield from run.track(items)


def _spaced(count: int, most: int) -> list[int]:
    """Evenly spaced indices below ``count``, at most ``most`` of them."""
    return [i * count // min(count, most) for i in range(min(count, most))]


def _probability_below(a: Sequence[float], b: Sequence[float]) -> Interval:
    """The probability that one of ``a`` is below one of ``b``, ties counting half."""
    if not len(a) or not len(b):
        return Interval(0.5, 0.0, 1.0)
    x, y = np.asarray(a)[:, None], np.asarray(b)[None]
    p = float(((x < y) + 0.5 * (x == y)).mean())
    return _wilson(p, min(len(a), len(b)))


def _wilson(p: float, n: int) -> Interval:
    """Wilson's interval of a share ``p`` of ``n`` trials."""
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * np.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    return Interval(p, float(max(centre - half, 0.0)), float(min(centre + half, 1.0)))


def _summary(values: Sequence[float]) -> dict[str, Any]:
    """Distances in three numbers, and how many they are."""
    if not len(values):
        return {"count": 0, "median": None, "low": None, "high": None}
    low, median, high = quartiles(values)
    return {"count": len(values), "median": median, "low": low, "high": high}


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The first quartile, the median and the third quartile."""
    low, median, high = np.quantile(np.asarray(values), (0.25, 0.5, 0.75))
    return float(low), float(median), float(high)


def _percent(values: Sequence[float]) -> str:
    """A median distance as a share of a shape's longest side, which is nine tenths of the cube's."""
    return f"{float(np.median(np.asarray(values))) / 0.9:.1%}"
