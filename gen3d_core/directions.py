"""Shape sliders: directions of a latent space that change one property of the shapes, by what they say.

They are found in three steps, each from more decoded shapes than the one before.

1. :mod:`.slopes`: which attributes of samples, measured on their geometry, do the latents predict?
2. :mod:`.jacobian`: which moves of latents change one of them and leave the others alone?
3. :mod:`.effects`: other latents are moved along each direction, to several places. The secant is its scale: a step of
   1 is one standard deviation more of the attribute, among shapes with the same parts. Its limits are where shapes stay
   whole and the attribute goes on. What hardly changes its attribute, or changes others, is not offered.

Besides them, principal directions of the latents: those whose variance stands out of what isotropic noise of as many
samples would show (the edge of Marchenko and Pastur), without what the attributes change already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import dimensions, effects
from .effects import Floats, LatentSystem
from .errors import Unsupported
from .jacobian import Chosen, Jacobian, Space, fixed
from .run import Run
from .slopes import Samples
from .system import HasLatents, System, system_name

#: Samples that are measured, and how many moves for each.
COUNT, PROBES = 300, 6
#: Of so many samples one is moved along each direction to refine it, and of so many one to calibrate it.
REFINE, CALIBRATE = 4, 2
#: The first seed, far from those that an artist begins with; and the first of those that test what was found.
FIRST, UNSEEN = 1_000_000, 2_000_000
#: How far random moves go, and how far a slider goes at most, in standard deviations of the prior.
MOVE, LONGEST = 2.0, 3.5
#: Of that, these shares are tried on so many shapes, until such a share of the shapes stays sound.
SHARES, TRIED, SOUND = (1.0, 0.75, 0.5), 24, 0.6
#: A slider goes so many steps at most, and is of no use if it goes fewer than so many.
MOST, SHORTEST = 2.0, 0.3
#: What a step may change of another attribute at most: in that one's units, or in cells of the grid on which shapes are
#: measured where these are more, as less than a cell is not to be seen.
LEAK = 0.5
#: And of the fullness of its bounding box, which may follow everything: more is a box that a crumb or a spike makes.
HOLLOW = 1.0
#: Of the samples, this share lies between the limits of a principal direction.
INNER = 0.95
#: So many principal directions at most, of which this share must be left without what the attributes change.
PRINCIPAL, LEFT = 3, 0.5


@dataclass(frozen=True)
class Directions:
    """Named directions of one model.

    Args:
        names: what each changes.
        vectors: with shape (K, D), what a step adds to a latent, whose numbers from D on stay.
        low, high: the limits, in steps.
        scores: R^2 of each on held-out samples; of a principal direction its share of the latents' variance.
        refused: attributes that are not offered, by name, and why.
        units: by attribute, how much a step is, in model units; of ``Fullness`` and ``Rounded Corners`` a share.
        effects: with shape (A, B), for the first B, which are attributes: what a step was measured to change of each of
            :data:`.dimensions.NAMES`, in units.
    """

    names: tuple[str, ...]
    vectors: NDArray[np.float32]
    low: tuple[float, ...]
    high: tuple[float, ...]
    scores: tuple[float, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, float] = field(default_factory=dict)
    effects: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))

    def values(self) -> dict[str, Any]:
        """What is said of them, as plain values."""
        plain = {name: list(getattr(self, name)) for name in ("names", "low", "high", "scores")}
        return {**plain, "refused": dict(self.refused), "units": dict(self.units)}


def find(system: System, run: Run, count: int = COUNT) -> Directions:
    """The directions of a system's latent space; the same for the same weights on the same machine.

    Args:
        system: one with latents.
        run: device and progress; its seeds do not matter.
        count: samples to begin with; about twenty-five times as many shapes are decoded in all.

    Raises:
        Unsupported: the system has no latents.
        EmptyShape: hardly any of its samples has a surface.
        Cancelled: the user asked to stop.
    """
    system = _with_latents(system)
    latents = _drawn(system, FIRST, count)
    with run.span(0.0, 0.1):
        samples = Samples.of(latents, effects.measure(system, latents, run))
    space = Space.around(samples)
    with run.span(0.1, 0.45):
        random = np.random.default_rng(FIRST).normal(size=(PROBES * count, len(space.basis)))
        random *= MOVE / np.linalg.norm(random, axis=1, keepdims=True).clip(1e-9)
        start = np.resize(samples.latents, (len(random), latents.shape[1]))
        jacobian = Jacobian.of(random, _changes(system, start, random @ space.basis, samples.units, run))
    with run.span(0.45, 0.6):
        rows, trials = jacobian.chosen(samples).rows, count // REFINE
        along = np.repeat(rows * _reach(np.linalg.norm(rows, axis=1))[:, None], trials, axis=0)
        start = np.tile(samples.latents[:trials], (len(rows), 1))
        jacobian = jacobian.more(along, _changes(system, start, along @ space.basis, samples.units, run))
    chosen = jacobian.chosen(samples)
    parts = _principal(samples, space, jacobian, chosen)
    with run.span(0.6, 1.0):
        kept, refused = _calibrated(system, samples, space, chosen, count // CALIBRATE, run)
    return _assembled(samples, kept, parts, refused)


def _with_latents(system: System) -> LatentSystem:
    """The system, which has latents for certain.

    Raises:
        Unsupported: it has none.
    """
    if not isinstance(system, HasLatents):
        raise Unsupported(f"The system {system_name(type(system))} has no latents.", "Choose another model.")
    return system  # pyright: ignore[reportReturnType]


def _drawn(system: LatentSystem, first: int, count: int) -> Floats:
    """The latents of seeds from the first on, with shape (count, L)."""
    return system.prior(Run(range(first, first + count), system.device)).cpu().double().numpy()


def _reach(lengths: Floats) -> Floats:
    """How many steps directions go that are so many standard deviations of the prior long."""
    return np.minimum(MOST, LONGEST / lengths.clip(1e-9))


def _changes(system: LatentSystem, start: Floats, moves: Floats, units: Floats, run: Run) -> Floats:
    """Half of what lies between latents (P, L) moved there and back, with shape (P, A), in units."""
    found = effects.measure(system, np.concatenate([start + moves, start - moves]), run).values
    return (found[: len(start)] - found[len(start) :]) / 2 / np.where(units > 0, units, np.nan)


@dataclass(frozen=True)
class _Part:
    """A principal direction: ``vector`` (L,), one standard deviation long; its share of the variance; limits."""

    vector: Floats
    share: float
    limits: tuple[float, float]


def _principal(samples: Samples, space: Space, jacobian: Jacobian, chosen: Chosen) -> list[_Part]:
    """Principal directions of latents that stand out, without what the chosen ones change, which stay."""
    centred = samples.latents - samples.latents.mean(0)
    moving = centred[:, samples.moving]
    variances, axes = np.linalg.eigh(moving.T @ moving / len(moving))
    active = int((variances > 1e-9 * max(float(variances[-1]), 1e-30)).sum())
    edge = float(variances.sum()) / max(active, 1) * (1 + np.sqrt(active / len(moving))) ** 2
    found: list[_Part] = []
    for variance, axis in list(zip(variances, axes.T, strict=True))[::-1][:PRINCIPAL]:
        if variance <= edge:
            break
        # Of the two signs one has to be chosen, the same at every call.
        whole = np.zeros(centred.shape[1])
        whole[samples.moving] = axis * np.sign(axis[np.abs(axis).argmax()])
        inside = whole @ np.linalg.pinv(space.basis)
        alone = whole - (jacobian.matrix[list(chosen.targets)] @ inside) @ chosen.rows @ space.basis
        if np.linalg.norm(alone) < LEFT:
            continue
        low, high = np.quantile(centred @ whole / np.sqrt(variance), [(1 - INNER) / 2, (1 + INNER) / 2])
        found.append(_Part(alone * np.sqrt(variance), float(variance / variances.sum()), (float(low), float(high))))
    return found


@dataclass(frozen=True)
class _Slider:
    """One of the attributes of :class:`Directions`, from -high to high."""

    name: str
    vector: Floats
    high: float
    score: float
    effect: Floats


def _calibrated(
    system: LatentSystem, samples: Samples, space: Space, chosen: Chosen, number: int, run: Run
) -> tuple[list[_Slider], dict[str, str]]:
    """Directions whose steps are as long as is measured here; and why others are not offered, by name."""
    kept: list[_Slider] = []
    refused = dict(samples.refused)
    for target, other in chosen.merged.items():
        refused[dimensions.NAMES[target]] = f"goes with {dimensions.NAMES[other]}"
    vectors, reach = chosen.rows @ space.basis, _reach(np.linalg.norm(chosen.rows, axis=1))
    units = np.where(samples.units > 0, samples.units, np.inf)
    for k in range(len(vectors)):
        target, name = chosen.targets[k], dimensions.NAMES[chosen.targets[k]]
        # Shapes that have the attribute; the last ones, as the first have refined the direction.
        able = np.flatnonzero(np.isfinite(samples.measured.values[:, target]))[-number:]
        with run.span(k / len(vectors), (k + 1) / len(vectors)):
            far = _farthest(system, samples, able[:TRIED], vectors[k], reach[k], run)
            if not far:
                refused[name] = "shapes come apart"
                continue
            with run.span(0.5, 1.0):
                moves = effects.moved(system, samples.latents[able][None], vectors[k : k + 1], np.array([far]), run)
        effect = moves.effects()[:, 0] / units
        own = float(effect[target])
        high = far * own
        others = [i for i in fixed(target, samples.held) if chosen.merged.get(i) != target]
        hollow = abs(float(effect[dimensions.NAMES.index("Fullness")])) / max(own, 1e-9)
        leaks = np.abs(effect * _seen(samples.units))[others] / max(own, 1e-9)
        if high < SHORTEST:
            refused[name] = f"goes {high:.1f} steps"
        elif len(leaks) and leaks.max() > LEAK:
            refused[name] = f"a step changes {dimensions.NAMES[others[int(leaks.argmax())]]} by {leaks.max():.1f}"
        elif name != "Fullness" and hollow > HOLLOW:
            refused[name] = f"a step changes Fullness by {hollow:.1f}"
        else:
            kept.append(_Slider(name, vectors[k] / own, min(high, MOST), samples.scores[name], effect / own))
    return kept, {name: refused[name] for name in dimensions.NAMES if name in refused}


def _farthest(
    system: LatentSystem, samples: Samples, tried: NDArray[np.integer], vector: Floats, reach: float, run: Run
) -> float:
    """The most steps along a vector (L,), of those that are tried, after which samples are sound; 0 for none."""
    for k, share in enumerate(SHARES):
        with run.span(0.5 * k / len(SHARES), 0.5 * (k + 1) / len(SHARES)):
            moves = effects.moved(system, samples.latents[tried][None], vector[None], np.array([share * reach]), run)
        if moves.sound(samples.measured.of(tried))[0] >= SOUND:
            return share * reach
    return 0.0


def _assembled(
    samples: Samples, kept: Sequence[_Slider], parts: Sequence[_Part], refused: Mapping[str, str]
) -> Directions:
    """Sliders and principal directions, as they are stored."""
    numbered = [(f"Variation {number}", part) for number, part in enumerate(parts, 1)]
    every = np.array([one.vector for one in (*kept, *parts)]).reshape(-1, samples.latents.shape[1])
    limits = [*((-one.high, one.high) for one in kept), *(part.limits for part in parts)]
    scores = [*(one.score for one in kept), *(part.share for part in parts)]
    used = np.flatnonzero(every.any(axis=0))
    return Directions(
        (*(one.name for one in kept), *(name for name, _ in numbered)),
        every[:, : int(used[-1]) + 1 if len(used) else 0].astype(np.float32),
        tuple(round(low, 4) for low, _ in limits),
        tuple(round(high, 4) for _, high in limits),
        tuple(round(score, 4) for score in scores),
        refused,
        {dimensions.NAMES[i]: round(float(samples.units[i]), 6) for i in samples.held},
        np.array([one.effect for one in kept], dtype=np.float32).reshape(len(kept), -1).T,
    )


def _seen(units: Floats) -> Floats:
    """What a unit of each attribute (A,) counts as a leak: less where it is less than a cell."""
    lengths = np.array([name not in dimensions.SHARES for name in dimensions.NAMES])
    return np.where(lengths, np.minimum(units * dimensions.RESOLUTION, 1.0), 1.0)


def text(found: Directions) -> str:
    """For people: what was found, what a step does, and what was not found."""
    lines = [f"{'slider':18s} {'R^2':>6s} {'a step':>8s}   between"]
    for name, score, low, high in zip(found.names, found.scores, found.low, found.high, strict=True):
        unit = f"{found.units[name]:8.3f}" if name in found.units else " " * 8
        lines.append(f"{name:18s} {score:6.2f} {unit}   {low:+.1f} and {high:+.1f}")
    if found.effects.size:
        lines += [
            "",
            "What a step of each changes, in steps:",
            *table(found.names[: found.effects.shape[1]], found.effects.astype(float)),
        ]
    if found.refused:
        lines += ["", "Not offered:", *(f"{name:18s} {reason}" for name, reason in found.refused.items())]
    return "\n".join(lines)


@dataclass(frozen=True)
class Verdict:
    """What sliders do to shapes that had no part in finding them.

    Args:
        effects: with shape (A, K), what a step changes of each of :data:`.dimensions.NAMES`, in units.
        own: by name, what it changes of what it is called after: 1 is what it says. Not of principal directions.
        leaks: by name, what it changes most of what geometry would let it leave alone, and by how much, counted as in
            :data:`LEAK`.
        sound: by name, the share of the shapes that hang together and keep their parts at the limits.
    """

    effects: Floats
    own: Mapping[str, float]
    leaks: Mapping[str, tuple[str, float]]
    sound: Mapping[str, float]

    def values(self) -> dict[str, Any]:
        """As plain values."""
        rows = zip(dimensions.NAMES, self.effects.round(3).tolist(), strict=True)
        return {"effects": dict(rows), "own": self.own, "leaks": self.leaks, "sound": self.sound}


def check(system: System, found: Directions, run: Run, count: int) -> Verdict:
    """Moves shapes that had no part in finding the sliders from limit to limit of each.

    Args:
        system: that of the directions.
        found: its directions.
        run: device and progress; its seeds do not matter.
        count: shapes that are moved.

    Raises:
        Unsupported: the system has no latents.
        Cancelled: the user asked to stop.
    """
    system = _with_latents(system)
    latents = _drawn(system, UNSEEN, count)
    vectors = np.zeros((len(found.names), latents.shape[1]))
    vectors[:, : found.vectors.shape[1]] = found.vectors
    with run.span(0.0, 0.1):
        before = effects.measure(system, latents, run)
    starts = np.broadcast_to(latents, (len(vectors), *latents.shape))
    with run.span(0.1, 1.0):
        moves = effects.moved(system, starts, vectors, np.minimum(-np.array(found.low), found.high), run)
    units = np.array([found.units.get(name, np.inf) for name in dimensions.NAMES])
    measured = moves.effects() / units[:, None]
    held = [i for i in range(len(units)) if np.isfinite(units[i])]
    seen = _seen(np.where(np.isfinite(units), units, 0.0))
    own: dict[str, float] = {}
    leaks: dict[str, tuple[str, float]] = {}
    for j, name in enumerate(found.names):
        if name not in dimensions.NAMES:
            continue
        target = dimensions.NAMES.index(name)
        own[name] = round(float(measured[target, j]), 3)
        others = [i for i in fixed(target, held) if found.refused.get(dimensions.NAMES[i]) != f"goes with {name}"]
        if others:
            worst = max(others, key=lambda i: abs(measured[i, j] * seen[i]))
            leaks[name] = dimensions.NAMES[worst], round(float(measured[worst, j] * seen[worst]), 3)
    sound = moves.sound(before).round(3).tolist()
    return Verdict(measured, own, leaks, dict(zip(found.names, sound, strict=True)))


def table(names: Sequence[str], measured: Floats) -> list[str]:
    """Lines of a Markdown table of effects, with shape (A, K): a row for each attribute, a column for each slider."""
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for name, row in zip(dimensions.NAMES, measured, strict=True):
        cells = [
            f"**{value:.2f}**" if name == slider else f"{value:.2f}" for slider, value in zip(names, row, strict=True)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines
