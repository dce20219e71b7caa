"""The engine as a process: real pipes, real deaths."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gen3d_core import protocol
from gen3d_core.protocol import Event, Request

ROOT = Path(__file__).resolve().parent.parent
MODEL = "furniture-vae"


class Engine:
    """A worker process and blocking calls to it."""

    def __init__(self, zoo: Path | None = None, package: Path = ROOT) -> None:
        environment = {**os.environ, "PYTHONPATH": str(package), "OMP_WAIT_POLICY": "PASSIVE"}
        if zoo:
            environment["GEN3D_ZOO"] = str(zoo)
        command = [sys.executable, "-m", "gen3d_core", "serve", "--device", "cpu", "--threads", "2"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=package
        )
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        ready = self.next()
        assert ready.kind == "ready"

    def send(self, request: Request) -> None:
        protocol.write(self.stdin, request)  # type: ignore[arg-type]

    def next(self) -> Event:
        event = protocol.read(self.stdout)  # type: ignore[arg-type]
        assert isinstance(event, Event), "the worker ended"
        return event

    def until_final(self, identifier: str) -> list[Event]:
        """Every event of a request, in order."""
        events = []
        while not events or not events[-1].final:
            event = self.next()
            if event.id == identifier:
                events.append(event)
        return events

    def until(self, kind: str) -> Event:
        """The next event of a kind, of whichever request."""
        while (event := self.next()).kind != kind:
            pass
        return event

    def ends(self, count: int) -> dict[str, str]:
        """By which kind of event so many requests end."""
        found: dict[str, str] = {}
        while len(found) < count:
            event = self.next()
            if event.final:
                found[event.id] = event.kind
        return found

    def cancel(self, identifier: str) -> dict[str, str]:
        """Cancels a request under way; how both that request and ``stop`` end."""
        self.send(Request("stop", "cancel", options={"request": identifier}))
        return self.ends(2)

    def ask(self, task: str, model: str = MODEL, arrays: Any = None, stream: str = "", **options: Any) -> list[Event]:
        self.send(Request("r", task, model, options, arrays or {}, stream))
        return self.until_final("r")

    def close(self) -> int:
        self.stdin.close()
        code = self.process.wait(timeout=30)
        self.stdout.close()
        assert self.process.stderr
        self.process.stderr.close()
        return code


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    assert engine.close() == 0


def results(events: list[Event]) -> list[Event]:
    assert events[-1].kind == "done", events[-1].values
    return [event for event in events if event.kind == "result"]


def test_hello(engine: Engine) -> None:
    (done,) = engine.ask("hello", model="")
    assert done.values["missing"] == []
    assert done.values["torch"]
    assert done.values["device"] == "cpu"


def test_sample_gives_closed_meshes_with_their_edges_and_latents(engine: Engine) -> None:
    from gen3d_core.representations import Mesh

    found = results(engine.ask("sample", seeds=[1, 2], resolution=32))
    assert [event.values["seed"] for event in found] == [1, 2]
    for event in found:
        mesh = Mesh(np.array(event.arrays["vertices"]), np.array(event.arrays["faces"]))
        assert mesh.is_closed()
        edges, corner_edges = event.arrays["edges"], event.arrays["corner_edges"]
        corners, ends = mesh.faces.reshape(-1), np.roll(mesh.faces, -1, axis=1).reshape(-1)
        assert np.array_equal(np.sort(edges[corner_edges], axis=1), np.sort(np.stack([corners, ends], 1), axis=1))
        assert event.arrays["latent"].dtype == np.float32


def test_quads_come_with_four_corners_also_in_a_drag_and_within_a_budget(engine: Engine) -> None:
    a, b = (event.arrays["latent"] for event in results(engine.ask("sample", seeds=[1, 2], resolution=32)))
    frames = [
        results(
            engine.ask("decode", arrays={"a": a, "b": b}, t=t, resolution=32, draft=True, quads=True, stream="drag")
        )[0]
        for t in (0.48, 0.5)
    ]
    (alone,) = results(engine.ask("decode", arrays={"a": a, "b": b}, t=0.5, resolution=32, quads=True))
    (few,) = results(engine.ask("decode", arrays={"a": a, "b": b}, t=0.5, resolution=32, quads=True, faces=300))
    assert np.array_equal(frames[1].arrays["faces"], alone.arrays["faces"])
    assert len(few.arrays["faces"]) <= 300 < len(alone.arrays["faces"])
    for event in (alone, few):
        faces, edges = event.arrays["faces"], event.arrays["edges"]
        assert faces.shape[1] == 4
        ends = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)
        assert np.array_equal(edges[event.arrays["corner_edges"]], np.sort(ends, axis=1))
        assert (np.bincount(event.arrays["corner_edges"]) == 2).all()


def test_progress_never_falls_and_the_request_ends_once(engine: Engine) -> None:
    events = engine.ask("sample", seeds=list(range(8)), resolution=32)
    fractions = [event.values["fraction"] for event in events if event.kind == "progress"]
    assert fractions == sorted(fractions)
    assert sum(event.final for event in events) == 1


def test_interpolation_vary_and_decode(engine: Engine) -> None:
    a, b = (event.arrays["latent"] for event in results(engine.ask("sample", seeds=[1, 2], resolution=32)))
    row = results(engine.ask("interpolate", arrays={"a": a, "b": b}, steps=3, resolution=32))
    assert [event.values["t"] for event in row] == [0.0, 0.5, 1.0]
    (middle,) = results(engine.ask("decode", arrays={"a": a, "b": b}, t=0.5, resolution=32, stream="s"))
    assert np.array_equal(middle.arrays["vertices"], row[1].arrays["vertices"])
    (varied,) = results(engine.ask("vary", arrays={"latent": a}, amount=0.0, seeds=[7], resolution=32))
    assert np.allclose(varied.arrays["latent"], a, atol=1e-6)


@pytest.mark.slow
def test_reconstruct_complete_and_score_an_artists_mesh(engine: Engine) -> None:
    (made,) = results(engine.ask("sample", seeds=[1], resolution=32))
    vertices, faces = made.arrays["vertices"], made.arrays["faces"]
    far = (vertices * 7 + np.array([10, -4, 2])).astype(np.float32)
    (seen,) = results(engine.ask("reconstruct", arrays={"vertices": far, "faces": faces}, fit=True, resolution=32))
    assert np.abs(seen.arrays["vertices"].mean(0) - far.mean(0)).max() < 1.5
    left = faces[vertices[faces].mean(axis=1)[:, 2] < 0.1]
    whole = results(engine.ask("complete", arrays={"vertices": vertices, "faces": left}, seeds=[1, 2], resolution=32))
    assert len(whole) == 2
    (scored,) = results(engine.ask("score", arrays={"vertices": vertices, "faces": faces}, fit=False))
    assert np.isfinite(scored.values["score"])


def test_augmentation_gives_variations_in_the_artists_coordinates(engine: Engine) -> None:
    (made,) = results(engine.ask("sample", seeds=[1], resolution=32))
    vertices = (made.arrays["vertices"] * 7 + np.array([10, -4, 2])).astype(np.float32)
    faces = made.arrays["faces"]
    arrays = {"vertices": vertices, "faces": faces}
    options: dict[str, Any] = {"seeds": [1, 2], "amount": 0.4, "fit": True, "resolution": 32}
    found = results(engine.ask("augment", arrays=arrays, method="model", **options))
    assert [event.values["seed"] for event in found] == [1, 2]
    assert not np.array_equal(found[0].arrays["latent"], found[1].arrays["latent"])
    for event in found:
        assert np.abs(event.arrays["vertices"].mean(0) - vertices.mean(0)).max() < 2
    # A variation does not depend on what is asked for beside it.
    (alone,) = results(engine.ask("augment", arrays=arrays, method="model", **{**options, "seeds": [2]}))
    assert np.array_equal(alone.arrays["latent"], found[1].arrays["latent"])


def test_augmentation_by_geometry_needs_no_model_and_keeps_the_faces(engine: Engine) -> None:
    (made,) = results(engine.ask("sample", seeds=[1], resolution=32))
    arrays = {"vertices": made.arrays["vertices"] * 3, "faces": made.arrays["faces"]}
    options = {"amount": 0.5, "method": "geometry", "fit": True}
    first, second = results(engine.ask("augment", "", arrays, seeds=[1, 2], **options))
    assert "latent" not in first.arrays
    assert np.array_equal(np.sort(first.arrays["faces"], axis=None), np.sort(arrays["faces"], axis=None))
    moved = [np.abs(event.arrays["vertices"] - arrays["vertices"]).max() for event in (first, second)]
    assert all(0.01 < most < 1.0 for most in moved)
    assert not np.array_equal(first.arrays["vertices"], second.arrays["vertices"])


def collection(*meshes: tuple[Any, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays and the counts of a request with several assets."""
    arrays = {
        "vertices": np.concatenate([vertices for vertices, _ in meshes]).astype(np.float32),
        "faces": np.concatenate([faces for _, faces in meshes]).astype(np.int32),
    }
    return arrays, {"vertex_counts": [len(v) for v, _ in meshes], "face_counts": [len(f) for _, f in meshes]}


def chairs_and_a_slab(engine: Engine) -> list[tuple[Any, Any]]:
    made = results(engine.ask("sample", seeds=[1, 2], resolution=32))
    corners = np.array(np.meshgrid([0, 3], [0, 3], [0, 2.5], indexing="ij"), np.float32).reshape(3, -1).T
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    slab = np.array([triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))], np.int32)
    chairs = [(event.arrays["vertices"], event.arrays["faces"]) for event in made]
    return [chairs[0], (corners, slab), chairs[1]]


def test_a_collection_is_ranked_the_most_unusual_first(engine: Engine) -> None:
    arrays, counts = collection(*chairs_and_a_slab(engine))
    events = engine.ask("rank", arrays=arrays, names=["a", "slab", "b"], fit=True, **counts)
    found = results(events)
    assert [event.values["place"] for event in found] == [1, 2, 3]
    assert (found[0].values["name"], found[0].values["index"]) == ("slab", 1)
    assert all(event.values["low"] <= event.values["score"] <= event.values["high"] for event in found)
    assert 0.5 <= events[-1].values["sure"] <= 1
    assert "harmless changes" in events[-1].values["sentence"]
    assert events[-1].values["refused"] == []
    # The same asset alone scores the same.
    alone, count = collection(chairs_and_a_slab(engine)[1])
    (again,) = results(engine.ask("rank", arrays=alone, names=["slab"], fit=True, **count))
    assert again.values["score"] == found[0].values["score"]


def test_an_asset_that_cannot_be_used_is_named_and_the_others_are_ranked(engine: Engine) -> None:
    chair, _, other = chairs_and_a_slab(engine)
    broken = (np.full((3, 3), np.nan, np.float32), np.array([[0, 1, 2]], np.int32))
    arrays, counts = collection(chair, broken, other)
    events = engine.ask("rank", arrays=arrays, names=["a", "broken", "b"], fit=True, **counts)
    assert sorted(event.values["index"] for event in results(events)) == [0, 2]
    ((name, sentence),) = events[-1].values["refused"]
    assert name == "broken"
    assert "not numbers" in sentence
    arrays, counts = collection(broken)
    error = engine.ask("rank", arrays=arrays, names=["broken"], fit=True, **counts)[-1]
    assert error.values["kind"] == "bad-mesh"


def test_counts_that_do_not_fit_are_refused(engine: Engine) -> None:
    arrays, counts = collection(*chairs_and_a_slab(engine))
    cases: list[dict[str, Any]] = [
        {**counts, "names": ["a", "b"]},
        {**counts, "names": ["a", "b", "c"], "vertex_counts": [1, 2, 3]},
        {"names": [], "vertex_counts": [], "face_counts": []},
    ]
    for wrong in cases:
        error = engine.ask("rank", arrays=arrays, fit=True, **wrong)[-1]
        assert error.values["kind"] == "bad-request"
        assert "fit together" in error.values["message"]


def test_a_ranking_can_be_cancelled(engine: Engine) -> None:
    chair = chairs_and_a_slab(engine)[0]
    arrays, counts = collection(*[chair] * 60)
    names = [str(i) for i in range(60)]
    engine.send(Request("long", "rank", MODEL, {"names": names, "fit": True, **counts}, arrays))
    engine.until("progress")
    assert engine.cancel("long") == {"stop": "done", "long": "cancelled"}


def test_completion_of_a_closed_mesh_asks_for_a_box(engine: Engine) -> None:
    (made,) = results(engine.ask("sample", seeds=[1], resolution=32))
    arrays = {"vertices": made.arrays["vertices"], "faces": made.arrays["faces"]}
    error = engine.ask("complete", arrays=arrays, seeds=[1], resolution=32)[-1]
    assert error.kind == "error"
    assert "closed" in error.values["message"]
    assert "box" in error.values["remedy"]
    box = [[-0.5, -0.5, 0.0], [0.5, 0.5, 0.5]]
    assert results(engine.ask("complete", arrays=arrays, seeds=[1], box=box, resolution=32))


BAD = [
    ("sample", "no-such-model", {"seeds": [1]}, "unknown-model", "no-such-model"),
    ("sample", MODEL, {"seeds": [1], "resolution": 4}, "bad-request", "out of range"),
    ("sample", MODEL, {"seeds": [1], "resolution": 5000}, "bad-request", "out of range"),
    ("sample", MODEL, {"seeds": []}, "bad-request", "seeds"),
    ("sample", MODEL, {"seeds": [-1]}, "bad-request", "Seed"),
    ("dance", MODEL, {}, "bad-request", "dance"),
    ("sample", MODEL, {}, "bad-request", "understood"),
    ("augment", MODEL, {"seeds": [1], "amount": 0.3, "method": "magic"}, "bad-request", "magic"),
    ("augment", "no-such-model", {"seeds": [1], "amount": 0.3}, "unknown-model", "no-such-model"),
    ("rank", "no-such-model", {}, "unknown-model", "no-such-model"),
]


@pytest.mark.parametrize(("task", "model", "options", "kind", "word"), BAD)
def test_bad_requests_end_with_one_sentence(
    engine: Engine, task: str, model: str, options: dict[str, Any], kind: str, word: str
) -> None:
    events = engine.ask(task, model, **options)
    assert [event.kind for event in events] == ["error"]
    assert events[0].values["kind"] == kind
    assert word in events[0].values["message"]
    assert events[0].values["remedy"]


def test_meshes_without_faces_and_with_bad_numbers(engine: Engine) -> None:
    vertices = np.zeros((3, 3), np.float32)
    nothing = {"vertices": vertices, "faces": np.zeros((0, 3), np.int32)}
    assert "faces" in engine.ask("reconstruct", arrays=nothing, fit=False)[-1].values["message"]
    wrong = {"vertices": vertices + np.float32(np.nan), "faces": np.array([[0, 1, 2]], np.int32)}
    assert engine.ask("reconstruct", arrays=wrong, fit=True)[-1].values["kind"] == "bad-mesh"


def test_cancel_stops_the_current_request_and_not_the_next(engine: Engine) -> None:
    engine.send(Request("long", "sample", MODEL, {"seeds": list(range(100_000)), "resolution": 64}))
    engine.until("result")
    assert engine.cancel("long") == {"stop": "done", "long": "cancelled"}
    assert len(results(engine.ask("sample", seeds=[1], resolution=32))) == 1


@pytest.mark.slow
def test_of_a_stream_only_the_newest_waiting_request_runs(engine: Engine) -> None:
    a, b = (event.arrays["latent"] for event in results(engine.ask("sample", seeds=[1, 2], resolution=32)))
    engine.send(Request("busy", "sample", MODEL, {"seeds": list(range(30)), "resolution": 64}))
    for i in range(5):
        options = {"t": i / 5, "resolution": 32, "draft": True}
        engine.send(Request(f"d{i}", "decode", MODEL, options, {"a": a, "b": b}, stream="slider"))
    assert engine.ends(6) == {"busy": "done", **{f"d{i}": "cancelled" for i in range(4)}, "d4": "done"}


def test_a_blend_of_several_and_an_offset(engine: Engine) -> None:
    made = results(engine.ask("sample", seeds=[1, 2, 3], resolution=32))
    ends = np.stack([event.arrays["latent"] for event in made])
    (mean,) = results(engine.ask("blend", arrays={"latents": ends}, weights=[1, 1, 1], resolution=32))
    assert np.allclose(mean.arrays["latent"], ends.mean(0), atol=1e-5)
    offset = np.full(ends.shape[1], 0.01, dtype=np.float32)
    arrays = {"latents": ends, "offset": offset}
    (one,) = results(engine.ask("blend", arrays=arrays, weights=[0, 1, 0], resolution=32))
    assert np.array_equal(one.arrays["latent"], ends[1] + offset)
    arrays = {"a": ends[1], "b": ends[2], "offset": offset}
    (decoded,) = results(engine.ask("decode", arrays=arrays, t=0, resolution=32))
    assert np.array_equal(decoded.arrays["vertices"], one.arrays["vertices"])
    error = engine.ask("blend", arrays={"latents": ends}, weights=[])[-1]
    assert error.values["message"] == "No shapes were given."


@pytest.mark.slow
def test_closing_the_input_ends_the_process_even_while_it_works() -> None:
    engine = Engine()
    engine.send(Request("long", "sample", MODEL, {"seeds": list(range(100_000)), "resolution": 64}))
    engine.until("result")
    assert engine.close() == 0


def test_garbage_ends_the_process_with_an_error() -> None:
    engine = Engine()
    engine.stdin.write(b"these are not the bytes you are looking for" * 4)
    engine.stdin.flush()
    error = engine.next()
    assert error.kind == "error"
    assert error.values["kind"] == "protocol"
    assert engine.process.wait(timeout=30) == 3
    engine.close()


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_a_killed_worker_is_seen_as_the_end_of_the_stream() -> None:
    engine = Engine()
    engine.process.send_signal(signal.SIGKILL)
    assert protocol.read(engine.stdout) is None  # type: ignore[arg-type]
    assert engine.close() == -signal.SIGKILL


@pytest.mark.slow
def test_prints_do_not_disturb_the_stream(tmp_path: Path) -> None:
    """A system that prints while it samples: the frames stay whole, the words go to the log."""
    package, zoo = drop_in(tmp_path, 'print("noise on standard output", flush=True)')
    engine = Engine(zoo, package)
    assert len(results(engine.ask("sample", "ball", seeds=[1], resolution=16))) == 1
    engine.stdin.close()
    assert engine.process.stderr
    assert b"noise on standard output" in engine.process.stderr.read()
    engine.process.wait(timeout=30)
    engine.stdout.close()
    engine.process.stderr.close()


DROPPED = '''
"""A ball of random radius: a whole system in one file."""

from dataclasses import dataclass

import torch
from torch import nn

from ...representations import Field
from ...system import System, lerp


@dataclass(frozen=True)
class Config:
    radius: float = 0.3


class Ball(System):
    Config = Config
    output = Field

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.scale = nn.Parameter(torch.tensor(config.radius))

    def prepare(self, asset, run):
        return {"voxels": torch.as_tensor(asset.voxels(8))}

    def stages(self):
        return []

    def prior(self, run):
        return run.rand(1)

    def decode(self, z, run):
        BODY
        return [Field(lambda p, r=r: p.norm(dim=-1) - self.scale * (0.5 + r)) for r in z[:, 0]]

    def mix(self, a, b, t):
        return lerp(a, b, t)
'''


def drop_in(tmp_path: Path, body: str = "pass") -> tuple[Path, Path]:
    """A copy of the engine with one more file in it, and a zoo with a model of that file's system."""
    package = tmp_path / "package"
    shutil.copytree(ROOT / "gen3d_core", package / "gen3d_core", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "gen3d_core/systems/fields/ball.py").write_text(DROPPED.replace("BODY", body))
    zoo = tmp_path / "zoo"
    code = (
        "from pathlib import Path; from gen3d_core import zoo; from gen3d_core.system import find_system;"
        "zoo.save(find_system('fields.ball').from_config({}), Path('zoo/ball'), title='Ball', licence='CC0-1.0',"
        "data='none', readme='# Ball')"
    )
    environment = {**os.environ, "PYTHONPATH": str(package)}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)
    return package, zoo


def test_a_new_system_is_one_new_file(tmp_path: Path) -> None:
    """Dropped onto a shelf, it is listed, and sampled and moved through the worker; no other file knows of it."""
    package, zoo = drop_in(tmp_path)
    engine = Engine(zoo, package)
    (ball,) = results(engine.ask("sample", "ball", seeds=[1], resolution=32))
    radius = np.linalg.norm(ball.arrays["vertices"], axis=1)
    assert radius.std() < 0.01 < radius.mean()
    arrays = {"a": np.array([0.0], np.float32), "b": np.array([1.0], np.float32)}
    row = results(engine.ask("interpolate", "ball", arrays, steps=3, resolution=32))
    sizes = [float(np.linalg.norm(event.arrays["vertices"], axis=1).mean()) for event in row]
    assert np.allclose(sizes, [0.15, 0.3, 0.45], atol=0.01)
    assert engine.close() == 0
    environment = {**os.environ, "PYTHONPATH": str(package), "GEN3D_ZOO": str(zoo)}
    command = [sys.executable, "-m", "gen3d_core", "list", "--json"]
    listed = subprocess.run(command, env=environment, cwd=package, capture_output=True, text=True, check=True)
    assert '"fields.ball"' in listed.stdout


def test_a_python_without_torch_says_so(tmp_path: Path) -> None:
    """The request ends with a sentence that names the Python and what it lacks."""
    blocked = tmp_path / "torch"
    blocked.mkdir()
    (blocked / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    request = protocol.pack(Request("r", "sample", MODEL, {"seeds": [1]}))
    command = [sys.executable, "-m", "gen3d_core", "serve"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(request)
    process.stdin.flush()
    events = [protocol.read(process.stdout), protocol.read(process.stdout)]  # type: ignore[arg-type]
    process.stdin.close()
    process.wait(timeout=30)
    process.stdout.close()
    assert isinstance(events[1], Event)
    assert events[1].kind == "error"
    assert "cannot import torch" in events[1].values["message"]
    assert events[1].values["kind"] == "engine"


def test_frames_survive_a_pipe_in_pieces() -> None:
    event = Event("x", "result", {"t": 0.5}, {"vertices": np.arange(12, dtype=np.float32).reshape(4, 3)})
    stream = io.BytesIO(protocol.pack(event) * 2)
    for _ in range(2):
        again = protocol.read(stream)
        assert isinstance(again, Event)
        assert np.array_equal(again.arrays["vertices"], event.arrays["vertices"])
    assert protocol.read(stream) is None
