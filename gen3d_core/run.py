"""One execution of a task: its randomness, its device, its progress, its cancellation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from .errors import BadRequest

T = TypeVar("T")


class Cancelled(Exception):
    """The user asked to stop."""


def resolve_device(name: str) -> torch.device:
    """The torch device behind ``auto``, ``cpu``, ``cuda`` (or ``cuda:1``) or ``mps``.

    Raises:
        BadRequest: the name is none of these, or this machine has no such device.
    """
    kind = name.partition(":")[0]
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if kind == "auto":
        return torch.device(next(device for device, there in available.items() if there))
    if kind not in available:
        raise BadRequest(f"'{name}' is not a device; expected auto, cpu, cuda or mps.", "Choose one of these.")
    if not available[kind]:
        raise BadRequest(
            f"This machine's torch sees no {kind} device.", "Choose Automatic or the processor (--device auto or cpu)."
        )
    return torch.device(name)


@dataclass
class Run:
    """Passed to everything that samples; one shape per seed.

    Each shape has its own generator, so it does not depend on what is drawn beside it. Noise is drawn on the CPU and
    moved, so one seed gives one shape on every device. Nothing here touches torch's global generator.

    Args:
        seeds: one per shape; at least 0 and below 2**63.
        device: where the networks compute.
        on_progress: receives a fraction that never falls, from 0 to 1; returning False cancels.
        on_note: receives what :meth:`note` says.
    """

    seeds: Sequence[int]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    on_progress: Callable[[float], bool] = lambda fraction: True
    on_note: Callable[[str], None] = lambda text: None
    generators: list[torch.Generator] = field(init=False, repr=False)
    _start: float = field(default=0.0, init=False, repr=False)
    _width: float = field(default=1.0, init=False, repr=False)

    def __post_init__(self) -> None:
        for seed in self.seeds:
            if not 0 <= seed < 2**63:
                raise BadRequest(f"Seed {seed} is out of range; expected 0 to 2**63 - 1.", "Choose another seed.")
        self.generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def randn(self, *shape: int) -> Tensor:
        """Standard normal noise, with shape (len(seeds), *shape)."""
        return torch.stack([torch.randn(shape, generator=g) for g in self.generators]).to(self.device)

    def rand(self, *shape: int) -> Tensor:
        """Uniform noise in [0, 1), with shape (len(seeds), *shape)."""
        return torch.stack([torch.rand(shape, generator=g) for g in self.generators]).to(self.device)

    def report(self, fraction: float) -> None:
        """Reports progress inside the current span.

        Raises:
            Cancelled: the user asked to stop.
        """
        if not self.on_progress(self._start + self._width * min(max(fraction, 0.0), 1.0)):
            raise Cancelled

    def note(self, text: str) -> None:
        """Says what is going on, in a few words, to be shown beside the progress that is reported next."""
        self.on_note(text)

    def track(self, steps: Iterable[T]) -> Iterator[T]:
        """Iterates over ``steps``, reporting progress, until asked to stop."""
        steps = list(steps)
        for i, step in enumerate(steps):
            self.report(i / len(steps))
            yield step
        self.report(1.0)

    @contextmanager
    def span(self, start: float, stop: float) -> Iterator[None]:
        """Everything reported inside fills the part from ``start`` to ``stop`` of the progress reported so far."""
        outer = self._start, self._width
        self._start, self._width = outer[0] + outer[1] * start, outer[1] * (stop - start)
        try:
            yield
        finally:
            self._start, self._width = outer

    def seeded(self, seed: int) -> Run:
        """A run of one seed, with a generator of its own, whose progress fills the present span of this one."""

        def on_progress(fraction: float) -> bool:
            self.report(fraction)
            return True

        return Run([seed], self.device, on_progress, self.on_note)

    def each(self) -> Iterator[Run]:
        """One run per seed, in order, each filling its share of the progress, with fresh generators.

        Raises:
            Cancelled: the user asked to stop.
        """
        for i, seed in enumerate(self.seeds):
            with self.span(i / len(self.seeds), (i + 1) / len(self.seeds)):
                self.report(0.0)
                one = Run([seed], self.device, self.on_progress, self.on_note)
                one._start, one._width = self._start, self._width
                yield one
        self.report(1.0)
