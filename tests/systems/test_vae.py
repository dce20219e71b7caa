"""Facts of the voxel VAE: the published sizes, the bound that is trained, the threshold, completion."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from gen3d_core.data import catalogue
from gen3d_core.families import vae
from gen3d_core.run import Run
from gen3d_core.system import Noise
from gen3d_core.systems.voxels.vae import FULLER, HIDDEN, RESOLUTION, VoxelVAE
from tests.systems import building

TINY = {"channels": [2, 4, 4, 4], "hidden": 8, "latent": 3}


def build(values: dict[str, Any]) -> VoxelVAE:
    return building.asleep(VoxelVAE, values)


@pytest.fixture(scope="module")
def published() -> VoxelVAE:
    return build(dict(VoxelVAE.presets["paper"]))


def test_the_published_network_has_the_published_sizes(published: VoxelVAE) -> None:
    convolutions = [m for m in published.network.convolutions if isinstance(m, nn.Conv3d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0]) for c in convolutions] == [
        (1, 8, 3, 1),
        (8, 16, 3, 2),
        (16, 32, 3, 1),
        (32, 64, 3, 2),
    ]
    lines = [(m.in_features, m.out_features) for m in published.modules() if isinstance(m, nn.Linear)]
    # 64 channels at 7^3 to 343; mean and log-variance of 100; and 343 = 7^3 cells seed the decoder.
    assert lines == [(64 * 7**3, 343), (343, 2 * 100), (100, 343)]
    assert sum(p.numel() for p in published.parameters()) == pytest.approx(7.8e6, rel=0.02)
    assert published.config.weight == 0.97


def test_the_published_decoder_ends_at_the_grid(published: VoxelVAE) -> None:
    assert published.network.decode(torch.zeros(1, 100)).shape == (1, RESOLUTION, RESOLUTION, RESOLUTION)
    mean, log_variance = published.network.encode(torch.zeros(1, 1, 32, 32, 32))
    assert mean.shape == log_variance.shape == (1, 100)


def test_full_and_empty_cells_enter_as_two_and_minus_one() -> None:
    system = build(TINY)
    seen: list[torch.Tensor] = []
    system.network.convolutions.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    x = (torch.rand(1, 1, 32, 32, 32, generator=torch.Generator().manual_seed(0)) > 0.9).float()
    system.network.encode(x)
    assert torch.equal(seen[0], torch.where(x > 0, 2.0, -1.0))


def test_the_loss_is_the_weighted_bound() -> None:
    system = build({**TINY, "weight": 0.9, "kl": 0.7})
    batch = {"voxels": torch.as_tensor(catalogue.make("chair", 1).voxels(RESOLUTION))[None, None]}
    ((network, loss),) = system._bound(batch, Noise(5, torch.device("cpu")))
    assert network is system.network
    x = batch["voxels"].float()
    mean, log_variance = system.network.encode(x)
    z = mean + (log_variance / 2).exp() * Noise(5, torch.device("cpu")).randn(1, 3)
    p = system.network.decode(z).sigmoid().double()
    full = x[:, 0].double()
    missed = -(0.9 * full * p.log() + 0.1 * (1 - full) * (1 - p).log()).sum()
    assert float(loss) == pytest.approx(float(missed + 0.7 * vae.kl_to_standard_normal(mean, log_variance)), rel=1e-4)


@pytest.mark.slow
def test_calibration_gives_drawn_shapes_a_third_more_than_the_occupancy_of_the_data() -> None:
    system = build({**TINY, "components": 3})
    voxels = torch.stack([torch.as_tensor(catalogue.make("chair", i).voxels(RESOLUTION))[None] for i in range(12)])
    # As after a training: probabilities that are spread, not all alike.
    system.network.deconvolutions[-1].weight.mul_(60)  # type: ignore[operator]
    system.network.deconvolutions[-1].bias.zero_()  # type: ignore[operator]
    system._calibrate({"voxels": voxels}, Run([0]))
    drawn = torch.stack([v.occupied for v in system.decode(system.prior(Run(range(256))), Run([0]))])
    assert 0.31 < float(system.threshold) < 0.94
    assert float(drawn.float().mean()) == pytest.approx(FULLER * float(voxels.float().mean()), rel=0.02)


def test_shapes_are_drawn_from_where_the_codes_are() -> None:
    system = build({**TINY, "components": 2, "temperature": 1.0})
    means = torch.tensor([[5.0, 5.0, 5.0], [-5.0, -5.0, -5.0]])
    system.mixture_weights.copy_(torch.tensor([0.9, 0.1]))
    system.mixture_means.copy_(means)
    system.mixture_scales.copy_(0.1 * torch.eye(3).expand(2, 3, 3))
    z = system.prior(Run(range(200)))
    first = (z - means[0]).norm(dim=1) < 1
    assert bool((first | ((z - means[1]).norm(dim=1) < 1)).all())
    assert 0.8 < float(first.float().mean()) < 0.98
    assert float(system.surprise(means).max()) < 0.01 < 10 < float(system.surprise(torch.zeros(1, 3)))


def test_the_threshold_is_kept_with_the_weights() -> None:
    system, other = build(TINY), build(TINY)
    system.threshold.fill_(0.8)
    other.load_state_dict(system.state_dict())
    (voxels,) = other.decode(torch.zeros(1, 3), Run([0]))
    assert voxels.threshold == pytest.approx(0.8)


def test_completion_keeps_every_given_cell() -> None:
    system = build(TINY)
    system.threshold.fill_(0.7)
    chair = catalogue.make("chair", 3)
    given = torch.as_tensor(chair.voxels(RESOLUTION))
    known = torch.zeros(RESOLUTION, RESOLUTION, RESOLUTION, dtype=torch.bool)
    known[:, :, :16] = True
    (completed,) = system.complete(chair, known, Run([0]))
    assert torch.equal(completed.occupied[known], given[known])
    assert given[known].any()


@pytest.mark.parametrize("unseen", [0.0, 0.5])
def test_completion_searches_for_latents_that_explain_what_is_given(
    unseen: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = build({**TINY, "unseen": unseen, "kl": 0.01})
    for layer in system.network.outward.modules():  # an untrained decoder hardly heeds its latent
        if isinstance(layer, nn.Linear):
            layer.weight *= 10
    chair = catalogue.make("chair", 3)
    given = torch.as_tensor(chair.voxels(RESOLUTION)).float()
    known = torch.zeros(RESOLUTION, RESOLUTION, RESOLUTION, dtype=torch.bool)
    known[:, :, :16] = True

    def missed(z: torch.Tensor) -> torch.Tensor:
        logits = system.network.decode(z)[:, known]
        return vae.weighted_bernoulli(logits, given[known].expand_as(logits), system.config.weight)

    latents: list[torch.Tensor] = []
    decode = system.decode
    monkeypatch.setattr(system, "decode", lambda z, run: latents.append(z) or decode(z, run))
    for seed in (1, 2, 1):
        system.complete(chair, known, Run([seed]))
    seen = torch.where(known, given, HIDDEN)[None, None]
    for seed, z in zip((1, 2), latents, strict=False):
        assert float(missed(z)) < float(missed(system._guesses(seen, Run([seed]))).min())
    assert torch.equal(latents[0], latents[2])
    assert not torch.equal(latents[0], latents[1])


def statistics(system: VoxelVAE, chair: Any) -> list[float]:
    """Logarithms of the weighted cross-entropy, the same for each full cell, and the divergence, by hand."""
    x = torch.as_tensor(chair.voxels(RESOLUTION))[None, None].float()
    mean, log_variance = system.network.encode(x)
    p = system.network.decode(mean).sigmoid().double()
    weight = system.config.weight
    missed = -float(torch.where(x[:, 0] > 0, weight * p.log(), (1 - weight) * (1 - p).log()).sum())
    spent = float(vae.kl_to_standard_normal(mean, log_variance))
    return [math.log(missed), math.log(missed / float(x.sum())), math.log(spent)]


@pytest.mark.slow
def test_the_score_is_how_far_three_statistics_lie_above_those_of_the_data() -> None:
    system = build(TINY)
    known, asked = ([catalogue.make("chair", seed) for seed in seeds] for seeds in ((4, 5, 6, 7), (8, 9)))
    grids = torch.stack([torch.as_tensor(chair.voxels(RESOLUTION))[None] for chair in known])
    system._calibrate({"voxels": grids}, Run([0]))
    rows = torch.tensor([statistics(system, chair) for chair in known], dtype=torch.float64)
    mean, deviation = rows.mean(0), rows.std(0, correction=0).clamp_min(0.05)
    for chair, score in zip(asked, system.score(asked, Run([0, 1])), strict=True):
        wanted = (torch.tensor(statistics(system, chair), dtype=torch.float64) - mean) / deviation
        assert float(score) == pytest.approx(float(wanted.mean()), rel=1e-3, abs=1e-4)
    # So the shapes that it was measured on score 0 on average.
    assert float(system.score(known, Run([0] * 4)).mean()) == pytest.approx(0, abs=1e-3)


def test_weights_from_before_scores_were_measured_are_loaded() -> None:
    system, other = build(TINY), build(TINY)
    old = {key: value for key, value in system.state_dict().items() if not key.startswith("oddity")}
    other.load_state_dict(old)
    chair = catalogue.make("chair", 4)
    wanted = sum(statistics(other, chair)) / 3
    assert float(other.score([chair], Run([0]))) == pytest.approx(wanted, rel=1e-3)
