"""Completion: what is hidden of a held-out shape, several hypotheses of it, and two trivial ways to fill it.

    IoU = |A and B| / |A or B|       on the hidden cells alone
    UHD = mean over partials of mean over hypotheses of max over given points of the distance to the hypothesis
    TMD = mean over partials of the sum over hypotheses of the mean Chamfer distance to the others
    MMD = mean over true shapes of the least Chamfer distance to a hypothesis, of any partial

as Wu, Chen, Zhuang and Chen, *Multimodal Shape Completion via Conditional Generative Adversarial Networks*, 2020, have
them. Diversity without fidelity is worth nothing: TMD is to be read beside UHD.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree

from .. import metrics, tasks
from ..data.grids import Grid
from ..evaluation import each, run_of
from ..metrics import Cloud
from ..representations import Mesh
from ..run import Run
from ..system import Asset, Completes, System
from .common import Cells, Counts, Data, R, Score, Use, cells, drawn, iou, mean

#: What is given of a shape: halves and an octant of its cube, or what a camera sees of it.
WAYS = ("bottom half given", "octant given", "top half given", "depth view given")
#: The two that many hypotheses are drawn for.
COMMON = WAYS[:2]
#: Points on each surface whose distances are taken.
POINTS = 1024
#: Pixels along each side of a depth picture.
PIXELS = 96


@dataclass(frozen=True, eq=False)
class Part:
    """What is given of a shape.

    Args:
        truth: the whole shape.
        given: what the system gets.
        known: cells whose content is given, with shape (R, R, R).
        way: how it was cut, one of ``WAYS``.
    """

    truth: Asset
    given: Asset
    known: Cells
    way: str


def completion(system: System, data: Data, run: Run) -> Use:
    """Hypotheses of the model against copying the other side and against the training shape that fits best.

    Raises:
        Unsupported: the system cannot complete.
        Cancelled: the user asked to stop.
    """
    counts = data.counts if isinstance(system, Completes) else _searched(data.counts)
    parts = [_cut(asset, WAYS[i % len(WAYS)]) for i, asset in enumerate(data.unseen(counts.shapes))]
    common = [i for i, part in enumerate(parts) if part.way in COMMON][: counts.partials]
    rows: list[dict[str, float]] = []
    hypotheses: dict[int, list[Cells]] = {}
    with run.span(0.0, 0.85):
        for i, part in each(list(enumerate(parts)), run):
            count = max(counts.many, counts.hypotheses) if i in common else counts.hypotheses
            found = [_completed(system, part, 1000 * i + k, run) for k in each(range(count), run)]
            rows.append(_compared(part, found[: counts.hypotheses], data))
            if i in common:
                hypotheses[i] = found[: counts.many]
    scores = [
        Score(
            f"IoU of hidden cells, {name}",
            mean(row["mean"] for row in chosen),
            {
                "mirrored": mean(row["mirrored"] for row in chosen),
                "nearest training shape": mean(row["nearest"] for row in chosen),
            },
            unit="plain",
            beats=name == "all",
        )
        for name, chosen in (
            ("all", rows),
            *((way, [row for row, part in zip(rows, parts, strict=True) if part.way == way]) for way in WAYS),
        )
        if chosen
    ]
    scores.append(
        Score(f"IoU of hidden cells, best of {counts.hypotheses}", mean(row["best"] for row in rows), unit="plain")
    )
    scores.append(Score("given cells that were changed", mean(row["broken"] for row in rows), lower=True))
    with run.span(0.85, 1.0):
        scores += _many([parts[i] for i in hypotheses], list(hypotheses.values()), data, run)
    return Use(
        "completion",
        f"Completion: {len(parts)} held-out shapes, {counts.hypotheses} hypotheses each, {R}³; UHD, TMD and MMD: "
        f"{len(hypotheses)} of them (bottom halves and octants), {counts.many} hypotheses each, {POINTS} points, "
        f"10³ times model units; baselines choose from {len(data.pool)} training shapes.",
        scores,
    )


def _searched(counts: Counts) -> Counts:
    """Less, for systems that complete by a search, which takes seconds."""
    return replace(
        counts,
        shapes=min(counts.shapes, 12),
        hypotheses=min(counts.hypotheses, 2),
        partials=min(counts.partials, 4),
        many=min(counts.many, 4),
    )


def _cut(asset: Asset, way: str) -> Part:
    x, y, z = np.indices((R,) * 3) < R // 2
    regions = {WAYS[0]: z, WAYS[1]: x & y & z, WAYS[2]: ~z}
    if way in regions:
        return Part(asset, asset, regions[way], way)
    given, known = seen_by_a_camera(asset)
    return Part(asset, given, known, way)


def seen_by_a_camera(asset: Asset) -> tuple[Grid, Cells]:
    """What a camera in front, a little to the side and above, sees of a shape."""
    from ..data import views
    from ..data.partial import from_depth
    from ..preview import Scene
    from ..representations.camera import towards_origin

    camera = towards_origin(35.0, 25.0, PIXELS)
    mesh = _mesh(asset)
    rays = camera.rays().reshape(-1, 3).astype(np.float32)
    hits = Scene(mesh, views.CREASE).hit(np.broadcast_to(camera.eye.astype(np.float32), rays.shape), rays)
    depth = np.zeros(len(rays), np.float32)
    depth[hits.ray] = hits.distance
    return from_depth(depth.reshape(PIXELS, PIXELS), camera, R)


def _mesh(asset: Asset) -> Mesh:
    """The surface of any asset, to be looked at."""
    from ..data import views
    from ..data.catalogue.shape import Shape

    if isinstance(asset, Shape):
        return views.assembled(asset).mesh
    own = getattr(asset, "mesh", None)
    return own if isinstance(own, Mesh) else Grid(cells(asset, 2 * R)).mesh


def _completed(system: System, part: Part, seed: int, run: Run) -> Cells:
    known = torch.as_tensor(part.known)
    return drawn(lambda: (s.representation for s in tasks.complete(system, part.given, known, run_of(seed, run))))


def _compared(part: Part, found: list[Cells], data: Data) -> dict[str, float]:
    """Intersections over union on what is hidden, and the share of given cells that the model changed."""
    truth, given, hidden = cells(part.truth), cells(part.given), ~part.known
    unions = [iou(one, truth, hidden) for one in found]
    mirrored = (given & part.known)[::-1]
    return {
        "mean": mean(unions),
        "best": max(unions),
        "mirrored": iou(mirrored, truth, hidden),
        "nearest": iou(data.nearest(given, part.known), truth, hidden),
        "broken": mean((one != given)[part.known].mean() for one in found),
    }


def _many(parts: list[Part], found: list[list[Cells]], data: Data, run: Run) -> list[Score]:
    """Fidelity, diversity and quality of many hypotheses a shape."""
    if not parts:
        return []
    truths = [np.asarray(part.truth.surface(2 * POINTS, 0)[0], dtype=np.float32) for part in parts]
    given = [_known_points(points, part.known) for points, part in zip(truths, parts, strict=True)]
    whole = [points[:POINTS] for points in truths]
    clouds = [[_points(one, k) for k, one in enumerate(row)] for row in found]
    count = len(clouds[0])
    random = [_points(one.reshape((R,) * 3) > 0.5, k) for k, one in enumerate(data.pool_cells[: count * len(parts)])]
    copied = [_points(data.nearest(cells(part.given), part.known), 0) for part in parts]
    run.report(0.2)
    fidelity = mean(mean(uhd(partial, cloud) for cloud in row) for partial, row in zip(given, clouds, strict=True))
    diversity = mean(_tmd(row) for row in clouds)
    run.report(0.5)
    quality = metrics.mmd(metrics.pairwise_chamfer([c for row in clouds for c in row], whole))
    run.report(0.8)
    return [
        Score(
            "UHD",
            fidelity,
            {"nearest training shape": mean(uhd(a, b) for a, b in zip(given, copied, strict=True))},
            mean(uhd(a, b) for a, b in zip(given, [_points(cells(p.truth), 0) for p in parts], strict=True)),
            "the shape itself",
            unit="thousandth",
            lower=True,
        ),
        Score("TMD", diversity, {"one answer": 0.0}, _tmd(random[:count]), "random training shapes", unit="thousandth"),
        Score(
            "MMD",
            quality,
            {"random training shapes": metrics.mmd(metrics.pairwise_chamfer(random, whole))},
            unit="thousandth",
            lower=True,
        ),
    ]


def _known_points(points: Cloud, known: Cells) -> Cloud:
    """Those of the points (N, 3) that lie in known cells; all, should there be none."""
    at = np.floor((points + 0.5) * R).astype(int).clip(0, R - 1)
    kept = points[known[tuple(at.T)]][:POINTS]
    return kept if len(kept) else points[:POINTS]


def _points(full: NDArray[np.bool_], seed: int) -> Cloud:
    """Points on the surface of full cells; the middle where there are none."""
    if not full.any():
        return np.zeros((1, 3), np.float32)
    return np.asarray(Grid(full).surface(POINTS, seed)[0], dtype=np.float32)


def uhd(partial: Cloud, completion: Cloud) -> float:
    """The greatest distance from a given point (N, 3) to a completion (M, 3), in model units."""
    return float(KDTree(completion).query(partial)[0].max())


def _tmd(clouds: list[Cloud]) -> float:
    """The sum over clouds of the mean Chamfer distance to the others."""
    return metrics.pairwise_chamfer(clouds, clouds).sum() / (len(clouds) - 1) if len(clouds) > 1 else 0.0
