"""Mugs and cups: a turned cup, a handle, and sometimes a saucer or a lid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .handles import handle
from .members import Draw, pair
from .paths import flowing
from .profiles import Array
from .revolved import turned, vessel
from .shape import Part
from .solids import Cone, Frame

#: Forms of cup with their probabilities in percent.
FORMS = {
    "straight": 18,
    "tapered": 12,
    "conical": 10,
    "barrel": 12,
    "tulip": 12,
    "waisted": 8,
    "round": 12,
    "teacup": 10,
    "stein": 6,
}
# Radius of the middle, the foot and the rim over the height; where the middle is.
RANGES = {
    "straight": ((0.38, 0.52), (0.94, 1.00), (0.98, 1.02), 0.5),
    "tapered": ((0.40, 0.50), (0.72, 0.84), (1.10, 1.22), 0.5),
    "conical": ((0.40, 0.48), (1.14, 1.26), (0.80, 0.90), 0.45),
    "barrel": ((0.46, 0.56), (0.74, 0.84), (0.76, 0.88), 0.48),
    "tulip": ((0.44, 0.52), (0.56, 0.70), (1.02, 1.16), 0.36),
    "waisted": ((0.34, 0.42), (1.10, 1.24), (1.14, 1.30), 0.5),
    "round": ((0.56, 0.64), (0.54, 0.66), (0.80, 0.90), 0.50),
    "teacup": ((0.62, 0.76), (0.38, 0.48), (1.20, 1.36), 0.50),
    "stein": ((0.27, 0.33), (1.06, 1.18), (0.86, 0.94), 0.5),
}
HANDLES = {"loop": 40, "ear": 14, "square": 18, "scroll": 8, "bow": 12, "none": 8}


@dataclass(frozen=True)
class Mug:
    """The final values of a mug or cup; lengths in model units (its longest side is 0.9).

    form: name in `FORMS`; handle: name in `HANDLES` (bow is a flat loop close to the wall); handles: 0, 1 or 2;
    saucer, lid, ring: 0 or 1 (a ring is a narrower foot below the cup); bands 0..2 (raised rings).
    height 0.3..0.85 (of the cup), middle, foot and rim 0.12..0.45 (radii); middle_height 0.1..0.45;
    grip 0.10..0.32 (how far apart the handle's ends are over half the height: its span is twice that share);
    reach 0.10..0.24 (how far the handle stands off the wall); saucer_radius 0.2..0.45;
    wall 0.046..0.062 (thickness); tube 0.025..0.042 (radius of the handle).
    """

    form: str
    handle: str
    handles: int
    saucer: int
    lid: int
    ring: int
    bands: int
    height: float
    middle: float
    foot: float
    rim: float
    middle_height: float
    grip: float
    reach: float
    saucer_radius: float
    wall: float
    tube: float

    @property
    def lift(self) -> float:
        """Height of the cup above the floor."""
        return (0.040 if self.saucer else 0.0) + (0.03 if self.ring else 0.0)


LENGTHS = ("height", "middle", "foot", "rim", "middle_height", "reach", "saucer_radius")


def sample(draw: Draw) -> Mug:
    """Draw a design, about to size."""
    form = draw.choose(FORMS)
    span, foot, rim, level = RANGES[form]
    height = 0.62 if form not in ("teacup", "stein") else {"teacup": 0.40, "stein": 0.80}[form]
    middle = height * draw.uniform(*span)
    style = draw.choose(HANDLES)
    if form in ("teacup", "stein") and style == "none":
        style = "loop"
    count = 0 if style == "none" else 2 if draw.chance(0.06) else 1
    saucer = draw.chance({"teacup": 0.75, "round": 0.3, "tulip": 0.3, "tapered": 0.3}.get(form, 0.0))
    return Mug(
        form=form,
        handle=style,
        handles=count,
        saucer=int(saucer),
        lid=int(form == "stein" and draw.chance(0.5)),
        ring=int(form in ("teacup", "round", "tulip") and draw.chance(0.6)),
        bands=1 + int(draw.uniform(0, 2))
        if form in ("straight", "barrel", "stein", "conical") and draw.chance(0.3)
        else 0,
        height=height,
        middle=middle,
        foot=middle * draw.uniform(*foot),
        rim=middle * draw.uniform(*rim),
        middle_height=level * height,
        grip=draw.uniform(0.22, 0.31),
        reach=draw.uniform(0.13, 0.22),
        saucer_radius=middle * draw.uniform(1.45, 1.7),
        wall=draw.uniform(0.047, 0.062),
        tube=draw.uniform(0.026, 0.04) if form != "teacup" else draw.uniform(0.024, 0.03),
    )


def build(mug: Mug) -> list[Part]:
    """The parts of a mug standing on the floor at z = 0 around the z axis, its handle at +x."""
    wall = silhouette(mug)
    cup = vessel(Frame.at(z=mug.lift), wall, mug.wall, 0.055, 0.016, 0.05)
    return [Part("body", cup), *_foot(mug), *_handles(mug, wall), *_lid(mug)]


def silhouette(mug: Mug) -> Array:
    """Radii and heights (N, 2) of the outside of the cup, from its foot to its rim."""
    foot, middle, rim = (mug.foot, 0.0), (mug.middle, mug.middle_height), (mug.rim, mug.height)
    if mug.form in ("round", "teacup"):
        low = (foot[0] + 0.62 * (middle[0] - foot[0]), 0.22 * middle[1] if mug.form == "teacup" else 0.3 * middle[1])
        wall = flowing(
            [foot, low, middle, ((middle[0] + rim[0]) / 2 + 0.02 * (mug.form == "round"), 0.78 * mug.height), rim], 5
        )
    elif mug.form in ("tulip", "barrel"):
        low = (foot[0] + 0.6 * (middle[0] - foot[0]), 0.35 * middle[1])
        high = (0.45 * middle[0] + 0.55 * rim[0] - 0.025 * (mug.form == "tulip"), 0.62 * mug.height + 0.1)
        wall = flowing([foot, low, middle, high, rim], 5)
    else:
        heel = np.array([[foot[0] - 0.03, 0.0], [foot[0], 0.03]])
        wall = np.concatenate([heel, flowing([(foot[0], 0.03), middle, rim], 5)[1:]])
    if not mug.bands:
        return wall
    heights = np.linspace(0.0, mug.height, 80)
    radii = np.interp(heights, wall[:, 1], wall[:, 0])
    for level in (0.16, 0.84) if mug.bands == 2 else (0.14,):
        radii += 0.012 * np.exp(-(((heights / mug.height - level) / 0.045) ** 6))
    return np.stack([radii, heights], 1)


def _foot(mug: Mug) -> list[Part]:
    parts = []
    if mug.ring:
        radius, half = max(0.82 * mug.foot, 0.06), 0.03
        parts.append(Part("foot", Cone(Frame.at(z=mug.lift - 0.012), radius * 1.05, radius, half, 0.008)))
    if mug.saucer:
        r = mug.saucer_radius
        dish = [(0.50 * r, 0.0), (0.58 * r, 0.0), (0.88 * r, 0.034), (0.98 * r, 0.062), (r, 0.10)]
        outside = np.concatenate([[dish[0]], flowing(dish[1:], 4)])
        parts.append(Part("saucer", vessel(Frame.at(), outside, 0.052, 0.052, 0.018, 0.03)))
    return parts


def _handles(mug: Mug, wall: Array) -> list[Part]:
    if mug.handles == 0:
        return []
    span = mug.grip * mug.height
    centre = 0.52 * mug.height
    low, high = centre - span, centre + span
    if mug.saucer:
        low += 0.04 * mug.height
    first, last = (float(np.interp(level, wall[:, 1], wall[:, 0])) - 0.4 * mug.wall for level in (low, high))
    ends = (first, 0.0, low + mug.lift), (last, 0.0, high + mug.lift)
    # Where the wall bulges between its ends, a handle stands off further.
    swell = 0.7 * max(
        float(wall[(wall[:, 1] > low) & (wall[:, 1] < high), 0].max()) - max(first, last) - 0.4 * mug.wall, 0
    )
    if mug.handle in ("loop", "bow"):
        reach = max(mug.reach + mug.tube, 0.09) if mug.handle == "loop" else 0.11 + mug.tube
        solids = handle("loop", *ends, reach + swell, mug.tube)
    else:
        solids = handle(mug.handle, *ends, max(mug.reach, 0.06) + 2 * mug.tube + swell, mug.tube)
    return pair("handle", *solids) if mug.handles == 2 else [Part("handle", solid) for solid in solids]


def _lid(mug: Mug) -> list[Part]:
    if not mug.lid:
        return []
    r, z = 1.05 * mug.rim, mug.lift + mug.height
    dome = flowing([(r, z + 0.012), (0.7 * r, z + 0.05), (0.25 * r, z + 0.075), (0.03, z + 0.1), (0.034, z + 0.14)], 4)
    cap = turned(Frame.at(), np.concatenate([[(r, z - 0.03)], dome]), 0.012)
    x = mug.rim + 0.2 * mug.reach
    rest = Cone(Frame.at(x, 0.0, z + 0.006), 0.03, 0.024, 0.05, 0.01)
    return [Part("lid", cap), Part("lid", rest)]
