"""Occupancy on a regular grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ..errors import EmptyShape
from .base import Representation
from .isosurface import extract, resampled
from .mesh import Mesh, MeshOptions


class Given(Protocol):
    """What :meth:`Voxels.keep` asks of a shape."""

    def voxels(self, resolution: int) -> Any:
        """Solid occupancy at the cell centres, with shape (R, R, R), bool."""
        ...


@dataclass(frozen=True)
class Voxels(Representation):
    """Probabilities of being inside, at the centres of cubic cells.

    Args:
        values: with shape (R, R, R), indexed [x, y, z], float, in [0, 1]; cell i's centre is (i + 0.5) / R - 0.5.
        threshold: the surface lies where ``values`` cross it.

    Raises:
        ValueError: not a cube of floats.
        EmptyShape: a value is not finite.
    """

    values: Tensor
    threshold: float = 0.5

    def __post_init__(self) -> None:
        size = tuple(self.values.shape)
        if len(size) != 3 or len(set(size)) != 1 or not self.values.is_floating_point():
            raise ValueError(f"Voxels need a float grid with shape (R, R, R); got {self.values.dtype} {size}.")
        if not torch.isfinite(self.values).all():
            raise EmptyShape("The voxel grid holds values that are not numbers.", "Try another seed.")

    @property
    def resolution(self) -> int:
        """Cells along one side."""
        return len(self.values)

    @property
    def occupied(self) -> Tensor:
        """Cells whose value reaches the threshold, with shape (R, R, R), bool."""
        return self.values >= self.threshold

    def largest_component(self) -> Voxels:
        """The same without what is occupied but not connected, face to face, to the largest part."""
        labels = np.asarray(ndimage.label(self.occupied.cpu().numpy())[0])  # type: ignore[index]
        sizes = np.bincount(labels.ravel())
        if len(sizes) < 3:
            return self
        sizes[0] = 0
        loose = torch.as_tensor((labels > 0) & (labels != sizes.argmax()), device=self.values.device)
        return Voxels(self.values.masked_fill(loose, 0.0), self.threshold)

    def keep(self, given: Given, known: Tensor) -> Voxels:
        """The same, but the given shape's own occupancy where ``known``.

        Args:
            given: occupancy at any resolution, as assets have it.
            known: with shape (R, R, R), bool, on a grid of this resolution.
        """
        cut = self.threshold
        full = torch.as_tensor(given.voxels(self.resolution), device=self.values.device)
        # Values are moved across the threshold only as far as needed: the surface stays as smooth as it can be.
        own = torch.where(full, self.values.clamp_min(0.5 * (1 + cut)), self.values.clamp_max(0.5 * cut))
        return Voxels(torch.where(known.to(self.values.device), own, self.values), cut)

    def resized(self, resolution: int) -> Voxels:
        """The same occupancy, interpolated trilinearly at the cell centres of another grid."""
        if resolution == self.resolution:
            return self
        return Voxels(resampled(self.values, resolution), self.threshold)

    def to_mesh(self, options: MeshOptions) -> Mesh:
        """The iso-surface at the threshold, on this grid or on a finer one when ``options.resolution`` is higher."""
        fine = self.resized(max(options.resolution, self.resolution))
        return extract(self.threshold - fine.values.float(), 0.0, options)
