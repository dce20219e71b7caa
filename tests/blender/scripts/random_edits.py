"""Hundreds of operations at random, undo, redo, save and load among them, against a model of what the scene should be.

The model is a list of pictures of the scene, one an undo step, and a place in it. After every operation the scene must
look as the picture at that place says: which objects there are, what they remember, and to the bit what they show.
"""

import hashlib
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
from support import clear, enable, module, positions, select

STEPS, SEED = 300, 7
#: More objects than that would only make the test slow.
MOST = 12

enable()
api, objects, status = module("api"), module("objects"), module("status").status
wanted = module("slider").wanted
clear()
chance = random.Random(SEED)
file = Path(tempfile.mkdtemp()) / "scene.blend"


def look() -> dict[str, tuple[Any, ...]]:
    """A picture of the scene."""
    found = {}
    for obj in bpy.context.scene.objects:
        if obj.type != "MESH":
            continue
        group = obj.gen3d
        shown = hashlib.sha1(positions(obj.data).tobytes(), usedforsecurity=False).hexdigest()
        facts = (group.task, group.model, group.seed, round(group.t, 6), group.resolution, group.get("latent") is None)
        found[obj.name] = (*facts, obj.data.users, shown)
    return found


def check() -> None:
    """The scene is as the model says, and every blend shows what its properties ask for."""
    assert status.error is None, status.error
    seen, expected = look(), history[place]
    assert seen == expected, (done[-6:], {k: (seen.get(k), expected.get(k)) for k in {*seen, *expected}})
    for obj in bpy.context.scene.objects:
        want = wanted(obj)
        if want is not None and not objects.refusal(obj):
            assert objects.shown(obj.data) == want.key, (done[-6:], obj.name)


def ours(kind: Callable[[Any], bool] = lambda obj: True) -> list[Any]:
    return sorted((obj for obj in bpy.context.scene.objects if obj.gen3d.task and kind(obj)), key=lambda obj: obj.name)


def is_blend(obj: Any) -> bool:
    return obj.gen3d.task == "interpolate" and not objects.refusal(obj)


def generate() -> bool:
    if len(ours()) > MOST:
        return False
    api.generate("toy-blobs", [chance.randint(1, 8) for _ in range(chance.randint(1, 2))], 32)
    return True


def interpolate() -> bool:
    there = ours(lambda obj: obj.gen3d.get("latent") is not None)
    if len(there) < 2 or len(ours()) > MOST:
        return False
    api.interpolate(*chance.sample(there, 2), resolution=32)
    return True


def slide() -> bool:
    there = ours(is_blend)
    if not there:
        return False
    chance.choice(there).gen3d.t = chance.randrange(101) / 100
    return True


def vary() -> bool:
    there = ours(lambda obj: obj.gen3d.get("latent") is not None)
    if not there or len(ours()) > MOST:
        return False
    api.vary(chance.choice(there), [chance.randint(1, 8)], 0.5, resolution=32)
    return True


def edit() -> bool:
    there = ours(lambda obj: obj.data.users == 1)
    if not there:
        return False
    select(chance.choice(there))
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.transform.translate(value=(0.125, 0, 0))
    bpy.ops.object.mode_set(mode="OBJECT")
    return True


def regenerate() -> bool:
    there = ours(lambda obj: not objects.refusal(obj, replace_edits=True) and obj.gen3d.task != "vary")
    if not there:
        return False
    api.regenerate(chance.choice(there))
    return True


def delete() -> bool:
    there = ours()
    if not there:
        return False
    select(*chance.sample(there, min(len(there), chance.randint(1, 2))))
    bpy.ops.object.delete()
    return True


def duplicate(linked: bool) -> bool:
    there = ours()
    if not there or len(there) > MOST:
        return False
    select(chance.choice(there))
    bpy.ops.object.duplicate(linked=linked)
    return True


def rename() -> bool:
    there = ours()
    if not there:
        return False
    chance.choice(there).name = f"Thing {chance.randrange(1000)}"
    return True


def fail() -> bool:
    """What cannot be done changes nothing, and is no step."""
    try:
        api.generate("no-such-model")
    except module("calls").Gen3DError:
        status.error = None
        check()
        return False
    raise AssertionError("It should have failed.")


def reload() -> None:
    """The file has all of it; what could be undone is gone."""
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    bpy.ops.wm.open_mainfile(filepath=str(file))
    bpy.ops.ed.undo_push(message="Opened")
    history[:] = [history[place]]


EDITS: tuple[Callable[[], bool], ...] = (
    generate,
    interpolate,
    slide,
    slide,
    slide,
    vary,
    edit,
    regenerate,
    delete,
    lambda: duplicate(False),
    lambda: duplicate(True),
    rename,
    fail,
)

bpy.ops.ed.undo_push(message="Start")
history, place, done = [look()], 0, ["start"]
for step in range(STEPS):
    roll = chance.random()
    if roll < 0.25 and place > 0:
        done.append("undo")
        bpy.ops.ed.undo()
        place -= 1
    elif roll < 0.4 and place + 1 < len(history):
        done.append("redo")
        bpy.ops.ed.redo()
        place += 1
    elif roll < 0.43:
        done.append("reload")
        reload()
        place = 0
    else:
        edit_once = chance.choice(EDITS)
        if not edit_once():
            continue
        done.append(getattr(edit_once, "__name__", ""))
        bpy.context.view_layer.update()
        bpy.ops.ed.undo_push(message=f"Step {step}")
        # Blender keeps so many steps, and no more.
        most = bpy.context.preferences.edit.undo_steps
        history[place + 1 :] = [look()]
        place += 1
        if len(history) > most:
            surplus = len(history) - most
            history, place = history[surplus:], place - surplus
    check()
assert {"undo", "redo", "reload", "slide", "edit", "delete"} <= set(done), done
assert len(done) > STEPS * 0.8, len(done)
