"""The buttons for shapes of what is given: a text, pictures, a view of a thing, other shapes. See :mod:`.operators`."""

# Blender reads these annotations as properties, and its stubs know sets of literals only.
# pyright: reportInvalidTypeForm=false, reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from pathlib import Path
from typing import Any, ClassVar

import bpy
import numpy as np
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, IntProperty, StringProperty
from bpy.types import Context, Event, Image, Object, Operator, OperatorFileListElement
from numpy.typing import NDArray

from ..gen3d_core.errors import BadRequest, Gen3DError
from . import assets, images, objects, seen_verbs, verbs, views
from .memory import recall
from .pressing import Verb, active, failed, has_models, mesh_active, object_mode
from .properties import MAX_SEED, VIEWS
from .views import Camera


class GEN3D_OT_from_text(Verb, Operator):  # noqa: N801 - Blender's rule for names
    """Make shapes that the text describes, in a row at the 3D cursor"""

    bl_idname = "gen3d.from_text"
    bl_label = "Generate from Text"
    settings: ClassVar[dict[str, str]] = {"text": "text", "count": "count", "seed": "seed"}
    abilities: ClassVar[tuple[str, ...]] = ("from_text",)

    text: StringProperty(name="Text", description="What the shape is, in a few words")
    count: IntProperty(name="Count", description="How many shapes to make", default=1, min=1, soft_max=16)
    seed: IntProperty(name="Seed", description="Of the first; the next ones follow", default=1, min=0, max=MAX_SEED)

    def verb(self, context: Context) -> verbs.Verb:
        """See the base class."""
        return verbs.from_text(self.text, self.model, range(self.seed, self.seed + self.count), self.quality())

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether a model understands text, and where a person is to press it, there is one."""
        if not (object_mode(cls, context) and has_models(cls, *cls.abilities)):
            return False
        if not bpy.app.background and not _settings(context).text.strip():
            cls.poll_message_set("Describe the shape first")
            return False
        return True


class GEN3D_OT_from_images(Verb, Operator):  # noqa: N801
    """Make the thing that the pictures show, in a row at the 3D cursor: the more sides they show, the better.
    It should be upright, alone, and before nothing or before a plain background"""

    bl_idname = "gen3d.from_images"
    bl_label = "Generate from Pictures"
    settings: ClassVar[dict[str, str]] = {"count": "count", "seed": "seed"}
    abilities: ClassVar[tuple[str, ...]] = ("from_images",)

    pictures: StringProperty(name="Pictures", description="Names of images, one a line; empty for the panel's")
    count: IntProperty(name="Count", description="How many shapes to make", default=1, min=1, soft_max=16)
    seed: IntProperty(name="Seed", description="Of the first; the next ones follow", default=1, min=0, max=MAX_SEED)

    def verb(self, context: Context) -> verbs.Verb:
        """See the base class."""
        given = images.named(self.pictures) if self.pictures else _pictures(context)
        return seen_verbs.from_images(given, self.model, range(self.seed, self.seed + self.count), self.quality())

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether a model understands pictures, and where a person is to press it, there are some."""
        if not (object_mode(cls, context) and has_models(cls, *cls.abilities)):
            return False
        if not bpy.app.background and not _pictures(context):
            cls.poll_message_set("Add a picture first")
            return False
        return True


class GEN3D_OT_open_pictures(Operator):  # noqa: N801
    """Add picture files"""

    bl_idname = "gen3d.open_pictures"
    bl_label = "Add Files"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    files: CollectionProperty(type=OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Lets the artist choose."""
        assert context.window_manager is not None
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self: Any, context: Context) -> set[str]:
        """Opens them as images."""
        for file in self.files:
            path = Path(self.directory, file.name)
            try:
                image = bpy.data.images.load(str(path), check_existing=True)
            except RuntimeError as error:
                unread = BadRequest(f"The picture {file.name} cannot be read.", "Choose another file.", str(error))
                return failed(self, unread)
            _settings(context).pictures.add().image = image
        return {"FINISHED"}


class GEN3D_OT_picture_of_view(Operator):  # noqa: N801
    """Add a picture of what is selected, as it is seen here, in the plain colours of its materials.
    For textures and light, render and add the Render Result"""

    bl_idname = "gen3d.picture_of_view"
    bl_label = "Add View"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    view: EnumProperty(name="From", description="Where it is looked at from", items=VIEWS, default="CAMERA")

    def execute(self, context: Context) -> set[str]:
        """Makes an image of it."""
        try:
            given = assets.selected(context)
            if not given:
                raise BadRequest("Nothing is selected.", "Select what the picture is to show.")
            boxes = [objects.world_box(obj) for top in given for obj in (top, *top.children_recursive)]
            camera = _camera(context, self.view, objects.around(boxes), views.PICTURE_PIXELS)
            _settings(context).pictures.add().image = seen_verbs.show(given, camera)
        except Gen3DError as error:
            return failed(self, error)
        return {"FINISHED"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether something is selected."""
        if not context.selected_objects:
            cls.poll_message_set("Select what the picture is to show")
            return False
        return object_mode(cls, context)


class GEN3D_OT_add_picture(Operator):  # noqa: N801
    """Add a picture of those that are open in Blender, as the Render Result"""

    bl_idname = "gen3d.add_picture"
    bl_label = "Add Image"
    bl_options: ClassVar[set[str]] = {"UNDO", "INTERNAL"}

    def execute(self, context: Context) -> set[str]:
        """Makes room for one."""
        _settings(context).pictures.add()
        return {"FINISHED"}


class GEN3D_OT_remove_picture(Operator):  # noqa: N801
    """Take this picture off the list; the image itself stays"""

    bl_idname = "gen3d.remove_picture"
    bl_label = "Remove Picture"
    bl_options: ClassVar[set[str]] = {"UNDO", "INTERNAL"}

    index: IntProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: Context) -> set[str]:
        """See the class."""
        _settings(context).pictures.remove(self.index)
        return {"FINISHED"}


class GEN3D_OT_complete_view(Verb, Operator):  # noqa: N801
    """Make whole what can be seen of the active mesh from here: its other sides do not count.
    The shapes are put beside it, along the X axis; the mesh itself stays as it is"""

    bl_idname = "gen3d.complete_view"
    bl_label = "Complete from View"
    settings: ClassVar[dict[str, str]] = {"view": "look", "count": "completions", "seed": "seed", "text": "guide"}
    abilities: ClassVar[tuple[str, ...]] = verbs.COMPLETES
    special: ClassVar[dict[str, str]] = {"text": "guided"}

    view: EnumProperty(name="From", description="Where it is looked at from", items=VIEWS, default="CAMERA")
    count: IntProperty(name="Count", description="How many completions to make", default=1, min=1, soft_max=16)
    seed: IntProperty(name="Seed", description="Of the first; the next ones follow", default=1, min=0, max=MAX_SEED)
    text: StringProperty(name="Description", description="What the whole is, for models that listen; may be empty")

    def verb(self, context: Context) -> verbs.Verb:
        """See the base class."""
        obj = active(context)
        camera = _camera(context, self.view, views.room(objects.world_box(obj)), views.DEPTH_RAYS)
        seeds = range(self.seed, self.seed + self.count)
        return seen_verbs.complete_view(obj, camera, self.model, seeds, self.quality(), self.text)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether a mesh is active, and a person who wants a camera has one."""
        if not (object_mode(cls, context) and has_models(cls, *cls.abilities) and mesh_active(cls, context)):
            return False
        if not bpy.app.background and _settings(context).look == "CAMERA" and not _scene_camera(context):
            cls.poll_message_set("The scene has no camera: add one, or choose This View")
            return False
        return True


class GEN3D_OT_arithmetic(Verb, Operator):  # noqa: N801
    """Make A - B + C, at the 3D cursor: what A has and B lacks is given to C.
    Shapes that the model did not make are reconstructed first"""

    bl_idname = "gen3d.arithmetic"
    bl_label = "Calculate"

    a: StringProperty(name="A", description="Name of an object; empty for the panel's")
    b: StringProperty(name="B", description="Name of an object; empty for the panel's")
    c: StringProperty(name="C", description="Name of an object; empty for the panel's")

    def verb(self: Any, context: Context) -> verbs.Verb:
        """See the base class."""
        group = _settings(context)
        a, b, c = (
            _term(name, chosen)
            for name, chosen in ((self.a, group.term_a), (self.b, group.term_b), (self.c, group.term_c))
        )
        made_here = any(recall(obj).model for obj in (a, b, c))
        return verbs.arithmetic(a, b, c, "" if made_here else self.model, self.quality())

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether three shapes are chosen, where a person is to press it."""
        if not (object_mode(cls, context) and has_models(cls, "latents")):
            return False
        group = _settings(context)
        if not bpy.app.background and not (group.term_a and group.term_b and group.term_c):
            cls.poll_message_set("Choose three shapes")
            return False
        return True


class GEN3D_OT_refine(Verb, Operator):  # noqa: N801
    """Make the active mesh with twice the model's resolution.
    The new shape is put beside it, along the X axis"""

    bl_idname = "gen3d.refine"
    bl_label = "Refine 2x"
    abilities: ClassVar[tuple[str, ...]] = ("refines",)

    def verb(self, context: Context) -> verbs.Verb:
        """See the base class."""
        return verbs.refine(active(context), self.model, self.quality())

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether a mesh is active."""
        return object_mode(cls, context) and has_models(cls, *cls.abilities) and mesh_active(cls, context)


def _settings(context: Context) -> Any:
    return context.scene.gen3d  # pyright: ignore[reportAttributeAccessIssue]


def _pictures(context: Context) -> list[Image]:
    return [row.image for row in _settings(context).pictures if row.image]


def _scene_camera(context: Context) -> Object | None:
    return context.scene.camera if context.scene else None


def _camera(context: Context, view: str, box: NDArray[np.floating], pixels: int) -> Camera:
    """Where a box of the world, with shape (2, 3), is looked at from."""
    if view == "VIEW":
        return views.through_view(context, box, pixels)
    camera = _scene_camera(context)
    if camera is None:
        raise BadRequest("The scene has no camera.", "Add one, or look from the 3D view.")
    return views.through_camera(camera, box, pixels)


def _term(name: str, chosen: Object | None) -> Object:
    found = bpy.data.objects.get(name) if name else chosen
    if found is None:
        what = f"There is no object '{name}'." if name else "A shape is missing."
        raise BadRequest(what, "Choose three shapes, then try again.")
    return found


CLASSES = (
    GEN3D_OT_from_text,
    GEN3D_OT_from_images,
    GEN3D_OT_open_pictures,
    GEN3D_OT_picture_of_view,
    GEN3D_OT_add_picture,
    GEN3D_OT_remove_picture,
    GEN3D_OT_complete_view,
    GEN3D_OT_arithmetic,
    GEN3D_OT_refine,
)
