"""Pictures on the deformed cubes: six RGBA patches a part, as TM-NET learns them.

Gao, Wu, Yuan, Lin, Lai and Zhang, *TM-Net: Deep Generative Networks for Textured Meshes*, 2021: each face of a part's
cube has a picture of its own, whose alpha channel cuts holes. All patterns are functions of the place on the part, so
the pictures continue across the cube's edges; their border texels lie exactly on the edges and are equal there. What
a part is made of depends on its category and label and on the shape's seed: the legs of a chair are of one wood, its
seat is of a cloth that goes with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .cubes import Cubes, cubes
from .cuboids import oriented_box
from .members import Draw
from .profiles import Array
from .solids import Mesh

if TYPE_CHECKING:
    from .shape import Shape

Colour = tuple[float, float, float]

WOODS: tuple[Colour, ...] = (
    (0.80, 0.64, 0.44),
    (0.62, 0.42, 0.25),
    (0.45, 0.28, 0.17),
    (0.29, 0.19, 0.13),
    (0.70, 0.50, 0.35),
)
METALS: tuple[Colour, ...] = ((0.66, 0.67, 0.69), (0.22, 0.22, 0.24), (0.72, 0.58, 0.33), (0.45, 0.47, 0.50))
PAINTS: tuple[Colour, ...] = (
    (0.75, 0.18, 0.15),
    (0.16, 0.33, 0.55),
    (0.88, 0.66, 0.18),
    (0.20, 0.45, 0.32),
    (0.90, 0.88, 0.83),
    (0.85, 0.45, 0.20),
    (0.35, 0.22, 0.42),
    (0.17, 0.19, 0.23),
)
CLOTHS: tuple[Colour, ...] = (
    (0.55, 0.20, 0.20),
    (0.20, 0.30, 0.42),
    (0.42, 0.47, 0.36),
    (0.76, 0.70, 0.60),
    (0.34, 0.33, 0.35),
    (0.68, 0.42, 0.26),
)
GLAZES: tuple[Colour, ...] = ((0.85, 0.82, 0.75), (0.24, 0.38, 0.48), (0.50, 0.27, 0.17), (0.36, 0.46, 0.38), PAINTS[4])
SKINS: tuple[Colour, ...] = ((0.52, 0.58, 0.34), (0.74, 0.52, 0.32), (0.45, 0.43, 0.42), (0.78, 0.62, 0.55))
RUBBER: Colour = (0.10, 0.10, 0.11)
GLASS: Colour = (0.16, 0.22, 0.27)

#: What parts are made of, by category; categories that are not named are furniture.
TRADES = {
    "vase": "pottery",
    "mug": "pottery",
    "airplane": "vehicle",
    "car": "vehicle",
    "lamp": "lamp",
    "creature": "animal",
}
#: Labels of a chair's parts that are upholstered, or woven, where they are flat.
SOFT = ("seat", "back", "cushion", "arm")
#: Labels of parts that are made of something of their own.
OWN = {
    "wheel": "rubber",
    "tyre": "rubber",
    "window": "glass",
    "cabin": "glass",
    "canopy": "glass",
    "glass": "glass",
    "eye": "glass",
    "shade": "shade",
    "bulb": "glow",
}
#: How much of each side of a face stays closed where holes are cut, in shares of the face.
FRAME = 0.12


@dataclass(frozen=True)
class Material:
    """A pattern (name in `PATTERNS`), its two sRGB colours, its size in model units, and whether it has holes."""

    pattern: str
    colour: Colour
    second: Colour
    size: float = 0.06
    holes: bool = False


@dataclass(frozen=True, eq=False)
class Textured:
    """A shape as deformed cubes with pictures.

    cubes: the parts; pictures: with shape (P, 6, S, S, 4), uint8, sRGB and alpha (0 or 255), [part, face, row, column],
    row 0 at the top of the face's patch; materials: of the parts, in their order.
    """

    cubes: Cubes
    pictures: NDArray[np.uint8]
    materials: tuple[Material, ...]

    @property
    def size(self) -> int:
        """Texels along each side of a picture."""
        return self.pictures.shape[2]

    def uv(self) -> NDArray[np.float32]:
        """Where the template's patches lie in their own pictures, with shape (6, n + 1, n + 1, 2): u right, v up.

        Vertices of a patch's border lie at the centres of its border texels.
        """
        count = self.cubes.template.patches.shape[1]
        axis = (0.5 + np.linspace(0, 1, count) * (self.size - 1)) / self.size
        one = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
        return np.broadcast_to(one, (6, *one.shape)).astype(np.float32)

    def atlas(self, part: int) -> NDArray[np.uint8]:
        """The six pictures of a part side by side, (2 S, 3 S, 4): -x, +x, -y above +y, -z, +z."""
        rows = [np.concatenate(list(self.pictures[part, first : first + 3]), axis=1) for first in (0, 3)]
        return np.concatenate(rows, axis=0)

    def unwrapped(self, part: int) -> Unwrapped:
        """A part with its faces apart, each with its place in the atlas."""
        patches = self.cubes.template.patches
        count = patches.shape[1] ** 2
        inside = self.uv().reshape(6, count, 2)
        tile = np.array([[face % 3, 1 - face // 3] for face in range(6)])
        uv = (inside + tile[:, None]) / np.array([3, 2])
        grid = np.arange(6 * count).reshape(patches.shape)
        quads = np.stack([grid[:, :-1, :-1], grid[:, 1:, :-1], grid[:, 1:, 1:], grid[:, :-1, 1:]], -1).reshape(-1, 4)
        faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
        mesh = Mesh(self.cubes.vertices[part][patches.reshape(-1)], faces)
        return Unwrapped(mesh, uv.reshape(-1, 2).astype(np.float32))


@dataclass(frozen=True, eq=False)
class Unwrapped:
    """A mesh whose cube faces share no vertices, and the place of each vertex in its picture (V, 2): u right, v up."""

    mesh: Mesh
    uv: NDArray[np.float32]


def textured(shape: Shape, size: int = 64, n: int = 8) -> Textured:
    """The parts of a shape as deformed cubes with pictures.

    size: texels along each side of a picture, 2 or more; n: quads along the cubes' edges.
    """
    if size < 2:
        raise ValueError(f"pictures of {size} texels were asked for; 2 or more were expected")
    placed = cubes(shape, n)
    chosen = materials(shape)
    patches = placed.template.patches
    square = _grown(placed.template.vertices[patches].astype(np.float64), size)
    phase = _phase(shape)
    pictures = []
    for vertices, material in zip(placed.vertices.astype(np.float64), chosen, strict=True):
        body = _Body.of(vertices, placed.template.vertices)
        local = (_grown(vertices[patches], size) - body.centre) @ body.axes
        pictures.append(_painted(material, local, square, body, phase))
    stacked = np.stack(pictures)
    # Patches are [column, row] upward; pictures are [row, column] from the top.
    return Textured(placed, np.ascontiguousarray(stacked.transpose(0, 1, 3, 2, 4)[:, :, ::-1]), chosen)


def colours(shape: Shape) -> NDArray[np.float32]:
    """One sRGB colour for each part, with shape (P, 3): the main one of its material."""
    return np.array([material.colour for material in materials(shape)], np.float32)


def materials(shape: Shape) -> tuple[Material, ...]:
    """What each part is made of."""
    from .shape import generator

    draw = Draw(generator(f"materials {shape.category}", shape.seed))
    make = {"pottery": _pottery, "vehicle": _vehicle, "lamp": _lamp, "animal": _animal}
    by_role = make.get(TRADES.get(shape.category, ""), _furniture)(draw)
    weave, upholstered = draw.chance(0.35), shape.category == "chair"
    found = []
    for part in shape.parts:
        flat = upholstered and part.label in SOFT and _is_panel(oriented_box(part.solid).dims)
        soft = flat or (upholstered and part.label == "seat")
        role = OWN.get(part.label, "soft" if soft else "frame")
        material = by_role.get(role, by_role.get(part.label, by_role["frame"]))
        if weave and flat and part.label == "back":
            material = replace(material, pattern="plain", holes=True)
        found.append(material)
    return tuple(found)


def _is_panel(sizes: Array) -> bool:
    thin, middle, _ = np.sort(sizes)
    return bool(middle > 0.12 and thin < 0.6 * middle)


def _pick(draw: Draw, colours: tuple[Colour, ...]) -> Colour:
    return colours[int(draw.uniform(0, len(colours)))]


def _darker(colour: Colour, factor: float) -> Colour:
    r, g, b = (min(1.0, value * factor) for value in colour)
    return r, g, b


def _wood(draw: Draw) -> Material:
    colour = _pick(draw, WOODS)
    return Material("wood", colour, _darker(colour, 0.72), draw.uniform(0.018, 0.03))


def _metal(draw: Draw) -> Material:
    colour = _pick(draw, METALS)
    return Material("brushed", colour, _darker(colour, 1.25), 0.008)


def _furniture(draw: Draw) -> dict[str, Material]:
    frame = {"wood": _wood, "metal": _metal, "paint": _paint}[draw.choose({"wood": 60, "metal": 22, "paint": 18})](draw)
    colour = _pick(draw, CLOTHS)
    pattern = draw.choose({"frame": 30, "fabric": 30, "stripes": 15, "checks": 12, "trim": 13})
    size = draw.uniform(0.04, 0.08)
    second = _pick(draw, CLOTHS)
    if pattern == "frame":
        soft = frame
    else:
        other = _darker(colour, 1.35) if pattern in ("fabric", "trim") or second == colour else second
        soft = Material(pattern, colour, other, 0.012 if pattern == "fabric" else size)
    top = _wood(draw) if frame.pattern == "brushed" else frame
    return {"frame": frame, "soft": soft, "top": top, "shelf": top, "glass": _glass()}


def _paint(draw: Draw) -> Material:
    colour = _pick(draw, PAINTS)
    return Material("trim", colour, _darker(colour, 0.8))


def _glass() -> Material:
    return Material("plain", GLASS, GLASS)


def _pottery(draw: Draw) -> dict[str, Material]:
    colour, second = _pick(draw, GLAZES), _pick(draw, GLAZES)
    if second == colour:
        second = _darker(colour, 0.7)
    pattern = draw.choose({"glaze": 40, "bands": 35, "checks": 10, "plain": 15})
    body = Material(pattern, colour, second, draw.uniform(0.06, 0.14))
    return {"frame": body, "handle": Material("plain", second, second), "lid": Material("plain", second, second)}


def _vehicle(draw: Draw) -> dict[str, Material]:
    colour, second = _pick(draw, PAINTS), _pick(draw, PAINTS)
    body = Material(draw.choose({"plain": 50, "bands": 25, "trim": 25}), colour, second, draw.uniform(0.08, 0.16))
    rubber = Material("plain", RUBBER, METALS[0])
    return {"frame": body, "rubber": rubber, "glass": _glass(), "engine": _metal(draw)}


def _lamp(draw: Draw) -> dict[str, Material]:
    frame = _metal(draw) if draw.chance(0.6) else _wood(draw)
    colour = _pick(draw, (*CLOTHS[3:], GLAZES[0], PAINTS[4], *PAINTS[:2]))
    pattern = draw.choose({"fabric": 40, "bands": 20, "trim": 25, "plain": 15})
    shade = Material(pattern, colour, _darker(colour, 0.75), 0.012 if pattern == "fabric" else 0.09, draw.chance(0.2))
    return {"frame": frame, "shade": shade, "glow": Material("plain", (0.98, 0.93, 0.78), (1.0, 1.0, 0.9))}


def _animal(draw: Draw) -> dict[str, Material]:
    colour = _pick(draw, SKINS)
    pattern = draw.choose({"spots": 45, "stripes": 30, "glaze": 25})
    return {"frame": Material(pattern, colour, _darker(colour, 0.6), draw.uniform(0.07, 0.12)), "glass": _glass()}


@dataclass(frozen=True, eq=False)
class _Body:
    """A part's own axes: centre (3,), unit axes as columns (3, 3), the longest first, and its sizes along them (3,).

    thin: the axis of the cube (0, 1 or 2) along which the part is thinnest.
    """

    centre: Array
    axes: Array
    sizes: Array
    thin: int

    @classmethod
    def of(cls, vertices: Array, template: Array) -> _Body:
        along = np.stack(
            [vertices[template[:, k] > 0.49].mean(0) - vertices[template[:, k] < -0.49].mean(0) for k in range(3)]
        )
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        # The caps of a vessel are near to one another: its size is that of all its vertices.
        lengths = np.ptp(vertices @ along.T, axis=0)
        order = np.argsort(-lengths.round(4), kind="stable")
        first = along[order[0]]
        second = along[order[1]] - first * (along[order[1]] @ first)
        second /= max(float(np.linalg.norm(second)), 1e-9)
        axes = np.stack([first, second, np.cross(first, second)], axis=1)
        local = (vertices - vertices.mean(0)) @ axes
        low, high = local.min(0), local.max(0)
        centre = vertices.mean(0) + axes @ ((low + high) / 2)
        return cls(centre, axes, high - low, int(order[2]))


def _grown(patches: Array, size: int) -> Array:
    """Values on patches (6, n + 1, n + 1, C), interpolated at texels (6, size, size, C), borders on borders."""
    count = patches.shape[1]
    place = np.linspace(0, count - 1, size)
    low = np.minimum(place.astype(int), count - 2)
    share = place - low
    rows = patches[:, low] * (1 - share)[:, None, None] + patches[:, low + 1] * share[:, None, None]
    return rows[:, :, low] * (1 - share)[:, None] + rows[:, :, low + 1] * share[:, None]


def _phase(shape: Shape) -> Array:
    from .shape import generator

    return generator(f"pattern {shape.category}", shape.seed).random(8) * 6.28


def _painted(material: Material, local: Array, square: Array, body: _Body, phase: Array) -> NDArray[np.uint8]:
    """RGBA of texels at local places (6, S, S, 3), in model units, and at places on the cube (6, S, S, 3)."""
    share = np.clip(PATTERNS[material.pattern](local, square, body, material.size, phase), 0, 1)[..., None]
    mixed = (1 - share) * np.array(material.colour) + share * np.array(material.second)
    closed = np.ones(local.shape[:3])
    if material.holes:
        closed = 1 - _holes(square, body, phase)
    values = np.concatenate([mixed, closed[..., None]], axis=-1)
    return np.round(values * 255).astype(np.uint8)


def _noise(local: Array, size: float, phase: Array) -> Array:
    """Smooth waves from -1 to 1 at places (..., 3); `size` is about the width of a wave."""
    x, y, z = np.moveaxis(local, -1, 0) * (2 / size)
    return (
        np.sin(x + 1.3 * np.sin(0.7 * y + phase[0]) + phase[1])
        + np.sin(1.1 * y + 1.2 * np.sin(0.8 * z + phase[2]) + phase[3])
        + np.sin(0.9 * z + 1.4 * np.sin(0.6 * x + phase[4]) + phase[5])
    ) / 3


def _plain(local: Array, square: Array, body: _Body, size: float, phase: Array) -> Array:
    return np.zeros(local.shape[:3])


def _wood_grain(local: Array, square: Array, body: _Body, size: float, phase: Array) -> Array:
    """Growth rings around a line beside the part, which runs along it and wavers."""
    stretched = local * np.array([0.12, 1.0, 1.0])
    beside = stretched[..., 1:] + 0.35 * body.sizes[1:] * np.array([1.0, 1.6])
    radius = np.linalg.norm(beside, axis=-1) + 0.3 * size * _noise(stretched, 3 * size, phase)
    ring = radius / size % 1
    fibre = 0.12 * np.sin(local[..., 1] * 900 + phase[6]) * np.sin(local[..., 2] * 800 + local[..., 0] * 12 + phase[7])
    return 0.85 * ring**3 + 0.1 + fibre


def _stripes(local: Array, square: Array, body: _Body, size: float, phase: Array) -> Array:
    return (local[..., 1] / size + phase[0] % 1 * 0.1 + 0.25) % 1 < 0.42


def _cells(local: Array, body: _Body, size: float) -> NDArray[np.int64]:
    """The cell of each place along each axis: an odd number of cells, of which the outer ones are cut off a little."""
    count = 2 * np.maximum(np.round((body.sizes / size - 1) / 2), 0) + 1
    return np.floor(local / body.sizes * (count - 0.5) + 0.5).astype(np.int64)


def _checks(local: Array, square: Array, body: _Body, size: float, phase: Array) -> Array:
    return _cells(local, body, size).sum(-1) % 2 == 0


def _fabric(local: Array, square: Array, body: _Body, size: float, phase: Array) -> Array:
    """Threads over and under one another."""
    x, y, z = np.moveaxis(local, -1, 0) * (np.pi / size)
    weave = np.sin(x) * np.sin(y) + np.sin(y) * np.sin(z) + np.sin(z) * np.sin(x)
    return 0.4 + 0.3 * weave + 0.12 * _noise(local, 20 * size, phase)


def _brushed(local: Array, square: Array, body: _Body, size: float, phase: Array) -> Array:
    """Fine scratches along the part."""
    y, z = local[..., 1] / size, local[..., 2] / size
    scratches = np.sin(5 * y + 3 * np.sin(3 * z + phase[0])) * np.sin(4 * z + 2 * np.sin(5 * y + phase[1]))
    return 0.35 + 0.25 * scratches + 0.2 * _noise(local, 0.3, phase)


def _trim(local: Array, square: Array, body: _Body, size: float, phase: Array) -> Array:
    """The second colour along the edges of the cube."""
    return (np.abs(square) > 0.5 - 0.09).sum(-1) >= 2


def _bands(local: Array, square: Array, body: _Body, size: float, phase: Array) -> Array:
    """Rings around the part at some heights."""
    wave = np.sin(local[..., 0] / size * 6.28 + phase[0]) + 0.6 * np.sin(local[..., 0] / size * 2.7 + phase[1])
    return wave > 0.55


def _glaze(local: Array, square: Array, body: _Body, size: float, phase: Array) -> Array:
    """The second colour runs down from one end."""
    level = 0.5 + local[..., 0] / max(float(body.sizes[0]), 1e-9) + 0.12 * _noise(local, size, phase)
    return np.clip((level - 0.62) / 0.06, 0, 1)


def _spots(local: Array, square: Array, body: _Body, size: float, phase: Array) -> Array:
    return np.clip((_noise(local, size * 0.5, phase) - 0.18) / 0.1, 0, 1)


def _holes(square: Array, body: _Body, phase: Array) -> Array:
    """Where the part is cut through from one of its two large faces to the other: a lattice of round holes."""
    across = [k for k in range(3) if k != body.thin]
    places = square[..., across]
    count = np.maximum(np.round(body.sizes[:2] / 0.07), 2)
    # The cube's axes need not be in the order of the sizes: count by the mean of both.
    cells = places / (1 - 2 * FRAME) * float(count.mean()) + 0.5 * (float(count.mean()) % 2)
    inside = (np.abs(places) < 0.5 - FRAME).all(-1)
    centred = cells - np.round(cells)
    return inside & (np.linalg.norm(centred, axis=-1) < 0.32)


PATTERNS = {
    "plain": _plain,
    "wood": _wood_grain,
    "stripes": _stripes,
    "checks": _checks,
    "fabric": _fabric,
    "brushed": _brushed,
    "trim": _trim,
    "bands": _bands,
    "glaze": _glaze,
    "spots": _spots,
}
