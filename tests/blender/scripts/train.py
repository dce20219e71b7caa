"""Training: a process of its own that can be paused, kept, killed, resumed and discarded, and whose model is used."""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import bpy
from support import caught, clear, enable, fails, module, python, select, state

enable()
api, models, trainings = module("api"), module("models"), module("trainings")
extension = module("extension")
clear()
#: A network that learns in seconds, from few examples.
SMALL = "--set channels=[4,8,16,16] --set hidden=32 --set latent=8 --examples 12 --device cpu --threads 1"
LONG = 10.0


def until(training: Any, condition: Callable[[], bool], seconds: float = 240.0) -> None:
    """Ticks, as the clock does in a window, until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, (training.state, training.status, training.log)
        trainings.tick()
        time.sleep(0.05)


def learning(training: Any) -> bool:
    """Whether it learns, and has said so."""
    return training.state == "training" and training.status.step > 0


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


# Ten assets and what is none.
shelf = bpy.data.collections.new("Shelf 🪑")
bpy.context.scene.collection.children.link(shelf)
bpy.context.view_layer.active_layer_collection = bpy.context.view_layer.layer_collection.children[shelf.name]
for number in range(10):
    kind = ("cube", "cone", "cylinder")[number % 3]
    getattr(bpy.ops.mesh, f"primitive_{kind}_add")(location=(3 * number, 0, 0))
    asset = bpy.context.active_object
    asset.name = f"Asset {number}"
    asset.scale.z = 0.5 + 0.2 * number
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
shelf.objects.link(camera)
select(*shelf.objects)

# By the button, from a model: it waits, changes nothing, and the new model is in the list, with its card.
before = state()
known = [card.id for card in models.listing()]
# So many steps and not so long, or on some machines it would end where it draws nothing any more.
few = "--device cpu --threads 1 --examples 12 --steps vae=10"
options: dict[str, Any] = {"start": "toy-blobs", "minutes": LONG, "arguments": few}
assert bpy.ops.gen3d.train(title="Meine  Möbel 🪑", **options) == {"FINISHED"}
assert state() == before
(training,) = trainings.listing()
assert (training.state, training.title, training.source) == ("done", "Meine Möbel 🪑", "Selection")
assert training.model == "meine-mobel"
assert [name for name, _ in training.all_refused] == ["Camera"]
assert training.status.assets + 1 >= 9
assert (training.folder / "loss.png").exists()
assert not (training.folder / "assets").exists(), "the copies of the assets are still there"
card = models.find("meine-mobel")
assert models.mine(card)
assert card.folder.parent == extension.my_models()
assert not models.mine(models.find("toy-blobs"))
assert card.title == "Meine Möbel 🪑"
assert (card.system, card.parent) == ("voxels.vae", "toy-blobs")
assert len(card.sources) == 10
assert {"Asset 0", "Asset 9"} <= set(card.sources)
facts = " ".join(models.facts(card))
assert "Yours" in facts
assert "toy-blobs" in facts
assert models.truth(card), "it does not say whether it copies"
headings = [item[1] for item in models.items(None, None) if not item[0]]
assert headings == ["My Models", "Included"]
assert {card.id for card in models.listing()} == {*known, "meine-mobel"}

# It can be used at once: chosen, sampled; the scene remembers it by its name.
assert bpy.ops.gen3d.use_model(model="meine-mobel") == {"FINISHED"}
assert bpy.context.scene.gen3d.model == "meine-mobel"
(shape,) = api.generate("meine-mobel", seeds=(1,), resolution=32)
assert shape.gen3d.model == "meine-mobel"
select(*shelf.objects)

# Without assets or a name nothing begins, and nothing is left behind.
folders = os.listdir(extension.my_trainings())
with fails("The new model has no name.", "Give it one"):
    bpy.ops.gen3d.train(title="  ")
with fails("There is no model 'nope'.", "Known models"):
    bpy.ops.gen3d.train(title="X", start="nope")
with fails("No file or folder is named.", "Choose a folder"):
    bpy.ops.gen3d.train(title="X", source="FILES")
select(camera)
with fails("No asset can be used. 'Camera': ", "have faces"):
    bpy.ops.gen3d.train(title="X")
trainings.discard(trainings.find("x"))
select(*shelf.objects)
python("/no/such/python")
with fails("There is no Python at /no/such/python.", "preferences"):
    bpy.ops.gen3d.train(title="X")
assert os.listdir(extension.my_trainings()) == folders

# A Python that cannot run the training is told, and the training can be tried again with a better one.
python("/bin/false")
with fails("The training ended before it began (exit status 1)", "preferences"):
    bpy.ops.gen3d.train(title="Second", system="voxels.vae", minutes=LONG, arguments=SMALL)
python("")
training = trainings.find("second")
assert training.state == "failed"
trainings.resume(training)

# Pause and resume.
until(training, lambda: learning(training))
error = caught(lambda: api.start_training(shelf, "Third"))
assert error.message == "Another training is under way."
assert 0 <= training.fraction < 1
trainings.pause(training)
assert training.asking == "pause"
until(training, lambda: not training.active)
assert training.state == "paused"
assert training.process is None
spent, steps = training.status.seconds, training.status.step
assert not (extension.my_models() / "second").exists()
trainings.resume(training)
until(training, lambda: learning(training))
assert training.status.seconds >= spent
assert training.status.step >= steps, "it began anew"

# Killed in the middle: it is shown as interrupted, also after Blender was started again, and can be resumed and kept.
pid = training.process.pid
os.kill(pid, signal.SIGKILL)
until(training, lambda: not training.active)
assert training.state == "interrupted"
assert "was interrupted" in training.failure.message
trainings.unregister()
assert trainings.listing() == []
trainings.register()
assert [one.id for one in trainings.listing()] == ["second", "meine-mobel"]
training = trainings.find("second")
assert training.state == "interrupted"
assert training.title == "Second"
assert [name for name, _ in training.all_refused] == ["Camera"]
assert "second" not in [card.id for card in models.listing()]
trainings.resume(training)
until(training, lambda: learning(training))
trainings.keep(training)
assert api.wait(training) == "second"
assert models.find("second").system == "voxels.vae"
assert models.find("second").parent == ""

# Paused, then kept without learning more; a name that is taken gets a number.
training = api.start_training(shelf, "Second", minutes=LONG, arguments=SMALL.split())
assert training.id == "second-2"
until(training, lambda: learning(training))
trainings.pause(training)
assert api.wait(training) == ""
trainings.keep(training)
assert api.wait(training) == "second-2"

# Other files can be opened meanwhile; a training does not care. When Blender lets go of it, it pauses.
training = api.start_training(shelf, "Fourth", minutes=LONG, arguments=SMALL.split())
until(training, lambda: learning(training))
bpy.ops.wm.read_homefile(app_template="", use_empty=True)
trainings.tick()
assert training.state == "training"
pid = training.process.pid
trainings.unregister()
end = time.monotonic() + 60
while not gone(pid):
    assert time.monotonic() < end, "the training outlives Blender"
    time.sleep(0.05)
trainings.register()
training = trainings.find("fourth")
assert training.state == "paused", training.state

# Discard: the process ends, nothing is left.
trainings.resume(training)
until(training, lambda: learning(training))
pid, folder = training.process.pid, training.folder
assert bpy.ops.gen3d.train_discard(training="fourth") == {"FINISHED"}
until(training, lambda: "fourth" not in [one.id for one in trainings.listing()])
assert gone(pid)
assert not folder.exists()
assert not (extension.my_models() / "fourth").exists()

# Delete My Model: only those of one's own.
assert bpy.ops.gen3d.delete_model(model="second") == {"FINISHED"}
assert "second" not in [card.id for card in models.listing()]
assert not (extension.my_models() / "second").exists()
with fails("is not one that you trained here.", "by hand"):
    bpy.ops.gen3d.delete_model(model="toy-blobs")
for name in ("second", "second-2", "meine-mobel"):
    assert bpy.ops.gen3d.train_hide(training=name) == {"FINISHED"}
assert trainings.listing() == []
assert os.listdir(extension.my_trainings()) == []
assert models.find("second-2").title == "Second"

# A Blender that ends lets go of its training, which pauses; the test looks whether it does.
for number in range(3):
    bpy.ops.mesh.primitive_cone_add(location=(3 * number, 0, 0))
bpy.ops.object.select_all(action="SELECT")
training = api.start_training(bpy.context.selected_objects, "Last", minutes=LONG, arguments=SMALL.split())
until(training, lambda: learning(training))
assert any("few" in warning for warning in training.status.warnings), training.status.warnings
sys.stdout.write(f"training {training.process.pid} folder {training.folder}\n")
