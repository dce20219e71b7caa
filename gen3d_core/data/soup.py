"""Triangles as a file has them, before anybody checked them: any coordinates, any indices, in double precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import BadMesh

#: Meshes with more triangles are not read: they would take minutes and gigabytes each.
MOST_FACES = 4_000_000


@dataclass(frozen=True, eq=False)
class Soup:
    """Unchecked triangles: vertices (V, 3), float64, and faces (F, 3), int64, in a file's units and axes."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]

    def moved(self, matrix: NDArray[np.float64]) -> Soup:
        """After a transform (4, 4); one that mirrors turns the faces, so that they still face out."""
        vertices = self.vertices @ matrix[:3, :3].T + matrix[:3, 3]
        mirrors = np.linalg.det(matrix[:3, :3]) < 0
        return Soup(vertices, self.faces[:, ::-1] if mirrors else self.faces)

    @classmethod
    def joined(cls, parts: Sequence[Soup]) -> Soup:
        """All parts as one."""
        if not parts:
            return cls(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
        starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
        faces = [part.faces + start for part, start in zip(parts, starts, strict=True)]
        return cls(np.concatenate([part.vertices for part in parts]), np.concatenate(faces))


def too_many_faces() -> BadMesh:
    """What is said of a mesh with more than ``MOST_FACES`` triangles."""
    return BadMesh(f"The mesh has more than {MOST_FACES:,} faces.", "Decimate it first.")
