"""Labels from a few examples: against regressions done another way, and on assets that a discriminator describes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gen3d_core import cards, fewshot, zoo
from gen3d_core.data import catalogue
from gen3d_core.data.grids import Grid, read_grids
from gen3d_core.errors import BadRequest, Unsupported
from gen3d_core.run import Cancelled, Run
from gen3d_core.system import Features, System, find_system


def clusters(count: int, seed: int, spread: float = 0.3) -> tuple[torch.Tensor, torch.Tensor]:
    """Points around three centres in 20 dimensions, and which centre each belongs to."""
    g = torch.Generator().manual_seed(seed)
    centres = torch.randn(3, 20, generator=torch.Generator().manual_seed(99))
    truth = torch.arange(count) % 3
    return centres[truth] + spread * torch.randn(count, 20, generator=g), truth


def test_the_weights_are_those_of_ridge_regression() -> None:
    x, truth = clusters(24, seed=0, spread=1.0)
    found = fewshot.fit(x, truth, 3)
    f = (x.double() - found.mean) / found.deviation
    y = 2 * torch.nn.functional.one_hot(truth, 3).double() - 1
    energy = float(torch.linalg.eigvalsh(f @ f.T).clamp_min(0).mean())
    # The primal form of the same regression, for whichever penalty was chosen.
    candidates = [
        torch.linalg.solve(f.T @ f + p * energy * torch.eye(20), f.T @ (y - y.mean(0))) for p in fewshot.PENALTIES
    ]
    assert min(float((found.weights - c).abs().max()) for c in candidates) < 1e-6


def test_the_accuracy_is_that_of_leaving_each_example_out() -> None:
    x, truth = clusters(18, seed=3, spread=3.0)
    found = fewshot.fit(x, truth, 3)
    f = (x.double() - found.mean) / found.deviation
    y = 2 * torch.nn.functional.one_hot(truth, 3).double() - 1
    energy = float(torch.linalg.eigvalsh(f @ f.T).clamp_min(0).mean())
    accuracies = []
    for penalty in fewshot.PENALTIES:
        right = 0
        for i in range(18):
            rest = torch.arange(18) != i
            middle, answer = f[rest].mean(0), y[rest].mean(0)
            centred = f[rest] - middle
            kernel = centred @ centred.T + penalty * energy * torch.eye(17)
            scores = (f[i] - middle) @ centred.T @ torch.linalg.solve(kernel, y[rest] - answer) + answer
            right += int(scores.argmax()) == int(truth[i])
        accuracies.append(right / 18)
    assert found.accuracy in [pytest.approx(a) for a in accuracies]
    assert 0.3 < found.accuracy < 1


def test_unseen_points_are_labelled_and_given_labels_stay() -> None:
    x, truth = clusters(60, seed=1)
    names = ["round", "flat", "tall"]
    given = [names[int(t)] if i < 9 else "" for i, t in enumerate(truth)]
    found = fewshot.spread(x, given)
    assert found.classes == ["flat", "round", "tall"]
    assert list(found.labels[:9]) == given[:9]
    assert list(found.probabilities[:9]) == [1.0] * 9
    right = [label == names[int(t)] for label, t in zip(found.labels[9:], truth[9:], strict=True)]
    assert sum(right) / len(right) > 0.9
    assert found.examples == 9
    assert all(1 / 3 < p <= 1 for p in found.probabilities)
    assert "51 labelled from 9 examples of 3 labels" in found.sentence()


def test_a_label_that_was_given_stays_even_where_the_others_disagree() -> None:
    x, truth = clusters(30, seed=1)
    given = [str(int(t)) for t in truth[:21]] + [""] * 9
    given[0] = "1"
    found = fewshot.spread(x, given)
    assert found.labels[0] == "1"
    assert found.accuracy is not None
    assert found.accuracy < 1


def test_one_example_of_each_label_says_nothing_of_the_accuracy() -> None:
    x, truth = clusters(12, seed=2)
    found = fewshot.spread(x, [str(int(t)) if i < 3 else "" for i, t in enumerate(truth)])
    assert found.accuracy is None
    assert "second example" in found.sentence()


def discriminator() -> System:
    system = find_system("voxels.gan3d")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return system.from_config({"generator": [8, 8, 8], "discriminator": [4, 8, 8]}).eval().requires_grad_(False)


def test_airplanes_are_told_from_tables_by_a_discriminator() -> None:
    assets = [catalogue.make(c, seed) for seed in range(8) for c in ("airplane", "table")]
    given = [("airplane", "table")[i % 2] if i < 6 else "" for i in range(16)]
    found = fewshot.label(discriminator(), assets, given, Run([0]))
    right = [a == b for a, b in zip(found.labels, ["airplane", "table"] * 8, strict=True)]
    assert sum(right) >= 14


def test_what_cannot_be_labelled_is_refused() -> None:
    assets = [catalogue.make("chair", seed) for seed in range(2)]
    with pytest.raises(BadRequest, match="two different labels"):
        fewshot.label(discriminator(), assets, ["chair", ""], Run([0]))
    with pytest.raises(BadRequest, match="2 assets and 1 labels"):
        fewshot.label(discriminator(), assets, ["chair"], Run([0]))
    with pytest.raises(Unsupported):
        fewshot.label(object(), assets, ["a", "b"], Run([0]))  # type: ignore[arg-type]  # what a caller may get wrong
    with pytest.raises(Cancelled):
        fewshot.label(discriminator(), assets, ["a", "b"], Run([0], on_progress=lambda fraction: fraction < 0.4))


#: Ten classes of real shapes, which are not part of the project.
REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "modelnet10" / "modelnet10_32.npz"
#: Shapes of each class, those of them that are labelled, and choices of them.
EACH, LABELLED, CHOICES = 25, 10, 8


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason="needs ModelNet10 beside the checkout")
def test_the_discriminator_knows_more_than_cells_and_than_chance_weights() -> None:
    """Discriminator transfer from catalogue furniture to ten classes of real shapes."""
    trained = zoo.load(cards.find("furniture-gan3d"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        untrained = type(trained).from_config(trained.config_values()).eval().requires_grad_(False)
    with np.load(REAL) as archive:
        names = sorted(archive)
    assets = [grid for name in names for grid in read_grids(REAL, name, EACH)]
    truth = torch.arange(len(names)).repeat_interleave(EACH)
    described = {
        "trained": _described(trained, assets),
        "untrained": _described(untrained, assets),
        "cells": torch.stack([torch.as_tensor(one.voxels(32)).flatten().double() for one in assets]),
    }
    right: dict[str, list[float]] = {name: [] for name in described}
    for choice in range(CHOICES):
        random = torch.rand(len(truth), generator=torch.Generator().manual_seed(choice))
        shown = torch.zeros(len(truth), dtype=torch.bool)
        shown[(random + truth).argsort().reshape(-1, EACH)[:, :LABELLED].flatten()] = True
        for name, features in described.items():
            told = fewshot.fit(features[shown], truth[shown], len(names)).probabilities(features[~shown]).argmax(1)
            right[name].append(float((told == truth[~shown]).double().mean()))
    means = {name: float(np.mean(values)) for name, values in right.items()}
    print(means, float(np.std(right["trained"])))  # noqa: T201 - shown with pytest -s
    assert means["trained"] > max(means["untrained"], means["cells"])


def _described(system: System, assets: list[Grid]) -> torch.Tensor:
    assert isinstance(system, Features)
    with torch.no_grad():
        return torch.cat([system.features(assets[i : i + 25], Run([0])) for i in range(0, len(assets), 25)]).double()
