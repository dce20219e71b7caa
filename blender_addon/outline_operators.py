"""The button that makes anew what the artist draws around: a box or a lasso in the 3D view.

It is modal while the line is drawn, and no longer: what is then asked for is a job as every other.
"""

# Blender reads these annotations as properties, and its stubs know sets of literals only.
# pyright: reportInvalidTypeForm=false, reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from typing import Any, ClassVar

import bpy
import gpu
import numpy as np
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, IntProperty, StringProperty
from bpy.types import Context, Event, Operator, OperatorMousePath, Region, SpaceView3D, UILayout
from gpu_extras.batch import batch_for_shader

from ..gen3d_core.errors import BadRequest, Gen3DError
from . import verbs
from .operators import GEN3D_OT_complete
from .parts import Outline
from .pressing import Verb, active, failed, has_models, mesh_active, object_mode
from .properties import MAX_SEED

SHAPES = [
    ("BOX", "Box", "Drag from one corner to the other"),
    ("LASSO", "Lasso", "Drag around the part"),
]
ICONS = {"BOX": "SELECT_SET", "LASSO": "GREASEPENCIL"}
#: In pixels: from one corner of a lasso to the next, and how small a box is a slip of the mouse.
SPACING, SLIP = 4, 6
COLOUR = (1.0, 0.6, 0.1, 1.0)
EMPTY = BadRequest("Nothing was drawn.", "Press the button, then drag around the part that is to be made anew.")


class GEN3D_OT_complete_outline(Verb, Operator):  # noqa: N801 - Blender's rule for names
    """Draw around a part of the active mesh in the 3D view: all that lies behind the line is made anew.
    The shapes are put beside it, along the X axis; the mesh itself stays as it is"""

    bl_idname = "gen3d.complete_outline"
    bl_label = "Regenerate What I Draw"
    settings: ClassVar[dict[str, str]] = {
        key: value for key, value in GEN3D_OT_complete.settings.items() if key != "keep"
    }
    abilities: ClassVar[tuple[str, ...]] = verbs.COMPLETES
    special: ClassVar[dict[str, str]] = GEN3D_OT_complete.special

    shape: EnumProperty(name="Shape", description="What is drawn", items=SHAPES)
    path: CollectionProperty(
        name="Path",
        description="Pixels of the 3D view: two opposite corners of a box, or those of a lasso",
        type=OperatorMousePath,
        options={"SKIP_SAVE"},
    )
    count: IntProperty(name="Count", description="How many completions to make", default=1, min=1, soft_max=16)
    seed: IntProperty(name="Seed", description="Of the first; the next ones follow", default=1, min=0, max=MAX_SEED)
    exact: BoolProperty(name="Keep Exact", description="Keep the very triangles of what is kept", default=False)
    text: StringProperty(name="Description", description="What the whole is, for models that listen; may be empty")

    def verb(self: Any, context: Context) -> verbs.Verb:
        """See the base class."""
        obj, region = active(context), _window(context)
        corners = np.array([tuple(point.loc) for point in self.path], dtype=np.float64).reshape(-1, 2)
        if len(corners) < 2 or np.ptp(corners, axis=0).min() < SLIP:
            raise EMPTY
        points = corners / (region.width, region.height) * 2 - 1
        if self.shape == "BOX":
            points = _rectangle(points)
        view: Any = region.data
        outline = Outline.of(points, view.perspective_matrix, obj)
        seeds = range(self.seed, self.seed + self.count)
        return verbs.complete(obj, None, self.model, seeds, self.quality(), self.text, False, self.exact, outline)

    def invoke(self: Any, context: Context, event: Event) -> set[str]:
        """Waits for the line, unless it is given."""
        if bpy.app.background or self.path:
            return super().invoke(context, event)
        try:
            self._region = _window(context)
        except Gen3DError as error:
            return failed(self, error)
        self._line: list[tuple[int, int]] = []
        self._handle = SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")
        assert context.window is not None
        assert context.window_manager is not None
        assert context.workspace is not None
        context.window.cursor_modal_set("CROSSHAIR")
        context.workspace.status_text_set("Drag around the part that is to be made anew. Esc or right button: cancel")
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self: Any, context: Context, event: Event) -> set[str]:
        """Follows the mouse until its button is released."""
        place = (event.mouse_x - self._region.x, event.mouse_y - self._region.y)
        if event.type in ("ESC", "RIGHTMOUSE"):
            self._end(context)
            return {"CANCELLED"}
        if event.type == "LEFTMOUSE" and event.value == "PRESS":
            self._region = _under(context, event) or self._region
            self._line = [(event.mouse_x - self._region.x, event.mouse_y - self._region.y)]
        elif event.type == "MOUSEMOVE" and self._line:
            if self.shape == "BOX":
                self._line[1:] = [place]
            elif max(abs(a - b) for a, b in zip(place, self._line[-1], strict=True)) >= SPACING:
                self._line.append(place)
            self._region.tag_redraw()
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._line:
            self._end(context)
            for point in self._line:
                self.path.add().loc = point
            with context.temp_override(region=self._region):
                super().invoke(bpy.context, event)
            # What is under way is a job now; this here leaves no undo step.
            return {"CANCELLED"}
        elif event.type not in ("LEFTMOUSE", "MOUSEMOVE"):
            # The wheel and the middle button still turn the view, until the line is begun.
            return {"RUNNING_MODAL"} if self._line else {"PASS_THROUGH"}
        return {"RUNNING_MODAL"}

    def cancel(self: Any, context: Context) -> None:
        """Blender ends it, as when a file is opened."""
        self._end(context)

    def _end(self: Any, context: Context) -> None:
        SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
        if context.window is not None:
            context.window.cursor_modal_restore()
        if context.workspace is not None:
            context.workspace.status_text_set(None)
        self._region.tag_redraw()

    def _draw(self: Any) -> None:
        """Called by Blender for every 3D view."""
        if bpy.context.region != self._region or len(self._line) < 2:
            return
        points = _rectangle(np.array(self._line)) if self.shape == "BOX" else np.array(self._line)
        shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
        shader.uniform_float("viewportSize", (self._region.width, self._region.height))
        shader.uniform_float("lineWidth", 2.0)
        shader.uniform_float("color", COLOUR)
        flat = np.zeros((len(points) + 1, 3), dtype=np.float32)
        flat[:, :2] = [*points, points[0]]
        batch_for_shader(shader, "LINE_STRIP", {"pos": flat.tolist()}).draw(shader)

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether a mesh is active."""
        return object_mode(cls, context) and has_models(cls, *cls.abilities) and mesh_active(cls, context)


def draw_outline_buttons(layout: UILayout) -> None:
    """One button for each kind of line."""
    row = layout.row(align=True)
    for shape, name, _ in SHAPES:
        button: Any = row.operator("gen3d.complete_outline", text=f"Draw a {name}", icon=ICONS[shape])  # pyright: ignore
        button.shape = shape


def _rectangle(corners: Any) -> Any:
    """The four corners of a box whose first and last ones are given, with shape (4, 2)."""
    (a, b), (c, d) = corners[0], corners[-1]
    return np.array([[a, b], [c, b], [c, d], [a, d]])


def _window(context: Context) -> Region:
    """The part of the 3D view that shows the scene."""
    area = context.area
    if area is None or area.type != "VIEW_3D":
        raise BadRequest("There is no 3D view here.", "Press the button beside a 3D view.")
    if context.region is not None and context.region.type == "WINDOW":
        return context.region
    return next(region for region in area.regions if region.type == "WINDOW")


def _under(context: Context, event: Event) -> Region | None:
    """Which of the views of an area the mouse is over."""
    for region in context.area.regions if context.area else ():
        inside = 0 <= event.mouse_x - region.x < region.width and 0 <= event.mouse_y - region.y < region.height
        if region.type == "WINDOW" and inside:
            return region
    return None


CLASSES = (GEN3D_OT_complete_outline,)
