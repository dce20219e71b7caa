"""From a sampled field to a closed mesh: marching cubes on a padded grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from skimage.measure import marching_cubes
from torch import Tensor
from torch.nn import functional

from ..errors import EmptyShape
from .mesh import Mesh

if TYPE_CHECKING:
    from .mesh import MeshOptions


def grid_centres(resolution: int, device: torch.device | None = None) -> Tensor:
    """Centres of the cells of a grid over [-0.5, 0.5]^3, with shape (R, R, R, 3), in model units."""
    axis = (torch.arange(resolution, device=device, dtype=torch.float32) + 0.5) / resolution - 0.5
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)


def extract(values: Tensor, level: float, options: MeshOptions) -> Mesh:
    """The surface where ``values`` cross ``level``; the inside is below it.

    The grid is padded with outside values, so the mesh is always closed, also where the shape touches the border.

    Args:
        values: with shape (R, R, R), at the cell centres of a grid over [-0.5, 0.5]^3.
        level: iso-value.
        options: what to do with the raw surface.

    Returns:
        A mesh with consistent outward winding, in model units.

    Raises:
        EmptyShape: the field has no surface, or its values are not finite.
    """
    if not torch.isfinite(values).all():
        raise EmptyShape("The generated field holds values that are not numbers.", "Try another seed.")
    resolution = len(values)
    outside = level + max(float((values - level).abs().max()), 1.0 / resolution)
    field = functional.pad(values.float(), (1,) * 6, value=outside) - level
    # A sample exactly on the surface makes marching cubes emit triangles without area: move it just outside.
    tiny = 1e-6 * max(float(field.abs().max()), 1e-6)
    field = torch.where(field.abs() < tiny, field.new_tensor(tiny), field)
    if not (field < 0).any():
        raise EmptyShape(
            f"The generated field is empty at resolution {resolution}: nothing lies inside its surface.",
            "Try another seed or a higher resolution.",
        )
    # Cells that touch along an edge alone are a tie where all values are equally large, as in binary grids, and ties
    # are not broken alike on both sides of a face: let the outside win by a hair.
    field = torch.where(field < 0, field * (1 - 1e-4), field)
    vertices, faces, _, _ = marching_cubes(field.cpu().numpy(), 0.0, gradient_direction="descent")
    vertices = (vertices - 0.5) / resolution - 0.5
    return Mesh(vertices.astype(np.float32), faces.astype(np.int32)).refined(options)
