"""Facts of 3D-GAN: the published sizes, the rule that lets the discriminator rest, uniform latents, one component."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from gen3d_core import training
from gen3d_core.data import catalogue
from gen3d_core.representations import Voxels
from gen3d_core.run import Run
from gen3d_core.system import Noise
from gen3d_core.systems.voxels.gan3d import GAN3D
from tests.systems import building

TINY: dict[str, Any] = {"generator": [4, 4], "discriminator": [2, 4], "latent": 3}
CPU = torch.device("cpu")


def build(**changes: Any) -> GAN3D:
    return building.awake(GAN3D, {**TINY, **changes})


def batch() -> dict[str, torch.Tensor]:
    return {"voxels": torch.stack([torch.as_tensor(catalogue.make("chair", i).voxels(16))[None] for i in range(4)])}


class Judge(nn.Module):
    """Tells dense grids from sparse ones, rightly (sign 1) or wrongly (sign -1)."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.sign = nn.Parameter(torch.tensor(sign))

    def forward(self, voxels: torch.Tensor) -> torch.Tensor:
        return self.sign * (voxels.flatten(1).mean(1) - 0.5)


def test_the_published_networks_have_the_published_sizes() -> None:
    system = build(**GAN3D.presets["paper"]).eval().requires_grad_(False)
    up = [m for m in system.generator.modules() if isinstance(m, nn.ConvTranspose3d)]
    assert [(m.in_channels, m.out_channels, m.kernel_size[0]) for m in up] == [
        (200, 512, 4),
        (512, 256, 4),
        (256, 128, 4),
        (128, 64, 4),
        (64, 1, 4),
    ]
    down = [m for m in system.discriminator.modules() if isinstance(m, nn.Conv3d)]
    assert [m.out_channels for m in down] == [64, 128, 256, 512, 1]
    grids = system.generator(torch.zeros(1, 200))
    assert grids.shape == (1, 1, 64, 64, 64)
    assert system.discriminator(grids).shape == (1,)
    assert (system.config.rates, system.config.rule, system.config.threshold) == ((2.5e-3, 1e-5), 0.8, 0.1)


@pytest.mark.parametrize(("sign", "plays"), [(1.0, 1), (-1.0, 2)])
def test_the_discriminator_rests_while_it_is_right(sign: float, plays: int) -> None:
    system = build()
    system.discriminator = Judge(sign)  # type: ignore[assignment]
    full = {"voxels": torch.ones(4, 1, 16, 16, 16, dtype=torch.bool)}
    players = [network for network, _ in system._play(full, Noise(0, CPU))]
    assert players == [system.discriminator, system.generator][-plays:]


@pytest.mark.parametrize(("rule", "learns"), [(0.0, False), (1.1, True)])
def test_a_resting_discriminator_does_not_move_in_training(tmp_path: Path, rule: float, learns: bool) -> None:
    system = build(rule=rule)
    before = {name: p.clone() for name, p in system.named_parameters()}
    training.train(system, batch(), tmp_path, training.Plan(steps={"gan": 3}, batch_size=4, device="cpu"))
    moved = {name.split(".")[0] for name, p in system.named_parameters() if not torch.equal(p, before[name])}
    assert moved == ({"generator", "discriminator"} if learns else {"generator"})


def test_the_discriminator_never_steps_through_the_generator() -> None:
    system = build(rule=1.1)
    _, loss = next(system._play(batch(), Noise(0, CPU)))
    assert all(g is None for g in torch.autograd.grad(loss, list(system.generator.parameters()), allow_unused=True))


def test_latents_are_uniform_and_stay_in_their_cube() -> None:
    system = build()
    z = system.prior(Run(list(range(500))))
    assert z.shape == (500, 3)
    assert float(z.min()) >= 0
    assert float(z.max()) <= 1
    assert abs(float(z.mean()) - 0.5) < 0.04
    assert float(z.std()) == pytest.approx(1 / 12**0.5, abs=0.02)
    assert system.restrict(torch.tensor([[-1.0, 0.3, 2.0]])).tolist() == [[0.0, pytest.approx(0.3), 1.0]]


def test_shapes_are_their_largest_component() -> None:
    class Blobs(nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            grid = torch.full((len(z), 1, 16, 16, 16), -4.0)
            grid[:, :, 1:5, 1:5, 1:5] = 4.0
            grid[:, :, 8:10, 8:10, 8:10] = 4.0
            return grid

    system = build()
    system.generator = Blobs()  # type: ignore[assignment]
    (shape,) = system.decode(torch.zeros(1, 3), Run([0]))
    assert isinstance(shape, Voxels)
    assert int(shape.occupied.sum()) == 4**3
    assert bool(shape.occupied[2, 2, 2])


@pytest.mark.slow
def test_drawn_shapes_are_cut_to_be_as_full_as_the_data() -> None:
    system, data = build().requires_grad_(False), batch()
    last = next(layer for layer in reversed(list(system.generator.modules())) if isinstance(layer, nn.ConvTranspose3d))
    assert last.bias is not None
    last.weight *= 10
    last.bias.fill_(-2.0)
    system.eval()._measure(data, Run([0]))
    cells = torch.stack([system._logits(system.prior(Run([i]))).sigmoid() >= system.threshold for i in range(256)])
    assert 0.31 < float(system.threshold) < 0.89
    assert float(cells.float().mean()) == pytest.approx(float(data["voxels"].float().mean()), rel=0.02)
    fixed = build(threshold=0.1).eval().requires_grad_(False)
    fixed._measure(data, Run([0]))
    assert float(fixed.threshold) == pytest.approx(0.1)


def test_weights_from_before_the_threshold_was_measured_can_be_loaded() -> None:
    system = build(threshold=0.4)
    state = {name: value for name, value in system.state_dict().items() if name != "threshold"}
    build(threshold=0.4).load_state_dict(state)


def test_features_are_pooled_activations_of_fixed_length() -> None:
    system = build().eval()
    features = system.features([catalogue.make("chair", 1), catalogue.make("table", 1)], Run([0, 1]))
    # Two blocks, each at 2^3.
    assert features.shape == (2, (2 + 4) * 2**3)
    assert not torch.equal(features[0], features[1])


def test_the_misfit_is_one_minus_the_overlap() -> None:
    system = build().eval()
    chair = catalogue.make("chair", 2)
    known = torch.zeros(16, 16, 16, dtype=torch.bool)
    known[:, :8] = True
    z = torch.rand(2, 3, generator=torch.Generator().manual_seed(0))
    p = system.generator(z).sigmoid()[:, 0][:, known]
    wanted = torch.as_tensor(chair.voxels(16))[known].float()
    expected = [1 - 2 * float((q * wanted).sum()) / float((q + wanted).sum()) for q in p.detach()]
    assert system.misfit(chair, known)(z).tolist() == pytest.approx(expected, rel=1e-5)
