"""A catalogue shape as files: every representation in the format that its users read.

Meshes for other programs follow the axes of their formats (glTF and OBJ have +Y up and +Z front); PLY files, arrays and
cameras are in the engine's frame.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...preview import save_png
from ...representations import Mesh
from ..files import write_mesh
from ..programs import to_text

if TYPE_CHECKING:
    from ..views import View
    from .lowpoly import LowPoly
    from .shape import Shape
    from .textures import Textured

#: Turns the engine's axes (+Z up, -Y front) into those of glTF and OBJ (+Y up, +Z front).
Y_UP = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])


def write_all(
    shape: Shape, folder: Path, resolution: int = 64, points: int = 4096, views: int = 12, size: int = 128
) -> dict[str, Any]:
    """Writes every representation of a shape into a folder, which is made, and returns the values of `shape.json`.

    resolution: of the grids; points: on the surface, and signed distances of each kind; views: pictures; size: of
    pictures, in pixels or texels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    joined = shape.mesh()
    write_mesh(folder / "mesh.glb", Mesh(joined.vertices, joined.faces), f"{shape.category} {shape.seed}")
    _write_parts(folder / "parts.glb", shape)
    write_points(folder / "points.ply", *shape.surface(points))
    samples = shape.samples(points, points)
    np.savez_compressed(
        folder / "grids.npz",
        voxels=shape.voxels(resolution),
        sdf=shape.sdf_grid(resolution),
        sample_points=samples.points,
        sample_distances=samples.distances,
    )
    textured = shape.textured(size)
    grid = textured.cubes.template
    np.savez_compressed(
        folder / "cubes.npz",
        template=grid.vertices,
        quads=grid.quads,
        patches=grid.patches,
        vertices=textured.cubes.vertices,
        pictures=textured.pictures,
        labels=np.array(textured.cubes.labels),
        names=np.array(textured.cubes.names),
    )
    write_textured(folder / "textured.glb", textured)
    (folder / "program.txt").write_text(to_text(shape.program()), encoding="utf-8")
    write_polygons(folder / "lowpoly.obj", shape.lowpoly())
    write_views(folder / "views", shape.views(views, size))
    values: dict[str, Any] = {
        "category": shape.category,
        "seed": shape.seed,
        "sentence": shape.sentence(),
        "attributes": shape.attributes(),
        "parts": [{"name": part.name, "label": part.label} for part in shape.parts],
        "materials": [material.pattern for material in textured.materials],
        "parameters": shape.parameters,
    }
    if shape.category == "creature":
        registered = shape.registered()
        write_mesh(folder / "registered.ply", Mesh(registered.vertices, registered.faces))
        values["landmarks"] = {name: int(index) for name, index in registered.landmarks.items()}
    (folder / "shape.json").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return values


def write_points(path: Path, points: NDArray[np.float32], normals: NDArray[np.float32]) -> None:
    """Points and normals, each (N, 3), as a binary PLY file in the engine's frame."""
    names = ("x", "y", "z", "nx", "ny", "nz")
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    header += [*(f"property float {name}" for name in names), "end_header", ""]
    path.write_bytes("\n".join(header).encode() + np.concatenate([points, normals], axis=1).astype("<f4").tobytes())


def write_polygons(path: Path, mesh: LowPoly) -> None:
    """Polygons, each with all its corners, as an OBJ file, an object for every part."""
    lines = [f"v {x:.6f} {z:.6f} {-y:.6f}" for x, y, z in mesh.vertices]
    owner = -1
    for polygon, part in zip(mesh.polygons, mesh.owners, strict=True):
        if part != owner:
            lines.append(f"o part{part}")
            owner = int(part)
        lines.append("f " + " ".join(str(index + 1) for index in polygon))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_textured(path: Path, textured: Textured) -> None:
    """Deformed cubes with their pictures as one GLB file; texels without alpha are cut out."""
    import trimesh
    from PIL import Image
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    scene = trimesh.Scene()
    for part, name in enumerate(textured.cubes.names):
        found = textured.unwrapped(part)
        picture = Image.fromarray(textured.atlas(part))
        material = PBRMaterial(
            name=name,
            baseColorTexture=picture,
            alphaMode="MASK",
            alphaCutoff=0.5,
            metallicFactor=0.0,
            roughnessFactor=0.8,
        )
        visual = TextureVisuals(uv=found.uv, material=material)
        mesh = trimesh.Trimesh(found.mesh.vertices, found.mesh.faces, visual=visual, process=False)
        scene.add_geometry(mesh.apply_transform(Y_UP), node_name=name, geom_name=name)
    path.write_bytes(bytes(scene.export(file_type="glb")))  # type: ignore[arg-type]


def write_views(folder: Path, views: list[View]) -> None:
    """Pictures as PNG with alpha, depths as arrays, and cameras as `transforms.json`, in the engine's frame."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = []
    for number, view in enumerate(views):
        name = f"{number:03d}.png"
        save_png(folder / name, view.rgba())
        frames.append({"file_path": name, **view.camera.to_dict()})
    np.savez_compressed(folder / "depth.npz", depth=np.stack([view.depth for view in views]))
    (folder / "transforms.json").write_text(json.dumps({"frames": frames}, indent=2) + "\n", encoding="utf-8")


def _write_parts(path: Path, shape: Shape) -> None:
    import trimesh

    scene = trimesh.Scene()
    for part, mesh in zip(shape.parts, shape.parts_mesh(), strict=True):
        body = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        scene.add_geometry(body.apply_transform(Y_UP), node_name=part.name, geom_name=part.name)
    path.write_bytes(bytes(scene.export(file_type="glb")))  # type: ignore[arg-type]
