"""Wheels that were downloaded completely, kept from one attempt to the next.

While pip runs, what it downloads lies in its temporary folder and is deleted when anything fails. That folder is ours:
each wheel in it that is complete gets a second name in the folder where pip looks for what it has already.
"""

import os
import shutil
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: The end of a zip without a comment: signature, disks, entries, size and offset of the directory.
END = struct.Struct("<4s4H2IH")
ZIP64 = 0xFFFFFFFF


class Downloads:
    """Two folders: where pip downloads to, and what it has downloaded.

    Args:
        wheels: for complete wheels.
        temporary: for everything else.
    """

    def __init__(self, wheels: Path, temporary: Path) -> None:
        self.wheels, self.temporary = wheels, temporary

    def prepare(self) -> None:
        """Makes the folders, and keeps what an attempt left that was killed.

        Raises:
            OSError: nothing can be written there.
        """
        self.wheels.mkdir(parents=True, exist_ok=True)
        self.temporary.mkdir(parents=True, exist_ok=True)
        self.keep()
        self.clear()
        self.temporary.mkdir(parents=True, exist_ok=True)

    def keep(self) -> None:
        """Gives complete wheels their second name."""
        for path in self._under_way():
            kept = self.wheels / path.name
            # A file system without second names keeps nothing: pip then downloads again.
            with suppress(OSError):
                if path.suffix == ".whl" and not kept.exists() and complete(path):
                    os.link(path, kept)

    def clear(self) -> None:
        """Deletes what is not complete."""
        shutil.rmtree(self.temporary, ignore_errors=True)

    def forget(self, output: str) -> None:
        """Deletes the wheels that some output of pip complains of; all of them where it names none."""
        kept = list(self.wheels.glob("*.whl"))
        named = [path for path in kept if path.name in output]
        for path in named or kept:
            path.unlink(missing_ok=True)

    def count(self) -> int:
        """How many wheels are complete."""
        return sum(1 for _ in self.wheels.glob("*.whl"))

    def complete_bytes(self) -> int:
        """Of all complete wheels."""
        return sum(path.stat().st_size for path in self.wheels.glob("*.whl"))

    def partial_bytes(self) -> int:
        """Of what is being downloaded."""
        partial = 0
        for path in self._under_way():
            with suppress(OSError):
                known = path.stat()
                partial += 0 if known.st_nlink > 1 else known.st_size
        return partial

    def _under_way(self) -> Iterator[Path]:
        for parent, _, names in os.walk(self.temporary):
            yield from (Path(parent, name) for name in names)


def complete(path: Path) -> bool:
    """Whether a zip has its end: the directory, which is written last, lies where the end says.

    Raises:
        OSError: it cannot be read.
    """
    length = path.stat().st_size
    if length < END.size:
        return False
    with path.open("rb") as file:
        file.seek(length - END.size)
        signature, *_, size, offset, comment = END.unpack(file.read(END.size))
    return signature == b"PK\5\6" and comment == 0 and (offset == ZIP64 or offset + size + END.size == length)
