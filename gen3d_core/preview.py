"""Pictures of meshes without Blender and without a graphics card: small clay renders for model cards and reports.

Rays through each pixel find the surface; further rays from there find how much of a large soft key light and of a
bright sky it sees, and the same for the ground below. All rays have fixed directions, so a mesh has one picture, and
there is no noise: each of a pixel's nine rays uses its own set of directions, and the pixel sees them all.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .errors import EngineError
from .representations import Mesh
from .representations.camera import Camera

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]
Colour = tuple[float, float, float]

#: Rays along each side of a pixel.
GRID = 3
#: The ground's shadow is soft: it is computed for squares of so many pixels, with so many rays to each light.
GROUND_PIXELS = 2
GROUND_RAYS = 48
#: Points that are lit at once, which bounds the memory.
CHUNK = 16384
#: Smooth shading considers all pairs of faces around a vertex, up to so many faces.
LARGEST_FAN = 256


@dataclass(frozen=True)
class Look:
    """Camera, light and material. Angles are in degrees; azimuths turn from the front (-Y) to the viewer's left (-X).

    Args:
        azimuth, elevation: where the camera stands; the elevation is below 90.
        view: angle of the whole picture; a small one is a long lens.
        fill: share of the picture's side that the shape fills.
        crease: edges that bend less are shaded smoothly.
        clay: reflectance of the material, linear RGB.
        paper: the background, and the ground where nothing shades it, as sRGB from 0 to 1.
        key_azimuth, key_elevation, key_radius: direction and angular radius of the key light.
        key, sky: how strong the two lights are.
        key_rays, sky_rays: to each light from each of a pixel's nine points.
    """

    azimuth: float = 35.0
    elevation: float = 22.0
    view: float = 16.0
    fill: float = 0.84
    crease: float = 38.0
    clay: Colour = (0.50, 0.44, 0.37)
    paper: Colour = (0.957, 0.949, 0.937)
    key_azimuth: float = 0.0
    key_elevation: float = 52.0
    key_radius: float = 9.0
    key: float = 1.15
    sky: float = 0.68
    key_rays: int = 4
    sky_rays: int = 12


CLAY = Look()


def render(mesh: Mesh, size: int = 256, look: Look = CLAY, bounds: Floats | None = None) -> Picture:
    """A picture of a mesh, standing on the ground, seen from the front, the left and above.

    Args:
        mesh: in the engine's frame.
        size: pixels along each side.
        look: camera, light and material.
        bounds: with shape (2, 3): a box that fills the picture instead of the mesh, so that several pictures show one
            scale; its floor is the ground.

    Returns:
        With shape (size, size, 3), sRGB.

    Raises:
        EngineError: the ray caster embreex is not installed.
    """
    scene = Scene(mesh, look.crease)
    box = np.stack([mesh.vertices.min(0), mesh.vertices.max(0)]) if bounds is None else bounds
    fitted = mesh.vertices if bounds is None else _corners(bounds)
    camera = _Camera.fitting(fitted, look)
    paper = linear(np.array(look.paper))
    shade = _ground(scene, camera, look, size, float(box[0, 2]))
    pixels = paper * shade[..., None]
    eye, rays = camera.rays(size * GRID)
    seen = scene.hit(np.broadcast_to(eye, rays.shape), rays)
    if len(seen.ray):
        row, column = seen.ray // (size * GRID), seen.ray % (size * GRID)
        which = (row % GRID) * GRID + column % GRID
        light = np.empty((len(seen.ray), 3), np.float32)
        for k in range(GRID * GRID):
            mine = np.flatnonzero(which == k)
            for part in np.array_split(mine, len(mine) // CHUNK + 1):
                light[part] = _lit(scene, seen.points[part], seen.normals[part], look, k)
        pixels[row, column] = light * np.array(look.clay, np.float32)
    return _developed(pixels.reshape(size, GRID, size, GRID, 3).mean((1, 3)))


def sheet(
    meshes: Sequence[Mesh],
    columns: int,
    size: int = 160,
    captions: Sequence[str] | None = None,
    look: Look = CLAY,
    one_scale: bool = False,
    on_progress: Callable[[float], None] | None = None,
) -> Picture:
    """Pictures of many meshes, row by row, on one sheet.

    Args:
        meshes: one a tile.
        columns: tiles in a row.
        size: pixels along each side of a tile.
        captions: one line below each tile.
        look: camera, light and material.
        one_scale: all tiles show the same box, that of all meshes; otherwise each mesh fills its tile.
        on_progress: receives fractions from 0 to 1; what it raises ends the work.

    Returns:
        With shape (height, columns * size, 3), sRGB.

    Raises:
        EngineError: the ray caster embreex is not installed.
        ValueError: no meshes, no columns, or not one caption for each mesh.
    """
    if not meshes or columns < 1 or (captions is not None and len(captions) != len(meshes)):
        raise ValueError(
            f"Got {len(meshes)} meshes, {columns} columns and {len(captions or ())} captions; expected at least one "
            "mesh and one column, and as many captions as meshes or none."
        )
    report = on_progress or (lambda fraction: None)
    every = np.concatenate([mesh.vertices for mesh in meshes]) if one_scale else None
    bounds = None if every is None else np.stack([every.min(0), every.max(0)])
    letters = max(size // 12, 9)
    height = size + (2 * letters if captions else 0)
    rows = -(-len(meshes) // columns)
    paper = np.round(np.array(look.paper) * 255).astype(np.uint8)
    picture = np.broadcast_to(paper, (rows * height, columns * size, 3)).copy()
    for i, mesh in enumerate(meshes):
        report(i / len(meshes))
        top, left = i // columns * height, i % columns * size
        picture[top : top + size, left : left + size] = render(mesh, size, look, bounds)
    if captions:
        picture = _captioned(picture, captions, columns, size, height, letters)
    report(1.0)
    return picture


def save_png(path: Path, image: Picture) -> None:
    """Writes a picture (H, W, 3 or 4) beside its place, then renames it into it: nobody ever sees half a file."""
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            Image.fromarray(image).save(file, format="PNG", optimize=True)
        Path(beside).chmod(0o644)
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


# Rays


@dataclass(frozen=True)
class _Camera:
    """Position (3,), unit axes to the right, up and forward, each (3,), and the tangent of half the angle of view."""

    eye: NDArray[np.float64]
    right: NDArray[np.float64]
    up: NDArray[np.float64]
    forward: NDArray[np.float64]
    tangent: float

    @classmethod
    def fitting(cls, points: Floats, look: Look) -> _Camera:
        """Just so far away that all points (N, 3) are within the part ``look.fill`` of the picture."""
        forward = -_direction(look.azimuth, look.elevation)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        up = np.cross(right, forward)
        axes = np.stack([right, up, forward])
        placed = points @ axes.T
        middle = (placed.min(0) + placed.max(0)) / 2
        tangent = float(np.tan(np.radians(look.view / 2)))
        distance = 0.0
        # What is nearer appears larger, so the middle of the picture is not quite the middle of the shape.
        for _ in range(4):
            x, y, depth = (placed - middle).T
            distance = float((np.maximum(abs(x), abs(y)) / (tangent * look.fill) - depth).max())
            distance = max(distance, 1e-6 - 1.01 * float(depth.min()))
            seen = np.stack([x, y]) / (distance + depth)
            middle[:2] += (seen.min(1) + seen.max(1)) / 2 * distance
        return cls(middle @ axes - distance * forward, right, up, forward, tangent)

    def rays(self, count: int) -> tuple[Floats, Floats]:
        """The eye (3,) and unit directions (count * count, 3) through a grid over the picture, row by row."""
        offsets = ((np.arange(count) + 0.5) / count * 2 - 1) * self.tangent
        directions = self.forward + offsets[None, :, None] * self.right - offsets[:, None, None] * self.up
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        return self.eye.astype(np.float32), directions.reshape(-1, 3).astype(np.float32)


@dataclass(frozen=True)
class Hits:
    """Which rays (H,) meet the surface, and there: the face (H,), how many times its direction each ray has gone (H,),
    the points (H, 3), lifted a little off the surface, and the unit shading normals (H, 3), which face the eye."""

    ray: NDArray[np.intp]
    face: NDArray[np.intp]
    distance: Floats
    points: Floats
    normals: Floats


class Scene:
    """A mesh prepared for ray casting.

    Args:
        mesh: in any frame.
        crease: edges that bend less, in degrees, are shaded smoothly.

    Raises:
        EngineError: the ray caster embreex is not installed.
    """

    def __init__(self, mesh: Mesh, crease: float = 0.0) -> None:
        try:
            from embreex.mesh_construction import TriangleMesh
            from embreex.rtcore_scene import EmbreeScene
        except ImportError as error:
            raise EngineError(
                "Pictures need the ray caster embreex, which this Python does not have.",
                "Install it with: pip install embreex",
                details=str(error),
            ) from error
        self._scene = EmbreeScene()
        # The scene refers to its geometry without keeping it alive.
        self._triangles = TriangleMesh(
            self._scene, np.ascontiguousarray(mesh.vertices), np.ascontiguousarray(mesh.faces)
        )
        self._mesh, self._crease = mesh, crease
        # Rays leave the surface from a little above it, or they would meet the face that they start on.
        self.lift = np.float32(2e-4 * np.linalg.norm(np.ptp(mesh.vertices, axis=0)))

    def hit(self, origins: Floats, directions: Floats) -> Hits:
        """Where rays, each (N, 3), first meet the surface; directions need no unit length."""
        found = self._scene.run(np.ascontiguousarray(origins), directions, output=True)
        ray = np.flatnonzero(found["primID"] >= 0)
        faces, which = np.unique(found["primID"][ray], return_inverse=True)
        corners = _corner_normals(self._mesh, faces, self._crease)[which]
        u, v = found["u"][ray, None], found["v"][ray, None]
        smooth = _unit((1 - u - v) * corners[:, 0] + u * corners[:, 1] + v * corners[:, 2])
        flat = _unit(found["Ng"][ray])
        # Embree's normals follow the winding, which a mesh of unknown origin may have wrong.
        toward = -directions[ray]
        flat *= np.where((flat * toward).sum(1, keepdims=True) < 0, -1, 1).astype(np.float32)
        smooth *= np.where((smooth * flat).sum(1, keepdims=True) < 0, -1, 1).astype(np.float32)
        points = origins[ray] + found["tfar"][ray, None] * directions[ray] + self.lift * flat
        return Hits(ray, found["primID"][ray].astype(np.intp), found["tfar"][ray], points, smooth)

    def depth(self, camera: Camera) -> Floats:
        """Depths of the surface along the optical axis, with shape (height, width); 0 where a ray meets nothing."""
        rays = camera.rays().reshape(-1, 3)
        eye = np.broadcast_to(camera.eye.astype(np.float32), rays.shape)
        found = self._scene.run(np.ascontiguousarray(eye), rays, output=True)
        depth = np.where(found["primID"] >= 0, found["tfar"], 0).astype(np.float32)
        return depth.reshape(camera.height, camera.width)

    def free(self, origins: Floats, directions: Floats) -> NDArray[np.bool_]:
        """Which directions (N, K, 3) from origins (N, 3) meet nothing; with shape (N, K)."""
        count, rays = directions.shape[:2]
        starts = np.repeat(origins, rays, axis=0)
        blocked = self._scene.run(starts, directions.reshape(-1, 3), query="OCCLUDED")
        return (blocked < 0).reshape(count, rays)


# Light


def _lit(scene: Scene, points: Floats, normals: Floats, look: Look, k: int) -> Floats:
    """Light that arrives at points (N, 3) with unit normals (N, 3), by the ``k``-th set of directions; (N, 3)."""
    light = _direction(look.key_azimuth, look.key_elevation).astype(np.float32)
    facing = (normals @ light).clip(0)
    toward = np.flatnonzero(facing > 0)
    key = np.zeros(len(points), np.float32)
    cone = _around(light[None], _cone(look.key_radius, look.key_rays, k, GRID * GRID))
    clear = scene.free(points[toward], np.broadcast_to(cone, (len(toward), *cone.shape[1:])).copy())
    key[toward] = facing[toward] * clear.mean(1)
    rays = _around(normals, _hemisphere(look.sky_rays, k, GRID * GRID))
    # What a ray sees: the sky, brighter above; the ground; or clay, which is lit about half as well as the open.
    height = rays[..., 2]
    seen = np.where(height > 0, 0.72 + 0.38 * height, 0.42 + 0.12 * height)
    seen = np.where(scene.free(points, rays), seen, 0.15)
    warm, cool = np.array([1.05, 1.0, 0.93], np.float32), np.array([0.98, 1.0, 1.03], np.float32)
    return look.key * key[:, None] * warm + look.sky * seen.mean(1).astype(np.float32)[:, None] * cool


def _ground(scene: Scene, camera: _Camera, look: Look, size: int, floor: float) -> Floats:
    """The share of its light that the ground keeps, in every point of the picture; with shape (size * GRID,) * 2.

    Shadows are soft: they are computed on a coarser grid of the picture and interpolated.
    """
    count = max(size // GROUND_PIXELS, 2)
    eye, rays = camera.rays(count)
    shade = np.ones(count * count, np.float32)
    below = np.flatnonzero((rays[:, 2] < -1e-3) & (eye[2] > floor))
    points = eye + (floor - eye[2]) / rays[below, 2:] * rays[below]
    points[:, 2] += scene.lift
    light = _direction(look.key_azimuth, look.key_elevation).astype(np.float32)
    cone = _around(light[None], _cone(look.key_radius, GROUND_RAYS))
    dome = _hemisphere(GROUND_RAYS)[None]
    for part in np.array_split(np.arange(len(below)), len(below) // (CHUNK // 4) + 1):
        key = scene.free(points[part], np.broadcast_to(cone, (len(part), *cone.shape[1:])).copy()).mean(1)
        sky = scene.free(points[part], np.broadcast_to(dome, (len(part), *dome.shape[1:])).copy()).mean(1)
        direct = look.key * light[2]
        shade[below[part]] = (direct * key + look.sky * sky) / (direct + look.sky)
    # Tiles of a sheet join without seams: towards the border shadows fade away.
    ramp = np.minimum(1.0, 7 * (0.5 - abs((np.arange(count) + 0.5) / count - 0.5))) ** 0.5
    shade = 1 - 0.85 * (1 - shade.reshape(count, count)) * np.minimum(ramp[:, None], ramp)
    wide = Image.fromarray(shade.astype(np.float32)).resize((size * GRID, size * GRID), Image.Resampling.BICUBIC)
    return np.asarray(wide).clip(0, 1)


def _developed(light: NDArray[np.floating]) -> Picture:
    """Linear light (H, W, 3) as sRGB bytes."""
    return np.round(encoded(light) * 255).astype(np.uint8)


def encoded(light: NDArray[np.floating]) -> NDArray[np.floating]:
    """Linear light as sRGB values from 0 to 1."""
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def linear(encoded: NDArray[np.floating]) -> Floats:
    """sRGB values from 0 to 1 as linear light."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)


# Directions


def _direction(azimuth: float, elevation: float) -> NDArray[np.float64]:
    """The unit vector (3,) towards an azimuth from the front (-Y) to the left (-X) and an elevation, in degrees."""
    a, e = np.radians([azimuth, elevation])
    return np.array([-np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])


def _spread(count: int, k: int, sets: int) -> tuple[Floats, Floats]:
    """Two coordinates in [0, 1) of ``count`` points, evenly spread, the ``k``-th of ``sets`` that interleave.

    They are those of a Fibonacci lattice: on a disc, a sunflower.
    """
    n = np.arange(count) * sets + k
    return ((n + 0.5) / (count * sets)).astype(np.float32), (n * (5**0.5 - 1) / 2 % 1).astype(np.float32)


def _hemisphere(count: int, k: int = 0, sets: int = 1) -> Floats:
    """Unit directions (count, 3) around +Z, as dense as the cosine of their angle to it."""
    u, v = _spread(count, k, sets)
    angle, radius = 2 * np.pi * v, np.sqrt(u)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - u)], 1).astype(np.float32)


def _cone(degrees: float, count: int, k: int = 0, sets: int = 1) -> Floats:
    """Unit directions (count, 3) within an angle around +Z, evenly."""
    u, v = _spread(count, k, sets)
    angle, height = 2 * np.pi * v, 1 - u * (1 - np.cos(np.radians(degrees)))
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], 1).astype(np.float32)


def _around(axes: Floats, directions: Floats) -> Floats:
    """Directions (K, 3) around +Z, turned to each unit axis (N, 3) instead; with shape (N, K, 3).

    The frame is that of Duff et al., *Building an Orthonormal Basis, Revisited*, 2017.
    """
    x, y, z = axes.T
    sign = np.where(z >= 0, 1, -1).astype(np.float32)
    a = -1 / (sign + z)
    b = x * y * a
    tangent = np.stack([1 + sign * x * x * a, sign * b, -sign * x], 1)
    bitangent = np.stack([b, sign + y * y * a, -y], 1)
    return directions @ np.stack([tangent, bitangent, axes], 1)


# Geometry


def _corner_normals(mesh: Mesh, faces: NDArray[np.integer], crease: float) -> Floats:
    """Unit normals at the corners of some faces (K,), with shape (K, 3, 3).

    Each is the area-weighted mean of those faces around the vertex that bend from its own by less than ``crease``
    degrees. Vertices in one place count as one, as in a mesh made of parts with split edges.
    """
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    weighted = np.cross(b - a, c - a)
    flat = _unit(weighted)
    cells = (mesh.vertices - mesh.vertices.min(0)) / max(float(np.ptp(mesh.vertices, axis=0).max()), 1e-12)
    x, y, z = np.round(cells * 2**20).astype(np.int64).T
    _, place = np.unique((x << 42) | (y << 21) | z, return_inverse=True)
    around = place[mesh.faces.reshape(-1)]
    # The corners at one place are neighbours in this order.
    order = np.argsort(around, kind="stable")
    sizes = np.bincount(around)
    first = np.cumsum(sizes) - sizes
    wanted = (3 * faces[:, None] + np.arange(3)).reshape(-1)
    # A place of very many faces, as the centre of a fan, stays flat: the pairs would be too many.
    pairs = np.where(sizes[around[wanted]] <= LARGEST_FAN, sizes[around[wanted]], 0)
    one = np.repeat(np.arange(len(wanted)), pairs)
    step = np.arange(len(one)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    own, other = wanted[one] // 3, order[first[around[wanted[one]]] + step] // 3
    near = np.einsum("ij,ij->i", flat[own], flat[other]) > np.cos(np.radians(crease))
    one, other = one[near], other[near]
    sums = [np.bincount(one, weighted[other, axis], len(wanted)) for axis in range(3)]
    summed = np.stack(sums, axis=1).astype(np.float64)
    some = (summed**2).sum(1, keepdims=True) > 0
    return np.where(some, _unit(summed), flat[wanted // 3]).reshape(-1, 3, 3).astype(np.float32)


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-20)


def _corners(bounds: Floats) -> Floats:
    """The eight corners of a box (2, 3), with shape (8, 3)."""
    return np.stack(np.meshgrid(*bounds.T, indexing="ij"), -1).reshape(-1, 3)


def _captioned(
    picture: Picture, captions: Sequence[str], columns: int, size: int, height: int, letters: int
) -> Picture:
    """The sheet with a centred line below each tile, shortened where it is too long."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(letters)
    for i, caption in enumerate(captions):
        line = caption
        while draw.textlength(line, font) > 0.96 * size and len(line) > 1:
            line = line.rstrip("…")[:-1] + "…"
        place = ((i % columns + 0.5) * size, i // columns * height + size + 0.3 * letters)
        draw.text(place, line, fill=(110, 105, 98), font=font, anchor="ma")
    return np.asarray(image)
