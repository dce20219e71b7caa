"""A model that goes wrong as it is told, by the class that it is asked for: a test puts this file into the engine.

What happens is the real thing: a signal, an allocation that nobody can grant, bytes on the engine's own pipe. Each
happens at the second shape, so that a request is under way.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ...representations import Field, Voxels
from ...representations.base import Representation
from ...representations.isosurface import grid_centres
from ...run import Run
from .vae import Config as VAEConfig
from .vae import VoxelVAE


@dataclass(frozen=True)
class Config(VAEConfig):
    """classes: what can go wrong."""

    classes: tuple[str, ...] = (
        "well",
        "slow",
        "empty",
        "not a number",
        "memory",
        "killed",
        "crash",
        "abort",
        "exit",
        "garbage",
        "half a message",
        "mute",
        "noise",
        "surprise",
    )


class Faulty(VoxelVAE):
    """A voxel VAE with a class for each fault."""

    Config = Config

    def class_names(self) -> Sequence[str]:
        return self.config.classes

    def from_class(self, name: str, run: Run) -> list[Representation]:
        (seed,) = run.seeds
        if seed > 1 or name == "noise":
            faulty = FAULTS.get(name, _nothing)()
            if faulty is not None:
                return [faulty]
        return list(self.decode(self.prior(run), run))


def _nothing() -> None:
    pass


def _slow() -> Representation:
    # The same ball every time: among many shapes of a model that never learned, some are empty.
    time.sleep(0.1)
    return Voxels((grid_centres(32).norm(dim=-1) < 0.3).float())


def _empty() -> Representation:
    return Voxels(torch.zeros(32, 32, 32))


def _not_a_number() -> Representation:
    # Voxels refuse it at once; a field is asked only when its surface is looked for.
    return Field(lambda points: points.norm(dim=-1).sub(0.3).log().sqrt())


def _memory() -> None:
    torch.empty(1 << 50)


def _signal(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def _exit() -> None:
    os._exit(7)


def _say(words: bytes) -> Callable[[], None]:
    """Writes into every pipe that leads out of the engine, and then keeps silent."""

    def say() -> None:
        for number in range(3, 64):
            try:
                if os.readlink(f"/proc/self/fd/{number}").startswith("pipe:"):
                    os.write(number, words)
            except OSError:
                continue
        _mute()

    return say


def _mute() -> None:
    # Asleep in one call, where no cancellation is seen.
    time.sleep(600)


def _noise() -> None:
    print("noise on standard output", flush=True)  # noqa: T201 - the fault
    print("noise on standard error", file=sys.stderr, flush=True)  # noqa: T201


def _surprise() -> None:
    raise RuntimeError("nobody expected this")


FAULTS: dict[str, Callable[[], Representation | None]] = {
    "slow": _slow,
    "empty": _empty,
    "not a number": _not_a_number,
    "memory": _memory,
    "killed": _signal(signal.SIGKILL),
    "crash": _signal(signal.SIGSEGV),
    "abort": _signal(signal.SIGABRT),
    "exit": _exit,
    "garbage": _say(b"Segmentation fault (core dumped)\n"),
    "half a message": _say(b"G3D1\x10\x00"),
    "mute": _mute,
    "noise": _noise,
    "surprise": _surprise,
}
