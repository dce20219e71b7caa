"""Creatures: animals as trees of round limbs, whose union is one closed surface without holes; they look to -Y.

A creature is a stem from the rump over belly, chest and neck to the brow, and limbs that leave it: legs or arms, ears,
horns, wings, a tail and a snout. Limbs meet the rest of the creature at their roots only, so that the surface of their
union is a deformed sphere; `sample` draws again where a pose would make two of them touch. As all creatures have the
same tree, with limbs left out, they correspond vertex by vertex: `registered`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .animals import COMMON, KINDS
from .cage import Registered, wrapped
from .members import LONGEST, THIN, Draw, fit, rod
from .profiles import Array
from .shape import Part, Shape, normalised
from .solids import Rod

__all__ = ["KINDS", "LENGTHS", "Creature", "Registered", "Skeleton", "build", "registered", "sample", "skeleton"]

#: How far from the rest a limb has to stay once it has left it, in model units.
CLEARANCE = 0.012
#: Designs that are drawn until one has clear limbs.
TRIES = 60
#: The thinnest radius of a limb, in model units.
THINNEST = THIN / 2 + 2e-3
#: Values that are larger or smaller together, in every kind, and by how much.
VARIETY = (
    (("rump", "belly", "chest", "neck_radius", "stance"), (0.84, 1.14)),
    (("height",), (0.90, 1.16)),
    (("head", "head_length", "snout", "snout_radius", "snout_tip"), (0.90, 1.20)),
    (("ear", "horn", "tail"), (0.80, 1.20)),
)
#: Names of the stem's parts, with their labels.
STEM = (("hind body", "body"), ("fore body", "body"), ("lower neck", "neck"), ("upper neck", "neck"), ("head", "head"))
#: Words for the parts of a limb, from its root to its tip, by how many there are.
PIECES = {1: ("",), 2: ("inner ", "outer "), 3: ("inner ", "middle ", "outer ")}


@dataclass(frozen=True)
class Creature:
    """The final values of a creature; lengths in model units (its longest side is 0.9), angles in degrees.

    Each value has a range for each kind; those given here span all kinds. Limbs with a length of 0 are not there.

    kind: name in `KINDS`. legs: 2 or 4 to walk on; with 2, the fore limbs are arms or missing.
    trunk 0.1..0.5 (from the middle of the rump to that of the chest), rump, belly, chest 0.05..0.25 (radii),
    pitch -5..85 (of the trunk, the chest up), sag -0.05..0.05 (of the belly, down);
    neck 0.05..0.5 (length from the middle of the chest), neck_radius 0.022..0.12, neck_angle -5..90 (above the
    horizon), neck_bend -25..30 (how much steeper its upper half is);
    head 0.03..0.15 (radius), head_length 0.01..0.12 (from the back of the head to the brow), head_angle -50..10 (of
    the head, above the horizon);
    snout 0..0.4 (from the brow to the middle of its tip), snout_radius, snout_tip 0.022..0.09 (radii at the brow and
    at the tip), snout_angle -60..10 (against the head's), snout_curl -5..35 (per joint, upward);
    ear 0..0.3 (from the head to the middle of its tip), ear_radius 0.022..0.12 (at its tip), ear_angle 10..90 (from up
    to the side);
    horn 0..0.25 (length beyond the head), horn_radius 0.022..0.04, horn_angle 10..65 (from up to the side);
    tail 0..0.6 (from the rump to the middle of its tip), tail_radius 0.022..0.09 (at its root), tail_angle -55..70
    (above the horizon), tail_curl -25..40 (per joint, upward);
    height 0.05..0.55 (of the hips above the ground), thigh, ankle 0.022..0.12 (radii of a leg), stance 0.03..0.15 (of
    the hips from the middle), splay 0..0.25 (of the feet, further out), bend -0.05..0.1 (of the knees, forward), foot
    0..0.15 (length), stride -15..15 (how far one leg swings forward and its neighbours backward);
    arm 0..0.2 (length), arm_angle -50..-10 (above the horizon);
    wing 0..0.5 (length), wing_radius 0.022..0.06, wing_angle -55..45 (above the horizon), wing_sweep -5..30 (backward).
    """

    kind: str
    legs: int
    trunk: float
    rump: float
    belly: float
    chest: float
    pitch: float
    sag: float
    neck: float
    neck_radius: float
    neck_angle: float
    neck_bend: float
    head: float
    head_length: float
    head_angle: float
    snout: float
    snout_radius: float
    snout_tip: float
    snout_angle: float
    snout_curl: float
    ear: float
    ear_radius: float
    ear_angle: float
    horn: float
    horn_radius: float
    horn_angle: float
    tail: float
    tail_radius: float
    tail_angle: float
    tail_curl: float
    height: float
    thigh: float
    ankle: float
    stance: float
    splay: float
    bend: float
    foot: float
    stride: float
    arm: float
    arm_angle: float
    wing: float
    wing_radius: float
    wing_angle: float
    wing_sweep: float


_ANGLES = {"pitch", "stride", "neck_bend", "wing_sweep", "snout_curl", "tail_curl"}
_UNSCALED = {"kind", "legs"} | _ANGLES | {name for name in COMMON if name.endswith("_angle")}
LENGTHS = tuple(f.name for f in fields(Creature) if f.name not in _UNSCALED)


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Balls along the axes of a creature; each part is the hull of two balls that follow one another.

    stem: joints (6, 4) of rump, belly, chest, nape, poll and brow: positions and radii. limbs: by the names of
    `cage.LIMBS`, joints (N, 4) from inside the stem to the tip; limbs that are not there are left out.
    """

    stem: Array
    limbs: dict[str, Array]


def sample(draw: Draw) -> Creature:
    """Draw a design whose limbs meet at their roots only, already to size."""
    kind = draw.choose({name: kind.weight for name, kind in KINDS.items()})
    for _ in range(TRIES):
        design, _ = fit(_drawn(kind, draw), LENGTHS, build)
        if _clear(skeleton(design)):
            return design
    raise AssertionError(f"no {kind} with clear limbs came up in {TRIES} tries: its ranges do not fit together")


def _drawn(kind: str, draw: Draw) -> Creature:
    ranges = COMMON | KINDS[kind].ranges
    values: dict[str, Any] = {name: draw.uniform(*limits) for name, limits in ranges.items()}
    for name, likely in KINDS[kind].often.items():
        if not draw.chance(likely):
            values[name] = 0.0
    if draw.chance(0.4):
        values["stride"] = 0.0
    for names, limits in VARIETY:
        factor = draw.uniform(*limits)
        for name in names:
            values[name] *= factor
    return Creature(kind=kind, legs=KINDS[kind].legs, **values)


def build(creature: Creature) -> list[Part]:
    """The parts of a creature standing on the ground at z = 0: one for every two joints that follow one another."""
    bones = skeleton(creature)
    parts = [Part(label, solid, name) for (name, label), solid in zip(STEM, _rods(bones.stem), strict=True)]
    for limb, joints in bones.limbs.items():
        name = limb.replace("fore leg", "arm") if creature.legs == 2 else limb
        label, solids = name.split()[-1], _rods(joints)
        words = [f"{word}{name}" for word in PIECES[len(solids) - 1 if _footed(creature, name) else len(solids)]]
        if _footed(creature, name):
            words.append(name.replace("leg", "foot"))
        parts += [Part(label, solid, word) for solid, word in zip(solids, words, strict=True)]
    return parts


def registered(shape: Shape) -> Registered:
    """A creature's surface as a mesh whose faces are the same for all creatures, with its landmarks.

    Raises ValueError for a shape of another category.
    """
    if shape.category != "creature":
        raise ValueError(f"the shape is a {shape.category}; only creatures correspond vertex by vertex")
    design = Creature(**shape.parameters)  # type: ignore[arg-type]
    bones = skeleton(design)
    placed, scale = normalised(build(design), LONGEST)
    size = np.array([scale, scale, scale, scale])
    offset = np.append(placed[0].solid.frame.translation - scale * bones.stem[0, :3], 0.0)
    limbs = {name: joints * size + offset for name, joints in bones.limbs.items()}
    return wrapped(bones.stem * size + offset, limbs, shape.sdf)


# The skeleton


def skeleton(creature: Creature) -> Skeleton:
    """The joints of a creature that stands on the ground at z = 0, its rump on the z axis."""
    c = creature
    rump = np.array([0.0, 0.0, c.height])
    forward = _way(c.pitch)
    belly = rump + c.trunk / 2 * forward - np.array([0, 0, c.sag])
    chest = rump + c.trunk * forward
    nape = chest + c.neck / 2 * _way(c.neck_angle)
    poll = nape + c.neck / 2 * _way(c.neck_angle + c.neck_bend)
    brow = poll + c.head_length * _way(c.head_angle)
    middle = 0.3 * c.chest + 0.7 * c.neck_radius
    stem = _joints([rump, belly, chest, nape, poll, brow], [c.rump, c.belly, c.chest, middle, c.head, 0.86 * c.head])
    limbs = _legs(c, rump, chest)
    if c.tail > 0:
        joints = 2 if c.tail < 0.5 * c.rump else 4
        limbs["tail"] = _curve(rump, 180 - c.tail_angle, -c.tail_curl, c.rump, c.tail, c.tail_radius, 0.8, joints)
    if c.snout > 0:
        joints = 4 if c.snout > 2 * c.head else 2
        taper, angle = c.snout_tip / c.snout_radius, c.head_angle + c.snout_angle
        limbs["snout"] = _curve(brow, angle, c.snout_curl, 0.86 * c.head, c.snout, c.snout_radius, taper, joints)
    if c.ear > 0:
        limbs |= _both("ear", lambda side: _ear(c, poll, side))
    if c.horn > 0:
        limbs |= _both("horn", lambda side: _horn(c, 0.35 * poll + 0.65 * brow, side))
    if c.wing > 0:
        limbs |= _both("wing", lambda side: _wing(c, chest - 0.12 * c.trunk * forward, side))
    return Skeleton(stem, limbs)


def _way(angle: float) -> Array:
    """The direction (3,) forward that rises by an angle in degrees."""
    return np.array([0.0, -math.cos(math.radians(angle)), math.sin(math.radians(angle))])


def _joints(points: list[Array], radii: list[float]) -> Array:
    """Joints (N, 4) of a chain; radii change no faster than a hull of two balls can show."""
    joints = np.c_[np.array(points), np.maximum(radii, THINNEST)]
    for before, after in pairwise(joints):
        reach = 0.9 * float(np.linalg.norm(after[:3] - before[:3]))
        after[3] = np.clip(after[3], before[3] - reach, before[3] + reach)
    return joints


def _both(name: str, joints: Callable[[int], Array]) -> dict[str, Array]:
    """A limb on the left (+X) and on the right."""
    return {f"{word} {name}": joints(side) for word, side in (("left", 1), ("right", -1))}


def _curve(
    root: Array, angle: float, curl: float, inside: float, length: float, radius: float, taper: float, joints: int
) -> Array:
    """A limb in the middle plane that leaves a ball around its root and turns by `curl` degrees at each joint."""
    points = [root]
    for k in range(joints - 1):
        step = length / (joints - 1) + (inside if k == 0 else 0.0)
        points.append(points[-1] + step * _way(angle + k * curl))
    return _joints(points, list(radius * np.linspace(1, taper, joints)))


def _legs(c: Creature, rump: Array, chest: Array) -> dict[str, Array]:
    hip, shoulder = 0.90 * rump + 0.10 * chest, 0.06 * rump + 0.94 * chest
    limbs = _both("hind leg", lambda side: _leg(c, hip, side, c.rump, 1.0, c.bend, side * c.stride))
    if c.legs == 4:
        limbs |= _both("fore leg", lambda side: _leg(c, shoulder, side, c.chest, 0.9, -0.5 * c.bend, -side * c.stride))
    elif c.arm > 0:
        limbs |= _both("fore leg", lambda side: _arm(c, shoulder, side))
    return limbs


def _footed(c: Creature, name: str) -> bool:
    return c.foot > 0 and name.endswith("leg")


def _leg(c: Creature, hip: Array, side: int, body: float, thick: float, bend: float, stride: float) -> Array:
    """A leg from inside the body over the knee to the ground, and its foot to the front."""
    ankle = max(c.ankle, THINNEST)
    # The two thighs of a pair stay apart.
    top = hip + np.array([side * max(c.stance, 1.1 * thick * c.thigh), 0.0, -0.3 * body])
    foot = top + np.array([side * c.splay, top[2] * math.tan(math.radians(stride)), 0.0])
    foot[2] = ankle
    share = 0.4 if c.splay < 0.05 else 0.75
    knee = np.array([top[0] + share * (foot[0] - top[0]), (top[1] + foot[1]) / 2 - bend, 0.48 * top[2] + 0.52 * ankle])
    if c.splay >= 0.05:
        knee[2] = 0.8 * top[2] + 0.2 * ankle
    points, radii = [top, knee, foot], [thick * c.thigh, 0.45 * thick * c.thigh + 0.6 * ankle, ankle]
    if c.foot > 0:
        points.append(foot + np.array([side * 0.2 * c.foot, -c.foot, 0.0]))
        radii.append(ankle)
    return _joints(points, radii)


def _arm(c: Creature, shoulder: Array, side: int) -> Array:
    root = shoulder + np.array([side * 0.45 * c.chest, 0.0, -0.2 * c.chest])
    elbow = root + (0.75 * c.chest + 0.4 * c.arm) * (_way(c.arm_angle) + np.array([side * 0.35, 0, 0]))
    hand = elbow + 0.6 * c.arm * (_way(c.arm_angle + 25) + np.array([side * 0.1, 0, 0]))
    return _joints([root, elbow, hand], [1.25 * c.ankle, c.ankle, 0.9 * c.ankle])


def _ear(c: Creature, poll: Array, side: int) -> Array:
    angle = math.radians(c.ear_angle)
    way = np.array([side * math.sin(angle), 0.22, math.cos(angle)]) / math.hypot(1, 0.22)
    return _joints([poll, poll + (c.head + c.ear) * way], [min(0.8 * c.ear_radius, 0.6 * c.head), c.ear_radius])


def _horn(c: Creature, root: Array, side: int) -> Array:
    angle = math.radians(c.horn_angle)
    way = np.array([side * math.sin(angle), 0.0, math.cos(angle)])
    bend = root + (0.9 * c.head + 0.5 * c.horn) * way
    tip = bend + 0.5 * c.horn * np.array([0.45 * way[0], -0.15, 1.0])
    return _joints([root, bend, tip], [1.1 * c.horn_radius, c.horn_radius, 0.9 * c.horn_radius])


def _wing(c: Creature, middle: Array, side: int) -> Array:
    def way(angle: float, sweep: float) -> Array:
        a, s = math.radians(angle), math.radians(sweep)
        return np.array([side * math.cos(a) * math.cos(s), math.cos(a) * math.sin(s), math.sin(a)])

    root = middle + np.array([side * 0.35 * c.chest, 0.0, 0.35 * c.chest])
    elbow = root + (0.6 * c.chest + 0.45 * c.wing) * way(c.wing_angle + 12, c.wing_sweep - 8)
    tip = elbow + 0.55 * c.wing * way(c.wing_angle - 18, c.wing_sweep + 22)
    return _joints([root, elbow, tip], [1.3 * c.wing_radius, 1.15 * c.wing_radius, 0.7 * c.wing_radius])


def _rods(joints: Array) -> list[Rod]:
    return [rod(a[:3], b[:3], float(a[3]), float(b[3])) for a, b in pairwise(joints)]


# Clear limbs


def _clear(bones: Skeleton) -> bool:
    """Whether every limb leaves what it touches at its root, and meets nothing else: then no two make a ring."""
    stem = _rods(bones.stem)
    limbs = [_rods(joints) for joints in bones.limbs.values()]
    balls = [_balls(joints) for joints in bones.limbs.values()]
    every = np.concatenate(balls)
    owner = np.repeat(np.arange(len(balls)), [len(some) for some in balls])
    to_stem = np.array([solid.sdf(every[:, :3]) for solid in stem])
    to_limbs = np.array([np.min([solid.sdf(every[:, :3]) for solid in solids], axis=0) for solids in limbs])
    for k, some in enumerate(balls):
        near = to_stem[:, owner == k]
        # A limb may stay in touch with the parts of the stem that hold its root and with those beside the nearest.
        nearest = np.abs(np.arange(len(stem)) - int(near[:, 0].argmin()))
        home = (near[:, 0] < 0) | (nearest <= 1)
        others = np.concatenate([near[~home], np.delete(to_limbs, k, axis=0)[:, owner == k]])
        apart, free = others - some[:, 3] > CLEARANCE, near[home].min(0) - some[:, 3] > CLEARANCE
        leaves = apart[:, -1].all() and all(_once(row) for row in (*apart, free))
        if not (leaves and near[:, -1].min() > -0.6 * some[-1, 3]):
            return False
    return True


def _once(free: NDArray[np.bool_]) -> bool:
    """Whether all are true from the first true one on."""
    return not free.any() or bool(free[int(np.argmax(free)) :].all())


def _balls(joints: Array) -> Array:
    """Many balls (M, 4) along a limb with joints (N, 4)."""
    steps = np.linspace(0, len(joints) - 1, 16 * (len(joints) - 1) + 1)
    return np.stack([np.interp(steps, np.arange(len(joints)), column) for column in joints.T], 1)
