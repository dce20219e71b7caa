"""Boltzmann machines against the enumeration of all their states, convolutional ones against dense ones."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from gen3d_core.families import rbm

VISIBLE, HIDDEN = 5, 4


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def uniform(seed: int) -> rbm.Uniform:
    numbers = generator(seed)
    return lambda p: torch.rand(p.shape, generator=numbers, dtype=p.dtype)


def random_weights(machine: rbm.RBM, seed: int = 0, size: float = 0.8) -> rbm.RBM:
    numbers = generator(seed)
    with torch.no_grad():
        for p in machine.parameters():
            p.copy_(size * torch.randn(p.shape, generator=numbers))
    return machine.double()


def all_states(count: int) -> Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=count)), dtype=torch.float64)


def table(machine: rbm.RBM, visible: Tensor) -> Tensor:
    """-E of every pair of the given visible states and all hidden ones, from the definition."""
    hidden = all_states(HIDDEN)
    w, c, b = machine.weight, machine.hidden_bias, machine.visible_bias
    pairs = torch.einsum("hj,ji,vi->vh", hidden, w, visible)
    return pairs + (hidden @ c)[None] + (visible @ b)[:, None]


def exact_gradient(machine: rbm.RBM, data: Tensor) -> list[Tensor]:
    """Of the mean negative log-likelihood, the partition function summed over all states."""
    likelihood = table(machine, data).logsumexp(1) - table(machine, all_states(VISIBLE)).logsumexp((0, 1))
    return list(torch.autograd.grad(-likelihood.mean(), list(machine.parameters())))


def some_data() -> Tensor:
    return (torch.rand(6, VISIBLE, generator=generator(3)) < 0.5).double()


def test_energies_and_free_energies_are_those_of_the_definition() -> None:
    machine = random_weights(rbm.RBM((VISIBLE,), HIDDEN))
    visible = all_states(VISIBLE)
    wanted = table(machine, visible)
    for k, h in enumerate(all_states(HIDDEN)):
        assert torch.allclose(machine.energy(visible, h.expand(len(visible), -1)), -wanted[:, k])
    assert torch.allclose(machine.free_energy(visible), -wanted.logsumexp(1))


def test_conditionals_are_those_of_the_enumeration() -> None:
    machine = random_weights(rbm.RBM((VISIBLE,), HIDDEN))
    visible, hidden = all_states(VISIBLE), all_states(HIDDEN)
    joint = table(machine, visible).exp()
    assert torch.allclose(machine.up(visible), joint @ hidden / joint.sum(1, keepdim=True))
    assert torch.allclose(machine.down(hidden), joint.T @ visible / joint.sum(0)[:, None])


def test_the_surrogate_has_the_gradient_of_the_likelihood_where_chains_are_exact() -> None:
    """All visible states, each as often as the model has it, stand for chains that ran for ever."""
    machine = random_weights(rbm.RBM((VISIBLE,), HIDDEN))
    data, states = some_data(), all_states(VISIBLE)
    with torch.no_grad():
        p = (-machine.free_energy(states)).softmax(0)
        h_data, h_model = machine.up(data), machine.up(states)
    loss = machine.energy(data, h_data).mean() - (p * machine.energy(states, h_model)).sum()
    found = torch.autograd.grad(loss, list(machine.parameters()))
    for a, b in zip(found, exact_gradient(machine, data), strict=True):
        assert torch.allclose(a, b, atol=1e-12)


def test_long_chains_find_the_gradient_of_the_likelihood() -> None:
    machine = random_weights(rbm.RBM((VISIBLE,), HIDDEN))
    data = some_data()
    many = data.repeat(1500, 1)
    loss = rbm.contrastive_divergence(machine, many, uniform(1), steps=30, probabilities=False).loss
    found = torch.autograd.grad(loss, list(machine.parameters()))
    exact = exact_gradient(machine, data)
    for a, b in zip(found, exact, strict=True):
        assert torch.allclose(a, b, atol=0.03)
    # One step is biased, by more than what sampling 9,000 chains leaves open: it is not the same estimate.
    short = rbm.contrastive_divergence(machine, many, uniform(1), steps=1, probabilities=False).loss
    biased = torch.autograd.grad(short, list(machine.parameters()))
    assert max(float((a - b).abs().max()) for a, b in zip(biased, exact, strict=True)) > 0.045


def test_one_step_is_exact_in_its_positive_phase_and_expected_in_its_negative() -> None:
    """The mean of CD-1 over all hidden samples, enumerated, is what many draws give."""
    machine = random_weights(rbm.RBM((VISIBLE,), HIDDEN))
    data = some_data()[:2]
    hidden = all_states(HIDDEN)
    with torch.no_grad():
        on = machine.up(data)
        weights = (hidden[:, None] * on + (1 - hidden[:, None]) * (1 - on)).prod(2)
        chain = machine.down(hidden)
        positive = on.T @ data / len(data)
        again = machine.up(chain)
        negative = torch.einsum("kb,kj,ki->ji", weights, again, chain) / len(data)
    many = data.repeat(6000, 1)
    loss = rbm.contrastive_divergence(machine, many, uniform(2)).loss
    (found,) = torch.autograd.grad(loss, [machine.weight])
    assert torch.allclose(found, negative - positive, atol=0.02)


def test_persistent_chains_give_the_gradient_of_the_likelihood_once_they_have_run() -> None:
    machine = random_weights(rbm.RBM((VISIBLE,), HIDDEN))
    numbers = uniform(5)
    chain = torch.zeros(9000, VISIBLE, dtype=torch.float64)
    with torch.no_grad():
        for _ in range(30):
            chain = machine.draw_visible(machine.draw_hidden(chain, numbers), numbers)
    loss = rbm.persistent_contrast(machine, some_data(), chain).loss
    found = torch.autograd.grad(loss, list(machine.parameters()))
    for a, b in zip(found, exact_gradient(machine, some_data()), strict=True):
        assert torch.allclose(a, b, atol=0.03)


CONVOLUTIONS = [
    # Kernel and stride of the three published layers in small: folded, strided and plain.
    {"channels": 1, "side": 8, "maps": 3, "kernel": 4, "stride": 2, "padding": 1},
    {"channels": 2, "side": 5, "maps": 3, "kernel": 3, "stride": 2, "padding": 0},
    {"channels": 2, "side": 3, "maps": 4, "kernel": 2, "stride": 1, "padding": 0},
]


@pytest.mark.parametrize("sizes", CONVOLUTIONS)
def test_a_convolutional_machine_is_a_dense_one_with_shared_weights(sizes: dict[str, int]) -> None:
    machine = random_weights(rbm.ConvRBM(**sizes), size=0.5)
    assert isinstance(machine, rbm.ConvRBM)
    units, cells = torch.Size(machine.hidden).numel(), torch.Size(machine.visible).numel()
    # The dense weights, one visible unit at a time, by torch's own convolution on the padded grid.
    basis = torch.eye(cells, dtype=torch.float64).unflatten(1, machine.visible)
    columns = functional.conv3d(basis, machine.weight, stride=sizes["stride"], padding=sizes["padding"])
    dense = rbm.RBM((cells,), units).double()
    with torch.no_grad():
        dense.weight.copy_(columns.flatten(1).T)
        dense.hidden_bias.copy_(machine.hidden_bias.repeat_interleave(machine.positions))
        dense.visible_bias.copy_(machine.visible_bias.flatten())
    v = (torch.rand(3, *machine.visible, generator=generator(7)) < 0.4).double()
    h = (torch.rand(3, *machine.hidden, generator=generator(8)) < 0.4).double()
    flat_v, flat_h = v.flatten(1), h.flatten(1)
    assert torch.allclose(machine.energy(v, h), dense.energy(flat_v, flat_h))
    assert torch.allclose(machine.free_energy(v), dense.free_energy(flat_v))
    assert torch.allclose(machine.up(v).flatten(1), dense.up(flat_v))
    assert torch.allclose(machine.down(h).flatten(1), dense.down(flat_h))


def test_kernels_that_do_not_tile_are_refused() -> None:
    with pytest.raises(ValueError, match="do not tile"):
        rbm.ConvRBM(1, 8, 2, 5, 2)


def labelled(drive: float = 1.0) -> rbm.LabelledRBM:
    machine = random_weights(rbm.LabelledRBM(3, 3, HIDDEN, drive))
    assert isinstance(machine, rbm.LabelledRBM)
    return machine


def states_with_labels() -> Tensor:
    """All binary states with each of the labels: what the label units allow."""
    units, labels = all_states(3), torch.eye(3, dtype=torch.float64)
    return torch.cat([units.repeat_interleave(3, 0), labels.repeat(len(units), 1)], dim=1)


def test_the_label_given_the_hidden_units_is_one_softmax() -> None:
    machine = labelled()
    states, hidden = states_with_labels(), all_states(HIDDEN)
    joint = table(machine, states).exp()
    assert torch.allclose(machine.down(hidden), joint.T @ states / joint.sum(0)[:, None])


def test_drawn_labels_are_one_hot_and_as_frequent_as_they_should_be() -> None:
    machine = labelled()
    h = all_states(HIDDEN)[5].expand(20000, -1)
    drawn = machine.draw_visible(h, uniform(9))
    assert torch.equal(drawn.unique(), torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert torch.equal(drawn[:, 3:].sum(1), torch.ones(20000, dtype=torch.float64))
    assert torch.allclose(drawn.mean(0), machine.down(h[:1])[0], atol=0.015)
    # Rounding must not leave a state without label.
    last = machine.draw_visible(h[:1], lambda p: torch.full_like(p, 1 - 1e-16))
    assert last[0, 3:].sum() == 1


@pytest.mark.parametrize("drive", [1.0, 10.0])
def test_free_energies_are_those_of_each_label(drive: float) -> None:
    machine = labelled(drive)
    found = machine.free_energies(all_states(3)).flatten()
    exact = rbm.RBM((6,), HIDDEN).double()
    exact.load_state_dict(machine.state_dict())
    with torch.no_grad():
        exact.weight[:, 3:] *= drive
    assert torch.allclose(found, -table(exact, states_with_labels()).logsumexp(1))


def test_the_label_is_driven_on_the_way_up_alone() -> None:
    plain, driven = labelled(), labelled(10.0)
    states = states_with_labels()
    logits = plain.hidden_bias + states[:, :3] @ plain.weight[:, :3].T + 10 * states[:, 3:] @ plain.weight[:, 3:].T
    assert torch.allclose(driven.up(states), logits.sigmoid())
    assert torch.equal(driven.down(all_states(HIDDEN)), plain.down(all_states(HIDDEN)))
    without = torch.cat([all_states(3), torch.zeros(8, 3, dtype=torch.float64)], dim=1)
    assert torch.allclose(driven.up(without), plain.up(without))


def test_sparsity_moves_hidden_biases_towards_their_target() -> None:
    machine = random_weights(rbm.ConvRBM(**CONVOLUTIONS[2]))
    p = machine.up(torch.rand(4, *machine.visible, generator=generator(1), dtype=torch.float64))
    rbm.sparsity(machine, p, 0.1).backward()
    assert machine.hidden_bias.grad is not None
    assert torch.allclose(machine.hidden_bias.grad, p.mean((0, 2, 3, 4)) - 0.1)
    assert machine.weight.grad is None


@pytest.mark.slow
def test_momentum_starts_low_and_fast_weights_forget() -> None:
    machine = rbm.RBM((1,), 1)
    with torch.no_grad():
        machine.weight.zero_()
    optimizer = rbm.Momentum(machine, rate=0.1, slow=1, decay=0.0, fading=0.5)
    weight, velocity, fast = 0.0, 0.0, 0.0
    for kept in (0.5, 0.9, 0.9):
        machine.weight.grad = torch.ones(1, 1)
        optimizer.step()
        velocity = kept * velocity - 0.1
        weight, fast = weight + velocity, 0.5 * fast + velocity
        assert float(machine.weight.detach()) == pytest.approx(weight)
        before = machine.weight.detach().clone()
        with optimizer.hurried():
            assert float(machine.weight.detach()) == pytest.approx(weight + fast)
        assert torch.equal(machine.weight.detach(), before)


def test_visible_biases_learn_as_fast_as_if_their_gradient_were_no_mean() -> None:
    machine = rbm.ConvRBM(**CONVOLUTIONS[1])
    optimizer = rbm.Momentum(machine, rate=0.1, slow=0)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert machine.positions == 8
    assert rates[id(machine.visible_bias)] == pytest.approx(8 * rates[id(machine.weight)])


def test_an_interrupted_momentum_goes_on_as_it_would_have() -> None:
    def steps(machine: rbm.RBM, optimizer: rbm.Momentum, first: int, last: int) -> None:
        for i in range(first, last):
            data = (torch.rand(8, VISIBLE, generator=generator(i)) < 0.5).float()
            optimizer.zero_grad()
            rbm.contrastive_divergence(machine, data, uniform(i)).loss.backward()
            optimizer.step()

    def fresh() -> tuple[rbm.RBM, rbm.Momentum]:
        machine = random_weights(rbm.RBM((VISIBLE,), HIDDEN)).float()
        return machine, rbm.Momentum(machine, 0.1, slow=3, fading=0.9)

    whole, optimizer = fresh()
    steps(whole, optimizer, 0, 6)
    first, before = fresh()
    steps(first, before, 0, 2)
    second, after = fresh()
    second.load_state_dict(first.state_dict())
    after.load_state_dict(before.state_dict())
    steps(second, after, 2, 6)
    for a, b in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
