"""Pinhole cameras in the engine's frame, by the conventions of OpenGL and Blender.

A camera looks along its own -Z with +Y up. Pixel (column i, row j) has its centre at (i + 0.5, j + 0.5), row 0 is at
the top, and the optical axis meets the picture at (cx, cy). Depth is measured along the optical axis, not along the
ray, so that a plane parallel to the picture has one depth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

#: Distance between neighbours of a sunflower's seeds, as an angle: the golden one.
_GOLDEN = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True, eq=False)
class Projection:
    """Where points appear: pixels with shape (N, 2), as (column, row), and depth (N,), positive in front."""

    pixels: Array
    depth: Array


@dataclass(frozen=True, eq=False)
class Camera:
    """A posed pinhole camera.

    Args:
        pose: with shape (4, 4): camera-to-world; its columns are the camera's right, up, backward and position.
        width, height: of the picture, in pixels.
        fx, fy: focal lengths, in pixels.
        cx, cy: principal point, in pixels; the middle of the picture is (width / 2, height / 2).

    Raises:
        ValueError: the pose is not a rigid placement, or a size or focal length is not positive.
    """

    pose: Array
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        pose = np.asarray(self.pose, dtype=np.float64)
        turn = pose[:3, :3] if pose.shape == (4, 4) else np.zeros((3, 3))
        rigid = np.allclose(turn.T @ turn, np.eye(3), atol=1e-5) and np.linalg.det(turn) > 0
        if not rigid or not np.isfinite(pose).all() or not np.allclose(pose[3], [0, 0, 0, 1]):
            raise ValueError(f"The pose {pose.tolist()} is not rigid; a (4, 4) rotation with a position was expected.")
        if min(self.width, self.height) < 1 or min(self.fx, self.fy) <= 0:
            raise ValueError(
                f"A camera of {self.width} x {self.height} pixels with focal lengths {self.fx}, {self.fy} cannot see; "
                "positive numbers were expected."
            )
        object.__setattr__(self, "pose", pose)

    @property
    def eye(self) -> Array:
        """Position of the camera, with shape (3,), in model units."""
        return self.pose[:3, 3]

    @property
    def forward(self) -> Array:
        """Unit vector along the optical axis, with shape (3,)."""
        return -self.pose[:3, 2]

    @property
    def intrinsics(self) -> Array:
        """Matrix with shape (3, 3) from (x right, y down, depth) to (column, row, 1) times depth."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def rays(self, grid: int = 1) -> NDArray[np.float32]:
        """Directions through the picture, with shape (height * grid, width * grid, 3), not of unit length.

        `eye + depth * direction` is the point at that depth, so each direction advances by one along the optical axis.

        grid: rays along each side of a pixel, evenly; with an odd number the middle one goes through its centre.
        """
        column = (np.arange(self.width * grid) + 0.5) / grid
        row = (np.arange(self.height * grid) + 0.5) / grid
        x, y = (column - self.cx) / self.fx, (self.cy - row) / self.fy
        right, up = self.pose[:3, 0], self.pose[:3, 1]
        return (self.forward + x[None, :, None] * right + y[:, None, None] * up).astype(np.float32)

    def project(self, points: NDArray[np.floating]) -> Projection:
        """Where points with shape (N, 3) appear; those behind the camera have a depth of 0 or less."""
        local = (np.asarray(points, dtype=np.float64) - self.eye) @ self.pose[:3, :3]
        depth = -local[:, 2]
        ahead = np.where(depth > 0, depth, 1.0)
        column = self.cx + self.fx * local[:, 0] / ahead
        row = self.cy - self.fy * local[:, 1] / ahead
        seen = np.stack([column, row], axis=1)
        return Projection(np.where(depth[:, None] > 0, seen, np.nan), depth)

    def unproject(self, depth: NDArray[np.floating]) -> Array:
        """World positions of the pixels' centres at depths (height, width); with shape (height, width, 3)."""
        if depth.shape != (self.height, self.width):
            raise ValueError(f"The depths have shape {depth.shape}; expected ({self.height}, {self.width}).")
        return self.eye + depth[..., None] * self.rays().astype(np.float64)

    def resized(self, width: int, height: int) -> Camera:
        """The same view with another number of pixels."""
        x, y = width / self.width, height / self.height
        return Camera(self.pose, width, height, self.fx * x, self.fy * y, self.cx * x, self.cy * y)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, named as in the `transforms.json` files that radiance fields are trained from."""
        sizes = {"w": self.width, "h": self.height}
        inside = {"fl_x": self.fx, "fl_y": self.fy, "cx": self.cx, "cy": self.cy}
        return {**sizes, **inside, "transform_matrix": self.pose.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Camera:
        """The camera of the values that `to_dict` gives."""
        lens = (float(values[key]) for key in ("fl_x", "fl_y", "cx", "cy"))
        return cls(np.array(values["transform_matrix"], float), int(values["w"]), int(values["h"]), *lens)


def look_at(eye: ArrayLike, target: ArrayLike = (0.0, 0.0, 0.0), up: ArrayLike = (0.0, 0.0, 1.0)) -> Array:
    """The pose (4, 4) of a camera at `eye` that looks at `target`, each with shape (3,), upright as far as it can.

    Raises:
        ValueError: eye and target coincide, or `up` points along the view.
    """
    place, aim, guide = (np.asarray(v, dtype=np.float64) for v in (eye, target, up))
    backward = place - aim
    right = np.cross(guide, backward)
    if np.linalg.norm(right) < 1e-9 * max(float(np.linalg.norm(guide) * np.linalg.norm(backward)), 1e-9):
        raise ValueError(f"A camera at {place.tolist()} cannot look at {aim.tolist()} with {guide.tolist()} upward.")
    backward = backward / np.linalg.norm(backward)
    right = right / np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.stack([right, np.cross(backward, right), backward, place], axis=1)
    return pose


def towards_origin(azimuth: float, elevation: float, size: int, distance: float = 2.4, view: float = 34.0) -> Camera:
    """A camera with square pictures that looks at the origin.

    Args:
        azimuth: degrees from the front (-Y) towards -X, as in the pictures of `preview`.
        elevation: degrees above the horizon, between -90 and 90.
        size: pixels along each side.
        distance: from the origin, in model units.
        view: angle of the whole picture, in degrees. The defaults show all of any shape of the catalogue, whose corners
            are at most 0.7 from the origin.
    """
    a, e = math.radians(azimuth), math.radians(elevation)
    eye = distance * np.array([-math.sin(a) * math.cos(e), -math.cos(a) * math.cos(e), math.sin(e)])
    focal = size / 2 / math.tan(math.radians(view) / 2)
    return Camera(look_at(eye), size, size, focal, focal, size / 2, size / 2)


def orbit(count: int, size: int, elevation: float = 20.0, first: float = 0.0) -> list[Camera]:
    """Cameras evenly around the vertical axis, from azimuth `first` on, all at one elevation (degrees)."""
    return [towards_origin(first + 360 * i / count, elevation, size) for i in range(count)]


def dome(count: int, size: int, lowest: float = 0.0, highest: float = 70.0, first: float = 0.0) -> list[Camera]:
    """Cameras spread evenly over the part of a sphere between two elevations (degrees), by a Fibonacci lattice.

    first: the azimuth of the first one, in degrees.
    """
    low, high = math.sin(math.radians(lowest)), math.sin(math.radians(highest))
    heights = low + (high - low) * (np.arange(count) + 0.5) / max(count, 1)
    turns = first + np.degrees(_GOLDEN) * np.arange(count)
    return [
        towards_origin(float(turn), math.degrees(math.asin(z)), size) for turn, z in zip(turns, heights, strict=True)
    ]


def poses(cameras: Sequence[Camera]) -> NDArray[np.float32]:
    """The cameras' poses as one array, with shape (N, 4, 4)."""
    return np.stack([camera.pose for camera in cameras]).astype(np.float32)
