"""Facts of the grid GAN: the decoder is local and has no seams, latents hold any grid, codes are standardised."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gen3d_core.data import catalogue
from gen3d_core.run import Run
from gen3d_core.system import Noise
from gen3d_core.systems.fields.gridgan import GridGAN

TINY: dict[str, Any] = {
    "resolution": 16,
    "cells": 8,
    "channels": 3,
    "width": 4,
    "hidden": 16,
    "latent": 5,
    "generator": [4, 4],
    "critic": [2, 2, 4],
    "points": 64,
}


@pytest.fixture(scope="module")
def system() -> GridGAN:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = GridGAN.from_config(TINY)
    assert isinstance(built, GridGAN)
    # As after a training: codes that are neither centred nor of deviation 1.
    built.code_mean.copy_(torch.tensor([0.3, -0.2, 0.1]).reshape(3, 1, 1, 1))
    built.code_std.copy_(torch.tensor([0.5, 2.0, 1.5]).reshape(3, 1, 1, 1))
    return built.eval().requires_grad_(False)


def codes(seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(1, 3, 8, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_a_far_code_does_not_change_a_value(system: GridGAN) -> None:
    before = codes()
    after = before.clone()
    after[..., 2, 5, 4] += 10
    centre = (torch.tensor([2.0, 5.0, 4.0]) + 0.5) / 8 - 0.5
    points = torch.rand(1, 4000, 3, generator=torch.Generator().manual_seed(1)) - 0.5
    changed = system.autoencoder.decoder(before, points)[0] != system.autoencoder.decoder(after, points)[0]
    near = ((points[0] - centre).abs() < 1 / 8).all(1)
    assert torch.equal(changed, near)
    assert 0 < int(near.sum()) < 200


def test_there_are_no_seams_at_the_borders_of_cells(system: GridGAN) -> None:
    """Across every border and every centre of a cell, along each axis, the value moves as little as the position."""
    grid = codes()

    def move(axis: int, step: float) -> float:
        places = torch.arange(1, 16) / 16 - 0.5
        points = (torch.rand(len(places), 3, generator=torch.Generator().manual_seed(axis)) - 0.5) * 0.9
        before, after = points.clone(), points.clone()
        before[:, axis], after[:, axis] = places - step, places + step
        values = system.autoencoder.decoder(grid, torch.cat([before, after])[None])[0]
        return float((values[len(places) :] - values[: len(places)]).abs().max())

    for axis in range(3):
        # A seam would stay as wide, however near to it one looks.
        assert 0 < move(axis, 1e-4) < 0.2 * move(axis, 1e-3)


def test_equal_codes_make_equal_pieces(system: GridGAN) -> None:
    """What is local repeats from cell to cell: geometry is learnt once, not once a place."""
    grid = torch.ones(1, 3, 8, 8, 8)
    points = torch.rand(1, 50, 3, generator=torch.Generator().manual_seed(4)) * 0.5 - 0.4
    values = system.autoencoder.decoder(grid, points)
    assert float(values.std()) > 1e-3
    assert torch.allclose(system.autoencoder.decoder(grid, points + 1 / 8), values, atol=1e-5)
    assert not torch.allclose(system.autoencoder.decoder(grid, points + 1 / 16), values, atol=1e-3)


def test_axes_of_codes_are_x_y_z(system: GridGAN) -> None:
    grid = torch.zeros(1, 3, 8, 8, 8)
    grid[:, :, 7] = 5.0
    right, left = torch.tensor([[[0.45, 0.0, 0.0]]]), torch.tensor([[[-0.45, 0.0, 0.0]]])
    flat = torch.zeros_like(grid)
    assert torch.equal(system.autoencoder.decoder(grid, left), system.autoencoder.decoder(flat, left))
    assert not torch.equal(system.autoencoder.decoder(grid, right), system.autoencoder.decoder(flat, right))


def test_generated_latents_have_no_rest_and_encoded_ones_hold_their_grid(system: GridGAN) -> None:
    rest = 3 * 8**3 + 1
    drawn = system.prior(Run([1, 2]))
    assert drawn.shape == (2, 5 + rest)
    assert not drawn[:, 5:].any()
    chair = catalogue.make("chair", 1)
    latent = system.encode([chair], Run([0]))
    assert latent.shape == (1, 5 + rest)
    assert latent[:, 5:].any()
    wanted = (system.autoencoder.encoder(system._distances(chair)) - system.code_mean) / system.code_std
    assert torch.allclose(system._grids(latent), wanted, atol=1e-5)
    assert float(latent[0, -1]) == 1
    assert not torch.allclose(system._grids(system.restrict(latent)), wanted, atol=1e-2)


def test_decoding_an_encoded_shape_is_the_autoencoder(system: GridGAN) -> None:
    chair = catalogue.make("chair", 2)
    (field,) = system.decode(system.encode([chair], Run([0])), Run([0]))
    points = torch.rand(500, 3, generator=torch.Generator().manual_seed(2)) - 0.5
    direct = system.autoencoder.decoder(system.autoencoder.encoder(system._distances(chair)), points[None])[0]
    assert torch.allclose(field.distance(points), direct * system.config.truncation, atol=1e-5)
    assert field.truncation == system.config.truncation


def test_a_mix_has_its_ends_and_keeps_both_halves_apart(system: GridGAN) -> None:
    a, b = torch.randn(2, 1, 5 + 3 * 8**3 + 1, generator=torch.Generator().manual_seed(3))
    assert torch.equal(system.mix(a, b, 0.0), a)
    assert torch.allclose(system.mix(a, b, 1.0), b, atol=1e-5)
    middle = system.mix(a, b, 0.5)
    assert torch.allclose(middle[:, 5:], (a[:, 5:] + b[:, 5:]) / 2, atol=1e-6)
    assert torch.allclose(system.mix(a[:, :5], b[:, :5], 0.5), middle[:, :5])


def test_codes_are_standardised_per_channel() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        fresh = GridGAN.from_config(TINY)
    assert isinstance(fresh, GridGAN)
    fresh.requires_grad_(False)
    grids = torch.stack([torch.as_tensor(catalogue.make("chair", i).sdf_grid(16, 0.1))[None] / 0.1 for i in range(6)])
    fresh._standardise({"grid": grids.half()}, Run([0]))
    found = fresh._codes({"grid": grids.half(), "points": grids, "distances": grids}, Run([0]))["codes"]
    assert found.shape == (6, 3, 8, 8, 8)
    assert torch.allclose(found.mean((0, 2, 3, 4)), torch.zeros(3), atol=1e-3)
    assert torch.allclose(found.std((0, 2, 3, 4)), torch.ones(3), atol=1e-3)


def test_an_example_is_what_the_networks_read(system: GridGAN) -> None:
    chair = catalogue.make("chair", 3)
    example = system.prepare(chair, Run([7]))
    assert example["grid"].shape == (1, 16, 16, 16)
    assert float(example["grid"].abs().max()) <= 1
    points, distances = example["points"].float(), example["distances"].float()
    assert float(points.abs().max()) <= 0.5
    expected = torch.as_tensor(chair.sdf(points.numpy())) / 0.1
    # Positions are stored with half precision: up to 2^-12 off, in units of the truncation.
    assert torch.allclose(distances, expected.clamp(-1, 1), atol=0.01)
    near = (distances.abs() < 0.9).float().mean()
    assert float(near) > 0.6
    again = system.prepare(chair, Run([7]))
    assert torch.equal(again["points"], example["points"])


def test_the_critic_plays_twice_and_its_loss_reaches_no_generator(system: GridGAN) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        fresh = GridGAN.from_config(TINY)
    assert isinstance(fresh, GridGAN)
    turns = list(fresh._play({"codes": torch.randn(4, 3, 8, 8, 8)}, Noise(0, torch.device("cpu"))))
    assert [network for network, _ in turns] == [fresh.critic, fresh.critic, fresh.space.generator]
    for _, loss in turns[:2]:
        assert all(g is None for g in torch.autograd.grad(loss, list(fresh.space.parameters()), allow_unused=True))


def test_the_misfit_is_least_for_the_shapes_own_latent(system: GridGAN) -> None:
    known = torch.ones(16, 16, 16, dtype=torch.bool)
    (field,) = system.decode(system.prior(Run([4])), Run([4]))

    class Made:
        """The generated shape itself as an asset."""

        def sdf_grid(self, resolution: int, truncation: float = 0.1) -> torch.Tensor:
            return field.dense(resolution).clamp(-truncation, truncation)

    misfit = system.misfit(Made(), known)  # type: ignore[arg-type]
    own, other = misfit(system.prior(Run([4, 5]))).tolist()
    assert own < 1e-5 < other


def test_the_prior_is_where_the_codes_of_the_data_are() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        fresh = GridGAN.from_config({**TINY, "components": 2, "temperature": 0.5})
    assert isinstance(fresh, GridGAN)
    fresh.eval().requires_grad_(False)
    grids = torch.stack([torch.as_tensor(catalogue.make("chair", i).sdf_grid(16, 0.1))[None] / 0.1 for i in range(8)])
    data = {"grid": grids.half(), "points": grids, "distances": grids}
    fresh._standardise(data, Run([0]))
    fresh._fit_prior(data, Run([0]))
    mean, log_variance = fresh.space.posterior(fresh._codes(data, Run([0]))["codes"])
    weights = fresh.mixture_weights
    assert float(weights.sum()) == pytest.approx(1.0)
    assert torch.allclose((weights[:, None] * fresh.mixture_means).sum(0), mean.mean(0), atol=1e-3)
    z = fresh.prior(Run(range(100)))[:, :5]
    assert float(fresh.surprise(z).mean()) == pytest.approx(0.25, rel=0.3)
    assert log_variance.shape == mean.shape


def test_the_offset_is_the_least_that_holds_drawn_shapes_together() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        fresh = GridGAN.from_config(TINY)
    assert isinstance(fresh, GridGAN)
    fresh.eval().requires_grad_(False)

    class Dumbbell(torch.nn.Module):
        """Two balls, and between them a bridge whose field is 0.0055 everywhere: nothing less joins them."""

        def forward(self, codes: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
            centre = torch.tensor([0.26, 0.0, 0.0])
            balls = torch.minimum((points - centre).norm(dim=-1), (points + centre).norm(dim=-1)) - 0.2
            bridge = (points[..., 0].abs() < 0.1) & (points[..., 1:].norm(dim=-1) < 0.05)
            return torch.where(bridge, balls.clamp_max(0.0055), balls) / 0.1

    fresh.autoencoder.decoder = Dumbbell()  # type: ignore[assignment]
    fresh._find_offset({}, Run([0]))
    assert float(fresh.offset) == pytest.approx(0.006)
    drawn = fresh.prior(Run([1]))
    assert float(fresh._levels(drawn)) == pytest.approx(0.06)
    # An encoded shape keeps its own surface.
    assert float(fresh._levels(fresh.encode([catalogue.make("chair", 1)], Run([0])))) == 0
