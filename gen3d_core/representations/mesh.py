"""Meshes of triangles or of quads, and what can be asked of one on its way to the artist."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import BadMesh, BadRequest, EmptyShape
from .base import Representation

MAX_RESOLUTION = 1024


@dataclass(frozen=True)
class MeshOptions:
    """How geometry becomes a mesh.

    Args:
        resolution: samples along one side of the unit cube, 8 to 1024.
        debris: components with less than this share of the whole area are removed; 0 keeps everything.
        faces: at most this many triangles, by quadric decimation, or this many quads, by a coarser grid; 0 is no limit.
        quads: whether surfaces of fields and grids become quads. What is a mesh of triangles already stays one.

    Raises:
        BadRequest: a value out of range.
    """

    resolution: int = 64
    debris: float = 0.0
    faces: int = 0
    quads: bool = False

    def __post_init__(self) -> None:
        if not 8 <= self.resolution <= MAX_RESOLUTION:
            raise BadRequest(
                f"Resolution {self.resolution} is out of range; expected 8 to {MAX_RESOLUTION}.",
                "Choose 32, 64 or 128: memory grows with the cube of the resolution.",
            )
        if not 0 <= self.debris < 1:
            raise BadRequest(f"Debris share {self.debris} is out of range; expected 0 to below 1.", "Try 0.02.")
        if self.faces != 0 and self.faces < 16:
            raise BadRequest(f"A budget of {self.faces} faces is too small; expected 0 or at least 16.", "Try 5000.")


@dataclass(frozen=True)
class Mesh(Representation):
    """Triangles in the engine's frame, of which each two may be one quad.

    Args:
        vertices: with shape (V, 3), float32, in model units.
        faces: with shape (F, 3), int32, counter-clockwise seen from outside.
        quads: whether the triangles come in pairs (a, b, c), (a, c, d), each of them the quad (a, b, c, d).

    Raises:
        BadMesh: wrong shapes, no faces, no pairs, indices out of range or coordinates that are not finite.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    quads: bool = False

    def __post_init__(self) -> None:
        if self.vertices.ndim != 2 or self.vertices.shape[1] != 3 or self.vertices.dtype != np.float32:
            raise BadMesh(f"Vertices must be float32 (V, 3); got {self.vertices.dtype} {self.vertices.shape}.")
        if self.faces.ndim != 2 or self.faces.shape[1] != 3 or self.faces.dtype != np.int32:
            raise BadMesh(f"Faces must be int32 (F, 3); got {self.faces.dtype} {self.faces.shape}.")
        if len(self.faces) == 0:
            raise BadMesh("The mesh has no faces.", "Choose a mesh with a surface.")
        if self.faces.min() < 0 or self.faces.max() >= len(self.vertices):
            raise BadMesh("The mesh has faces that refer to missing vertices.", "Repair or re-export it.")
        if not np.isfinite(self.vertices).all():
            raise BadMesh("The mesh has coordinates that are not numbers.", "Repair or re-export it.")
        if self.quads and (
            len(self.faces) % 2 or not np.array_equal(self.faces[::2, [0, 2]], self.faces[1::2, [0, 1]])
        ):
            raise BadMesh("The triangles of a mesh of quads do not come in pairs.")

    @classmethod
    def of_quads(cls, vertices: NDArray[np.float32], quads: NDArray[np.int32]) -> Mesh:
        """The mesh of quads with shape (Q, 4), each split from its first corner to its third."""
        return cls(vertices, quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3), quads=True)

    @property
    def polygons(self) -> NDArray[np.int32]:
        """What an artist sees as its faces: the quads, with shape (Q, 4), or the triangles, with shape (F, 3)."""
        if not self.quads:
            return self.faces
        return np.concatenate([self.faces[::2], self.faces[1::2, 2:]], axis=1)

    def to_mesh(self, options: MeshOptions) -> Mesh:
        """Itself, refined."""
        return self.refined(options)

    def refined(self, options: MeshOptions) -> Mesh:
        """Without debris and within the face budget, as far as asked for."""
        mesh = self.without_debris(options.debris) if options.debris > 0 else self
        return mesh.decimated(options.faces) if 0 < options.faces < len(mesh.polygons) else mesh

    def face_areas(self) -> NDArray[np.float64]:
        """Area of each triangle, with shape (F,)."""
        a, b, c = (self.vertices[self.faces[:, k]].astype(np.float64) for k in range(3))
        return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2

    def components(self) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Which component each face belongs to, with shape (F,), and each component's share of the area, (C,)."""
        rows = self.faces.ravel()
        columns = np.roll(self.faces, 1, axis=1).ravel()
        links = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(len(self.vertices),) * 2)
        _, labels = connected_components(links, directed=False)
        _, of_face = np.unique(labels[self.faces[:, 0]], return_inverse=True)
        areas = np.bincount(of_face, weights=self.face_areas())
        return of_face.astype(np.int32), areas / areas.sum()

    def without_debris(self, share: float) -> Mesh:
        """Without the components whose share of the area is below ``share``; the largest always stays."""
        of_face, shares = self.components()
        keep = shares >= share
        keep[shares.argmax()] = True
        if keep.all():
            return self
        used, faces = np.unique(self.faces[keep[of_face]], return_inverse=True)
        return replace(self, vertices=self.vertices[used], faces=faces.reshape(-1, 3).astype(np.int32))

    def decimated(self, budget: int) -> Mesh:
        """With at most ``budget`` triangles, no quads: quadric edge collapse that keeps a closed surface closed.

        Args:
            budget: number of triangles, at least 16.

        Raises:
            EmptyShape: nothing is left at that budget.
        """
        import igl

        # libigl's collapses keep the surface manifold, so a closed mesh stays closed.
        given = np.asfortranarray(self.vertices, dtype=np.float64)
        collapsed = igl.qslim(given, np.asfortranarray(self.faces), budget)
        vertices, faces = np.asarray(collapsed[0]), np.asarray(collapsed[1])
        if len(faces) == 0:
            raise EmptyShape(f"Nothing is left of the mesh with {budget} faces.", "Allow more faces.")
        return Mesh(vertices.astype(np.float32), faces.astype(np.int32))

    def edges(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Every edge of the polygons once, with shape (E, 2), and the edge that starts at each of their corners.

        With shape (3F,), or (4Q,) where they are quads.
        """
        polygons = self.polygons
        corners = polygons.reshape(-1)
        ends = np.roll(polygons, -1, axis=1).reshape(-1)
        low, high = np.minimum(corners, ends).astype(np.int64), np.maximum(corners, ends).astype(np.int64)
        keys, of_corner = np.unique(low * len(self.vertices) + high, return_inverse=True)
        edges = np.stack([keys // len(self.vertices), keys % len(self.vertices)], axis=1)
        return edges.astype(np.int32), of_corner.astype(np.int32)

    def vertex_normals(self) -> NDArray[np.float32]:
        """Area-weighted unit normals, with shape (V, 3)."""
        a, b, c = (self.vertices[self.faces[:, k]].astype(np.float64) for k in range(3))
        weighted = np.cross(b - a, c - a)
        normals = np.stack(
            [np.bincount(self.faces.ravel(), np.repeat(weighted[:, k], 3), len(self.vertices)) for k in range(3)], 1
        )
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        return (normals / np.maximum(length, 1e-20)).astype(np.float32)

    def sample(self, count: int, generator: np.random.Generator) -> NDArray[np.float32]:
        """Points drawn uniformly by area, with shape (count, 3), in model units."""
        return self.sample_with_faces(count, generator)[0]

    def sample_with_faces(
        self, count: int, generator: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Points drawn uniformly by area, with shape (count, 3), and the face of each, with shape (count,)."""
        areas = self.face_areas()
        chosen = generator.choice(len(areas), count, p=areas / areas.sum())
        u, v = generator.random((2, count, 1))
        root = np.sqrt(u)
        a, b, c = (self.vertices[self.faces[chosen, k]] for k in range(3))
        return ((1 - root) * a + root * (1 - v) * b + root * v * c).astype(np.float32), chosen

    def is_closed(self) -> bool:
        """Whether every edge has exactly two faces, run through once in each direction."""
        starts, ends = self.faces.reshape(-1), np.roll(self.faces, -1, axis=1).reshape(-1)
        forward = starts.astype(np.int64) * len(self.vertices) + ends
        backward = ends.astype(np.int64) * len(self.vertices) + starts
        return len(np.unique(forward)) == len(forward) and np.array_equal(np.sort(forward), np.sort(backward))
