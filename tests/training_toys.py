"""Small systems that the tests of the training share, and what they do with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from gen3d_core.representations import Voxels
from gen3d_core.run import Run
from gen3d_core.system import Asset, Batch, Loss, Noise, Stage, System
from gen3d_core.training import Plan

PLAN = Plan(device="cpu")


def forget_accelerator() -> None:
    """The next training is as in a process of its own: accelerate keeps the first one's precision."""
    AcceleratorState._reset_state(reset_partial_state=True)


@dataclass(frozen=True)
class Config:
    """Of the toy."""

    width: int = 6
    average: float = 0.8


class Toy(System):
    """An autoencoder, then an adversary on its codes; with batch statistics, dropout, an average and a schedule."""

    Config = Config
    output = Voxels

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.body = nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.Dropout(0.2), nn.Linear(width, 4))
        self.maker = nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width), nn.Linear(width, 4))
        self.judge = nn.Sequential(nn.Linear(4, width), nn.LeakyReLU(0.2), nn.Linear(width, 1))
        self.register_buffer("measured", torch.zeros(()))
        self.seen: list[list[str]] = []

    def prepare(self, asset: Asset, run: Run) -> Batch:
        return {"x": run.randn(4)[0]}

    def stages(self) -> list[Stage]:
        def adam(network: nn.Module, parameters: Iterator[nn.Parameter]) -> torch.optim.Optimizer:
            return torch.optim.Adam(parameters, lr=1e-2)

        average = {self.body: self.config.average}
        return [
            Stage("first", (self.body,), self._copy, adam, 9, 5, average, finish=self._measure, cosine=True),
            Stage("second", (self.maker, self.judge), self._play, adam, 8, 4, dataset=self._codes),
        ]

    def _copy(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        x = batch["x"]
        yield self.body, (self.body(x + 0.1 * noise.randn(*x.shape)) - x).square().mean()

    def _measure(self, data: Batch, run: Run) -> None:
        with torch.no_grad():
            self.measured.copy_(self.body(data["x"]).std())

    def _codes(self, data: Batch, run: Run) -> Batch:
        return {"codes": self.body(data["x"])}

    def _play(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        self.seen.append([name for name, p in self.named_parameters() if p.requires_grad])
        for _ in range(2):
            fake = self.maker(noise.randn(len(batch["codes"]), 2))
            yield self.judge, self.judge(fake).mean() - self.judge(batch["codes"]).mean()
        yield self.maker, -self.judge(self.maker(noise.randn(len(batch["codes"]), 2))).mean()


def toy(**config: Any) -> Toy:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Toy(Config(**config))


def data(count: int = 11) -> Batch:
    return {"x": torch.randn(count, 4, generator=torch.Generator().manual_seed(1))}


def weights(system: System) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in system.state_dict().items()}


def assert_equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert set(a) == set(b)
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert not different
