"""Prepared data on disk: whole or absent, bounded, shared by processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gen3d_core.data import cache
from gen3d_core.data.cache import Cache, default_folder, key

ROOT = Path(__file__).resolve().parent.parent.parent


def entry(value: int, size: int = 10) -> dict[str, np.ndarray]:
    return {"values": np.full(size, value), "more": np.array([1.5])}


def test_what_was_put_is_found(tmp_path: Path) -> None:
    store = Cache(tmp_path / "new" / "cache")
    assert store.get(key("a")) is None
    assert store.put(key("a"), entry(3))
    found = store.get(key("a"))
    assert found is not None
    assert found["values"].tolist() == [3] * 10
    assert found["more"].tolist() == [1.5]
    assert store.get(key("b")) is None
    assert [path.suffix for path in (tmp_path / "new" / "cache").rglob("*") if path.is_file()] == [".npz"]


def test_keys_depend_on_every_part() -> None:
    keys = {key("a", "b"), key("ab"), key("a", b"b", b""), key("b", "a"), key("a")}
    assert len(keys) == 5
    assert key("a", b"b") == key("a", "b")


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half a file", b"\x93NUMPY"])
def test_a_damaged_entry_is_not_there(tmp_path: Path, damage: bytes) -> None:
    store = Cache(tmp_path)
    store.put(key("a"), entry(1))
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(damage)
    assert store.get(key("a")) is None
    assert not path.exists()
    assert store.put(key("a"), entry(2))
    assert store.get(key("a")) is not None


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    store = Cache(tmp_path)
    store.put(key("a"), entry(1))
    (path,) = tmp_path.rglob("*.npz")
    np.savez(path, values=np.array([{"a": 1}], dtype=object))
    assert store.get(key("a")) is None


def test_what_was_not_used_for_longest_goes(tmp_path: Path) -> None:
    store = Cache(tmp_path, limit=100_000)
    names = [key(str(i)) for i in range(8)]
    for i, name in enumerate(names):
        store.put(name, entry(i, 1200))
        (path,) = tmp_path.glob(f"*/{name}.npz")
        os.utime(path, (1000 + i, 1000 + i))
    assert store.get(names[0]) is not None  # now the one used last
    store.put(key("more"), entry(9, 3000))
    store.prune()
    left = [name for name in names if store.get(name) is not None]
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.npz")) <= 100_000
    assert names[0] in left
    assert names[1] not in left
    assert names[7] in left


def test_the_limit_holds_without_being_asked(tmp_path: Path) -> None:
    store = Cache(tmp_path, limit=200_000)
    for i in range(40):
        store.put(key(str(i)), entry(i, 2500))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.npz")) <= 1.2 * 200_000


def test_unfinished_files_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    old, new = tmp_path / "ab" / "old.part", tmp_path / "ab" / "new.part"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    past = time.time() - 2 * cache.STALE
    os.utime(old, (past, past))
    Cache(tmp_path).prune()
    assert not old.exists()
    assert new.exists()


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Cache(tmp_path / "file")
    assert store.get(key("a")) is None
    assert not store.put(key("a"), entry(1))
    store.prune()


def test_keeping_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEN3D_CACHE", "off")
    store = Cache(default_folder())
    assert not store.put(key("a"), entry(1))
    assert store.get(key("a")) is None
    store.prune()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GEN3D_CACHE", str(tmp_path / "mine"))
    assert default_folder() == tmp_path / "mine"
    monkeypatch.delenv("GEN3D_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert default_folder() == tmp_path / "xdg" / "gen3d"
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setattr(sys, "platform", "win32")
    assert default_folder() == tmp_path / "local" / "gen3d" / "Cache"


WORK = """
import sys
import numpy as np
from pathlib import Path
from gen3d_core.data.cache import Cache, key

store, broken = Cache(Path(sys.argv[1]), limit=60_000), 0
for turn in range(150):
    name = turn % 12
    found = store.get(key(str(name)))
    if found is not None:
        broken += found["values"].tolist() != [name] * 1000
    store.put(key(str(name)), {"values": np.full(1000, name)})
print(broken)
"""


def test_two_processes_at_once_never_see_half_an_entry(tmp_path: Path) -> None:
    both = [
        subprocess.Popen([sys.executable, "-c", WORK, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate()[0].strip() for process in both] == ["0", "0"]
    assert [process.returncode for process in both] == [0, 0]
    assert not list(tmp_path.rglob("*.part"))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.npz")) <= 2 * 60_000
