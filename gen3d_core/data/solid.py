"""An artist's mesh as a solid: the winding number says what is inside, sheets and thin walls get a thickness."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadMesh
from ..representations import Mesh
from .files import read_mesh
from .repair import STEP, Repaired, clean, repair, sample_faces
from .winding import Nearest, Triangles, inside, near

#: The longest side of a fitted shape, in model units: as in the catalogue, it leaves room for a closed surface.
LONGEST = 0.9
#: A sheet has to be so many cells thick that no row of cells misses it, not even along a wire.
CELLS_OF_SHEET = 1.2
#: Nothing is thinner than what a grid of 64 cells sees.
THINNEST = CELLS_OF_SHEET / 64
#: Steps in which the thickness behind a face is measured.
DEPTHS = 6
#: How often points are drawn until enough of them are not hidden.
ATTEMPTS = 24


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

    @property
    def matrix(self) -> NDArray[np.float64]:
        """From the engine's to the artist's, homogeneous, with shape (4, 4)."""
        matrix = np.diag([1 / self.scale] * 3 + [1.0])
        matrix[:3, 3] = self.centre
        return matrix


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

    Its inside is where the generalised winding number of its walls is above 1/2. What is thinner than ``thinnest``, as
    sheets without a volume are, is made so thick; grids whose cells are larger make it as thick as they need to see it.

    Args:
        mesh: in the engine's frame; :mod:`.repair` says what is done to it.
        thinnest: in model units.

    Raises:
        BadMesh: all its faces are without area.
    """

    def __init__(self, mesh: Mesh, thinnest: float = THINNEST) -> None:
        cleaned = clean(mesh.vertices, mesh.faces)
        self._become(repair(cleaned.vertices, cleaned.faces), cleaned.notes, thinnest)

    @classmethod
    def of(cls, repaired: Repaired, notes: tuple[str, ...] = (), thinnest: float = THINNEST) -> Solid:
        """The solid of faces that are sorted already, as from the cache."""
        solid = cls.__new__(cls)
        solid._become(repaired, notes, thinnest)
        return solid

    def _become(self, repaired: Repaired, notes: tuple[str, ...], thinnest: float) -> None:
        self.repaired = repaired
        self.thinnest = thinnest
        self._notes = notes
        self._walls = Triangles(repaired.vertices, repaired.faces[: repaired.wall_count])
        self._surface = Triangles(repaired.vertices, repaired.faces[repaired.exposed])
        self._thickenings: dict[float, NDArray[np.float64]] = {}

    @cached_property
    def mesh(self) -> Mesh:
        """The faces of the mesh, facing out, without doubles and without what has no area."""
        return Mesh(self.repaired.vertices.astype(np.float32), self.repaired.faces.astype(np.int32))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was repaired, as phrases for people."""
        return self._notes + self.repaired.notes

    def winding(self, points: NDArray) -> NDArray[np.float64]:
        """The generalised winding number of (N, 3) positions, with shape (N,): about 1 inside, about 0 outside."""
        return self._walls.winding(points)

    def distance(self, points: NDArray) -> NDArray[np.float64]:
        """Unsigned distance of (N, 3) positions to the faces that are not hidden inside, (N,), in model units."""
        return self._surface.nearest(points).distance

    def sdf(self, points: NDArray) -> NDArray[np.float32]:
        """Signed distances, negative inside, of (N, 3) positions; with shape (N,), in model units."""
        nearest = self._surface.nearest(points)
        return self._signed(nearest, self.winding(points) > 0.5, self._thickening(self.thinnest)).astype(np.float32)

    def voxels(self, resolution: int) -> NDArray[np.bool_]:
        """Solid occupancy at the cell centres, with shape (R, R, R)."""
        thick = self._thickening(max(self.thinnest, CELLS_OF_SHEET / resolution))
        grid = inside(self._walls, resolution)
        if thick.any():
            band = near(self._surface, resolution, float(thick.max()))
            x, y, z = band.cells[band.nearest.distance < thick[band.nearest.face]].T
            grid[x, y, z] = True
        return grid

    def sdf_grid(self, resolution: int, truncation: float = 0.1) -> NDArray[np.float32]:
        """Signed distances at the cell centres, clamped to +-``truncation``, with shape (R, R, R)."""
        thick = self._thickening(max(self.thinnest, CELLS_OF_SHEET / resolution))
        reach = truncation + float(thick.max())
        full = inside(self._walls, resolution)
        signed = np.where(full, -reach, reach)
        # Distances cost most, so they are found only where they are within reach.
        band = near(self._surface, resolution, reach)
        cells = tuple(band.cells.T)
        signed[cells] = self._signed(band.nearest, full[cells], thick)
        return signed.clip(-truncation, truncation).astype(np.float32)

    def surface(self, count: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Points uniform on the surface, and the normals of their faces, each with shape (count, 3).

        What lies inside the solid has no points; sheets have them on both sides.
        """
        random = np.random.Generator(np.random.PCG64(seed))
        thick = self._thickening(self.thinnest)
        sides = np.where(self.repaired.bounding, 1.0, 2.0)
        summed = np.cumsum(self._surface.areas * sides)
        step = STEP * float(np.ptp(self._surface.vertices, axis=0).max())
        points, normals, found = np.zeros((count, 3)), np.zeros((count, 3)), 0
        for attempt in range(ATTEMPTS):
            draws = random.random((count + count // 2 + 16, 4))
            face = np.searchsorted(summed, draws[:, 0] * summed[-1], side="right").clip(max=len(summed) - 1)
            a, b, c = (self._surface.vertices[self._surface.faces[face, k]] for k in range(3))
            root, v = np.sqrt(draws[:, 1:2]), draws[:, 2:3]
            turn = np.where((sides[face] == 2) & (draws[:, 3] < 0.5), -1.0, 1.0)[:, None]
            normal = self._surface.normals[face] * turn
            place = (1 - root) * a + root * (1 - v) * b + root * v * c + normal * thick[face][:, None]
            seen = np.ones(len(place), dtype=bool)
            if attempt < ATTEMPTS - 1:
                seen = self._walls.winding(place + step * normal) <= 0.5
            kept = np.flatnonzero(seen)[: count - found]
            points[found : found + len(kept)], normals[found : found + len(kept)] = place[kept], normal[kept]
            found += len(kept)
            if found == count:
                break
        return points.astype(np.float32), normals.astype(np.float32)

    @staticmethod
    def _signed(nearest: Nearest, full: NDArray[np.bool_], thick: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distances with their sign, each to the surface moved outwards by its face's ``thick``."""
        return np.where(full, -nearest.distance, nearest.distance) - thick[nearest.face]

    def _thickening(self, thinnest: float) -> NDArray[np.float64]:
        """By how much each face of the surface moves outwards so that nothing is thinner, (B,), in model units."""
        if (known := self._thickenings.get(thinnest)) is not None:
            return known
        walls = self.repaired.bounding
        bounding = Triangles(self._surface.vertices, self._surface.faces[walls])
        points, owner = sample_faces(bounding)
        inward = -bounding.normals[owner]
        depth = np.full(len(points), thinnest)
        thin = np.flatnonzero(self._walls.winding(points + thinnest * inward) <= 0.5)
        depth[thin] = 0.0
        for step in range(1, DEPTHS):
            tried = thinnest * step / DEPTHS
            thin = thin[self._walls.winding(points[thin] + tried * inward[thin]) > 0.5]
            depth[thin] = tried + 0.5 * thinnest / DEPTHS
        thick = np.full(len(walls), thinnest / 2)
        if walls.any():
            # Of a face that tapers, as on a twig, the thin end decides.
            least = np.full(len(bounding.faces), thinnest)
            np.minimum.at(least, owner, depth)
            thick[walls] = (thinnest - least) / 2
        self._thickenings[thinnest] = thick
        return thick

    def __getstate__(self) -> dict[str, object]:
        """What is sent to another process: libigl's structures are built there anew."""
        return {"repaired": self.repaired, "thinnest": self.thinnest, "notes": self._notes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._become(state["repaired"], state["notes"], state["thinnest"])


def read_solid(path: Path) -> Solid:
    """A mesh file as a solid, fitted into the engine's frame.

    Raises:
        BadMesh: the file cannot be read as a mesh.
    """
    mesh = read_mesh(path)
    return Solid(Mesh(fit(mesh.vertices).inward(mesh.vertices), mesh.faces))
