"""Binary PLY files, written with NumPy: what a training reads."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_FACE = np.dtype([("count", "u1"), ("corners", "<i4", (3,))])


def write(path: Path, vertices: NDArray[np.float64], faces: NDArray[np.int32]) -> None:
    """Writes a triangle mesh.

    Positions are in double precision: an asset may stand far from the origin, and should not lose its details there.

    Args:
        path: of the new file.
        vertices: with shape (V, 3), in metres, +Z up.
        faces: with shape (F, 3), vertices.
    """
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {len(vertices)}\nproperty double x\nproperty double y\nproperty double z\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    table = np.empty(len(faces), dtype=_FACE)
    table["count"], table["corners"] = 3, faces
    with path.open("wb") as file:
        file.write(header.encode("ascii"))
        file.write(np.ascontiguousarray(vertices, dtype="<f8").tobytes())
        file.write(table.tobytes())
