"""What a training survives: being killed, a full disk, data that changed; and that its history has no gaps or doubles.

Run as a program, this file trains the toy, slowly enough to be killed in the middle.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gen3d_core import cards, training, zoo
from gen3d_core.errors import BadRequest, Gen3DError
from gen3d_core.run import Cancelled, Run
from gen3d_core.systems.voxels.vae import VoxelVAE
from gen3d_core.training import CHECKPOINT, Moment, Plan, Watch
from gen3d_core.training.checkpoint import PART, Checkpoint, fingerprint
from gen3d_core.training.history import History, Row, read_losses
from tests.training_toys import Config, Toy, assert_equal, data, toy, weights

pytestmark = pytest.mark.usefixtures("accelerator_anew")

ROOT = Path(__file__).resolve().parent.parent
LONG = Plan(device="cpu", steps={"first": 60, "second": 60}, checkpoint_seconds=0.0)


class Slow(Watch):
    """Gives its parent time to kill it, and says where it is."""

    def step(self, moment: Moment) -> str:
        sys.stdout.write(f"{moment.index} {moment.step}\n")
        sys.stdout.flush()
        time.sleep(0.02)
        return ""


@pytest.mark.slow
@pytest.mark.parametrize("lines", [5, 75])
def test_a_killed_training_goes_on_from_its_checkpoint(tmp_path: Path, lines: int) -> None:
    whole = toy()
    training.train(whole, data(), tmp_path / "whole", LONG)
    command = [sys.executable, str(Path(__file__)), str(tmp_path / "killed")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(lines)]
        child.kill()
    # As if it had been writing the next one.
    (tmp_path / "killed" / PART).write_bytes(b"half")
    state = torch.load(tmp_path / "killed" / CHECKPOINT, weights_only=True)
    index, step = map(int, said[-1].split())
    assert (state["stage"], state["step"]) >= (index, step - 1)
    parts = Toy(Config())
    training.train(parts, data(), tmp_path / "killed", LONG)
    assert_equal(weights(whole), weights(parts))
    assert _table(tmp_path / "killed") == _table(tmp_path / "whole")
    assert not (tmp_path / "killed" / PART).exists()


def _table(folder: Path) -> list[Row]:
    return read_losses(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB; where none can be mounted, a folder."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = hasattr(os, "geteuid") and os.geteuid() == 0
    if mounted:
        command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    yield folder
    if mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Inside, nothing more can be written to ``folder``."""
    if os.path.ismount(folder):
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                for size in (4096, 1):
                    while file.write(b"x" * size) == size:
                        pass
            except OSError:
                pass
            yield
        filler.unlink()
    else:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Between(Watch):
    """Calls something at two moments, counted in steps."""

    def __init__(self, calls: dict[int, Callable[[], object]]) -> None:
        self.calls, self.count = calls, 0
        self.warnings: list[str] = []

    def step(self, moment: Moment) -> str:
        if call := self.calls.get(self.count):
            call()
        self.count += 1
        return ""

    def warn(self, sentence: str) -> None:
        self.warnings.append(sentence)


@pytest.mark.slow
def test_a_full_disk_costs_checkpoints_and_nothing_else(tmp_path: Path, small_disk: Path) -> None:
    whole, parts = toy(), toy()
    training.train(whole, data(), tmp_path / "whole", LONG)
    disk = full(small_disk)
    watch = Between({30: disk.__enter__, 90: lambda: disk.__exit__(None, None, None)})
    kept: list[int] = []
    watch.calls[50] = lambda: kept.append(torch.load(small_disk / CHECKPOINT, weights_only=True)["step"])
    training.train(parts, data(), small_disk, LONG, watch=watch)
    assert_equal(weights(whole), weights(parts))
    # The one from before the disk was full stayed whole.
    assert kept == [29]
    assert watch.warnings
    assert all("could not be written" in warning for warning in watch.warnings)
    assert torch.load(small_disk / CHECKPOINT, weights_only=True)["stage"] == 2


@pytest.mark.slow
def test_a_disk_that_stays_full_keeps_the_previous_checkpoint(tmp_path: Path, small_disk: Path) -> None:
    whole = toy()
    training.train(whole, data(), tmp_path / "whole", LONG)
    disk = full(small_disk)
    watch = Between({30: disk.__enter__})
    training.train(toy(), data(), small_disk, LONG, watch=watch)
    disk.__exit__(None, None, None)
    resumed = Toy(Config())
    training.train(resumed, data(), small_disk, LONG)
    assert_equal(weights(whole), weights(resumed))
    assert [(row.step, row.stage, row.name) for row in _table(small_disk)] == [
        (row.step, row.stage, row.name) for row in _table(tmp_path / "whole")
    ]


def test_a_model_that_cannot_be_saved_is_not_in_the_list(small_disk: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        system = VoxelVAE.from_config({"channels": [8, 8, 8, 8], "hidden": 64, "latent": 32})
    entries = {"title": "", "licence": "CC0-1.0", "data": "", "readme": ""}
    with full(small_disk), pytest.raises(Gen3DError, match="cannot be written") as raised:
        zoo.save(system, small_disk / "model", **entries)
    assert "resumed" in raised.value.remedy
    assert list(small_disk.iterdir()) == []
    assert [card for card in cards.listing([small_disk]) if card.folder.parent == small_disk] == []


def test_a_model_half_written_is_not_in_the_list(tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        system = VoxelVAE.from_config({"channels": [2, 2, 2, 2], "hidden": 4, "latent": 3})
    zoo.save(system, tmp_path / "model", title="", licence="", data="", readme="")
    # What a process leaves that is killed just before the last rename.
    (tmp_path / "model").rename(tmp_path / ".model-x1y2")
    assert [card.id for card in cards.listing([tmp_path]) if card.folder.parent == tmp_path] == []
    assert cards.damaged([tmp_path]) == []


def test_weights_that_are_no_numbers_are_not_saved(tmp_path: Path) -> None:
    system = VoxelVAE.from_config({"channels": [2, 2, 2, 2], "hidden": 4, "latent": 3})
    for wrong in (float("nan"), 1e5):
        system.get_buffer("threshold").fill_(wrong)
        with pytest.raises(Gen3DError, match="threshold"):
            zoo.save(system, tmp_path / "model", title="", licence="", data="", readme="")
    assert list(tmp_path.iterdir()) == []


def test_every_byte_of_the_data_counts(tmp_path: Path) -> None:
    one, other = data(), data()
    # The same mean, the same sizes: two entries have changed places.
    other["x"][0, 0], other["x"][1, 0] = one["x"][1, 0], one["x"][0, 0]
    assert fingerprint([], one) != fingerprint([], other)
    assert fingerprint([], one) == fingerprint([], data())
    assert fingerprint([1], one) != fingerprint([], one)
    assert fingerprint([], {"a": torch.ones(2, 2)}) != fingerprint([], {"b": torch.ones(2, 2)})
    assert fingerprint([], {"a": torch.ones(2, 2).bool()}) != fingerprint([], {"a": torch.ones(4).bool()})
    training.train(toy(), one, tmp_path, Plan(device="cpu"))
    with pytest.raises(BadRequest, match="other settings or other data"):
        training.train(toy(), other, tmp_path, Plan(device="cpu"))


@pytest.mark.parametrize("change", [{"rate": 0.5}, {"start": "a model"}])
def test_a_checkpoint_from_another_start_is_refused(tmp_path: Path, change: dict[str, float | str]) -> None:
    training.train(toy(), data(), tmp_path, Plan(device="cpu"))
    with pytest.raises(BadRequest, match="other settings or other data"):
        training.train(toy(), data(), tmp_path, Plan(device="cpu", **change))  # type: ignore[arg-type]


def test_a_checkpoint_says_why_it_could_not_be_written(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "nowhere", "")
    assert "No such file" in checkpoint.save({})
    (tmp_path / "nowhere").mkdir()
    assert checkpoint.save({"a": torch.ones(2)}) == ""
    loaded = checkpoint.load()
    assert loaded is not None
    assert torch.equal(loaded["a"], torch.ones(2))


@pytest.mark.slow
def test_a_resumed_history_has_neither_gaps_nor_doubles(tmp_path: Path) -> None:
    plan = Plan(device="cpu", steps={"first": 50, "second": 50})
    training.train(toy(), data(), tmp_path / "whole", plan)
    # A checkpoint at step 30, then more steps that are lost.
    path = tmp_path / "parts" / CHECKPOINT
    _until(30, plan, tmp_path / "parts")
    kept = path.read_bytes()
    _until(15, plan, tmp_path / "parts")
    path.write_bytes(kept)
    training.train(toy(), data(), tmp_path / "parts", plan)
    assert _table(tmp_path / "parts") == _table(tmp_path / "whole")
    assert [row.step for row in _table(tmp_path / "whole") if row.name == "body"] == [0, 20, 40]
    assert [row.step for row in _table(tmp_path / "whole") if row.name == "judge"] == [50, 70, 90]
    found = [EventAccumulator(str(tmp_path / name / "history")) for name in ("parts", "whole")]
    for history in found:
        history.Reload()
    for tag in ("first/body", "second/maker", "second/judge"):
        parts, whole = ([(e.step, e.value) for e in history.Scalars(tag)] for history in found)
        assert parts == whole, tag


def _until(reports: int, plan: Plan, folder: Path) -> None:
    """Trains for so many steps, then pauses."""
    calls = iter(range(1000))
    with pytest.raises(Cancelled):
        training.train(toy(), data(), folder, plan, Run([0], on_progress=lambda fraction: next(calls) < reports))


def test_a_table_that_was_cut_short_can_be_read(tmp_path: Path) -> None:
    history = History(tmp_path, 0)
    history.add(0, "a", {"x": 1.5})
    with (tmp_path / "losses.csv").open("a") as file:
        file.write("20,a,x")
    assert read_losses(tmp_path) == [Row(0, "a", "x", 1.5)]
    History(tmp_path, 20).add(20, "a", {"x": 2.5})
    assert read_losses(tmp_path) == [Row(0, "a", "x", 1.5), Row(20, "a", "x", 2.5)]


if __name__ == "__main__":
    torch.set_num_threads(1)
    training.train(toy(), data(), Path(sys.argv[1]), LONG, watch=Slow())
