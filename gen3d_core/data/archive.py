"""Zip files, read with suspicion: nothing is written to disk, and no entry is opened that could do harm.

Refused are names that leave the archive, links, encrypted entries, zips inside zips, and bombs: more entries, more
bytes or a higher compression than any collection of meshes has.
"""

from __future__ import annotations

import posixpath
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from ..errors import BadMesh, BadRequest
from .files import require_size
from .gltf import Fetch

MOST_ENTRIES = 20_000
#: Bytes of all entries together.
MOST_BYTES = 8 << 30
#: An entry that is larger than this when unpacked must not be packed tighter than that.
SUSPICIOUS_SIZE = 8 << 20
TIGHTEST = 200


@dataclass(frozen=True)
class Entry:
    """A file in a zip: its name, with '/', and why it is not opened; empty where it is."""

    name: str
    problem: str


def entries(path: Path) -> list[Entry]:
    """The files in a zip, in the order of their names.

    Raises:
        BadRequest: it cannot be read as a zip, or has too many entries or bytes.
    """
    with _opened(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MOST_ENTRIES:
        raise BadRequest(f"{path.name} has {len(infos):,} entries; at most {MOST_ENTRIES:,} are read.", "Split it.")
    total = sum(info.file_size for info in infos)
    if total > MOST_BYTES:
        size, limit = f"{total / 2**30:,.1f} GiB", f"{MOST_BYTES / 2**30:,.0f} GiB"
        raise BadRequest(f"{path.name} unpacks to {size}; at most {limit} are read.", "Unpack what you need of it.")
    names = [info.filename for info in infos]
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    found = [Entry(info.filename, _problem(info, info.filename in twice)) for info in infos]
    return sorted(found, key=lambda entry: entry.name)


def read(path: Path, name: str) -> bytes:
    """The content of an entry.

    Raises:
        BadMesh: it is damaged, or not opened for one of the reasons above.
    """
    try:
        with _opened(path) as archive:
            info = archive.getinfo(name)
            if problem := _problem(info):
                raise BadMesh(problem, "Unpack the zip yourself if you trust it.")
            require_size(info.file_size)
            with archive.open(info) as file:
                # An entry that is longer than it says is cut here, and fails its checksum.
                return file.read(info.file_size + 1)
    except KeyError as error:
        raise BadMesh(f"The zip has no file '{name}'.", "Pack it again.") from error
    except BadRequest as error:
        raise BadMesh(error.message, error.remedy) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise BadMesh("The zip is damaged here.", "Pack it again.", repr(error)) from error


def beside(path: Path, name: str) -> Fetch:
    """Reads files of the zip that its entry ``name`` refers to."""

    def fetch(uri: str) -> bytes:
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(uri).replace("\\", "/")))
        if not _is_inside(wanted):
            raise BadMesh(f"It refers to '{uri}' outside of the zip.", "Pack that file with it.")
        return read(path, wanted)

    return fetch


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise BadRequest(f"There is no file {path}.", "Check its name.") from error
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BadRequest(f"{path.name} cannot be read as a zip.", "Pack it again.", repr(error)) from error


def _is_inside(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return not (name.startswith(("/", "\\")) or ":" in parts[0] or ".." in parts or "\0" in name)


def _problem(info: zipfile.ZipInfo, twice: bool = False) -> str:
    """Why an entry is not opened, as a sentence; empty where it is."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if not _is_inside(info.orig_filename) or not _is_inside(info.filename):
        return "Its name leads out of the zip."
    if kind not in (0, stat.S_IFREG):
        return "It is a link or a device, not a file."
    if info.flag_bits & 1:
        return "It is encrypted."
    if twice:
        return "The zip has two files of this name."
    if info.file_size > SUSPICIOUS_SIZE and info.file_size > TIGHTEST * max(info.compress_size, 1):
        return f"It unpacks to {info.file_size / max(info.compress_size, 1):,.0f} times its size, as only a bomb does."
    return ""
