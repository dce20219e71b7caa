"""glTF scenes: transforms, skins, instances, and files that are damaged or hostile."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest

from gen3d_core.data.gltf import read_gltf
from gen3d_core.data.soup import Soup
from gen3d_core.errors import BadMesh

#: A tetrahedron whose faces look out.
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.uint16)


class Document:
    """A glTF while it is put together: everything in one buffer."""

    def __init__(self) -> None:
        self.data = b""
        self.json: dict[str, Any] = {"asset": {"version": "2.0"}, "accessors": [], "bufferViews": [], "meshes": []}
        self.json |= {"nodes": [], "scenes": [{"nodes": [0]}], "scene": 0}

    def array(self, values: np.ndarray, kind: str, component: int, **more: Any) -> int:
        self.data += b"\0" * (-len(self.data) % 4)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": values.nbytes}
        self.json["bufferViews"].append(view)
        self.data += values.tobytes()
        entry = {"bufferView": len(self.json["bufferViews"]) - 1, "componentType": component, "count": len(values)}
        self.json["accessors"].append({**entry, "type": kind, **more})
        return len(self.json["accessors"]) - 1

    def mesh(self, **more: Any) -> int:
        position = self.array(CORNERS, "VEC3", 5126)
        indices = self.array(FACES.reshape(-1), "SCALAR", 5123)
        primitive = {"attributes": {"POSITION": position}, "indices": indices, **more}
        self.json["meshes"].append({"primitives": [primitive]})
        return len(self.json["meshes"]) - 1

    def node(self, **values: Any) -> int:
        self.json["nodes"].append(values)
        return len(self.json["nodes"]) - 1

    def embedded(self) -> bytes:
        uri = "data:application/octet-stream;base64," + base64.b64encode(self.data).decode()
        return json.dumps({**self.json, "buffers": [{"uri": uri, "byteLength": len(self.data)}]}).encode()

    def binary(self) -> bytes:
        text = json.dumps({**self.json, "buffers": [{"byteLength": len(self.data)}]}).encode()
        text += b" " * (-len(text) % 4)
        data = self.data + b"\0" * (-len(self.data) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
        return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks


def nothing(uri: str) -> bytes:
    raise AssertionError(uri)


def volume(soup: Soup) -> float:
    a, b, c = (soup.vertices[soup.faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


@pytest.fixture
def document() -> Document:
    made = Document()
    made.node(mesh=made.mesh())
    return made


def test_both_kinds_of_file(document: Document) -> None:
    for data in (document.embedded(), document.binary(), b"\xef\xbb\xbf" + document.embedded()):
        soup = read_gltf(data, nothing)
        assert np.array_equal(soup.vertices, CORNERS)
        assert np.array_equal(soup.faces, FACES)


def test_buffers_in_files_are_fetched(document: Document) -> None:
    document.json["buffers"] = [{"uri": "my%20chair.bin"}]
    asked: list[str] = []

    def fetch(uri: str) -> bytes:
        asked.append(uri)
        return document.data

    assert len(read_gltf(json.dumps(document.json).encode(), fetch).faces) == 4
    assert asked == ["my%20chair.bin"]


def test_transforms_of_all_nodes_above_apply(document: Document) -> None:
    half = np.sqrt(0.5)
    document.json["nodes"] = [
        {"children": [1], "translation": [10, 0, 0], "rotation": [0, 0, half, half]},
        {"mesh": 0, "scale": [2, 1, 1]},
    ]
    soup = read_gltf(document.binary(), nothing)
    # Scaled along x, then x turns to y, then moved.
    assert soup.vertices == pytest.approx(np.array([[10, 0, 0], [10, 2, 0], [8, 0, 0], [10, 0, 3]]), abs=1e-9)
    matrix = np.array([[0, -1, 0, 10], [2, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], float)
    document.json["nodes"] = [{"mesh": 0, "matrix": matrix.T.ravel().tolist()}]
    assert read_gltf(document.binary(), nothing).vertices == pytest.approx(soup.vertices, abs=1e-9)


def test_a_mirroring_node_keeps_faces_out(document: Document) -> None:
    document.json["nodes"] = [{"mesh": 0, "scale": [-1, 1, 1]}]
    assert volume(read_gltf(document.binary(), nothing)) == pytest.approx(1)


def test_instances_are_all_there(document: Document) -> None:
    places = document.array(np.array([[0, 0, 0], [5, 0, 0], [0, 5, 0]], np.float32), "VEC3", 5126)
    extension = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": places}}}
    document.json["nodes"] = [{"mesh": 0, "translation": [0, 0, 1], "extensions": extension}]
    soup = read_gltf(document.binary(), nothing)
    assert len(soup.faces) == 12
    assert volume(soup) == pytest.approx(3)
    assert soup.vertices.max(0) == pytest.approx([6, 7, 4])


def test_a_skin_moves_its_mesh_as_its_joints_stand(document: Document) -> None:
    joints = document.array(np.tile(np.array([0, 1, 0, 0], np.uint8), (4, 1)), "VEC4", 5121)
    weights = np.zeros((4, 4), np.float32)
    weights[:3, 0], weights[3, 1] = 1, 1
    document.json["meshes"][0]["primitives"][0]["attributes"] |= {
        "JOINTS_0": joints,
        "WEIGHTS_0": document.array(weights, "VEC4", 5126),
    }
    inverse = np.tile(np.eye(4, dtype=np.float32), (2, 1, 1))
    inverse[1, 3, 2] = -3  # stored by columns: the second joint was at z = 3 when the skin was made
    document.json["skins"] = [{"joints": [1, 2], "inverseBindMatrices": document.array(inverse, "MAT4", 5126)}]
    document.json["nodes"] = [
        {"mesh": 0, "skin": 0, "translation": [99, 0, 0]},
        {"children": [2]},
        {"translation": [1, 0, 3]},
    ]
    document.json["scenes"][0]["nodes"] = [0, 1]
    soup = read_gltf(document.binary(), nothing)
    # The node of a skinned mesh does not move it; the tip follows its joint, which stands 1 further in x.
    assert soup.vertices == pytest.approx(CORNERS + np.array([[0, 0, 0]] * 3 + [[1, 0, 0]]))


def test_strips_fans_and_lists_without_indices(document: Document) -> None:
    primitive = document.json["meshes"][0]["primitives"][0]
    del primitive["indices"]
    for mode, expected in ((4, [[0, 1, 2]]), (5, [[0, 1, 2], [3, 2, 1]]), (6, [[0, 1, 2], [0, 2, 3]]), (1, [])):
        primitive["mode"] = mode
        assert read_gltf(document.binary(), nothing).faces.tolist() == expected


def test_numbers_that_are_packed_as_integers(document: Document) -> None:
    packed = document.array(np.array([[0, 0, 0], [127, 0, 0], [0, -127, 0]], np.int8), "VEC3", 5120, normalized=True)
    document.json["meshes"][0]["primitives"][0] = {"attributes": {"POSITION": packed}}
    assert read_gltf(document.binary(), nothing).vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, -1, 0]]


def test_sparse_values_replace(document: Document) -> None:
    rows = document.array(np.array([3], np.uint16), "SCALAR", 5123)
    values = document.array(np.array([[7, 8, 9]], np.float32), "VEC3", 5126)
    views = document.json["accessors"]
    sparse = {"indices": {"bufferView": views[rows]["bufferView"], "componentType": 5123}, "count": 1}
    sparse["values"] = {"bufferView": views[values]["bufferView"]}
    views[0]["sparse"] = sparse
    soup = read_gltf(document.binary(), nothing)
    assert soup.vertices[3].tolist() == [7, 8, 9]
    assert np.array_equal(soup.vertices[:3], CORNERS[:3])


def test_a_scene_without_meshes_is_empty() -> None:
    made = Document()
    made.node(name="nothing")
    assert len(read_gltf(made.binary(), nothing).faces) == 0
    assert len(read_gltf(b'{"asset": {"version": "2.0"}}', nothing).faces) == 0


def broken(document: Document, **changes: Any) -> bytes:
    document.json |= changes
    return document.binary()


def test_damage_is_a_sentence(document: Document) -> None:
    good = document.binary()
    cases = {
        "cut off": [good[:100], good[:-20]],
        "not a glTF": [b"glTF\x02\0\0\0\0\0\0\0\x04\0\0\0JSONxxxx", b"{", b"[" * 100_000],
        "version 2": [b"glTF\x01\0\0\0" + bytes(20), b'{"asset": {"version": "1.0"}}', b"[]"],
    }
    for words, files in cases.items():
        for data in files:
            with pytest.raises(BadMesh, match=words):
                read_gltf(data, nothing)


def test_references_to_nothing_are_a_sentence() -> None:
    for change in (
        {"scenes": [{"nodes": [7]}]},
        {"nodes": [{"mesh": 3}]},
        {"nodes": ["text"]},
        {"nodes": [{"mesh": 0, "matrix": [1, 2]}]},
        {"nodes": [{"mesh": 0, "skin": 0}]},
        {"accessors": []},
        {"bufferViews": [{"buffer": 5}]},
        {"meshes": [{}]},
    ):
        made = Document()
        made.node(mesh=made.mesh())
        with pytest.raises(BadMesh, match=r"damaged|cut off"):
            read_gltf(broken(made, **change), nothing)


def test_hostile_sizes_are_refused_before_they_are_allocated(document: Document) -> None:
    huge = {"componentType": 5126, "count": 2**40, "type": "VEC3"}
    with pytest.raises(BadMesh, match="more than"):
        read_gltf(broken(document, accessors=[huge, document.json["accessors"][1]]), nothing)
    past = {"bufferView": 0, "componentType": 5126, "count": 1000, "type": "VEC3"}
    with pytest.raises(BadMesh, match="cut off"):
        read_gltf(broken(document, accessors=[past, document.json["accessors"][1]]), nothing)


def test_loops_and_explosions_of_nodes_end(document: Document) -> None:
    with pytest.raises(BadMesh, match="loop"):
        read_gltf(broken(document, nodes=[{"children": [0], "mesh": 0}]), nothing)
    # Each node names the next one ten times: a billion leaves.
    nodes = [{"children": [i + 1] * 10} for i in range(9)] + [{"mesh": 0}]
    with pytest.raises(BadMesh, match="very many"):
        read_gltf(broken(document, nodes=nodes), nothing)


@pytest.mark.parametrize("name", ["KHR_draco_mesh_compression", "EXT_meshopt_compression"])
def test_compressed_meshes_are_named(document: Document, name: str) -> None:
    with pytest.raises(BadMesh, match="compressed"):
        read_gltf(broken(document, extensionsRequired=[name]), nothing)
