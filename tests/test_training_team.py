"""Several processes end where one ends: statistics, dropout, rules of the game, penalties, uneven shares.

Run by ``accelerate launch`` this file is one of the processes: it trains and the leading one keeps the weights.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gen3d_core import training
from gen3d_core.errors import BadRequest
from gen3d_core.families import gan
from gen3d_core.representations import Voxels
from gen3d_core.run import Run
from gen3d_core.system import Asset, Batch, Loss, Noise, Stage, System
from gen3d_core.training import Plan, Team
from gen3d_core.training.history import read_losses

ROOT = Path(__file__).resolve().parent.parent
#: Of double precision: a gradient that is nought but for rounding, as of a bias before statistics, Adam makes larger.
SLACK = 1e-8


@dataclass(frozen=True)
class Config:
    """Of the game."""

    width: int = 6


class Game(System):
    """What is hard to share: batch statistics in both players, dropout, a rule on the whole batch, a penalty."""

    Config = Config
    output = Voxels

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        n = config.width
        self.body = nn.Sequential(nn.Linear(4, n), nn.BatchNorm1d(n), nn.Dropout(0.3), nn.Tanh(), nn.Linear(n, 4))
        self.maker = nn.Sequential(nn.Linear(2, n), nn.BatchNorm1d(n, momentum=None), nn.ReLU(), nn.Linear(n, 4))
        # Not linear after the statistics: the penalty is differentiated through them a second time.
        self.judge = nn.Sequential(nn.Linear(4, n), nn.BatchNorm1d(n), nn.Tanh(), nn.Linear(n, 1))
        self.register_buffer("rests", torch.zeros(()))
        self.register_buffer("measured", torch.zeros(()))

    def prepare(self, asset: Asset, run: Run) -> Batch:
        return {}

    def stages(self) -> list[Stage]:
        def adam(network: nn.Module, parameters: Iterator[nn.Parameter]) -> torch.optim.Optimizer:
            return torch.optim.Adam(parameters, lr=1e-2)

        # Neither 5 nor 7 can be halved.
        return [
            Stage("first", (self.body,), self._copy, adam, 25, 5, {self.body: 0.8}, finish=self._measure, cosine=True),
            Stage("second", (self.maker, self.judge), self._play, adam, 25, 7),
        ]

    def _copy(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        x = batch["x"]
        yield self.body, (self.body(x + 0.1 * noise.randn(*x.shape).double()) - x).square().mean()

    def _measure(self, data: Batch, run: Run) -> None:
        with torch.no_grad():
            self.measured.copy_(self.body(data["x"]).std())

    def _play(self, batch: Batch, noise: Noise) -> Iterator[Loss]:
        real = batch["x"] * (1 + noise.common())
        fake = self.maker(noise.randn(len(real), 2).double())
        judged = [self.judge(x)[:, 0] for x in (real, fake.detach())]
        # The share that is right differs between the processes, and often lies on either side of the rule.
        if noise.mean(gan.accuracy(*judged)) < 0.5:
            mix = noise.rand(len(real)).double()
            penalty = gan.gradient_penalty(lambda x: self.judge(x)[:, 0], real, fake.detach(), mix)
            yield self.judge, gan.discriminator_loss(*judged) + penalty
        else:
            self.rests += 1
        yield self.maker, gan.generator_loss(self.judge(fake)[:, 0])


def trained(folder: Path) -> System:
    """The game after its training, in double precision: what remains is what the processes do differently."""
    torch.set_num_threads(1)
    torch.manual_seed(3)
    game = Game(Config()).double()
    data = {"x": torch.randn(11, 4, generator=torch.Generator().manual_seed(1)).double()}
    team = Team("cpu")
    training.train(game, data, folder, Plan(device="cpu"), team=team)
    if team.leads:
        torch.save({**game.state_dict(), "processes": torch.tensor(team.size)}, folder / "weights.pt")
    team.leave()
    return game


def launch(folder: Path, processes: int) -> dict[str, Tensor]:
    # With --cpu it would start a single process; the training chooses its device, and with it gloo, by itself.
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes)]
    command += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, __file__, str(folder)], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return torch.load(folder / "weights.pt", weights_only=True)


@pytest.mark.slow
def test_two_processes_end_where_one_ends(tmp_path: Path) -> None:
    alone = trained(tmp_path / "one").state_dict()
    assert 3 < float(alone["rests"]) < 22
    together = launch(tmp_path / "two", 2)
    assert int(together.pop("processes")) == 2
    assert set(together) == set(alone)
    for name, value in alone.items():
        assert torch.allclose(together[name], value, rtol=SLACK, atol=SLACK), name
    one, two = read_losses(tmp_path / "one"), read_losses(tmp_path / "two")
    assert [(row.step, row.name) for row in two] == [(row.step, row.name) for row in one]
    assert [row.value for row in two] == pytest.approx([row.value for row in one], rel=1e-4)


def test_shares_cover_the_batch_and_differ_by_one_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    team = Team("cpu")
    for size in (1, 2, 3, 7):
        for whole in range(size, 20):
            shares = []
            for rank in range(size):
                monkeypatch.setattr(team, "rank", rank)
                monkeypatch.setattr(team, "size", size)
                shares.append(range(whole)[team.divide(whole)])
            assert [i for share in shares for i in share] == list(range(whole))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1
    monkeypatch.setattr(team, "size", 4)
    with pytest.raises(BadRequest, match="3 shapes cannot be shared by 4 processes"):
        team.divide(3)


class _AsOfTwo(Team):
    """A team of two in one process, whose members have equal sums: the arithmetic without the network."""

    def __init__(self) -> None:
        super().__init__("cpu")
        self.size = 2

    def total(self, values: Tensor) -> Tensor:
        return 2 * values


@pytest.mark.parametrize("shape", [(6, 3), (6, 3, 5), (4, 3, 2, 2, 2)])
def test_shared_statistics_are_those_of_the_whole_batch(shape: tuple[int, ...]) -> None:
    """Two processes with the same examples are one process with every example twice."""
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 5: nn.BatchNorm3d}[len(shape)]
    ours, theirs = kind(3).double(), kind(3).double()
    generator = torch.Generator().manual_seed(0)
    for norm in (ours, theirs):
        nn.init.constant_(norm.weight, 1.7)
        nn.init.constant_(norm.bias, -0.3)
    for _ in range(3):
        x = torch.randn(shape, generator=generator).double() * 4 + 2
        expected = theirs(torch.cat([x, x]))[: len(x)]
        with _AsOfTwo().joined(nn.Sequential(ours)):
            found = ours(x)
        assert torch.allclose(found, expected)
    for key, value in theirs.state_dict().items():
        assert torch.allclose(ours.state_dict()[key], value), key
    ours.eval()
    theirs.eval()
    with _AsOfTwo().joined(nn.Sequential(ours)):
        assert torch.equal(ours(x), ours.__class__.forward(ours, x))
    assert "forward" not in ours.__dict__


if __name__ == "__main__":
    trained(Path(sys.argv[1]))
