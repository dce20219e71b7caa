"""No network, and no wish for one: nothing listens, nothing connects, and a request is data and never code."""

import os
import sys
from pathlib import Path

import bpy
from support import argument, caught, clear, enable, engine_process, module, python, select, works

TOUCHED = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "socket.sendmsg", "urllib.Request")
seen: list[str] = []
sys.addaudithook(lambda event, arguments: seen.append(f"{event} {arguments}") if event in TOUCHED else None)

enable()
api, calls = module("api"), module("calls")
clear()
bpy.context.preferences.system.use_online_access = False
# The engine's Python notes the same.
watched = Path(argument("WATCHED"))
notes = watched.with_suffix(".log")
watched.write_text(
    f"""#!{os.environ["GEN3D_PYTHON"]}
import os, runpy, sys
def note(event, arguments):
    if event in {TOUCHED!r}:
        os.write(log, f"{{event}} {{arguments}}\\n".encode())
log = os.open({str(notes)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(log, b"begun\\n")
sys.addaudithook(note)
del sys.argv[1:3]
runpy.run_module("gen3d_core", run_name="__main__", alter_sys=True)
""",
    encoding="utf-8",
)
watched.chmod(0o755)
python(str(watched))


def sockets(pid: int | str) -> list[str]:
    """The sockets that a process has open."""
    opened = [os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir() if one.is_symlink()]
    return [one for one in opened if one.startswith("socket:")]


before = sockets("self")
works()
a, b = api.generate("toy-blobs", (1, 2), 32)
api.interpolate(a, b, resolution=32)
api.from_text("wide table", (1,), model="toy-able", resolution=32)
api.augment([a], (1,), 0.3, method="geometry")
api.rank([a, b], model="toy-blobs")
select(a)
assert bpy.ops.gen3d.test_engine() == {"FINISHED"}
assert sockets(engine_process().pid) == []
assert sockets("self") == before

# What is asked for is looked up, not run.
proof = watched.with_suffix(".proof")
code = f"__import__('os').system('touch {proof}')"
for task, model, options in (
    (code, "toy-blobs", {}),
    ("sample", code, {"seeds": [1]}),
    ("sample", "toy-able", {"seeds": [1], "class": code, "resolution": 32}),
    ("sample", "toy-blobs", {"seeds": [code], "resolution": 32}),
    ("from_text", "toy-able", {"seeds": [1], "text": code, "resolution": 32}),
):
    call = calls.send(task, model, options)
    if task != "from_text":
        assert caught(lambda call=call: calls.wait(call)).message
    else:
        calls.wait(call)
assert not proof.exists(), "a request ran"
works()

assert set(notes.read_text(encoding="utf-8").splitlines()) == {"begun"}, notes.read_text(encoding="utf-8")
assert seen == [], seen
