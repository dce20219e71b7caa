"""The two games against their formulas."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gen3d_core.families import gan

REAL = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64)
FAKE = torch.tensor([-3.0, 0.25, 1.0], dtype=torch.float64)


def test_discriminator_loss_is_the_log_likelihood_of_the_game() -> None:
    expected = -REAL.sigmoid().log().mean() - (1 - FAKE.sigmoid()).log().mean()
    assert float(gan.discriminator_loss(REAL, FAKE)) == pytest.approx(float(expected), rel=1e-12)


def test_label_smoothing_is_one_sided() -> None:
    real = -(0.9 * REAL.sigmoid().log() + 0.1 * (1 - REAL.sigmoid()).log()).mean()
    expected = real - (1 - FAKE.sigmoid()).log().mean()
    assert float(gan.discriminator_loss(REAL, FAKE, 0.9)) == pytest.approx(float(expected), rel=1e-12)


def test_generator_loss_does_not_saturate() -> None:
    assert float(gan.generator_loss(FAKE)) == pytest.approx(float(-FAKE.sigmoid().log().mean()), rel=1e-12)
    lost = torch.tensor([-30.0], requires_grad=True)
    (slope,) = torch.autograd.grad(gan.generator_loss(lost), lost)
    assert float(slope) == pytest.approx(-1.0, abs=1e-6)


def test_losses_are_finite_for_extreme_logits() -> None:
    far = torch.tensor([1e4, -1e4])
    assert torch.isfinite(gan.discriminator_loss(far, far))
    assert torch.isfinite(gan.generator_loss(far))


def test_accuracy_counts_both_kinds_alike() -> None:
    # 2 of 3 real and 1 of 3 generated are right.
    assert gan.accuracy(REAL, FAKE) == pytest.approx(0.5)
    assert gan.accuracy(torch.ones(4), -torch.ones(2)) == 1.0
    assert gan.accuracy(-torch.ones(4), torch.ones(2)) == 0.0


def test_the_wasserstein_game_is_a_difference_of_means() -> None:
    assert float(gan.critic_loss(REAL, FAKE)) == pytest.approx(float(FAKE.mean() - REAL.mean()))
    assert float(gan.wasserstein_generator_loss(FAKE)) == pytest.approx(-float(FAKE.mean()))


@pytest.mark.parametrize("norm", [0.0, 0.5, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_known(norm: float) -> None:
    weight = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    weight = norm * weight / weight.norm()
    real, fake = torch.randn(2, 5, 2, 3, 4, generator=torch.Generator().manual_seed(1))
    penalty = gan.gradient_penalty(lambda x: (x * weight).flatten(1).sum(1), real, fake, torch.rand(5))
    assert float(penalty) == pytest.approx((norm - 1) ** 2, abs=1e-5)


def test_the_penalty_is_taken_between_real_and_generated_examples() -> None:
    """Of |x|^2 / 2 the gradient is x itself."""
    real, fake = torch.full((2, 1), 4.0), torch.zeros(2, 1)
    mix = torch.tensor([0.25, 0.5])
    penalty = gan.gradient_penalty(lambda x: x.square().sum(1) / 2, real, fake, mix)
    assert float(penalty.detach()) == pytest.approx(((1 - 1) ** 2 + (2 - 1) ** 2) / 2)


def test_the_penalty_reaches_the_critics_weights() -> None:
    weight = torch.tensor([[3.0], [4.0]], requires_grad=True)

    def critic(x: Tensor) -> Tensor:
        return (x @ weight)[:, 0]

    penalty = gan.gradient_penalty(critic, torch.ones(3, 2), torch.zeros(3, 2), torch.full((3,), 0.3))
    (slope,) = torch.autograd.grad(penalty, weight)
    # d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|
    assert torch.allclose(slope, torch.tensor([[2 * 4 * 0.6], [2 * 4 * 0.8]]))
