"""One installation of the engine under way: its processes are started and looked at, and never waited for."""

import re
import shutil
import time
from math import inf

from ...gen3d_core.errors import EngineError, Gen3DError
from . import environment
from .children import Child
from .environment import Environment
from .plans import Plan
from .steps import Command, Done, Story

POLL_SECONDS = 0.1
#: How long one call may work on what needs no process.
SLICE_SECONDS = 0.02
#: What one process may be told in a log: not who logs in at an index.
ACCOUNT = re.compile(r"(?<=://)[^/@\s]+@")


class Interrupted(EngineError):
    """The artist asked to stop."""

    kind = "cancelled"


class Installation:
    """One under way, or at its end.

    Args:
        plan: what is to be done; nothing is before the first :meth:`poll`.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.error: Gen3DError | None = None
        self.ended = False
        self._story = Story(plan)
        self._steps = self._story.steps()
        self._locked = self._begun = False
        self._command: Command | None = None
        self._child: Child | None = None
        self._since = 0.0

    @property
    def fraction(self) -> float:
        """The progress, 0 to 1."""
        return self._story.fraction

    @property
    def text(self) -> str:
        """What it is doing."""
        return self._story.text

    @property
    def made(self) -> Environment | None:
        """The environment; None before it is whole."""
        return environment.read(self._story.target) if self.ended and not self.error else None

    def poll(self) -> float:
        """Goes on without waiting; returns the seconds until it wants to be called again."""
        end = time.monotonic() + SLICE_SECONDS
        try:
            while not self.ended and self._child is None and time.monotonic() < end:
                self._go_on(None)
            if self._child is not None:
                self._look(self._child)
        except Gen3DError as error:
            self._fail(error)
        except OSError as error:
            self._fail(self._story.explained(Done(1, f"[Errno {error.errno}] {error}")))
        return inf if self.ended else 0.0 if self._child is None else POLL_SECONDS

    def cancel(self) -> None:
        """Stops at once; what was downloaded stays for the next attempt."""
        if not self.ended:
            self._fail(Interrupted("The installation was cancelled.", "Install again when you like: it goes on."))

    def wait(self) -> Environment:
        """Waits until it is done, and returns the environment.

        Raises:
            Gen3DError: it failed, or was cancelled.
        """
        try:
            while not self.ended:
                seconds = self.poll()
                if not self.ended:
                    time.sleep(seconds)
        except KeyboardInterrupt:
            self.cancel()
            raise
        if self.error:
            raise self.error
        made = self.made
        if made is None:
            raise EngineError("The new environment has gone.", "Install again.")
        return made

    def _look(self, child: Child) -> None:
        """At the process: whether it goes on, and what it has written."""
        assert self._command
        code = child.ended()
        self._command.look(child.lines())
        if code is None and time.monotonic() - self._since > self._command.seconds:
            child.kill()
            code = 1
        if code is not None:
            self._child = None
            self._go_on(Done(code, child.output()))

    def _go_on(self, done: Done | None) -> None:
        """To the next step."""
        root = self.plan.root
        if not self._begun:
            self._begun = True
            root.mkdir(parents=True, exist_ok=True)
            environment.lock(root)
            self._locked = True
            (root / environment.LOG).write_bytes(b"")
        try:
            command = next(self._steps) if done is None else self._steps.send(done)
        except StopIteration:
            self.ended = True
            environment.unlock(root)
            return
        if command is None:
            return
        log = root / environment.LOG
        words = [ACCOUNT.sub("", word) if "\n" not in word else "..." for word in command.words]
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(words)}\n")
        self._command, self._since = command, time.monotonic()
        self._child = Child(command.words, command.variables, log, root)
        environment.lock(root, self._child.pid)

    def _fail(self, error: Gen3DError) -> None:
        """Ends, and keeps what helps the next attempt or whoever is asked for help."""
        self.error, self.ended = error, True
        root, downloads = self.plan.root, self._story.downloads
        if self._child:
            self._child.kill()
            self._child = None
        self._steps.close()
        if not self._locked:  # another Blender installs here, or nothing can be written
            return
        downloads.keep()
        downloads.clear()
        if not isinstance(error, Interrupted):
            environment.keep_failure(root, error)
        environment.unlock(root)
        if not any(downloads.wheels.glob("*.whl")):
            shutil.rmtree(downloads.wheels, ignore_errors=True)
