"""Facts of 3D-R2N2: the published sizes, the recurrent unit by hand, several pictures, the components of the prior."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from gen3d_core import training
from gen3d_core.data import catalogue, pictures
from gen3d_core.nn.pictures import before_paper, disturbed
from gen3d_core.run import Run
from gen3d_core.system import Noise
from gen3d_core.systems.voxels.r2n2 import CUTS, GRID, R2N2, RESOLUTION, Doubling, Memory, principal_components
from tests.systems import building

TINY: dict[str, Any] = {
    "size": 16,
    "encoder": [4, 6],
    "vector": 8,
    "hidden": 3,
    "decoder": [4, 4],
    "views": 4,
    "latent": 5,
    "components": 2,
}
CPU = torch.device("cpu")


def build(**changes: Any) -> R2N2:
    return building.asleep(R2N2, {**TINY, **changes})


@pytest.fixture(scope="module")
def data() -> dict[str, torch.Tensor]:
    return training.prepare(build(), [catalogue.make("chair", seed) for seed in range(6)], Run([0]))


# The published network


def test_the_published_network_has_the_published_sizes() -> None:
    with torch.device("meta"):
        system = R2N2.from_config(dict(R2N2.presets["paper"]))
        assert isinstance(system, R2N2)
        network = system.network
        flat = [m for m in network.encoder.modules() if isinstance(m, nn.Conv2d)]
        sizes = [(m.in_channels, m.out_channels, m.kernel_size[0]) for m in flat]
        assert sizes == [
            *((3, 96, 7), (96, 96, 3)),
            *((96, 128, 3), (128, 128, 3), (96, 128, 1)),
            *((128, 256, 3), (256, 256, 3), (128, 256, 1)),
            *((256, 256, 3), (256, 256, 3), (256, 256, 1)) * 3,
        ]
        vectors = network.encoder(torch.zeros(2, 3, 127, 127))
        assert vectors.shape == (2, 1024)
        hidden = network.memory(vectors, network.memory.empty(2, torch.device("meta")))
        assert hidden.shape == (2, 128, 4, 4, 4)
        assert network.memory.from_vector.out_features == 3 * 128 * 4**3
        assert all(m.kernel_size == (3, 3, 3) for m in network.memory.modules() if isinstance(m, nn.Conv3d))
        up = [m for m in network.decoder.modules() if isinstance(m, nn.ConvTranspose3d)]
        assert [(m.in_channels, m.out_channels, m.kernel_size[0]) for m in up] == [
            (128, 128, 3),
            (128, 128, 3),
            (128, 64, 3),
        ]
        last = [m.out_channels for m in network.decoder.modules() if isinstance(m, nn.Conv3d)][-4:]
        assert last == [32, 32, 32, 1]
        assert network.decode(hidden).shape == (2, 32, 32, 32)


def test_doubling_by_a_kernel_of_three_is_zeros_between_cells_and_a_convolution() -> None:
    unpooled = torch.zeros(1, 2, 6, 6, 6)
    x = torch.randn(1, 2, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    unpooled[:, :, ::2, ::2, ::2] = x
    layer = Doubling(2, 4, 3).requires_grad_(False).a
    wanted = functional.conv3d(unpooled, layer.weight.transpose(0, 1).flip(2, 3, 4), layer.bias, padding=1)
    assert torch.allclose(layer(x), wanted, atol=1e-5)


# The recurrent unit


def convolved(kernel: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Cross-correlation of grids (C, 4, 4, 4) with kernels (D, C, 3, 3, 3), zeros around; by loops."""
    padded = np.pad(grid, ((0, 0), (1, 1), (1, 1), (1, 1)))
    out = np.zeros((len(kernel), GRID, GRID, GRID))
    for x in range(GRID):
        for y in range(GRID):
            for z in range(GRID):
                block = padded[:, x : x + 3, y : y + 3, z : z + 3]
                out[:, x, y, z] = (kernel * block).sum((1, 2, 3, 4))
    return out


def test_the_recurrent_unit_is_the_published_one() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        unit = Memory(5, 2).requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    x, h = torch.randn(1, 5, generator=generator), torch.randn(1, 2, 4, 4, 4, generator=generator)
    w, b = unit.from_vector.weight.double().numpy(), unit.from_vector.bias.double().numpy()
    linear = (w @ x[0].double().numpy() + b).reshape(3, 2, GRID, GRID, GRID)
    gates, kept = (m.weight.double().numpy() for m in (unit.from_gates, unit.from_kept))
    old = h[0].double().numpy()

    def sigmoid(values: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-values))

    update = sigmoid(linear[0] + convolved(gates[:2], old))
    reset = sigmoid(linear[1] + convolved(gates[2:], old))
    wanted = update * old + (1 - update) * np.tanh(linear[2] + convolved(kept, reset * old))
    np.testing.assert_allclose(unit(x, h)[0].numpy(), wanted, atol=1e-5)


def test_an_open_update_gate_keeps_what_is_known() -> None:
    unit = Memory(3, 1).requires_grad_(False)
    unit.from_vector.weight.zero_()
    unit.from_vector.bias.zero_()
    unit.from_vector.bias[: GRID**3] = 40.0
    h = torch.randn(1, 1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(unit(torch.ones(1, 3), h), h)


# Pictures


def test_each_picture_adds_to_what_is_known() -> None:
    system = build()
    images = torch.as_tensor(pictures.of_asset(catalogue.make("chair", 1), 3, 16, 0))
    one, two, again = (system.from_images(images[:n], Run([0]))[0].values for n in (1, 2, 2))
    assert torch.equal(two, again)
    assert not torch.equal(one, two)


def test_seed_0_is_what_is_seen_and_others_vary_it_less_the_more_is_seen() -> None:
    system = build()
    images = torch.as_tensor(pictures.of_asset(catalogue.make("chair", 1), 1, 16, 0))
    grids: list[torch.Tensor] = []
    system.network.decoder.register_forward_pre_hook(lambda module, inputs: grids.append(inputs[0]))
    for count in (1, 4):
        system.from_images(images.expand(count, -1, -1, -1), Run([0, 1, 2]))
    seen = system.network.look(system._seen(images[None]))
    assert torch.allclose(grids[0][0], seen[0], atol=1e-6)
    moves = [(grid[1:] - grid[:1]).flatten(1).norm(dim=1) for grid in grids]
    assert float(moves[0].min()) > 0
    assert torch.allclose(moves[0], 2 * moves[1], rtol=1e-4)


def test_a_step_shows_one_to_most_pictures(data: dict[str, torch.Tensor]) -> None:
    system = build(most=3)
    counts: list[int] = []
    system.network.encoder.register_forward_pre_hook(lambda module, inputs: counts.append(len(inputs[0]) // 6))
    for seed in range(24):
        for network, loss in system._cross_entropy(data, Noise(seed, CPU)):
            assert network is system.network
            assert torch.isfinite(loss)
    assert set(counts) == {1, 2, 3}


def test_full_cells_weigh_more() -> None:
    system = build(weight=3.0)
    full = torch.ones(1, 1, RESOLUTION, RESOLUTION, RESOLUTION, dtype=torch.bool)
    views = torch.zeros(1, 2, 4, 16, 16, dtype=torch.uint8)
    for parameter in system.network.decoder[-1].parameters():
        parameter.zero_()
    losses = [
        float(loss)
        for voxels in (full, ~full)
        for _, loss in system._cross_entropy({"voxels": voxels, "views": views}, Noise(0, CPU))
    ]
    assert losses == [pytest.approx(3 * np.log(2), rel=1e-5), pytest.approx(np.log(2), rel=1e-5)]


def test_the_background_covers_what_the_object_does_not() -> None:
    images = torch.rand(2, 3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    alpha = images[:, :, 3:]
    white = before_paper(images)
    assert torch.allclose(white[:, :, :3], alpha * images[:, :, :3] + 1 - alpha)
    assert torch.equal(white[:, :, 3:], alpha)
    images[:, :, 3] = 0
    drawn = before_paper(images, Noise(1, CPU))[:, :, :3]
    # One colour a picture, another for each.
    assert torch.allclose(drawn, drawn[..., :1, :1].expand_as(drawn))
    assert len({tuple(colour.tolist()) for colour in drawn[..., 0, 0].reshape(-1, 3)}) == 6
    assert build(silhouette=False)._seen(images).shape[2] == 3


def test_disturbing_changes_colours_and_leaves_the_object_about_where_it_is() -> None:
    images = torch.as_tensor(pictures.of_asset(catalogue.make("chair", 1), 2, 32, 0))[None]
    found = disturbed(images, Noise(2, CPU))
    assert found.shape == images.shape
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    before, after = images[:, :, 3], found[:, :, 3]
    assert 0.6 < float(torch.minimum(before, after).sum() / torch.maximum(before, after).sum()) < 1
    inside = (before > 0.99) & (after > 0.99)
    change = (found - images)[:, :, :3].abs().mean(2)[inside]
    assert float(change.mean()) > 0.01


# The prior


@pytest.mark.parametrize("count", [7, 60])
def test_principal_components_are_those_of_the_singular_values(count: int) -> None:
    generator = torch.Generator().manual_seed(count)
    rows = torch.randn(count, 4, generator=generator) @ torch.randn(4, 20, generator=generator) + 3
    centre, basis, spread = principal_components(rows, 4)
    assert torch.allclose(centre, rows.mean(0), atol=1e-4)
    assert torch.allclose(basis @ basis.T, torch.eye(4), atol=1e-4)
    wanted = torch.linalg.svdvals((rows - rows.mean(0)).double()) / count**0.5
    assert torch.allclose(spread.double(), wanted[:4], rtol=1e-4)
    # Four directions hold all of it.
    assert torch.allclose((rows - centre) @ basis.T @ basis + centre, rows, atol=1e-3)


def test_principal_components_of_too_few_rows_are_finite() -> None:
    centre, basis, spread = principal_components(torch.ones(2, 6), 4)
    assert torch.equal(centre, torch.ones(6))
    assert not basis.any()
    assert bool((spread > 0).all())


def test_latents_and_grids_are_inverse_along_the_components() -> None:
    system = build()
    generator = torch.Generator().manual_seed(0)
    centre, basis, spread = principal_components(torch.randn(40, 3 * 64, generator=generator), 5)
    for name, value in (("centre", centre), ("basis", basis), ("spread", spread)):
        getattr(system, name).copy_(value)
    z = torch.randn(3, 5, generator=generator)
    assert torch.allclose(system._latents(system._grids(z).flatten(1)), z, atol=1e-4)


def test_what_is_measured_describes_the_training_shapes(data: dict[str, torch.Tensor]) -> None:
    system = build()
    state = torch.get_rng_state()
    system._measure(data, Run([0]))
    assert torch.equal(state, torch.get_rng_state())
    assert float(CUTS.min()) <= float(system.threshold) <= float(CUTS.max())
    images = data["views"].float() / 255
    grids = [system.network.look(system._seen(part)).flatten(1) for part in (images[:, :2], images[:, 2:])]
    z = torch.stack([system._latents(grid) for grid in grids], dim=1)
    assert torch.allclose(z.flatten(0, 1).mean(0), torch.zeros(5), atol=1e-3)
    assert torch.allclose(z.flatten(0, 1).std(0, correction=0), torch.ones(5), atol=1e-2)
    # Half the squared difference of two draws is their variance; with one picture it would be twice that of two.
    wanted = ((z[:, 0] - z[:, 1]) ** 2).mean(0)
    assert torch.allclose(system.doubt**2, wanted, rtol=1e-3)
    assert bool((system.surprise(z.mean(1)) < 3).all())


@pytest.mark.slow
def test_a_few_steps_learn_a_chair() -> None:
    system = build(encoder=[8, 8], vector=24, hidden=8, decoder=[8, 8], rate=4e-3, most=2)
    found = training.prepare(system, [catalogue.make("chair", 3)] * 4, Run([0]))
    network = system.network.train().requires_grad_(True)
    optimizer = torch.optim.Adam(network.parameters(), lr=4e-3)
    losses = []
    for step in range(60):
        for _, loss in system._cross_entropy(found, Noise(step, CPU)):
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:3])
