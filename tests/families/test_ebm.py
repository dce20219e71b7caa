"""Langevin dynamics against densities in closed form, and the likelihood's gradient against finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from gen3d_core.families.ebm import (
    Annealing,
    Draw,
    Energy,
    Langevin,
    State,
    contrastive_loss,
    denoising_loss,
    falling,
    still,
)

PRECISION = torch.tensor([[2.0, 0.8], [0.8, 1.0]])
CENTRE = torch.tensor([1.0, -0.5])


def gaussian(x: Tensor) -> Tensor:
    off = x - CENTRE
    return 0.5 * (off @ PRECISION * off).sum(1)


def double_well(x: Tensor) -> Tensor:
    return 2 * (x[:, 0].square() - 1).square() - 0.5 * x[:, 0]


def of_the_double_well(power: int) -> float:
    """A moment, by numerical integration."""
    x = torch.linspace(-4, 4, 20001, dtype=torch.float64)
    p = (-double_well(x[:, None])).exp()
    return float((x**power * p).sum() / p.sum())


def from_the_double_well(count: int) -> Tensor:
    """Exact draws, by inverting the distribution function on a fine grid."""
    x = torch.linspace(-4, 4, 20001, dtype=torch.float64)
    edges = (-double_well(x[:, None])).exp().cumsum(0)
    shares = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return x[torch.searchsorted(edges / edges[-1], shares)][:, None].float()


def draws(count: int, seed: int = 0) -> tuple[Draw, Draw]:
    generator = torch.Generator().manual_seed(seed)
    return (
        lambda *shape: torch.randn(count, *shape, generator=generator),
        lambda *shape: torch.rand(count, *shape, generator=generator),
    )


def walked(dynamics: Langevin, start: Tensor, steps: int) -> Tensor:
    return dynamics.walk(start, range(steps), *draws(len(start))).x


@pytest.mark.parametrize("step", [0.2, 1.0])
def test_the_unadjusted_walk_has_the_variance_that_its_step_implies(step: float) -> None:
    """Along an eigenvector of precision k, x' = (1 - s^2 k / 2) x + s e has the variance 1 / (k (1 - s^2 k / 4))."""
    x = walked(Langevin(gaussian, step), torch.zeros(8000, 2), round(12 / step**2))
    k, vectors = torch.linalg.eigh(PRECISION)
    implied = vectors @ torch.diag(1 / (k * (1 - step**2 * k / 4))) @ vectors.T
    assert torch.allclose(x.mean(0), CENTRE, atol=0.06)
    assert torch.allclose(x.T.cov(), implied, atol=0.08)


def test_the_adjusted_walk_has_the_right_variance_whatever_its_step() -> None:
    x = walked(Langevin(gaussian, 1.0, adjusted=True), torch.zeros(8000, 2), 60)
    assert torch.allclose(x.mean(0), CENTRE, atol=0.06)
    assert torch.allclose(x.T.cov(), PRECISION.inverse(), atol=0.08)


def test_small_steps_find_both_wells() -> None:
    x = walked(Langevin(double_well, 0.15), torch.ones(2000, 1), 800)
    assert float(x.mean()) == pytest.approx(of_the_double_well(1), abs=0.08)
    assert float(x.square().mean()) == pytest.approx(of_the_double_well(2), abs=0.05)


@pytest.mark.parametrize("adjusted", [True, False])
def test_only_the_adjusted_walk_leaves_the_density_as_it_is(adjusted: bool) -> None:
    start = from_the_double_well(40_000)
    x = walked(Langevin(double_well, 0.6, adjusted), start, 5)
    assert not torch.equal(x, start)
    off = abs(float(x.square().mean()) - of_the_double_well(2))
    assert (off < 0.015) == adjusted, off


def test_acceptance_is_the_ratio_of_metropolis_and_hastings() -> None:
    dynamics = Langevin(double_well, 0.7, adjusted=True)
    old, new = dynamics.at(torch.tensor([[0.3], [1.2], [-0.8]])), dynamics.at(torch.tensor([[0.9], [-0.4], [-1.1]]))

    def slope(x: Tensor) -> Tensor:
        return 8 * x * (x.square() - 1) - 0.5

    there = Normal(old.x - 0.5 * 0.7**2 * slope(old.x), 0.7).log_prob(new.x)[:, 0]
    back = Normal(new.x - 0.5 * 0.7**2 * slope(new.x), 0.7).log_prob(old.x)[:, 0]
    expected = double_well(old.x) - double_well(new.x) + back - there
    assert torch.allclose(dynamics.log_acceptance(old, new), expected, atol=1e-5)


def test_what_is_refused_stays() -> None:
    def wall(x: Tensor) -> Tensor:
        return 1e6 * (x[:, 0] > 0.5) + 0 * x[:, 0]

    x = walked(Langevin(wall, 1.0, adjusted=True), torch.zeros(500, 1), 20)
    assert float(x.max()) <= 0.5
    assert float(x.std()) > 0.5
    assert float(walked(Langevin(wall, 1.0), torch.zeros(500, 1), 20).max()) > 0.5


@pytest.mark.parametrize("adjusted", [False, True])
def test_clamped_numbers_stay_and_the_others_have_the_conditional_density(adjusted: bool) -> None:
    start = torch.tensor([[2.5, 0.0]]).expand(6000, 2)
    free = torch.tensor([0.0, 1.0])
    x = walked(Langevin(gaussian, 0.3, adjusted, lambda change: change * free), start, 150)
    assert (x[:, 0] == 2.5).all()
    assert float(x[:, 1].mean()) == pytest.approx(-0.5 - 0.8 * 1.5, abs=0.06)
    assert float(x[:, 1].var()) == pytest.approx(1.0, abs=0.08)


def test_a_clamped_sum_stays_and_the_rest_has_the_conditional_density() -> None:
    along = torch.tensor([1.0, -1.0]) / 2**0.5

    def free(change: Tensor) -> Tensor:
        return (change @ along)[:, None] * along

    x = walked(Langevin(gaussian, 0.3, free=free), torch.tensor([[3.0, 1.0]]).expand(6000, 2), 150)
    assert torch.allclose(x.sum(1), torch.tensor(4.0), atol=1e-4)
    # On the line x + y = 4 the density is a Gaussian: its precision and centre follow from completing the square.
    precision = along @ PRECISION @ along
    centre = along @ CENTRE + along @ PRECISION @ (CENTRE - torch.tensor([2.0, 2.0])) / precision - along @ CENTRE
    found = (x - torch.tensor([2.0, 2.0])) @ along
    assert float(found.mean()) == pytest.approx(float(centre), abs=0.06)
    assert float(found.var()) == pytest.approx(float(1 / precision), abs=0.08)


def test_a_walk_without_noise_goes_down() -> None:
    start = torch.tensor([[2.0], [-1.7], [0.05]])
    seen: list[Tensor] = []
    dynamics = Langevin(double_well, 0.2)
    end = dynamics.walk(start, range(30), still(start), still(start), lambda step, energies: seen.append(energies))
    energies = torch.stack([*seen, end.energy])
    assert torch.equal(energies[0], double_well(start))
    assert len(energies) == 31
    assert (energies[1:] <= energies[:-1] + 1e-6).all()


def test_states_carry_no_graph() -> None:
    weight = torch.ones(1, requires_grad=True)

    def learned(x: Tensor) -> Tensor:
        return (weight * x).square().sum(1)

    state: State = Langevin(learned, 0.1).at(torch.ones(2, 3))
    assert not any(t.requires_grad for t in (state.x, state.energy, state.drift))
    assert weight.grad is None
    assert torch.allclose(state.drift, torch.full((2, 3), 0.01))


def test_the_loss_has_the_gradient_of_the_exact_likelihood() -> None:
    """Three states with probabilities 1/2, 1/4, 1/4: four draws are the model exactly, and Z is a sum of three."""
    theta = torch.tensor([0.7, -0.3], dtype=torch.float64)
    states = torch.tensor([-1.0, 0.5, 2.0], dtype=torch.float64)
    base = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64).log()

    def shape(theta: Tensor, x: Tensor) -> Tensor:
        return theta[0] * x**2 + (theta[1] * x).sin()

    def energies(theta: Tensor) -> Tensor:
        # The reference term makes the probabilities what they are at this theta; it does not learn.
        return shape(theta, states) - shape(torch.tensor([0.7, -0.3], dtype=torch.float64), states) - base

    seen = torch.tensor([1, 1, 2, 0, 1])

    def likelihood(theta: Tensor) -> float:
        return float((energies(theta)[seen] + torch.logsumexp(-energies(theta), 0)).mean())

    learned = theta.clone().requires_grad_(True)
    drawn = torch.tensor([0, 0, 1, 2])
    (gradient,) = torch.autograd.grad(contrastive_loss(energies(learned)[seen], energies(learned)[drawn]), learned)
    h = 1e-6
    for i in range(2):
        nudge = torch.eye(2, dtype=torch.float64)[i] * h
        assert float(gradient[i]) == pytest.approx(
            (likelihood(theta + nudge) - likelihood(theta - nudge)) / (2 * h), abs=1e-7
        )


def test_score_matching_finds_the_energy_of_noisy_data() -> None:
    """Data of variance 4 and noise of variance 1 make the energy x^2 / 10, and leave the posterior variance 0.8."""
    generator = torch.Generator().manual_seed(0)
    data = 2 * torch.randn(40_000, 1, generator=generator)
    noisy = data + torch.randn(40_000, 1, generator=generator)
    precision = torch.tensor(1.0, requires_grad=True)
    energy: Energy = lambda x: 0.5 * precision * x.square().sum(1)  # noqa: E731  # it closes over what is learned
    for _ in range(30):
        (gradient,) = torch.autograd.grad(denoising_loss(energy, noisy, data, 1.0), precision)
        with torch.no_grad():
            precision -= 0.05 * gradient
    assert float(precision.detach()) == pytest.approx(0.2, abs=0.01)
    assert float(denoising_loss(energy, noisy, data, 1.0).detach()) == pytest.approx(0.8, abs=0.02)


@pytest.mark.slow
def test_learning_by_chains_finds_the_data() -> None:
    """A Gaussian whose centre is learned with the loss and its own persistent chains ends at the mean of the data."""
    generator = torch.Generator().manual_seed(0)
    data = MultivariateNormal(torch.tensor([2.0, -1.0]), torch.eye(2)).mean + torch.randn(2000, 2, generator=generator)
    centre = torch.zeros(2, requires_grad=True)
    energy: Energy = lambda x: 0.5 * (x - centre).square().sum(1)  # noqa: E731  # it closes over what is learned
    chains = torch.zeros(200, 2)
    randn, rand = draws(200)
    for _ in range(120):
        chains = Langevin(energy, 0.5).walk(chains, range(5), randn, rand).x
        (gradient,) = torch.autograd.grad(contrastive_loss(energy(data), energy(chains)), centre)
        with torch.no_grad():
            centre -= 0.1 * gradient
    assert torch.allclose(centre.detach(), data.mean(0), atol=0.12)


def two_points(x: Tensor, deviation: Tensor) -> Tensor:
    """-log p of noisy data that are -1 with probability 0.3, else 1; of x (B, 1), with deviations (B, 1)."""
    peaks = -(x - torch.tensor([-1.0, 1.0])).square() / (2 * deviation.square())
    return -torch.logsumexp(peaks + torch.tensor([0.3, 0.7]).log(), dim=1)


def test_the_annealed_walk_ends_with_the_density_of_the_least_noise() -> None:
    count = 6000
    randn, _ = draws(count)
    start = 0.4 + 5 * randn(1)
    reached = Annealing(two_points).walk(start, falling(torch.full((count, 1), 5.0), 0.2, 60), randn)
    assert float((reached.x > 0).float().mean()) == pytest.approx(0.7, abs=0.04)
    assert float((reached.x - reached.x.sign()).std()) == pytest.approx(0.2, abs=0.02)
    # From there the drift leads to the data.
    assert torch.allclose(reached.x - reached.drift, reached.x.sign(), atol=0.05)


def test_each_annealed_step_is_exact_for_a_gaussian() -> None:
    """Data N(1, 0.5^2) with noise of deviation s have the variance 0.25 + s^2, all along a walk of small steps."""
    count = 8000
    randn, _ = draws(count)

    def noisy(x: Tensor, deviation: Tensor) -> Tensor:
        return (x - 1).square()[:, 0] / (2 * (0.25 + deviation[:, 0].square()))

    reached = (
        Annealing(noisy).walk(1 + (0.25 + 9) ** 0.5 * randn(1), falling(torch.full((count, 1), 3.0), 0.5, 60), randn).x
    )
    assert float(reached.mean()) == pytest.approx(1, abs=0.03)
    assert float(reached.var()) == pytest.approx(0.5, abs=0.04)


def test_annealed_walks_leave_what_is_clamped_and_say_their_energies() -> None:
    start = torch.tensor([[2.5, 0.0], [1.0, 3.0]])
    free = torch.tensor([0.0, 1.0])
    seen: list[Tensor] = []
    dynamics = Annealing(lambda x, s: gaussian(x) / s[:, 0].square(), lambda change: change * free)
    levels = falling(torch.full((2, 1), 1.0), 0.5, 3)
    end = dynamics.walk(start, levels, draws(2)[0], lambda step, energies: seen.append(energies))
    assert torch.equal(end.x[:, 0], start[:, 0])
    assert not torch.equal(end.x[:, 1], start[:, 1])
    assert len(seen) == 4
    assert torch.allclose(seen[0], gaussian(start))
    assert torch.allclose(seen[-1], gaussian(end.x) / 0.25)
    with pytest.raises(ValueError, match="leads nowhere"):
        dynamics.walk(start, [], draws(2)[0])


def test_noise_falls_by_the_same_share_from_step_to_step() -> None:
    most = torch.tensor([2.5, 1.0])[:, None]
    levels = torch.stack(falling(most, 0.3, 8))
    assert torch.equal(levels[0], most)
    assert torch.allclose(levels[-1], torch.tensor(0.3))
    ratios = levels[1:] / levels[:-1]
    assert torch.allclose(ratios, ratios[:1].expand_as(ratios))
