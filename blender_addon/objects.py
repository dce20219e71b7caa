"""Blender's side of geometry: meshes in and out, places, units. Nothing else knows of transforms and mesh data.

One engine unit is one metre, whatever the scene's unit is. The engine's axes are Blender's, so a mesh holds the
engine's coordinates as they are; where the scene's unit is not a metre, the new object has a scale.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import bpy
import numpy as np
from bpy.types import Collection, Context, Mesh, Object, Scene, ViewLayer
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from ..gen3d_core.errors import BadMesh, BadRequest, ProtocolError
from ..gen3d_core.protocol import Event
from . import laying
from .memory import MATRIX, Memory, recall, remember

#: Edges that turn more than this stay sharp under smooth shading.
SHARP_ANGLE = math.radians(40)
#: From one shape of a row to the next, in sizes of a shape.
PITCH = 1.25


@dataclass(frozen=True)
class Target:
    """Where results go, as noted when they were asked for; a uid is found again after an undo.

    Args:
        scene, collection: their ``session_uid``.
        view_layer: its name.
        cursor: the 3D cursor, in world units.
    """

    scene: int
    collection: int
    view_layer: str
    cursor: tuple[float, float, float]


@dataclass(frozen=True)
class Geometry:
    """What the engine sent, checked: Blender trusts indices, and one that leads outside would crash it.

    Args:
        vertices: with shape (V, 3).
        faces: triangles with shape (F, 3), or quads with shape (F, 4): vertices.
        edges: with shape (E, 2), vertices.
        corner_edges: with shape (3F,) or (4F,), the edge that follows each corner of the faces.

    Raises:
        ProtocolError: the arrays do not make a mesh.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    edges: NDArray[np.int32]
    corner_edges: NDArray[np.int32]

    def __post_init__(self) -> None:
        corners = 4 if self.faces.shape[-1:] == (4,) else 3
        sizes = (("vertices", "float32", (-1, 3)), ("faces", "int32", (-1, corners)), ("edges", "int32", (-1, 2)))
        for name, dtype, size in (*sizes, ("corner_edges", "int32", (self.faces.size,))):
            array = getattr(self, name)
            if array.dtype != dtype or array.ndim != len(size) or array.shape[-1] != size[-1]:
                raise _not_a_mesh()
        for indices, count in (
            (self.faces, self.vertices),
            (self.edges, self.vertices),
            (self.corner_edges, self.edges),
        ):
            if indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < len(count):
                raise _not_a_mesh()
        if not len(self.faces) or not np.isfinite(self.vertices).all():
            raise _not_a_mesh()

    @classmethod
    def of(cls, result: Event) -> "Geometry":
        """What one result holds."""
        try:
            return cls(*(result.arrays[name] for name in ("vertices", "faces", "edges", "corner_edges")))
        except KeyError:
            raise _not_a_mesh() from None

    def transformed(self, matrix: Matrix) -> "Geometry":
        """After a transform; one that mirrors turns the faces too, so that they go on looking outwards."""
        vertices = transformed(self.vertices, matrix)
        if matrix.determinant() > 0:
            return replace(self, vertices=vertices)
        # What was the edge from the corner before is now the edge to it: the last one stays the last.
        corner_edges = np.roll(self.corner_edges.reshape(self.faces.shape)[:, ::-1], -1, axis=1).ravel()
        return replace(self, vertices=vertices, faces=self.faces[:, ::-1], corner_edges=corner_edges)


@dataclass(frozen=True)
class Surface:
    """A mesh as a request takes it.

    Args:
        vertices: with shape (V, 3): in the engine's frame, or in world units where ``fit``.
        faces: with shape (F, 3).
        fit: whether the engine has to fit it into its frame.
        matrix: the object's, from its own coordinates to the world's.
        name: the object's.
        frame: where ``fit``, from the coordinates of ``vertices`` to the world's.
        own: where ``fit``, the vertices in the object's own coordinates, with shape (V, 3).
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    fit: bool
    matrix: Matrix
    name: str
    frame: Matrix = field(default_factory=Matrix)
    own: NDArray[np.float32] | None = None

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """For a request."""
        return {"vertices": self.vertices, "faces": self.faces}

    @property
    def box(self) -> NDArray[np.float32]:
        """The bounding box in the world, with shape (2, 3)."""
        world = transformed(self.vertices, self.frame if self.fit else self.matrix)
        return np.stack([world.min(0), world.max(0)])

    def returned(self, result: Event) -> Geometry:
        """What the engine made of it, in the object's own coordinates."""
        shape = Geometry.of(result)
        if not self.fit:
            return shape
        shape, kept = shape.transformed(self.matrix.inverted() @ self.frame), result.arrays.get("kept")
        if kept is None or self.own is None:
            return shape
        if kept.shape != (len(shape.vertices),) or kept.dtype != np.int32 or kept.max() >= len(self.own):
            raise _not_a_mesh()
        # What is kept exactly must not be rounded on its way through the world and back.
        return replace(shape, vertices=np.where((kept >= 0)[:, None], self.own[kept], shape.vertices))

    def placed(self, result: Event) -> tuple[float, ...]:
        """Where ``fit``, what leads from the engine's frame to the object's coordinates, row by row; else all zeros.

        So later shapes of the same latent space can be put where this one is.
        """
        if not self.fit or "frame" not in result.values:
            return (0.0,) * MATRIX
        scale, *centre = (float(number) for number in result.values["frame"])
        outward = Matrix.Translation(centre) @ Matrix.Scale(1 / scale, 4)
        matrix = self.matrix.inverted() @ self.frame @ outward
        return tuple(number for row in matrix for number in row)

    def local_box(self, world_box: NDArray[np.float32]) -> list[list[float]]:
        """A box of the world (2, 3), in the coordinates of ``vertices``."""
        frame = self.frame if self.fit else self.matrix
        local = transformed(corners(world_box), frame.inverted())
        return [local.min(0).tolist(), local.max(0).tolist()]


def target(context: Context) -> Target:
    """Where results go that are asked for now."""
    scene, view_layer, collection = context.scene, context.view_layer, context.collection
    assert scene is not None
    assert view_layer is not None
    collection = collection or scene.collection
    cursor = scene.cursor.location
    return Target(scene.session_uid, collection.session_uid, view_layer.name, (cursor.x, cursor.y, cursor.z))


def surface(obj: Object) -> Surface:
    """An object's surface as the artist sees it, modifiers included.

    Raises:
        BadMesh: it is no mesh, it has no faces, or it is scaled to nothing.
    """
    if obj.type != "MESH":
        raise BadMesh(f"'{obj.name}' is no mesh.", "Select a mesh object.")
    if obj.mode == "EDIT":
        obj.update_from_editmode()
    graph = bpy.context.evaluated_depsgraph_get()
    evaluated = obj.evaluated_get(graph)
    mesh = evaluated.to_mesh()
    assert mesh is not None
    try:
        mesh.calc_loop_triangles()
        vertices = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
        faces = np.empty(len(mesh.loop_triangles) * 3, dtype=np.int32)
        mesh.vertices.foreach_get("co", vertices)
        mesh.loop_triangles.foreach_get("vertices", faces)
    finally:
        evaluated.to_mesh_clear()
    matrix = evaluated.matrix_world.copy()
    vertices, faces = vertices.reshape(-1, 3), faces.reshape(-1, 3)
    if not len(faces):
        raise BadMesh(f"'{obj.name}' has no faces.", "Choose a mesh with a surface.")
    if abs(matrix.determinant()) < 1e-12:
        raise BadMesh(f"'{obj.name}' is scaled to nothing.", "Give it a size on all three axes.")
    memory = recall(obj)
    # An artist's mesh may lie on its side in its own coordinates: what is up is decided by the world.
    fit = not memory.task or memory.fitted or bool(np.abs(vertices).max() > 0.5 + 1e-3)
    own = vertices
    if fit:
        vertices = transformed(vertices, matrix)
        faces = faces if matrix.determinant() > 0 else np.ascontiguousarray(faces[:, ::-1])
    return Surface(vertices, faces, fit, matrix, obj.name, own=own)


def world_box(obj: Object) -> NDArray[np.float32]:
    """An object's bounding box in the world, with shape (2, 3)."""
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    found = np.array([tuple(corner) for corner in evaluated.bound_box], dtype=np.float32)
    found = transformed(found, evaluated.matrix_world)
    return np.stack([found.min(0), found.max(0)])


def around(boxes: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The box around several, each with shape (2, 3)."""
    return np.stack([np.min([box[0] for box in boxes], axis=0), np.max([box[1] for box in boxes], axis=0)])


def transformed(points: NDArray[np.float32], matrix: Matrix) -> NDArray[np.float32]:
    """Points (N, 3) after a transform."""
    m = np.array(matrix, dtype=np.float64)
    return (points @ m[:3, :3].T + m[:3, 3]).astype(np.float32)


def corners(box: NDArray[np.floating]) -> NDArray[np.float32]:
    """The corners of a box (2, 3), with shape (8, 3)."""
    grid = np.meshgrid(*box.T, indexing="ij")
    return np.stack(grid, -1).reshape(-1, 3).astype(np.float32)


def fill(mesh: Mesh, geometry: Geometry, key: str = "") -> None:
    """Replaces a mesh's geometry, in place.

    Args:
        mesh: keeps its name, users and materials.
        geometry: what it is to show.
        key: of that; see :attr:`.slider.Wanted.key`.
    """
    mesh.clear_geometry()
    mesh.vertices.add(len(geometry.vertices))
    mesh.edges.add(len(geometry.edges))
    mesh.loops.add(geometry.faces.size)
    mesh.polygons.add(len(geometry.faces))
    # The attributes take the arrays as they are, where the older collections convert every number.
    data: Any = mesh.attributes
    data["position"].data.foreach_set("vector", np.ravel(geometry.vertices))
    data[".edge_verts"].data.foreach_set("value", np.ravel(geometry.edges))
    data[".corner_vert"].data.foreach_set("value", np.ravel(geometry.faces))
    data[".corner_edge"].data.foreach_set("value", geometry.corner_edges)
    mesh.polygons.foreach_set("loop_start", np.arange(0, geometry.faces.size, geometry.faces.shape[1], dtype=np.int32))
    mesh.update()
    mesh.set_sharp_from_angle(angle=SHARP_ANGLE)
    group: Any = mesh.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    group.key, group.fingerprint = key, _fingerprint(mesh)


def shown(mesh: Mesh) -> str:
    """The key of what a mesh shows."""
    group: Any = mesh.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    return group.key


def refusal(obj: Object, *, replace_edits: bool = False) -> str:
    """Why an object's mesh must not be replaced now; empty where it may be.

    Args:
        obj: the object.
        replace_edits: whether what an artist changed in it by hand may go.
    """
    mesh = obj.data
    if not isinstance(mesh, Mesh):
        return "It has no mesh"
    if obj.library or mesh.library:
        return "It is linked from another file"
    if obj.mode != "OBJECT":
        return "Waits for Object Mode"
    if mesh.users > 1:
        return "Its mesh is shared: make it single-user"
    if mesh.shape_keys:
        return "Its mesh has shape keys"
    group: Any = mesh.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    if not replace_edits and group.fingerprint and group.fingerprint != _fingerprint(mesh):
        return "Its mesh was edited: Regenerate replaces it"
    return ""


def find(uid: int, name: str = "") -> Object | None:
    """An object by its ``session_uid``; looks first under ``name``."""
    likely = bpy.data.objects.get(name)
    if likely is not None and likely.session_uid == uid:
        return likely
    return next((obj for obj in bpy.data.objects if obj.session_uid == uid), None)


def focus(context: Context, uid: int, name: str) -> None:
    """Makes an object the selection, where it is there and may be selected."""
    obj, layer = find(uid, name), context.view_layer
    if obj is None or layer is None or layer.objects.get(obj.name) != obj or context.mode != "OBJECT":
        return
    for other in layer.objects:
        other.select_set(other == obj)
    layer.objects.active = obj


def in_row(
    where: Target, results: Sequence[Event], memory: Memory, names: Sequence[str], straight: bool = False
) -> list[Object]:
    """New objects in a row that begins at the 3D cursor, each with its lowest point at the cursor's height.

    More than :data:`.laying.LONGEST_ROW` stand in a sheet instead, unless ``straight``. Places where a generated shape
    stands already are passed over.
    """
    scene = _scene(where)
    cursor, size = Vector(where.cursor), laying.metre(scene)
    standing = [obj.location for obj in scene.objects if task_of(obj)]
    pitch = PITCH * size
    free = (
        place
        for column, row in laying.spots(len(results), straight)
        for place in [cursor + Vector((column * pitch, -row * pitch, 0.0))]
        if all((place - other).xy.length > pitch / 2 for other in standing)
    )
    shapes = [Geometry.of(result) for result in results]
    created = []
    for result, shape, name, place in zip(results, shapes, names, free, strict=False):
        obj = _create(shape, memory.of(result), name)
        obj.scale = (size, size, size)
        obj.location = place - Vector((0.0, 0.0, size * float(shape.vertices[:, 2].min())))
        created.append(obj)
    together(created)
    _show(where, scene, created)
    return created


def single(where: Target, shape: Geometry, memory: Memory, name: str) -> Object:
    """One new object, at the origin of the world."""
    scene = _scene(where)
    obj = _create(shape, memory, name)
    together([obj])
    _show(where, scene, [obj])
    return obj


def beside(
    where: Target, source: Surface, results: Sequence[Event], memory: Memory, names: Sequence[str]
) -> list[Object]:
    """New objects with the source's transform, moved aside along the world's x axis, and many along its y axis, too.

    Places where a generated shape stands already are passed over. A shape of the model may be wider than the source:
    what keeps all of them apart is the pitch of the widest.
    """
    scene = _scene(where)
    shapes = [source.returned(result) for result in results]
    moved = [transformed(shape.vertices, source.matrix) for shape in shapes]
    boxes = [np.stack([points.min(0), points.max(0)]) for points in moved]
    pitch = PITCH * np.ptp(around([source.box, *boxes]), axis=0)
    standing = [world_box(obj) for obj in scene.objects if task_of(obj)]
    moves = (
        Matrix.Translation(((column + 1) * pitch[0], -row * pitch[1], 0.0)) for column, row in laying.spots(len(shapes))
    )
    created = []
    for result, shape, box, name in zip(results, shapes, boxes, names, strict=True):
        move = next(move for move in moves if not any(_meet(transformed(box, move), other) for other in standing))
        obj = _create(shape, replace(memory.of(result), frame=source.placed(result)), name)
        obj.matrix_world = move @ source.matrix
        created.append(obj)
    together(created)
    _show(where, scene, created)
    return created


def together(created: Sequence[Object]) -> None:
    """Notes that some objects were made together: see :mod:`.keeping`."""
    batch = uuid4().hex
    for obj in created:
        obj.gen3d.batch = batch  # pyright: ignore[reportAttributeAccessIssue]


def _meet(a: NDArray[np.floating], b: NDArray[np.floating]) -> bool:
    """Whether two boxes (2, 3) have a place in common."""
    return bool((a[0] < b[1]).all() and (b[0] < a[1]).all())


@dataclass(frozen=True)
class Row:
    """What was made of one asset.

    Args:
        source: the asset.
        results: one for each variation.
        memory: what each of them remembers besides.
        names: of the objects.
    """

    source: Surface
    results: Sequence[Event]
    memory: Memory
    names: Sequence[str]


def in_rows(where: Target, title: str, rows: Sequence[Row]) -> list[Object]:
    """New objects in a collection of their own: a row for each asset, along x to the right of all of them.

    A single asset's row begins beside it; those of several follow one another along y. Nothing changes its height.

    Args:
        where: the scene that gets the collection.
        title: of the collection.
        rows: at least one.
    """
    scene = _scene(where)
    shapes = [[row.source.returned(result) for result in row.results] for row in rows]
    boxes = np.stack([row.source.box for row in rows])
    pitch = PITCH * (boxes[:, 1] - boxes[:, 0]).max(0)
    begin = np.array([boxes[:, 1, 0].max() + (PITCH - 1.0) * pitch[0] + pitch[0] / 2, boxes[0, :, 1].mean()])
    collection = bpy.data.collections.new(title)
    scene.collection.children.link(collection)
    created = []
    for number, (row, box) in enumerate(zip(rows, boxes, strict=True)):
        for place, (result, shape, name) in enumerate(zip(row.results, shapes[number], row.names, strict=True)):
            x, y = begin + (place, number) * pitch[:2] - box.mean(0)[:2]
            remembered = replace(row.memory.of(result), frame=row.source.placed(result))
            obj = _create(shape, remembered, name)
            obj.matrix_world = Matrix.Translation((x, y, 0.0)) @ row.source.matrix
            created.append(obj)
        together(created[-len(row.results) :])
    _show(where, scene, created, collection)
    return created


def properties(obj: Object) -> Any:
    """An object's :class:`.properties.Gen3DObject`, of which Blender's stubs know nothing."""
    return obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]


def task_of(obj: Object) -> str:
    """The task that made an object; empty where it is not ours."""
    group: Any = obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    return group.task


def _create(shape: Geometry, memory: Memory, name: str) -> Object:
    mesh = bpy.data.meshes.new(name)
    fill(mesh, shape)
    obj = bpy.data.objects.new(name, mesh)
    remember(obj, memory)
    return obj


def _scene(where: Target) -> Scene:
    scene = next((scene for scene in bpy.data.scenes if scene.session_uid == where.scene), None)
    if scene is None:
        raise BadRequest("The scene that these shapes were made for is gone.", "Start again in another one.")
    return scene


def _show(where: Target, scene: Scene, created: Sequence[Object], collection: Collection | None = None) -> None:
    """Links new objects, into the collection that was active where none is given, and makes them the selection."""
    view_layer: ViewLayer = scene.view_layers.get(where.view_layer) or scene.view_layers[0]
    if collection is None:
        collections: list[Collection] = [scene.collection, *scene.collection.children_recursive]
        collection = next((one for one in collections if one.session_uid == where.collection), scene.collection)
    if collection.library:
        collection = scene.collection
    for obj in created:
        collection.objects.link(obj)
    # Until then it does not know its new objects.
    view_layer.update()
    visible = [obj for obj in created if view_layer.objects.get(obj.name) == obj]
    for obj in view_layer.objects:
        obj.select_set(obj in visible, view_layer=view_layer)
    if visible:
        view_layer.objects.active = visible[0]


def _not_a_mesh() -> ProtocolError:
    return ProtocolError("The engine sent something that is no mesh.", "Restart the engine in the preferences.")


def _fingerprint(mesh: Mesh) -> str:
    positions = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
    attributes: Any = mesh.attributes
    if len(positions):
        attributes["position"].data.foreach_get("vector", positions)
    return f"{len(mesh.vertices)}:{len(mesh.polygons)}:{zlib.crc32(positions.tobytes()):08x}"
