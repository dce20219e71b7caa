"""Facts of 3D DescriptorNet: published sizes, the reference density, what is clamped, chains that persist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, MixtureSameFamily, Normal
from torch.distributions.categorical import Categorical
from torch.nn import functional

from gen3d_core import tasks, training
from gen3d_core.data import catalogue
from gen3d_core.families import ebm
from gen3d_core.nn import blocks, occupancy
from gen3d_core.run import Cancelled, Run
from gen3d_core.system import Noise, Refines, Samples, Scores
from gen3d_core.systems.voxels.descriptor import Descriptor, Given, _given
from tests.systems import building

pytestmark = pytest.mark.usefixtures("accelerator_anew")

TINY: dict[str, Any] = {
    "channels": [4, 6, 6],
    "warm": 0,
    "steps": 4,
    "walk": 8,
    "onward": 6,
    "chains": 6,
    "directions": 4,
}
CPU = torch.device("cpu")


class Cells:
    """A shape by its cells."""

    def __init__(self, cells: Tensor) -> None:
        self.cells = cells

    def voxels(self, resolution: int) -> Any:
        assert resolution == 32
        return self.cells.numpy()


def build(**changes: Any) -> Descriptor:
    return building.asleep(Descriptor, {**TINY, **changes})


@pytest.fixture(scope="module")
def chairs() -> Tensor:
    """With shape (12, 32, 32, 32), bool."""
    return torch.stack([torch.as_tensor(catalogue.make("chair", i).voxels(32)) for i in range(12)])


def steep(system: Descriptor) -> Descriptor:
    """The same with a network that moves cells far within few steps."""
    generator = torch.Generator().manual_seed(1)
    for p in system.network.parameters():
        p.add_(0.3 * torch.randn(p.shape, generator=generator))
    return system


def published(**changes: Any) -> Descriptor:
    """The published rules with a small network."""
    small = {"channels": [4, 6], "kernels": [8, 4], "strides": [4, 2], "walk": 8, "onward": 6, "steps": 4, "chains": 6}
    return build(**{**Descriptor.presets["paper"], **small, **changes})


def nothing(x: Tensor) -> Given:
    return _given(x, torch.ones_like(x, dtype=torch.bool))


def at(x: Tensor, deviation: float) -> Tensor:
    return torch.full((len(x), 1, 1, 1), deviation)


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
    (optimizer,) = [stage.optimizer(system.network, system.network.parameters())]
    assert optimizer.param_groups[0]["betas"][0] == 0.5
    assert not stage.average
    assert len(system.stages()) == 1
    with torch.no_grad():
        assert system.network(torch.zeros(1, 32, 32, 32)).shape == (1,)


def test_the_energy_sees_every_cell() -> None:
    for system in (steep(build()), published()):
        x = torch.zeros(1, 32, 32, 32, requires_grad=True)
        (gradient,) = torch.autograd.grad(system._tilt(x, at(x, 0.5), torch.zeros_like(x)).sum(), x)
        assert (gradient != 0).all()


def test_cells_far_apart_are_judged_together() -> None:
    """The slope of the energy at one corner depends on what the opposite corner holds."""
    system = steep(build())
    x = torch.zeros(2, 32, 32, 32)
    x[1, -2:, -2:, -2:] = 3
    x.requires_grad_(True)
    (slope,) = torch.autograd.grad(system._tilt(x, at(x, 0.5), torch.zeros_like(x)).sum(), x)
    assert not torch.equal(slope[0, :2, :2, :2], slope[1, :2, :2, :2])


def test_the_published_reference_is_a_gaussian_around_the_mean() -> None:
    system = published()
    system.mean.copy_(torch.rand(32, 32, 32))
    x = randn(3, 32, 32, 32)
    expected = -Normal(system.mean, 0.5).log_prob(x).sum((1, 2, 3))
    found = system._reference(x, at(x, 0.5), torch.zeros_like(x))
    assert torch.allclose(found - found[0], expected - expected[0], atol=0.5)


@pytest.mark.parametrize("deviation", [0.3, 1.5])
def test_the_reference_has_a_peak_for_empty_and_one_for_full(deviation: float) -> None:
    system = build()
    system.mean.copy_(0.05 + 0.9 * torch.rand(32, 32, 32, generator=torch.Generator().manual_seed(1)))
    x = (0.5 + randn(3, 32, 32, 32)).requires_grad_(True)
    given = 2 * randn(3, 32, 32, 32).flip(1)
    full = (system.mean.logit() + given).sigmoid()
    peaks = Normal(torch.tensor([0.0, 1.0]).expand(*full.shape, 2), torch.tensor(deviation))
    mixture = MixtureSameFamily(Categorical(torch.stack([1 - full, full], dim=-1)), peaks)
    expected = -mixture.log_prob(x).sum((1, 2, 3))
    found = system._reference(x, at(x, deviation), given)
    (slope,), (wanted,) = (torch.autograd.grad(e.sum(), x) for e in (found, expected))
    assert torch.allclose(slope, wanted, atol=1e-2)


def test_one_network_serves_all_noise() -> None:
    """With f the cumulant generating function of data, less that of independent cells, x - s^2 dU/dx is the mean of
    the data that x may be a noisy one of, whatever s: here of two shapes, where that mean is known."""
    system = build()
    shapes = torch.stack([randn(32, 32, 32) > 1, randn(32, 32, 32) < -1]).float()
    system.mean.copy_(shapes.mean(0))

    class Exact(nn.Module):
        def forward(self, odds: Tensor, usual: Tensor) -> Tensor:
            whole = torch.logsumexp(odds.flatten(1) @ shapes.flatten(1).T, dim=1)
            return whole - functional.softplus(usual + odds).flatten(1).sum(1)

    system.network = Exact()
    deviation = torch.tensor([10.0, 40.0])[:, None, None, None]
    # Between the two, a little nearer to one of them: at such noise either may be meant.
    towards = torch.tensor([0.51, 0.4])[:, None, None, None]
    x = towards * shapes[0] + (1 - towards) * shapes[1]
    found = x - system._annealing(nothing(x)).at(x, deviation).drift
    distances = (x[:, None] - shapes).flatten(2).square().sum(2)
    weights = (-distances / (2 * deviation.flatten()[:, None] ** 2)).softmax(1)
    assert float(weights.min()) > 0.05
    assert float((weights - 0.5).abs().min()) > 0.1
    assert torch.allclose(found, torch.einsum("bk,kxyz->bxyz", weights, shapes), atol=0.02)


# What is clamped


def test_cells_that_are_given_never_change(chairs: Tensor) -> None:
    hidden = torch.rand(2, 32, 32, 32, generator=torch.Generator().manual_seed(0)) < 0.5
    for system in (steep(build()), published()):
        x, given = chairs[:2].float(), _given(chairs[:2].float(), hidden)
        dynamics = system._langevin(given) if system.published else system._annealing(given)
        start = x + given.free(randn(2, 32, 32, 32))
        if isinstance(dynamics, ebm.Langevin):
            reached = dynamics.walk(start, range(4), lambda *s: randn(2, *s), lambda *s: randn(2, *s)).x
        else:
            reached = dynamics.walk(start, [at(x, s) for s in (1.0, 0.6, 0.4)], lambda *s: randn(2, *s)).x
        assert torch.equal(reached[~hidden], x[~hidden])
        assert (reached[hidden] != start[hidden]).float().mean() > 0.9


def test_completed_shapes_keep_what_is_given(chairs: Tensor) -> None:
    known = torch.zeros(32, 32, 32, dtype=torch.bool)
    known[:16] = True
    for system in (steep(build()), published()):
        (shape,) = system.complete(Cells(chairs[0]), known, Run([2]))
        assert torch.equal(shape.occupied[known], chairs[0][known])
        assert not torch.equal(shape.occupied, chairs[0])


def test_odds_in_blocks_know_the_mean_of_blocks_and_no_more(chairs: Tensor) -> None:
    x = chairs[:2].float()
    odds = _given(x, torch.zeros_like(chairs[:2]), torch.ones(2, dtype=torch.bool)).odds
    shares = blocks.means(x)
    assert torch.equal(odds, _given(shares, torch.zeros_like(chairs[:2]), torch.ones(2, dtype=torch.bool)).odds)
    assert (odds[shares == 1] == 6).all()
    assert (odds[shares == 0] == -6).all()
    partly = (shares > 0) & (shares < 1)
    assert float(odds[partly].abs().max()) < 3
    # Interpolated, they tell full cells of a block from empty ones.
    assert float(odds[partly & (x == 1)].mean()) > float(odds[partly & (x == 0)].mean()) + 0.3


def test_refining_keeps_how_full_each_block_is(chairs: Tensor) -> None:
    system = steep(build())
    assert isinstance(system, Refines)
    found = system.refine([Cells(chairs[0]), Cells(chairs[1])], Run([5]))
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
    a, b = build().refine([Cells(chairs[0]), Cells(mirrored)], Run([5]))
    assert torch.equal(a.values, b.values)


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
    system._keep(chairs[:4], slots, everyone, Noise(0, CPU))
    assert torch.equal(system._kept(slots).bool(), chairs[:4])
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
    alone._keep(chairs[:4], slots, persistent, Noise(0, CPU))
    sent: list[Tensor] = []

    def overhear(rows: Tensor) -> Tensor:
        sent.append(rows)
        return rows

    build()._keep(chairs[:2], slots[:2], persistent[:2], Noise(0, CPU, 4, slice(0, 2), overhear))
    rest = Noise(0, CPU, 4, slice(2, 4), lambda rows: rows + sent[0])
    shared._keep(chairs[2:4], slots[2:], persistent[2:], rest)
    assert torch.equal(alone.chains, shared.chains)
    halves = [shared._slots(Noise(5, CPU, 4, part), 2)[0] for part in (slice(0, 2), slice(2, 4))]
    assert torch.equal(torch.cat(halves), shared._slots(Noise(5, CPU), 4)[0])


@pytest.mark.slow
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


@pytest.mark.slow
def test_noise_is_more_unusual_than_unseen_chairs(tmp_path: Path, chairs: Tensor) -> None:
    trained = build(steps=8, rate=5e-3, average=0.9, weight=1.0)
    training.train(trained, batch(chairs), tmp_path, training.Plan(steps={"energy": 30}, batch_size=4, device="cpu"))
    assert isinstance(trained, Scores)
    assert (trained.chains < 255).any()
    cells = Bernoulli(torch.full((32, 32, 32), float(chairs.float().mean())))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        noise = [Cells(cells.sample().bool()) for _ in range(4)]
    unseen = [catalogue.make("chair", 1000 + i) for i in range(4)]
    usual, unusual = trained.score(unseen, Run(range(4))), trained.score(noise, Run(range(4)))
    assert float(usual.max()) < float(unusual.min())
    standard = trained.score([Cells(c) for c in chairs], Run([0]))
    assert float(standard.mean()) == pytest.approx(0, abs=1e-3)
    assert float(standard.std(correction=0)) == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
def test_score_matching_leads_back_to_the_data(tmp_path: Path, chairs: Tensor) -> None:
    """A step down the energy from noisy chairs ends nearer to them than the reference density alone would lead."""
    system = build(warm=1, warm_rate=1e-2)
    training.train(system, batch(chairs), tmp_path, training.Plan(steps={"denoise": 40, "energy": 0}, device="cpu"))
    x = chairs.float()
    zeros = torch.zeros_like(x)
    for deviation in (0.3, 1.0):
        noisy = x + deviation * randn(*x.shape)
        learned, alone = (
            ebm.denoising_loss(lambda y, e=e, s=deviation: e(y, at(y, s), zeros), noisy, x, deviation**2)
            for e in (system._energy, system._reference)
        )
        assert float(learned.detach()) < 0.97 * float(alone.detach()), deviation


@pytest.mark.slow
@pytest.mark.parametrize("make", [build, published])
def test_chains_teach_the_network_what_they_do_wrong(chairs: Tensor, make: Any) -> None:
    """A small step down the loss of chains lifts the data above where the chains went."""
    system = make(weight=1.0, warm=0)
    data = system._survey(batch(chairs), Run([0]))
    system.network.requires_grad_(True)

    def loss() -> Tensor:
        system.chains.fill_(255)
        return next(system._contrast(data, Noise(3, CPU)))[1]

    before = loss()
    before.backward()
    with torch.no_grad():
        gradients = [p.grad for p in system.network.parameters() if p.grad is not None]
        rate = 1e-3 / max(float(g.abs().max()) for g in gradients)
        for p in system.network.parameters():
            if p.grad is not None:
                p.sub_(rate * p.grad)
    assert float(loss().detach()) < float(before.detach())
    assert (system.chains < 255).any()


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


def test_a_trace_has_the_energies_of_the_walk(chairs: Tensor) -> None:
    """It goes on with a kept chain; where none is kept, a new one begins."""
    system = build()
    system.chains[:2] = occupancy.packed(chairs[:2])
    trace = system.trace(Run([1, 2]))
    assert trace.energies.shape == (system.config.onward + 1, 2)
    assert len(trace.shapes) == 2
    system.chains.fill_(255)
    trace = system.trace(Run([1, 2]))
    assert trace.energies.shape == (system.config.walk + 1, 2)


def test_walks_lose_their_noise_and_end_at_the_mean() -> None:
    """Without a network a walk draws independent cells; what is shown has no noise."""
    system = build()
    full = torch.zeros(2, 32, 32, 32)
    full[:, :16] = 1
    system.mean.copy_(full[0])
    trace = system._walk(full.flip(1), nothing(full), 2.5, 8, Run([1, 2]))
    assert len(trace.energies) == 9
    values = torch.stack([shape.values for shape in trace.shapes])
    assert float((values - full).abs().mean()) < 0.01


def test_a_published_walk_from_far_away_goes_down() -> None:
    system = published()
    far = 3 * randn(2, 32, 32, 32)
    trace = system._walk(far, nothing(far), 0.0, 8, Run([1, 2]))
    assert (trace.energies[-1] < trace.energies[0]).all()


def test_the_adjusted_walk_refuses_steps_that_are_too_long() -> None:
    x = torch.zeros(1, 32, 32, 32)
    run = Run([0])
    plain, adjusted = (published(step=1.0)._langevin(nothing(x), adjusted) for adjusted in (False, True))
    assert torch.equal(adjusted.walk(x, range(3), run.randn, run.rand).x, x)
    assert not torch.equal(plain.walk(x, range(3), run.randn, run.rand).x, x)


def test_adjusted_sampling_is_repeatable() -> None:
    system = published(adjusted=True)
    a, b = (next(tasks.sample(system, Run([6]))).representation for _ in range(2))
    assert torch.equal(a.values, b.values)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_learns_in_half_precision() -> None:
    # At the usual widths: with some, PyTorch's kernels for second derivatives end the process on processors with AMX.
    torch.manual_seed(0)
    system = Descriptor(Descriptor.Config())
    full = (torch.rand(16, 32, 32, 32) < 0.1).float()
    with torch.autocast("cpu", torch.bfloat16):
        loss = system._matching(full, Noise(0, CPU))
    loss.backward()
    gradients = [p.grad for p in system.network.parameters() if p.grad is not None]
    assert sum(float(g.abs().sum()) for g in gradients) > 0
    assert all(g.isfinite().all() for g in gradients)
