"""What a shape is made from, as a text to be copied, kept and sent: a model, its version, and a latent or a seed."""

import json
from typing import Any

import numpy as np

from ..gen3d_core.errors import BadRequest
from .memory import Memory

#: Says what the text is, and how to read it.
KIND = "gen3d shape"
#: A text of anything else is not read to its end.
MOST_LETTERS = 1 << 20
#: Tasks whose results need nothing but the model: those of others are copied by their latent, or not at all.
ALONE = ("sample", "from_text")
FIELDS: dict[str, type] = {
    "task": str,
    "model": str,
    "weights": str,
    "seed": int,
    "category": str,
    "text": str,
    "resolution": int,
    "faces": int,
    "debris": bool,
    "quads": bool,
}
#: Of fields that older texts do not have.
MISSING = {"quads": False}


def write(memory: Memory) -> str:
    """The text of what an object remembers.

    Raises:
        BadRequest: it cannot be made without another object.
    """
    latent = memory.effective
    if latent is None and memory.task not in ALONE:
        raise BadRequest(
            "This shape was made from another object, and its model has no latents.", "Copy the object itself."
        )
    values: dict[str, Any] = {"kind": KIND, **{name: getattr(memory, name) for name in FIELDS}}
    if latent is not None:
        # The shortest decimals that give the same numbers in single precision.
        values["latent"] = [float(str(number)) for number in latent.astype(np.float32)]
        values["task"] = "sample"
    return json.dumps(values)


def read(text: str) -> Memory:
    """What such a text says; nothing of it is trusted.

    Raises:
        BadRequest: it is another text.
    """
    try:
        values = json.loads(text) if len(text) < MOST_LETTERS else None
    except (json.JSONDecodeError, RecursionError):
        values = None
    if not isinstance(values, dict) or values.get("kind") != KIND:
        raise BadRequest("The clipboard holds no shape.", "Select a generated shape and press Copy Latent first.")
    known = {name: values.get(name, MISSING.get(name)) for name in FIELDS}
    if any(type(value) is not FIELDS[name] for name, value in known.items()) or known["task"] not in ALONE:
        raise BadRequest("The shape in the clipboard cannot be read.", "Copy it again.")
    return Memory(**known, latent=_latent(values.get("latent")))  # type: ignore[arg-type]


def _latent(numbers: Any) -> Any:
    if numbers is None:
        return None
    good = isinstance(numbers, list) and numbers and all(type(number) in (int, float) for number in numbers)
    latent = np.array(numbers if good else [np.nan], dtype=np.float32)
    if not np.isfinite(latent).all():
        raise BadRequest("The latent in the clipboard cannot be read.", "Copy it again.")
    return latent
