"""An artist's mesh as a solid: what is inside is decided by the generalised winding number.

Jacobson, Kavan and Sorkine-Hornung, *Robust Inside-Outside Segmentation using Generalized Winding Numbers*, 2013; fast
evaluation after Barill et al., 2018, by libigl. It survives holes, flipped faces and overlapping parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import BadMesh
from ..representations import Mesh
from .files import read_mesh

#: The longest side of a fitted shape, in model units: as in the catalogue, it leaves room for a closed surface.
LONGEST = 0.9


@dataclass(frozen=True)
class Frame:
    """How an artist's coordinates relate to the engine's: engine = (artist - centre) * scale.

    Args:
        centre: with shape (3,), in the artist's units.
        scale: model units per artist's unit.
    """

    centre: NDArray[np.float64]
    scale: float

    def inward(self, points: NDArray) -> NDArray[np.float32]:
        """Artist's points (N, 3) in the engine's frame."""
        return ((np.asarray(points, dtype=np.float64) - self.centre) * self.scale).astype(np.float32)

    def outward(self, points: NDArray) -> NDArray[np.float32]:
        """Engine's points (N, 3) in the artist's frame."""
        return (np.asarray(points, dtype=np.float64) / self.scale + self.centre).astype(np.float32)


IDENTITY = Frame(np.zeros(3), 1.0)


def fit(vertices: NDArray) -> Frame:
    """The frame in which the bounding box of ``vertices`` (V, 3) is centred and its longest side is 0.9.

    Raises:
        BadMesh: no vertices, coordinates that are not numbers, or all vertices in one place.
    """
    if len(vertices) == 0:
        raise BadMesh("The mesh has no vertices.", "Choose a mesh with a surface.")
    points = np.asarray(vertices, dtype=np.float64)
    if not np.isfinite(points).all():
        raise BadMesh("The mesh has coordinates that are not numbers.", "Repair or re-export it.")
    low, high = points.min(0), points.max(0)
    longest = float((high - low).max())
    if longest <= 1e-12:
        raise BadMesh("All vertices of the mesh lie in one place.", "Choose a mesh with a surface.")
    return Frame((low + high) / 2, LONGEST / longest)


class Solid:
    """A mesh in the engine's frame, open or closed, as something that systems can read.

    Args:
        mesh: in the engine's frame; where it is inside out as a whole, it is turned.

    Raises:
        BadMesh: all its faces are without area.
    """

    def __init__(self, mesh: Mesh) -> None:
        import igl

        if mesh.face_areas().sum() <= 0:
            raise BadMesh("The faces of the mesh have no area.", "Choose a mesh with a surface.")
        self.mesh = mesh
        self._igl = igl
        self._vertices = np.asfortranarray(mesh.vertices, dtype=np.float64)
        self._faces = np.asfortranarray(mesh.faces, dtype=np.int64)
        # A mesh that is inside out as a whole has a winding number of -1 inside.
        volume = np.einsum("ij,ij->", *self._triple()) / 6
        if volume < 0:
            self._faces = np.asfortranarray(self._faces[:, ::-1])
            self.mesh = Mesh(mesh.vertices, np.ascontiguousarray(mesh.faces[:, ::-1]))

    def _triple(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        centred = self._vertices - self._vertices.mean(0)
        a, b, c = (centred[self._faces[:, k]] for k in range(3))
        return a, np.cross(b, c)

    def winding(self, points: NDArray) -> NDArray[np.float64]:
        """The generalised winding number of (N, 3) positions, with shape (N,): about 1 inside, about 0 outside."""
        queries = np.asfortranarray(points, dtype=np.float64)
        return np.asarray(self._igl.fast_winding_number(self._vertices, self._faces, queries))

    def distance(self, points: NDArray) -> NDArray[np.float64]:
        """Unsigned distance of (N, 3) positions to the surface, with shape (N,), in model units."""
        queries = np.asfortranarray(points, dtype=np.float64)
        squared, _, _ = self._igl.point_mesh_squared_distance(queries, self._vertices, self._faces)
        return np.sqrt(squared)

    def sdf(self, points: NDArray) -> NDArray[np.float32]:
        """Signed distances, negative inside, of (N, 3) positions; with shape (N,), in model units."""
        sign = np.where(self.winding(points) > 0.5, -1.0, 1.0)
        return (sign * self.distance(points)).astype(np.float32)

    def voxels(self, resolution: int) -> NDArray[np.bool_]:
        """Solid occupancy at the cell centres, with shape (R, R, R)."""
        return (self.winding(_centres(resolution)) > 0.5).reshape((resolution,) * 3)

    def sdf_grid(self, resolution: int, truncation: float = 0.1) -> NDArray[np.float32]:
        """Signed distances at the cell centres, clamped to +-``truncation``, with shape (R, R, R)."""
        centres = _centres(resolution)
        distance = np.full(len(centres), truncation)
        coarse = max(resolution // 4, 8)
        # Exact distances cost most: ask only for cells that a coarse grid cannot place beyond the truncation.
        reach = truncation + 3**0.5 * 0.5 * (1 / coarse + 1 / resolution)
        far = self.distance(_centres(coarse)).reshape((coarse,) * 3)
        index = np.floor((centres + 0.5) * coarse).astype(int)
        near = far[index[:, 0], index[:, 1], index[:, 2]] < reach
        distance[near] = np.minimum(self.distance(centres[near]), truncation)
        sign = np.where(self.winding(centres) > 0.5, -1.0, 1.0)
        return (sign * distance).astype(np.float32).reshape((resolution,) * 3)

    def surface(self, count: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Points uniform on the surface, and the normals of their faces, each with shape (count, 3)."""
        points, faces = self.mesh.sample_with_faces(count, np.random.Generator(np.random.PCG64(seed)))
        a, b, c = (self.mesh.vertices[self.mesh.faces[faces, k]].astype(np.float64) for k in range(3))
        normals = np.cross(b - a, c - a)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
        return points, normals.astype(np.float32)


def read_solid(path: Path) -> Solid:
    """A mesh file as a solid, fitted into the engine's frame.

    Raises:
        BadMesh: the file cannot be read as a mesh.
    """
    mesh = read_mesh(path)
    return Solid(Mesh(fit(mesh.vertices).inward(mesh.vertices), mesh.faces))


def _centres(resolution: int) -> NDArray[np.float64]:
    axis = (np.arange(resolution) + 0.5) / resolution - 0.5
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
