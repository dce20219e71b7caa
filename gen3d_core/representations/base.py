"""The one thing every representation can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .mesh import Mesh, MeshOptions


class Representation(ABC):
    """Geometry in the engine's frame: +Z up, -Y front, inside [-0.5, 0.5]^3."""

    @abstractmethod
    def to_mesh(self, options: MeshOptions) -> Mesh:
        """This geometry as triangles.

        Raises:
            EmptyShape: there is no surface, or its values are not finite.
        """
