"""The triangles of a glTF 2.0 scene, with all node transforms, skins at rest and instances applied; nothing else of it.

Pictures and materials are never opened, so they cannot be missing, huge or slow.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadMesh
from .soup import MOST_FACES, Soup, too_many_faces

#: Gives the bytes of a file beside the glTF, or raises BadMesh.
Fetch = Callable[[str], bytes]

COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
COMPRESSED = {"KHR_draco_mesh_compression": "Draco", "EXT_meshopt_compression": "meshopt"}
#: Nodes that are visited at most: a graph may name a node more than once.
MOST_NODES = 20_000
DEEPEST = 256
TRIANGLES, STRIP, FAN = 4, 5, 6


def read_gltf(data: bytes, fetch: Fetch) -> Soup:
    """The triangles of a .glb or .gltf file in its own axes, +Y up.

    Args:
        data: the file.
        fetch: reads files that the glTF names, as its .bin.

    Raises:
        BadMesh: it is damaged, compressed, of another version, or names what is missing.
    """
    scene = _Scene(*_split(data), fetch)
    try:
        return scene.soup()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise BadMesh(
            "The glTF is damaged: it refers to data that is not there.", "Re-export it.", repr(error)
        ) from error


def _split(data: bytes) -> tuple[dict[str, Any], bytes | None]:
    """The JSON part and the binary part."""
    binary = None
    text = data
    if data[:4] == b"glTF":
        if len(data) < 20 or struct.unpack_from("<I", data, 4)[0] != 2:
            raise BadMesh("It is not glTF version 2.", "Re-export it as glTF 2.0.")
        size, kind = struct.unpack_from("<I4s", data, 12)
        text, rest = data[20 : 20 + size], 20 + size
        if kind != b"JSON" or len(text) < size:
            raise BadMesh("The GLB file is cut off.", "Copy or export it again.")
        if rest + 8 <= len(data):
            size, kind = struct.unpack_from("<I4s", data, rest)
            binary = data[rest + 8 : rest + 8 + size] if kind == b"BIN\0" else None
    try:
        document = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadMesh("It is not a glTF file.", "Re-export it.", repr(error)) from error
    if not isinstance(document, dict) or not str(document.get("asset", {}).get("version", "")).startswith("2"):
        raise BadMesh("It is not glTF version 2.", "Re-export it as glTF 2.0.")
    for name, words in COMPRESSED.items():
        if name in document.get("extensionsRequired", ()):
            raise BadMesh(f"Its meshes are compressed by {words}, which is not read.", "Export without compression.")
    return document, binary


@dataclass
class _Scene:
    """One document while it is read."""

    document: dict[str, Any]
    binary: bytes | None
    fetch: Fetch
    _buffers: dict[int, bytes] = field(default_factory=dict)
    _globals: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    _faces: int = 0

    def soup(self) -> Soup:
        placed: list[tuple[dict[str, Any], NDArray[np.float64]]] = []
        nodes = self.document.get("nodes", [])
        scenes = self.document.get("scenes", [])
        if scenes:
            roots = scenes[self.document.get("scene", 0)].get("nodes", [])
        else:
            children = {child for node in nodes for child in node.get("children", ())}
            roots = [i for i in range(len(nodes)) if i not in children]
        waiting = [(root, np.eye(4), 0) for root in reversed(roots)]
        visited = 0
        while waiting:
            index, above, depth = waiting.pop()
            visited += 1
            if visited > MOST_NODES or depth > DEEPEST:
                raise BadMesh("Its nodes form a loop, or there are very many.", "Join its objects and re-export it.")
            node = nodes[index]
            matrix = above @ _local(node)
            self._globals[index] = matrix
            waiting += [(child, matrix, depth + 1) for child in reversed(node.get("children", []))]
            if "mesh" in node:
                placed.append((node, matrix))
        parts = [part for node, matrix in placed for part in self._instances(node, matrix)]
        return Soup.joined(parts)

    def _instances(self, node: dict[str, Any], matrix: NDArray[np.float64]) -> list[Soup]:
        """The meshes of a node where it stands, or where its instances stand."""
        matrices = [matrix]
        instancing = node.get("extensions", {}).get("EXT_mesh_gpu_instancing", {}).get("attributes")
        if instancing:
            columns = {name.lower(): self._accessor(number) for name, number in instancing.items()}
            count = len(next(iter(columns.values())))
            names = ("translation", "rotation", "scale")
            own = [{name: columns[name][i] for name in names if name in columns} for i in range(count)]
            matrices = [matrix @ _local(values) for values in own]
        skin = self.document["skins"][node["skin"]] if "skin" in node else None
        soups = []
        for primitive in self.document["meshes"][node["mesh"]]["primitives"]:
            faces = self._primitive_faces(primitive)
            self._faces += len(faces) * len(matrices)
            if self._faces > MOST_FACES:
                raise too_many_faces()
            if len(faces) == 0:
                continue
            attributes = primitive["attributes"]
            points = self._accessor(attributes["POSITION"])
            if skin is not None and "JOINTS_0" in attributes:
                soups.append(Soup(self._skinned(points, attributes, skin), faces))
            else:
                soups += [Soup(points, faces).moved(one) for one in matrices]
        return soups

    def _primitive_faces(self, primitive: dict[str, Any]) -> NDArray[np.int64]:
        mode = primitive.get("mode", TRIANGLES)
        if mode not in (TRIANGLES, STRIP, FAN) or "POSITION" not in primitive["attributes"]:
            return np.zeros((0, 3), np.int64)
        if "indices" in primitive:
            corners = self._accessor(primitive["indices"]).reshape(-1).astype(np.int64)
        else:
            corners = np.arange(self.document["accessors"][primitive["attributes"]["POSITION"]]["count"])
        if mode == TRIANGLES:
            return corners[: len(corners) // 3 * 3].reshape(-1, 3)
        if len(corners) < 3:
            return np.zeros((0, 3), np.int64)
        if mode == FAN:
            return np.stack([np.full(len(corners) - 2, corners[0]), corners[1:-1], corners[2:]], axis=1)
        faces = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1)
        faces[1::2] = faces[1::2, ::-1]
        return faces

    def _skinned(
        self, points: NDArray[np.float64], attributes: dict[str, int], skin: dict[str, Any]
    ) -> NDArray[np.float64]:
        """Points (V, 3) moved by their joints as these stand."""
        joints = skin["joints"]
        inverse = np.tile(np.eye(4), (len(joints), 1, 1))
        if "inverseBindMatrices" in skin:
            # Matrices are stored by columns.
            inverse = self._accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        matrices = np.stack([self._globals.get(joint, np.eye(4)) @ inverse[i] for i, joint in enumerate(joints)])
        which = self._accessor(attributes["JOINTS_0"]).astype(np.int64)
        weights = self._accessor(attributes["WEIGHTS_0"])
        weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
        homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1)
        moved = np.zeros((len(points), 3))
        for k in range(which.shape[1]):
            moved += weights[:, k, None] * np.einsum("nij,nj->ni", matrices[which[:, k], :3], homogeneous)
        return moved

    def _accessor(self, number: int) -> NDArray[np.float64]:
        """The values of an accessor, with shape (count, width)."""
        accessor = self.document["accessors"][number]
        count, width = int(accessor["count"]), WIDTHS[accessor["type"]]
        if not 0 <= count <= 3 * MOST_FACES:
            raise too_many_faces()
        kind = np.dtype(COMPONENTS[accessor["componentType"]])
        if "bufferView" in accessor:
            values = self._view(accessor["bufferView"], accessor.get("byteOffset", 0), kind, count, width)
        else:
            values = np.zeros((count, width), kind)
        if "sparse" in accessor:
            sparse = accessor["sparse"]
            changed = int(sparse["count"])
            where = sparse["indices"]
            index = np.dtype(COMPONENTS[where["componentType"]])
            rows = self._view(where["bufferView"], where.get("byteOffset", 0), index, changed, 1)
            values = values.copy()
            start = sparse["values"].get("byteOffset", 0)
            values[rows[:, 0]] = self._view(sparse["values"]["bufferView"], start, kind, changed, width)
        result = values.astype(np.float64)
        if accessor.get("normalized") and kind.kind in "iu":
            result = np.maximum(result / np.iinfo(kind).max, -1.0)
        return result

    def _view(self, number: int, offset: int, kind: np.dtype, count: int, width: int) -> NDArray:
        view = self.document["bufferViews"][number]
        if any(name in view.get("extensions", {}) for name in COMPRESSED):
            raise BadMesh("Its meshes are compressed by meshopt, which is not read.", "Export without compression.")
        buffer = self._buffer(view["buffer"])
        start, packed = view.get("byteOffset", 0) + offset, kind.itemsize * width
        stride = view.get("byteStride") or packed
        if min(start, offset, stride - packed) < 0 or (count and start + stride * (count - 1) + packed > len(buffer)):
            raise BadMesh("The glTF's binary data is cut off.", "Copy or export it again with its .bin file.")
        return np.ndarray((count, width), kind, buffer, start, (stride, kind.itemsize))

    def _buffer(self, number: int) -> bytes:
        if number not in self._buffers:
            uri = self.document["buffers"][number].get("uri")
            if uri is None:
                if self.binary is None:
                    raise BadMesh("The GLB file has no binary data.", "Copy or export it again.")
                self._buffers[number] = self.binary
            elif uri.startswith("data:"):
                try:
                    self._buffers[number] = base64.b64decode(uri.partition(",")[2])
                except binascii.Error as error:
                    raise BadMesh("The glTF's embedded data is damaged.", "Re-export it.", repr(error)) from error
            else:
                self._buffers[number] = self.fetch(uri)
        return self._buffers[number]


def _local(node: dict[str, Any]) -> NDArray[np.float64]:
    """A node's transform, with shape (4, 4)."""
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
    x, y, z, w = np.asarray(node.get("rotation", (0, 0, 0, 1)), dtype=np.float64)
    length = x * x + y * y + z * z + w * w
    s = 2 / length if length > 0 else 0.0
    turn = np.array(
        [
            [1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)],
            [s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)],
            [s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turn * np.asarray(node.get("scale", (1, 1, 1)), dtype=np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix
