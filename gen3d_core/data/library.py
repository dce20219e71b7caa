"""An artist's collection: the meshes in files, folders and zips, and each of them as a solid.

One file is one asset, whatever number of objects it holds. What cannot be read costs only itself: it gets a sentence,
and the rest goes on.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadMesh, BadRequest, Gen3DError
from ..representations import Mesh
from . import archive, files
from .cache import Cache, default_folder, key
from .gltf import Fetch
from .repair import Repaired, clean, repair
from .solid import THINNEST, Solid, fit
from .soup import Soup

if TYPE_CHECKING:
    from ..run import Run

#: Belongs to the keys of the cache: to be counted up whenever a solid would come out differently.
VERSION = 1
#: A file in a folder that says how its meshes were called: {file stem: name}.
NAMES = "names.json"
ZIP = ".zip"
#: What systems leave in folders and zips beside the files.
LITTER = ("__MACOSX",)
#: One more process pays from so many seconds of work on; it takes about two to start.
SECONDS_A_PROCESS = 8.0
#: What reading and repairing costs: per asset, and per byte of its file.
SECONDS_AN_ASSET, SECONDS_A_BYTE = 0.08, 1e-6
MOST_PROCESSES = 8


@dataclass(frozen=True)
class Item:
    """One asset that can be read, or a reason why it cannot.

    Args:
        name: to show and to keep; unique in a scan.
        path: of the mesh file, or of the zip that holds it.
        entry: name in the zip; empty for a file of its own.
        root: folder out of which no file is opened.
        size: bytes of the file.
        problem: why it is not read, as a sentence; empty where it is.
    """

    name: str
    path: Path
    entry: str = ""
    root: Path = field(default_factory=Path)
    size: int = 0
    problem: str = ""

    def opened(self) -> Opened:
        """The bytes of the file.

        Raises:
            BadMesh: it cannot be read, or is one that is not.
        """
        if self.problem:
            raise BadMesh(self.problem)
        if self.entry:
            data, fetch = archive.read(self.path, self.entry), archive.beside(self.path, self.entry)
            return Opened(PurePosixPath(self.entry).suffix.lower(), data, fetch)
        kind = self.path.suffix.lower()
        if kind.lstrip(".") in files.REFUSED:
            files.decode(kind, b"", files.beside(self.root, self.root))
        try:
            files.require_size(self.path.stat().st_size)
            return Opened(kind, self.path.read_bytes(), files.beside(self.path.parent, self.root))
        except FileNotFoundError as error:
            raise BadMesh(f"There is no file {self.path}.", "Check its name.") from error
        except OSError as error:
            raise BadMesh(f"It cannot be read: {error.strerror}.", "Check its permissions.") from error

    def read(self) -> Mesh:
        """The mesh in the engine's axes and the file's units, without what has no meaning.

        Raises:
            BadMesh: it cannot be read, or holds no usable triangles.
        """
        soup = self.opened().soup()
        cleaned = clean(soup.vertices, soup.faces)
        return Mesh(cleaned.vertices.astype(np.float32), cleaned.faces.astype(np.int32))


@dataclass(frozen=True, eq=False)
class Opened:
    """A mesh file's ending, its bytes, and how files that it names are read."""

    kind: str
    data: bytes
    fetch: Fetch

    def names_others(self) -> bool:
        """Whether its triangles may lie in other files."""
        return self.kind == ".gltf"

    def soup(self, others: list[bytes] | None = None) -> Soup:
        """The triangles as the file has them, in the engine's axes; what other files gave is added to ``others``.

        Raises:
            BadMesh: it cannot be read as a mesh.
        """

        def fetch(uri: str) -> bytes:
            content = self.fetch(uri)
            if others is not None:
                others.append(content)
            return content

        return files.decode(self.kind, self.data, fetch)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of an item.

    Args:
        name: of the item.
        solid: None where there is a problem.
        notes: what was repaired, as phrases.
        problem: why it was refused, as a sentence; None where it was not.
        seconds: spent on it.
    """

    name: str
    solid: Solid | None
    notes: list[str]
    problem: str | None
    seconds: float


def scan(source: Path | Sequence[Path]) -> list[Item]:
    """The assets in a mesh file, a folder with all below it, a zip, or several of these, in the order of their names.

    Raises:
        BadRequest: no such file or folder, or a zip that cannot be read at all.
    """
    sources = [source] if isinstance(source, Path) else list(source)
    found: list[Item] = []
    for one in sources:
        if one.is_dir():
            found += _in_folder(one)
        elif one.suffix.lower() == ZIP:
            found += _in_zip(one, "")
        elif one.is_file() or len(sources) > 1:
            # One of several files that is missing is an asset with a problem.
            found.append(Item(one.stem, one, root=one.parent, size=_size(one)))
        else:
            raise BadRequest(f"There is no file or folder '{one}'.", "Check its name.")
    return _unique(found)


def convert(
    items: Sequence[Item],
    run: Run | None = None,
    processes: int = 0,
    cache: Cache | None = None,
    thinnest: float = THINNEST,
) -> list[Outcome]:
    """All items as solids, in their order; never raises for one of them.

    Args:
        items: as scanned.
        run: receives the progress and can cancel; what was prepared by then is found in the cache next time.
        processes: how many work; 0 decides by the work that there is, 1 is this process alone.
        cache: where prepared solids are kept; by default the user's cache folder.
        thinnest: see :class:`Solid`.

    Raises:
        Cancelled: the user asked to stop.
    """
    store = cache or Cache(default_folder())
    work = [i for i, item in enumerate(items) if not item.problem]
    # Files that are too large are refused at once.
    effort = sum(
        SECONDS_AN_ASSET + SECONDS_A_BYTE * size for i in work if (size := items[i].size) <= files.LARGEST_FILE
    )
    limit = min(os.cpu_count() or 1, MOST_PROCESSES)
    workers = min(processes or max(1, min(int(effort / SECONDS_A_PROCESS), limit)), max(len(work), 1))
    outcomes: dict[int, Outcome] = {}
    steps = _alone(items, store, thinnest) if workers == 1 else _together(items, store, thinnest, workers)
    for index, outcome in steps:
        outcomes[index] = outcome
        if run is not None:
            run.report(len(outcomes) / len(items))
    return [outcomes[i] for i in range(len(items))]


def _alone(items: Sequence[Item], cache: Cache, thinnest: float) -> Iterator[tuple[int, Outcome]]:
    for i, item in enumerate(items):
        yield i, _converted(item, cache, thinnest)


def _together(items: Sequence[Item], cache: Cache, thinnest: float, workers: int) -> Iterator[tuple[int, Outcome]]:
    """In processes of their own, as they finish; an item that ends its process is tried once more, alone."""
    lost: list[int] = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures: dict[Future[Outcome], int] = {}
        try:
            for i, item in enumerate(items):
                futures[pool.submit(_converted, item, cache, thinnest)] = i
            for future in as_completed(futures):
                try:
                    yield futures[future], future.result()
                except BrokenProcessPool:
                    lost.append(futures[future])
        except BrokenProcessPool:
            lost += range(len(futures), len(items))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    for i in lost:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            try:
                yield i, pool.submit(_converted, items[i], cache, thinnest).result()
            except BrokenProcessPool:
                problem = "The process that read it ended, perhaps for lack of memory. Decimate the mesh."
                yield i, Outcome(items[i].name, None, [], problem, 0.0)


def _converted(item: Item, cache: Cache, thinnest: float) -> Outcome:
    start = time.perf_counter()
    try:
        solid = _solid(item, cache, thinnest)
    except Gen3DError as error:
        return Outcome(item.name, None, [], str(error), time.perf_counter() - start)
    except MemoryError:
        problem = "There is not enough memory to read it. Decimate the mesh."
        return Outcome(item.name, None, [], problem, time.perf_counter() - start)
    return Outcome(item.name, solid, list(solid.notes), None, time.perf_counter() - start)


def _solid(item: Item, cache: Cache, thinnest: float) -> Solid:
    opened, others = item.opened(), []
    soup = opened.soup(others) if opened.names_others() else None
    name = key("solid", str(VERSION), opened.kind, opened.data, *others)
    if (stored := cache.get(name)) is not None and (solid := _from_arrays(stored, thinnest)) is not None:
        return solid
    soup = soup or opened.soup()
    cleaned = clean(soup.vertices, soup.faces)
    fitted = fit(cleaned.vertices).inward(cleaned.vertices).astype(np.float64)
    solid = Solid.of(repair(fitted, cleaned.faces), cleaned.notes, thinnest)
    cache.put(name, _to_arrays(solid))
    return solid


def _to_arrays(solid: Solid) -> dict[str, np.ndarray]:
    known = solid.repaired
    return {
        "vertices": known.vertices.astype(np.float32),
        "faces": known.faces.astype(np.int32),
        "wall_count": np.array(known.wall_count),
        "exposed": known.exposed.astype(np.int32),
        "bounding": known.bounding,
        "notes": np.frombuffer(json.dumps(solid.notes).encode(), np.uint8),
    }


def _from_arrays(arrays: dict[str, np.ndarray], thinnest: float) -> Solid | None:
    """The solid of a cache entry, or None where that is not one."""
    try:
        repaired = Repaired(
            arrays["vertices"].astype(np.float64),
            arrays["faces"].astype(np.int64),
            int(arrays["wall_count"]),
            arrays["exposed"].astype(np.int64),
            arrays["bounding"],
            (),
        )
        return Solid.of(repaired, tuple(json.loads(arrays["notes"].tobytes())), thinnest)
    except (KeyError, ValueError, TypeError):
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _is_mesh(suffix: str) -> bool:
    kind = suffix.lower().lstrip(".")
    return kind in files.READ or kind in files.REFUSED


def _is_litter(parts: Sequence[str]) -> bool:
    return any(part.startswith(".") or part in LITTER for part in parts)


def _in_folder(folder: Path) -> list[Item]:
    """Items named by their path below the folder; zips in it are looked into."""
    found: list[tuple[tuple[str, ...], list[Item]]] = []
    for current, folders, names in os.walk(folder):
        below = Path(current).relative_to(folder).parts
        folders[:] = [name for name in folders if not _is_litter([name])]
        titles = _titles(Path(current) / NAMES)
        for name in names:
            path = Path(current) / name
            if _is_litter([name]):
                continue
            if path.suffix.lower() == ZIP:
                found.append(((*below, name), _zip_or_problem(path, "/".join((*below, path.stem)))))
            elif _is_mesh(path.suffix):
                title = titles.get(path.stem) or "/".join((*below, path.stem))
                found.append(((*below, name), [Item(title, path, root=folder, size=_size(path))]))
    return [item for _, items in sorted(found, key=lambda one: one[0]) for item in items]


def _titles(path: Path) -> dict[str, str]:
    """What the folder's meshes are called; without a file that says so, or with a damaged one, nothing."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(stem): str(name) for stem, name in values.items()} if isinstance(values, dict) else {}


def _zip_or_problem(path: Path, prefix: str) -> list[Item]:
    try:
        return _in_zip(path, prefix)
    except BadRequest as error:
        return [Item(prefix, path, problem=str(error))]


def _in_zip(path: Path, prefix: str) -> list[Item]:
    items = []
    for entry in archive.entries(path):
        inner = PurePosixPath(entry.name)
        nested = inner.suffix.lower() == ZIP
        if _is_litter([part for part in inner.parts if part != ".."]) or not (nested or _is_mesh(inner.suffix)):
            continue
        problem = entry.problem or ("It is a zip inside a zip, which is not opened. Unpack it." if nested else "")
        title = str(inner.with_suffix(""))
        items.append(Item(f"{prefix}/{title}" if prefix else title, path, entry.name, path.parent, 0, problem))
    return items


def _unique(items: list[Item]) -> list[Item]:
    """Names that are shared get their files' endings, and numbers where that is not enough."""
    names = [item.name for item in items]
    shared = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    taken: set[str] = set()
    result = []
    for item in items:
        name = item.name
        if name in shared:
            name += PurePosixPath(item.entry or item.path.name).suffix
        base, number = name, 2
        while name in taken:
            name, number = f"{base} ({number})", number + 1
        taken.add(name)
        result.append(Item(name, item.path, item.entry, item.root, item.size, item.problem))
    return result
