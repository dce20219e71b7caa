"""A process that works for Blender and writes what it says into a file, where it can be read without waiting."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

READ_BYTES = 1 << 20


class Child:
    """A process with all that it starts in turn.

    Args:
        command: program and arguments.
        environment: its variables.
        log: the file to which its output is added.
        folder: where it works.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path) -> None:
        self._log = log
        with log.open("ab") as output:
            self._begin = self._offset = output.seek(0, os.SEEK_END)
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=folder,
                # One signal then reaches the process and all its children.
                start_new_session=os.name != "nt",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0)
                | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),
            )

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def ended(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    def lines(self) -> list[str]:
        """The whole lines that it wrote since the last call."""
        with self._log.open("rb") as log:
            log.seek(self._offset)
            data = log.read(READ_BYTES)
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.decode(errors="replace").splitlines()

    def output(self) -> str:
        """All that it wrote."""
        with self._log.open("rb") as log:
            log.seek(self._begin)
            return log.read().decode(errors="replace")

    def kill(self) -> None:
        """Ends it at once, with its children; what it has written to the disk stays as it is."""
        if self.ended() is None:
            kill(self.pid)
        self._process.wait()


def kill(pid: int) -> None:
    """Ends a process that was started as a :class:`Child`, and all that it has started."""
    if os.name == "nt":
        subprocess.run(
            ["taskkill", "/F", "/T", "/PID", str(pid)],
            capture_output=True,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        return
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
