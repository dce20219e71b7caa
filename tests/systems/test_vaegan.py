"""Facts of 3D-VAE-GAN: the published sizes, three losses for three networks, posteriors of one or more pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gen3d_core import training
from gen3d_core.data import catalogue
from gen3d_core.families import vae
from gen3d_core.nn.norms import statistics_anew
from gen3d_core.run import Run
from gen3d_core.system import Noise
from gen3d_core.systems.voxels.vaegan import CUTS, VAEGAN, Encoder
from tests.systems import building

TINY: dict[str, Any] = {
    "size": 16,
    "encoder": [4, 6],
    "kernels": [5, 5, 4],
    "strides": [2, 2, 1],
    "generator": [4, 4],
    "discriminator": [2, 4],
    "latent": 3,
    "views": 3,
    "components": 2,
}
CPU = torch.device("cpu")


def build(**changes: Any) -> VAEGAN:
    return building.awake(VAEGAN, {**TINY, **changes})


def asleep(**changes: Any) -> VAEGAN:
    return building.asleep(VAEGAN, {**TINY, **changes})


@pytest.fixture(scope="module")
def data() -> dict[str, torch.Tensor]:
    return training.prepare(build(), [catalogue.make("chair", seed) for seed in range(6)], Run([0]))


def played(system: VAEGAN, batch: dict[str, torch.Tensor], seed: int = 0) -> list[tuple[nn.Module, torch.Tensor]]:
    return list(system._play(batch, Noise(seed, CPU)))


# The published networks


def test_the_published_networks_have_the_published_sizes() -> None:
    with torch.device("meta"):
        system = VAEGAN.from_config(dict(VAEGAN.presets["paper"])).eval()
        assert isinstance(system, VAEGAN)
        layers = [m for m in system.encoder.modules() if isinstance(m, nn.Conv2d)]
        assert [m.kernel_size[0] for m in layers] == [11, 5, 5, 5, 8]
        assert [m.stride[0] for m in layers] == [4, 2, 2, 2, 1]
        assert [m.out_channels for m in layers] == [64, 128, 256, 512, 400]
        sides: list[int] = []
        for layer in layers:
            layer.register_forward_hook(lambda module, inputs, output: sides.append(output.shape[-1]))
        mean, log_variance = system.encoder(torch.zeros(1, 3, 256, 256))
        assert sides == [64, 32, 16, 8, 1]
        assert mean.shape == log_variance.shape == (1, 200)
        up = [m.out_channels for m in system.generator.modules() if isinstance(m, nn.ConvTranspose3d)]
        assert up == [512, 256, 128, 64, 1]
        down = [m.out_channels for m in system.discriminator.modules() if isinstance(m, nn.Conv3d)]
        assert down == [64, 128, 256, 512, 1]
        assert system.generator(mean).shape == (1, 1, 64, 64, 64)
    assert (system.config.divergence, system.config.reconstruction) == (5.0, 1e-4)


# The game


def test_three_losses_and_each_reaches_its_network_alone(data: dict[str, torch.Tensor]) -> None:
    system = build(rule=1.1).train()
    losses = played(system, data)
    assert [network for network, _ in losses] == [system.discriminator, system.encoder, system.generator]
    networks = (system.discriminator, system.encoder, system.generator)

    def reached(loss: torch.Tensor, network: nn.Module) -> bool:
        slopes = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True, allow_unused=True)
        return any(slope is not None and bool(slope.any()) for slope in slopes)

    for network, loss in losses:
        assert reached(loss, network)
    (_, judging), (_, seeing), (_, making) = losses
    assert [reached(judging, network) for network in networks] == [True, False, False]
    # The encoder learns through the generator, and the generator through the discriminator, which do not move then.
    assert [reached(seeing, network) for network in networks] == [False, True, True]
    assert [reached(making, network) for network in networks] == [True, False, True]


def test_the_discriminator_rests_when_it_is_ahead(data: dict[str, torch.Tensor]) -> None:
    system = build(rule=0.0).train()
    assert [network for network, _ in played(system, data)] == [system.encoder, system.generator]


def test_the_encoders_loss_is_the_weighted_sum(data: dict[str, torch.Tensor]) -> None:
    system = asleep(divergence=0.7, reconstruction=0.0)
    found: list[Any] = []
    system.encoder.register_forward_hook(lambda module, inputs, output: found.append(output))
    losses = dict(played(system, data))
    mean, log_variance = found[0]
    spent = vae.kl_to_standard_normal(mean, log_variance).mean()
    assert float(losses[system.encoder]) == pytest.approx(0.7 * float(spent), rel=1e-5)
    with_shape = asleep(divergence=0.7, reconstruction=0.5)
    missed: list[torch.Tensor] = []
    distance = with_shape._distance
    with_shape._distance = lambda *grids: missed.append(distance(*grids)) or missed[-1]  # type: ignore[method-assign]
    losses = dict(played(with_shape, data))
    wanted = 0.7 * float(spent) + 0.5 * float(missed[0].mean())
    assert float(losses[with_shape.encoder]) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("euclidean", [True, False])
def test_the_distance_of_shapes(euclidean: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 1, 4, 4, 4, generator=generator)
    full = (torch.rand(2, 1, 4, 4, 4, generator=generator) > 0.7).float()
    found = asleep(euclidean=euclidean, weight=0.8)._distance(logits, full)
    p, x = 1 / (1 + np.exp(-logits.double().numpy())), full.double().numpy()
    if euclidean:
        wanted = np.sqrt(((p - x) ** 2).sum((1, 2, 3, 4)))
    else:
        wanted = -(0.8 * x * np.log(p) + 0.2 * (1 - x) * np.log(1 - p)).sum((1, 2, 3, 4))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5)


def test_each_shape_is_seen_in_any_of_its_pictures() -> None:
    views = torch.arange(3, dtype=torch.uint8)[None, :, None, None, None].expand(4, -1, 4, 2, 2)
    seen = {
        round(float(v) * 255) for seed in range(12) for v in build()._one_each(views, Noise(seed, CPU))[:, 0, 0, 0, 0]
    }
    assert seen == {0, 1, 2}


# Posteriors


def latents(system: VAEGAN) -> list[torch.Tensor]:
    """What the generator is asked for from now on."""
    asked: list[torch.Tensor] = []
    system.generator.register_forward_pre_hook(lambda module, inputs: asked.append(inputs[0]))
    return asked


def test_several_pictures_give_the_mean_of_their_means() -> None:
    system = asleep()
    images = torch.rand(3, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    asked = latents(system)
    system.from_images(images, Run([0]))
    means = system.encoder(system._seen(images[None])[0])[0]
    assert torch.allclose(asked[0][0], means.mean(0), atol=1e-6)
    assert not torch.allclose(means[0], means[1], atol=1e-4)


@pytest.mark.slow
def test_other_seeds_draw_from_the_posterior() -> None:
    system = asleep()
    last = system.encoder.layers[-1]
    assert isinstance(last, nn.Conv2d)
    last.weight.zero_()
    last.bias.copy_(torch.tensor([1.0, 2.0, 3.0, *np.log([0.25, 0.04, 1.0])]))  # type: ignore[union-attr]
    asked = latents(system)
    images = torch.rand(4, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    for count in (1, 4):
        system.from_images(images[:count], Run(range(1, 1201)))
    for drawn, count in zip(asked, (1, 4), strict=True):
        assert torch.allclose(drawn.mean(0), torch.tensor([1.0, 2.0, 3.0]), atol=0.1)
        assert torch.allclose(drawn.std(0), torch.tensor([0.5, 0.2, 1.0]) / count**0.5, rtol=0.1)


def test_log_variances_are_bounded() -> None:
    encoder = Encoder(build().config).eval().requires_grad_(False)
    last = encoder.layers[-1]
    assert isinstance(last, nn.Conv2d)
    last.bias.fill_(1e4)  # type: ignore[union-attr]
    _, log_variance = encoder(torch.zeros(1, 4, 16, 16))
    assert float(log_variance.max()) == 4


# What is measured at the end


def test_batch_statistics_are_measured_anew() -> None:
    norm = nn.BatchNorm2d(2).eval()
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(4, 2, 3, 3, generator=generator) + i for i in range(5)]
    norm.running_mean.fill_(100)  # type: ignore[union-attr]
    with statistics_anew(nn.Sequential(norm)):
        for batch in batches:
            norm(batch)
    wanted = torch.stack([batch.mean((0, 2, 3)) for batch in batches]).mean(0)
    assert torch.allclose(norm.running_mean, wanted, atol=1e-5)  # type: ignore[arg-type]
    assert norm.momentum == 0.1
    assert not norm.training


def test_what_is_measured_describes_the_training_shapes(data: dict[str, torch.Tensor]) -> None:
    system = asleep()
    state = torch.get_rng_state()
    system._measure(data, Run([0]))
    assert torch.equal(state, torch.get_rng_state())
    assert not any(module.training for module in system.modules())
    assert float(CUTS.min()) <= float(system.threshold) <= float(CUTS.max()) + 1e-6
    codes = torch.cat([system.encoder(system._of_bytes(data["views"][:, i]))[0] for i in range(2)])
    assert torch.allclose((system.mixture_weights[:, None] * system.mixture_means).sum(0), codes.mean(0), atol=1e-3)
    z = system.prior(Run(range(64)))
    assert torch.allclose(z.mean(0), codes.mean(0), atol=0.5)
    assert bool((system.surprise(codes) < 4).all())


def test_published_latents_are_standard_normal() -> None:
    system = asleep(components=0, temperature=1.0)
    z = system.prior(Run(range(800)))
    assert torch.allclose(z.mean(0), torch.zeros(3), atol=0.15)
    assert torch.allclose(z.std(0), torch.ones(3), atol=0.1)
    assert float(system.surprise(torch.ones(1, 3))) == pytest.approx(1.0)


def test_features_and_scores_are_the_discriminators() -> None:
    system = asleep()
    chairs = [catalogue.make("chair", seed) for seed in range(3)]
    grids = torch.stack([torch.as_tensor(chair.voxels(16)) for chair in chairs]).float()[:, None]
    assert torch.allclose(system.score(chairs, Run([0])), -system.discriminator(grids))
    found = system.features(chairs, Run([0]))
    assert found.shape == (3, (2 + 4) * 2**3)
    assert torch.allclose(
        found[:, -4 * 8 :], nn.functional.max_pool3d(system.discriminator.activations(grids)[-1], 2).flatten(1)
    )
