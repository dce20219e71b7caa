"""A completion whose kept part keeps its own triangles: only what lies beyond their border is generated.

Beside the kept surface there is a coordinate ``d``: how far a place lies from the border, along the surface; positive
where its foot is on the kept triangles, negative where it is beyond. With S the signed distance to the kept surface,
beyond the border that to the plane which continues it, and G that to the generated shape,

    fresh = G + (S - G) max(0, 1 + d / BLEND)       where d < 0: at the border the new surface continues the old one
            max(S + MARGIN + SLOPE d, d - OVERLAP)  where d >= 0: a plug inside the kept solid, and nothing outside

Far from the kept surface, ``fresh`` is G; where a mask alone says what is kept, as for a whole part that has no border,
it is G in what is unknown. What the kept solid, closed by caps, holds beyond the border is carved away and filled by
``fresh``; the rest of it and ``fresh`` are united.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from ..errors import BadMesh, EmptyShape
from ..nn.conv3d import nearest
from ..representations import Mesh, MeshOptions, Representation
from ..representations.isosurface import extract
from . import closing
from .closing import Closed
from .partial import REACH
from .regions import Region
from .solid import Solid
from .winding import Band, Floats, Indices, Triangles, inside, near

#: So far beyond the border, in cells of the mask, the new surface bends to the old one.
BLEND = 1.5
#: In cells of the new surface: how deep its plug begins below the old surface, and how far it leads inwards.
MARGIN, OVERLAP = 0.1, 2
#: How much deeper the plug gets, per length.
SLOPE = 0.25
#: In cells: so much of a cap beside the border stays, so that the border does.
COLLAR = 0.75
#: In cells: so far into the new part is carved.
INTO = 0.3
#: In cells: from one point of the border to the next.
SPACING = 0.25
NOT_CLOSED = "What is kept cannot be closed as a solid, so the new part only touches it"
SHEETS = "Open sheets are kept as they are; the new part only touches them"


@dataclass(frozen=True)
class Kept:
    """What is kept of an artist's mesh.

    Args:
        solid: of the kept faces; of all faces where there is a region.
        known: with shape (R, R, R), bool: cells whose content is given.
        region: that is made anew, to which the faces are cut; may be None.

    Raises:
        EngineError: see :func:`.closing.library`.
    """

    solid: Solid
    known: NDArray[np.bool_]
    region: Region | None = None

    @cached_property
    def surface(self) -> Closed:
        """The kept triangles, and caps over their openings where these make a closed solid of them."""
        vertices, faces = self._walls
        if self.region is None:
            return closing.close(vertices, faces)
        body = closing.body(*_parts(closing.close(vertices, faces)))
        if body is not None:
            return self.region.cut(body)
        vertices, faces = self.region.trimmed(vertices, faces)
        if not len(faces):
            raise BadMesh("The region covers the whole shape: nothing would be kept.", "Mark a smaller one.")
        return Closed(vertices, faces, np.zeros(len(faces), dtype=bool))

    @cached_property
    def closed(self) -> bool:
        """Whether the kept part is, or can be made, a closed solid."""
        return bool(len(self.surface.faces)) and closing.body(*_parts(self.surface)) is not None

    @property
    def note(self) -> str:
        """What an artist should know, as a sentence; else empty."""
        if not self.closed:
            return NOT_CLOSED
        return SHEETS if len(self._sheets) else ""

    def joined(self, fresh: Mesh | None, carved: Mesh | None) -> Mesh:
        """The kept part with the new one.

        Args:
            fresh: the new part, closed; None where there is none.
            carved: what is taken out of the kept solid before, closed; None for nothing.
        """
        vertices, faces = _parts(self.surface)
        solid = closing.body(vertices, faces) if self.closed else None
        if solid is None:
            parts = [(vertices, faces[~self.surface.caps])]
            parts += [(fresh.vertices, fresh.faces)] if fresh else []
        else:
            parts = _united(solid, fresh, carved)
        if len(self._sheets):
            parts.append((self._walls[0], self._sheets))
        return _together(parts)

    @property
    def _walls(self) -> tuple[Floats, Indices]:
        repaired = self.solid.repaired
        return repaired.vertices, repaired.faces[: repaired.wall_count]

    @property
    def _sheets(self) -> Indices:
        repaired = self.solid.repaired
        return repaired.faces[repaired.wall_count :]


@dataclass(frozen=True)
class Exact(Representation):
    """A completion that keeps the given triangles.

    Args:
        generated: what a system made of the whole.
        kept: what was given.
    """

    generated: Representation
    kept: Kept

    def to_mesh(self, options: MeshOptions) -> Mesh:
        """The kept triangles with the generated rest, in triangles, too; debris and face budget concern the rest alone.

        Raises:
            EmptyShape: nothing was generated.
        """
        whole = self.generated.to_mesh(MeshOptions(options.resolution))
        fields = _fields(self.kept, whole, options.resolution)
        budget = max(options.faces - len(self.kept.surface.faces), 16) if options.faces else 0
        fresh = _surface(fields.fresh, replace(options, faces=budget, quads=False))
        return self.kept.joined(fresh, _surface(fields.carved, MeshOptions(options.resolution)))


@dataclass(frozen=True)
class _Fields:
    """See the module: each with shape (R, R, R), negative inside."""

    fresh: Floats
    carved: Floats


def _fields(kept: Kept, whole: Mesh, resolution: int) -> _Fields:
    cell, coarse = 1.0 / resolution, 1.0 / len(kept.known)
    reach = REACH * coarse
    vertices, faces = _parts(kept.surface)
    walls = Triangles(vertices, faces[~kept.surface.caps])
    generated = Triangles(whole.vertices.astype(np.float64), whole.faces.astype(np.int64))
    full = inside(Triangles(vertices, faces), resolution)
    unknown = ~nearest(torch.as_tensor(kept.known), resolution).numpy()
    steps = math.ceil(coarse / cell) + OVERLAP
    beside = np.asarray(ndimage.binary_dilation(unknown, iterations=steps), dtype=bool)
    made = np.where(inside(generated, resolution), -reach, reach)
    around = near(generated, resolution, reach)
    at = tuple(around.cells.T)
    made[at] = np.sign(made[at]) * around.nearest.distance
    # Deep inside the kept solid the new part leads on a little, so that no gap is left between the two.
    fresh = np.where(full & ~unknown, np.where(beside, -reach, reach), made)
    carved = np.where(unknown, -reach, reach)
    band = near(walls, resolution, reach)
    at = tuple(band.cells.T)
    d, s = _beside(walls, band, full[at], resolution)
    weight = (1 + d / (BLEND * coarse)).clip(0, 1)
    beyond = made[at] + (s - made[at]) * weight
    # A ragged border may have room behind it that the caps leave out: there the new part goes on as it will.
    depth = s + MARGIN * cell + SLOPE * d
    plug = np.maximum(depth, np.where(full[at], d - OVERLAP * cell, np.where(s < 0, made[at], depth)))
    # Where no border is near, as between parts that only touch, the mask says where the new part may be.
    tucked = s + (MARGIN + SLOPE * OVERLAP) * cell
    masked = np.where(unknown[at], made[at], np.where(full[at] & ~beside[at], reach, tucked))
    fresh[at] = np.where(d < 0, beyond, np.where(d < reach, plug, masked))
    carved[at] = d + COLLAR * cell
    # Only where the new part is not, and a little beyond its surface, so that the two nowhere coincide.
    return _Fields(fresh, np.maximum(carved, -fresh - INTO * cell))


def _beside(walls: Triangles, band: Band, full: NDArray[np.bool_], resolution: int) -> tuple[Floats, Floats]:
    """The coordinate along a surface and the signed distance to it, of the cells of a band, each with shape (K,)."""
    found = band.nearest
    border = _border(walls, SPACING / resolution)
    if not len(border):
        return np.ones(len(full)), np.where(full, -found.distance, found.distance)
    from_border = KDTree(border).query(found.foot)[0]
    out = (band.cells + 0.5) / resolution - 0.5 - found.foot
    height = np.einsum("nk,nk->n", out, walls.normals[found.face])
    signed = np.where(full | (height < 0), -found.distance, found.distance)
    aside = np.sqrt(np.maximum(found.distance**2 - height**2, 0.0))
    past = from_border < 0.5 * SPACING / resolution + 1e-9
    return np.where(past, -aside, from_border), np.where(past, height, signed)


def _border(walls: Triangles, spacing: float) -> Floats:
    """Points along the open edges of a surface, with shape (N, 3)."""
    ends = walls.vertices[walls.open_edges.edges]
    counts = np.ceil(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) / spacing).astype(np.int64) + 1
    owner = np.repeat(np.arange(len(ends)), counts)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    t = (number / (counts[owner] - 1).clip(1))[:, None]
    return ends[owner, 0] + (ends[owner, 1] - ends[owner, 0]) * t


def _surface(field: Floats, options: MeshOptions) -> Mesh | None:
    """Where a field is 0; None where it is negative nowhere."""
    try:
        return extract(torch.as_tensor(field, dtype=torch.float32), 0.0, options)
    except EmptyShape:
        return None


def _united(solid: Any, fresh: Mesh | None, carved: Mesh | None) -> list[tuple[NDArray, NDArray]]:
    """The pieces of a solid, without what is carved, and of those that touch it with the new part."""
    hole = closing.body(carved.vertices, carved.faces) if carved else None
    new = closing.body(fresh.vertices, fresh.faces) if fresh else None
    bodies = [piece - hole if hole is not None else piece for piece in closing.pieces(solid)]
    apart = [body for body in bodies if new is None or (body ^ new).is_empty()]
    if new is not None:
        met = [body for body in bodies if not (body ^ new).is_empty()]
        manifold3d = closing.library()
        apart.append(manifold3d.Manifold.batch_boolean([*met, new], manifold3d.OpType.Add))
    made = [body.to_mesh() for body in apart if not body.is_empty()]
    return [(mesh.vert_properties[:, :3], mesh.tri_verts) for mesh in made]


def _together(parts: list[tuple[NDArray, NDArray]]) -> Mesh:
    """Several surfaces as one mesh."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    faces = [np.asarray(faces, dtype=np.int64) + start for (_, faces), start in zip(parts, starts, strict=False)]
    vertices = np.concatenate([vertices for vertices, _ in parts]).astype(np.float32)
    return Mesh(vertices, np.concatenate(faces).astype(np.int32))


def _parts(surface: Closed) -> tuple[Floats, Indices]:
    return surface.vertices, surface.faces
