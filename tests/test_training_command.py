"""``gen3d train`` and its run folder: what a watcher sees and asks, how a training resumes, what the card says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from gen3d_core import cards, runs, tasks, zoo
from gen3d_core.__main__ import main
from gen3d_core.data import catalogue
from gen3d_core.run import Run
from gen3d_core.runs import Status
from gen3d_core.systems.voxels.vae import VoxelVAE
from gen3d_core.training import Moment, Session, curve
from gen3d_core.training.history import History, Row, read_losses
from tests.training_toys import forget_accelerator

pytestmark = pytest.mark.usefixtures("accelerator_anew")

ROOT = Path(__file__).resolve().parent.parent
SIZES = [part for size in ("channels=[4,8,8,8]", "hidden=16", "latent=4") for part in ("--set", size)]
SMALL = ["--data", "catalogue:chair", "--count", "9", "--batch-size", "4", "--device", "cpu", "--threads", "1"]
MOMENT = Moment("vae", 0, 1, 5, 10, 0.5, 2.0, 2.0, {"network": 3.5})


def train(tmp_path: Path, name: str, *more: str) -> int:
    places = ["--out", str(tmp_path / "zoo" / name), "--run", str(tmp_path / "runs" / name)]
    return main(["train", "voxels.vae", *SMALL, *places, *more])


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def status(tmp_path: Path, name: str) -> Status:
    found = runs.read(tmp_path / "runs" / name)
    assert found is not None
    return found


@contextmanager
def started(tmp_path: Path, name: str, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A training in a process of its own, which would take long."""
    places = ["--out", str(tmp_path / "zoo" / name), "--run", str(tmp_path / "runs" / name), "--minutes", "10"]
    command = [sys.executable, "-m", "gen3d_core", "train", "voxels.vae", *SMALL, *SIZES, *places, *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdin=subprocess.PIPE, **quiet) as child:
        try:
            yield child
        finally:
            child.kill()


def until(condition: Callable[[], bool], child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert child.poll() is None, "the training ended"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def learning(tmp_path: Path, name: str, step: int = 3) -> Callable[[], bool]:
    def condition() -> bool:
        found = runs.read(tmp_path / "runs" / name)
        return found is not None and found.state == "training" and found.step >= step

    return condition


@pytest.mark.slow
def test_a_training_tells_how_it_went(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs.ask(_made(tmp_path / "runs" / "tiny"), "stop")
    assert train(tmp_path, "tiny", *SIZES, "--steps", "vae=25", "--title", "Tiny", "--seed", "4") == 0
    out = capsys.readouterr().out
    found = status(tmp_path, "tiny")
    assert (found.state, found.title, found.system, found.assets) == ("done", "Tiny", "voxels.vae", 9)
    assert (found.fraction, found.left, found.model) == (1.0, 0.0, str(tmp_path / "zoo" / "tiny"))
    assert found.seconds > 0
    assert str(tmp_path / "zoo" / "tiny") in out
    assert "Learnt from 9 assets" in out
    folder = tmp_path / "runs" / "tiny"
    assert {(row.step, row.stage, row.name) for row in read_losses(folder)} == {
        (0, "vae", "network"),
        (20, "vae", "network"),
    }
    assert size(folder / runs.CURVE) == (720, 360)
    card = cards.read(tmp_path / "zoo" / "tiny")
    assert (card.assets, card.sources, card.parent, card.licence) == (9, ["catalogue:chair"], "", "CC0-1.0")
    assert len(card.date) == 10
    assert card.metrics["novelty"]["assets"] == 9
    assert set(card.metrics["scores"]) == {"training", "held_out"}
    readme = (card.folder / cards.README).read_text(encoding="utf-8")
    assert card.metrics["novelty"]["sentences"][0] in readme
    assert "gen3d train voxels.vae --data catalogue:chair --count 9" in readme
    assert "--steps vae=25 --batch-size 4 --seed 4" in readme
    assert str(tmp_path) not in readme


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


@pytest.mark.slow
def test_keep_ends_at_once_with_a_model(tmp_path: Path) -> None:
    with started(tmp_path, "kept") as child:
        until(learning(tmp_path, "kept"), child)
        runs.ask(tmp_path / "runs" / "kept", "keep")
        assert child.wait(120) == 0
    assert status(tmp_path, "kept").state == "done"
    zoo.load(cards.read(tmp_path / "zoo" / "kept"))


@pytest.mark.slow
def test_pause_and_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with started(tmp_path, "paused") as child:
        until(learning(tmp_path, "paused"), child)
        seen = status(tmp_path, "paused")
        assert runs.alive(seen)
        # A second training cannot take the same folder.
        assert train(tmp_path, "paused", *SIZES) == 2
        assert "is running" in capsys.readouterr().err
        runs.ask(tmp_path / "runs" / "paused", "pause")
        assert child.wait(120) == 0
    found = status(tmp_path, "paused")
    assert (found.state, runs.alive(found), runs.interrupted(found)) == ("paused", False, False)
    assert runs.asked(tmp_path / "runs" / "paused") is None
    assert not (tmp_path / "zoo").exists()
    assert main(["train", "--resume", str(tmp_path / "runs" / "paused"), "--keep"]) == 0
    again = status(tmp_path, "paused")
    assert again.state == "done"
    assert again.seconds >= found.seconds
    assert again.started == seen.started
    assert cards.read(tmp_path / "zoo" / "paused").assets == 9


@pytest.mark.slow
def test_the_end_of_standard_input_means_pause(tmp_path: Path) -> None:
    with started(tmp_path, "left", "--attended") as child:
        until(learning(tmp_path, "left"), child)
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(120) == 0
    assert status(tmp_path, "left").state == "paused"
    assert (tmp_path / "runs" / "left" / runs.CHECKPOINT).exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_signal_means_pause(tmp_path: Path, number: int) -> None:
    with started(tmp_path, "asked") as child:
        until(learning(tmp_path, "asked"), child)
        child.send_signal(number)
        assert child.wait(120) == 0
    assert status(tmp_path, "asked").state == "paused"


@pytest.mark.slow
def test_a_killed_training_is_seen_to_be_interrupted_and_resumes(tmp_path: Path) -> None:
    with started(tmp_path, "killed") as child:
        until(learning(tmp_path, "killed"), child)
        child.kill()
        child.wait()
    found = status(tmp_path, "killed")
    assert runs.interrupted(found)
    assert cards.listing([tmp_path / "zoo"]) == cards.listing()
    assert main(["train", "--resume", str(tmp_path / "runs" / "killed"), "--keep"]) == 0
    assert status(tmp_path, "killed").state == "done"


@pytest.mark.slow
def test_stop_keeps_nothing(tmp_path: Path) -> None:
    with started(tmp_path, "stopped") as child:
        until(learning(tmp_path, "stopped"), child)
        runs.ask(tmp_path / "runs" / "stopped", "stop")
        assert child.wait(120) == 0
    assert status(tmp_path, "stopped").state == "paused"
    assert "Stopped" in status(tmp_path, "stopped").message
    assert not (tmp_path / "runs" / "stopped" / runs.CHECKPOINT).exists()
    assert not (tmp_path / "zoo").exists()


@pytest.mark.slow
def test_a_run_killed_just_before_it_could_say_done_is_done(tmp_path: Path) -> None:
    assert train(tmp_path, "late", *SIZES, "--steps", "vae=1") == 0
    before = cards.read(tmp_path / "zoo" / "late")
    runs.write(tmp_path / "runs" / "late", replace(status(tmp_path, "late"), state="finishing", model="", pid=1))
    assert main(["train", "--resume", str(tmp_path / "runs" / "late")]) == 0
    assert (status(tmp_path, "late").state, status(tmp_path, "late").model) == ("done", str(before.folder))
    # Made anew, it would be refused: a model is never overwritten.
    assert train(tmp_path, "late", *SIZES, "--steps", "vae=1") == 2
    assert cards.read(tmp_path / "zoo" / "late") == before


def test_what_fails_says_why_in_its_folder(tmp_path: Path) -> None:
    assert main(["train", "voxels.vae", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "m"),
                 "--run", str(tmp_path / "runs" / "wrong"), "--device", "cpu"]) == 2  # fmt: skip
    found = status(tmp_path, "wrong")
    assert found.state == "failed"
    assert "nowhere" in found.message
    assert found.remedy


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["voxels.vae"], "--data and --out"),
        (["--data", "catalogue:chair", "--out", "m"], "No system"),
        (["--resume", "nowhere"], "not the folder of a training"),
        (["--data", "catalogue:chair", "--out", "m", "--from", "nobody"], "no model 'nobody'"),
        (["voxels.vae", "--data", "catalogue:chair", "--out", "m", "--minutes", "0"], "no time to learn"),
    ],
)
def test_orders_that_make_no_sense(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", *arguments]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.slow
def test_fine_tuning_starts_from_the_models_weights_and_names_it(tmp_path: Path) -> None:
    assert train(tmp_path, "base", *SIZES, "--steps", "vae=30") == 0
    base = cards.read(tmp_path / "zoo" / "base")
    forget_accelerator()
    # Without a step, what comes out is what went in.
    places = ["--out", str(tmp_path / "zoo" / "same"), "--run", str(tmp_path / "runs" / "same")]
    assert main(["train", *SMALL, *places, "--from", str(base.folder), "--steps", "vae=0"]) == 0
    same = cards.read(tmp_path / "zoo" / "same")
    assert (same.system, same.parent, same.config) == ("voxels.vae", "base", base.config)
    before, after = zoo.load(base).state_dict(), zoo.load(same).state_dict()
    learnt = [name for name in before if name.startswith("network.")]
    assert all(torch.equal(before[name], after[name]) for name in learnt)
    assert "`base`" in (same.folder / cards.README).read_text(encoding="utf-8")
    refused = [("voxels.gan3d",), ("--set", "latent=3"), ("--preset", "paper")]
    for more in refused:
        assert main(["train", *more, *SMALL, "--out", str(tmp_path / "x"), "--from", str(base.folder)]) == 2


def untrained() -> VoxelVAE:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        system = VoxelVAE.from_config({"channels": [4, 8, 8, 8], "hidden": 16, "latent": 4})
    assert isinstance(system, VoxelVAE)
    system.get_buffer("threshold").fill_(0.12)
    return system.eval().requires_grad_(False)


@pytest.mark.slow
def test_samples_are_drawn_as_it_learns(tmp_path: Path) -> None:
    session = Session(tmp_path, Status("training"))
    session.look(untrained(), MOMENT)
    assert size(tmp_path / runs.SAMPLES) == (480, 320)
    # A system that draws nothing yet leaves the picture as it is.
    before = (tmp_path / runs.SAMPLES).read_bytes()
    silent = untrained()
    silent.get_buffer("threshold").fill_(1.0)
    session.look(silent, MOMENT)
    assert (tmp_path / runs.SAMPLES).read_bytes() == before


def test_a_first_stage_of_several_is_seen_by_what_it_rebuilds(tmp_path: Path) -> None:
    session = Session(tmp_path, Status("training"))
    session.shown = [catalogue.make("chair", i) for i in range(2)]
    session.look(untrained(), Moment("vae", 0, 2, 5, 10, 0.5, 2.0, 2.0, {}))
    assert size(tmp_path / runs.SAMPLES) == (480, 160)


def test_pictures_take_a_small_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(tmp_path, Status("training"))
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    looks = []
    for _ in range(4000):
        now[0] += 1.0
        if session.wants_to_look(MOMENT):
            looks.append(now[0])
            session._drawn, session._drawing = now[0] + 6.0, 6.0
            now[0] += 6.0
    assert looks[0] == pytest.approx(1007.0, abs=2)
    assert 15 <= len(looks) <= 0.04 * 4000 / 6


def test_the_last_news_are_in_the_status(tmp_path: Path) -> None:
    session = Session(tmp_path, Status("preparing", title="T", arguments=["train"]))
    assert session.step(MOMENT) == ""
    found = runs.read(tmp_path)
    assert found is not None
    assert (found.state, found.stage, found.step, found.steps, found.loss) == (
        "training",
        "vae",
        5,
        10,
        {"network": 3.5},
    )
    assert (found.title, found.arguments, found.pid) == ("T", ["train"], os.getpid())
    session.warn("Careful.")
    session.warn("Careful.")
    found = runs.read(tmp_path)
    assert found is not None
    assert found.warnings == ["Careful."]


def test_the_curve_shows_axes_names_and_values(tmp_path: Path) -> None:
    rows = [Row(step, stage, name, 100.0 / (1 + step)) for stage, name in (("a", "x"), ("b", "y"), ("b", "z"))
            for step in range(0, 500, 20)]  # fmt: skip
    picture = curve.draw(rows)
    assert picture.shape == (360, 720, 3)
    colours = {tuple(colour) for colour in picture.reshape(-1, 3)}
    assert set(curve.COLOURS[:2]) <= colours
    assert not (picture[:, :360] == curve.COLOURS[1]).all(2).any()
    for few in ([], rows[:1], [Row(0, "a", "x", float("nan"))], [Row(i, "a", "x", 2.0) for i in range(3)]):
        assert curve.draw(few).std() > 0
    History(tmp_path, 0).add(0, "a", {"x": 1.0})
    curve.save(tmp_path / runs.CURVE, read_losses(tmp_path))
    assert (tmp_path / runs.CURVE).exists()


def test_a_card_of_before_has_no_new_entries(tmp_path: Path) -> None:
    zoo.save(untrained(), tmp_path / "old", title="", licence="CC0-1.0", data="", readme="")
    values = json.loads((tmp_path / "old" / cards.CONFIG).read_text())
    assert not {"date", "assets", "sources", "parent", "metrics"} & set(values)
    card = cards.read(tmp_path / "old")
    assert (card.date, card.assets, card.sources, card.parent, card.metrics) == ("", 0, (), "", {})
    shape = next(tasks.sample(zoo.load(card), Run([1])))
    assert shape.latent is not None
