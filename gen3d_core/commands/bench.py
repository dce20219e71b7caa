"""``gen3d bench``: the slider, from a new latent to an updated Blender mesh, and against a dense evaluation."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadRequest, EngineError
from .common import command, device_options, load_system, model_options, say

if TYPE_CHECKING:
    from ..system import System

ROOT = Path(__file__).resolve().parents[2]
#: Runs the add-on's bench in a Blender: the checkout is the package that an installed extension would be.
IN_BLENDER = """
import importlib, sys, types
root = types.ModuleType("gen3d_extension")
root.__path__ = [{root!r}]
sys.modules["gen3d_extension"] = root
importlib.import_module("gen3d_extension.blender_addon.bench").main()
"""
PARTS = ("decode", "mesh", "transfer", "blender", "total")


def add(commands: Any) -> None:
    """Adds it."""
    parser = command(commands, "bench", _bench, "Measure the slider: each part of a frame, and the gain over dense.")
    model_options(parser)
    parser.add_argument("--resolutions", type=int, nargs="+", default=[32, 64, 128], help="(default: 32 64 128)")
    parser.add_argument("--frames", type=int, default=20, help="frames of a drag (default: 20)")
    parser.add_argument("--quads", action="store_true", help="quads instead of triangles")
    parser.add_argument(
        "--blender", default=sys.executable, help="a Python with bpy, or a Blender (default: this Python)"
    )
    device_options(parser)


def _bench(options: argparse.Namespace) -> None:
    if options.frames < 1:
        raise BadRequest(f"{options.frames} frames cannot be measured.", "Use at least one.")
    rows = _in_blender(options)
    system = load_system(options)
    for row in rows:
        row |= _against_dense(system, row["resolution"])
    say(options, rows, _table(rows))


def _in_blender(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The add-on's own measurement, in a Blender process with a real engine behind a real pipe.

    Raises:
        EngineError: there is no bpy, or the measurement failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        values = {
            "python": sys.executable,
            "root": str(ROOT),
            "log": str(Path(folder) / "engine.log"),
            "device": options.device,
            "model": str(options.model),
            "resolutions": options.resolutions,
            "frames": options.frames,
            "quads": options.quads,
        }
        script = IN_BLENDER.format(root=str(ROOT))
        if "blender" in Path(options.blender).name.lower():
            arguments = [options.blender, "--background", "--factory-startup", "--python-expr", script, "--"]
        else:
            arguments = [options.blender, "-c", "import bpy\n" + script]
        done = subprocess.run([*arguments, json.dumps(values)], capture_output=True, text=True, check=False)
    answer = next((line for line in done.stdout.splitlines() if line.startswith('{"protocol"')), None)
    if done.returncode != 0 or answer is None:
        raise EngineError(
            f"The measurement in Blender failed: {(done.stderr.strip().splitlines() or ['no output'])[-1]}",
            "Name a Python with bpy, or a Blender, by --blender.",
            details=done.stderr,
        )
    return json.loads(answer)["rows"]


def _against_dense(system: System, resolution: int) -> dict[str, float]:
    """Seconds of cold, warm and dense evaluations of the same fields, side by side, and their shares of the cells."""
    from .. import tasks
    from ..representations import Field
    from ..run import Run
    from ..system import HasLatents

    if system.output is not Field or not isinstance(system, HasLatents):
        return {}
    a, b = (system.prior(Run([seed], system.device))[0].cpu() for seed in (1, 2))
    run = Run([0], system.device)
    before, after = (tasks.decode(system, a, b, t, run).representation for t in (0.5, 0.52))
    assert isinstance(before, Field)
    assert isinstance(after, Field)
    near = before.grid(resolution).values
    cold, warm = after.grid(resolution), after.grid(resolution, near)
    dense = after.dense(resolution)
    return {
        "cold_seconds": _seconds(lambda: after.grid(resolution)),
        "warm_seconds": _seconds(lambda: after.grid(resolution, near)),
        "dense_seconds": _seconds(lambda: after.dense(resolution)),
        "cold_share": cold.queries / resolution**3,
        "warm_share": warm.queries / resolution**3,
        "cold_wrong": int(((cold.values < 0) != (dense < 0)).sum()),
        "warm_wrong": int(((warm.values < 0) != (dense < 0)).sum()),
    }


def _seconds(task: Callable[[], Any], repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        task()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _table(rows: list[dict[str, Any]]) -> str:
    """Two Markdown tables: a frame and its parts, and what coarse to fine gains."""
    lines = ["| grid | decode | mesh | transfer | Blender | frame | faces |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        cells = " | ".join(f"{row[part] * 1000:.1f} ms" for part in PARTS)
        lines.append(f"| {row['resolution']}^3 | {cells} | {row['faces']} |")
    fields = [row for row in rows if "dense_seconds" in row]
    if fields:
        lines += ["", "| grid | dense | cold | warm | cells cold | cells warm | wrong signs cold, warm |"]
        lines.append("|---|---|---|---|---|---|---|")
        for row in fields:
            dense, cold, warm = row["dense_seconds"], row["cold_seconds"], row["warm_seconds"]
            lines.append(
                f"| {row['resolution']}^3 | {dense * 1000:.0f} ms | {cold * 1000:.0f} ms ({dense / cold:.1f}x) "
                f"| {warm * 1000:.0f} ms ({dense / warm:.1f}x) | {row['cold_share']:.1%} | {row['warm_share']:.1%} "
                f"| {row['cold_wrong']}, {row['warm_wrong']} |"
            )
    return "\n".join(lines)
