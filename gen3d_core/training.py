"""The one training loop: every family, resumable to the bit, on one device or on many.

Each step draws all its randomness from the seed, the stage and the step's number, so a training that was interrupted
and resumed ends with the same weights as one that was not, and nothing but weights, averages and optimisers has to be
kept. With several processes (``accelerate launch``) each takes its share of every batch and gradients are averaged.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from .errors import BadRequest
from .run import Cancelled, Run
from .system import Asset, Batch, Noise, Stage, System

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Plan:
    """How long and how a training runs.

    Args:
        seed: of everything random.
        steps: by stage, where it differs from the system's own number.
        batch_size: shapes a step, over all processes; None is each stage's own.
        precision: ``no`` (float32) or ``bf16``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        checkpoint_seconds: time between checkpoints.
    """

    seed: int = 0
    steps: Mapping[str, int] = field(default_factory=dict)
    batch_size: int | None = None
    precision: str = "no"
    device: str = "auto"
    checkpoint_seconds: float = 60.0


def prepare(system: System, assets: Sequence[Asset], run: Run) -> Batch:
    """The whole data set: every asset's example, stacked, with shape (N, ...).

    Raises:
        BadRequest: no assets.
        Cancelled: the user asked to stop.
    """
    if not assets:
        raise BadRequest("There are no shapes to train on.", "Name a folder with meshes, or a catalogue category.")
    examples = [system.prepare(asset, Run([i])) for i, asset in enumerate(run.track(assets))]
    return {key: torch.stack([example[key] for example in examples]) for key in examples[0]}


def train(system: System, data: Batch, folder: Path, plan: Plan, run: Run | None = None) -> None:
    """Runs every stage of ``system`` on ``data``, in place, resuming from the checkpoint in ``folder`` if there is one.

    Args:
        system: moved to the plan's device.
        data: tensors with shape (N, ...), as :func:`prepare` makes them; they stay on the CPU.
        folder: of this training: its checkpoint and its TensorBoard history.
        plan: how long and how.
        run: progress and cancellation; a cancelled training leaves a checkpoint.

    Raises:
        BadRequest: the plan names an unknown stage, or the checkpoint belongs to another training.
        Cancelled: the user asked to stop.
    """
    run = run or Run([plan.seed])
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        _Training(system, data, folder, plan, run).execute()


class _Training:
    """The state of one training."""

    def __init__(self, system: System, data: Batch, folder: Path, plan: Plan, run: Run) -> None:
        self.system, self.data, self.folder, self.plan, self.run = system, data, folder, plan, run
        self.accelerator = Accelerator(cpu=plan.device == "cpu", mixed_precision=plan.precision)
        system.to(self.accelerator.device)
        self.run.device = self.accelerator.device
        self.stages = system.stages()
        names = {stage.name for stage in self.stages}
        if unknown := set(plan.steps) - names:
            raise BadRequest(
                f"This system has no stage {', '.join(sorted(unknown))}.", f"Its stages are {', '.join(sorted(names))}."
            )
        self.steps = {stage.name: plan.steps.get(stage.name, stage.steps) for stage in self.stages}
        self.total = max(sum(self.steps.values()), 1)
        self.names = {module: name for name, module in system.named_modules()}

    def execute(self) -> None:
        saved = self._load()
        done = 0
        first = saved["stage"] if saved else 0
        history = SummaryWriter(str(self.folder / "history")) if self.accelerator.is_main_process else None
        try:
            for index, stage in enumerate(self.stages):
                if index >= first:
                    self._stage(index, stage, done, saved if index == first else None, history)
                done += self.steps[stage.name]
        finally:
            if history is not None:
                history.close()
        self.system.eval().requires_grad_(False)
        self._save(len(self.stages), 0, {}, {})

    def _stage(
        self, index: int, stage: Stage, done: int, saved: dict[str, Any] | None, history: SummaryWriter | None
    ) -> None:
        system, accelerator = self.system, self.accelerator
        system.eval().requires_grad_(False)
        with torch.no_grad():
            data = stage.dataset(self.data, self.run)
        for network in stage.trains:
            network.train().requires_grad_(True)
        optimizers = {network: stage.optimizer(network, network.parameters()) for network in stage.trains}
        rates = {network: [group["lr"] for group in o.param_groups] for network, o in optimizers.items()}
        averages = {
            network: {k: v.detach().clone() for k, v in network.state_dict().items()} for network in stage.average
        }
        start = 0
        if saved:
            start = saved["step"]
            for network, optimizer in optimizers.items():
                if self.names[network] in saved["optimizers"]:
                    optimizer.load_state_dict(saved["optimizers"][self.names[network]])
            for network, average in averages.items():
                for key, value in saved["averages"].get(self.names[network], {}).items():
                    average[key].copy_(value)
        count = len(next(iter(data.values())))
        batch_size = self.plan.batch_size or min(stage.batch_size, max(count, 2))
        steps = self.steps[stage.name]
        world, rank = accelerator.num_processes, accelerator.process_index
        kept = time.monotonic()
        for step in range(start, steps):
            try:
                self.run.report((done + step) / self.total)
            except Cancelled:
                self._save(index, step, optimizers, averages)
                raise
            if time.monotonic() - kept > self.plan.checkpoint_seconds:
                self._save(index, step, optimizers, averages)
                kept = time.monotonic()
            seed = _derive(self.plan.seed, index, step)
            torch.manual_seed(seed)
            noise = Noise(seed, accelerator.device, rank, world)
            chosen = torch.randint(count, (batch_size,), generator=noise.generator).chunk(world)[rank]
            batch = {key: value[chosen.to(value.device)].to(accelerator.device) for key, value in data.items()}
            if stage.cosine:
                factor = 0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2
                for network, optimizer in optimizers.items():
                    for group, rate in zip(optimizer.param_groups, rates[network], strict=True):
                        group["lr"] = rate * factor
            losses = stage.losses(batch, noise)
            while True:
                with accelerator.autocast():
                    turn = next(losses, None)
                if turn is None:
                    break
                network, loss = turn
                self._update(network, loss, optimizers[network])
                if history is not None and step % 20 == 0:
                    history.add_scalar(f"{stage.name}/{self.names[network]}", float(loss.detach()), step)
            for network, average in averages.items():
                # The first steps count more, or a short training would end as an average with its random start.
                _follow(average, network, min(stage.average[network], (1 + step) / (10 + step)))
        for network, average in averages.items():
            network.load_state_dict(average)
        system.eval().requires_grad_(False)
        stage.finish(self.data, self.run)
        self._save(index + 1, 0, {}, {})

    def _update(self, network: nn.Module, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """One step of one network's optimiser; no other network gets a gradient."""
        parameters = [p for p in network.parameters() if p.requires_grad]
        optimizer.zero_grad()
        self.accelerator.backward(loss, inputs=parameters)
        if self.accelerator.num_processes > 1:
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad = self.accelerator.reduce(parameter.grad, "mean")  # type: ignore[assignment]
        optimizer.step()

    def _save(
        self,
        stage: int,
        step: int,
        optimizers: Mapping[nn.Module, torch.optim.Optimizer],
        averages: Mapping[nn.Module, Mapping[str, Tensor]],
    ) -> None:
        """Writes the checkpoint beside the old one, then renames it."""
        if not self.accelerator.is_main_process:
            return
        state = {
            "plan": self._fingerprint(),
            "stage": stage,
            "step": step,
            "system": self.system.state_dict(),
            "optimizers": {self.names[n]: o.state_dict() for n, o in optimizers.items()},
            "averages": {self.names[n]: dict(a) for n, a in averages.items()},
        }
        beside = self.folder / (CHECKPOINT + ".part")
        torch.save(state, beside)
        os.replace(beside, self.folder / CHECKPOINT)

    def _load(self) -> dict[str, Any] | None:
        path = self.folder / CHECKPOINT
        if not path.exists():
            return None
        try:
            # weights_only: a checkpoint is data, and data must not execute.
            state = torch.load(path, map_location=self.accelerator.device, weights_only=True)
        except (RuntimeError, UnpicklingError, EOFError) as error:
            raise BadRequest(
                f"The checkpoint {path} cannot be read: it is damaged, or not a checkpoint.",
                "Delete it to start anew, or use another folder.",
                details=str(error),
            ) from error
        if not isinstance(state, dict) or state.get("plan") != self._fingerprint():
            raise BadRequest(
                f"The checkpoint in {self.folder} belongs to a training with other settings or other data.",
                "Use the same settings to resume it, or another folder to start anew.",
            )
        self.system.load_state_dict(state["system"])
        return state

    def _fingerprint(self) -> str:
        """What must be equal for a checkpoint to be continued."""
        parts = [
            type(self.system).__module__,
            repr(self.system.config),
            str(self.plan.seed),
            repr(self.plan.batch_size),
        ]
        # A stage whose rate does not depend on its length may be made longer later; the others may not.
        scheduled = {stage.name: self.steps[stage.name] for stage in self.stages if stage.cosine}
        parts += [self.plan.precision, repr(sorted(scheduled.items()))]
        digest = hashlib.sha256("\n".join(parts).encode())
        for key, value in sorted(self.data.items()):
            digest.update(f"{key}{tuple(value.shape)}{value.dtype}{float(value.float().mean()):.6g}".encode())
        return digest.hexdigest()


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
