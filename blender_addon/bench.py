"""Measures the slider end to end inside Blender: from a new latent to an updated mesh.

Run by ``gen3d bench`` with a Python that has ``bpy``; not part of the interface.
"""

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..gen3d_core import protocol
from ..gen3d_core.protocol import Event, Request
from . import register
from .engine import Engine, Settings
from .objects import Geometry, fill

#: How far one frame of a drag moves.
STEP = 0.02
WAIT_SECONDS = 300.0


def measure(options: dict[str, Any]) -> list[dict[str, Any]]:
    """Drags the slider at each resolution, and returns the median seconds of each part of a frame.

    Args:
        options: ``python`` of the engine, ``root`` of the checkout, ``log``, ``device``, ``model``, ``resolutions``,
            ``frames`` and ``quads``.
    """
    # The meshes carry the key of what they show, so the add-on's properties have to be there.
    register()
    engine = Engine()
    engine.start(Settings(options["python"], options["device"], "", Path(options["root"]), Path(options["log"])))
    try:
        ends = _ask(engine, Request("ends", "sample", options["model"], {"seeds": [1, 2], "resolution": 32}))
        a, b = (np.array(event.arrays["latent"]) for event in ends)
        return [_drag(engine, options, resolution, a, b) for resolution in options["resolutions"]]
    finally:
        engine.stop()


def _drag(engine: Engine, options: dict[str, Any], resolution: int, a: np.ndarray, b: np.ndarray) -> dict[str, Any]:
    mesh = bpy.data.meshes.new("bench")
    scene = bpy.context.scene
    layer = bpy.context.view_layer
    assert scene is not None
    assert layer is not None
    scene.collection.objects.link(bpy.data.objects.new("bench", mesh))
    rows: list[dict[str, float]] = []
    for i in range(options["frames"] + 2):
        values = {"t": (i * STEP) % 1.0, "resolution": resolution, "draft": i > 0, "quads": options["quads"]}
        started = time.perf_counter()
        request = Request(f"f{resolution}-{i}", "decode", options["model"], values, {"a": a, "b": b}, stream="bench")
        (event,) = _ask(engine, request)
        received = time.perf_counter()
        fill(mesh, Geometry.of(event))
        layer.update()
        done = time.perf_counter()
        seconds = dict(event.values["seconds"])
        total = done - started
        transfer = received - started - seconds["decode"] - seconds["mesh"]
        rows.append({**seconds, "transfer": transfer, "blender": done - received, "total": total})
    warm = rows[2:]
    medians = {key: statistics.median(row[key] for row in warm) for key in warm[0]}
    return {"resolution": resolution, "faces": len(mesh.polygons), "cold": rows[0]["total"], **medians}


def _ask(engine: Engine, request: Request) -> list[Event]:
    """Sends one request and waits for its results."""
    engine.send(request)
    results: list[Event] = []
    limit = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < limit:
        for event in engine.poll():
            if event.id != request.id:
                continue
            if event.kind == "result":
                results.append(event)
            elif event.kind == "done":
                return results
            elif event.final:
                raise RuntimeError(f"{event.values.get('message')} {event.values.get('remedy')}")
    raise RuntimeError(f"The engine did not answer within {WAIT_SECONDS:.0f} seconds.")


def main() -> None:
    """Reads the options from the command line and prints the rows, both as JSON."""
    print(json.dumps({"protocol": protocol.MAGIC.decode(), "rows": measure(json.loads(sys.argv[-1]))}))  # noqa: T201
