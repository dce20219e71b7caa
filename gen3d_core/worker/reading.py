"""What is in a request, as what the engine works with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadMesh, BadRequest, Unsupported
from ..protocol import Request

if TYPE_CHECKING:
    from torch import Tensor

    from ..data.solid import Frame, Solid
    from ..representations import Mesh, MeshOptions
    from ..representations.camera import Camera
    from ..run import Run
    from ..system import System


@dataclass(frozen=True)
class Collection:
    """Assets of a request: the usable ones with their names and places in it, and names and reasons of the others."""

    assets: list[Solid]
    names: list[str]
    kept: list[int]
    refused: list[list[str]]


def seeds(request: Request) -> list[int]:
    """The seeds, at least one."""
    seeds = [int(seed) for seed in request.options["seeds"]]
    if not seeds:
        raise BadRequest("No seeds were given.", "Ask for at least one shape.")
    return seeds


def mesh_options(request: Request) -> MeshOptions:
    """How shapes are to become meshes."""
    from ..memory import require_grid
    from ..representations import MeshOptions

    options = MeshOptions(
        resolution=int(request.options.get("resolution", 64)),
        debris=float(request.options.get("debris", 0.0)),
        faces=int(request.options.get("faces", 0)),
        quads=bool(request.options.get("quads", False)),
    )
    require_grid(options.resolution)
    return options


def mesh_arrays(mesh: Mesh, frame: Frame | None) -> dict[str, np.ndarray]:
    """A mesh as an interface takes it, its faces triangles or quads; ``frame`` leads to the artist's coordinates."""
    edges, corner_edges = mesh.edges()
    vertices = mesh.vertices if frame is None else frame.outward(mesh.vertices)
    return {"vertices": vertices, "faces": mesh.polygons, "edges": edges, "corner_edges": corner_edges}


def array(request: Request, name: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """An array of the request, in a type and a shape."""
    if name not in request.arrays:
        raise BadRequest(f"The request has no {name}.", "Update the interface and the engine.")
    return np.array(request.arrays[name], dtype=dtype).reshape(shape)


def latents(request: Request, *names: str) -> list[Tensor]:
    """Latents of the request, each with shape (L,)."""
    import torch

    return [torch.from_numpy(array(request, name, np.float32, (-1,))) for name in names]


def matrix(request: Request, name: str, rows: int) -> Tensor:
    """Latents of the request one under the other, with shape (rows, L)."""
    import torch

    if not rows:
        raise BadRequest("No shapes were given.", "Give at least one.")
    return torch.from_numpy(array(request, name, np.float32, (rows, -1)))


def offset(request: Request) -> Tensor | None:
    """What is to be added to a latent, with shape (L,); None where nothing is."""
    return latents(request, "offset")[0] if "offset" in request.arrays else None


def pictures_of(request: Request, system: System) -> Tensor:
    """The pictures of a request as the system takes them, with shape (V, 4, S, S)."""
    import torch

    from ..data import pictures
    from ..system import FromImages

    if not isinstance(system, FromImages):
        raise Unsupported("This model does not read pictures.", "Choose another model.")
    given = request.arrays.get("pictures")
    if given is None or given.ndim != 4 or given.shape[-1] != 4 or given.dtype != np.uint8 or not len(given):
        raise BadRequest("The request has no pictures.", "Update the interface and the engine.")
    return torch.stack([torch.as_tensor(pictures.framed(pictures.cut_out(one), system.image_size())) for one in given])


def guides(request: Request, system: System) -> tuple[str, Tensor | None]:
    """The text and the pictures that guide a completion, where there are any."""
    images = pictures_of(request, system) if "pictures" in request.arrays else None
    return str(request.options.get("text") or ""), images


def moved(camera: Camera, frame: Frame) -> Camera:
    """A camera of the artist's coordinates in the engine's frame; depths along its axis are to be scaled alike."""
    pose = camera.pose.copy()
    pose[:3, 3] = (pose[:3, 3] - frame.centre) * frame.scale
    return replace(camera, pose=pose)


def solid_of(request: Request) -> tuple[Solid, Frame]:
    """The artist's mesh as a solid in the engine's frame, and how that relates to the artist's."""
    from ..data import solid

    mesh, frame = mesh_of(request)
    return solid.Solid(mesh), frame


def mesh_of(request: Request) -> tuple[Mesh, Frame]:
    """The artist's mesh in the engine's frame, and how that relates to the artist's."""
    from ..data import solid
    from ..representations import Mesh

    vertices, faces = array(request, "vertices", np.float32, (-1, 3)), array(request, "faces", np.int32, (-1, 3))
    frame = solid.fit(vertices) if request.options.get("fit") else solid.IDENTITY
    return Mesh(frame.inward(vertices), faces), frame


def collection(request: Request, run: Run) -> Collection:
    """Several assets, their vertices and faces one after another; each asset's faces count from its own first.

    Raises:
        BadRequest: names, counts and meshes do not fit together.
        BadMesh: none of the assets can be used.
    """
    from ..data import solid
    from ..representations import Mesh

    names = [str(name) for name in request.options["names"]]
    counts = [[int(n) for n in request.options[key]] for key in ("vertex_counts", "face_counts")]
    arrays = [array(request, "vertices", np.float32, (-1, 3)), array(request, "faces", np.int32, (-1, 3))]
    if not names or any(len(c) != len(names) or sum(c) != len(a) for c, a in zip(counts, arrays, strict=True)):
        raise BadRequest("The names, counts and meshes of the request do not fit together.", "Update the interface.")
    parts = [np.split(array, np.cumsum(count)[:-1]) for count, array in zip(counts, arrays, strict=True)]
    found = Collection([], [], [], [])
    problems: list[BadMesh] = []
    for index, (vertices, faces) in enumerate(run.track(list(zip(*parts, strict=True)))):
        try:
            frame = solid.fit(vertices) if request.options.get("fit") else solid.IDENTITY
            found.assets.append(solid.Solid(Mesh(frame.inward(vertices), np.ascontiguousarray(faces))))
        except BadMesh as error:
            # One asset that cannot be used does not stop the others.
            problems.append(error)
            found.refused.append([names[index], error.message])
            continue
        found.names.append(names[index])
        found.kept.append(index)
    if not found.assets:
        raise problems[0]
    return found
