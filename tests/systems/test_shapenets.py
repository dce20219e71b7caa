"""Facts of 3D ShapeNets: the published sizes, labels that may be missing, clamped evidence, chains that are resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gen3d_core import training
from gen3d_core.data import catalogue
from gen3d_core.data.grids import Grid
from gen3d_core.errors import BadRequest
from gen3d_core.families import rbm
from gen3d_core.run import Cancelled, Run
from gen3d_core.system import Noise
from gen3d_core.systems.voxels.shapenets import ShapeNets
from tests.systems import building

TINY: dict[str, Any] = {
    "maps": [2, 3, 4],
    "hidden": 6,
    "memory": 8,
    "chains": 4,
    "burn_in": 3,
    "rounds": 3,
    "particles": 2,
}
CPU = torch.device("cpu")
ASSETS = [catalogue.make(category, seed) for seed in range(2) for category in ("chair", "table")]


def build(**changes: Any) -> ShapeNets:
    return building.asleep(ShapeNets, {**TINY, **changes})


def with_memory_of_classes() -> ShapeNets:
    """Chairs turn on the memory's first hidden unit and tables its second; they turn on codes 0-2 and codes 3-5."""
    system = build()
    weight = torch.zeros(8, 8)
    for k in range(2):
        weight[k, 3 * k : 3 * k + 3] = 8.0
        weight[k, 6 + k] = 6.0
    system.memory.weight.copy_(weight)
    system.memory.hidden_bias.copy_(torch.tensor([-30.0] * 2 + [-9.0] * 6))
    system.memory.visible_bias.copy_(torch.tensor([-4.0] * 6 + [0.0] * 2))
    return system


def test_the_published_layers_have_the_published_sizes() -> None:
    with torch.device("meta"):
        system = ShapeNets.from_config(ShapeNets.presets["paper"])
    assert isinstance(system, ShapeNets)
    assert [layer.hidden for layer in system._rbms] == [(48, 13, 13, 13), (160, 5, 5, 5), (512, 2, 2, 2), (1200,)]
    assert [layer.weight.shape[2] for layer in system._rbms[:3]] == [6, 5, 4]
    assert system.memory.weight.shape == (4000, 1200 + 2)
    assert system.memory.drive == 10
    names = [stage.name for stage in system.stages()]
    assert names == ["layer1", "layer2", "layer3", "layer4", "memory"]


def test_the_small_system_is_small() -> None:
    system = ShapeNets.from_config(ShapeNets.presets["small"])
    assert sum(p.numel() for p in system.parameters()) <= 1_200_000


def test_labels_are_those_of_the_classes_and_others_have_none() -> None:
    system = build(classes=("table", "lamp"))
    chair, table = ASSETS[0], ASSETS[1]
    unnamed = Grid(np.asarray(chair.voxels(24)))
    labels = [int(system.prepare(asset, Run([0]))["label"]) for asset in (chair, table, unnamed)]
    assert labels == [-1, 0, -1]


def test_cells_are_full_a_little_beyond_the_surface() -> None:
    for asset in ASSETS:
        found = build().prepare(asset, Run([0]))["voxels"][0].numpy()
        exact = asset.sdf_grid(24, 0.1)
        assert found[exact < 0].all()
        assert not found[exact > 0.15 / 24].any()


def test_visible_biases_begin_at_the_log_odds_of_the_data_and_only_once() -> None:
    system = build()
    data = training.prepare(system, ASSETS, Run([0]))
    stage = system.stages()[0]
    stage.dataset(data, Run([0]))
    bias = system._rbms[0].visible_bias
    assert torch.allclose(bias.sigmoid(), data["voxels"].float().mean(0).clamp(0.005, 0.995), atol=1e-5)
    # A training that goes on must not lose what has been learnt.
    bias.fill_(0.5)
    stage.dataset(data, Run([0]))
    assert torch.equal(bias, torch.full_like(bias, 0.5))


def test_layers_learn_from_what_the_one_below_puts_out() -> None:
    system = build()
    data = training.prepare(system, ASSETS, Run([0]))
    stored = system.stages()[2].dataset(data, Run([0]))["v"]
    v = data["voxels"].float()
    assert torch.allclose(stored.float(), system._rbms[1].up(system._rbms[0].up(v)), atol=1e-3)


def test_missing_labels_are_neither_driven_nor_learnt() -> None:
    system = build()
    system.memory.weight[:, system.memory.units :] = 3.0
    stage = system.stages()[-1]
    data = training.prepare(system, ASSETS, Run([0]))
    examples = stage.dataset({**data, "label": torch.full((4,), -1)}, Run([0]))
    assert float(system.labelled) == 0
    system.memory.requires_grad_(True)
    ((_, loss),) = list(stage.losses(examples, Noise(0, CPU)))
    gradient = torch.autograd.grad(loss, [system.memory.weight, system.memory.visible_bias])
    units = system.memory.units
    assert float(gradient[0][:, units:].abs().max()) == 0
    assert float(gradient[1][units:].abs().max()) == 0
    assert float(gradient[0][:, :units].abs().max()) > 0
    assert not system.fantasies[:, units:].any()
    with pytest.raises(BadRequest, match="without classes"):
        system.from_class("chair", Run([0]))
    with pytest.raises(BadRequest, match="without classes"):
        system.classify(ASSETS[:1], Run([0]))


def test_as_many_chains_have_a_label_as_shapes_do() -> None:
    system = build()
    stage = system.stages()[-1]
    data = training.prepare(system, ASSETS, Run([0]))
    examples = stage.dataset({**data, "label": torch.tensor([0, -1, -1, 1])}, Run([0]))
    list(stage.losses(examples, Noise(0, CPU)))
    assert system.fantasies[:, system.memory.units :].sum(1).tolist() == [1, 1, 0, 0]


def test_a_class_that_is_asked_for_stays_on() -> None:
    system = with_memory_of_classes()
    for k, wanted in enumerate(([1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1])):
        codes = system._dreamt(Run([0, 1, 2]), k)
        assert codes.round().tolist() == [wanted] * 3
    assert system.class_names() == ("chair", "table")
    shapes = system.from_class("table", Run([0, 1]))
    assert [shape.resolution for shape in shapes] == [24, 24]
    with pytest.raises(BadRequest, match="Its classes are chair, table"):
        system.from_class("lamp", Run([0]))


def test_shapes_are_of_the_class_with_the_lowest_free_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    system = with_memory_of_classes()
    codes = torch.tensor([[1.0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]])
    monkeypatch.setattr(system, "_up", lambda v: codes)
    found = system.classify(ASSETS[:2], Run([0, 1]))
    assert torch.allclose(found.sum(1), torch.ones(2))
    assert found.argmax(1).tolist() == [0, 1]
    energies = torch.stack(
        [_free_energy(system.memory, codes, torch.eye(2)[label].expand(2, -1)) for label in range(2)],
        dim=1,
    )
    assert torch.allclose(found, (-energies).softmax(1), atol=1e-6)


def _free_energy(memory: rbm.LabelledRBM, units: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """By the definition, with the label's drive."""
    inputs = memory.hidden_bias + units @ memory.weight[:, :6].T + 10 * label @ memory.weight[:, 6:].T
    return -(torch.cat([units, label], 1) @ memory.visible_bias) - (1 + inputs.double().exp()).log().sum(1).float()


@pytest.mark.parametrize("size", [24, 32])
def test_known_cells_never_change(size: int) -> None:
    system = build()
    chair = ASSETS[0]
    known = torch.zeros(size, size, size, dtype=torch.bool)
    known[: size // 2, :, 3:] = True
    given = torch.as_tensor(chair.voxels(size))
    seen = []

    def watched(v: torch.Tensor, *rest: int) -> torch.Tensor:
        seen.append(v)
        return ShapeNets._up(system, v, *rest)

    system._up = watched  # type: ignore[method-assign]
    shapes = system.complete(chair, known, Run([1, 2]))
    for shape in shapes:
        assert shape.resolution == size
        assert torch.equal(shape.occupied[known], given[known])
    if size == 24:
        evidence = system.prepare(chair, Run([0]))["voxels"][0]
        assert len(seen) == TINY["rounds"]
        for v in seen:
            assert torch.equal(v[:, 0, known] > 0, evidence[known].expand(4, -1))
    # Chains are their seeds' own.
    assert not torch.equal(seen[0][0], seen[0][1])
    (alone,) = system.complete(chair, known, Run([2]))
    assert torch.allclose(alone.values, shapes[1].values, atol=1e-5)


def test_sampling_and_completing_can_be_cancelled() -> None:
    system = build(burn_in=10, rounds=10)
    for verb in (
        lambda run: system.prior(run),
        lambda run: system.from_class("chair", run),
        lambda run: system.complete(ASSETS[0], torch.ones(24, 24, 24, dtype=torch.bool), run),
    ):
        fractions: list[float] = []

        def half(fraction: float, seen: list[float] = fractions) -> bool:
            seen.append(fraction)
            return fraction < 0.5

        with pytest.raises(Cancelled):
            verb(Run([1], on_progress=half))
        assert fractions[-1] == pytest.approx(0.5)


def test_sampling_starts_at_random_or_at_states_of_shapes() -> None:
    """Without any rounds, what is drawn follows from the start alone."""
    states = torch.zeros(4, 8, dtype=torch.uint8)
    states[:, 6] = 1
    states[1:, :3] = 1
    plain, fresh = build(burn_in=0), build(burn_in=0, fresh=True)
    for system in (plain, fresh):
        system.remembered.copy_(states)
        system.memory.weight[:] = 0
        # Each code turns on a hidden unit of its own, surely, and that the code.
        system.memory.weight[:6, :6] = 40 * torch.eye(6)
        system.memory.hidden_bias[:] = -20
        system.memory.visible_bias[:] = -20
    drawn = plain.prior(Run(range(30))).round()
    assert {tuple(row.tolist()) for row in drawn} == {(0.0,) * 6, (1.0,) * 3 + (0.0,) * 3}
    assert len({tuple(row.tolist()) for row in fresh.prior(Run(range(30))).round()}) > 2


def test_scores_of_the_training_shapes_are_standardised() -> None:
    system = build()
    data = training.prepare(system, ASSETS, Run([0]))
    system._calibrate(data, Run([0]))
    oddities = system._oddities(data["voxels"].float())
    assert torch.allclose(oddities.mean(0), system.oddity_mean, atol=1e-4)
    assert torch.allclose(system.score(ASSETS, Run([0])).mean(), torch.tensor(0.0), atol=1e-3)
    # States to start from are of those shapes.
    assert system.remembered[:, system.memory.units :].sum(1).tolist() == [1, 1, 1, 1]


def test_a_training_that_was_interrupted_in_the_memory_ends_as_one_that_was_not(tmp_path: Path) -> None:
    """Chains and fast weights are part of what is resumed."""
    plan = training.Plan(
        steps={"layer1": 1, "layer2": 1, "layer3": 1, "layer4": 1, "tune": 1, "memory": 5}, device="cpu"
    )
    whole, parts = build(), build()
    data = training.prepare(whole, ASSETS, Run([0]))
    training.train(whole, data, tmp_path / "whole", plan)

    class Interrupted(training.Watch):
        def step(self, moment: training.Moment) -> str:
            return "pause" if moment.stage == "memory" and moment.step == 3 else ""

    with pytest.raises(Cancelled):
        training.train(parts, data, tmp_path / "parts", plan, watch=Interrupted())
    again = build()
    training.train(again, data, tmp_path / "parts", plan)
    assert whole.fantasies.any()
    for (name, a), (_, b) in zip(whole.state_dict().items(), again.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
