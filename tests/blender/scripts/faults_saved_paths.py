"""A saved file tells nothing of the machine and its user: no folder, no name, no Python."""

import getpass
import os
import socket
import tempfile
from pathlib import Path

import bpy
from support import begin, clear, enable, fault, module, select, until

enable()
api, preferences, extension, jobs = (module(name) for name in ("api", "preferences", "extension", "jobs"))
clear()


def saved() -> bytes:
    """The present file, as it is on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved.blend"
        bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=False, copy=True)
        content = path.read_bytes()
    assert content.startswith(b"BLENDER"), "a file that is packed hides what is in it"
    return content


plain = saved()
preferences.get().python = os.environ["GEN3D_PYTHON"]
preferences.get().zoo = os.environ["GEN3D_ZOO"].split(os.pathsep)[0]

# A piece of everything, and a few errors, which name folders in the panel and in the report.
a, b = api.generate("toy-blobs", (1, 2), 32)
(blend,) = api.interpolate(a, b, resolution=32)
api.directions(blend)
api.set_direction(blend, "Height", 0.5)
api.vary(a, (1,), 0.3, resolution=32)
api.from_text("wide table", (1,), model="toy-able", resolution=32)
api.augment([a], (1,), 0.3, method="geometry")
api.refine(a, model="toy-able", resolution=32)
api.reconstruct(b, model="toy-blobs", resolution=32)
api.classify(a, model="toy-able")
api.rank([a, b], model="toy-blobs")
select(a, b)
bpy.ops.gen3d.set_label(label="chair")
bpy.ops.gen3d.as_assets()
bpy.context.scene.gen3d.title = "Props"
begin("Generate", fault("killed"))
until(lambda: not jobs.active())
assert module("status").status.error is not None

content = saved()
assert b"toy-blobs" in content, "what a shape remembers is to be found this way"
assert b"wide table" in content
secrets = {
    "the Python": os.environ["GEN3D_PYTHON"],
    "the home": os.environ["HOME"],
    "the user": os.environ["USER"],
    "the machine": socket.gethostname(),
    "the extension": str(extension.FOLDER),
    "its folder": str(extension.user_folder()),
    **{f"zoo {number}": zoo for number, zoo in enumerate(os.environ["GEN3D_ZOO"].split(os.pathsep))},
}
assert getpass.getuser() == secrets["the user"]
# Blender itself keeps the folder that its file browser shows, which is the home at first; and a machine whose name has
# two letters is named anywhere.
long = {name: secret.encode() for name, secret in secrets.items() if len(secret) > 3}
told = {name: content.count(secret) - plain.count(secret) for name, secret in long.items()}
assert not any(told.values()), told
assert not plain.count(secrets["its folder"].encode())
