"""What is on the disk: which environments count as whole, and what may be deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import stand_ins
from tests.installer.parts import EngineError, downloads, environment, posix_only

pytestmark = posix_only


def _facts(base: Path, made: float = 1.0) -> Any:
    return environment.Facts(digest="d", build="cpu", torch="1", python="3.11.7", base=str(base), made=made)


def _environment(folder: Path, base: Path, made: float = 1.0) -> Path:
    python = environment.interpreter(folder)
    python.parent.mkdir(parents=True)
    python.symlink_to(base)
    environment.write(folder, _facts(base, made))
    return folder


def test_only_whole_environments_count(tmp_path: Path) -> None:
    root, base = tmp_path / "engine", tmp_path / "python"
    base.touch()
    assert environment.find(root) is None
    (root / "cpu-1" / "bin").mkdir(parents=True)
    assert environment.find(root) is None
    for text in ("", "{", "[]", "{}", '{"digest": "d"}'):
        (root / "cpu-1" / environment.MARKER).write_text(text)
        assert environment.find(root) is None, text
    first = _environment(root / "cpu-2", base, 5.0)
    second = _environment(root / "cpu-3", base, 3.0)
    assert environment.find(root).folder == first, "the latest counts"
    assert environment.find(root).fault == ""
    assert [path.name for path in environment.leftovers(root)] == ["cpu-1", "cpu-3"]
    assert environment.unused(root, "cpu-2") == root / "cpu-2-2", "a whole one is not overwritten"
    assert environment.unused(root, "cpu-1") == root / "cpu-1"
    environment.interpreter(first).unlink()
    assert environment.find(root).folder == second, "one that has its Python counts more"
    base.unlink()
    fault = environment.find(root).fault
    assert "which is gone" in fault
    assert str(base) in fault


def test_deleting_stays_inside(tmp_path: Path) -> None:
    root, precious = tmp_path / "engine", tmp_path / "precious"
    precious.mkdir()
    (precious / "work.blend").write_bytes(bytes(10))
    base = tmp_path / "python"
    base.touch()
    one = _environment(root / "cpu-1", base)
    (one / "linked").symlink_to(precious)
    (one / "lib64").symlink_to("lib")
    (one / "lib").mkdir()
    (one / "lib" / "big").write_bytes(bytes(1000))
    (root / "elsewhere").symlink_to(precious)
    for path in (precious, tmp_path, root, root / "cpu-1" / "lib", root / ".." / "precious"):
        with pytest.raises(EngineError, match="not a part of the engine"):
            list(environment.delete(root, [path]))
    (one / environment.MARKER).unlink()
    assert environment.total(root) >= 1000
    *_, freed = environment.delete(root, list(root.iterdir()))
    assert 1000 <= freed < 2000
    assert list(root.iterdir()) == []
    assert (precious / "work.blend").read_bytes() == bytes(10)
    assert base.exists()


def test_half_deleted_is_not_whole(tmp_path: Path) -> None:
    root, base = tmp_path / "engine", tmp_path / "python"
    base.touch()
    one = _environment(root / "cpu-1", base)
    for number in range(200):
        (one / f"{number}.py").touch()
    steps = environment.delete(root, [one])
    next(steps)
    assert any(root.iterdir())
    assert environment.find(root) is None
    steps.close()
    list(environment.delete(root, environment.leftovers(root)))
    assert not any(root.iterdir())


def test_wheels_are_complete_or_not(tmp_path: Path) -> None:
    path = stand_ins.wheel(tmp_path, "alpha", "1.0", filling=5000)
    assert downloads.complete(path)
    data = path.read_bytes()
    for length in (0, 10, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        assert not downloads.complete(path), length
