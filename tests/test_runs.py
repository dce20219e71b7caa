"""The run folder: what is written is read whole, and the living are told from the dead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from gen3d_core import runs
from gen3d_core.runs import Status

FULL = Status(
    "training",
    title="Stühle 🪑",
    system="voxels.vae",
    stage="vae",
    step=7,
    steps=100,
    fraction=0.07,
    seconds=3.5,
    left=46.5,
    loss={"vae": 0.25},
    assets=12,
    refused=[["lamp.obj", "It has no faces."]],
    warnings=["Few assets."],
    pid=os.getpid(),
    process=runs.identity(os.getpid()),
    started=1000.0,
    arguments=["train", "voxels.vae"],
)


def test_a_status_comes_back_with_the_time_of_writing(tmp_path: Path) -> None:
    runs.write(tmp_path / "new" / "run", FULL)
    found = runs.read(tmp_path / "new" / "run")
    assert found is not None
    assert found.updated > 1.7e9
    assert replace(found, updated=0.0) == FULL
    assert [path.name for path in (tmp_path / "new" / "run").iterdir()] == [runs.STATUS]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"title": "x"}',
        '{"state": "asleep"}',
        '{"state": "done", "step": "many"}',
        '{"state": 1}',
    ],
)
def test_what_is_no_status_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / runs.STATUS).write_text(text, encoding="utf-8")
    assert runs.read(tmp_path) is None
    assert runs.read(tmp_path / "nowhere") is None
    (tmp_path / runs.STATUS).write_bytes(b"\xff\xfe")
    assert runs.read(tmp_path) is None


def test_entries_of_other_versions_do_not_matter(tmp_path: Path) -> None:
    values: dict[str, Any] = asdict(FULL) | {"mood": "good"}
    del values["warnings"]
    (tmp_path / runs.STATUS).write_text(json.dumps(values), encoding="utf-8")
    assert runs.read(tmp_path) == replace(FULL, warnings=())


def test_a_wrong_state_is_refused() -> None:
    with pytest.raises(ValueError, match="'asleep' is not a state"):
        Status("asleep")


def test_nobody_reads_half_a_status(tmp_path: Path) -> None:
    runs.write(tmp_path, FULL)
    stop = threading.Event()

    def keep_writing() -> None:
        for i in range(300):
            runs.write(tmp_path, replace(FULL, step=i, message="x" * (i * 50)))
        stop.set()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    seen = []
    while not stop.is_set():
        status = runs.read(tmp_path)
        assert status is not None
        assert len(status.message) in (0, status.step * 50)
        seen.append(status.step)
    writer.join()
    last = runs.read(tmp_path)
    assert last is not None
    assert last.step == 299
    assert [path.name for path in tmp_path.iterdir()] == [runs.STATUS]


def test_a_status_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    runs.write(tmp_path, FULL)
    with pytest.raises(TypeError):
        runs.write(tmp_path, replace(FULL, loss={"vae": object()}))  # type: ignore[dict-item]
    found = runs.read(tmp_path)
    assert found is not None
    assert found.step == FULL.step


def test_the_last_word_counts_until_it_is_cleared(tmp_path: Path) -> None:
    assert runs.asked(tmp_path) is None
    for word in runs.WORDS:
        runs.ask(tmp_path, word)
        assert runs.asked(tmp_path) == word
    runs.clear(tmp_path)
    runs.clear(tmp_path)
    assert runs.asked(tmp_path) is None
    with pytest.raises(ValueError, match="cannot be asked to 'dance'"):
        runs.ask(tmp_path, "dance")
    (tmp_path / runs.ASKED).write_text("dance", encoding="utf-8")
    assert runs.asked(tmp_path) is None


def test_the_living_are_told_from_the_dead() -> None:
    assert runs.alive(FULL)
    assert not runs.interrupted(FULL)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    status = replace(FULL, pid=child.pid, process=runs.identity(child.pid))
    assert runs.alive(status)
    child.kill()
    # Ended, whether its parent has asked for its exit status or not.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not runs.alive(status)
    child.communicate()
    assert not runs.alive(status)
    assert runs.interrupted(status)
    for state in ("paused", "done", "failed"):
        assert not runs.interrupted(replace(status, state=state))


def test_another_process_of_the_same_number_is_not_the_training() -> None:
    assert not runs.alive(replace(FULL, process="an earlier boot 123"))
    assert not runs.alive(replace(FULL, process=""))
    assert runs.identity(0) == ""
    assert runs.identity(2**22 + 12345) == ""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no ps on Windows")
def test_ps_tells_processes_apart_too() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert runs._posix_identity(child.pid)
    child.kill()
    child.communicate()
    assert runs._posix_identity(child.pid) == ""


def test_runs_are_listed_latest_first_and_other_folders_passed_over(tmp_path: Path) -> None:
    for name, started in (("a", 1.0), ("b", 3.0), ("c", 2.0)):
        runs.write(tmp_path / name, replace(FULL, started=started))
    (tmp_path / "notes").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / runs.STATUS).write_text("{")
    assert [folder.name for folder, _ in runs.listing(tmp_path)] == ["b", "c", "a"]
    assert runs.listing(tmp_path / "nowhere") == []


def test_only_the_standard_library_is_imported() -> None:
    code = "import sys; import gen3d_core.runs; print(*sorted(set(sys.modules) & {'numpy', 'torch', 'psutil'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
