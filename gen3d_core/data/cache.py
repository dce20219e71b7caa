"""Prepared data on disk: found again by the content it was made from, bounded in size, shared by processes.

An entry is one NPZ file whose name is its key. It is written beside its place and renamed into it, so nobody reads half
of one, and two processes that prepare the same asset at once both succeed. When the folder grows beyond its limit, the
entries that were not used for longest go. Everything here may be deleted at any time.

The environment variable ``GEN3D_CACHE`` names the folder, or is ``off``; without it, it is the user's cache folder:
``~/.cache/gen3d`` (or ``$XDG_CACHE_HOME/gen3d``), ``~/Library/Caches/gen3d``, or ``%LOCALAPPDATA%\\gen3d\\Cache``.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

VARIABLE = "GEN3D_CACHE"
#: Bytes that a cache may hold.
LIMIT = 2 << 30
#: When entries are removed, this share of the limit stays, so that not every new entry removes another.
KEPT = 0.9
#: Bytes that are written before the size of the folder is looked at again.
WRITTEN = 64 << 20
#: Seconds after which an unfinished file was left by a process that died.
STALE = 24 * 3600.0
SUFFIX = ".npz"
UNFINISHED = ".part"


def default_folder() -> Path | None:
    """Where prepared data is kept, or None where the user does not want it kept."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen.lower() == "off":
        return None
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "gen3d" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "gen3d"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gen3d"


def key(*parts: str | bytes) -> str:
    """A key of everything that a result depends on."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


@dataclass
class Cache:
    """Named arrays by key.

    Args:
        folder: made when it is first written to; None keeps nothing.
        limit: bytes that all entries together may take.
    """

    folder: Path | None
    limit: int = LIMIT
    _unseen: int = field(default=WRITTEN, init=False, repr=False)

    def get(self, name: str) -> dict[str, NDArray] | None:
        """The arrays of an entry, or None where there is no whole one."""
        if self.folder is None:
            return None
        path = self._path(name)
        try:
            # NumPy leaves files open that it opened itself and that turn out to be damaged.
            with path.open("rb") as file, zipfile.ZipFile(file), np.load(file, allow_pickle=False) as stored:
                arrays = {array: stored[array] for array in stored}
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            # Damaged, as by a full disk: it is made anew.
            self._remove(path)
            return None
        try:
            os.utime(path)
        except OSError:
            return arrays
        return arrays

    def put(self, name: str, arrays: Mapping[str, NDArray]) -> bool:
        """Keeps an entry; False where it could not be written, which only costs the time to prepare it again."""
        if self.folder is None:
            return False
        path = self._path(name)
        beside = path.with_name(f"{path.stem}.{os.getpid()}-{uuid.uuid4().hex[:8]}{UNFINISHED}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            size = beside.stat().st_size
            os.replace(beside, path)
        except OSError:
            self._remove(beside)
            return False
        self._unseen += size
        if self._unseen >= min(WRITTEN, self.limit // 8):
            self.prune()
        return True

    def prune(self) -> None:
        """Removes the entries that were not used for longest until the cache is within its limit."""
        self._unseen = 0
        if self.folder is None or not self.folder.is_dir():
            return
        found: list[tuple[float, int, Path]] = []
        for path in self.folder.glob("*/*"):
            try:
                status = path.stat()
            except OSError:
                continue  # another process removed it
            if path.suffix == UNFINISHED and time.time() - status.st_mtime > STALE:
                self._remove(path)
            elif path.suffix == SUFFIX:
                found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        if total <= self.limit:
            return
        for _, size, path in sorted(found):
            self._remove(path)
            total -= size
            if total <= KEPT * self.limit:
                break

    def _path(self, name: str) -> Path:
        # Two levels: folders with very many files are slow on some systems.
        return (self.folder or Path()) / name[:2] / f"{name}{SUFFIX}"

    @staticmethod
    def _remove(path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return  # another process reads it: it goes next time
