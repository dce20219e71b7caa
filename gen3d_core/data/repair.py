"""What a person sees in a damaged mesh: which faces are walls of a solid, which way they face, and which are sheets.

Nothing here moves a vertex. Corners in the same place become one; faces without area, doubled faces and coordinates
that are not numbers go; neighbouring faces agree on their outside, by the vote of their areas; a part that is inside
out is turned unless it lines the hollow of another. What then has the solid on neither of its sides is a sheet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import BadMesh
from .orientation import closed_parts, open_parts, oriented, outward, parts, without_doubles
from .winding import Floats, Indices, Triangles, inside

#: Corners closer than this share of the longest side are one.
WELD = 1e-5
#: Triangles with less area than this, as a share of the longest side's square, have none.
NO_AREA = 1e-12
#: How far in front of a face and behind it the winding number is asked for, as a share of the longest side.
STEP = 2e-4
#: A closed part has, on average over its area, a winding number of 1/2 on its faces, and a flat sheet has 0. Open parts
#: with less than this are sheets.
SHEET = 0.12
#: Cells along one side of the grid that tells which faces are hidden, and the most rows of spots in a face.
HIDING = 64
LARGEST_ROW = 2 * HIDING
#: Faces with a side longer than this share of the mesh's are looked at in three places, others in their middle.
LARGE = 0.08


@dataclass(frozen=True)
class Clean:
    """Triangles that mean something: vertices (V, 3), each used and once, and faces (F, 3), with notes of what went.

    Faces without area stay where they join others: no solid has them on its surface.
    """

    vertices: Floats
    faces: Indices
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Repaired:
    """Faces of one mesh by their meaning.

    Args:
        vertices: with shape (V, 3).
        faces: with shape (F, 3): walls, counter-clockwise seen from outside, then sheets.
        wall_count: how many of ``faces`` are walls; their winding number is the solid's.
        exposed: with shape (B,), in order: the faces that are not hidden inside the solid.
        bounding: with shape (B,): which of the exposed have the solid on one side; the others are thickened.
        notes: what was done, as phrases.
    """

    vertices: Floats
    faces: Indices
    wall_count: int
    exposed: Indices
    bounding: NDArray[np.bool_]
    notes: tuple[str, ...]


def clean(vertices: NDArray, faces: NDArray) -> Clean:
    """Without what has no meaning: stray vertices, doubled corners, faces without area or without finite corners.

    Args:
        vertices: with shape (V, 3), in any unit.
        faces: with shape (F, 3).

    Raises:
        BadMesh: no face is left, or more than half of them have corners that are not numbers or do not exist.
    """
    vertices, faces = np.asarray(vertices, dtype=np.float64), np.asarray(faces, dtype=np.int64).reshape(-1, 3)
    if len(faces) == 0:
        raise BadMesh("The mesh has no faces.", "Choose a mesh with a surface.")
    notes = []
    # Sums of coordinates above this overflow in single precision, in which meshes are kept.
    usable = (np.abs(vertices) < 1e30).all(axis=1) if len(vertices) else np.zeros(0, dtype=bool)
    known = ((faces >= 0) & (faces < len(vertices))).all(axis=1)
    known[known] = usable[faces[known]].all(axis=1)
    if lost := int((~known).sum()):
        if lost > len(faces) / 2:
            raise BadMesh("The mesh has coordinates that are not numbers.", "Repair or re-export it.")
        notes.append(_note("faces with coordinates that are not numbers removed", lost))
        faces = faces[known]
    points, faces = _compact(vertices, faces)
    low, high = points.min(axis=0), points.max(axis=0)
    longest = float((high - low).max())
    if longest <= 1e-12 * max(1.0, float(np.abs(points).max())) or longest < 1e-25:
        raise BadMesh("All vertices of the mesh lie in one place.", "Choose a mesh with a surface.")
    unit = (points - (low + high) / 2) / longest
    welded = _welded(unit)
    _, first = np.unique(welded, return_index=True)
    points, unit, faces = points[first], unit[first], welded[faces]
    a, b, c = (unit[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    # A face that is flat but has three corners joins a long edge with the short ones along it.
    joint = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    flat = (area < 2 * NO_AREA) | ~joint
    if flat.all():
        raise BadMesh("The faces of the mesh have no area.", "Choose a mesh with a surface.")
    if flat.any():
        notes.append(_note("faces without area removed", int(flat.sum())))
        points, faces = _compact(points, faces[joint])
    return Clean(points, faces, tuple(notes))


def repair(vertices: Floats, faces: Indices) -> Repaired:
    """Sorts the faces of a clean mesh by their meaning.

    Args:
        vertices: with shape (V, 3), in the engine's frame, each place once.
        faces: with shape (F, 3), of which those without area only join others.
    """
    notes = []
    longest = float(np.ptp(vertices, axis=0).max())
    single, double, doubled = without_doubles(faces)
    if doubled:
        notes.append(_note("doubled faces removed", doubled))
    walls, membranes, turned = oriented(vertices, single)
    closed, leaves = closed_parts(vertices, double)
    walls, leaves = np.concatenate([walls, closed]), np.concatenate([membranes, leaves])
    walls, inverted = outward(vertices, walls, STEP * longest)
    if turned:
        notes.append(_note("faces turned to agree with their neighbours", turned))
    if inverted:
        notes.append(_note("parts that were inside out turned", inverted))
    solid = Triangles(vertices, walls)
    around = _around(solid, solid, STEP * longest)
    loose = _loose(solid, around)
    if loose.any():
        leaves = np.concatenate([walls[loose], leaves])
        walls = walls[~loose]
        solid = Triangles(vertices, walls)
        around = _around(solid, solid, STEP * longest)
    kinds = around.sides()
    sheets = leaves[_around(solid, Triangles(vertices, leaves), STEP * longest).sides() == 0]
    hidden = _wholly_hidden(solid, kinds == 2, STEP * longest)
    if solid.open_edges.length > 1e-3 * longest:
        notes.append(_note("open edges bridged", len(solid.open_edges.edges)))
    everything = Triangles(vertices, np.concatenate([walls, sheets]))
    seen = np.concatenate([~hidden, np.ones(len(sheets), dtype=bool)])
    exposed = np.flatnonzero(seen & (everything.areas > NO_AREA * longest**2))
    bounding = np.concatenate([kinds != 0, np.zeros(len(sheets), dtype=bool)])[exposed]
    areas = everything.areas[exposed]
    share = areas[~bounding].sum() / areas.sum()
    if share > 5e-4:
        notes.append(f"open sheets thickened ({max(share, 0.01):.0%} of the surface)")
    return Repaired(vertices, everything.faces, len(walls), exposed, bounding, tuple(notes))


def sample_faces(triangles: Triangles) -> tuple[Floats, Indices]:
    """Positions inside each face, (N, 3), and their faces, (N,): three in large ones, one in small ones."""
    corners = triangles.vertices[triangles.faces]
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    border = LARGE * float(np.ptp(triangles.vertices, axis=0).max()) if len(corners) else 0.0
    large, small = np.flatnonzero(sides > border), np.flatnonzero(sides <= border)
    spots = np.einsum("sk,fkd->fsd", np.array([[4, 1, 1], [1, 4, 1], [1, 1, 4]]) / 6, corners[large])
    points = np.concatenate([spots.reshape(-1, 3), corners[small].mean(axis=1)])
    return points, np.concatenate([np.repeat(large, 3), small])


def _compact(vertices: Floats, faces: Indices) -> tuple[Floats, Indices]:
    """Without the vertices that no face has."""
    used = np.zeros(len(vertices), dtype=bool)
    used[faces] = True
    return vertices[used], (np.cumsum(used) - 1)[faces]


def _note(text: str, count: int) -> str:
    return f"{text} ({count})"


def _welded(unit: Floats) -> Indices:
    """One number for all vertices (V, 3) in the same place, with shape (V,); the mesh's longest side is 1."""
    groups = []
    # Two grids, shifted by half a cell: neighbours that the lines of one separate are together in the other.
    for shift in (0.0, 0.5):
        keys = np.floor(unit / WELD + shift).astype(np.int64) + (1 << 19)
        keys = (keys[:, 0] << 42) | (keys[:, 1] << 21) | keys[:, 2]
        groups.append(np.unique(keys, return_inverse=True)[1])
    sizes = [int(group.max()) + 1 for group in groups]
    links = coo_array((np.ones(len(unit)), (groups[0], groups[1] + sizes[0])), shape=(sum(sizes),) * 2)
    labels = connected_components(links, directed=False)[1][groups[0]]
    return np.unique(labels, return_inverse=True)[1]


@dataclass(frozen=True)
class _Around:
    """Winding numbers behind and in front of N positions on F faces, each (N,), and the positions' faces, (N,)."""

    behind: Floats
    front: Floats
    owner: Indices
    faces: int

    def levels(self) -> Floats:
        """The mean of both sides of each face: 1/2 on walls, 0 on sheets, 1 and more inside; with shape (F,)."""
        total = np.bincount(self.owner, (self.behind + self.front) / 2, self.faces)
        return total / np.bincount(self.owner, minlength=self.faces).clip(1)

    def sides(self) -> Indices:
        """On how many sides of each face the solid lies, mostly: 0, 1 or 2, with shape (F,)."""
        count = (self.behind > 0.5).astype(int) + (self.front > 0.5)
        tally = np.stack([np.bincount(self.owner, count == k, self.faces) for k in range(3)], axis=1)
        # A face that bounds the solid anywhere is a wall.
        return np.where(tally[:, 1] > 0, 1, tally.argmax(axis=1))


def _around(solid: Triangles, faces: Triangles, step: float) -> _Around:
    points, owner = sample_faces(faces)
    offset = step * faces.normals[owner]
    return _Around(solid.winding(points - offset), solid.winding(points + offset), owner, len(faces.faces))


def _loose(walls: Triangles, around: _Around) -> NDArray[np.bool_]:
    """Which faces belong to open parts that enclose nothing, not even with all others, with shape (F,)."""
    if len(walls.faces) == 0:
        return np.zeros(0, dtype=bool)
    part = parts(walls.faces)
    candidates = open_parts(walls.vertices, walls.faces, part)
    mean = np.bincount(part, walls.areas * around.levels().clip(0, 0.5))
    return (candidates & (mean < SHEET * np.bincount(part, walls.areas)))[part]


def _wholly_hidden(solid: Triangles, candidates: NDArray[np.bool_], step: float) -> NDArray[np.bool_]:
    """Which of the candidate faces, with shape (F,), lie inside the solid with all that a grid could see of them."""
    numbers = np.flatnonzero(candidates)
    hidden = np.zeros(len(candidates), dtype=bool)
    if len(numbers) == 0:
        return hidden
    # Where a cell and all around it are full, or all are empty, a spot needs no closer look.
    full = inside(solid, HIDING)
    deep = np.asarray(ndimage.binary_erosion(full, np.ones((3, 3, 3))), dtype=bool)
    close = np.asarray(ndimage.binary_dilation(full, np.ones((3, 3, 3))), dtype=bool)
    corners = solid.vertices[solid.faces[numbers]]
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    rows = np.ceil(sides * HIDING).clip(1, None).astype(int)
    for count in np.unique(rows[rows <= LARGEST_ROW]):
        mine = numbers[rows == count]
        i, j = np.meshgrid(np.arange(count + 1), np.arange(count + 1), indexing="ij")
        kept = i + j <= count
        # Spots on the rim are pulled in a little: there the neighbours' sides are as near as the face's own.
        weights = np.stack([i[kept], j[kept], count - i[kept] - j[kept]], axis=1) / count * 0.94 + 0.02
        spots = np.einsum("sk,fkd->fsd", weights, solid.vertices[solid.faces[mine]])
        normals = solid.normals[mine][:, None]
        below = _looked_up(close, spots + normals / HIDING).all(axis=1)
        mine, spots, normals = mine[below], spots[below], normals[below]
        covered = _looked_up(deep, spots)
        offsets = np.broadcast_to(step * normals, spots.shape)[~covered]
        rest = spots[~covered]
        covered[~covered] = (solid.winding(rest - offsets) > 0.5) & (solid.winding(rest + offsets) > 0.5)
        hidden[mine] = covered.all(axis=1)
    return hidden


def _looked_up(grid: NDArray[np.bool_], points: Floats) -> NDArray[np.bool_]:
    """The cells of a grid over [-0.5, 0.5]^3 at positions (..., 3); false beyond it."""
    cells = np.floor((points + 0.5) * len(grid)).astype(np.int64)
    x, y, z = np.moveaxis(cells.clip(0, len(grid) - 1), -1, 0)
    return grid[x, y, z] & ((cells >= 0) & (cells < len(grid))).all(axis=-1)
