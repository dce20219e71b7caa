"""Hours of work in minutes: memory stays flat, no datablock is left over, no process outlives its use.

GEN3D_TEST_GENERATIONS and GEN3D_TEST_SLIDES say how many; memory is read as Linux tells it.
"""

import os
import statistics
import sys
from pathlib import Path

import bpy
from support import argument, clear, enable, engine_process, module

#: By how much the last quarter may be above the second.
GROWTH = 0.05
PAGE = os.sysconf("SC_PAGE_SIZE")

enable()
api, calls = module("api"), module("calls")
generations, slides = int(argument("GENERATIONS")), int(argument("SLIDES"))
clear()


def memory() -> tuple[float, float]:
    """Megabytes of Blender and of the engine."""
    pids = (os.getpid(), engine_process().pid)
    found = [int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE / 2**20 for pid in pids]
    return found[0], found[1]


def children() -> set[str]:
    """Processes that this one has begun."""
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii").split())


def flat(rows: list[tuple[float, float]], what: str) -> None:
    """The last quarter is not above the second."""
    quarter = len(rows) // 4
    for which, name in enumerate(("Blender", "the engine")):
        values = [row[which] for row in rows]
        second = statistics.mean(values[quarter : 2 * quarter])
        last = statistics.mean(values[3 * quarter :])
        sys.stdout.write(f"{what}, {name}: {second:.1f} MB in the second quarter, {last:.1f} MB in the last\n")
        assert last < (1 + GROWTH) * second, (what, name, second, last)


def blocks() -> dict[str, int]:
    return {name: len(getattr(bpy.data, name)) for name in ("objects", "meshes", "collections", "images", "materials")}


before = blocks()
rows = []
for number in range(generations):
    (made,) = api.generate("toy-blobs", seeds=(1 + number % 4,), resolution=32)
    mesh = made.data
    bpy.data.objects.remove(made)
    bpy.data.meshes.remove(mesh)
    rows.append(memory())
assert blocks() == before, (before, blocks())
flat(rows, f"{generations} generations")

a, b = api.generate("toy-blobs", seeds=(1, 2), resolution=32)
(blend,) = api.interpolate(a, b, resolution=32)
before, rows = blocks(), []
for number in range(slides):
    blend.gen3d.t = (number * 7 % 100) / 100
    rows.append(memory())
assert blocks() == before, (before, blocks())
flat(rows, f"{slides} slider steps")

assert children() == {str(engine_process().pid)}, children()
process = engine_process()
calls.stop()
assert process.poll() is not None
assert children() == set(), children()
