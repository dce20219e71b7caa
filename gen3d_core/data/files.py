"""Mesh files in and out. Only this module knows the frames of files.

The engine has +Z up and -Y front. glTF, OBJ and X3D have +Y up and +Z front; STL and PLY are written with +Z up, as
printers and scanners do.
"""

from __future__ import annotations

import os
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from ..errors import BadMesh, BadRequest
from ..representations import Mesh

FORMATS = ("glb", "obj", "ply", "stl", "x3d")
Y_UP = frozenset({"glb", "gltf", "obj", "x3d"})


def _to_y_up(points: NDArray) -> NDArray:
    return np.stack([points[:, 0], points[:, 2], -points[:, 1]], axis=1)


def _to_z_up(points: NDArray) -> NDArray:
    return np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1)


def write_mesh(path: Path, mesh: Mesh, name: str = "shape") -> None:
    """Writes a mesh in the format that the file's ending names; beside its place, then renamed.

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
    if kind == "x3d":
        data = _x3d(vertices, mesh.faces, normals, name).encode()
    else:
        shape = trimesh.Trimesh(vertices, mesh.faces, vertex_normals=normals, process=False)
        exported = (
            trimesh.Scene({name: shape}).export(file_type=kind) if kind == "glb" else shape.export(file_type=kind)
        )
        data = exported.encode() if isinstance(exported, str) else bytes(exported)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(data)
    os.replace(beside, path)


def read_mesh(path: Path) -> Mesh:
    """The triangles of a mesh file in the engine's axes, in the file's own units; several objects become one mesh.

    Raises:
        BadMesh: the file is missing, is of a kind that is not read, or holds no usable triangles.
    """
    import trimesh

    if not path.is_file():
        raise BadMesh(f"There is no file {path}.", "Check its name.")
    kind = path.suffix.lower().lstrip(".")
    try:
        # Which exceptions a reader of foreign files can raise is not known: anything it raises means the same.
        loaded = trimesh.load_mesh(path, process=False) if kind != "glb" else trimesh.load_scene(path)
        mesh = loaded.to_mesh() if isinstance(loaded, trimesh.Scene) else loaded
        vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    except Exception as error:
        raise BadMesh(
            f"{path.name} cannot be read as a mesh.", "Re-export it as GLB, OBJ, PLY or STL.", details=repr(error)
        ) from error
    if len(faces) == 0:
        raise BadMesh(f"{path.name} has no faces.", "Choose a mesh with a surface.")
    if kind in Y_UP:
        vertices = _to_z_up(vertices)
    return Mesh(vertices.astype(np.float32), faces.astype(np.int32))


def _x3d(vertices: NDArray, faces: NDArray, normals: NDArray, name: str) -> str:
    """An X3D 4.0 scene with one IndexedFaceSet."""
    index = " ".join(f"{a} {b} {c} -1" for a, b, c in faces)
    points, directions = (" ".join(f"{x:.6g} {y:.6g} {z:.6g}" for x, y, z in rows) for rows in (vertices, normals))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
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
