"""Classes: shapes of a class that is asked for, judged independently, classes that are told, and labels from a few.

The judge is a ridge regression on the occupancy at half the resolution, from training shapes to plus or minus one for
each category. How often it is right on held-out shapes is the ceiling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import fewshot
from ..data import catalogue, sources
from ..evaluation import each, run_of
from ..run import Run
from ..system import Asset, Classifies, Features, FromClasses, System
from .common import Data, R, Score, Use, category, cells, drawn, mean
from .shapes import shares

#: What shapes of a class have to reach.
ENOUGH = 0.70
#: Weight of the ridge.
RIDGE = 10.0
#: Labelled shapes of each category, and how often others are chosen.
FEW_LABELS, DRAWS = 10, 5


@dataclass(frozen=True, eq=False)
class Judge:
    """A linear classifier of occupancies.

    Args:
        names: of the classes.
        middle: mean features, with shape (D,).
        weights, bias: with shapes (D, C) and (C,).
    """

    names: Sequence[str]
    middle: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[np.floating], labels: Sequence[str]) -> Judge:
        """Fitted to features (N, D) and their labels."""
        names = sorted(set(labels))
        wanted = np.where(np.array(labels)[:, None] == names, 1.0, -1.0)
        middle, bias = features.mean(axis=0, dtype=np.float64), wanted.mean(axis=0)
        x = features - middle
        # In the space of the examples, which are fewer than the features.
        weights = x.T @ np.linalg.solve(x @ x.T + RIDGE * np.eye(len(x)), wanted - bias)
        return cls(names, middle, weights, bias)

    def told(self, features: NDArray[np.floating]) -> list[str]:
        """The class of each row of features (N, D)."""
        return [self.names[int(i)] for i in ((features - self.middle) @ self.weights + self.bias).argmax(axis=1)]


def classes(system: FromClasses, data: Data, run: Run) -> Use | None:
    """Whether shapes of a class are of that class; None where the data's categories are not the model's classes.

    Raises:
        Cancelled: the user asked to stop.
    """
    named = _common(system.class_names(), data)
    if not named:
        return None
    judge, ceiling = _judge(data)
    right: dict[str, list[bool]] = {}
    for name in each(named, run):
        for seed in each(range(data.counts.of_class), run):
            found = drawn(lambda name=name, seed=seed: system.from_class(name, run_of(seed, run)))
            right.setdefault(name, []).append(bool(found.any()) and judge.told(shares(found).ravel()[None])[0] == name)
    chance = {"chance": 1 / len(judge.names)}
    scores = [
        Score(
            "shapes of the class asked for",
            mean(map(mean, right.values())),
            chance,
            ceiling,
            "held-out shapes",
            limit=ENOUGH,
        )
    ]
    scores += [Score(name, mean(flags), chance) for name, flags in right.items()]
    return Use(
        "classes",
        f"Classes: {data.counts.of_class} shapes of each class, judged by a linear classifier of {len(data.pool)} "
        "training shapes.",
        scores,
    )


def classify(system: Classifies, data: Data, run: Run) -> Use | None:
    """How often the model tells the category of held-out shapes; None as for :func:`classes`.

    Raises:
        Cancelled: the user asked to stop.
    """
    if not _common(system.class_names(), data):
        return None
    names = list(system.class_names())
    assets = [asset for asset in data.unseen(data.counts.judged * len(names)) if category(asset) in names]
    told = []
    for i, asset in each(list(enumerate(assets)), run):
        told.append(names[int(system.classify([asset], run_of(i, run))[0].argmax())] == category(asset))
    _, ceiling = _judge(data)
    largest = max(mean(category(asset) == name for asset in assets) for name in names)
    return Use(
        "classify",
        f"Classification: {len(assets)} held-out shapes; the linear classifier knows {len(data.pool)} training shapes.",
        [Score("right class", mean(told), {"chance": largest}, ceiling, "linear classifier", beats=True)],
    )


def labels(system: Features, data: Data, run: Run) -> Use:
    """A linear classifier of few labelled shapes on the model's features, on those of the model before its training,
    and on the cells themselves.

    The shapes are of all categories of the catalogue, most of which the model may never have seen.

    Raises:
        Cancelled: the user asked to stop.
    """
    count = FEW_LABELS + max(data.counts.judged // len(catalogue.CATEGORIES), 2)
    source = sources.CATALOGUE + ",".join(catalogue.CATEGORIES)
    assets = sources.load(source, count * len(catalogue.CATEGORIES), first=sources.HELD_OUT)
    plain = _untrained(system)
    rows: dict[str, list[Tensor]] = {"model": [], "untrained model": [], "cells": []}
    with torch.no_grad():
        for i, asset in each(list(enumerate(assets)), run):
            rows["model"].append(system.features([asset], run_of(i, run))[0].cpu())
            rows["untrained model"].append(plain.features([asset], run_of(i, run))[0].cpu())
            rows["cells"].append(torch.as_tensor(cells(asset).ravel()))
    truth = torch.arange(len(catalogue.CATEGORIES)).repeat_interleave(count)
    right: dict[str, list[float]] = {name: [] for name in rows}
    for draw in range(DRAWS):
        order = torch.rand(len(truth), generator=torch.Generator().manual_seed(draw)) + truth
        shown = torch.zeros(len(truth), dtype=torch.bool)
        shown[order.argsort().reshape(-1, count)[:, :FEW_LABELS].flatten()] = True
        for name, features in rows.items():
            table = torch.stack(features).double()
            fitted = fewshot.fit(table[shown], truth[shown], len(catalogue.CATEGORIES))
            told = fitted.probabilities(table[~shown]).argmax(1)
            right[name].append(float((told == truth[~shown]).double().mean()))
    trivial = {name: mean(values) for name, values in right.items() if name != "model"}
    return Use(
        "labels",
        f"Labels: {FEW_LABELS} labelled shapes of each of {len(catalogue.CATEGORIES)} categories, "
        f"{count - FEW_LABELS} of each to be labelled, mean over {DRAWS} choices.",
        [Score("rightly labelled", mean(right["model"]), trivial, beats=True)],
    )


def _untrained(system: Features) -> Features:
    """The same system with the weights that a training begins with."""
    if not isinstance(system, System):
        raise TypeError(f"{type(system).__name__} is not a system.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        fresh = type(system).from_config(system.config_values())
    fresh.to(system.device).eval().requires_grad_(False)
    if not isinstance(fresh, Features):
        raise TypeError(f"{type(fresh).__name__} has no features.")
    return fresh


def _common(names: Sequence[str], data: Data) -> list[str]:
    """The classes that the data has, where it has several."""
    present = {category(asset) for asset in data.pool} - {""}
    return [name for name in names if name in present] if len(present) > 1 else []


def _judge(data: Data) -> tuple[Judge, float]:
    """The classifier, and how often it is right on held-out shapes."""
    features = np.stack([shares(one.reshape((R,) * 3) > 0.5).ravel() for one in data.pool_cells])
    judge = Judge.of(features, [category(asset) for asset in data.pool])
    unseen: Sequence[Asset] = data.unseen(data.counts.judged)
    told = judge.told(np.stack([shares(cells(asset)).ravel() for asset in unseen]))
    return judge, mean(name == category(asset) for name, asset in zip(told, unseen, strict=True))
