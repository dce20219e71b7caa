"""The trial of a new environment: whether it can do what the engine will ask of it."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from . import environment
from .environment import Facts

#: Run in the new environment: imports what the engine needs, computes a little, and tells what there is.
TRY = """
import importlib, json, os, platform, sys
from importlib import metadata
for name in sys.argv[2:]:
    importlib.import_module(name)
import torch
def computes(device):
    x = torch.arange(4.0, device=device)
    return float((x * x).sum()) == 14.0
assert computes("cpu"), "torch computes wrongly"
device, fault = "", ""
if sys.argv[1] == "cuda":
    try:
        assert torch.cuda.is_available(), "PyTorch finds no graphics card that it can use"
        assert computes("cuda"), "the graphics card computes wrongly"
        device = torch.cuda.get_device_name()
    except Exception as error:
        fault = str(error).splitlines()[0] if str(error) else type(error).__name__
size = 0
for parent, _, names in os.walk(sys.prefix):
    size += sum(os.lstat(os.path.join(parent, name)).st_size for name in names)
print("facts " + json.dumps({
    "python": platform.python_version(), "torch": torch.__version__, "device": device, "fault": fault, "size": size,
    "packages": {one.metadata["Name"]: one.version for one in metadata.distributions()},
}))
"""


def command(folder: Path, build: str, modules: Sequence[str]) -> list[str]:
    """Tries the environment in a folder."""
    return [str(environment.interpreter(folder)), "-I", "-X", "utf8", "-c", TRY, build, *modules]


def facts(output: str, digest: str, build: str, base: Path, notes: Sequence[str]) -> Facts | None:
    """What the marker is to say; None where the trial did not come to its end.

    Args:
        output: of the trial.
        digest: of the contents.
        build: of PyTorch that was meant to be installed.
        base: Python that the environment was made with.
        notes: for the artist.
    """
    told = [line.removeprefix("facts ") for line in output.splitlines() if line.startswith("facts ")]
    if not told:
        return None
    values = json.loads(told[-1])
    if values["fault"]:
        notes = [*notes, f"The graphics card cannot be used, so the processor computes: {values['fault']}"]
    return Facts(
        digest=digest,
        build=build,
        torch=values["torch"],
        python=values["python"],
        base=str(base),
        device=values["device"],
        notes=notes,
        size=values["size"],
        made=time.time(),
        packages=values["packages"],
    )
