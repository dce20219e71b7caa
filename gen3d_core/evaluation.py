"""How good a model is: its shapes against shapes it has never seen, between two references, with the noise of it all.

Numbers on one's own data are not those of published tables, so each score stands between a *floor*, training shapes
scored as if a model had made them, and a *ceiling*, clouds of Gaussian noise with the mean and deviation of training
shapes. All are repeated with several seeds against the same held-out shapes. Distances are Chamfer distances between
points of the surfaces, at the scale of training shapes (:class:`gen3d_core.metrics.P1`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import metrics, tasks
from .data import sources
from .data.solid import Solid
from .errors import BadRequest, EmptyShape
from .metrics import P1, Cloud, MeshQuality, SetScores
from .representations import Field, MeshOptions, Representation, Voxels
from .run import Run
from .system import Asset, Encodes, HasLatents, System, system_name

T = TypeVar("T")

#: A shape counts as one piece when its largest component has more than this share of its area.
ONE_PIECE = 0.98
#: How generated shapes become meshes, unless the caller says otherwise.
MESHES = MeshOptions()
# What fills the progress: sampling, points of the references, distances, reconstruction.
SAMPLED, PREPARED, COMPARED = 0.35, 0.45, 0.93


@dataclass(frozen=True)
class Gates:
    """What a model has to reach.

    Args:
        one_nna: below this, in [0, 1].
        mmd: below this share of the ceiling's.
        coverage: above this, in [0, 1].
    """

    one_nna: float = 0.90
    mmd: float = 0.5
    coverage: float = 0.30


#: For systems that are weak by nature: adversarial training on raw clouds or voxels, energy-based models.
WEAK = Gates(one_nna=0.97)


@dataclass(frozen=True)
class Check:
    """One gate: its name, the limit in words, what was measured in the same unit, and whether it is met."""

    name: str
    limit: str
    measured: str
    met: bool


@dataclass(frozen=True)
class Report:
    """What was measured, and under which conditions.

    Args:
        model, system, source: names.
        count: shapes a set.
        points: on each shape.
        seeds: one a repetition.
        mesh_options: how generated shapes became meshes.
        scale: at which distances were taken.
        model_scores, floor, ceiling: one a seed.
        meshes: quality of every generated mesh, of all seeds.
        empty: generated shapes without a surface; in the scores each counts as a point that resembles nothing.
        ious: of held-out shapes and their reconstructions, at ``tasks.COMPARED_AT``; empty without an encoder.
        gates: what has to be reached.
        grids: cells that the first seed's shapes fill, each with shape (R, R, R), R = ``tasks.COMPARED_AT``.
    """

    model: str
    system: str
    source: str
    count: int
    points: int
    seeds: Sequence[int]
    mesh_options: MeshOptions
    scale: P1
    model_scores: Sequence[SetScores]
    floor: Sequence[SetScores]
    ceiling: Sequence[SetScores]
    meshes: Sequence[MeshQuality]
    empty: int
    ious: Sequence[float]
    gates: Gates
    grids: Sequence[NDArray[np.bool_]] = field(default=(), compare=False, repr=False)

    def checks(self) -> list[Check]:
        """Every gate against the means over the seeds."""
        one_nna, _ = mean_sd([scores.one_nna for scores in self.model_scores])
        coverage, _ = mean_sd([scores.coverage for scores in self.model_scores])
        mmd, _ = mean_sd([scores.mmd for scores in self.model_scores])
        highest, _ = mean_sd([scores.mmd for scores in self.ceiling])
        g = self.gates
        return [
            Check("1-NNA", f"< {g.one_nna:.0%}", f"{one_nna:.1%}", one_nna < g.one_nna),
            Check("MMD", f"< {g.mmd:g} of the ceiling", f"{mmd / highest:.2f} of it", mmd < g.mmd * highest),
            Check("COV", f"> {g.coverage:.0%}", f"{coverage:.1%}", coverage > g.coverage),
        ]

    @property
    def met(self) -> bool:
        """Whether every gate is."""
        return all(check.met for check in self.checks())

    def table(self) -> str:
        """Three Markdown tables: the scores, the meshes, the gates."""
        sets = [("floor: training shapes", self.floor), (f"**{self.model}**", self.model_scores)]
        sets.append(("ceiling: Gaussian blobs", self.ceiling))
        rows = [[name, *_cells(scores)] for name, scores in sets]
        seeds = f"{len(self.seeds)} seeds" if len(self.seeds) > 1 else "1 seed"
        debris = self.mesh_options.debris
        meshes = f"meshes at {self.mesh_options.resolution}³"
        meshes += f", without parts below {debris:.1%} of the area" if debris else ""
        return "\n".join(
            [
                f"{self.count} generated against {self.count} held-out shapes of `{self.source}`, {self.points} points "
                f"each, Chamfer distance, P1 normalisation (deviation {self.scale.std:.4f}), mean ± deviation over "
                f"{seeds}.",
                "",
                *table(["", "10³ MMD ↓", "COV ↑", "1-NNA → 50 %", "JSD, bits ↓"], rows),
                "",
                *table([meshes, ""], [[name, text] for name, text in self._mesh_rows()]),
                "",
                *table(
                    ["gate", "limit", "measured", ""],
                    [[c.name, c.limit, c.measured, "met" if c.met else "**not met**"] for c in self.checks()],
                ),
            ]
        )

    def values(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "model": self.model,
            "system": self.system,
            "source": self.source,
            "count": self.count,
            "points": self.points,
            "seeds": list(self.seeds),
            "mesh_options": asdict(self.mesh_options),
            "normalisation": {"name": "P1", "mean": self.scale.mean.tolist(), "std": self.scale.std},
            "scores": {
                "floor": _score_values(self.floor),
                "model": _score_values(self.model_scores),
                "ceiling": _score_values(self.ceiling),
            },
            "meshes": {**asdict(self.soundness()), "empty": self.empty, "of": self.count * len(self.seeds)},
            "reconstruction_iou": _spread(self.ious) if len(self.ious) else None,
            "gates": [asdict(check) for check in self.checks()],
            "met": self.met,
        }

    def soundness(self) -> Soundness:
        """The quality of the generated meshes in a few numbers."""
        meshes = self.meshes
        return Soundness(
            closed=_share([mesh.closed and mesh.consistent for mesh in meshes]),
            one_piece=_share([mesh.largest_share > ONE_PIECE for mesh in meshes]),
            components=float(np.median([mesh.components for mesh in meshes])) if meshes else 0.0,
            degenerate_faces=float(np.mean([mesh.degenerate_faces for mesh in meshes])) if meshes else 0.0,
        )

    def _mesh_rows(self) -> list[tuple[str, str]]:
        sound = self.soundness()
        rows = [
            ("closed, consistent winding", f"{sound.closed:.1%}"),
            (f"one piece (over {ONE_PIECE:.0%} of the area)", f"{sound.one_piece:.1%}"),
            ("components, median", f"{sound.components:g}"),
            ("degenerate faces, mean", f"{sound.degenerate_faces:.2g}"),
            ("without a surface", f"{self.empty} of {self.count * len(self.seeds)}"),
        ]
        if len(self.ious):
            mean, deviation = mean_sd(self.ious)
            rows.append(
                (f"reconstruction IoU of held-out shapes, {tasks.COMPARED_AT}³", f"{mean:.3f} ± {deviation:.3f}")
            )
        return rows


@dataclass(frozen=True)
class Soundness:
    """Generated meshes in a few numbers.

    Args:
        closed: share of them that is closed with consistent winding.
        one_piece: share of them whose largest component has more than ``ONE_PIECE`` of the area.
        components: their median number.
        degenerate_faces: their mean number.
    """

    closed: float
    one_piece: float
    components: float
    degenerate_faces: float


def evaluate(
    system: System,
    source: str,
    *,
    run: Run,
    name: str = "generated",
    held_out: int = sources.HELD_OUT,
    count: int = 100,
    points: int = 2048,
    seeds: Sequence[int] = (0, 1, 2),
    mesh_options: MeshOptions = MESHES,
    gates: Gates = Gates(),
    workers: int = -1,
) -> Report:
    """Measures a system on held-out shapes of its training data.

    Args:
        system: trained.
        source: of the data, as :func:`gen3d_core.data.sources.load` names it; training shapes start with its first.
        run: device, progress and cancellation; its seeds do not count.
        name: of the model, for the report.
        held_out: first shape of the source that no training has seen.
        count: shapes a set; less where the source has fewer held-out shapes.
        points: on each surface.
        seeds: one a repetition, of sampled shapes and of points.
        mesh_options: how generated shapes become meshes.
        gates: what has to be reached; :data:`WEAK` for systems that are weak by nature.
        workers: threads of the distances; -1 is one per processor.

    Raises:
        Unsupported: the system cannot sample.
        BadRequest: no such data, or fewer than two held-out shapes.
        Cancelled: the user asked to stop.
    """
    if not seeds or count < 2 or points < 1:
        raise BadRequest(
            f"An evaluation with {len(seeds)} seeds, {count} shapes and {points} points is not possible.",
            "Use at least one seed, two shapes and one point.",
        )
    reference = sources.load(source, count, first=held_out)
    if len(reference) < 2:
        raise BadRequest(f"{source} has only one held-out shape.", "Provide at least two.")
    count = len(reference)
    training = sources.load(source, count * len(seeds))
    samples = _Samples(system, points, mesh_options)
    with run.span(0.0, SAMPLED):
        generated = [
            [samples.draw(seed * count + i, run) for i in each(range(count), run)] for seed in each(seeds, run)
        ]
    # Another part of the training shapes for each seed: the floor has the noise that a perfect model would have.
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(training))
    parts = order.take(range(count * len(seeds)), mode="wrap").reshape(len(seeds), count)
    floor, unseen = [], []
    with run.span(SAMPLED, PREPARED):
        for part, seed in each(list(zip(parts, seeds, strict=True)), run):
            floor.append([_surface(training[i], points, seed) for i in run.track(part)])
            unseen.append([_surface(asset, points, seed) for asset in reference])
    scale = P1.of(floor[0])
    scores = []
    with run.span(PREPARED, COMPARED):
        for k, seed in each(list(enumerate(seeds)), run):
            sets = (generated[k], floor[k], _blobs(floor[0], count, points, seed))
            scores.append(_compared(sets, unseen[k], scale, run, workers))
    with run.span(COMPARED, 1.0):
        ious = _reconstruction(system, reference, mesh_options, run)
    model_scores, floor_scores, ceiling_scores = zip(*scores, strict=True)
    return Report(
        model=name,
        system=system_name(type(system)),
        source=source,
        count=count,
        points=points,
        seeds=tuple(seeds),
        mesh_options=mesh_options,
        scale=scale,
        model_scores=model_scores,
        floor=floor_scores,
        ceiling=ceiling_scores,
        meshes=samples.qualities,
        empty=samples.empty,
        ious=ious,
        gates=gates,
        grids=samples.grids[:count],
    )


class _Samples:
    """Draws shapes, and keeps count of how sound they are."""

    def __init__(self, system: System, points: int, options: MeshOptions) -> None:
        self.system, self.points, self.options = system, points, options
        self.qualities: list[MeshQuality] = []
        self.empty = 0
        self.grids: list[NDArray[np.bool_]] = []

    def draw(self, seed: int, run: Run) -> Cloud:
        """Points on one generated shape; where it has no surface, a single point in the middle."""
        self.grids.append(np.zeros((tasks.COMPARED_AT,) * 3, dtype=bool))
        try:
            (shape,) = tasks.sample(self.system, run_of(seed, run))
            self.grids[-1] = occupancy(shape.representation)
            mesh = shape.representation.to_mesh(self.options)
        except EmptyShape:
            # Dropping it would flatter the model, and sets of unequal size cannot be compared.
            self.empty += 1
            return np.zeros((1, 3), np.float32)
        self.qualities.append(metrics.mesh_quality(mesh))
        return mesh.sample(self.points, np.random.Generator(np.random.PCG64(seed)))


def _compared(
    sets: Sequence[Sequence[Cloud]], reference: Sequence[Cloud], scale: P1, run: Run, workers: int
) -> list[SetScores]:
    """The scores of several sets against one reference, whose own distances are computed once."""
    own = metrics.normalise_p1(reference, scale.mean, scale.std)
    step = 1 / (1 + 3 * len(sets))
    with run.span(0.0, step):
        d_rr = metrics.pairwise_chamfer(own, own, run.report, workers)
    with run.span(step, 1.0):
        return [metrics.compare(clouds, reference, scale, d_rr, run.report, workers) for clouds in each(sets, run)]


def _reconstruction(system: System, assets: Sequence[Asset], options: MeshOptions, run: Run) -> list[float]:
    """Intersections over union of shapes and what the system's encoder and decoder make of them; 0 for nothing."""
    if not (isinstance(system, Encodes) and isinstance(system, HasLatents)):
        return []
    ious = []
    for asset in each(assets, run):
        try:
            shape = tasks.reconstruct(system, asset, run_of(0, run))
            found = Solid(shape.representation.to_mesh(options)).voxels(tasks.COMPARED_AT)
        except EmptyShape:
            ious.append(0.0)
            continue
        ious.append(metrics.iou(np.asarray(asset.voxels(tasks.COMPARED_AT), dtype=bool), found))
    return ious


def occupancy(found: Representation) -> NDArray[np.bool_]:
    """The cells of a grid at ``tasks.COMPARED_AT`` that a generated shape fills.

    Raises:
        EmptyShape: it has no surface.
    """
    if isinstance(found, Voxels):
        return found.resized(tasks.COMPARED_AT).occupied.cpu().numpy()
    if isinstance(found, Field):
        return (found.dense(tasks.COMPARED_AT) < 0).cpu().numpy()
    return Solid(found.to_mesh(MeshOptions(2 * tasks.COMPARED_AT))).voxels(tasks.COMPARED_AT)


def each(items: Sequence[T], run: Run) -> Iterator[T]:
    """The items; what is reported while one of them is in use fills its share of the progress."""
    for i, item in enumerate(items):
        with run.span(i / len(items), (i + 1) / len(items)):
            run.report(0.0)
            yield item


def run_of(seed: int, run: Run) -> Run:
    """A run of one seed whose progress fills the present span of ``run``."""

    def on_progress(fraction: float) -> bool:
        run.report(fraction)
        return True

    return Run([seed], run.device, on_progress)


def _surface(asset: Asset, points: int, seed: int) -> Cloud:
    found, _ = asset.surface(points, seed)
    return np.asarray(found, dtype=np.float32)


def _blobs(training: Sequence[Cloud], count: int, points: int, seed: int) -> list[Cloud]:
    """The trivial generator: points of a Gaussian with the mean and deviation, per axis, of all training points."""
    every = np.concatenate(training).astype(np.float64)
    random = np.random.Generator(np.random.PCG64([1, seed]))
    return [
        (every.mean(0) + every.std(0) * random.standard_normal((points, 3))).astype(np.float32) for _ in range(count)
    ]


def mean_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and deviation of the sample; 0 for a single value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _spread(values: Sequence[float]) -> dict[str, float]:
    mean, deviation = mean_sd(values)
    return {"mean": mean, "sd": deviation}


def _score_values(scores: Sequence[SetScores]) -> dict[str, dict[str, float]]:
    return {name: _spread([getattr(one, name) for one in scores]) for name in SetScores.__annotations__}


def _cells(scores: Sequence[SetScores]) -> list[str]:
    """Scores as they stand in a table, each as mean ± deviation."""

    def cell(text: Callable[[float], str], read: Callable[[SetScores], float]) -> str:
        mean, deviation = mean_sd([read(one) for one in scores])
        return f"{text(mean)} ± {text(deviation)}"

    return [
        cell(lambda x: f"{1000 * x:.2f}", lambda s: s.mmd),
        cell(lambda x: f"{x:.1%}", lambda s: s.coverage),
        cell(lambda x: f"{x:.1%}", lambda s: s.one_nna),
        cell(lambda x: f"{x:.4f}", lambda s: s.jsd),
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    rule = "|".join(["---"] * len(head))
    return [f"| {' | '.join(head)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)]


def _share(flags: Sequence[bool]) -> float:
    return float(np.mean(flags)) if flags else 0.0
