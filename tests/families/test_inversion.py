"""Latent search on misfits whose minimum is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gen3d_core.families import inversion
from gen3d_core.run import Run

TARGET = torch.tensor([0.7, -0.4, 1.1])


def distance(z: Tensor) -> Tensor:
    return (z - TARGET).square().mean(1)


def calm(z: Tensor) -> Tensor:
    return torch.ones_like(z[:, 0])


def same(z: Tensor) -> Tensor:
    return z


def starts(count: int = 4) -> Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(0))


def test_the_minimum_is_found() -> None:
    found = inversion.search(starts(), distance, calm, same, Run([0]), steps=300)
    assert torch.allclose(found, TARGET[None], atol=0.02)


def test_the_best_start_wins_among_several_valleys() -> None:
    """Valleys at -2 and 2, the second deeper: gradients alone do not cross between them."""

    def valleys(z: Tensor) -> Tensor:
        return torch.minimum((z[:, 0] + 2).square() + 1, (z[:, 0] - 2).square())

    found = inversion.search(torch.tensor([[-2.5], [-1.8], [1.0]]), valleys, calm, same, Run([0]), steps=200)
    assert float(found) == pytest.approx(2, abs=0.05)


def test_every_latent_tried_is_one_the_prior_can_produce() -> None:
    tried: list[Tensor] = []

    def watched(z: Tensor) -> Tensor:
        tried.append(z.detach().clone())
        return distance(z)

    found = inversion.search(starts().clamp(0, 1), watched, calm, lambda z: z.clamp(0, 1), Run([0]), steps=200)
    assert all(((z >= 0) & (z <= 1)).all() for z in tried)
    assert torch.allclose(found, TARGET.clamp(0, 1)[None], atol=0.02)


def test_surprise_beyond_one_holds_latents_back() -> None:
    def surprise(z: Tensor) -> Tensor:
        return z.square().mean(1)

    def far(z: Tensor) -> Tensor:
        return (z - 5).square().mean(1)

    free = inversion.search(starts(), far, surprise, same, Run([0]), steps=600, prior_weight=0.0)
    held = inversion.search(starts(), far, surprise, same, Run([0]), steps=600, prior_weight=1.0)
    assert torch.allclose(free, torch.full((1, 3), 5.0), atol=0.1)
    # min (z - 5)^2 + z^2 lies half way.
    assert torch.allclose(held, torch.full((1, 3), 2.5), atol=0.1)


def test_the_search_repeats_itself_leaves_its_starts_alone_and_needs_no_gradients_around_it() -> None:
    given = starts()
    kept = given.clone()
    with torch.no_grad():
        first = inversion.search(given, distance, calm, same, Run([0]), steps=30)
    second = inversion.search(given, distance, calm, same, Run([0]), steps=30)
    assert torch.equal(first, second)
    assert torch.equal(given, kept)
    assert not first.requires_grad


def test_the_result_is_never_worse_than_the_best_start() -> None:
    perfect = torch.cat([starts(), TARGET[None]])
    found = inversion.search(perfect, distance, calm, same, Run([0]), steps=3, rate=10.0)
    assert torch.equal(found, TARGET[None])
