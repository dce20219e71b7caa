"""Mesh files in and out. Only this module knows the frames of files.

The engine has +Z up and -Y front. glTF, OBJ and X3D have +Y up and +Z front; STL and PLY are written with +Z up, as
printers and scanners do.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from ..errors import BadMesh, BadRequest
from ..representations import Mesh
from .gltf import Fetch, read_gltf
from .soup import MOST_FACES, Soup, too_many_faces

#: Endings of the files that are written, and of those that are read.
FORMATS = ("glb", "obj", "ply", "stl", "x3d")
READ = ("glb", "gltf", "obj", "off", "ply", "stl")
BLENDER = "Import it into Blender and use the Train panel there, or export it as GLB."
#: Endings of meshes that are known but not read, and what to do with them.
REFUSED = dict.fromkeys(
    ("3ds", "abc", "blend", "dae", "fbx", "max", "ma", "mb", "usd", "usda", "usdc", "usdz"), BLENDER
)
#: Bytes of the largest file that is opened.
LARGEST_FILE = 512 << 20
Y_UP = frozenset({"glb", "gltf", "obj", "x3d"})


def _to_y_up(points: NDArray) -> NDArray:
    return np.stack([points[:, 0], points[:, 2], -points[:, 1]], axis=1)


def _to_z_up(points: NDArray) -> NDArray:
    return np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1)


def write_mesh(path: Path, mesh: Mesh, name: str = "shape") -> None:
    """Writes a mesh in the format that the file's ending names; beside its place, then renamed.

    OBJ, PLY and X3D hold quads; in GLB and STL, which know triangles only, each becomes two.

    Raises:
        BadRequest: another ending than glb, obj, ply, stl or x3d.
    """
    import trimesh

    kind = path.suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise BadRequest(f"'{path.name}' has no known mesh format.", f"Use one of {', '.join(FORMATS)}.")
    vertices, normals = mesh.vertices, mesh.vertex_normals()
    if kind in Y_UP:
        vertices, normals = _to_y_up(vertices), _to_y_up(normals)
    if kind in POLYGONS:
        data = POLYGONS[kind](vertices, mesh.polygons, normals, name)
    else:
        shape = trimesh.Trimesh(vertices, mesh.faces, vertex_normals=normals, process=False)
        exported = (
            trimesh.Scene({name: shape}).export(file_type=kind) if kind == "glb" else shape.export(file_type=kind)
        )
        data = bytes(exported)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.write_bytes(data)
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def read_mesh(path: Path) -> Mesh:
    """The triangles of a mesh file in the engine's axes, in the file's own units; several objects become one mesh.

    Raises:
        BadMesh: the file is missing, is of a kind that is not read, or holds no usable triangles.
    """
    if not path.is_file():
        raise BadMesh(f"There is no file {path}.", "Check its name.")
    try:
        require_size(path.stat().st_size)
        soup = decode(path.suffix, path.read_bytes(), beside(path.parent, path.parent))
        if len(soup.faces) == 0:
            raise BadMesh("It has no faces.", "Choose a mesh with a surface.")
        return Mesh(soup.vertices.astype(np.float32), soup.faces.astype(np.int32))
    except BadMesh as error:
        raise BadMesh(f"{path.name}: {error.message}", error.remedy, error.details) from error
    except OSError as error:
        raise BadMesh(f"{path.name} cannot be read: {error.strerror}.", "Check its permissions.") from error


def decode(kind: str, data: bytes, fetch: Fetch) -> Soup:
    """The triangles of a file's bytes in the engine's axes, unchecked.

    Args:
        kind: the file's ending.
        data: its content.
        fetch: reads files that it names, as a glTF's .bin.

    Raises:
        BadMesh: it cannot be read as a mesh of that kind.
    """
    kind = kind.lower().lstrip(".")
    if kind in REFUSED:
        raise BadMesh(f"{kind.upper()} files are not read here.", REFUSED[kind])
    if kind not in READ:
        raise BadMesh(f"It has no known mesh format: '{kind}'.", f"Expected one of {', '.join(READ)}.")
    if not data:
        raise BadMesh("The file is empty.", "Export it again.")
    soup = read_gltf(data, fetch) if kind in ("glb", "gltf") else _by_trimesh(kind, data)
    if len(soup.faces) > MOST_FACES:
        raise too_many_faces()
    return Soup(_to_z_up(soup.vertices), soup.faces) if kind in Y_UP else soup


def beside(folder: Path, root: Path) -> Fetch:
    """Reads files that a file in ``folder`` names; none outside of ``root`` is opened."""

    def fetch(uri: str) -> bytes:
        path = Path(os.path.normpath(folder / unquote(uri)))
        if not path.resolve().is_relative_to(root.resolve()):
            raise BadMesh(f"It refers to '{uri}' outside of its folder.", "Copy that file beside it and re-export it.")
        try:
            require_size(path.stat().st_size)
            return path.read_bytes()
        except OSError as error:
            raise BadMesh(f"Its file '{uri}' is missing.", "Copy it beside the mesh.", repr(error)) from error

    return fetch


def require_size(size: int) -> None:
    """Checks that a file of so many bytes may be read.

    Raises:
        BadMesh: it is too large.
    """
    if size > LARGEST_FILE:
        limit = f"{LARGEST_FILE / 2**20:,.0f} MiB"
        raise BadMesh(f"The file is {size / 2**20:,.0f} MiB large; at most {limit} are read.", "Decimate the mesh.")


def _by_trimesh(kind: str, data: bytes) -> Soup:
    """The triangles of the simpler formats; objects, groups and polygons with more corners are resolved."""
    import trimesh

    try:
        # Which exceptions a reader of foreign files can raise is not known: anything it raises means the same.
        options: dict[str, Any] = {"skip_materials": True} if kind == "obj" else {}
        loaded = trimesh.load_scene(io.BytesIO(data), file_type=kind, process=False, **options)
        mesh = loaded.to_mesh()
        return Soup(np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces, dtype=np.int64))
    except Exception as error:
        raise BadMesh("It cannot be read as a mesh.", "Re-export it as GLB, OBJ, PLY or STL.", repr(error)) from error


def _obj(vertices: NDArray, polygons: NDArray, normals: NDArray, name: str) -> bytes:
    """A Wavefront OBJ with one object."""
    points, directions = (
        [f"{kind} {x:.9g} {y:.9g} {z:.9g}" for x, y, z in rows] for kind, rows in (("v", vertices), ("vn", normals))
    )
    faces = ["f " + " ".join(f"{corner}//{corner}" for corner in face) for face in (polygons + 1).tolist()]
    return "\n".join([f"o {' '.join(name.split())}", *points, *directions, *faces, ""]).encode()


def _ply(vertices: NDArray, polygons: NDArray, normals: NDArray, name: str) -> bytes:
    """A binary PLY; its format has no place for a name."""
    numbers = "".join(f"property float {number}\n" for number in ("x", "y", "z", "nx", "ny", "nz"))
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(vertices)}\n{numbers}"
        f"element face {len(polygons)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    table = np.empty(len(polygons), dtype=[("count", "u1"), ("corners", "<i4", polygons.shape[1:])])
    table["count"], table["corners"] = polygons.shape[1], polygons
    rows = np.concatenate([vertices, normals], axis=1).astype("<f4")
    return header.encode() + rows.tobytes() + table.tobytes()


def _x3d(vertices: NDArray, polygons: NDArray, normals: NDArray, name: str) -> bytes:
    """An X3D 4.0 scene with one IndexedFaceSet."""
    index = " ".join(" ".join(map(str, face)) + " -1" for face in polygons.tolist())
    points, directions = (" ".join(f"{x:.6g} {y:.6g} {z:.6g}" for x, y, z in rows) for rows in (vertices, normals))
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<X3D profile="Interchange" version="4.0">
  <Scene>
    <Shape DEF={quoteattr(name)}>
      <Appearance><Material diffuseColor="0.8 0.8 0.8"/></Appearance>
      <IndexedFaceSet solid="true" normalPerVertex="true" coordIndex="{index}">
        <Coordinate point="{points}"/>
        <Normal vector="{directions}"/>
      </IndexedFaceSet>
    </Shape>
  </Scene>
</X3D>
"""
    return text.encode()


#: What writes the formats that hold polygons.
POLYGONS = {"obj": _obj, "ply": _ply, "x3d": _x3d}
