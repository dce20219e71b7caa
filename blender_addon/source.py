"""Which assets a button means: operators have it as properties, the panel as settings."""

# Blender reads these annotations as properties.
# pyright: reportInvalidTypeForm=false

from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy.types import Context, Object

from ..gen3d_core.errors import BadRequest
from . import assets
from .collecting import Source
from .properties import SOURCES


class FromSource:
    """Properties of an operator that works on assets."""

    source: EnumProperty(name="Assets", description="What counts as the assets", items=SOURCES)
    collection: StringProperty(name="Collection", description="Its name; empty for the active collection")
    path: StringProperty(name="Path", description="A folder of mesh files, a zip, or a file", subtype="FILE_PATH")

    def settle(self: Any, context: Context) -> None:
        """Takes from the panel what the caller did not give."""
        given = self.properties.is_property_set
        group: Any = context.scene.gen3d  # pyright: ignore[reportAttributeAccessIssue]
        manager: Any = context.window_manager
        if not given("source"):
            self.source = group.source
        if not given("collection") and group.collection:
            self.collection = group.collection.name_full
        if not given("path"):
            self.path = manager.gen3d.path

    def called(self: Any, context: Context) -> str:
        """What the artist calls the assets."""
        if self.source == "COLLECTION":
            return _collection(self.collection, context).name
        tops = assets.selected(context)
        return tops[0].name if len(tops) == 1 else "Selection"

    def tops(self: Any, context: Context) -> list[Object]:
        """The objects that the assets are named after.

        Raises:
            BadRequest: there is no such collection, or files are no objects.
        """
        if self.source == "FILES":
            raise BadRequest("Files are not objects of the scene.", "Import them, or choose a selection.")
        if self.source == "COLLECTION":
            return assets.inside(_collection(self.collection, context))
        return assets.selected(context)

    def collected(self: Any, context: Context) -> Source:
        """For a training.

        Raises:
            BadRequest: there is nothing.
        """
        if self.source == "FILES":
            if not self.path:
                raise BadRequest("No file or folder is named.", "Choose a folder, a zip or a mesh file.")
            return Source.on_disk(Path(bpy.path.abspath(self.path)))
        return Source.of(self.called(context), self.tops(context))


def missing(cls: Any, context: Context, *, files: bool) -> bool:
    """Says in a button's tooltip what the panel's settings lack; whether they do.

    Args:
        cls: the operator.
        context: of the panel.
        files: whether it can work on files.
    """
    group: Any = context.scene.gen3d  # pyright: ignore[reportAttributeAccessIssue]
    manager: Any = context.window_manager
    reason = ""
    if group.source == "SELECTION" and not context.selected_objects:
        reason = "Select the objects that are your assets"
    elif group.source == "COLLECTION" and group.collection is None:
        reason = "Choose the collection of your assets"
    elif group.source == "FILES" and not files:
        reason = "This works on objects of the scene: choose a selection or a collection"
    elif group.source == "FILES" and not manager.gen3d.path:
        reason = "Choose the folder of your assets, a zip or a file"
    if reason:
        cls.poll_message_set(reason)
    return bool(reason)


def _collection(name: str, context: Context) -> bpy.types.Collection:
    if not name:
        if context.collection is None:
            raise BadRequest("No collection is active.", "Name one.")
        return context.collection
    for collection in bpy.data.collections:
        if name in (collection.name_full, collection.name):
            return collection
    raise BadRequest(f"There is no collection '{name}'.", "Choose another one.")
