"""The extension's own folder is read-only, full, or no folder: work goes on, and what needs it says so."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
from support import begin, clear, enable, fails, fault, module, select, state, until, works

enable()
api, calls, extension, jobs, trainings = (module(n) for n in ("api", "calls", "extension", "jobs", "trainings"))
status = module("status").status
clear()
for number in range(9):
    bpy.ops.mesh.primitive_cone_add(location=(3 * number, 0, 0))
usual, folder = works(), extension.user_folder()
assert folder.is_relative_to(Path(bpy.utils.resource_path("USER")))


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments, str(folder)], check=True)


@contextmanager
def disk(options: str) -> Iterator[None]:
    """Another disk in the place of the folder."""
    calls.stop()
    mount("-t", "tmpfs", "-o", options, "tmpfs")
    try:
        yield
    finally:
        calls.stop()
        subprocess.run(["umount", "-l", str(folder)], check=True)


def goes_on() -> None:
    """Generate works, and a fault in the engine is told as ever."""
    assert (works() == usual).all()
    before = state()
    begin("Generate", fault("surprise"))
    until(lambda: not jobs.active())
    assert "unexpected problem" in status.error.message, status.error
    begin("Generate", fault("killed"))
    until(lambda: not jobs.active())
    assert "stopped unexpectedly" in status.error.message, status.error
    assert module("engine_operators").report()
    assert state() == before
    assert (works() == usual).all()


def training_fails(sentence: str) -> None:
    select(*bpy.data.objects)
    with fails(sentence, ""):
        bpy.ops.gen3d.train(title="Props", minutes=1, arguments="--device cpu --threads 1 --examples 12 --steps vae=2")
    for training in list(trainings.listing()):
        trainings.discard(training)
    assert not trainings.listing()


with disk("size=1m"):
    mount("-o", "remount,ro")
    goes_on()
    training_fails("Nothing can be written")
with disk("size=64k"):
    with (folder / "filling").open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(512))
            except OSError:
                break
    goes_on()
    training_fails("No space left on device")

# A file where the folder should be.
calls.stop()
aside = folder.with_name("aside")
folder.rename(aside)
folder.touch()
try:
    goes_on()
finally:
    calls.stop()
    folder.unlink()
    aside.rename(folder)
assert (works() == usual).all()
assert extension.user_folder() == folder
