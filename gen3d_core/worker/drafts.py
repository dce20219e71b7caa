"""While an artist drags, each frame's field is evaluated around the surface of the frame before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ..representations import Field
    from ..representations.field import SampledField

#: So many streams are remembered, the ones that moved last.
KEPT = 4


class Drafts:
    """The last grid of each stream of requests; see :meth:`gen3d_core.representations.Field.grid`."""

    def __init__(self) -> None:
        self._last: dict[str, Tensor] = {}

    def sampled(self, field: Field, resolution: int, stream: str = "", draft: bool = False) -> SampledField:
        """A field on a grid, quickly where it is a draft that hardly differs from the one before.

        Args:
            field: of the present shape.
            resolution: cells along one side; a grid of another one is no help.
            stream: whose shapes follow one another; empty for a shape by itself.
            draft: whether another one follows. The last of a stream is none, so that it is exact everywhere.
        """
        found = field.grid(resolution, self._last.get(stream) if draft else None)
        if stream:
            # The one that moved last goes last; the first one is forgotten first.
            self._last.pop(stream, None)
            self._last[stream] = found.values
            while len(self._last) > KEPT:
                del self._last[next(iter(self._last))]
        return found
