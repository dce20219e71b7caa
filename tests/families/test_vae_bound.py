"""The terms of the evidence lower bound against torch's distributions and explicit formulas."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from gen3d_core.families import vae


def posterior() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 3, generator=generator), torch.randn(4, 3, generator=generator)


def test_divergence_agrees_with_torch() -> None:
    mean, log_variance = posterior()
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(vae.kl_to_standard_normal(mean, log_variance), expected, rtol=1e-5)
    assert torch.equal(vae.kl_to_standard_normal(torch.zeros(2, 3), torch.zeros(2, 3)), torch.zeros(2))


def test_divergence_agrees_with_samples() -> None:
    mean, log_variance = posterior()
    noise = torch.randn(200_000, 1, 3, generator=torch.Generator().manual_seed(1))
    z = vae.reparametrise(mean, log_variance, noise)
    ratio = Normal(mean, (log_variance / 2).exp()).log_prob(z) - Normal(0.0, 1.0).log_prob(z)
    assert torch.allclose(ratio.sum(2).mean(0), vae.kl_to_standard_normal(mean, log_variance), rtol=0.02)


def test_samples_have_the_posteriors_moments() -> None:
    mean, log_variance = posterior()
    z = vae.reparametrise(mean, log_variance, torch.randn(100_000, 4, 3, generator=torch.Generator().manual_seed(2)))
    assert torch.allclose(z.mean(0), mean, atol=0.03)
    assert torch.allclose(z.var(0), log_variance.exp(), rtol=0.03)


def test_weighted_cross_entropy_is_its_formula() -> None:
    logits, occupied = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(3)), torch.rand(3, 4, 4).round()
    logits = logits[0]
    p = logits.sigmoid()
    cost = -(0.97 * occupied * p.log() + 0.03 * (1 - occupied) * (1 - p).log())
    assert torch.allclose(vae.weighted_bernoulli(logits, occupied, 0.97), cost.sum((1, 2)), rtol=1e-4)


def test_half_the_weight_is_half_of_the_plain_cross_entropy() -> None:
    logits, occupied = torch.randn(2, 5, generator=torch.Generator().manual_seed(4)), torch.tensor([[1.0, 0, 0, 1, 1]])
    occupied = occupied.expand(2, 5)
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, occupied, reduction="none").sum(1)
    assert torch.allclose(vae.weighted_bernoulli(logits, occupied, 0.5), plain / 2)


def test_a_missed_cell_costs_weight_over_one_minus_weight_times_a_filled_one() -> None:
    missed = vae.weighted_bernoulli(torch.tensor([[-2.0]]), torch.ones(1, 1), 0.8)
    filled = vae.weighted_bernoulli(torch.tensor([[2.0]]), torch.zeros(1, 1), 0.8)
    assert float(missed / filled) == pytest.approx(4.0, rel=1e-5)


def test_certain_answers_are_finite() -> None:
    assert torch.isfinite(vae.weighted_bernoulli(torch.tensor([[1e4, -1e4]]), torch.tensor([[0.0, 1.0]]), 0.9)).all()
