"""Models of others: pickles run no code, a card without a licence is no model, and no model is ever changed."""

import hashlib
import json
import os
import pickle
import shutil
import tempfile
import zipfile
from pathlib import Path

import bpy
from support import caught, clear, enable, fails, module, works

enable()
api, models, preferences, status = module("api"), module("models"), module("preferences"), module("status").status
clear()
zoo = Path(os.environ["GEN3D_ZOO"].split(os.pathsep)[0])
folder = Path(tempfile.mkdtemp())
proof = folder / "proof"


class Evil:
    """Runs a command where it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch '{proof}'",)


def plant(name: str, weights: bytes = b"", **changes: object) -> Path:
    """A copy of a model under another name, with other weights and entries of its card."""
    place = folder / "zoo" / name
    shutil.copytree(zoo / "toy-blobs", place)
    card = json.loads((place / "config.json").read_text(encoding="utf-8")) | {"id": name, "rank": 60}
    if weights:
        (place / "model.safetensors").write_bytes(weights)
        # Its card vouches for it: the hash is no protection from who wrote both.
        card["sha256"] = hashlib.sha256(weights).hexdigest()
    for key, value in changes.items():
        if value is None:
            del card[key]
        else:
            card[key] = value
    (place / "config.json").write_text(json.dumps(card), encoding="utf-8")
    return place


plant("plain-pickle", pickle.dumps(Evil()))
packed = folder / "packed"
with zipfile.ZipFile(packed, "w") as archive:
    archive.writestr("archive/data.pkl", pickle.dumps(Evil()))
plant("torch-pickle", packed.read_bytes())
damaged = plant("damaged")
data = bytearray((damaged / "model.safetensors").read_bytes())
data[-1] ^= 1
(damaged / "model.safetensors").write_bytes(data)
plant("escaping", system="os.system")
plant("no-licence", licence=None)

# They are offered or not, with the sentence that says why; what is asked for is refused, and nothing runs.
preferences.get().zoo = str(folder / "zoo")
names = [card.id for card in models.listing()]
assert "no-licence" not in names
assert "licence" in status.error.message, status.error
for name, sentence in (
    ("plain-pickle", "are a pickle, which could run code"),
    ("torch-pickle", "are a pickle, which could run code"),
    ("damaged", "the file is damaged or was replaced"),
    ("escaping", "needs an unknown system"),
):
    with fails(sentence, ""):
        bpy.ops.gen3d.generate(model=name, resolution=32)
    assert not proof.exists(), "the code of a model ran"
    works()

# Every model that is offered shows its licence: in the chooser, and below it, unless the artist trained it.
shown = {item[0]: item[2] for item in models.items(None, None) if item[0]}
for card in models.listing():
    assert card.licence
    assert card.licence in shown[card.id]
    assert models.mine(card) or any(card.licence in fact for fact in models.facts(card)), models.facts(card)


# Models are read and nothing else.
def digests() -> dict[str, str]:
    return {
        str(path.relative_to(zoo)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(zoo.rglob("*"))
        if path.is_file()
    }


before = digests()
a, b = api.generate("toy-blobs", (1, 2), 32)
(blend,) = api.interpolate(a, b, resolution=32)
blend.gen3d.t = 0.2
api.directions(a)
api.rank([a, b], model="toy-blobs")
error = caught(lambda: models.delete(models.find("toy-blobs")))
assert "is not one that you trained here" in error.message
assert digests() == before
