"""The mixture prior against torch.distributions and against data of known shape."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from gen3d_core.families import mixture
from gen3d_core.families.mixture import Mixture


@pytest.fixture(scope="module")
def two() -> Mixture:
    """Two Gaussians in the plane, one of them tilted."""
    scales = torch.tensor([[[1.0, 0.0], [0.0, 0.5]], [[0.4, 0.0], [0.3, 0.2]]])
    return Mixture(torch.tensor([0.25, 0.75]), torch.tensor([[-4.0, 0.0], [3.0, 2.0]]), scales)


def reference(model: Mixture) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(model.weights), MultivariateNormal(model.means, scale_tril=model.scales))


def draws(model: Mixture, count: int, temperature: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    chooser, epsilon = torch.rand(count, generator=generator), torch.randn(count, 2, generator=generator)
    return model.draw(chooser, epsilon, temperature)


def test_log_probability_is_that_of_torch(two: Mixture) -> None:
    z = torch.randn(50, 2, generator=torch.Generator().manual_seed(1)) * 4
    assert torch.allclose(two.log_probability(z), reference(two).log_prob(z), atol=1e-4)


def test_draws_have_the_mixtures_mean_and_variance(two: Mixture) -> None:
    z = draws(two, 40_000)
    assert torch.allclose(z.mean(0), reference(two).mean, atol=0.05)
    assert torch.allclose(z.var(0), reference(two).variance, rtol=0.05)


def test_temperature_zero_gives_the_means(two: Mixture) -> None:
    z = draws(two, 100, temperature=0.0)
    assert all(bool((row == two.means).all(1).any()) for row in z)


def test_chooser_at_its_ends_picks_the_first_and_the_last(two: Mixture) -> None:
    z = two.draw(torch.tensor([0.0, 1.0 - 1e-7]), torch.zeros(2, 2))
    assert torch.equal(z, two.means)


def test_distances_are_mahalanobis(two: Mixture) -> None:
    z = torch.tensor([[0.5, -1.0]])
    for k in range(2):
        precision = torch.linalg.inv(two.scales[k] @ two.scales[k].T)
        off = z[0] - two.means[k]
        assert float(two.distances(z)[0, k]) == pytest.approx(float(off @ precision @ off), rel=1e-4)


def test_fit_finds_the_mixture_that_made_the_data(two: Mixture) -> None:
    codes = draws(two, 4000)
    found = mixture.fit(codes, 2, torch.full((2,), 1e-4))
    order = found.means[:, 0].argsort()
    assert torch.allclose(found.weights[order], two.weights, atol=0.03)
    assert torch.allclose(found.means[order], two.means, atol=0.1)
    # Likelihood on unseen data: nearly that of the truth, and far above one Gaussian's.
    unseen = draws(two, 6000)[4000:]
    one = mixture.fit(codes, 1, torch.full((2,), 1e-4))
    assert float(found.log_probability(unseen).mean()) > float(two.log_probability(unseen).mean()) - 0.02
    assert float(found.log_probability(unseen).mean()) > float(one.log_probability(unseen).mean()) + 0.3


def test_a_component_never_closes_on_one_code() -> None:
    for count in (1, 2, 3, 5, 8):
        # Nearly the same codes: what remains of the variance is the floor.
        codes = torch.tensor([[3.0, 1.0]]) + 1e-4 * torch.randn(count, 2, generator=torch.Generator().manual_seed(0))
        found = mixture.fit(codes, 3, torch.full((2,), 0.01))
        assert torch.allclose(found.scales.diagonal(dim1=1, dim2=2), torch.full((3, 2), 0.1), atol=1e-3)
        assert torch.isfinite(found.log_probability(codes)).all()
        z = draws(found, 500)
        assert torch.allclose(z.std(0), torch.full((2,), 0.1), rtol=0.1)


@pytest.mark.parametrize(("count", "used"), [(1, 1), (3, 1), (7, 1), (8, 2), (40, 8), (400, 8)])
def test_few_shapes_share_components(count: int, used: int) -> None:
    codes = torch.randn(count, 5, generator=torch.Generator().manual_seed(1))
    found = mixture.fit(codes, 8, torch.full((5,), 0.01))
    assert found.weights.shape == (8,)
    assert int((found.weights > 0).sum()) == used
    assert bool((found.weights[:used] > 0).all())
    z = found.draw(torch.linspace(0, 1 - 1e-7, 64), torch.randn(64, 5, generator=torch.Generator().manual_seed(2)))
    # Unused components change nothing: not the draws, the distances, the density.
    small = Mixture(found.weights[:used], found.means[:used], found.scales[:used])
    assert torch.equal(
        small.draw(torch.linspace(0, 1 - 1e-7, 64), torch.randn(64, 5, generator=torch.Generator().manual_seed(2))), z
    )
    assert torch.equal(small.distances(z).amin(1), found.distances(z).amin(1))
    assert torch.allclose(small.log_probability(z), found.log_probability(z))


def test_variations_of_a_shape_do_not_count_as_shapes() -> None:
    generator = torch.Generator().manual_seed(3)
    shapes = torch.arange(5).repeat_interleave(40)
    centres = 10 * torch.randn(5, 3, generator=generator)
    codes = centres[shapes] + 0.1 * torch.randn(200, 3, generator=generator)
    found = mixture.fit(codes, 16, torch.full((3,), 1e-4), shapes)
    assert int((found.weights > 0).sum()) == 1
    # Draws fill the space between the shapes, instead of repeating them.
    z = found.draw(torch.rand(200, generator=generator), torch.randn(200, 3, generator=generator))
    assert float(torch.cdist(z, centres).amin(1).median()) > 1
    assert int((mixture.fit(codes, 16, torch.full((3,), 1e-4)).weights > 0).sum()) == 16
