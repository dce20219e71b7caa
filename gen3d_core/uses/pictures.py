"""Shapes from pictures: intersection over union with the shape that was pictured, by the number of pictures.

The baselines are what a good memory reaches: the training shape whose own pictures, from cameras of the same kind, are
nearest to those shown, by the squares of colours and coverage or by coverage alone, whichever serves better; and one
answer to everything, the cells that are full in so many training shapes that the cut serves best.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..data import pictures
from ..evaluation import each, run_of
from ..run import Run
from ..system import FromImages
from .common import Cells, Data, R, Score, Use, cells, drawn, iou, mean

#: Pictures shown.
VIEWS = (1, 2, 3, 5)
#: Pictures of every training shape that retrieval compares with, and their pixels along each side.
REMEMBERED, PIXELS = 6, 32
#: Pictures of held-out shapes are taken by other cameras than those of training shapes.
UNSEEN = 1_000_003


def images(system: FromImages, data: Data, run: Run) -> Use:
    """The model against retrieval and the mean shape.

    Raises:
        Cancelled: the user asked to stop.
    """
    counts = data.counts
    assets = data.unseen(counts.pictured)
    with run.span(0.0, 0.4):
        memory = _Memory(
            [pictures.of_asset(a, REMEMBERED, PIXELS, i) for i, a in each(list(enumerate(data.pool)), run)]
        )
    average = _average(data)
    found: dict[str, list[float]] = {}
    with run.span(0.4, 1.0):
        for i, asset in each(list(enumerate(assets)), run):
            truth = cells(asset)
            shown = pictures.of_asset(asset, max(VIEWS), system.image_size(), UNSEEN + i)
            small = _reduced(shown)
            for count in VIEWS:
                part = torch.as_tensor(shown[:count]).to(run.device)
                made = drawn(lambda part=part, i=i: system.from_images(part, run_of(i, run)))
                found.setdefault(f"model {count}", []).append(iou(made, truth))
                for way in ("colour", "outline"):
                    best = data.pool_cells[memory.nearest(small[:count], way)].reshape((R,) * 3) > 0.5
                    found.setdefault(f"{way} {count}", []).append(iou(best, truth))
            found.setdefault("mean", []).append(iou(average, truth))
    scores = []
    for count in VIEWS:
        retrieved = max(mean(found[f"{way} {count}"]) for way in ("colour", "outline"))
        scores.append(
            Score(
                f"IoU from {count} picture{'s' if count > 1 else ''}",
                mean(found[f"model {count}"]),
                {"nearest training shape": retrieved, "mean shape": mean(found["mean"])},
                unit="plain",
                beats=True,
            )
        )
    return Use(
        "images",
        f"Images: unseen renders of {len(assets)} held-out shapes, {system.image_size()} pixels, {R}³; retrieval from "
        f"{REMEMBERED} pictures of each of {len(data.pool)} training shapes.",
        scores,
    )


class _Memory:
    """Pictures of training shapes (N, V, 4, S, S), to be found again."""

    def __init__(self, shown: list[NDArray[np.float32]]) -> None:
        self.shown = _premultiplied(np.stack(shown))

    def nearest(self, wanted: NDArray[np.float32], way: str) -> int:
        """The shape each of whose best pictures are nearest to those wanted (V, 4, S, S), together."""
        channels = slice(3, 4) if way == "outline" else slice(0, 4)
        own = self.shown[:, :, channels].reshape(*self.shown.shape[:2], -1)
        sizes = (own**2).sum(-1)
        total = np.zeros(len(own))
        for one in _premultiplied(wanted)[:, channels].reshape(len(wanted), -1):
            total += (sizes - 2 * own @ one).min(axis=1)
        return int(total.argmin())


def _premultiplied(shown: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours by coverage, so that those of empty pixels do not count; with the coverage, (..., 4, S, S)."""
    alpha = shown[..., 3:, :, :]
    return np.concatenate([shown[..., :3, :, :] * alpha, alpha], axis=-3)


def _reduced(shown: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pictures (V, 4, S, S) at the size of those remembered, with straight alpha."""
    flat = torch.nn.functional.interpolate(
        torch.as_tensor(_premultiplied(shown)), size=(PIXELS, PIXELS), mode="area"
    ).numpy()
    colour = flat[:, :3] / np.maximum(flat[:, 3:], 1e-6)
    return np.concatenate([colour, flat[:, 3:]], axis=1)


def _average(data: Data) -> Cells:
    """The one shape that is most like all training shapes."""
    share = data.pool_cells.mean(axis=0)
    full = data.pool_cells > 0.5

    def likeness(cut: float) -> float:
        shape = share >= cut
        union = (full | shape).sum(axis=1)
        return float(((full & shape).sum(axis=1) / np.maximum(union, 1)).mean())

    best = max(np.arange(0.05, 0.6, 0.05), key=likeness)
    return (share >= best).reshape((R,) * 3)
