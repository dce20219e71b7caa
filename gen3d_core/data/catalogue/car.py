"""Cars: from sports cars and beetles to pickups, vans, buses, lorries, vintage cars and racers; the bonnet is at -Y."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .coachwork import (
    ACROSS,
    ALONG,
    ARCH,
    EDGE,
    ROOF,
    SIDE,
    STEP,
    THICK,
    WALL,
    fenders,
    tail_parts,
    turned_wheel,
    upright,
)
from .extruded import Extruded
from .lorries import LOADS, lorry
from .members import THIN, Draw, pair, rod
from .paths import swelling
from .profiles import Array
from .revolved import turned
from .shape import Part
from .solids import Box, Frame
from .specials import racer, vintage

Points = list[tuple[float, float]]
Range = tuple[float, float]

#: Kinds of car with their probabilities in percent.
KINDS = {
    "sedan": 13,
    "hatchback": 11,
    "estate": 7,
    "offroader": 9,
    "sports": 10,
    "convertible": 9,
    "beetle": 9,
    "pickup": 9,
    "van": 9,
    "bus": 9,
    "lorry": 14,
    "vintage": 6,
    "racer": 5,
}
#: For each kind the limits of its width, height, belt (as a share of the height), clearance, radius of the wheels,
#: front and rear axle, begin and end of the cabin (shares of the length), windscreen and rear window (their runs over
#: the cabin's height).
TABLE = """
sedan       .36 .4   .26 .3    .56 .62  .036 .046  .064 .074  .18 .21  .78 .81  .28  .33  .84  .9    1   1.5  .8  1.3
hatchback   .42 .46  .34 .4    .54 .6   .04  .05   .074 .084  .17 .2   .81 .84  .2   .28  .96  .985  .7  1.2  .25 .7
estate      .36 .4   .27 .3    .55 .6   .036 .046  .064 .074  .17 .2   .78 .81  .26  .32  .96  .985  .9  1.4  .2  .6
offroader   .4  .44  .37 .42   .56 .62  .07  .09   .086 .098  .17 .2   .8  .83  .28  .34  .95  .985  .2  .8   .05 .35
sports      .4  .44  .22 .25   .64 .69  .03  .036  .062 .069  .19 .22  .79 .82  .28  .42  .82  .94   1.9 2.6  2   3.2
convertible .38 .43  .26 .3    .6  .66  .036 .046  .066 .078  .17 .2   .78 .81  .36  .42  .72  .8    .7  1.2  .5  1
beetle      .36 .41  .34 .38   .5  .55  .045 .055  .076 .086  .19 .22  .78 .81  .27  .32  .9   .97   .7  1    1.4 2
pickup      .37 .41  .31 .35   .56 .61  .06  .075  .078 .088  .17 .19  .78 .81  .26  .31  .56  .66   .7  1.1  .1  .4
van         .36 .4   .4  .48   .46 .54  .045 .055  .066 .076  .16 .19  .8  .83  .05  .2   .975 .99   .4  .9   .02 .1
bus         .25 .29  .28 .33   .5  .56  .036 .046  .048 .056  .17 .21  .74 .79  .012 .03  .98  .99   .05 .25  .02 .15
lorry       .27 .31  .34 .4    .55 .6   .06  .07   .055 .064  .12 .14  .8  .84  .02  .04  .24  .28   .1  .35  .02 .1
vintage     .38 .43  .38 .43   .52 .58  .07  .08   .088 .1    .17 .2   .78 .82  .42  .47  .86  .92   0   .15  .05 .5
racer       .42 .46  .23 .26   .5  .54  .03  .036  .078 .09   .22 .26  .8  .84  .44  .48  .6   .64   .5  1    .5  1
"""
PROPORTIONS: dict[str, tuple[Range, ...]] = {
    name: tuple((float(low), float(high)) for low, high in zip(numbers[::2], numbers[1::2], strict=True))
    for name, *numbers in (line.split() for line in TABLE.strip().splitlines())
}
#: What the kinds may carry on the roof, with weights.
ROOFS = {
    "sedan": {"none": 76, "sign": 24},
    "hatchback": {"none": 80, "sign": 10, "box": 10},
    "estate": {"none": 40, "rails": 36, "box": 24},
    "offroader": {"none": 36, "rails": 36, "lamps": 28},
    "pickup": {"none": 60, "lamps": 40},
    "van": {"none": 50, "rails": 20, "box": 15, "sign": 15},
    "bus": {"none": 40, "box": 60},
}


@dataclass(frozen=True)
class Car:
    """The final values of a car; lengths in model units (its longest side is 0.9).

    kind: name in `KINDS`; load: name in `LOADS` for a lorry, else none; roof: none, sign, rails, lamps or box; lights:
    round or square; tail: none, lip, wing or wheel (a spare one) at the rear; axles 2..4; bonnet: 0 or 1 (of a lorry or
    bus: whether the engine is in front of the cab); deck 1 or 2 (of a bus); mirrors, bumpers: 0 or 1.
    length 0.8..0.9 (of the body), width 0.2..0.5, height 0.2..0.6, belt 0.1..0.4 (height of the lower body), clearance
    0.02..0.12, wheel 0.04..0.12 (radius), tyre 0.055..0.11 (width); front, rear: 0.08..0.9 (places of the outer axles),
    cabin_front, cabin_rear 0.01..0.99 (ends of the cabin), all as shares of the length from the nose; screen, window
    0..3.5 (run of the windscreen and of the rear window over the cabin's height); taper 0.8..1 (width of the roof over
    that of the cabin's foot); nose, boot 0.5..1 (height of the body at its ends over its middle).
    """

    kind: str
    load: str
    roof: str
    lights: str
    tail: str
    axles: int
    bonnet: int
    deck: int
    mirrors: int
    bumpers: int
    length: float
    width: float
    height: float
    belt: float
    clearance: float
    wheel: float
    tyre: float
    front: float
    rear: float
    cabin_front: float
    cabin_rear: float
    screen: float
    window: float
    taper: float
    nose: float
    boot: float

    def along(self, share: float) -> float:
        """World y at a share of the length from the nose."""
        return (share - 0.5) * self.length

    @property
    def half(self) -> float:
        """Half the width of the body."""
        return self.width / 2

    @property
    def ends(self) -> tuple[float, float]:
        """World y of the two ends of the cabin's foot."""
        return self.along(self.cabin_front), self.along(self.cabin_rear)

    @property
    def roof_ends(self) -> tuple[float, float]:
        """World y of the two ends of the roof, which is no shorter than `ROOF`."""
        rise = self.height - self.belt
        front, rear = self.ends[0] + self.screen * rise, self.ends[1] - self.window * rise
        middle = (front + rear) / 2
        return min(front, middle - ROOF / 2), max(rear, middle + ROOF / 2)

    @property
    def floor(self) -> float:
        """Height of the floor of a cockpit or bed."""
        share = 0.52 if self.kind == "convertible" else 0.5
        return share * self.belt + (1 - share) * self.clearance

    @property
    def floor_ends(self) -> tuple[float, float]:
        """World y of the two ends of the floor of a cockpit or bed; the same place twice where there is none."""
        begin, end = self.ends
        if self.kind == "convertible":
            return begin + 0.036, end - STEP
        return (end + STEP, self.along(1.0)) if self.kind == "pickup" else (0.0, 0.0)

    @property
    def places(self) -> list[float]:
        """World y of the axles, whose arches end before the body; those beyond the second stand close to the rear."""
        reach = self.wheel + ARCH + EDGE + 0.036
        front, last = (
            max(self.along(self.front), self.along(0) + reach),
            min(self.along(self.rear), self.along(1) - reach),
        )
        pitch = 2 * self.wheel + 0.02
        return [front, *(last - pitch * k for k in range(self.axles - 2, -1, -1))]


LENGTHS = ("length", "width", "height", "belt", "clearance", "wheel")


def sample(draw: Draw) -> Car:
    """Draw a design, about to size."""
    kind = draw.choose(KINDS)
    width, height, belt, clearance, wheel, front, rear, begin, end, screen, window = (
        draw.uniform(*limits) for limits in PROPORTIONS[kind]
    )
    load, deck, axles, bonnet = "none", 1, 2, 0
    if kind == "lorry":
        load, bonnet = draw.choose(LOADS), int(draw.chance(0.3))
        axles = 2 if draw.chance(0.4) else 3
        height *= 1.0 if load in ("box", "mixer") else 0.92
    elif kind == "bus":
        deck, bonnet = (2, 0) if draw.chance(0.3) else (1, int(draw.chance(0.3)))
        height, belt = (height * 1.42, belt * 0.8) if deck == 2 else (height, belt)
        axles = 3 if bonnet == 0 and draw.chance(0.3) else 2
    tails = {
        "hatchback": {"none": 60, "lip": 40},
        "offroader": {"none": 40, "wheel": 60},
        "sports": {"none": 30, "lip": 30, "wing": 40},
        "sedan": {"none": 80, "lip": 20},
        "vintage": {"none": 50, "wheel": 50},
        "racer": {"wing": 100},
    }
    straight = kind in ("bus", "lorry", "van")
    return Car(
        kind=kind,
        load=load,
        roof=draw.choose(ROOFS.get(kind, {"none": 1})),
        lights="round" if kind in ("beetle", "vintage") else draw.choose({"round": 45, "square": 55}),
        tail=draw.choose(tails.get(kind, {"none": 1})),
        axles=axles,
        bonnet=bonnet,
        deck=deck,
        mirrors=int(kind not in ("vintage", "racer") and draw.chance(0.8)),
        bumpers=int(kind not in ("sports", "racer") and draw.chance(0.75)),
        length=0.9,
        width=width,
        height=height,
        belt=belt * height,
        clearance=clearance,
        wheel=wheel,
        tyre=draw.uniform(0.058, 0.068) if kind != "racer" else draw.uniform(0.085, 0.10),
        front=front if not bonnet else front * 0.8,
        rear=rear,
        cabin_front=begin if not bonnet else 0.17,
        cabin_rear=end if kind != "lorry" or not bonnet else 0.36,
        screen=screen,
        window=window,
        taper=draw.uniform(0.92, 0.97) if straight else draw.uniform(0.80, 0.90),
        nose=draw.uniform(0.62, 0.92) if kind not in ("sports", "bus") else draw.uniform(0.60, 0.74),
        boot=draw.uniform(0.84, 0.98),
    )


def build(car: Car) -> list[Part]:
    """The parts of a car standing on the ground at z = 0, its nose at -Y."""
    if car.kind == "lorry":
        return [*lorry(car), *_wheels(car), *_details(car)]
    if car.kind == "vintage":
        return [*vintage(car), *_wheels(car), *_details(car)]
    if car.kind == "racer":
        return [*racer(car), *_wheels(car)]
    top = _silhouette(car)
    parts = [Part("body", _body(car, top)), _chassis(car, top)]
    if car.kind == "convertible":
        parts += _cockpit(car)
    else:
        parts.append(Part("cabin", _dome(car) if car.kind == "beetle" else _cabin(car)))
    if car.kind == "pickup":
        parts += _bed(car)
    elif car.kind == "beetle":
        parts += fenders(car, 0.5)
    return [*parts, *_wheels(car), *_details(car), *_roof(car), *tail_parts(car)]


# The lower body


def _silhouette(car: Car) -> Array:
    """Places and heights (N, 2) of the top of the lower body, from the nose to the tail."""
    belt, (begin, end) = car.belt, car.ends
    first, last = car.along(0.0), car.along(1.0)
    nose, boot = car.nose * belt, car.boot * belt
    points = [(nose, first), (0.5 * nose + 0.5 * belt, 0.65 * first + 0.35 * begin), (belt, begin + 0.02)]
    if car.kind == "beetle":
        points = [(0.50 * belt, first), (0.66 * belt, first + 0.035), (0.92 * belt, begin - 0.03), (belt, begin + 0.04)]
        return _curve([*points, (belt, end - 0.16), (0.80 * belt, last - 0.06), (0.5 * belt, last)])
    if car.cabin_front < 0.1:
        points = [(belt * 0.96, first), (belt, begin + 0.03)]
    elif car.kind in ("offroader", "pickup"):
        points = [(0.5 * nose + 0.5 * belt, first), (0.2 * nose + 0.8 * belt, 0.8 * first + 0.2 * begin), (belt, begin)]
    if car.kind == "convertible":
        low, high = car.floor_ends
        points += [(car.floor, low), (car.floor, high), (belt * 0.98, end)]
        return np.concatenate([_curve(points[:3]), _curve([*points[3:5]]), _curve([points[5], (boot, last)])])
    if car.kind == "pickup":
        return np.concatenate([_curve(points), [[end, belt], [car.floor_ends[0], car.floor], [last, car.floor]]])
    points += [(belt, end - 0.04)] if last - end > 0.03 else []
    return _curve([*points, (boot if car.cabin_rear < 0.95 else belt * 0.98, last)])


def _curve(points: Points) -> Array:
    """A smooth line (N, 2) of places and heights through points of height and place."""
    return swelling(points, 3)[:, ::-1] if len(points) > 2 else np.array(points)[:, ::-1]


def _body(car: Car, top: Array) -> Extruded:
    """The lower body under a silhouette (N, 2), with arches for the wheels; seen from above, its corners are round."""
    first, last = car.along(0.0) + EDGE, car.along(1.0) - EDGE
    reach = car.wheel + ARCH + EDGE
    bends = np.append(0.9999 * reach * np.cos(np.linspace(math.pi, 0, 8)), [-reach - 0.004, reach + 0.004])
    # Widths at both ends over that in the middle, and how far from the ends the body is as wide as in the middle.
    nose, tail, taper = (0.60, 0.64, 0.26) if car.kind == "beetle" else (0.86, 0.90, 0.10)
    shares = np.array([0.0, 0.12, 0.4, 1.0])
    steps, swell = taper * (last - first) * shares, np.sqrt(1 - (1 - shares) ** 2)
    ends = np.stack([first + steps, nose + (1 - nose) * swell], 1)
    ends = np.concatenate([ends, np.stack([last - steps, tail + (1 - tail) * swell], 1)[::-1]])
    wished = np.concatenate([top[:, 0], ends[:, 0], [first + 0.02, last - 0.02]])
    # Below the walls of a bed or cockpit, the floor begins only where the walls' rounding ends.
    low, high = car.floor_ends
    steps = np.array([low - STEP, low, high, high + STEP])
    arches = np.concatenate([place + bends for place in car.places])
    arches = arches[((arches < low) | (arches > low + 1.6 * EDGE)) & ((arches < high - 1.6 * EDGE) | (arches > high))]
    needed = np.concatenate([[first, last], steps, arches])
    wished = wished[np.abs(wished[:, None] - needed).min(1) > 0.008]
    places = np.unique(np.concatenate([needed, wished]).round(4))
    places = places[(places >= first) & (places <= last)]
    places = places[np.append(True, np.diff(places) > 0.0025)]
    slope = np.hypot(1, np.clip(np.gradient(np.interp(places, *top.T), places), -1, 1))
    high = np.interp(places, *top.T) - EDGE * slope
    ground = [first, first + 0.02, last - 0.02, last]
    lower = EDGE + np.interp(places, ground, car.clearance + 0.3 * car.wheel * np.array([1, 0, 0, 1]))
    for place in car.places:
        rise = np.sqrt(np.maximum(reach**2 - (places - place) ** 2, 0))
        lower = np.where(rise > 0, np.maximum(lower, car.wheel + rise), lower)
    width = (car.half - EDGE) * np.interp(places, *ends.T)
    # Over wheels that reach up to the bonnet, the body stays thick enough.
    stations = np.stack([places, np.minimum(lower, high - THICK), high, width], 1)
    return Extruded(Frame(SIDE, np.zeros(3)), stations, EDGE)


def _chassis(car: Car, top: Array) -> Part:
    """What fills the arches between the wheels of an axle, up into the body below its silhouette (N, 2)."""
    inner = car.half - car.tyre + 0.026
    front, rear = car.places[0] - car.wheel, car.places[-1] + car.wheel
    body = float(np.interp(np.linspace(front, rear, 60), *top.T).min())
    low = car.clearance
    high = max(min(2 * car.wheel + ARCH + 0.014, body - 0.022), low + THIN)
    middle, half = (front + rear) / 2, (rear - front) / 2
    return Part("chassis", Box(Frame.at(0, middle, (low + high) / 2), (inner, half, (high - low) / 2), 0.012))


# Cabins


def _cabin(car: Car) -> Extruded:
    (begin, end), (front, rear) = car.ends, car.roof_ends
    foot, top = car.belt - 0.03, car.height
    half = (0.985 if car.kind in ("van", "bus") else 0.95) * car.half
    rows = []
    for share, round_in in ((0.0, 0.0), (0.45, -0.1), (0.84, 0.0), (1.0, 1.0)):
        t = min(share / 0.9, 1.0)
        rows.append(
            (
                foot + share * (top - foot),
                begin + t * (front - begin) + 0.035 * round_in,
                end + t * (rear - end) - 0.03 * round_in,
                half * (1 + t * (car.taper - 1)) - 0.016 * max(round_in, 0),
            )
        )
    return upright(rows, 0.020)


def _dome(car: Car) -> Extruded:
    """A cabin as round as a hat."""
    begin, end = car.ends
    foot, rise = car.belt - 0.03, car.height - car.belt + 0.03
    crown = begin + 0.42 * (end - begin)
    rows = []
    for share in (0.0, 0.3, 0.55, 0.75, 0.9, 1.0):
        out = math.sqrt(1 - (0.94 * share) ** 2)
        rows.append(
            (
                foot + share * rise,
                crown - (crown - begin) * out**0.8,
                crown + (end - crown) * out,
                car.half * (0.88 - 0.30 * share**2.2),
            )
        )
    return upright(rows, 0.026)


def _cockpit(car: Car) -> list[Part]:
    """Doors, windscreen and seats of an open car."""
    begin, end = car.ends
    floor = car.floor
    middle, length = (begin + end) / 2, (end - begin) / 2 + 0.03
    tall = (car.belt - floor) / 2 + 0.01
    door = Box(Frame.at(car.half - WALL / 2 - 0.001, middle, floor + tall - 0.02), (WALL / 2, length, tall), 0.014)
    lean = math.atan(car.screen)
    rise = (car.height - car.belt + 0.05) / 2
    glass = Frame.at(0, begin + 0.02 + car.screen * (rise - 0.05), car.belt + rise - 0.05).turned("x", -lean)
    screen = Box(glass, (0.86 * car.half, THIN / 2 + 0.001, rise / math.cos(lean) - 0.01), 0.014)
    seats = []
    for place in (0.62,) if end - begin < 0.3 else (0.48, 0.88):
        y, top = begin + place * (end - begin), car.belt + 0.035
        back = Frame.at(0.42 * car.half, y, (top + floor) / 2).turned("x", -0.16)
        seats += pair("seat", Box(back, (0.28 * car.half, 0.026, (top - floor) / 2 + 0.01), 0.02))
        cushion = Frame.at(0.42 * car.half, y - 0.05, floor + 0.01)
        seats += pair("seat", Box(cushion, (0.28 * car.half, 0.055, 0.03), 0.014))
    return [*pair("door", door), Part("windscreen", screen), *seats]


def _bed(car: Car) -> list[Part]:
    """Walls around the bed of a pickup."""
    floor = car.floor - 0.02
    begin, end = car.ends[1] - 0.02, car.along(1.0) - 0.004
    tall = (car.belt * 0.99 - floor) / 2
    side = Box(
        Frame.at(car.half - WALL / 2 - 0.002, (begin + end) / 2, floor + tall),
        (WALL / 2, (end - begin) / 2, tall),
        0.014,
    )
    gate = Box(Frame.at(0, end - WALL / 2, floor + tall), (car.half - 0.012, WALL / 2, tall), 0.014)
    return [*pair("bed wall", side), Part("tailgate", gate)]


# Wheels and what covers them


def _wheels(car: Car) -> list[Part]:
    twin = 1.5 if car.kind == "lorry" else 1.0
    parts = []
    for k, place in enumerate(car.places):
        width = car.tyre * (twin if k else 1.0)
        out = car.half - width / 2 + (0.004 if car.kind not in ("beetle", "vintage") else -0.012)
        parts += pair("wheel", turned_wheel(car, Frame(ACROSS, np.array([out, place, car.wheel])), width))
    if car.kind in ("lorry", "vintage", "racer"):
        radius = 0.024
        for place in car.places:
            reach = car.half - car.tyre
            parts.append(Part("axle", rod((-reach, place, car.wheel), (reach, place, car.wheel), radius)))
    return parts


# Small parts


def _details(car: Car) -> list[Part]:
    """Bumpers, lights and mirrors."""
    parts = []
    nose, tail = car.along(0.0), car.along(1.0)
    level = car.clearance + 0.036
    if car.bumpers and car.kind != "lorry":
        reach = (0.90 if car.kind != "vintage" else 0.8) * car.half
        ends = (nose, tail) if car.kind != "vintage" else (car.along(0.03), car.along(0.965))
        for y in ends:
            parts.append(Part("bumper", Box(Frame.at(0, y, level), (reach, 0.024, 0.024), 0.014)))
    height = 0.5 * (car.clearance + car.nose * car.belt) + 0.02
    x, y, size = 0.66 * car.half, nose + 0.012, min(0.030, 0.2 * car.belt)
    if car.kind == "lorry":
        x, y, height = 0.7 * car.half, (car.ends[0] if not car.bonnet else car.along(0.03)) + 0.006, 1.9 * car.wheel
        x = 0.4 * car.half if car.bonnet else x
    elif car.kind == "vintage":
        x, y, height, size = 0.52 * car.half, car.along(0.05), 0.72 * car.belt, 0.036
    elif car.kind == "beetle":
        x, y, height, size = car.half - car.tyre / 2, car.places[0] - car.wheel - 0.036, 1.45 * car.wheel, 0.032
    if car.lights == "round":
        lamp = turned(Frame(ALONG, np.array([x, y, height])), [(size, -0.024), (size, 0.03)], 0.008)
    else:
        lamp = Box(Frame.at(x, y, height), (0.036, 0.024, 0.023), 0.01)
    parts += pair("light", lamp)
    if car.mirrors:
        place, up = car.ends[0] + 0.05 + 0.3 * car.screen * 0.04, car.belt + 0.010
        if car.kind in ("bus", "lorry"):
            place, up = car.ends[0] + 0.02, 0.72 * car.height / car.deck**0.6
            parts += pair("mirror", Box(Frame.at(car.half + 0.002, place, up), (0.034, 0.023, 0.036), 0.012))
        else:
            parts += pair("mirror", Box(Frame.at(car.half - 0.002, place, up), (0.030, 0.023, 0.023), 0.012))
    return parts


def _roof(car: Car) -> list[Part]:
    front, rear = car.roof_ends
    middle, reach, top = (front + rear) / 2, (rear - front) / 2, car.height
    if car.roof == "sign":
        return [Part("roof sign", Box(Frame.at(0, front + 0.4 * reach, top + 0.012), (0.075, 0.024, 0.03), 0.012))]
    if car.roof == "box":
        size = (0.45 * car.half, 0.62 * reach if car.kind != "bus" else 0.25 * reach, 0.036)
        return [Part("roof box", Box(Frame.at(0, middle + 0.02, top + 0.02), size, 0.02))]
    if car.roof == "lamps":
        bar = Box(Frame.at(0, front + 0.05, top + 0.008), (0.62 * car.taper * car.half, 0.024, 0.026), 0.014)
        return [Part("lamps", bar)]
    if car.roof == "rails":
        x = 0.74 * car.taper * car.half
        return pair("rail", rod((x, front + 0.06, top + 0.010), (x, rear - 0.05, top + 0.010), 0.0225))
    return []
