"""The extension is installed anew, disabled or removed while the engine works: nothing holds its files."""

import os
import sys
from pathlib import Path
from typing import Any

import addon_utils
import bpy
from support import ROOT, begin, clear, enable, engine_process, fault, module, state, until, works

ZIP = sys.argv[-1]

enable()
clear()
bpy.ops.mesh.primitive_cube_add()
usual, before = works(), state()


def held(process: Any) -> list[str]:
    """Files of the extension that a process has open or mapped: on Windows they could not be deleted."""
    folder, pid = str(module("extension").FOLDER), process.pid
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    opened = [os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir()]
    return [line for line in (*maps.splitlines(), *opened) if folder in line]


def work() -> Any:
    """A long request under way; the engine's process."""
    job = begin("Generate", fault("slow", 500))
    until(lambda: job.call.results)
    return engine_process()


# A model is loaded and at work, and no file of it or of the engine is open.
process = work()
assert held(process) == [], held(process)
assert Path(os.readlink(f"/proc/{process.pid}/cwd")) != module("extension").FOLDER


# Upgraded in the middle of a request: the old engine ends, the new one works.
def install() -> None:
    done = bpy.ops.extensions.package_install_files(
        filepath=ZIP, repo="user_default", enable_on_install=True, overwrite=True
    )
    assert done == {"FINISHED"}


install()
assert process.poll() is not None, "the old engine still runs"
assert state() == before
assert (works() == usual).all()
assert not module("jobs").active()

# Disabled in the middle of a request.
process = work()
addon_utils.disable(ROOT, default_set=True)
assert process.poll() is not None, "the engine still runs"
assert not hasattr(bpy.types.Scene, "gen3d")
enable()
assert state() == before
assert (works() == usual).all()

# Removed in the middle of a request: all of it goes, and nothing of it is left in Blender.
process, folder = work(), module("extension").FOLDER
repository = [repo.module for repo in bpy.context.preferences.extensions.repos].index("user_default")
assert bpy.ops.extensions.package_uninstall(repo_index=repository, pkg_id="gen3d") == {"FINISHED"}
assert process.poll() is not None, "the engine still runs"
assert not folder.exists(), list(folder.iterdir())
assert not hasattr(bpy.types.Scene, "gen3d")
assert {obj.name for obj in bpy.data.objects} == {"Cube"}
install()
assert (works() == usual).all()
