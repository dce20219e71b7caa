"""Shapes as assets of Blender's own: marked, described, with a picture, in a catalogue named after their model.

Catalogues are lines of a text file beside the .blend file, or at the root of the asset library that it lies in:
``UUID:path:name``. Lines of others are kept as they are.
"""

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
from bpy.types import Object

from ..gen3d_core.errors import Gen3DError
from . import models
from .memory import recall

CATALOGUES = "blender_assets.cats.txt"
#: Above the catalogues of all models.
ROOT = "Gen3D"
#: The same path has the same number in every file.
NAMESPACE = uuid.UUID("0c7d3a52-3f1e-5b0a-9d3e-6a1f0e2c4b77")
#: What a file of catalogues says first.
VERSION = "VERSION 1"


def mark(shapes: Sequence[Object]) -> list[str]:
    """Makes objects assets of this file; an object that is one already gets its description anew.

    Returns:
        The paths of the catalogues that they are in; empty while the file has never been saved, because catalogues are
        kept beside it.

    Raises:
        Gen3DError: the file of the catalogues cannot be written; nothing has changed then.
    """
    paths = {obj: _path(obj) for obj in shapes}
    file = _file()
    if file is not None:
        _add(file, sorted(set(paths.values())))
    for obj, path in paths.items():
        obj.asset_mark()
        data: Any = obj.asset_data
        data.description = _description(obj)
        for tag in _tags(obj):
            data.tags.new(tag, skip_if_exists=True)
        if file is not None:
            data.catalog_id = number(path)
        if not bpy.app.background:
            # Blender draws it in the background, with a job of its own.
            obj.asset_generate_preview()
    return sorted(set(paths.values())) if file is not None else []


def number(path: str) -> str:
    """The UUID of a catalogue."""
    return str(uuid.uuid5(NAMESPACE, path))


def _path(obj: Object) -> str:
    """Of the catalogue: the model's title, without what would be more levels."""
    title = _title(obj)
    return f"{ROOT}/{title.replace('/', '-').replace(':', '-')}" if title else ROOT


def _title(obj: Object) -> str:
    model = recall(obj).model
    return next((models.short(card) for card in models.listing() if card.id == model), model)


def _description(obj: Object) -> str:
    memory = recall(obj)
    if memory.text:
        return memory.text
    facts = [memory.category, f"seed {memory.seed}" if memory.task == "sample" else ""]
    return ", ".join(fact for fact in (_title(obj), *facts) if fact)


def _tags(obj: Object) -> list[str]:
    memory: Any = recall(obj)
    group: Any = obj.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    return [tag for tag in (memory.model, memory.category, group.label) if tag]


def _file() -> Path | None:
    """Where catalogues are kept for this .blend file; None where it has no place yet."""
    if not bpy.data.filepath:
        return None
    blend = Path(bpy.data.filepath).resolve()
    libraries = bpy.context.preferences.filepaths.asset_libraries
    roots = [Path(bpy.path.abspath(library.path)).resolve() for library in libraries if library.path]
    inside = [root for root in roots if root in blend.parents]
    # The innermost of nested libraries.
    return max(inside, key=lambda root: len(root.parts), default=blend.parent) / CATALOGUES


def _add(file: Path, paths: Sequence[str]) -> None:
    """Adds the catalogues that are not there yet."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else [VERSION, ""]
        known = {line.partition(":")[0] for line in lines}
        added = [f"{number(path)}:{path}:{path.replace('/', '-')}" for path in paths if number(path) not in known]
        if not added:
            return
        beside = file.with_name(f".{file.name}.part")
        beside.write_text("\n".join([*lines, *added]) + "\n", encoding="utf-8")
        os.replace(beside, file)
    except (OSError, UnicodeDecodeError) as error:
        raise Gen3DError(
            f"The catalogues in {file} cannot be written: {error}.",
            "Save the .blend file in a folder that you may write to, then try again.",
        ) from error
