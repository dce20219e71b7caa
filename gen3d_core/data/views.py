"""Posed pictures of catalogue shapes: colour, coverage and depth from known cameras, without a graphics card.

The parts are drawn in plain colours under two fixed lights, without shadows or gloss, so that a point of the shape has
the same colour from every side: what learning from several views needs. Nine rays through every pixel give colour and
coverage, the one through its centre gives the depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..preview import Scene, encoded, linear
from ..representations import Mesh
from ..representations.camera import Camera, dome

if TYPE_CHECKING:
    from .catalogue.shape import Shape

Floats = NDArray[np.float32]

#: Rays along each side of a pixel, an odd number: the middle one goes through its centre.
GRID = 3
#: Edges that bend less, in degrees, are shaded smoothly.
CREASE = 38.0
#: Unit directions to the two lights and how much of the light comes from each; the rest comes from everywhere.
KEY, KEY_SHARE = np.array([-0.48, -0.60, 0.64]), 0.42
FILL, FILL_SHARE = np.array([0.74, -0.30, 0.60]), 0.18


@dataclass(frozen=True, eq=False)
class View:
    """A picture with its camera.

    colour: with shape (H, W, 3), float32, sRGB from 0 to 1, of the shape alone where a pixel is partly covered, 0 where
    nothing is seen; alpha: (H, W), float32, the covered share of each pixel; depth: (H, W), float32, of the surface at
    the pixel's centre along the optical axis in model units, 0 where the ray through it meets nothing.
    """

    colour: Floats
    alpha: Floats
    depth: Floats
    camera: Camera

    def over(self, background: float | Sequence[float] = 1.0) -> Floats:
        """The colours before a background of one sRGB colour, with shape (H, W, 3)."""
        share = self.alpha[..., None]
        return (share * self.colour + (1 - share) * np.asarray(background, np.float32)).astype(np.float32)

    def rgba(self) -> NDArray[np.uint8]:
        """Colour and coverage as bytes, with shape (H, W, 4)."""
        values = np.concatenate([self.colour, self.alpha[..., None]], axis=-1)
        return np.round(values * 255).astype(np.uint8)


def views(shape: Shape, count: int, size: int = 64, seed: int = 0) -> list[View]:
    """Pictures of a shape from `count` cameras, spread over the directions from the horizon to 70 degrees above it.

    size: pixels along each side. seed: 0 or more; it turns the cameras about the vertical axis.

    Raises:
        EngineError: the ray caster embreex is not installed.
    """
    from .catalogue.shape import generator

    first = 360 * float(generator(f"views {shape.category}", shape.seed, seed).random())
    return render(shape, dome(count, size, first=first))


def render(shape: Shape, cameras: Sequence[Camera], colours: Floats | None = None) -> list[View]:
    """Pictures of a shape from given cameras.

    colours: sRGB of each part, with shape (P, 3); otherwise those of its textures.

    Raises:
        EngineError: the ray caster embreex is not installed.
    """
    from .catalogue.textures import colours as of_textures

    parts = assembled(shape)
    scene = Scene(parts.mesh, CREASE)
    albedo = linear(of_textures(shape) if colours is None else np.asarray(colours))
    return [_view(scene, camera, parts.owner, albedo) for camera in cameras]


@dataclass(frozen=True, eq=False)
class Assembled:
    """The meshes of a shape's parts as one, and the part that each of its faces (F,) belongs to."""

    mesh: Mesh
    owner: NDArray[np.intp]


def assembled(shape: Shape) -> Assembled:
    """The parts of a shape side by side in one mesh, hidden faces included."""
    meshes = shape.parts_mesh()
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts[:-1], strict=True)])
    owner = np.repeat(np.arange(len(meshes)), [len(mesh.faces) for mesh in meshes])
    vertices = np.concatenate([mesh.vertices for mesh in meshes])
    return Assembled(Mesh(vertices, faces.astype(np.int32)), owner)


def lit(normals: Floats) -> Floats:
    """How much light surfaces with unit normals (N, 3) send back, as a share of their colour; with shape (N,)."""
    return (
        (1 - KEY_SHARE - FILL_SHARE)
        + KEY_SHARE * np.clip(normals @ KEY.astype(np.float32), 0, None)
        + FILL_SHARE * np.clip(normals @ FILL.astype(np.float32), 0, None)
    )


def _view(scene: Scene, camera: Camera, owner: NDArray[np.integer], albedo: Floats) -> View:
    rows, columns = camera.height, camera.width
    rays = camera.rays(GRID).reshape(-1, 3)
    eye = np.broadcast_to(camera.eye.astype(np.float32), rays.shape)
    hits = scene.hit(eye, rays)
    fine = np.zeros((len(rays), 5), np.float32)
    fine[hits.ray, :3] = albedo[owner[hits.face]] * lit(hits.normals)[:, None]
    fine[hits.ray, 3] = 1
    fine[hits.ray, 4] = hits.distance
    fine = fine.reshape(rows, GRID, columns, GRID, 5)
    alpha = fine[..., 3].mean((1, 3))
    mean = fine[..., :3].mean((1, 3)) / np.maximum(alpha, 1e-6)[..., None]
    return View(encoded(mean).astype(np.float32), alpha, fine[:, GRID // 2, :, GRID // 2, 4].copy(), camera)
