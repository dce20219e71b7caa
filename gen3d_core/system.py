"""The one interface: what a system is, how it is trained, and what it can do.

A system is a paper in one file of ``systems/``. What it can do is what it defines: the abilities below are protocols
that are checked on the methods, so that a system cannot claim what it does not have.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from .errors import BadModel, BadRequest
from .representations import Representation
from .run import Run


class Asset(Protocol):
    """A solid that a system can be trained on or asked about: a catalogue shape, or an artist's mesh."""

    def voxels(self, resolution: int) -> Any:
        """Solid occupancy at the cell centres, with shape (R, R, R), bool, indexed [x, y, z]."""
        ...

    def sdf(self, points: Any) -> Any:
        """Signed distances, negative inside, of (N, 3) float32 positions; with shape (N,), in model units."""
        ...

    def sdf_grid(self, resolution: int, truncation: float = 0.1) -> Any:
        """Signed distances at the cell centres, clamped to +-``truncation``, with shape (R, R, R)."""
        ...

    def surface(self, count: int, seed: int = 0) -> Any:
        """Points uniform on the surface and their unit normals, each with shape (count, 3)."""
        ...


class Noise:
    """The randomness of one training step: drawn for the whole batch, of which a process keeps its share.

    So a step does not depend on how many processes share it, nor on the steps before it: resuming needs no state.

    Args:
        seed: of the step.
        device: where the noise is used.
        whole: shapes in the whole batch; None where there is one process.
        share: which of them are this process's.
        total: sums a tensor over all processes.
    """

    def __init__(
        self,
        seed: int,
        device: torch.device,
        whole: int | None = None,
        share: slice = slice(None),
        total: Callable[[Tensor], Tensor] = lambda values: values,
    ) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.device, self.whole, self.share, self.total = device, whole, share, total

    def randn(self, count: int, *shape: int) -> Tensor:
        """Standard normal, with shape (count, *shape); ``count`` is the number of shapes in this process's batch."""
        return self._share(torch.randn(self._rows(count), *shape, generator=self.generator), count)

    def rand(self, count: int, *shape: int) -> Tensor:
        """Uniform in [0, 1), with shape (count, *shape); ``count`` is the number of shapes in this process's batch."""
        return self._share(torch.rand(self._rows(count), *shape, generator=self.generator), count)

    def common(self) -> float:
        """One number, uniform in [0, 1), for the whole batch."""
        return float(torch.rand(1, generator=self.generator))

    def mean(self, value: float) -> float:
        """The mean over the whole batch, where ``value`` is that of this process's share: for common decisions."""
        if self.whole is None:
            return value
        own = len(range(self.whole)[self.share])
        return float(self.total(torch.tensor(value * own, dtype=torch.float64, device=self.device))) / self.whole

    def _rows(self, count: int) -> int:
        return count if self.whole is None else self.whole

    def _share(self, drawn: Tensor, count: int) -> Tensor:
        mine = drawn[self.share]
        if len(mine) != count:
            raise ValueError(f"Noise was asked for {count} shapes; this process has {len(mine)} of {len(drawn)}.")
        return mine.to(self.device)


Batch = dict[str, Tensor]
Loss = tuple[nn.Module, Tensor]


@dataclass(frozen=True)
class Stage:
    """One part of a training: who learns, from what, and how.

    Args:
        name: unique among the system's stages.
        trains: the networks that learn; everything else is frozen, batch statistics included.
        losses: a batch, each tensor with shape (B, ...), and the step's noise, to a generator that yields (network,
            loss) in the order of play; the loop steps that network's optimiser at once.
        optimizer: (network, parameters) to its optimiser.
        steps: how many, unless the user says otherwise.
        batch_size: shapes a step.
        average: exponential moving average of the weights of these networks, by decay; it replaces them at the end.
        dataset: what this stage learns from, made of the prepared data; by default the prepared data itself.
        finish: called once with the prepared data after the last step, to measure what the system has to remember.
        cosine: lower the learning rate to a hundredth along half a cosine.
        cost: what a step takes, in any unit that the system's stages share: they divide a time budget by it.
    """

    name: str
    trains: tuple[nn.Module, ...]
    losses: Callable[[Batch, Noise], Iterator[Loss]]
    optimizer: Callable[[nn.Module, Iterator[nn.Parameter]], torch.optim.Optimizer]
    steps: int
    batch_size: int = 32
    average: Mapping[nn.Module, float] = field(default_factory=dict)
    dataset: Callable[[Batch, Run], Batch] = lambda data, run: data
    finish: Callable[[Batch, Run], None] = lambda data, run: None
    cosine: bool = False
    cost: float = 1.0


class System(nn.Module, ABC):
    """A generative system. A subclass is a file of its own and is found by being there."""

    Config: ClassVar[type]
    output: ClassVar[type[Representation]]
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"small": {}}

    config: Any

    @abstractmethod
    def prepare(self, asset: Asset, run: Run) -> Batch:
        """One training example of an asset; each tensor without batch axis. ``run`` has one seed."""

    @abstractmethod
    def stages(self) -> list[Stage]:
        """The training, in order."""

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> System:
        """Builds the system, untrained, from plain values.

        Raises:
            BadModel: an unknown key.
        """
        known = {f.name for f in fields(cls.Config)}
        if unknown := set(values) - known:
            raise BadModel(
                f"The configuration of {system_name(cls)} has unknown keys: {', '.join(sorted(unknown))}.",
                f"Known keys are {', '.join(sorted(known))}.",
            )
        plain = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        return cls(cls.Config(**plain))  # type: ignore[call-arg]  # every system takes its config alone

    def config_values(self) -> dict[str, Any]:
        """The configuration as plain values."""
        return asdict(self.config)


@runtime_checkable
class Samples(Protocol):
    """Draws shapes from what was learned."""

    def sample(self, run: Run) -> Sequence[Representation]:
        """One shape per seed."""
        ...


@runtime_checkable
class HasLatents(Protocol):
    """Has a latent space: generate, interpolate, vary."""

    def prior(self, run: Run) -> Tensor:
        """Latents of unseen shapes, with shape (B, L), one per seed."""
        ...

    def decode(self, z: Tensor, run: Run) -> Sequence[Representation]:
        """The shape of each latent."""
        ...

    def mix(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        """The latents that lie the share ``t`` of the way from ``a`` to ``b``, each with shape (B, L)."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Finds the latents of given shapes."""

    def encode(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """Latents with shape (B, L)."""
        ...


@runtime_checkable
class Completes(Protocol):
    """Completes a shape of which a part is given."""

    def complete(self, partial: Asset, known: Tensor, run: Run) -> Sequence[Representation]:
        """One hypothesis per seed.

        Args:
            partial: the given shape; only what lies in the known region counts.
            known: with shape (R, R, R), bool: cells whose content is given.
        """
        ...


@runtime_checkable
class Fits(Protocol):
    """Says how well latents explain a given shape, differentiably: latent search builds on it."""

    def misfit(self, target: Asset, known: Tensor) -> Callable[[Tensor], Tensor]:
        """Distance from the shape of each latent to ``target`` where ``known`` (R, R, R) is true.

        Returns:
            A function of latents (B, L) to distances (B,); what depends on the target alone is done once.
        """
        ...

    def surprise(self, z: Tensor) -> Tensor:
        """How unlikely each latent (B, L) is under the prior, about 1 for a typical one; with shape (B,)."""
        ...

    def restrict(self, z: Tensor) -> Tensor:
        """The nearest latents that the prior can produce."""
        ...


@runtime_checkable
class Scores(Protocol):
    """Rates how unusual shapes are."""

    def score(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """Higher is more unusual; with shape (B,)."""
        ...


@runtime_checkable
class Features(Protocol):
    """Describes shapes by vectors, for classification."""

    def features(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """With shape (B, D)."""
        ...


@runtime_checkable
class FromClasses(Protocol):
    """Draws shapes of a class that is named."""

    def class_names(self) -> Sequence[str]:
        """What can be asked for."""
        ...

    def from_class(self, name: str, run: Run) -> Sequence[Representation]:
        """One shape of the class per seed."""
        ...


@runtime_checkable
class FromText(Protocol):
    """Draws shapes that a text describes."""

    def from_text(self, text: str, run: Run) -> Sequence[Representation]:
        """One shape per seed."""
        ...


@runtime_checkable
class FromImages(Protocol):
    """Makes shapes of pictures of one object."""

    def image_size(self) -> int:
        """Pixels along each side of the pictures that :meth:`from_images` takes."""
        ...

    def from_images(self, images: Tensor, run: Run) -> Sequence[Representation]:
        """One shape per seed.

        Args:
            images: with shape (V, 4, S, S), RGBA in [0, 1], straight alpha, as :mod:`gen3d_core.data.pictures` makes
                them: the object upright, alone and in the middle.
        """
        ...


@runtime_checkable
class Guided(Protocol):
    """Completes a shape of which a part is given, as a text or pictures describe the whole."""

    def complete_guided(
        self, partial: Asset, known: Tensor, text: str, images: Tensor | None, run: Run
    ) -> Sequence[Representation]:
        """One hypothesis per seed.

        Args:
            partial, known: as for :meth:`Completes.complete`.
            text: empty for none.
            images: as for :meth:`FromImages.from_images`, or None.
        """
        ...


@runtime_checkable
class Classifies(Protocol):
    """Says of which class shapes are."""

    def class_names(self) -> Sequence[str]:
        """The classes."""
        ...

    def classify(self, assets: Sequence[Asset], run: Run) -> Tensor:
        """Probabilities of the classes, with shape (B, C), in the order of :meth:`class_names`."""
        ...


@runtime_checkable
class Refines(Protocol):
    """Gives shapes twice the resolution."""

    def refine(self, assets: Sequence[Asset], run: Run) -> Sequence[Representation]:
        """One shape per asset, seen at half the resolution of what comes back."""
        ...


ABILITIES: dict[str, type] = {
    "samples": Samples,
    "latents": HasLatents,
    "encodes": Encodes,
    "completes": Completes,
    "fits": Fits,
    "scores": Scores,
    "features": Features,
    "from_classes": FromClasses,
    "from_text": FromText,
    "from_images": FromImages,
    "guided": Guided,
    "classifies": Classifies,
    "refines": Refines,
}


def abilities(system: object) -> list[str]:
    """Names of what a system, or a system's class, can do."""
    return [name for name, protocol in ABILITIES.items() if all(hasattr(system, m) for m in _methods(protocol))]


def _methods(protocol: type) -> list[str]:
    return [name for name, value in vars(protocol).items() if callable(value) and not name.startswith("_")]


def lerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """The straight way from ``a`` to ``b``."""
    return a + (b - a) * t


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """The great-circle way from ``a`` to ``b``, each with shape (B, L): keeps Gaussian latents as long as they are."""
    unit_a, unit_b = (v / v.norm(dim=-1, keepdim=True).clamp_min(1e-12) for v in (a, b))
    angle = (unit_a * unit_b).sum(-1, keepdim=True).clamp(-1, 1).acos()
    sine = angle.sin()
    flat = sine.abs() < 1e-3
    sine = torch.where(flat, torch.ones_like(sine), sine)
    curved = a * (((1 - t) * angle).sin() / sine) + b * ((t * angle).sin() / sine)
    return torch.where(flat, lerp(a, b, t), curved)


def system_name(system: type[System]) -> str:
    """``voxels.vae`` for the class in ``systems/voxels/vae.py``."""
    return ".".join(system.__module__.split(".")[-2:])


def discover() -> dict[str, type[System]]:
    """Every system by name: the files of ``systems/``, and no list of them."""
    from . import systems

    found: dict[str, type[System]] = {}
    for module in pkgutil.walk_packages(systems.__path__, systems.__name__ + "."):
        if module.ispkg:
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, System) and value.__module__ == module.name:
                found[system_name(value)] = value
    return dict(sorted(found.items()))


def find_system(name: str) -> type[System]:
    """The system's class by name.

    Raises:
        BadRequest: no such system.
    """
    # One import, not a walk: a worker that loads one model should not pay for the others.
    shelf, _, paper = name.partition(".")
    if shelf.isidentifier() and paper.isidentifier():
        path = f"{__package__}.systems.{shelf}.{paper}"
        if _exists(path):
            for value in vars(importlib.import_module(path)).values():
                if isinstance(value, type) and issubclass(value, System) and value.__module__ == path:
                    return value
    raise BadRequest(f"There is no system '{name}'.", f"Known systems are {', '.join(discover())}.")


def _exists(path: str) -> bool:
    try:
        return importlib.util.find_spec(path) is not None
    except ModuleNotFoundError:
        return False
