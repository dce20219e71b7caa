"""Training against the clock, and what is asked of it on the way: the clock moves only where a test moves it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from gen3d_core import training
from gen3d_core.errors import BadRequest, Gen3DError
from gen3d_core.representations import Voxels
from gen3d_core.run import Cancelled, Run
from gen3d_core.system import Asset, Batch, Loss, Noise, Stage, System
from gen3d_core.training import CHECKPOINT, Moment, Plan, Watch, checkpoint, loop
from tests.training_toys import PLAN, Config, Toy, assert_equal, data, toy, weights

pytestmark = pytest.mark.usefixtures("accelerator_anew")


class Clock:
    """Seconds, which a test adds to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in (loop, checkpoint):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=made.monotonic))
    return made


@dataclass(frozen=True)
class Nothing:
    """No choices."""


class Worker(System):
    """Two stages whose steps take a known time; notes the learning rates."""

    Config = Nothing
    output = Voxels

    def __init__(self, clock: Clock, seconds: Mapping[str, float], finishing: float = 0.0) -> None:
        super().__init__()
        self.config = Nothing()
        self.line = nn.Linear(4, 4)
        self.clock, self.seconds, self.finishing = clock, seconds, finishing
        self.rates: dict[str, list[float]] = {"slow": [], "fast": []}
        self.finished: list[str] = []
        self.optimizer: Any = None

    def prepare(self, asset: Asset, run: Run) -> Batch:
        return {}

    def stages(self) -> list[Stage]:
        def sgd(network: nn.Module, parameters: Iterator[nn.Parameter]) -> torch.optim.Optimizer:
            self.optimizer = torch.optim.SGD(parameters, lr=0.1)
            return self.optimizer

        def stage(name: str, steps: int, cost: float) -> Stage:
            def losses(batch: Batch, noise: Noise) -> Iterator[Loss]:
                self.rates[name].append(self.optimizer.param_groups[0]["lr"])
                yield self.line, (self.line(batch["x"]) + noise.randn(len(batch["x"]), 4)).square().mean()
                self.clock.now += self.seconds[name]

            def finish(batch: Batch, run: Run) -> None:
                self.finished.append(name)
                self.clock.now += self.finishing

            return Stage(name, (self.line,), losses, sgd, steps, cosine=name == "slow", finish=finish, cost=cost)

        # What they usually cost is equal: 100 steps of 3 and 300 of 1.
        return [stage("slow", 100, 3.0), stage("fast", 300, 1.0)]


def counts(worker: Worker) -> tuple[int, int]:
    return len(worker.rates["slow"]), len(worker.rates["fast"])


def test_stages_share_the_time_by_their_usual_cost(tmp_path: Path, clock: Clock) -> None:
    worker = Worker(clock, {"slow": 3.0, "fast": 1.0})
    training.train(worker, data(), tmp_path, Plan(device="cpu", minutes=2))
    assert counts(worker) == (20, 60)
    assert clock.now == 100 + 120


def test_this_machine_decides_how_many_steps_fit(tmp_path: Path, clock: Clock) -> None:
    worker = Worker(clock, {"slow": 1.0, "fast": 0.5}, finishing=10.0)
    training.train(worker, data(), tmp_path, Plan(device="cpu", minutes=2))
    # What finishing the first stage takes is taken from the second.
    assert counts(worker) == (60, 100)


def test_a_stage_that_comes_late_gets_half_its_time(tmp_path: Path, clock: Clock) -> None:
    worker = Worker(clock, {"slow": 110.0, "fast": 1.0})
    training.train(worker, data(), tmp_path, Plan(device="cpu", minutes=2))
    assert counts(worker) == (1, 30)


def test_named_steps_are_the_most_that_a_stage_makes(tmp_path: Path, clock: Clock) -> None:
    worker = Worker(clock, {"slow": 3.0, "fast": 1.0})
    training.train(worker, data(), tmp_path, Plan(device="cpu", minutes=2, steps={"slow": 0, "fast": 1000}))
    assert counts(worker) == (0, 120)
    worker = Worker(clock, {"slow": 3.0, "fast": 1.0})
    training.train(worker, data(), tmp_path / "short", Plan(device="cpu", minutes=2, steps={"slow": 5, "fast": 7}))
    assert counts(worker) == (5, 7)


def test_rates_follow_the_share_of_the_time(tmp_path: Path, clock: Clock) -> None:
    worker = Worker(clock, {"slow": 3.0, "fast": 1.0})
    training.train(worker, data(), tmp_path, Plan(device="cpu", minutes=2, rate=0.5))
    expected = [0.05 * (0.01 + 0.99 * (1 + math.cos(math.pi * i / 20)) / 2) for i in range(20)]
    assert worker.rates["slow"] == pytest.approx(expected)
    assert worker.rates["fast"] == pytest.approx([0.05] * 60)


class Asks(Watch):
    """Says one word when the clock has come to a time; notes the moments."""

    def __init__(self, clock: Clock, word: str, at: float) -> None:
        self.clock, self.word, self.at = clock, word, at
        self.moments: list[Moment] = []
        self.warnings: list[str] = []

    def step(self, moment: Moment) -> str:
        self.moments.append(moment)
        return self.word if self.clock.now >= 100 + self.at else ""

    def warn(self, sentence: str) -> None:
        self.warnings.append(sentence)


@pytest.mark.parametrize("at", [30, 70])
def test_time_spent_before_a_pause_counts(tmp_path: Path, clock: Clock, at: float) -> None:
    plan = Plan(device="cpu", minutes=2)
    torch.manual_seed(0)
    whole = Worker(clock, {"slow": 3.0, "fast": 1.0})
    start = weights(whole)
    training.train(whole, data(), tmp_path / "whole", plan)
    clock.now = 100
    parts = Worker(clock, {"slow": 3.0, "fast": 1.0})
    parts.load_state_dict(start)
    with pytest.raises(Cancelled):
        training.train(parts, data(), tmp_path / "parts", plan, watch=Asks(clock, "pause", at))
    clock.now = 5000
    watch = Asks(clock, "", 0)
    training.train(parts, data(), tmp_path / "parts", plan, watch=watch)
    assert watch.moments[0].seconds == at
    assert counts(parts) == counts(whole) == (20, 60)
    assert_equal(weights(whole), weights(parts))


@pytest.mark.slow
def test_a_moment_tells_how_far_it_is(tmp_path: Path, clock: Clock) -> None:
    watch = Asks(clock, "", 0)
    worker = Worker(clock, {"slow": 3.0, "fast": 1.0})
    training.train(worker, data(), tmp_path, Plan(device="cpu", minutes=2), watch=watch)
    assert [m.stage for m in watch.moments] == ["slow"] * 20 + ["fast"] * 60
    assert [m.fraction for m in watch.moments] == pytest.approx([m.seconds / 120 for m in watch.moments])
    assert all(m.left == pytest.approx(120 - m.seconds) for m in watch.moments)
    assert (watch.moments[0].steps, watch.moments[10].steps, watch.moments[-1].steps) == (0, 20, 60)
    assert set(watch.moments[-1].loss) == {"line"}
    # By steps, what is left is told from what has passed.
    watch = Asks(clock, "", 0)
    training.train(Worker(clock, {"slow": 3.0, "fast": 1.0}), data(), tmp_path / "steps", PLAN, watch=watch)
    assert watch.moments[50].steps == 100
    assert watch.moments[50].left == pytest.approx(150 * 3)
    assert watch.moments[0].left is None


def test_keep_ends_the_learning_and_finishes(tmp_path: Path, clock: Clock) -> None:
    worker = Worker(clock, {"slow": 3.0, "fast": 1.0})
    watch = Asks(clock, "keep", 30)
    training.train(worker, data(), tmp_path, PLAN, watch=watch)
    assert counts(worker) == (10, 0)
    assert worker.finished == ["slow", "fast"]
    assert watch.warnings == ["Learning was ended before the stage 'fast' began: expect rough shapes."]
    # It is finished: nothing more is learnt.
    training.train(worker, data(), tmp_path, PLAN)
    assert counts(worker) == (10, 0)


def test_what_is_fine_tuned_may_be_kept_at_once(tmp_path: Path, clock: Clock) -> None:
    watch = Asks(clock, "keep", 0)
    plan = Plan(device="cpu", start="a model")
    training.train(Worker(clock, {"slow": 3.0, "fast": 1.0}), data(), tmp_path, plan, watch=watch)
    assert watch.warnings == []


def test_stop_leaves_no_checkpoint_and_pause_does(tmp_path: Path, clock: Clock) -> None:
    for word in ("stop", "pause"):
        worker = Worker(clock, {"slow": 3.0, "fast": 1.0})
        with pytest.raises(Cancelled):
            training.train(worker, data(), tmp_path / word, PLAN, watch=Asks(clock, word, 0))
    assert not (tmp_path / "stop" / CHECKPOINT).exists()
    assert (tmp_path / "pause" / CHECKPOINT).exists()


class Looks(Watch):
    """Looks at every step, and does there what a picture does."""

    def __init__(self) -> None:
        self.weights: list[float] = []

    def wants_to_look(self, moment: Moment) -> bool:
        return True

    def look(self, system: System, moment: Moment) -> None:
        assert isinstance(system, Toy)
        assert not any(module.training for module in system.modules())
        system.body(torch.randn(3, 4))
        system.maker(torch.randn(3, 2))
        self.weights.append(float(system.body[0].weight.sum()))


def test_looking_shows_the_average_and_changes_nothing(tmp_path: Path) -> None:
    alone, seen = toy(), toy()
    training.train(alone, data(), tmp_path / "alone", PLAN)
    watch = Looks()
    training.train(seen, data(), tmp_path / "seen", PLAN, watch=watch)
    assert_equal(weights(alone), weights(seen))
    # The first stage leaves its average behind: what was seen in the second is what was kept of the first.
    assert watch.weights[-1] == float(alone.body[0].weight.sum())
    assert len(set(watch.weights)) == 10


@pytest.mark.parametrize("minutes", [0.0, -1.0, math.inf, math.nan])
def test_a_time_that_is_none_is_refused(minutes: float) -> None:
    with pytest.raises(BadRequest, match="no time to learn"):
        Plan(minutes=minutes)
    with pytest.raises(BadRequest, match="no factor"):
        Plan(rate=minutes)


def test_a_training_that_goes_astray_says_so_and_keeps_its_checkpoint(tmp_path: Path) -> None:
    class Astray(Toy):
        def _copy(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
            for network, loss in super()._copy(batch, noise):
                yield network, loss / 0.0

    system = Astray(Config())
    with pytest.raises(Gen3DError, match="astray") as raised:
        training.train(system, data(), tmp_path, Plan(device="cpu", steps={"first": 30}))
    assert "--rate" in raised.value.remedy
    assert not (tmp_path / CHECKPOINT).exists()
