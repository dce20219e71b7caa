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
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from . import __version__, cards, protocol
from .errors import BadMesh, BadRequest, EngineError, Gen3DError, OutOfMemory, ProtocolError
from .protocol import Event, Request

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .data.solid import Frame, Solid
    from .representations import Mesh, MeshOptions
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

    def _run(self, request: Request, seeds: list[int], text: str) -> Any:
        from .run import Run

        last = 0.0

        def on_progress(fraction: float) -> bool:
            nonlocal last
            now = time.monotonic()
            if now - last > PROGRESS_SECONDS:
                last = now
                self._send(Event(request.id, "progress", {"fraction": fraction, "text": text}))
            return request.id not in self._cancelled

        return Run(seeds, self._device(), on_progress)

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

        yield from self._results(request, tasks.sample(system, self._run(request, _seeds(request), "Generating")))

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
        yield from self._results(request, tasks.complete(system, solid, torch.as_tensor(known), run), frame)

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
        """Several assets, their vertices and faces one after another; each asset's faces count from its own first."""
        card, system = cards.find(request.model), self._system(request)
        from . import ranking
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
        run = self._run(request, [0], "Ranking")
        assets: list[Solid] = []
        kept: list[int] = []
        refused: list[tuple[str, BadMesh]] = []
        with run.span(0.0, 0.2):
            for index, (vertices, faces) in enumerate(run.track(list(zip(*parts, strict=True)))):
                try:
                    frame = solid.fit(vertices) if request.options.get("fit") else solid.IDENTITY
                    assets.append(solid.Solid(Mesh(frame.inward(vertices), np.ascontiguousarray(faces))))
                    kept.append(index)
                except BadMesh as error:
                    # One asset that cannot be used does not stop the others.
                    refused.append((names[index], error))
        if not assets:
            raise refused[0][1]
        with run.span(0.2, 1.0):
            found = ranking.rank(system, assets, [names[i] for i in kept], run, card.metrics.get("scores"))
        values = found.values()
        for row in values["entries"]:
            yield Event(request.id, "result", {**row, "index": kept[row["index"]]})
        left_out = [[name, error.message] for name, error in refused]
        yield Event(request.id, "done", {"sentence": values["sentence"], "sure": values["sure"], "refused": left_out})


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
