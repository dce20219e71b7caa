"""The tasks of the worker: a request in, its events out."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__, cards
from ..errors import BadRequest
from ..protocol import Event, Request
from . import completing, reading
from .drafts import Drafts

if TYPE_CHECKING:
    import torch

    from ..data.solid import Frame
    from ..directions import Directions
    from ..representations import Mesh, MeshOptions
    from ..run import Run
    from ..system import System
    from ..tasks import Shape

#: What a task needs besides Python and NumPy.
PACKAGES = ("torch", "safetensors", "skimage", "scipy", "psutil", "igl", "trimesh")
KEPT_MODELS = 2
PROGRESS_SECONDS = 0.05
#: Whose part it is to vary an asset.
MODEL, GEOMETRY = "model", "geometry"


class Verbs:
    """The tasks by name, and the models that they have loaded.

    Args:
        send: takes an event.
        cancelled: whether the request of an identifier is to stop.
        device, threads: see :func:`gen3d_core.worker.serve`.
    """

    def __init__(
        self, send: Callable[[Event], None], cancelled: Callable[[str], bool], device: str, threads: int
    ) -> None:
        self._send, self._cancelled = send, cancelled
        self._device_name, self._threads = device, threads
        self._models: dict[tuple[str, str], System] = {}
        self._drafts = Drafts()
        self._found: dict[tuple[str, str], Directions] = {}
        self.tasks: dict[str, Callable[[Request], Iterator[Event]]] = {
            "hello": self._hello,
            "sample": self._sample,
            "decode": self._decode,
            "blend": self._blend,
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
            "directions": self._directions,
        }

    def device(self) -> torch.device:
        """Imports torch and sets it up."""
        import torch

        from ..run import resolve_device

        count = self._threads or max((os.cpu_count() or 2) - 1, 1)
        torch.set_num_threads(count)
        return resolve_device(self._device_name)

    def _system(self, request: Request) -> System:
        from .. import zoo

        card = cards.find(request.model)
        key = (str(card.folder), card.sha256)
        if key not in self._models:
            self._send(Event(request.id, "progress", {"fraction": 0.0, "text": f"Loading {card.title}"}))
            while len(self._models) >= KEPT_MODELS:
                del self._models[next(iter(self._models))]
            self._models[key] = zoo.load(card, self.device())
        return self._models[key]

    def _run(self, request: Request, seeds: list[int], text: str) -> Run:
        from ..run import Run

        last, shown = 0.0, text

        def on_progress(fraction: float) -> bool:
            nonlocal last
            now = time.monotonic()
            if now - last > PROGRESS_SECONDS:
                last = now
                self._send(Event(request.id, "progress", {"fraction": fraction, "text": shown}))
            return not self._cancelled(request.id)

        def on_note(note: str) -> None:
            nonlocal shown
            shown = f"{text}, {note}" if note else text

        return Run(seeds, self.device(), on_progress, on_note)

    def _results(
        self,
        request: Request,
        shapes: Iterator[Shape],
        frame: Frame | None = None,
        given: completing.Given | None = None,
    ) -> Iterator[Event]:
        """Shapes as events; ``frame`` leads back to the artist's coordinates, in which what is given may stay."""
        options = reading.mesh_options(request)
        started = time.perf_counter()
        for index, shape in enumerate(shapes):
            surface = self._surface(request, shape, options)
            decoded = time.perf_counter()
            mesh = surface()
            arrays = reading.mesh_arrays(mesh, frame)
            meshed = time.perf_counter()
            seconds = {"decode": decoded - started, "mesh": meshed - decoded}
            values: dict[str, Any] = {"index": index, "seed": shape.seed, "seconds": seconds}
            if shape.t is not None:
                values["t"] = shape.t
            if frame is not None:
                values["frame"] = [float(frame.scale), *map(float, frame.centre)]
            if given is not None and given.kept is not None:
                values["note"] = given.kept.note
                arrays |= given.restored(request, mesh, arrays["vertices"])
            if shape.latent is not None:
                arrays["latent"] = shape.latent.numpy().astype(np.float32)
            yield Event(request.id, "result", values, arrays)
            started = time.perf_counter()

    def _surface(self, request: Request, shape: Shape, options: MeshOptions) -> Callable[[], Mesh]:
        """The field evaluated, and what is left to do to make a mesh of it."""
        from ..representations import Field
        from ..representations.isosurface import extract

        representation = shape.representation
        if not isinstance(representation, Field):
            return lambda: representation.to_mesh(options)
        draft = bool(request.options.get("draft"))
        grid = self._drafts.sampled(representation, options.resolution, request.stream, draft).values
        return lambda: extract(grid, 0.0, options)

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
            device = self.device()
            import torch

            name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "CPU"
            values |= {"torch": torch.__version__, "device": device.type, "device_name": name}
            values["threads"] = torch.get_num_threads()
        yield Event(request.id, "done", values)

    def _sample(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from .. import tasks

        run, name = self._run(request, reading.seeds(request), "Generating"), str(request.options.get("class") or "")
        yield from self._results(request, tasks.from_class(system, name, run) if name else tasks.sample(system, run))

    def _from_text(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from .. import tasks

        run = self._run(request, reading.seeds(request), "Generating")
        yield from self._results(request, tasks.from_text(system, str(request.options["text"]), run))

    def _from_images(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from .. import tasks

        run = self._run(request, reading.seeds(request), "Generating")
        yield from self._results(request, tasks.from_images(system, reading.pictures_of(request, system), run))

    def _arithmetic(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from .. import tasks

        a, b, c = reading.latents(request, "a", "b", "c")
        shape = tasks.arithmetic(system, a, b, c, self._run(request, [0], "Calculating"))
        yield from self._results(request, iter([shape]))

    def _classify(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from .. import tasks

        solid, _ = reading.solid_of(request)
        found = tasks.classify(system, solid, self._run(request, [0], "Classifying"))
        values = {"classes": list(found), "probabilities": list(found.values())}
        yield Event(request.id, "result", {"index": 0, **values})

    def _refine(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from .. import tasks

        solid, frame = reading.solid_of(request)
        run = self._run(request, [int(request.options.get("seed", 0))], "Refining")
        yield from self._results(request, tasks.refine(system, solid, run), frame)

    def _decode(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from .. import tasks

        run = self._run(request, [0], "Moving")
        a, b = reading.latents(request, "a", "b")
        t, offset = float(request.options["t"]), reading.offset(request)
        yield from self._results(request, iter([tasks.decode(system, a, b, t, run, offset)]))

    def _blend(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from .. import tasks

        run = self._run(request, [0], "Blending")
        weights = [float(weight) for weight in request.options["weights"]]
        latents = reading.matrix(request, "latents", len(weights))
        yield from self._results(request, iter([tasks.blend(system, latents, weights, run, reading.offset(request))]))

    def _interpolate(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from .. import tasks

        run = self._run(request, [0], "Interpolating")
        a, b = reading.latents(request, "a", "b")
        yield from self._results(request, tasks.interpolate(system, a, b, int(request.options["steps"]), run))

    def _vary(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from .. import tasks

        run = self._run(request, reading.seeds(request), "Varying")
        (latent,) = reading.latents(request, "latent")
        yield from self._results(request, tasks.vary(system, latent, float(request.options["amount"]), run))

    def _reconstruct(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from .. import tasks

        solid, frame = reading.solid_of(request)
        run = self._run(request, [int(request.options.get("seed", 0))], "Reconstructing")
        yield from self._results(request, iter([tasks.reconstruct(system, solid, run)]), frame)

    def _complete(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        import torch

        from .. import tasks

        given = completing.given(request, tasks.COMPARED_AT)
        run, guides = self._run(request, reading.seeds(request), "Completing"), reading.guides(request, system)
        shapes = tasks.complete(system, given.solid, torch.as_tensor(given.known), run, *guides)
        yield from self._results(request, given.exactly(shapes), given.frame, given)

    def _complete_view(self, request: Request) -> Iterator[Event]:
        """From what one camera sees; camera and bounds are in the artist's coordinates, as what comes back is."""
        system = self._system(request)
        import torch

        from .. import tasks
        from ..data import partial, solid
        from ..representations.camera import Camera

        camera = Camera.from_dict(request.options["camera"])
        depth = reading.array(request, "depth", np.float32, (camera.height, camera.width))
        bounds = request.options.get("bounds")
        if bounds is None:
            seen = np.isfinite(depth) & (depth > 0)
            corners = camera.unproject(np.where(seen, depth, 1.0))[seen]
            if not len(corners):
                raise BadRequest("The camera sees nothing of the shape.", "Point it at the shape, then try again.")
        else:
            corners = np.asarray(bounds, dtype=np.float64).reshape(2, 3)
        frame = solid.fit(corners)
        given, known = partial.from_depth(depth * frame.scale, reading.moved(camera, frame), tasks.COMPARED_AT)
        run = self._run(request, reading.seeds(request), "Completing")
        shapes = tasks.complete(system, given, torch.as_tensor(known), run, *reading.guides(request, system))
        yield from self._results(request, shapes, frame)

    def _directions(self, request: Request) -> Iterator[Event]:
        card, system = cards.find(request.model), self._system(request)
        from .. import direction_files

        key = (str(card.folder), card.sha256)
        if key not in self._found:
            self._found[key] = direction_files.of(card, system, self._run(request, [0], "Finding sliders"))
        found = self._found[key]
        yield Event(request.id, "result", {"index": 0, **found.values()}, {"vectors": found.vectors})

    def _score(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from .. import tasks

        solid, _ = reading.solid_of(request)
        (value,) = tasks.score(system, [solid], self._run(request, [0], "Scoring"))
        yield Event(request.id, "result", {"index": 0, "score": value})

    def _augment(self, request: Request) -> Iterator[Event]:
        from .. import tasks

        method, amount = str(request.options.get("method", MODEL)), float(request.options["amount"])
        if method not in (MODEL, GEOMETRY):
            raise BadRequest(f"There is no method '{method}'.", f"Use '{MODEL}' or '{GEOMETRY}'.")
        run = self._run(request, reading.seeds(request), "Augmenting")
        if method == GEOMETRY:
            mesh, frame = reading.mesh_of(request)
            shapes = tasks.deform(mesh, amount, run)
        else:
            system = self._system(request)
            solid, frame = reading.solid_of(request)
            shapes = tasks.augment(system, solid, amount, run)
        yield from self._results(request, shapes, frame)

    def _rank(self, request: Request) -> Iterator[Event]:
        card, system = cards.find(request.model), self._system(request)
        from .. import ranking

        run = self._run(request, [0], "Ranking")
        with run.span(0.0, 0.2):
            found = reading.collection(request, run)
        with run.span(0.2, 1.0):
            ranked = ranking.rank(system, found.assets, found.names, run, card.metrics.get("scores"))
        values = ranked.values()
        for row in values["entries"]:
            yield Event(request.id, "result", {**row, "index": found.kept[row["index"]]})
        done = {"sentence": values["sentence"], "sure": values["sure"], "refused": found.refused}
        yield Event(request.id, "done", done)

    def _label(self, request: Request) -> Iterator[Event]:
        system = self._system(request)
        from .. import fewshot

        given = [str(label) for label in request.options["labels"]]
        if len(given) != len(request.options["names"]):
            raise BadRequest("There is not one label for each name.", "Update the interface.")
        run = self._run(request, [0], "Labelling")
        with run.span(0.0, 0.4):
            found = reading.collection(request, run)
        with run.span(0.4, 1.0):
            labels = fewshot.label(system, found.assets, [given[i] for i in found.kept], run)
        for place, index in enumerate(found.kept):
            if not given[index]:
                row = {"index": index, "name": found.names[place], "label": labels.labels[place]}
                yield Event(request.id, "result", {**row, "probability": labels.probabilities[place]})
        yield Event(request.id, "done", {"sentence": labels.sentence(), "refused": found.refused})
