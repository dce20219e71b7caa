"""Assets: what an artist has in the scene, as meshes of the world. Reading them changes nothing in Blender.

One object is one asset. An object with children, such as an empty, an armature or a table with its drawers, is one
asset together with them. What is seen counts: modifiers are applied, instances are real, text, curves and metaballs
are meshes, and what is hidden is left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from bpy.types import Collection, Context, Depsgraph, Material, Object
from mathutils import Matrix
from numpy.typing import NDArray

from ..gen3d_core.errors import BadMesh
from . import objects
from .memory import recall
from .objects import Surface

#: Below that a model has little to learn from.
FEW = 8
#: Objects that Blender can turn into meshes.
SURFACES = ("MESH", "CURVE", "SURFACE", "FONT", "META")
#: Those of them whose surface Blender lists a second time, as a mesh that is an instance of themselves.
LISTED_TWICE = ("CURVE", "SURFACE", "FONT", "META")
#: The colour of what has no material, in linear light.
PLAIN = (0.8, 0.8, 0.8)


@dataclass(frozen=True)
class Asset:
    """One thing of the artist's.

    Args:
        name: as the artist calls it.
        vertices: with shape (V, 3), in world units.
        faces: with shape (F, 3), vertices; they look outwards as the artist's do.
        matrix: of the object that it is named after.
        uid: its ``session_uid``.
        library: the file that it is linked from; empty for the artist's own.
    """

    name: str
    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    matrix: Matrix
    uid: int
    library: str


@dataclass(frozen=True)
class Piece:
    """What is seen of one object.

    Args:
        vertices: with shape (V, 3), in world units.
        faces: with shape (F, 3).
        colours: of the faces, by their materials: with shape (F, 3), linear light from 0 to 1.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    colours: NDArray[np.float32]


def tops(given: Iterable[Object]) -> Iterator[Object]:
    """The objects that assets are named after: those without an ancestor among the given ones."""
    given = list(given)
    uids = {obj.session_uid for obj in given}
    return (obj for obj in given if not any(parent.session_uid in uids for parent in _ancestors(obj)))


def selected(context: Context) -> list[Object]:
    """The top objects of the selection."""
    return list(tops(context.selected_objects))


def inside(collection: Collection) -> list[Object]:
    """The top objects of a collection and of those in it."""
    return list(tops(collection.all_objects))


def read(top: Object, graph: Depsgraph | None = None) -> Asset:
    """An object with its children as one mesh, as it is seen.

    Raises:
        BadMesh: there is nothing to be seen of it that has faces; the message says why.
    """
    graph = graph or bpy.context.evaluated_depsgraph_get()
    vertices, faces = _joined(_pieces([top, *top.children_recursive], graph))
    if not len(faces):
        raise _explained(top, graph)
    return Asset(top.name, vertices, faces, top.matrix_world.copy(), top.session_uid, _library(top))


def joined(name: str, given: Sequence[Object], graph: Depsgraph) -> Asset:
    """Several objects as one asset, such as those of one file.

    Raises:
        BadMesh: none of them has faces.
    """
    vertices, faces = _joined(_pieces(given, graph))
    if not len(faces):
        raise BadMesh("It holds no faces.", "Choose a file with a surface.")
    return Asset(name, vertices, faces, Matrix(), 0, "")


def surface(top: Object) -> Surface:
    """An asset as a request takes it.

    Raises:
        BadMesh: see :func:`read`.
    """
    if recall(top).task and not top.children:
        return objects.surface(top)
    asset = read(top)
    # A result goes back into the coordinates of the object, so these have to lead somewhere.
    lost = abs(asset.matrix.determinant()) < 1e-12
    place: Any = asset.matrix.translation
    matrix = Matrix.Translation(place) if lost else asset.matrix
    return Surface(asset.vertices.astype(np.float32), asset.faces, True, matrix, asset.name)


def painted(given: Sequence[Object]) -> list[Piece]:
    """What is seen of some objects and their children, piece by piece."""
    family = {obj.session_uid: obj for top in given for obj in (top, *top.children_recursive)}
    return _pieces(list(family.values()), bpy.context.evaluated_depsgraph_get())


def _joined(pieces: Sequence[Piece]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Vertices (V, 3) in world units and faces (F, 3) of several pieces."""
    starts = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
    faces = [piece.faces + start for piece, start in zip(pieces, starts, strict=False)]
    return (
        np.concatenate([np.empty((0, 3)), *(piece.vertices for piece in pieces)]),
        np.concatenate([np.empty((0, 3), dtype=np.int32), *faces]).astype(np.int32),
    )


def _pieces(given: Sequence[Object], graph: Depsgraph) -> list[Piece]:
    """What is seen of some objects, instances included."""
    wanted = {obj.session_uid for obj in given}
    found: list[Piece] = []
    #: Surfaces of curves, of which another listing as a mesh may follow.
    curves: dict[Any, Piece] = {}
    for instance in graph.object_instances:
        shown: Any = instance.object
        made_by: Any = instance.parent if instance.is_instance else shown
        uid = made_by.original.session_uid if made_by else 0
        if uid not in wanted or shown.type not in SURFACES:
            continue
        if not (instance.is_instance or instance.show_self):
            continue
        piece = _piece(shown, instance.matrix_world)
        key = (uid, shown.original.session_uid, *(value for row in instance.matrix_world for value in row))
        if shown.type in LISTED_TWICE:
            curves[key] = piece
        else:
            curves.pop(key, None)
            found.append(piece)
    found += curves.values()
    return [piece for piece in found if len(piece.faces)]


def _piece(evaluated: Object, matrix: Matrix) -> Piece:
    """One evaluated object's triangles in the world."""
    mesh = evaluated.to_mesh()
    if mesh is None:
        return Piece(np.empty((0, 3)), np.empty((0, 3), dtype=np.int32), np.empty((0, 3), dtype=np.float32))
    try:
        mesh.calc_loop_triangles()
        count = len(mesh.loop_triangles)
        vertices = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
        faces = np.empty(count * 3, dtype=np.int32)
        slots = np.empty(count, dtype=np.int32)
        mesh.vertices.foreach_get("co", vertices)
        mesh.loop_triangles.foreach_get("vertices", faces)
        mesh.loop_triangles.foreach_get("material_index", slots)
    finally:
        evaluated.to_mesh_clear()
    colours = np.array([_colour(slot.material) for slot in evaluated.material_slots] or [PLAIN], dtype=np.float32)
    m = np.array(matrix, dtype=np.float64)
    faces = faces.reshape(-1, 3)
    # A mirroring transform turns the surface inside out.
    faces = faces if np.linalg.det(m[:3, :3]) >= 0 else faces[:, ::-1]
    placed = vertices.reshape(-1, 3).astype(np.float64) @ m[:3, :3].T + m[:3, 3]
    return Piece(placed, faces, colours[slots.clip(0, len(colours) - 1)])


def _colour(material: Material | None) -> tuple[float, ...]:
    """A material's plain colour: what its shader begins with, where no texture decides."""
    if material is None:
        return PLAIN
    for node in material.node_tree.nodes if material.node_tree else ():
        if node.type == "BSDF_PRINCIPLED" and not node.inputs["Base Color"].is_linked:
            base: Any = node.inputs["Base Color"]
            return tuple(base.default_value[:3])
    shown: Any = material.diffuse_color
    return tuple(shown[:3])


def _explained(top: Object, graph: Depsgraph) -> BadMesh:
    """Why there is nothing of an object."""
    if not top.visible_get(view_layer=graph.view_layer):
        return BadMesh("It is hidden, or in another scene.", "Show it, or leave it out.")
    if top.type == "META":
        return BadMesh("It is a part of another metaball's surface.", "Choose that one: the name without a number.")
    if top.type == "EMPTY":
        return BadMesh("It is an empty without visible children or instances.", "Leave it out.")
    if top.type not in SURFACES:
        kind = top.type.replace("_", " ").lower()
        return BadMesh(f"Objects of the kind '{kind}' have no faces.", "Leave it out, or convert it to a mesh.")
    return BadMesh("It has no faces.", "Give it a surface, or leave it out.")


def _ancestors(obj: Object) -> Iterator[Object]:
    while obj.parent:
        obj = obj.parent
        yield obj


def _library(obj: Object) -> str:
    """The file that an object or its data comes from."""
    source = obj.library or getattr(obj.data, "library", None)
    override = obj.override_library
    if not source and override and override.reference:
        source = override.reference.library
    if not source and obj.instance_collection:
        source = obj.instance_collection.library
    return bpy.path.basename(source.filepath) if source else ""
