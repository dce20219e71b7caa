"""Occupancy grids as assets: what is full and what is empty is given, distances follow from distance transforms."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import BadMesh, BadRequest
from ..representations import Mesh, MeshOptions

#: Grids with more cells along one side are not read: 1 GiB of floats each.
MAX_RESOLUTION = 512


@dataclass(frozen=True, eq=False)
class Grid:
    """A shape that is given as full and empty cells.

    Between the centres of its cells the signed distance is interpolated, so every resolution can be asked for; at its
    own, :meth:`voxels` gives back the cells as they are.

    Args:
        occupancy: with shape (R, R, R), bool, indexed [x, y, z], in the engine's frame.

    Raises:
        BadMesh: not a cube of at least 2 cells, or no cell is full.
    """

    occupancy: NDArray[np.bool_]

    def __post_init__(self) -> None:
        size = self.occupancy.shape
        if len(size) != 3 or len(set(size)) != 1 or size[0] < 2 or self.occupancy.dtype != np.bool_:
            raise BadMesh(f"A grid must be bool (R, R, R), R at least 2; got {self.occupancy.dtype} {size}.")
        if not self.occupancy.any():
            raise BadMesh("No cell of the grid is full.", "Choose a grid with a shape in it.")

    @cached_property
    def field(self) -> NDArray[np.float32]:
        """Signed distances at the centres of the grid's own cells, negative inside, with shape (R, R, R)."""
        # What lies beyond the border is empty: a layer of it bounds the distances from inside.
        full = np.pad(self.occupancy, 1)
        outward = np.asarray(ndimage.distance_transform_edt(~full))
        inward = np.asarray(ndimage.distance_transform_edt(full))
        # The surface runs half way between the centres of a full cell and of an empty one.
        signed = np.where(full, 0.5 - inward, outward - 0.5)[1:-1, 1:-1, 1:-1]
        return (signed / len(self.occupancy)).astype(np.float32)

    @cached_property
    def mesh(self) -> Mesh:
        """The closed surface between full and empty cells."""
        import torch

        from ..representations import isosurface

        return isosurface.extract(torch.as_tensor(self.field), 0.0, MeshOptions(max(len(self.field), 8)))

    def sdf(self, points: NDArray) -> NDArray[np.float32]:
        """Signed distances, negative inside, of (N, 3) positions; with shape (N,), in model units."""
        points = np.asarray(points, dtype=np.float64)
        cells = len(self.field)
        limit = 0.5 - 0.5 / cells
        nearest = points.clip(-limit, limit)
        where = ((nearest + 0.5) * cells - 0.5).T
        values = ndimage.map_coordinates(self.field, where, output=np.float64, order=1, mode="nearest")
        # Beyond the outermost centres the way back to them is added: they are the nearest that is known.
        return (values + np.linalg.norm(points - nearest, axis=1)).astype(np.float32)

    def sdf_grid(self, resolution: int, truncation: float = 0.1) -> NDArray[np.float32]:
        """Signed distances at the cell centres, clamped to +-``truncation``, with shape (R, R, R)."""
        values = self.field if resolution == len(self.field) else self._resampled(resolution)
        return values.clip(-truncation, truncation).astype(np.float32)

    def voxels(self, resolution: int) -> NDArray[np.bool_]:
        """Solid occupancy at the cell centres, with shape (R, R, R)."""
        if resolution == len(self.occupancy):
            return self.occupancy.copy()
        return self._resampled(resolution) < 0

    def surface(self, count: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Points uniform on the surface, and the normals of its faces there, each with shape (count, 3)."""
        points, faces = self.mesh.sample_with_faces(count, np.random.Generator(np.random.PCG64(seed)))
        a, b, c = (self.mesh.vertices[self.mesh.faces[faces, k]].astype(np.float64) for k in range(3))
        normals = np.cross(b - a, c - a)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
        return points, normals.astype(np.float32)

    def _resampled(self, resolution: int) -> NDArray[np.float32]:
        axis = (np.arange(resolution) + 0.5) / resolution - 0.5
        centres = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
        return self.sdf(centres).reshape((resolution,) * 3)


def read_grids(path: Path, key: str, count: int, first: int = 0) -> Sequence[Grid]:
    """Grids out of one array of an NPZ file in ModelNet10's packed layout.

    Each row is ``np.packbits`` of a flattened grid whose first axis runs from the front to the back, whose second runs
    from the right to the left and whose third runs up. The cells stay as they are: no shape is scaled.

    Args:
        path: of the file.
        key: name of the array in it, uint8 with shape (N, R^3 / 8).
        count: at most so many grids.
        first: the first row.

    Raises:
        BadRequest: no such file, no such array, or another layout.
        BadMesh: a grid without any full cell.
    """
    if not path.is_file():
        raise BadRequest(f"There is no file {path}.", "Check its name.")
    try:
        # NumPy leaves files open that it opened itself and that turn out to be damaged.
        with path.open("rb") as file, zipfile.ZipFile(file), np.load(file, allow_pickle=False) as archive:
            names = list(archive)
            rows = archive[key] if key in names else None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadRequest(f"{path.name} cannot be read as an NPZ file.", "Save it again.", repr(error)) from error
    if rows is None:
        raise BadRequest(f"{path.name} has no array '{key}'.", f"It has {', '.join(names) or 'none'}.")
    side = round((rows.shape[-1] * 8) ** (1 / 3)) if rows.ndim == 2 else 0
    if rows.dtype != np.uint8 or side < 2 or side > MAX_RESOLUTION or -(-(side**3) // 8) != rows.shape[-1]:
        raise BadRequest(
            f"'{key}' of {path.name} is {rows.dtype} {rows.shape}; expected packed grids, uint8 (N, R^3 / 8).",
            "Pack each grid by numpy.packbits.",
        )
    rows = rows[first : first + count]
    if not len(rows):
        raise BadRequest(f"'{key}' of {path.name} has no row {first}.", "Choose an earlier first row.")
    grids = []
    for number, row in enumerate(rows, first):
        cells = np.unpackbits(row, count=side**3).reshape((side,) * 3).astype(bool)
        try:
            # A quarter turn about the vertical, without mirroring.
            grids.append(Grid(np.ascontiguousarray(cells.transpose(1, 0, 2)[::-1])))
        except BadMesh as error:
            raise BadMesh(f"{path.name}:{key}, row {number}: {error.message}", error.remedy) from error
    return grids
