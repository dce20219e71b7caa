"""From a sampled field to a closed mesh: marching cubes, or its dual for quads, on a padded grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.measure import marching_cubes
from torch import Tensor
from torch.nn import functional

from ..errors import EmptyShape
from . import budget, dual
from .mesh import Mesh

if TYPE_CHECKING:
    from .mesh import MeshOptions


def grid_centres(resolution: int, device: torch.device | None = None) -> Tensor:
    """Centres of the cells of a grid over [-0.5, 0.5]^3, with shape (R, R, R, 3), in model units."""
    axis = (torch.arange(resolution, device=device, dtype=torch.float32) + 0.5) / resolution - 0.5
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)


def resampled(values: Tensor, resolution: int) -> Tensor:
    """Values (R, R, R) at cell centres, interpolated trilinearly at the centres of another grid; outside they are 0."""
    # grid_sample's last axis runs (x, y, z) over (W, H, D), that is over our [z, y, x].
    grid = (grid_centres(resolution, values.device) * 2).flip(-1)[None]
    return functional.grid_sample(values.float()[None, None], grid, align_corners=False)[0, 0]


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
        EmptyShape: the field has no surface, or its values are not finite, or nothing is left within the face budget.
    """
    if not torch.isfinite(values).all():
        raise EmptyShape("The generated field holds values that are not numbers.", "Try another seed.")
    field = _padded(values, level)
    if not (field < 0).any():
        raise EmptyShape(
            f"The generated field is empty at resolution {len(values)}: nothing lies inside its surface.",
            "Try another seed or a higher resolution.",
        )
    if options.quads:
        vertices, corners = dual.quads(field.cpu().numpy())
        mesh = Mesh.of_quads(_placed(vertices, len(values)), corners.astype(np.int32))
        if 0 < options.faces < len(mesh.polygons):
            mesh = budget.within(
                mesh,
                lambda size: (resampled(values - level, size) < 0).cpu().numpy(),
                len(values),
                options.faces,
            )
        return mesh.refined(options)
    # Cells that touch along an edge alone are a tie where all values are equally large, as in binary grids, and ties
    # are not broken alike on both sides of a face: let the outside win by a hair.
    field = torch.where(field < 0, field * (1 - 1e-4), field)
    vertices, faces, _, _ = marching_cubes(field.cpu().numpy(), 0.0, gradient_direction="descent")
    return Mesh(_placed(vertices, len(values)), faces.astype(np.int32)).refined(options)


def _padded(values: Tensor, level: float) -> Tensor:
    """Values (R, R, R) less the level, nowhere 0, with one layer outside of the surface around them."""
    outside = level + max(float((values - level).abs().max()), 1.0 / len(values))
    field = functional.pad(values.float(), (1,) * 6, value=outside) - level
    # A sample exactly on the surface makes faces without area: move it just outside.
    tiny = 1e-6 * max(float(field.abs().max()), 1e-6)
    return torch.where(field.abs() < tiny, field.new_tensor(tiny), field)


def _placed(vertices: NDArray[np.floating], resolution: int) -> NDArray[np.float32]:
    """Vertices of a padded grid, in model units."""
    return ((vertices - 0.5) / resolution - 0.5).astype(np.float32)
