"""Mesh files: every format there and back, and the axes that each of them has."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import trimesh

from gen3d_core.data.files import FORMATS, read_mesh, write_mesh
from gen3d_core.errors import BadMesh, BadRequest
from gen3d_core.representations import Mesh


@pytest.fixture
def wedge() -> Mesh:
    """A closed shape without any symmetry: long in z, its point to the front (-y)."""
    vertices = [[-0.1, 0.1, -0.45], [0.15, 0.1, -0.45], [0.0, -0.3, -0.45], [0.02, 0.05, 0.45]]
    return Mesh(np.array(vertices, np.float32), np.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]], np.int32))


def volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def triangles(mesh: Mesh) -> np.ndarray:
    """Corner positions of all faces, in an order that does not depend on how they are numbered."""
    corners = mesh.vertices[mesh.faces].round(5) + 0.0
    rolled = [np.roll(t, -int(np.lexsort(t.T[::-1])[0]), axis=0).ravel() for t in corners]
    return np.array(sorted(map(tuple, rolled)))


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "x3d"])
def test_round_trip(tmp_path: Path, wedge: Mesh, kind: str) -> None:
    path = tmp_path / "deep" / f"wedge.{kind}"
    write_mesh(path, wedge)
    back = read_mesh(path)
    assert triangles(back) == pytest.approx(triangles(wedge), abs=1e-5)
    assert volume(wedge) > 0
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", ["glb", "obj"])
def test_up_is_y_and_front_is_z_in_graphics_formats(tmp_path: Path, wedge: Mesh, kind: str) -> None:
    write_mesh(tmp_path / f"wedge.{kind}", wedge)
    raw = trimesh.load_mesh(tmp_path / f"wedge.{kind}", process=False)
    assert raw.extents == pytest.approx([0.25, 0.9, 0.4], abs=1e-5)
    # The point, that looks to the front.
    assert raw.vertices[:, 2].max() == pytest.approx(0.3, abs=1e-5)
    assert raw.volume > 0


@pytest.mark.parametrize("kind", ["stl", "ply"])
def test_up_is_z_where_printers_read(tmp_path: Path, wedge: Mesh, kind: str) -> None:
    write_mesh(tmp_path / f"wedge.{kind}", wedge)
    raw = trimesh.load_mesh(tmp_path / f"wedge.{kind}", process=False)
    assert raw.extents == pytest.approx([0.25, 0.4, 0.9], abs=1e-5)


def test_x3d_is_well_formed_and_holds_the_mesh(tmp_path: Path, wedge: Mesh) -> None:
    write_mesh(tmp_path / "wedge.x3d", wedge, name='a "quoted" <name> & more')
    root = ElementTree.parse(tmp_path / "wedge.x3d").getroot()
    assert root.tag == "X3D"
    shape = root.find("./Scene/Shape")
    assert shape is not None
    assert shape.get("DEF") == 'a "quoted" <name> & more'
    faces = shape.find("IndexedFaceSet")
    assert faces is not None

    def numbers(path: str, attribute: str) -> np.ndarray:
        element = faces.find(path)
        assert element is not None
        return np.array((element.get(attribute) or "").split(), float).reshape(-1, 3)

    index = np.array((faces.get("coordIndex") or "").split(), int).reshape(-1, 4)
    assert (index[:, 3] == -1).all()
    points, normals = numbers("Coordinate", "point"), numbers("Normal", "vector")
    assert np.array_equal(index[:, :3], wedge.faces)
    assert points == pytest.approx(
        np.stack([wedge.vertices[:, 0], wedge.vertices[:, 2], -wedge.vertices[:, 1]], 1), abs=1e-5
    )
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1, abs=1e-4)
    assert volume(Mesh(points.astype(np.float32), index[:, :3].astype(np.int32))) > 0


@pytest.mark.parametrize("kind", FORMATS)
def test_quads_stay_quads_where_the_format_has_them(tmp_path: Path, kind: str) -> None:
    corners = np.array(np.meshgrid([0, 1], [0, 2], [0, 3], indexing="ij"), np.float32).reshape(3, -1).T
    sides = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    cube = Mesh.of_quads(corners, np.array(sides, np.int32))
    path = tmp_path / f"cube.{kind}"
    write_mesh(path, cube)
    if kind == "obj":
        lines = [line.split()[1:] for line in path.read_text().splitlines() if line.startswith("f ")]
        found = [[int(corner.split("//")[0]) - 1 for corner in line] for line in lines]
    elif kind == "ply":
        table = path.read_bytes().partition(b"end_header\n")[2][8 * 24 :]
        found = np.frombuffer(table, [("count", "u1"), ("corners", "<i4", 4)])["corners"].tolist()
    elif kind == "x3d":
        index = re.search(r'coordIndex="([^"]*)"', path.read_text())
        assert index
        found = [[int(corner) for corner in face.split()] for face in index[1].split("-1") if face.strip()]
    else:
        assert len(read_mesh(path).faces) == 12
        return
    assert found == sides
    if kind != "x3d":
        assert volume(read_mesh(path)) == pytest.approx(6)


def test_several_objects_become_one_mesh_where_they_are(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    scene.add_geometry(
        trimesh.creation.box(extents=(1, 1, 1)), transform=trimesh.transformations.translation_matrix([2, 0, 0])
    )
    scene.add_geometry(
        trimesh.creation.box(extents=(1, 1, 1)), transform=trimesh.transformations.translation_matrix([0, 3, 0])
    )
    scene.export(tmp_path / "two.glb")
    mesh = read_mesh(tmp_path / "two.glb")
    assert len(mesh.faces) == 24
    assert mesh.vertices.max(0) == pytest.approx([2.5, 0.5, 3.5])


def test_writing_replaces_what_was_there(tmp_path: Path, wedge: Mesh) -> None:
    path = tmp_path / "wedge.ply"
    path.write_bytes(b"old")
    write_mesh(path, wedge)
    assert len(read_mesh(path).faces) == 4


@pytest.mark.parametrize("name", ["wedge.fbx", "wedge", "wedge.exe"])
def test_other_formats_are_refused(tmp_path: Path, wedge: Mesh, name: str) -> None:
    with pytest.raises(BadRequest, match="no known mesh format"):
        write_mesh(tmp_path / name, wedge)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.glb", b"glTF\x02\x00\x00\x00 garbage"),
        ("broken.ply", b"ply\nformat ascii 1.0\nelement vertex 3\n"),
        ("empty.obj", b""),
        ("points.obj", b"v 0 0 0\nv 1 0 0\n"),
        ("text.stl", b"this is no mesh"),
        ("unknown.xyzzy", b"this is no mesh"),
    ],
)
def test_files_that_hold_no_mesh_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadMesh, match=re.escape(name)):
        read_mesh(tmp_path / name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadMesh, match=r"nowhere\.glb"):
        read_mesh(tmp_path / "nowhere.glb")


def test_nothing_is_left_where_a_file_cannot_be_replaced(tmp_path: Path, wedge: Mesh) -> None:
    (tmp_path / "wedge.ply").mkdir()
    with pytest.raises(OSError, match=r"wedge\.ply"):
        write_mesh(tmp_path / "wedge.ply", wedge)
    assert [path.name for path in tmp_path.iterdir()] == ["wedge.ply"]


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "huge.ply").open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(BadMesh, match=r"huge\.ply: The file is 2,048 MiB large; at most 512 MiB are read"):
        read_mesh(tmp_path / "huge.ply")


def test_known_formats_that_are_not_read_say_who_reads_them(tmp_path: Path) -> None:
    (tmp_path / "chair.FBX").write_bytes(b"Kaydara FBX Binary")
    with pytest.raises(BadMesh, match="Train panel"):
        read_mesh(tmp_path / "chair.FBX")


def test_a_gltf_opens_nothing_outside_of_its_folder(tmp_path: Path, wedge: Mesh) -> None:
    scene = trimesh.Scene(trimesh.Trimesh(wedge.vertices, wedge.faces))
    files = scene.export(file_type="gltf")
    assert isinstance(files, dict)
    text = files.pop("model.gltf").decode()
    name = next(name for name in files if name in text)
    folder = tmp_path / "my chair \N{CHAIR}"
    folder.mkdir()
    (folder / "chair.gltf").write_text(text)
    with pytest.raises(BadMesh, match="missing"):
        read_mesh(folder / "chair.gltf")
    for one, data in files.items():
        (folder / one).write_bytes(data)
    assert volume(read_mesh(folder / "chair.gltf")) == pytest.approx(volume(wedge), rel=1e-5)
    (folder / name).rename(tmp_path / name)
    (folder / "chair.gltf").write_text(text.replace(name, f"../{name}"))
    with pytest.raises(BadMesh, match="outside"):
        read_mesh(folder / "chair.gltf")


def test_polygons_and_groups_of_an_obj_are_triangles(tmp_path: Path) -> None:
    (tmp_path / "two.obj").write_text(
        "mtllib gone.mtl\no one\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nusemtl a\nf 1 2 3 4\n"
        "o two\nv 0 0 1\nv 1 0 1\nv 1 1 1\nusemtl b\nf -3 -2 -1\n"
    )
    mesh = read_mesh(tmp_path / "two.obj")
    assert len(mesh.faces) == 3
    assert mesh.face_areas().sum() == pytest.approx(1.5)
