"""What a request gives of a shape that is to be completed, and which of its triangles stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadRequest
from ..protocol import Request
from . import reading

if TYPE_CHECKING:
    from ..data.exact import Kept
    from ..data.regions import Region
    from ..data.solid import Frame, Solid
    from ..representations import Mesh
    from ..tasks import Shape


@dataclass(frozen=True)
class Given:
    """A shape of which a part is known.

    Args:
        solid: in the engine's frame; only what lies in known cells counts.
        known: with shape (R, R, R), bool.
        frame: how the engine's frame relates to the artist's.
        kept: whose triangles stay; None where they need not.
    """

    solid: Solid
    known: NDArray[np.bool_]
    frame: Frame
    kept: Kept | None

    def exactly(self, shapes: Iterator[Shape]) -> Iterator[Shape]:
        """Completions with the given triangles, where they have to stay."""
        from ..data.exact import Exact

        for shape in shapes:
            kept = self.kept
            yield shape if kept is None else replace(shape, representation=Exact(shape.representation, kept))

    def restored(self, request: Request, mesh: Mesh, vertices: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """A completion in which the kept vertices are the artist's own to the bit.

        Args:
            request: with the artist's vertices.
            mesh: the completion, in the engine's frame.
            vertices: the same in the artist's coordinates, with shape (V, 3).

        Returns:
            ``vertices``, and which of the artist's each of them is: ``kept`` (V,), -1 for none.
        """
        own = reading.array(request, "vertices", np.float32, (-1, 3))
        kept = origins(mesh.vertices, self.frame.inward(own))
        return {"vertices": np.where((kept >= 0)[:, None], own[kept], vertices), "kept": kept}


def given(request: Request, resolution: int) -> Given:
    """By what is marked: by a region, by selected faces, else by the open edges of what was deleted.

    Args:
        request: its array ``selected`` (F,) says which faces are made anew; its option ``box``, two corners, or its
            arrays ``outline`` (N, 2) and ``projection`` (4, 4) say which region is: see :mod:`..data.regions`. Both are
            in the artist's coordinates.
        resolution: R.

    Raises:
        BadMesh, BadRequest: nothing is missing, or nothing would be kept.
    """
    from ..data import exact, partial, solid

    mesh, frame = reading.mesh_of(request)
    whole, region = solid.Solid(mesh), _region(request, frame)
    kept = whole
    if region is not None:
        known = region.outside(resolution)
    elif "selected" in request.arrays:
        anew = reading.array(request, "selected", np.bool_, (len(mesh.faces),))
        if anew.all():
            raise BadRequest("Every face is selected: nothing would be kept.", "Select fewer, or use Generate.")
        kept = solid.Solid(replace(mesh, faces=mesh.faces[~anew]))
        known = partial.far_from_faces(mesh.vertices[mesh.faces[anew]], kept, resolution)
    else:
        known = partial.near_surface(whole, resolution)
    exactly = exact.Kept(kept, known, region) if request.options.get("exact") else None
    return Given(whole, known, frame, exactly)


def _region(request: Request, frame: Frame) -> Region | None:
    from ..data import regions

    box = request.options.get("box")
    if box is not None:
        return regions.Box(*np.asarray(frame.inward(np.reshape(box, (2, 3))), dtype=np.float64))
    if "outline" not in request.arrays:
        return None
    outline = reading.array(request, "outline", np.float64, (-1, 2))
    projection = reading.array(request, "projection", np.float64, (4, 4))
    return regions.Outline(outline, projection @ frame.matrix)


def origins(found: NDArray[np.float32], given: NDArray[np.float32]) -> NDArray[np.int32]:
    """Which of the given positions (N, 3) each of those found (V, 3) is, to the bit; -1 for none; with shape (V,)."""
    # Zero has two signs, which are the same place.
    numbers = np.unique(np.concatenate([given, found]) + np.float32(0), axis=0, return_inverse=True)[1].reshape(-1)
    first = np.full(int(numbers.max()) + 1, -1, dtype=np.int32)
    first[numbers[: len(given)][::-1]] = np.arange(len(given), dtype=np.int32)[::-1]
    return first[numbers[len(given) :]]
