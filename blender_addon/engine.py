"""The engine's process, as seen from Blender: started, fed, read and ended without ever waiting for it."""

import os
import re
import subprocess
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..gen3d_core import protocol
from ..gen3d_core.errors import EngineError, Gen3DError
from ..gen3d_core.protocol import Event, Request
from . import pipes

#: A Python that has not said a word by then never will.
READY_SECONDS = 120.0
#: How long one call may spend on writing, and on reading.
SLICE_SECONDS = 0.004
SLICE_BYTES = 32 << 20
LOG_TAIL_BYTES = 4000

#: What the engine imports, as far as pip calls it otherwise.
PIP_NAMES = {"skimage": "scikit-image", "igl": "libigl"}
PACKAGES = ("torch", "numpy", "scipy", "skimage", "igl", "trimesh", "safetensors", "psutil")


@dataclass(frozen=True)
class Settings:
    """What an engine is started with.

    Args:
        python: path of a Python's executable, or of its environment's folder.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        zoo: further folders of models, separated as the environment does; may be empty.
        root: the folder that holds ``gen3d_core``.
        log: the file for what the engine prints.
        private: whether the Python is one that was installed from the preferences.
        fault: why that one cannot be used; empty where nothing is known against it.
    """

    python: str
    device: str
    zoo: str
    root: Path
    log: Path
    private: bool = False
    fault: str = ""

    @property
    def remedy(self) -> str:
        """What to do where the Python is of no use."""
        if self.private:
            return "Install the engine again in the preferences."
        return "Install the engine, or choose a Python that has PyTorch, in the preferences."

    @property
    def executable(self) -> Path:
        """The Python to start.

        Raises:
            EngineError: none was named, or there is no such file.
        """
        if not self.python:
            raise EngineError("No Python is set for the engine.", self.remedy)
        if self.fault:
            raise EngineError(self.fault, self.remedy)
        path = Path(self.python).expanduser()
        candidates = [path, path / "bin" / "python", path / "Scripts" / "python.exe", path / "python.exe"]
        found = next((candidate for candidate in candidates if candidate.is_file()), None)
        if found is None:
            raise EngineError(f"There is no Python at {path}.", self.remedy)
        return found


class Engine:
    """One process and its two pipes. Nothing here waits, except :meth:`wait` and the end of a killed process."""

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.ready = False
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._parser = protocol.Parser()
        self._outgoing: deque[memoryview] = deque()

    @property
    def running(self) -> bool:
        """Whether a process was started and not yet found dead."""
        return self._process is not None

    def start(self, settings: Settings) -> None:
        """Starts the process.

        Raises:
            EngineError: there is no such Python, or it cannot be started.
        """
        self.stop()
        executable = settings.executable
        command = [str(executable), "-m", "gen3d_core", "serve", "--device", settings.device]
        try:
            with settings.log.open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment(settings),
                    # Python looks for modules where it is started: not in the folder of somebody's .blend file.
                    cwd=settings.log.parent,
                    bufsize=0,
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
            pipes.prepare(self._stdout, self._stdin)
        except OSError as error:
            self.stop()
            raise EngineError(
                f"The Python at {executable} cannot be started: {error.strerror or error}.",
                settings.remedy if settings.private else "Choose another one in the preferences.",
            ) from error
        self.settings, self.ready, self._started = settings, False, time.monotonic()
        self._parser = protocol.Parser()

    def send(self, request: Request) -> None:
        """Queues a request: what does not fit into the pipe now is written by later calls of :meth:`poll`."""
        self._outgoing.append(memoryview(protocol.pack(request)))

    def poll(self) -> list[Event]:
        """Writes and reads what goes without waiting.

        Raises:
            EngineError: the process has ended, or never began to speak; it is stopped.
            ProtocolError: what it wrote are not messages; it is stopped.
        """
        try:
            self._write()
            events = self._read()
        except EOFError:
            raise self._obituary() from None
        except Gen3DError:
            self.stop()
            raise
        if not self.ready and time.monotonic() - self._started > READY_SECONDS:
            self.stop()
            raise EngineError("The engine does not answer.", "Test it in the preferences.", self.log_tail())
        return events

    def wait(self, seconds: float) -> None:
        """Pauses until something happens on the pipes, at most so long."""
        if self._process is not None:
            pipes.wait(self._stdout, self._stdin if self._outgoing else None, seconds)

    def stop(self) -> None:
        """Ends the process at once: it holds nothing that would have to be saved."""
        process, self._process = self._process, None
        self.ready = False
        self._outgoing.clear()
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def log_tail(self) -> str:
        """The end of what the process printed."""
        if self.settings is None:
            return ""
        try:
            with self.settings.log.open("rb") as log:
                log.seek(max(log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES, 0))
                return log.read().decode(errors="replace")
        except OSError as error:
            return f"The log cannot be read: {error}"

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process is not None
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout

    def _write(self) -> None:
        end = time.monotonic() + SLICE_SECONDS
        while self._outgoing and time.monotonic() < end:
            try:
                written = pipes.write(self._stdin, self._outgoing[0])
            except BrokenPipeError:  # its last words are still to be read
                self._outgoing.clear()
                return
            self._outgoing[0] = self._outgoing[0][written:]
            if not self._outgoing[0]:
                self._outgoing.popleft()
            elif not written:
                pipes.wait(self._stdout, self._stdin, SLICE_SECONDS / 4)

    def _read(self) -> list[Event]:
        events: list[Event] = []
        left = SLICE_BYTES
        while left > 0:
            try:
                data = pipes.read(self._stdout)
            except EOFError:
                if not events:
                    raise
                break
            if not data:
                break
            left -= len(data)
            events += [message for message in self._parser.feed(data) if isinstance(message, Event)]
        if any(event.kind == "ready" for event in events):
            self.ready = True
        return events

    def _obituary(self) -> EngineError:
        """Ends what is left of the process and says why it died."""
        process, settings, was_ready = self._process, self.settings, self.ready
        assert process is not None
        assert settings is not None
        try:
            code = process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            code = 0
        self.stop()
        details = self.log_tail()
        if not was_ready:
            missing = re.findall(r"(?:No module named '?|cannot import )(\w+)", details)
            if missing and missing[-1] != "gen3d_core":
                return lacking(settings, PACKAGES)
            return EngineError(
                f"The Python at {settings.executable} cannot run the engine (exit status {code}).",
                settings.remedy
                if settings.private
                else "Choose a Python of version 3.11 or later that has PyTorch in the preferences.",
                details,
            )
        cause = " It was killed, perhaps because memory ran out." if code in (-9, 137) else ""
        return EngineError(
            f"The engine stopped unexpectedly (exit status {code}).{cause}",
            "Try again: it starts anew. If it stops again, copy the report.",
            details,
        )


def lacking(settings: Settings, missing: tuple[str, ...] | list[str]) -> EngineError:
    """The error for a Python without some packages, with the command that installs them."""
    names = " ".join(PIP_NAMES.get(name, name) for name in missing)
    python = settings.executable
    if settings.private:
        return EngineError(f"The installed engine lacks {names.replace(' ', ', ')}.", settings.remedy)
    return EngineError(
        f"The engine's Python lacks {names.replace(' ', ', ')}.",
        f'Install them, then try again: "{python}" -m pip install {names}',
    )


def environment(settings: Settings) -> dict[str, str]:
    """A child's environment: Blender's own, without what is meant for Blender's Python, or for another add-on's."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment["PYTHONPATH"] = str(settings.root)
    # The extension's folder may be read-only, and is replaced by the next version.
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    environment["PYTHONUTF8"] = "1"
    environment["OMP_WAIT_POLICY"] = "PASSIVE"
    zoos = [settings.zoo, os.environ.get("GEN3D_ZOO", "")]
    environment["GEN3D_ZOO"] = os.pathsep.join(zoo for zoo in zoos if zoo)
    return environment
