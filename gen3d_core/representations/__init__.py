"""What systems put out: each representation checks its arrays and knows how to become a mesh."""

from .base import Representation
from .field import Field
from .mesh import Mesh, MeshOptions
from .voxels import Voxels

__all__ = ["Field", "Mesh", "MeshOptions", "Representation", "Voxels"]
