"""What a task makes of one object of the scene: it can be put there only while the object is there and free.

While it is not, the result is held: undo may bring the object back, and the artist may change what keeps it. Or the
artist has the result as a new object, or drops it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import bpy
from bpy.types import Mesh, Object
from mathutils import Matrix

from ..gen3d_core.errors import BadRequest
from . import objects
from .memory import Memory
from .objects import Geometry


@dataclass(frozen=True)
class ForObject:
    """The end of a verb, as :data:`.verbs.Finish`, whose result belongs to an object that may have gone meanwhile.

    Args:
        uid, name: of the object; see :func:`.objects.find`.
        put: gives it the result.
        meshed: whether that replaces its mesh, which something may forbid.
        anew: makes a new object of the result; None where it is of no use without the other one.
    """

    uid: int
    name: str
    put: Callable[[Object], list[Object]]
    meshed: bool = True
    anew: Callable[[], list[Object]] | None = None

    @property
    def found(self) -> Object | None:
        """The object; None where it is gone."""
        found = objects.find(self.uid, self.name)
        return found if found is not None and isinstance(found.data, Mesh) else None

    @property
    def obstacle(self) -> str:
        """Why the result cannot be put there now, as a sentence without its full stop; empty where it can."""
        found = self.found
        if found is None:
            return f"'{self.name}' is gone: undo brings it back"
        reason = objects.refusal(found, replace_edits=True) if self.meshed else ""
        return f"'{found.name}' cannot be changed. {reason}" if reason else ""

    def __call__(self) -> list[Object]:
        """Gives the object the result.

        Raises:
            BadRequest: it is gone, or must not be changed.
        """
        found, obstacle = self.found, self.obstacle
        if found is None or obstacle:
            raise BadRequest(f"{obstacle}.", "Change that, then try again.")
        return self.put(found)


@dataclass(frozen=True)
class Likeness:
    """What a new object takes from one that may go: noted while that one is there.

    Args:
        name: its name.
        matrix: where it stands in the world.
        materials: names of those of its mesh, empty for none, by slot.
        memory: what it remembers.
    """

    name: str
    matrix: Matrix
    materials: Sequence[str]
    memory: Memory

    @classmethod
    def of(cls, obj: Object, memory: Memory) -> "Likeness":
        """Of an object with a mesh."""
        mesh: Any = obj.data
        names = [material.name if material else "" for material in mesh.materials]
        return cls(obj.name, obj.matrix_world.copy(), names, memory)

    def made(self, shape: Geometry, latent: Any, note: str = "") -> list[Object]:
        """A new object of some geometry that looks as the other one did, and stands where that stood.

        Args:
            shape: in the coordinates of the other one.
            latent: of the result, with shape (L,); None for that of the memory.
            note: what the engine had to say about it.
        """
        kept = self.memory.latent if latent is None else latent
        obj = objects.single(
            objects.target(bpy.context), shape, replace(self.memory, latent=kept, note=note), self.name
        )
        obj.matrix_world = self.matrix
        for name in self.materials:
            obj.data.materials.append(bpy.data.materials.get(name))  # type: ignore[union-attr]
        return [obj]
