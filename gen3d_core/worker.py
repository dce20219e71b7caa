"""The engine as a process: requests on standard input, events on standard output.

One thread reads, so that a cancellation is seen while the other computes. Whatever a library prints goes to standard
error. The process ends as soon as standard input closes: no engine outlives its interface.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from . import __version__, cards, protocol
from .errors import BadMesh, BadRequest, EngineError, Gen3DError, OutOfMemory, ProtocolError, Unsupported
from .protocol import Event, Request

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .data.solid import Frame, Solid
    from .representations import Mesh, MeshOptions
    from .representations.camera import Camera
    from .run import Run
    from .system import System
    from .tasks import Shape

PROTOCOL = 1
#: What a task needs besides Python and NumPy.
PACKAGES = ("torch", "safetensors", "skimage", "scipy", "psutil", "igl", "trimesh")
KEPT_MODELS = 2
PROGRESS_SECONDS = 0.05
#: Whose part it is to vary an asset.
MODEL, GEOMETRY = "model", "geometry"


def serve(device: str = "auto", threads: int = 0) -> None:
    """Serves standard input until it closes.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        threads: of torch; 0 is one less than the processor has, which leaves one to the interface.
    """
    # A print of some library must not land between two frames: keep the pipe for us, give it standard error instead.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    Worker(sys.stdin.buffer, out, device, threads).run()


class Worker:
    """Requests in, events out.

    Args:
        requests, events: the two streams.
        device, threads: see :func:`serve`.
    """

    def __init__(self, requests: BinaryIO, events: BinaryIO, device: str, threads: int) -> None:
        self._requests, self._events = requests, events
        self._device_name, self._threads = device, threads
        self._writing = threading.Lock()
        self._waiting: deque[Request] = deque()
        self._changed = threading.Condition()
        self._current: str | None = None
        self._cancelled: set[str] = set()
        self._models: dict[tuple[str, str], System] = {}
        self._drafts: dict[str, Tensor] = {}
        self._tasks: dict[str, Callable[[Request], Iterator[Event]]] = {
            "hello": self._hello,
            "sample": self._sample,
            "decode": self._decode,
            "interpolate": self._interpolate,
            "vary": self._vary,
            "reconstruct": self._reconstruct,
            "complete": self._complete,
            "score": self._score,
            "augment": self._augment,
            "rank": self._rank,
            "from_text": self._from_text,
            "from_images": self._from_images,
            "complete_view": self._complete_view,
            "arithmetic": self._arithmetic,
            "classify": self._classify,
            "label": self._label,
            "refine": self._refine,
        }

    def run(self) -> None:
        """Works until the process ends."""
        self._send(Event("", "ready", {"version": __version__, "protocol": PROTOCOL}))
        threading.Thread(target=self._read, daemon=True).start()
        # The first click should not pay for the import; a broken torch is reported by the request that needs it.
        if find_spec("torch"):
            try:
                self._device()
            except (Gen3DError, ImportError, OSError):
                traceback.print_exc()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                request = self._waiting.popleft()
                self._current = request.id
            self._answer(request)
            with self._changed:
                self._current = None
                self._cancelled.discard(request.id)

    # Reading

    def _read(self) -> None:
        while True:
            try:
                message = protocol.read(self._requests)
            except ProtocolError as error:
                # The place of the next frame is unknown: say so and end, the client starts a new process.
                self._send(protocol.error_event("", error))
                os._exit(3)
            if message is None:
                os._exit(0)
            if isinstance(message, Request):
                self._accept(message)

    def _accept(self, request: Request) -> None:
        dropped: list[str] = []
        with self._changed:
            if request.task == "cancel":
                target = str(request.options.get("request", ""))
                if self._current == target:
                    self._cancelled.add(target)
                dropped = self._drop(lambda waiting: waiting.id == target)
            else:
                if request.stream:
                    dropped = self._drop(lambda waiting: waiting.stream == request.stream)
                self._waiting.append(request)
                self._changed.notify()
        for identifier in dropped:
            self._send(Event(identifier, "cancelled"))
        if request.task == "cancel":
            self._send(Event(request.id, "done"))

    def _drop(self, condition: Callable[[Request], bool]) -> list[str]:
        out = [waiting for waiting in self._waiting if condition(waiting)]
        for waiting in out:
            self._waiting.remove(waiting)
        return [waiting.id for waiting in out]

    # Answering

    def _answer(self, request: Request) -> None:
        try:
            task = self._tasks.get(request.task)
            if task is None:
                raise BadRequest(f"There is no task '{request.task}'.", f"Known tasks: {', '.join(self._tasks)}.")
            values: Mapping[str, Any] = {}
            for event in task(request):
                if event.kind == "done":
                    values = event.values
                else:
                    self._send(event)
            self._send(Event(request.id, "done", values))
        except Gen3DError as error:
            self._send(protocol.error_event(request.id, error))
        except Exception as error:  # noqa: BLE001 - the boundary: whatever happens, the request ends with one event
            self._send(self._unexpected(request.id, error))

    def _unexpected(self, request_id: str, error: Exception) -> Event:
        details = traceback.format_exc()
        print(details, file=sys.stderr, flush=True)  # noqa: T201 - the log
        if type(error).__name__ == "Cancelled":
            return Event(request_id, "cancelled")
        if isinstance(error, ImportError):
            failure: Gen3DError = EngineError(
                f"The engine's Python {sys.executable} cannot import {error.name or 'a package'}.",
                "Install what the engine needs into it, or choose another Python in the preferences.",
                details,
            )
        elif isinstance(error, MemoryError) or "out of memory" in str(error) or "not enough memory" in str(error):
            failure = OutOfMemory("There is not enough memory for this.", "Choose a lower resolution.", details)
        elif isinstance(error, (KeyError, TypeError, ValueError)) and not details.count("site-packages"):
            failure = BadRequest("The request cannot be understood.", "Update the interface and the engine.", details)
        else:
            failure = Gen3DError("The engine met an unexpected problem.", "Copy the report and send it to us.", details)
        return protocol.error_event(request_id, failure)

    def _send(self, event: Event) -> None:
        try:
            with self._writing:
                protocol.write(self._events, event)
        except (BrokenPipeError, ValueError):
            os._exit(0)

    # What tasks share

    def _device(self) -> torch.device:
        """Imports torch and sets it up."""
        import torch

        from .run import resolve_device

        count = self._threads or max((os.cpu_count() or 2) - 1, 1)
        torch.set_num_threads(count)
        return resolve_device(self._device_name)

    def _system(self, request: Request) -> System:
        from . import zoo

        card = cards.find(request.model)
        key = (str(card.folder), card.sha256)
        if key not in self._models:
            self._send(Event(request.id, "progress", {"fraction": 0.0, "text": f"Loading {card.title}"}))
            while len(self._models) >= KEPT_MODELS:
                del self._models[next(iter(self._models))]
            self._models[key] = zoo.load(card, self._device())
        return self._models[key]

    def _run(self, request: Request, seeds: list[int], text: str) -> Run:
        from .run import Run

        last, shown = 0.0, text

        def on_progress(fraction: float) -> bool:
            nonlocal last
            now = time.monotonic()
            if now - last > PROGRESS_SECONDS:
                last = now
                self._send(Event(request.id, "progress", {"fraction": fraction, "text": shown}))
            return request.id not in self._cancelled

        def on_note(note: str) -> None:
            nonlocal shown
            shown = f"{text}, {note}" if note else text

        return Run(seeds, self._device(), on_progress, on_note)

    def _results(self, request: Request, shapes: Iterator[Shape], frame: Frame | None = None) -> Iterator[Event]:
        """Shapes as events; ``frame`` leads back to the artist's coordinates."""
        options = _mesh_options(request)
        started = time.perf_counter()
        for index, shape in enumerate(shapes):
            surface = self._surface(request, shape, options)
            decoded = time.perf_counter()
            mesh = surface()
            arrays = _mesh_arrays(mesh, frame)
            meshed = time.perf_counter()
            seconds = {"decode": decoded - started, "mesh": meshed - decoded}
            values: dict[str, Any] = {"index": index, "seed": shape.seed, "seconds": seconds}
            if shape.t is not None:
                values["t"] = shape.t
            if shape.latent is not None:
                arrays["latent"] = shape.latent.numpy().astype(np.float32)
            yield Event(request.id, "result", values, arrays)
            started = time.perf_counter()

    def _surface(self, request: Request, shape: Shape, options: MeshOptions) -> Callable[[], Mesh]:
        """The field evaluated, and what is left to do to make a mesh of it."""
        from .representations import Field
        from .representations.isosurface import extract

        representation = shape.representation
        if not isinstance(representation, Field):
            return lambda: representation.to_mesh(options)
        # While the artist drags, the last frame's grid tells where the surface is; the last frame of a drag is exact.
        near = self._drafts.get(request.stream) if request.options.get("draft") else None
        grid = representation.grid(options.resolution, near).values
        if request.stream:
            self._drafts = {request.stream: grid}
        return lambda: extract(grid, 0.0, options)

    def _solid(self, request: Request) -> tuple[Solid, Frame]:
        from .data import solid

        mesh, frame = self._mesh(request)
        return solid.Solid(mesh), frame

    def _mesh(self, request: Request) -> tuple[Mesh, Frame]:
        """The artist's mesh in the engine's frame, and how that relates to the artist's."""
        from .data import solid
        from .representations import Mesh

        vertices, faces = _array(request, "vertices", np.float32, (-1, 3)), _array(request, "faces", np.int32, (-1, 3))
        frame = solid.fit(vertices) if request.options.get("fit") else solid.IDENTITY
        return Mesh(frame.inward(vertices), faces), frame

    # Tasks

    def _hello(self, request: Request) -> Iterator[Event]:
        missing = [name for name in PACKAGES if find_spec(name) is None]
        values: dict[str, Any] = {
            "version": __version__,
            "python": platform.python_version(),
            "missing": missing,
            "models": len(cards.listing()),
            "torch": "",
            "device": "",
            "device_name": "",
            "threads": 0,
        }
        if "torch" not in missing:
            device = self._device()
            import torch

            name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "CPU"
            values |= {"torch": torch.__version__, "device": device.type, "device_name": name}
            values["threads"] = torch.get_num_threads()
        yield Event(request.id, "done", values)

    def _sample(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from . import tasks

        run, name = self._run(request, _seeds(request), "Generating"), str(request.options.get("class") or "")
        yield from self._results(request, tasks.from_class(system, name, run) if name else tasks.sample(system, run))

    def _from_text(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from . import tasks

        run = self._run(request, _seeds(request), "Generating")
        yield from self._results(request, tasks.from_text(system, str(request.options["text"]), run))

    def _from_images(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from . import tasks

        run = self._run(request, _seeds(request), "Generating")
        yield from self._results(request, tasks.from_images(system, _pictures(request, system), run))

    def _arithmetic(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from . import tasks

        a, b, c = _latents(request, "a", "b", "c")
        shape = tasks.arithmetic(system, a, b, c, self._run(request, [0], "Calculating"))
        yield from self._results(request, iter([shape]))

    def _classify(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from . import tasks

        solid, _ = self._solid(request)
        found = tasks.classify(system, solid, self._run(request, [0], "Classifying"))
        values = {"classes": list(found), "probabilities": list(found.values())}
        yield Event(request.id, "result", {"index": 0, **values})

    def _refine(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from . import tasks

        solid, frame = self._solid(request)
        run = self._run(request, [int(request.options.get("seed", 0))], "Refining")
        yield from self._results(request, tasks.refine(system, solid, run), frame)

    def _decode(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from . import tasks

        run = self._run(request, [0], "Moving")
        a, b = _latents(request, "a", "b")
        yield from self._results(request, iter([tasks.decode(system, a, b, float(request.options["t"]), run)]))

    def _interpolate(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from . import tasks

        run = self._run(request, [0], "Interpolating")
        a, b = _latents(request, "a", "b")
        yield from self._results(request, tasks.interpolate(system, a, b, int(request.options["steps"]), run))

    def _vary(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from . import tasks

        run = self._run(request, _seeds(request), "Varying")
        (latent,) = _latents(request, "latent")
        yield from self._results(request, tasks.vary(system, latent, float(request.options["amount"]), run))

    def _reconstruct(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from . import tasks

        solid, frame = self._solid(request)
        run = self._run(request, [int(request.options.get("seed", 0))], "Reconstructing")
        yield from self._results(request, iter([tasks.reconstruct(system, solid, run)]), frame)

    def _complete(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        import torch

        from . import tasks
        from .data import partial

        solid, frame = self._solid(request)
        box = request.options.get("box")
        if box is None:
            known = partial.near_surface(solid, tasks.COMPARED_AT)
        else:
            low, high = frame.inward(np.asarray(box, dtype=np.float64).reshape(2, 3))
            known = partial.outside_box(low, high, tasks.COMPARED_AT)
        run = self._run(request, _seeds(request), "Completing")
        shapes = tasks.complete(system, solid, torch.as_tensor(known), run, *_guides(request, system))
        yield from self._results(request, shapes, frame)

    def _complete_view(self, request: Request) -> Iterator[Event]:
        """From what one camera sees; camera and bounds are in the artist's coordinates, as what comes back is."""
        system = self._system(request)
        import torch

        from . import tasks
        from .data import partial, solid
        from .representations.camera import Camera

        camera = Camera.from_dict(request.options["camera"])
        depth = _array(request, "depth", np.float32, (camera.height, camera.width))
        bounds = request.options.get("bounds")
        if bounds is None:
            seen = np.isfinite(depth) & (depth > 0)
            corners = camera.unproject(np.where(seen, depth, 1.0))[seen]
            if not len(corners):
                raise BadRequest("The camera sees nothing of the shape.", "Point it at the shape, then try again.")
        else:
            corners = np.asarray(bounds, dtype=np.float64).reshape(2, 3)
        frame = solid.fit(corners)
        given, known = partial.from_depth(depth * frame.scale, _moved(camera, frame), tasks.COMPARED_AT)
        run = self._run(request, _seeds(request), "Completing")
        shapes = tasks.complete(system, given, torch.as_tensor(known), run, *_guides(request, system))
        yield from self._results(request, shapes, frame)

    def _score(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from . import tasks

        solid, _ = self._solid(request)
        (value,) = tasks.score(system, [solid], self._run(request, [0], "Scoring"))
        yield Event(request.id, "result", {"index": 0, "score": value})

    def _augment(self, request: Request) -> Iterator[Event]:
        from . import tasks

        method, amount = str(request.options.get("method", MODEL)), float(request.options["amount"])
        if method not in (MODEL, GEOMETRY):
            raise BadRequest(f"There is no method '{method}'.", f"Use '{MODEL}' or '{GEOMETRY}'.")
        run = self._run(request, _seeds(request), "Augmenting")
        if method == GEOMETRY:
            mesh, frame = self._mesh(request)
            shapes = tasks.deform(mesh, amount, run)
        else:
            system = self._system(request)
            solid, frame = self._solid(request)
            shapes = tasks.augment(system, solid, amount, run)
        yield from self._results(request, shapes, frame)

    def _rank(self, request: Request) -> Iterator[Event]:
        card, system = cards.find(request.model), self._system(request)
        from . import ranking

        run = self._run(request, [0], "Ranking")
        with run.span(0.0, 0.2):
            found = self._collection(request, run)
        with run.span(0.2, 1.0):
            ranked = ranking.rank(system, found.assets, found.names, run, card.metrics.get("scores"))
        values = ranked.values()
        for row in values["entries"]:
            yield Event(request.id, "result", {**row, "index": found.kept[row["index"]]})
        done = {"sentence": values["sentence"], "sure": values["sure"], "refused": found.refused}
        yield Event(request.id, "done", done)

    def _label(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from . import fewshot

        given = [str(label) for label in request.options["labels"]]
        if len(given) != len(request.options["names"]):
            raise BadRequest("There is not one label for each name.", "Update the interface.")
        run = self._run(request, [0], "Labelling")
        with run.span(0.0, 0.4):
            found = self._collection(request, run)
        with run.span(0.4, 1.0):
            labels = fewshot.label(system, found.assets, [given[i] for i in found.kept], run)
        for place, index in enumerate(found.kept):
            if not given[index]:
                row = {"index": index, "name": found.names[place], "label": labels.labels[place]}
                yield Event(request.id, "result", {**row, "probability": labels.probabilities[place]})
        yield Event(request.id, "done", {"sentence": labels.sentence(), "refused": found.refused})

    def _collection(self, request: Request, run: Run) -> _Collection:
        """Several assets, their vertices and faces one after another; each asset's faces count from its own first.

        Raises:
            BadRequest: names, counts and meshes do not fit together.
            BadMesh: none of the assets can be used.
        """
        from .data import solid
        from .representations import Mesh

        names = [str(name) for name in request.options["names"]]
        counts = [[int(n) for n in request.options[key]] for key in ("vertex_counts", "face_counts")]
        arrays = [_array(request, "vertices", np.float32, (-1, 3)), _array(request, "faces", np.int32, (-1, 3))]
        if not names or any(len(c) != len(names) or sum(c) != len(a) for c, a in zip(counts, arrays, strict=True)):
            raise BadRequest(
                "The names, counts and meshes of the request do not fit together.", "Update the interface."
            )
        parts = [np.split(array, np.cumsum(count)[:-1]) for count, array in zip(counts, arrays, strict=True)]
        found = _Collection([], [], [], [])
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


@dataclass(frozen=True)
class _Collection:
    """Assets of a request: the usable ones with their names and places in it, and names and reasons of the others."""

    assets: list[Solid]
    names: list[str]
    kept: list[int]
    refused: list[list[str]]


def _seeds(request: Request) -> list[int]:
    seeds = [int(seed) for seed in request.options["seeds"]]
    if not seeds:
        raise BadRequest("No seeds were given.", "Ask for at least one shape.")
    return seeds


def _mesh_options(request: Request) -> MeshOptions:
    from .memory import require_grid
    from .representations import MeshOptions

    options = MeshOptions(
        resolution=int(request.options.get("resolution", 64)),
        debris=float(request.options.get("debris", 0.0)),
        faces=int(request.options.get("faces", 0)),
    )
    require_grid(options.resolution)
    return options


def _mesh_arrays(mesh: Mesh, frame: Frame | None) -> dict[str, np.ndarray]:
    edges, corner_edges = mesh.edges()
    vertices = mesh.vertices if frame is None else frame.outward(mesh.vertices)
    return {"vertices": vertices, "faces": mesh.faces, "edges": edges, "corner_edges": corner_edges}


def _array(request: Request, name: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    if name not in request.arrays:
        raise BadRequest(f"The request has no {name}.", "Update the interface and the engine.")
    return np.array(request.arrays[name], dtype=dtype).reshape(shape)


def _latents(request: Request, *names: str) -> list[Tensor]:
    import torch

    return [torch.from_numpy(_array(request, name, np.float32, (-1,))) for name in names]


def _pictures(request: Request, system: System) -> Tensor:
    """The pictures of a request as the system takes them, with shape (V, 4, S, S)."""
    import torch

    from .data import pictures
    from .system import FromImages

    if not isinstance(system, FromImages):
        raise Unsupported("This model does not read pictures.", "Choose another model.")
    given = request.arrays.get("pictures")
    if given is None or given.ndim != 4 or given.shape[-1] != 4 or given.dtype != np.uint8 or not len(given):
        raise BadRequest("The request has no pictures.", "Update the interface and the engine.")
    return torch.stack(
        [torch.as_tensor(pictures.framed(pictures.cut_out(one), system.image_size())) for one in given]
    )


def _guides(request: Request, system: System) -> tuple[str, Tensor | None]:
    """The text and the pictures that guide a completion, where there are any."""
    images = _pictures(request, system) if "pictures" in request.arrays else None
    return str(request.options.get("text") or ""), images


def _moved(camera: Camera, frame: Frame) -> Camera:
    """A camera of the artist's coordinates in the engine's frame; depths along its axis are to be scaled alike."""
    pose = camera.pose.copy()
    pose[:3, 3] = (pose[:3, 3] - frame.centre) * frame.scale
    return replace(camera, pose=pose)
