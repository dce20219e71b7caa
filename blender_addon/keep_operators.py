"""The button that ends a choice: what was made together with the selected shapes vanishes. See :mod:`.keeping`."""

# Blender reads these annotations as properties, and its stubs know sets of literals only.
# pyright: reportInvalidTypeForm=false, reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from typing import Any, ClassVar

from bpy.props import BoolProperty
from bpy.types import Context, Operator, UILayout

from ..gen3d_core.errors import Gen3DError
from . import keeping
from .pressing import failed, object_mode


class GEN3D_OT_keep(Operator):  # noqa: N801 - Blender's rule for names
    """Keep the selected shapes: all others that were made together with them are deleted"""

    bl_idname = "gen3d.keep"
    bl_label = "Keep Selected"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    in_place: BoolProperty(
        name="In Its Place",
        description="Put the shape exactly where the object is that it was made of, with that one's materials, "
        "and hide that one",
        default=False,
    )

    def execute(self: Any, context: Context) -> set[str]:
        """See the class."""
        assert context.scene is not None
        try:
            keeping.keep(context.scene, context.selected_objects, self.in_place)
        except Gen3DError as error:
            return failed(self, error)
        return {"FINISHED"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether something else was made with what is selected, or something selected has a place to take."""
        selected = context.selected_objects
        assert context.scene is not None
        if not selected:
            cls.poll_message_set("Select the shapes to keep")
            return False
        if not keeping.others(context.scene, selected) and not any(map(keeping.source, selected)):
            cls.poll_message_set("Nothing else was made together with the selected shapes")
            return False
        return object_mode(cls, context)


def draw_keep(layout: UILayout, context: Context) -> None:
    """The buttons, where the active shape has others beside it or a place to take."""
    obj, scene = context.active_object, context.scene
    if obj is None or scene is None:
        return
    selected = context.selected_objects or [obj]
    count, place = len(keeping.others(scene, selected)), keeping.source(obj)
    column = layout.column(align=True)
    if keeping.others(scene, [obj]):
        text = f"Keep Selected ({count} other{'' if count == 1 else 's'} vanish{'es' if count == 1 else ''})"
        column.operator("gen3d.keep", text=text, icon="CHECKMARK").in_place = False  # pyright: ignore
    if place is not None and len(selected) == 1:
        button = column.operator("gen3d.keep", text=f"Put in Place of {place.name}", icon="SNAP_ON")
        button.in_place = True  # pyright: ignore


CLASSES = (GEN3D_OT_keep,)
