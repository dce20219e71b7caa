"""Facts of 3D DescriptorNet: published sizes, the reference density, what is clamped, chains that persist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from torch.distributions import Bernoulli, MixtureSameFamily, Normal
from torch.distributions.categorical import Categorical
from torch.nn import functional

from gen3d_core import tasks, training
from gen3d_core.data import catalogue
from gen3d_core.families import ebm
from gen3d_core.run import Cancelled, Run
from gen3d_core.system import Noise, Refines, Samples, Scores
from gen3d_core.systems.voxels.descriptor import Descriptor

TINY: dict[str, Any] = {
    "channels": [4, 6, 6],
    "hidden": 6,
    "warm": 0,
    "steps": 4,
    "walk": 8,
    "chains": 6,
    "directions": 4,
}
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _fresh_accelerator() -> Iterator[None]:
    """Each training as in a process of its own."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


class Given:
    """A shape by its cells."""

    def __init__(self, cells: Tensor) -> None:
        self.cells = cells

    def voxels(self, resolution: int) -> Any:
        assert resolution == 32
        return self.cells.numpy()


def build(**changes: Any) -> Descriptor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        system = Descriptor.from_config({**TINY, **changes})
    assert isinstance(system, Descriptor)
    return system.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def chairs() -> Tensor:
    """With shape (12, 32, 32, 32), bool."""
    return torch.stack([torch.as_tensor(catalogue.make("chair", i).voxels(32)) for i in range(12)])


def steep(system: Descriptor) -> Descriptor:
    """The same with a network that moves cells far within few steps."""
    for p in system.network.parameters():
        p.mul_(3)
    return system


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


# The network and the reference density


def test_the_published_network_has_the_published_sizes() -> None:
    system = Descriptor.from_config(Descriptor.presets["paper"])
    assert isinstance(system, Descriptor)
    convolutions = [m for m in system.modules() if isinstance(m, nn.Conv3d)]
    assert [(m.in_channels, m.out_channels, m.kernel_size, m.stride) for m in convolutions] == [
        (1, 200, (16,) * 3, (3,) * 3),
        (200, 100, (6,) * 3, (2,) * 3),
    ]
    # 32 cells in steps of 3, then of 2, rounded up: 11 and 6 along each side.
    (last,) = (m for m in system.modules() if isinstance(m, nn.Linear))
    assert (last.in_features, last.out_features) == (100 * 6**3, 1)
    assert sum(isinstance(m, nn.ReLU) for m in system.modules()) == 2
    config, stage = system.config, system.stages()[0]
    assert (config.sigma, config.steps, config.step, config.rate, stage.batch_size) == (0.5, 20, 0.1, 0.01, 20)
    assert system.jitter == 0
    (optimizer,) = [stage.optimizer(system.network, system.network.parameters())]
    assert optimizer.param_groups[0]["betas"][0] == 0.5
    assert not stage.average
    assert len(system.stages()) == 1
    with torch.no_grad():
        assert system.network(torch.zeros(1, 32, 32, 32)).shape == (1,)


def test_gathered_cells_make_the_same_convolution() -> None:
    network = build().network
    assert network.gathers
    # Weight (C, s^3, k / s, k / s, k / s) as it stands for cells: place within a block, after the block's number.
    weight = network.first.weight.reshape(-1, 2, 2, 2, 2, 2, 2).permute(0, 4, 1, 5, 2, 6, 3).reshape(-1, 1, 4, 4, 4)
    x = randn(2, 32, 32, 32)
    plain = functional.conv3d(x[:, None], weight, network.first.bias, stride=2, padding=1)
    assert torch.allclose(network(x), network.rest(plain)[:, 0], atol=1e-5)


def test_the_energy_sees_every_cell() -> None:
    system = build()
    x = torch.zeros(1, 32, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(system.network(x).sum(), x)
    assert (gradient != 0).all()


def test_the_published_reference_is_a_gaussian_around_the_mean() -> None:
    system = build(cells=False, sigma=0.5, gain=0.0)
    system.mean.copy_(torch.rand(32, 32, 32))
    x = randn(3, 32, 32, 32)
    expected = -Normal(system.mean, 0.5).log_prob(x).sum((1, 2, 3))
    found = system._energy(x)
    assert torch.allclose(found - found[0], expected - expected[0], atol=0.5)


def test_the_reference_of_cells_has_a_peak_for_empty_and_one_for_full() -> None:
    system = build(sigma=0.2, gain=0.0)
    system.mean.copy_(0.05 + 0.9 * torch.rand(32, 32, 32, generator=torch.Generator().manual_seed(1)))
    x = (0.5 + randn(3, 32, 32, 32)).requires_grad_(True)
    weights = torch.stack([1 - system.mean, system.mean], dim=-1)
    peaks = Normal(torch.tensor([0.0, 1.0]).expand_as(weights), torch.tensor(0.2))
    expected = -MixtureSameFamily(Categorical(weights), peaks).log_prob(x).sum((1, 2, 3))
    found = system._energy(x)
    assert torch.allclose(found - found[0], expected - expected[0], atol=0.5)
    (slope,), (wanted,) = (torch.autograd.grad(e.sum(), x, retain_graph=True) for e in (found, expected))
    assert torch.allclose(slope, wanted, atol=1e-2)


def test_data_are_as_noisy_as_the_walk() -> None:
    """On the reference density alone, long walks from the data change neither how noisy they are nor their cells."""
    system = build(gain=0.0)
    full = torch.zeros(2, 32, 32, 32)
    full[:, :16] = 1
    system.mean.copy_(full[0])
    x = full + system.jitter * randn(2, 32, 32, 32)
    run = Run([0, 1])
    reached = system._dynamics(lambda change: change).walk(x, range(60), run.randn, run.rand).x
    assert float((reached - full).std()) == pytest.approx(system.jitter, rel=0.02)
    assert system.jitter > system.config.sigma
    assert float((system._full(reached) != (full >= 0.5)).float().mean()) < 1e-2


# What is clamped


def test_cells_that_are_given_never_change(chairs: Tensor) -> None:
    system = steep(build())
    hidden = torch.rand(2, 32, 32, 32, generator=torch.Generator().manual_seed(0)) < 0.5
    run = Run([3, 4])
    trace = system._walk(chairs[:2].float(), lambda change: change * hidden, run, 10)
    for shape, given, free in zip(trace.shapes, chairs, hidden, strict=False):
        assert torch.equal(shape.values[~free], given.float()[~free])
        assert (shape.values[free] != given.float()[free]).float().mean() > 0.4


def test_refining_keeps_how_full_each_block_is(chairs: Tensor) -> None:
    system = steep(build())
    assert isinstance(system, Refines)
    found = system.refine([Given(chairs[0]), Given(chairs[1])], Run([5]))
    assert len(found) == 2
    for shape, given in zip(found, chairs, strict=False):
        assert shape.resolution == 32
        counts, wanted = (8 * functional.avg_pool3d(x.float()[None], 2) for x in (shape.occupied, given))
        assert torch.equal(counts, wanted)
        # The cells within the blocks are found by the walk, not copied.
        assert not torch.equal(shape.occupied, given)


def test_refined_shapes_depend_on_the_coarse_shape_alone(chairs: Tensor) -> None:
    mirrored = chairs[0].reshape(16, 2, 16, 2, 16, 2).flip(1, 3, 5).reshape(32, 32, 32)
    assert not torch.equal(mirrored, chairs[0])
    a, b = build().refine([Given(chairs[0]), Given(mirrored)], Run([5]))
    assert torch.equal(a.values, b.values)


def test_hidden_regions_are_of_all_kinds_and_leave_something() -> None:
    from gen3d_core.systems.voxels.descriptor import _hidden

    generator = torch.Generator().manual_seed(0)
    hidden = _hidden(torch.rand(200, 8, generator=generator), torch.rand(200, 32, 32, 32, generator=generator))
    share = hidden.float().mean((1, 2, 3))
    assert 0 < float(share.min()) < 0.1
    assert 0.6 < float(share.max()) < 0.9
    whole = sum(hidden.any(axis).all(1).all(1) for axis in (1, 2, 3))
    # Halves reach over two whole axes: seen along the third, nothing of the grid is left.
    assert 60 < int((whole == 1).sum()) < 130


# Learning


def batch(chairs: Tensor) -> dict[str, Tensor]:
    return {"voxels": chairs}


def test_new_chains_start_from_the_mean_and_coarse_covariance_of_the_data(chairs: Tensor) -> None:
    system = build(directions=11)
    system._survey(batch(chairs), Run([0]))
    assert torch.allclose(system.mean, chairs.float().mean(0))
    coarse = functional.avg_pool3d(chairs.float()[:, None], 4).flatten(1).numpy()
    covariance = np.cov(coarse.T, bias=True)
    kept = system.spread.flatten(1).numpy()
    # Twelve shapes span eleven directions: all of the covariance is kept.
    assert np.allclose(kept.T @ kept, covariance, atol=1e-5)


def test_chains_are_kept_as_bits_and_go_on(chairs: Tensor) -> None:
    system = build(shares=(1.0, 0.0), restart=0.0)
    data = system._survey(batch(chairs[:4]), Run([0]))
    slots, _ = system._slots(Noise(0, CPU), 4)
    assert len(set(slots.tolist())) == 4
    everyone = torch.ones(4, dtype=torch.bool)
    system._keep(chairs[:4].float(), slots, everyone, Noise(0, CPU))
    assert torch.equal(system._unpacked(slots).bool(), chairs[:4])
    others = [i for i in range(6) if i not in slots.tolist()]
    assert (system.chains[others] == 255).all()
    before = system.chains.clone()
    next(system._contrast(data, Noise(1, CPU)))
    moved = (system.chains != before).any(1)
    assert int(moved.sum()) == 4


def test_processes_that_share_a_batch_keep_the_same_chains(chairs: Tensor) -> None:
    alone, shared = build(), build()
    persistent = torch.tensor([True, False, True, True])
    slots = torch.tensor([4, 1, 0, 2])
    alone._keep(chairs[:4].float(), slots, persistent, Noise(0, CPU))
    sent: list[Tensor] = []

    def overhear(rows: Tensor) -> Tensor:
        sent.append(rows)
        return rows

    build()._keep(chairs[:2].float(), slots[:2], persistent[:2], Noise(0, CPU, 4, slice(0, 2), overhear))
    rest = Noise(0, CPU, 4, slice(2, 4), lambda rows: rows + sent[0])
    shared._keep(chairs[2:4].float(), slots[2:], persistent[2:], rest)
    assert torch.equal(alone.chains, shared.chains)
    halves = [shared._slots(Noise(5, CPU, 4, part), 2)[0] for part in (slice(0, 2), slice(2, 4))]
    assert torch.equal(torch.cat(halves), shared._slots(Noise(5, CPU), 4)[0])


def test_a_resumed_training_ends_bit_equal(tmp_path: Path, chairs: Tensor) -> None:
    plan = training.Plan(steps={"denoise": 2, "energy": 3}, batch_size=3, device="cpu")
    whole, parts = build(warm=2), build(warm=2)
    training.train(whole, batch(chairs), tmp_path / "whole", plan)
    calls = iter(range(100))
    run = Run([0], on_progress=lambda fraction: next(calls) < 4)
    with pytest.raises(Cancelled):
        training.train(parts, batch(chairs), tmp_path / "parts", plan, run)
    parts = steep(build(warm=2))
    training.train(parts, batch(chairs), tmp_path / "parts", plan)
    assert not (whole.chains == 255).all()
    for (key, a), b in zip(whole.state_dict().items(), parts.state_dict().values(), strict=True):
        assert torch.equal(a, b), key


@pytest.fixture(scope="module")
def trained(chairs: Tensor, tmp_path_factory: pytest.TempPathFactory) -> Descriptor:
    AcceleratorState._reset_state(reset_partial_state=True)
    system = build(steps=8, rate=5e-3, average=0.9)
    plan = training.Plan(steps={"energy": 30}, batch_size=4, device="cpu")
    training.train(system, batch(chairs), tmp_path_factory.mktemp("run"), plan)
    return system


def test_noise_is_more_unusual_than_unseen_chairs(trained: Descriptor, chairs: Tensor) -> None:
    assert isinstance(trained, Scores)
    cells = Bernoulli(torch.full((32, 32, 32), float(chairs.float().mean())))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        noise = [Given(cells.sample().bool()) for _ in range(4)]
    unseen = [catalogue.make("chair", 1000 + i) for i in range(4)]
    usual, unusual = trained.score(unseen, Run(range(4))), trained.score(noise, Run(range(4)))
    assert float(usual.max()) < float(unusual.min())
    standard = trained.score([Given(c) for c in chairs], Run([0]))
    assert float(standard.mean()) == pytest.approx(0, abs=1e-3)
    assert float(standard.std(correction=0)) == pytest.approx(1, abs=1e-3)


def test_score_matching_leads_back_to_the_data(tmp_path: Path, chairs: Tensor) -> None:
    """A step down the energy from noisy chairs ends nearer to them than the reference density alone would lead."""
    system = build(warm=1, warm_rate=1e-2)
    training.train(system, batch(chairs), tmp_path, training.Plan(steps={"denoise": 40, "energy": 0}, device="cpu"))
    x = chairs.float()
    noisy = x + system.jitter * randn(*x.shape)
    with torch.no_grad():
        learned = ebm.denoising_loss(system._energy, noisy, x, system.jitter**2)
        alone = ebm.denoising_loss(system._reference, noisy, x, system.jitter**2)
    assert float(learned) < 0.99 * float(alone)


def test_chains_teach_the_network_what_they_do_wrong(trained: Descriptor, chairs: Tensor) -> None:
    """After a short training the network itself prefers the data to where chains start and to what they reach."""
    noise = Noise(99, CPU)
    start = trained._fresh(noise.randn(12, 4), noise.randn(12, 32, 32, 32))
    x = chairs.float() + trained.jitter * noise.randn(12, 32, 32, 32)
    run = Run(range(12))
    with torch.no_grad():
        reached = trained._dynamics(lambda change: change).walk(start, range(4), run.randn, run.rand).x
        data, begun, ended = (trained.network(y - trained.mean).mean() for y in (x, start, reached))
    assert float(data) > float(begun)
    assert float(data) > float(ended)


# Walks


def test_walks_say_their_energy_and_can_be_cancelled() -> None:
    system = build()
    assert isinstance(system, Samples)
    notes: list[str] = []
    system.sample(Run([1], on_note=notes.append))
    assert len(notes) >= 2
    assert all(note.startswith("energy ") for note in notes)
    seen: list[float] = []

    def until_half(fraction: float) -> bool:
        seen.append(fraction)
        return fraction < 0.5

    with pytest.raises(Cancelled):
        system.sample(Run([1], on_progress=until_half))
    assert seen[-1] < 0.7


def test_a_trace_has_the_energies_of_the_walk(trained: Descriptor) -> None:
    trace = trained.trace(Run([1, 2]))
    assert trace.energies.shape == (trained.config.walk + 1, 2)
    assert len(trace.shapes) == 2
    assert (trace.energies[-1] < trace.energies[0]).all()


def test_the_adjusted_walk_refuses_steps_that_are_too_long() -> None:
    """With steps that overshoot every peak, nothing moves until the noise is switched off."""
    x = torch.zeros(1, 32, 32, 32)
    run = Run([0])
    plain, adjusted = (build(step=0.5, limit=0.0)._dynamics(lambda c: c, adjusted) for adjusted in (False, True))
    assert torch.equal(adjusted.walk(x, range(3), run.randn, run.rand).x, x)
    assert not torch.equal(plain.walk(x, range(3), run.randn, run.rand).x, x)


def test_adjusted_sampling_is_repeatable() -> None:
    system = build(adjusted=True)
    a, b = (next(tasks.sample(system, Run([6]))).representation for _ in range(2))
    assert torch.equal(a.values, b.values)  # type: ignore[attr-defined]
