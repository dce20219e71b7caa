"""The training loop on a small system of two stages: what learns, what rests, and that interruptions leave no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from gen3d_core import training
from gen3d_core.errors import BadRequest
from gen3d_core.representations import Voxels
from gen3d_core.run import Cancelled, Run
from gen3d_core.system import Asset, Batch, Loss, Noise, Stage, System
from gen3d_core.training import CHECKPOINT, Plan
from tests.training_toys import PLAN, Config, Toy, assert_equal, data, forget_accelerator, toy, weights

pytestmark = pytest.mark.usefixtures("accelerator_anew")


def stop_at(call: int) -> Callable[[float], bool]:
    """Cancels at a report, counted from 0; the loop reports once a step."""
    calls = iter(range(10**6))
    return lambda fraction: next(calls) < call


@pytest.mark.parametrize("interruptions", [[4], [9], [13], [0], [2, 3, 7]], ids=str)
def test_a_resumed_training_ends_bit_equal(tmp_path: Path, interruptions: list[int]) -> None:
    whole, parts = toy(), toy()
    training.train(whole, data(), tmp_path / "whole", PLAN)
    assert not torch.equal(whole.measured, torch.zeros(()))
    for call in interruptions:
        with pytest.raises(Cancelled):
            training.train(parts, data(), tmp_path / "parts", PLAN, Run([0], on_progress=stop_at(call)))
        # Another process would start from a system made anew, with other weights.
        parts = Toy(Config())
    training.train(parts, data(), tmp_path / "parts", PLAN)
    assert_equal(weights(whole), weights(parts))


def test_an_interruption_is_one_of_the_training_not_of_its_result(tmp_path: Path) -> None:
    """The comparison above can fail: without the checkpoint, an interrupted training ends elsewhere."""
    whole, parts = toy(), toy()
    training.train(whole, data(), tmp_path / "whole", PLAN)
    with pytest.raises(Cancelled):
        training.train(parts, data(), tmp_path / "parts", PLAN, Run([0], on_progress=stop_at(5)))
    (tmp_path / "parts" / CHECKPOINT).unlink()
    training.train(parts, data(), tmp_path / "parts", PLAN)
    assert not torch.equal(whole.body[0].weight, parts.body[0].weight)


def test_checkpoints_on_the_way_change_nothing(tmp_path: Path) -> None:
    often, never = toy(), toy()
    training.train(often, data(), tmp_path / "often", Plan(device="cpu", checkpoint_seconds=0.0))
    training.train(never, data(), tmp_path / "never", PLAN)
    assert_equal(weights(often), weights(never))


def test_a_finished_training_stays_as_it_is(tmp_path: Path) -> None:
    first = toy()
    training.train(first, data(), tmp_path, PLAN)
    again = Toy(Config())
    training.train(again, data(), tmp_path, PLAN)
    assert_equal(weights(first), weights(again))


def test_the_seed_decides(tmp_path: Path) -> None:
    results = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        system = toy()
        training.train(system, data(), tmp_path / name, Plan(seed=seed, device="cpu"))
        results.append(weights(system))
    assert_equal(results[0], results[1])
    assert not torch.equal(results[0]["maker.0.weight"], results[2]["maker.0.weight"])


def test_the_global_generator_is_left_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    training.train(toy(), data(), tmp_path, PLAN)
    assert torch.equal(torch.get_rng_state(), before)


def test_networks_that_do_not_learn_do_not_move_nor_do_their_statistics(tmp_path: Path) -> None:
    system = toy()
    before = weights(system)
    training.train(system, data(), tmp_path, Plan(device="cpu", steps={"first": 0}))
    after = weights(system)
    body = [name for name in before if name.startswith("body.")]
    assert any(name.endswith("running_mean") for name in body)
    assert_equal({name: before[name] for name in body}, {name: after[name] for name in body})
    for name in ("maker.0.weight", "maker.1.running_mean", "judge.0.weight"):
        assert not torch.equal(before[name], after[name]), name
    assert all(not name.startswith("body.") for names in system.seen for name in names)


def test_a_loss_gives_gradients_to_its_own_network_alone(tmp_path: Path) -> None:
    class Watched(Toy):
        def _play(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
            self.maker.requires_grad_(True)
            kept = self.maker[0].weight.detach().clone()
            fake = self.maker(noise.randn(len(batch["codes"]), 2))
            # The path to the maker is open here, on purpose: only the judge may step.
            yield self.judge, self.judge(fake).mean()
            assert torch.equal(self.maker[0].weight, kept)
            judged = self.judge[0].weight.detach().clone()
            yield self.maker, -self.judge(self.maker(noise.randn(len(batch["codes"]), 2))).mean()
            assert torch.equal(self.judge[0].weight, judged)
            assert not torch.equal(self.maker[0].weight, kept)

    training.train(Watched(Config()), data(), tmp_path, PLAN)


class Counter(System):
    """One weight that goes down by 0.1 a step, and its average."""

    Config = Config
    output = Voxels

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.line = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.line.weight)

    def prepare(self, asset: Asset, run: Run) -> Batch:
        return {}

    def stages(self) -> list[Stage]:
        def sgd(network: nn.Module, parameters: Iterator[nn.Parameter]) -> torch.optim.Optimizer:
            return torch.optim.SGD(parameters, lr=0.1)

        return [Stage("count", (self.line,), self._down, sgd, 40, average={self.line: self.config.average})]

    def _down(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        yield self.line, self.line.weight.sum()


@pytest.mark.parametrize("interrupted", [False, True])
def test_the_moving_average_is_what_remains(tmp_path: Path, interrupted: bool) -> None:
    weight, average = 0.0, 0.0
    for step in range(40):
        weight -= 0.1
        # The average follows faster at first: a start that is soon outdated should not linger in it.
        decay = min(0.8, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * weight
    system = Counter(Config())
    if interrupted:
        with pytest.raises(Cancelled):
            training.train(system, data(), tmp_path, PLAN, Run([0], on_progress=stop_at(3)))
    training.train(system, data(), tmp_path, PLAN)
    assert float(system.line.weight) == pytest.approx(average, rel=1e-5)


def test_the_system_ends_frozen_and_evaluating(tmp_path: Path) -> None:
    system = toy()
    training.train(system, data(), tmp_path, PLAN)
    assert not system.training
    assert not any(p.requires_grad for p in system.parameters())


def test_progress_rises_from_zero_to_one(tmp_path: Path) -> None:
    seen: list[float] = []

    def on_progress(fraction: float) -> bool:
        seen.append(fraction)
        return True

    training.train(
        toy(), data(), tmp_path, Plan(device="cpu", steps={"first": 4, "second": 4}), Run([0], on_progress=on_progress)
    )
    assert seen == pytest.approx([i / 8 for i in range(8)])


def test_the_history_can_be_read(tmp_path: Path) -> None:
    training.train(toy(), data(), tmp_path, Plan(device="cpu", steps={"first": 41}))
    history = EventAccumulator(str(tmp_path / "history"))
    history.Reload()
    assert set(history.Tags()["scalars"]) == {"first/body", "second/maker", "second/judge"}
    assert [event.step for event in history.Scalars("first/body")] == [0, 20, 40]
    assert all(event.value > 0 for event in history.Scalars("first/body"))


def test_an_unknown_stage_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no stage third") as refused:
        training.train(toy(), data(), tmp_path, Plan(device="cpu", steps={"third": 1}))
    assert "first, second" in refused.value.remedy


@pytest.mark.parametrize(
    ("plan", "config", "count"),
    [
        (Plan(device="cpu", seed=1), {}, 11),
        (Plan(device="cpu", batch_size=3), {}, 11),
        (Plan(device="cpu", steps={"first": 10}), {}, 11),
        (PLAN, {"width": 7}, 11),
        (PLAN, {}, 12),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(
    tmp_path: Path, plan: Plan, config: dict[str, int], count: int
) -> None:
    training.train(toy(), data(), tmp_path, PLAN)
    with pytest.raises(BadRequest, match="other settings or other data"):
        training.train(toy(**config), data(count), tmp_path, plan)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 broken"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(BadRequest, match="cannot be read"):
        training.train(toy(), data(), tmp_path, PLAN)


def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(2)}, tmp_path / CHECKPOINT)
    with pytest.raises(BadRequest, match="belongs to a training"):
        training.train(toy(), data(), tmp_path, PLAN)


class Bomb:
    """Something that would leave a trace if a pickle of it were loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_checkpoint_never_runs_code(tmp_path: Path) -> None:
    torch.save({"plan": Bomb(tmp_path / "exploded")}, tmp_path / CHECKPOINT)
    with pytest.raises(BadRequest, match="cannot be read"):
        training.train(toy(), data(), tmp_path, PLAN)
    assert not (tmp_path / "exploded").exists()


def test_half_precision_trains(tmp_path: Path) -> None:
    half, full = toy(), toy()
    training.train(half, data(), tmp_path / "half", Plan(device="cpu", precision="bf16"))
    forget_accelerator()
    training.train(full, data(), tmp_path / "full", PLAN)
    for name, value in weights(half).items():
        assert value.dtype in (torch.float32, torch.int64), name
        assert torch.isfinite(value).all(), name
    # Near each other, yet not the same: the precision was used.
    assert not torch.equal(half.body[0].weight, full.body[0].weight)
    assert torch.allclose(half.body[0].weight, full.body[0].weight, atol=0.1)


def test_preparing_stacks_examples_that_depend_on_their_place_alone() -> None:
    class Nothing:
        pass

    assets: list[Any] = [Nothing() for _ in range(3)]
    prepared = training.prepare(toy(), assets, Run([0]))
    assert prepared["x"].shape == (3, 4)
    assert torch.equal(prepared["x"][2], Run([2]).randn(4)[0])
    with pytest.raises(BadRequest, match="no shapes"):
        training.prepare(toy(), [], Run([0]))
    with pytest.raises(Cancelled):
        training.prepare(toy(), assets, Run([0], on_progress=lambda fraction: fraction < 0.5))
