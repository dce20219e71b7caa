"""The one training loop: every family, resumable to the bit, on one device or on many.

Each step draws all its randomness from the seed, the stage and the step's number, so a training that was interrupted
and resumed ends with the same weights as one that was not, and nothing but weights, averages and optimisers has to be
kept. Against the clock the number of steps depends on the machine; what a step does still does not. With several
processes (``accelerate launch``) each takes its share of every batch; see :mod:`.team`.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadRequest, Gen3DError
from ..run import Cancelled, Run
from ..system import Batch, Noise, Stage, System
from .checkpoint import Checkpoint, fingerprint
from .history import History
from .team import Team

#: Steps from one entry of the history to the next.
NOTED = 20
#: A stage that starts late still gets this part of its time.
LEAST = 0.5
#: From so many shapes the prior is fitted for a look on the way.
LOOKED_AT = 256


@dataclass(frozen=True)
class Plan:
    """How long and how a training runs.

    Args:
        seed: of everything random.
        steps: by stage, where it differs from the system's own number.
        minutes: of learning, shared by the stages in proportion to what they usually cost; instead of steps, except
            those that ``steps`` names, which then are the most that a stage makes.
        batch_size: shapes a step, over all processes; None is each stage's own.
        precision: ``no`` (float32) or ``bf16``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        rate: multiplies the learning rates.
        start: what the first weights are, where it is not the seed that makes them: the digest of a model.
        checkpoint_seconds: time between checkpoints.
    """

    seed: int = 0
    steps: Mapping[str, int] = field(default_factory=dict)
    minutes: float | None = None
    batch_size: int | None = None
    precision: str = "no"
    device: str = "auto"
    rate: float = 1.0
    start: str = ""
    checkpoint_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise BadRequest(f"{self.minutes} minutes is no time to learn in.", "Choose a larger --minutes.")
        if not 0 < self.rate < math.inf:
            raise BadRequest(f"{self.rate} is no factor for learning rates.", "Choose a --rate above 0, as 0.3.")


@dataclass(frozen=True)
class Moment:
    """Where a training is.

    Args:
        stage: its name.
        index, stages: its number from 0, and how many there are.
        step, steps: made in this stage, and expected in all; 0 expected while nobody knows.
        fraction: of the whole training, from 0 to 1.
        seconds: of learning, earlier sittings included.
        left: seconds of learning left, or None while nobody knows.
        loss: the latest by network.
    """

    stage: str
    index: int
    stages: int
    step: int
    steps: int
    fraction: float
    seconds: float
    left: float | None
    loss: Mapping[str, float]


class Watch:
    """Whoever follows a training. This one wants nothing; only the leading process asks it."""

    def step(self, moment: Moment) -> str:
        """Called before each step; answers with a word of :data:`gen3d_core.runs.WORDS` or with nothing."""
        return ""

    def wants_to_look(self, moment: Moment) -> bool:
        """Whether to be shown the system now."""
        return False

    def look(self, system: System, moment: Moment) -> None:
        """Shown the system as it would be if learning ended here: evaluating, with its averaged weights."""

    def warn(self, sentence: str) -> None:
        """Told of something that went wrong without ending the training."""


def train(
    system: System,
    data: Batch,
    folder: Path,
    plan: Plan,
    run: Run | None = None,
    watch: Watch | None = None,
    team: Team | None = None,
) -> None:
    """Runs every stage of ``system`` on ``data``, in place, resuming from the checkpoint in ``folder`` if there is one.

    Args:
        system: moved to the plan's device.
        data: tensors with shape (N, ...), as :func:`prepare` makes them; they stay on the CPU.
        folder: of this training: its checkpoint and its history.
        plan: how long and how.
        run: progress and cancellation; a cancelled training leaves a checkpoint.
        watch: is told of every step and may end the training: ``pause`` is a cancellation, ``stop`` is one without a
            checkpoint, and ``keep`` ends the learning but finishes what has been learnt.
        team: the processes; by default found out anew.

    Raises:
        BadRequest: the plan names an unknown stage, or the checkpoint belongs to another training.
        Gen3DError: the losses are no numbers any more.
        Cancelled: the user asked to stop.
    """
    run, watch = run or Run([plan.seed]), watch or Watch()
    team = team or Team(plan.device, plan.precision)
    if team.leads:
        folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]), team.joined(system):
        _Training(system, data, folder, plan, run, watch, team).execute()


class _Training:
    """The state of one training."""

    def __init__(
        self, system: System, data: Batch, folder: Path, plan: Plan, run: Run, watch: Watch, team: Team
    ) -> None:
        self.system, self.data, self.folder, self.plan = system, data, folder, plan
        self.run, self.watch, self.team = run, watch, team
        system.to(team.device)
        self.run.device = team.device
        self.stages = system.stages()
        names = {stage.name for stage in self.stages}
        if unknown := set(plan.steps) - names:
            raise BadRequest(
                f"This system has no stage {', '.join(sorted(unknown))}.", f"Its stages are {', '.join(sorted(names))}."
            )
        steps = {stage.name: plan.steps.get(stage.name, stage.steps) for stage in self.stages}
        timed = plan.minutes is not None
        #: The most steps of each stage; None where only the clock counts.
        self.limits = [None if timed and s.name not in plan.steps else steps[s.name] for s in self.stages]
        costs = [steps[stage.name] * stage.cost for stage in self.stages]
        self.shares = [cost / (sum(costs) or 1.0) for cost in costs]
        self.names: dict[nn.Module, str] = {module: name for name, module in system.named_modules()}
        self.checkpoint = Checkpoint(folder, self._fingerprint(steps))
        self.history: History | None = None
        self.before, self.clock = 0.0, time.monotonic()
        self.made = 0
        self.loss: dict[str, float] = {}
        self.keeping = False

    def execute(self) -> None:
        # The leading process reads: the others may be on machines that do not see its folder.
        saved = self.team.tell(self.checkpoint.load() if self.team.leads else None)
        first = 0
        if saved:
            self.system.load_state_dict(saved["system"])
            first, self.before, self.made = saved["stage"], saved["seconds"], saved["made"]
        if self.team.leads and first < len(self.stages):
            self.history = History(self.folder, self.made + (saved["step"] if saved else 0))
        for index, stage in enumerate(self.stages):
            if index >= first:
                self._stage(index, stage, saved if index == first else None)
        self.system.eval().requires_grad_(False)
        self._save(len(self.stages))

    def _stage(self, index: int, stage: Stage, saved: dict[str, Any] | None) -> None:
        system, device = self.system, self.team.device
        system.eval().requires_grad_(False)
        learner = _Learner(stage, self.names, saved)
        step, began = (saved["step"], saved["began"]) if saved else (0, self._seconds())
        data: Batch = {}
        count = batch_size = 0
        self.loss = {}
        while True:
            progress, word = self.team.tell(self._ask(index, step, began) if self.team.leads else (0.0, ""))
            self.keeping = self.keeping or word == "keep"
            if self.keeping or progress >= 1:
                break
            if word:
                if word == "pause":
                    self._save(index, step, began, learner)
                raise Cancelled
            if not data:
                # Not before it is known that there is a step to make: it may take long.
                with torch.no_grad():
                    data = stage.dataset(self.data, self.run)
                count = len(next(iter(data.values())))
                batch_size = self.plan.batch_size or min(stage.batch_size, max(count, 2))
                learner.wake()
            if self.team.leads:
                self._look(index, step, progress, learner)
                if time.monotonic() - self.checkpoint.saved_at > self.plan.checkpoint_seconds:
                    self._save(index, step, began, learner)
            seed = _derive(self.plan.seed, index, step)
            torch.manual_seed(seed)
            share = self.team.divide(batch_size)
            alone = self.team.size == 1
            noise = Noise(seed, device, None if alone else batch_size, slice(None) if alone else share, self.team.total)
            chosen = torch.randint(count, (batch_size,), generator=noise.generator)[share]
            batch = {key: value[chosen.to(value.device)].to(device) for key, value in data.items()}
            factor = 0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2 if stage.cosine else 1.0
            learner.set_rates(self.plan.rate * factor)
            self._play(stage, batch, noise, learner, step)
            learner.follow(step)
            step += 1
        if self.keeping and step == 0 and not self.plan.start and self.limits[index] != 0:
            self.watch.warn(f"Learning was ended before the stage '{stage.name}' began: expect rough shapes.")
        self.made += step
        learner.settle()
        system.eval().requires_grad_(False)
        stage.finish(self.data, self.run)
        if self.team.size > 1:
            # Every process has measured for itself, and rounding may differ.
            system.load_state_dict(self.team.tell(system.state_dict()))
        self._save(index + 1)

    def _play(self, stage: Stage, batch: Batch, noise: Noise, learner: _Learner, step: int) -> None:
        """One step: each loss in the order of play, and at once the step of its network's optimiser."""
        losses = stage.losses(batch, noise)
        noted = step % NOTED == 0
        while True:
            with self.team.accelerator.autocast():
                turn = next(losses, None)
            if turn is None:
                break
            network, loss = turn
            # No other network gets a gradient.
            parameters = [p for p in network.parameters() if p.requires_grad]
            learner.optimizers[network].zero_grad()
            self.team.backward(loss, parameters)
            learner.optimizers[network].step()
            if noted:
                self.loss[self.names[network]] = noise.mean(float(loss.detach()))
        if noted and not all(math.isfinite(value) for value in self.loss.values()):
            raise _astray(stage.name, step)
        if noted and self.history is not None:
            self.history.add(self.made + step, stage.name, self.loss)

    def _ask(self, index: int, step: int, began: float) -> tuple[float, str]:
        """How far the stage is, from 0 to 1, and what is wished for."""
        progress = self._progress(index, step, began)
        if progress >= 1:
            return progress, ""
        moment = self._moment(index, step, progress)
        if word := self.watch.step(moment):
            return progress, word
        try:
            self.run.report(moment.fraction)
        except Cancelled:
            return progress, "pause"
        return progress, ""

    def _progress(self, index: int, step: int, began: float) -> float:
        limit, minutes = self.limits[index], self.plan.minutes
        by_steps = 0.0 if limit is None else step / limit if limit else 1.0
        if minutes is None or not self.shares[index]:
            return by_steps
        budget = minutes * 60
        span = max(budget * sum(self.shares[: index + 1]) - began, LEAST * budget * self.shares[index])
        return min(max(by_steps, (self._seconds() - began) / span), 1.0)

    def _moment(self, index: int, step: int, progress: float) -> Moment:
        stage, limit, seconds = self.stages[index], self.limits[index], self._seconds()
        fraction = sum(self.shares[:index]) + self.shares[index] * progress
        steps = limit if limit is not None else round(step / progress) if progress > 0.01 else 0
        left = seconds * (1 - fraction) / fraction if fraction > 0.01 else None
        if self.plan.minutes is not None:
            left = max(self.plan.minutes * 60 - seconds, 0.0)
        return Moment(stage.name, index, len(self.stages), step, steps, fraction, seconds, left, dict(self.loss))

    def _look(self, index: int, step: int, progress: float, learner: _Learner) -> None:
        moment = self._moment(index, step, progress)
        if self.watch.wants_to_look(moment):
            self.system.eval()
            with learner.averaged(), torch.no_grad():
                # The prior is fitted when a stage ends; fitted on the way too, samples show what is learnt so far.
                few = {key: value[:LOOKED_AT] for key, value in self.data.items()}
                self.stages[index].finish(few, Run([self.plan.seed], self.team.device))
                self.watch.look(self.system, moment)
            learner.wake()

    def _seconds(self) -> float:
        return self.before + time.monotonic() - self.clock

    def _save(self, stage: int, step: int = 0, began: float = 0.0, learner: _Learner | None = None) -> None:
        if not self.team.leads:
            return
        system = self.system.state_dict()
        if not all(bool(torch.isfinite(value).all()) for value in system.values() if value.is_floating_point()):
            raise _astray(self.stages[min(stage, len(self.stages) - 1)].name, step)
        state = {
            "stage": stage,
            "step": step,
            "began": began,
            "made": self.made,
            "seconds": self._seconds(),
            "system": system,
            "optimizers": learner.states() if learner else {},
            "averages": {self.names[n]: dict(a) for n, a in learner.averages.items()} if learner else {},
        }
        if problem := self.checkpoint.save(state):
            self.watch.warn(problem)

    def _fingerprint(self, steps: Mapping[str, int]) -> str:
        """What must be equal for a checkpoint to be continued."""
        plan = self.plan
        # A stage whose rate does not depend on its length may be made longer later, and so may all against the clock.
        scheduled = {s.name: steps[s.name] for s in self.stages if s.cosine and plan.minutes is None}
        settings: list[object] = [type(self.system).__module__, self.system.config, plan.seed, plan.batch_size]
        settings += [plan.precision, plan.rate, plan.start, sorted(scheduled.items())]
        return fingerprint(settings, self.data)


class _Learner:
    """What of a stage changes by its steps besides the weights: optimisers and running averages."""

    def __init__(self, stage: Stage, names: Mapping[nn.Module, str], saved: dict[str, Any] | None) -> None:
        self.stage, self.names = stage, names
        for network in stage.trains:
            network.requires_grad_(True)
        self.optimizers = {network: stage.optimizer(network, network.parameters()) for network in stage.trains}
        self.rates = {network: [group["lr"] for group in o.param_groups] for network, o in self.optimizers.items()}
        self.averages = {
            network: {k: v.detach().clone() for k, v in network.state_dict().items()} for network in stage.average
        }
        if saved:
            for network, optimizer in self.optimizers.items():
                if names[network] in saved["optimizers"]:
                    optimizer.load_state_dict(saved["optimizers"][names[network]])
            for network, average in self.averages.items():
                for key, value in saved["averages"].get(names[network], {}).items():
                    average[key].copy_(value)

    def wake(self) -> None:
        """Sets the learning networks to learn."""
        for network in self.stage.trains:
            network.train().requires_grad_(True)

    def set_rates(self, factor: float) -> None:
        """Learning rates, as multiples of the stage's own."""
        for network, optimizer in self.optimizers.items():
            for group, rate in zip(optimizer.param_groups, self.rates[network], strict=True):
                group["lr"] = rate * factor

    def follow(self, step: int) -> None:
        """Moves the averages towards the present weights."""
        for network, average in self.averages.items():
            # The first steps count more, or a short training would end as an average with its random start.
            _follow(average, network, min(self.stage.average[network], (1 + step) / (10 + step)))

    def settle(self) -> None:
        """Leaves the averages in place of the last weights."""
        for network, average in self.averages.items():
            network.load_state_dict(average)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the averages stand in place of the present weights."""
        kept = {network: {k: v.clone() for k, v in network.state_dict().items()} for network in self.averages}
        self.settle()
        try:
            yield
        finally:
            for network, weights in kept.items():
                network.load_state_dict(weights)

    def states(self) -> dict[str, Any]:
        """The optimisers' states by their networks' names."""
        return {self.names[network]: optimizer.state_dict() for network, optimizer in self.optimizers.items()}


def _astray(stage: str, step: int) -> Gen3DError:
    return Gen3DError(
        f"The training went astray: at step {step} of the stage '{stage}' there are values that are not numbers.",
        "Train again with a smaller --rate, as 0.3, or with another --seed.",
    )


def _derive(seed: int, stage: int, step: int) -> int:
    """The seed of one step, unrelated to its neighbours'."""
    digest = hashlib.sha256(f"{seed}/{stage}/{step}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


@torch.no_grad()
def _follow(average: dict[str, Tensor], network: nn.Module, decay: float) -> None:
    """Moves a running average towards the network's present state; whole numbers and statistics are copied."""
    parameters = dict(network.named_parameters())
    for key, value in network.state_dict().items():
        if key in parameters:
            average[key].lerp_(value, 1 - decay)
        else:
            average[key].copy_(value)
