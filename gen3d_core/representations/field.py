"""Signed distance fields: evaluated where the surface is, coarse to fine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import EmptyShape
from .base import Representation
from .isosurface import extract, grid_centres
from .mesh import Mesh, MeshOptions

COARSEST = 16
#: Of a grid that follows an earlier one, every so many-th cell along each axis is asked for wherever it lies.
PROBED = 4


class Given(Protocol):
    """What :meth:`Field.keep` asks of a shape."""

    def sdf(self, points: Any) -> Any:
        """Signed distances of (N, 3) positions, with shape (N,), in model units."""
        ...


@dataclass(frozen=True)
class SampledField:
    """A field on a grid, and what it cost.

    Args:
        values: with shape (R, R, R), at the cell centres; exact in ``evaluated``, of the right sign elsewhere.
        evaluated: with shape (R, R, R), bool: cells that were asked for at this resolution.
        queries: points evaluated in all, at every level.
    """

    values: Tensor
    evaluated: Tensor
    queries: int


@dataclass(frozen=True)
class Field(Representation):
    """A signed distance, truncated or not, as a function of position.

    Args:
        distance: (N, 3) positions in model units to (N,) signed distances in model units, negative inside. What it
            gives far from the surface may be clamped, at ``truncation`` or beyond.
        truncation: distances are to be trusted up to this, in model units.
        steepness: how many times the true distance to the surface ``distance`` is at most: where its magnitude exceeds
            ``steepness`` times the distance to a cell's corner, the surface is not in the cell.
        device: where ``distance`` expects its positions.
    """

    distance: Callable[[Tensor], Tensor]
    truncation: float = 0.1
    steepness: float = 1.2
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def dense(self, resolution: int) -> Tensor:
        """The field at every cell centre, with shape (R, R, R)."""
        return self._evaluate(grid_centres(resolution, self.device).reshape(-1, 3)).reshape((resolution,) * 3)

    def grid(self, resolution: int, near: Tensor | None = None) -> SampledField:
        """The field at the cell centres, exact next to the surface and of the right sign everywhere.

        Cold, each level evaluates only the cells that the coarser level cannot rule out by distance. Warm, with a grid
        of a similar shape, the evaluated band starts around that grid's surface and grows while the new surface leads
        out of it. Of what appears far from the old surface only parts are seen that some of a few cells spread over the
        grid lie in, so end a drag with a cold pass.

        Args:
            resolution: cells along one side.
            near: with shape (resolution,) * 3: an earlier result's ``values``.
        """
        if near is not None and tuple(near.shape) == (resolution,) * 3:
            return self._follow(near)
        levels = [resolution]
        while levels[0] % 2 == 0 and levels[0] > COARSEST:
            levels.insert(0, levels[0] // 2)
        values = self.dense(levels[0])
        evaluated = torch.ones_like(values, dtype=torch.bool)
        queries = values.numel()
        for level in levels[1:]:
            # Marching cubes needs exact values in every cell next to a change of sign: hence one fine cell more.
            reach = self.steepness * (3**0.5) * (0.5 / (level // 2) + 1.0 / level)
            active = values.abs() < min(reach, self.truncation * 0.95)
            active |= _sign_changes(values)
            values = _doubled(values)
            evaluated = _doubled(active)
            queries += self._fill(values, evaluated)
        return SampledField(values, evaluated, queries)

    def keep(self, given: Given, known: Tensor) -> Field:
        """The same field, but the given shape's own distances where ``known``.

        Args:
            given: signed distances of positions, as assets have them.
            known: with shape (R, R, R), bool.
        """
        # Blurred once, the mask passes from 0 to 1 within a cell on either side of its border.
        soft = functional.avg_pool3d(known.float()[None, None].to(self.device), 3, 1, 1, count_include_pad=False)

        def distance(points: Tensor) -> Tensor:
            where = (points * 2).flip(-1)[None, None, None]
            weight = functional.grid_sample(soft, where, padding_mode="border", align_corners=False)[0, 0, 0, 0]
            own = torch.as_tensor(given.sdf(points.cpu().numpy()), device=points.device)
            return torch.lerp(self.distance(points), own.clamp(-self.truncation, self.truncation), weight)

        return replace(self, distance=distance)

    def to_mesh(self, options: MeshOptions) -> Mesh:
        """The zero level set."""
        return extract(self.grid(options.resolution).values, 0.0, options)

    def _follow(self, near: Tensor) -> SampledField:
        """Evaluates a band around the surface of ``near`` and continues it while the surface leaves the band."""
        values = near.clone()
        evaluated = torch.zeros_like(values, dtype=torch.bool)
        evaluated[(slice(PROBED // 2, None, PROBED),) * 3] = True
        queries = self._fill(values, evaluated)
        # A probe that finds another sign than the old one is a change of sign by itself, from which the band grows.
        band = _grown(_sign_changes(near)) | _grown(_sign_changes(values))
        while True:
            fresh = band & ~evaluated
            if not fresh.any():
                return SampledField(values, evaluated, queries)
            queries += self._fill(values, fresh)
            evaluated |= fresh
            # Cells never asked for keep an old sign, which is stale where the surface has swept over them: growing
            # wherever an evaluated cell disagrees with a neighbour outside reaches all of those.
            band = _grown(_sign_changes(values) & evaluated)

    def _fill(self, values: Tensor, where: Tensor) -> int:
        """Replaces ``values`` at the cells ``where`` by the field; returns their number."""
        cells = where.nonzero()
        if len(cells):
            values[where] = self._evaluate((cells + 0.5) / len(values) - 0.5)
        return len(cells)

    def _evaluate(self, points: Tensor) -> Tensor:
        """The field at (N, 3) positions, checked."""
        values = self.distance(points)
        if not torch.isfinite(values).all():
            raise EmptyShape("The generated field holds values that are not numbers.", "Try another seed.")
        return values


def _sign_changes(values: Tensor) -> Tensor:
    """Cells with a neighbour, of all 26, on the other side of the surface; with shape (R, R, R), bool."""
    inside = values < 0
    return _grown(inside) & _grown(~inside)


def _grown(mask: Tensor) -> Tensor:
    """The mask and all its neighbours, of all 26: along one axis after the other, many times faster than pooling."""
    for axis in range(3):
        size = mask.shape[axis]
        grown = mask.clone()
        grown.narrow(axis, 1, size - 1).logical_or_(mask.narrow(axis, 0, size - 1))
        grown.narrow(axis, 0, size - 1).logical_or_(mask.narrow(axis, 1, size - 1))
        mask = grown
    return mask


def _doubled(values: Tensor) -> Tensor:
    """Each cell as 2 x 2 x 2 cells."""
    for axis in range(3):
        values = values.repeat_interleave(2, axis)
    return values
