"""One topology for all frames of a baked shape: a template that is drawn onto each frame's surface.

The middle frame's mesh is the template. From it outwards, each frame takes the positions of the one before, is relaxed
and projected to the nearest points of its own surface:

    x  <-  nearest point on the frame's surface of  (x + relaxed x) / 2

That only works between surfaces of one kind: as many parts, as many holes. Whether it did is measured: how far the
frame's surface lies from the projected template.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bpy.types import Key, Object
from mathutils.bvhtree import BVHTree
from numpy.typing import NDArray

from .objects import Geometry

#: Rounds of relaxing and projecting for each frame.
ROUNDS = 2
#: So far from a frame's surface, in cells of its grid, may all but one in a hundred points of it be.
NEAR, SHARE = 1.5, 0.99
#: And so many of the template's triangles may have turned over.
FOLDED = 0.01

Points = NDArray[np.float32]


@dataclass(frozen=True)
class Fitted:
    """A template on the surface of each frame.

    Args:
        template: its mesh, which is the middle frame's.
        positions: of its vertices, one array (V, 3) a frame; empty where it does not work.
        reason: why not, one sentence; empty where it does.
    """

    template: Geometry
    positions: Sequence[Points]
    reason: str = ""


def fit(frames: Sequence[tuple[int, Geometry]], cell: float) -> Fitted:
    """The middle frame's mesh on the surface of each frame.

    Args:
        frames: number and mesh of each, in order.
        cell: side of a cell of the grid that the meshes were made on.
    """
    middle = len(frames) // 2
    number, template = frames[middle]
    kind = _kind(template)
    for other, shape in frames:
        if _kind(shape) != kind:
            reason = f"Frame {other} has {_said(_kind(shape))}, but frame {number} has {_said(kind)}: no shape keys."
            return Fitted(template, [], reason)
    found: dict[int, Points] = {middle: template.vertices}
    edges = template.edges
    for order in (range(middle + 1, len(frames)), range(middle - 1, -1, -1)):
        last = middle
        for place in order:
            other, shape = frames[place]
            found[place] = _projected(found[last], edges, shape)
            if not _good(found[place], template.faces, shape, cell):
                reason = f"The mesh of frame {number} cannot be drawn onto that of frame {other}: no shape keys."
                return Fitted(template, [], reason)
            last = place
    return Fitted(template, [found[place] for place in range(len(frames))])


def add(obj: Object, frames: Sequence[int], positions: Sequence[Points]) -> None:
    """Gives an object a shape key for each frame, with keyframes that pass from one to the next in a straight line.

    Args:
        obj: with a mesh of as many vertices.
        frames: their numbers, in order.
        positions: of the vertices, one array (V, 3) a frame.
    """
    obj.shape_key_add(name="Basis", from_mix=False)
    for place, (frame, points) in enumerate(zip(frames, positions, strict=True)):
        key = obj.shape_key_add(name=f"Frame {frame}", from_mix=False)
        data: Any = key.data
        data.foreach_set("co", np.ravel(points))
        # Relative keys add up: at every time the values of two neighbours sum to 1, before and after the range too.
        for neighbour in (place - 1, place, place + 1):
            if 0 <= neighbour < len(frames):
                key.value = 1.0 if neighbour == place else 0.0
                key.keyframe_insert("value", frame=frames[neighbour])
    mesh: Any = obj.data
    straighten(mesh.shape_keys)


def straighten(owner: Object | Key) -> None:
    """Makes the keyframes of an object, or of shape keys, pass from one to the next in a straight line."""
    animation: Any = owner.animation_data
    action = animation.action
    if getattr(action, "layers", None):
        # Since 4.4 an action has layers; here it is one, with the curves of its one slot.
        curves = [
            curve
            for layer in action.layers
            for strip in layer.strips
            for bag in strip.channelbags
            for curve in bag.fcurves
        ]
    else:
        curves = list(action.fcurves)
    for curve in curves:
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"


def _kind(shape: Geometry) -> tuple[int, int]:
    """How many parts a closed mesh has, and how many holes go through them: what deforming it cannot change."""
    parts = _parts(len(shape.vertices), shape.edges)
    euler = len(shape.vertices) - len(shape.edges) + len(shape.faces)
    # Of closed surfaces: Euler's number is twice the parts less twice the holes.
    return parts, parts - euler // 2


def _said(kind: tuple[int, int]) -> str:
    parts, holes = kind
    return f"{parts} part{'' if parts == 1 else 's'} and {holes} hole{'' if holes == 1 else 's'}"


def _parts(count: int, edges: NDArray[np.int32]) -> int:
    """The connected parts of a graph of ``count`` points."""
    label = np.arange(count)
    while True:
        # The smaller label wins along each edge, and labels are followed to their own label: few rounds are enough.
        low = np.minimum(label[edges[:, 0]], label[edges[:, 1]])
        new = label.copy()
        np.minimum.at(new, edges[:, 0], low)
        np.minimum.at(new, edges[:, 1], low)
        new = new[new]
        if np.array_equal(new, label):
            return len(np.unique(label))
        label = new


def _projected(points: Points, edges: NDArray[np.int32], shape: Geometry) -> Points:
    """Points relaxed along their edges and drawn onto a surface."""
    tree = _tree(shape.vertices, shape.faces)
    degree = np.bincount(edges.ravel(), minlength=len(points)).clip(1)[:, None]
    for turn in range(ROUNDS):
        if turn:
            total = np.zeros_like(points)
            np.add.at(total, edges[:, 0], points[edges[:, 1]])
            np.add.at(total, edges[:, 1], points[edges[:, 0]])
            points = (points + total / degree) / 2
        points = _nearest(tree, points)
    return points


def _good(points: Points, faces: NDArray[np.int32], shape: Geometry, cell: float) -> bool:
    """Whether a projected template covers a surface: all of it is near, and hardly a triangle has turned over."""
    tree = _tree(points, faces)
    away = np.linalg.norm(_nearest(tree, shape.vertices) - shape.vertices, axis=1)
    if np.quantile(away, SHARE) > NEAR * cell:
        return False
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    target = _tree(shape.vertices, shape.faces)
    facing = [target.find_nearest(centre)[1] for centre in corners.mean(1).tolist()]
    turned = np.einsum("ij,ij->i", normals, np.array([tuple(normal) for normal in facing], dtype=np.float32)) < 0
    return bool(turned.mean() <= FOLDED)


def _tree(points: Points, faces: NDArray[np.int32]) -> Any:
    """A :class:`BVHTree`; of a mesh with faces its answers are never None, whatever Blender's stubs say."""
    return BVHTree.FromPolygons(points.tolist(), faces.tolist(), all_triangles=faces.shape[1] == 3)


def _nearest(tree: Any, points: Points) -> Points:
    """The nearest point on a surface of each of some points (N, 3)."""
    return np.array([tuple(tree.find_nearest(point)[0]) for point in points.tolist()], dtype=np.float32)
