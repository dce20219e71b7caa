"""What a camera sees of some triangles, as depth or as a plain picture: by rays, without a graphics card or a render.

A camera is as the engine's: it looks along its own -Z with +Y up, row 0 is at the top, and depth is measured along the
optical axis. A parallel view is one from far away through a long lens.
"""

from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np
from bpy.types import Camera as CameraData
from bpy.types import Context, Object
from mathutils import Matrix
from mathutils.bvhtree import BVHTree
from numpy.typing import NDArray

from ..gen3d_core.errors import BadRequest
from .objects import Surface, corners, transformed

Array = NDArray[np.float64]

#: Rays along the longer side of a depth picture, and pixels along that of a plain one.
DEPTH_RAYS, PICTURE_PIXELS = 128, 256
#: Of the cube in which the engine completes a thing, what the thing's longest side takes.
LONGEST = 0.9
#: From so many sizes of a thing a view is as good as parallel.
FAR = 200.0
#: Around a thing, in its size: a ray that just misses it says so.
MARGIN = 0.04
#: Unit directions to two lights and how much of the light comes from each, as in the pictures that models learn from.
KEY, KEY_SHARE = np.array([-0.48, -0.60, 0.64]), 0.42
FILL, FILL_SHARE = np.array([0.74, -0.30, 0.60]), 0.18


@dataclass(frozen=True, eq=False)
class Camera:
    """A posed pinhole camera.

    Args:
        pose: with shape (4, 4), a rotation with a position: from the camera to the world, or to another frame.
        width, height: of the picture, in pixels.
        fx, fy: focal lengths, in pixels.
        cx, cy: where the optical axis meets the picture, in pixels.
    """

    pose: Array
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    @property
    def flat(self) -> tuple[float, ...]:
        """As :data:`.memory.FLAT` numbers that an object can remember, in single precision."""
        inside = (self.width, self.height, self.fx, self.fy, self.cx, self.cy)
        return tuple(np.array([*inside, *self.pose.ravel()], dtype=np.float32).tolist())

    @classmethod
    def of(cls, flat: tuple[float, ...]) -> "Camera":
        """From what :attr:`flat` gives."""
        return cls(np.array(flat[6:], dtype=np.float64).reshape(4, 4), int(flat[0]), int(flat[1]), *flat[2:6])

    def values(self) -> dict[str, Any]:
        """As a request has it."""
        sizes = {"w": self.width, "h": self.height}
        inside = {"fl_x": self.fx, "fl_y": self.fy, "cx": self.cx, "cy": self.cy}
        return {**sizes, **inside, "transform_matrix": self.pose.tolist()}

    def moved(self, matrix: Array) -> "Camera":
        """In another frame; ``matrix`` (4, 4) leads there and keeps lengths."""
        return replace(self, pose=matrix @ self.pose)

    def rays(self) -> Array:
        """Directions through the pixels' centres, with shape (height * width, 3); each advances by one in depth."""
        x = (np.arange(self.width) + 0.5 - self.cx) / self.fx
        y = (self.cy - np.arange(self.height) - 0.5) / self.fy
        right, up, backward = self.pose[:3, :3].T
        return (x[None, :, None] * right + y[:, None, None] * up - backward).reshape(-1, 3)

    def depths(self, points: NDArray[np.floating]) -> Array:
        """Of points (N, 3), along the optical axis."""
        return (self.pose[:3, 3] - points) @ self.pose[:3, 2]

    def framed(self, points: NDArray[np.floating], pixels: int) -> "Camera":
        """The part of the picture around some points (N, 3), with so many pixels along its longer side.

        Raises:
            BadRequest: none of them would be in the picture.
        """
        low, high = np.zeros(2), np.array([self.width, self.height], dtype=np.float64)
        depths = self.depths(points)
        if depths.min() > 0:
            local = (points - self.pose[:3, 3]) @ self.pose[:3, :2] / depths[:, None]
            places = local * (self.fx, -self.fy) + (self.cx, self.cy)
            margin = MARGIN * np.ptp(places, axis=0).max()
            low, high = np.maximum(low, places.min(0) - margin), np.minimum(high, places.max(0) + margin)
        if depths.max() <= 0 or (high <= low).any():
            raise BadRequest("The shape is not in the picture.", "Turn the view or the camera to it.")
        scale = pixels / (high - low).max()
        width, height = (max(round(float(side)), 1) for side in (high - low) * scale)
        inside = (self.fx * scale, self.fy * scale, (self.cx - low[0]) * scale, (self.cy - low[1]) * scale)
        return Camera(self.pose, width, height, *(float(value) for value in inside))


@dataclass(frozen=True, eq=False)
class Sight:
    """A surface before a camera, in one frame.

    Args:
        surface: its results go back to the object.
        camera: that looks at it.
        depth: with shape (H, W), float32; 0 where the ray through a pixel's centre meets nothing.
    """

    surface: Surface
    camera: Camera
    depth: NDArray[np.float32]


def through_camera(camera: Object, box: NDArray[np.floating], pixels: int) -> Camera:
    """The part of a camera object's picture that shows a box of the world, with shape (2, 3).

    Raises:
        BadRequest: it is no camera, a panoramic one, or the box is not in its picture.
    """
    projection, pose, width, height = _picture_of(camera)
    return _pinhole(projection, pose, width, height, box).framed(corners(box), pixels)


def clip(camera: Object) -> Matrix:
    """From the world to OpenGL's clip coordinates of a camera object's picture.

    Raises:
        BadRequest: it is no camera, or a panoramic one.
    """
    projection, pose, _, _ = _picture_of(camera)
    return projection @ Matrix(np.linalg.inv(pose).tolist())


def through_view(context: Context, box: NDArray[np.floating], pixels: int) -> Camera:
    """The part of the 3D view that shows a box of the world, with shape (2, 3).

    Raises:
        BadRequest: there is no 3D view here, or the box is not in it.
    """
    space: Any = context.space_data
    region = (
        next((region for region in context.area.regions if region.type == "WINDOW"), None) if context.area else None
    )
    if space is None or space.type != "VIEW_3D" or region is None:
        raise BadRequest("There is no 3D view here.", "Use a camera, or press the button beside a 3D view.")
    view = space.region_3d
    if view.view_perspective == "CAMERA" and space.camera:
        return through_camera(space.camera, box, pixels)
    pose = rigid(view.view_matrix.inverted())
    return _pinhole(view.window_matrix, pose, region.width, region.height, box).framed(corners(box), pixels)


def room(box: NDArray[np.floating]) -> NDArray[np.floating]:
    """The cube around a thing's box (2, 3) in which the engine completes it: that nothing is beside it is seen, too."""
    centre, half = box.mean(0), np.ptp(box, axis=0).max() / LONGEST / 2
    return np.stack([centre - half, centre + half])


def relative(camera: Camera, surface: Surface) -> Camera:
    """A camera of the world in the coordinates of an object, without its scale, as the object's results remember it."""
    return Camera.of(camera.moved(np.linalg.inv(rigid(surface.matrix))).flat)


def sight(surface: Surface, camera: Camera) -> Sight:
    """What a camera sees of a surface.

    Args:
        surface: of an object.
        camera: as :func:`relative` gives it, so that it moves with the object.

    Raises:
        BadRequest: nothing.
    """
    placed = rigid(surface.matrix)
    # A generated shape knows where its own front is; what is up in an artist's mesh is decided by the world.
    frame = np.eye(4) if surface.fit else placed
    inward = np.linalg.inv(frame)
    vertices = surface.vertices
    if not surface.fit:
        vertices = transformed(vertices, Matrix((inward @ np.array(surface.matrix)).tolist()))
    camera = camera.moved(inward @ placed)
    seen = replace(surface, vertices=vertices, fit=True, frame=Matrix(frame.tolist()))
    depth = _cast(camera, vertices, surface.faces).depth
    if not depth.any():
        raise BadRequest(f"The camera sees nothing of '{surface.name}'.", "Turn the view or the camera to it.")
    return Sight(seen, camera, depth.reshape(camera.height, camera.width).astype(np.float32))


def picture(
    camera: Camera, vertices: NDArray[np.floating], faces: NDArray[np.int32], colours: NDArray[np.floating]
) -> NDArray[np.uint8]:
    """A plain picture of triangles before nothing, with shape (H, W, 4): RGBA, straight alpha, sRGB.

    Args:
        camera: in the triangles' frame, upright as it is.
        vertices: with shape (V, 3).
        faces: with shape (F, 3).
        colours: of the faces, with shape (F, 3), linear, 0 to 1.
    """
    hits = _cast(camera, vertices, faces)
    seen = hits.face >= 0
    normals = hits.normal * np.where((hits.normal * camera.rays()).sum(1) > 0, -1.0, 1.0)[:, None]
    light = (
        (1 - KEY_SHARE - FILL_SHARE)
        + KEY_SHARE * np.clip(normals @ KEY, 0, None)
        + FILL_SHARE * np.clip(normals @ FILL, 0, None)
    )
    values = np.zeros((len(seen), 4))
    values[seen, :3] = srgb(colours[hits.face[seen]] * light[seen, None])
    values[seen, 3] = 1.0
    return np.round(values * 255).astype(np.uint8).reshape(camera.height, camera.width, 4)


def srgb(light: NDArray[np.floating]) -> NDArray[np.floating]:
    """Linear light as sRGB values from 0 to 1."""
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def rigid(matrix: Matrix) -> Array:
    """A transform without its scale and shear, with shape (4, 4)."""
    parts: Any = matrix.decompose()
    place, turn, _ = parts
    return np.array(Matrix.LocRotScale(place, turn, None), dtype=np.float64)


def _picture_of(camera: Object) -> tuple[Matrix, Array, int, int]:
    """A camera object's projection, its pose (4, 4), and how many pixels wide and high its picture is."""
    if not isinstance(camera.data, CameraData):
        raise BadRequest(f"'{camera.name}' is no camera.", "Choose a camera.")
    if camera.data.type not in ("PERSP", "ORTHO"):
        raise BadRequest(f"'{camera.name}' is a panoramic camera.", "Choose a perspective or orthographic one.")
    scene = bpy.context.scene
    assert scene is not None
    graph, render = bpy.context.evaluated_depsgraph_get(), scene.render
    width, height = (max(side * render.resolution_percentage // 100, 1) for side in _sides(render))
    evaluated: Any = camera.evaluated_get(graph)
    projection = evaluated.calc_matrix_camera(
        graph, x=width, y=height, scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
    )
    return projection, rigid(evaluated.matrix_world), width, height


@dataclass(frozen=True, eq=False)
class _Hits:
    """What each ray meets: its depth (N,), 0 for nothing; the face (N,), -1 for none; that one's normal (N, 3)."""

    depth: Array
    face: NDArray[np.int64]
    normal: Array


def _cast(camera: Camera, vertices: NDArray[np.floating], faces: NDArray[np.int32]) -> _Hits:
    tree = BVHTree.FromPolygons(vertices.tolist(), faces.tolist(), all_triangles=True)
    rays = camera.rays()
    # Blender computes in single precision: a ray that begins beside the thing is exact from afar, too.
    near = max(float(camera.depths(vertices).min()) * 0.999, 0.0)
    starts = camera.pose[:3, 3] + near * rays
    depth, face, normal = np.zeros(len(rays)), np.full(len(rays), -1), np.zeros((len(rays), 3))
    lengths = np.linalg.norm(rays, axis=1)
    for number, (start, ray) in enumerate(zip(starts.tolist(), rays.tolist(), strict=True)):
        place, towards, index, distance = tree.ray_cast(start, ray)
        if place is not None:
            depth[number], face[number], normal[number] = near + distance / lengths[number], index, towards
    return _Hits(depth, face, normal)


def _pinhole(projection: Matrix, pose: Array, width: int, height: int, box: NDArray[np.floating]) -> Camera:
    """The camera that projects as Blender does; a parallel projection becomes one from far away."""
    p = np.array(projection, dtype=np.float64)
    if p[3, 3] == 0:
        middle = ((1 - p[0, 2]) * width / 2, (1 + p[1, 2]) * height / 2)
        return Camera(pose, width, height, p[0, 0] * width / 2, p[1, 1] * height / 2, *middle)
    centre, size = box.mean(0), max(float(np.ptp(box, axis=0).max()), 1e-6)
    distance = FAR * size
    pose = pose.copy()
    pose[:3, 3] += (distance - (pose[:3, 3] - centre) @ pose[:3, 2]) * pose[:3, 2]
    middle = ((1 + p[0, 3]) * width / 2, (1 - p[1, 3]) * height / 2)
    return Camera(pose, width, height, p[0, 0] * distance * width / 2, p[1, 1] * distance * height / 2, *middle)


def _sides(render: Any) -> tuple[int, int]:
    return render.resolution_x, render.resolution_y
