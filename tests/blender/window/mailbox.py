"""Runs inside the Blender under test (`--python mailbox.py`): executes what `window.py` sends it and answers in JSON.

The two talk through a folder, named in the environment as GEN3D_MAILBOX. A request is a file `request-N.json` with the
fields `source` and `values`; the answer is `reply-N.json` with `value` or `error`. Files appear whole, by renaming. An
application timer looks for them, so every request runs in Blender's main thread, between events, also after another
file was opened. The functions below without a leading underscore can be called from a request's source.
"""

import json
import os
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import bpy

_FOLDER = Path(os.environ["GEN3D_MAILBOX"])
_PARENT = os.getppid()
_IDLE_SECONDS = 0.01
_BUSY_SECONDS = 0.25  # for so long after an answer the next request is expected at once
# A mouse event that reached Blender before the request did is queued in the main loop's next round and handled at the
# end of that round, so that the second timer tick after the one that saw the request is the first to find it done.
_SETTLING_TICKS = 2


def main_window() -> bpy.types.Window:
    """The first window: an application timer has none in its context."""
    return bpy.context.window_manager.windows[0]


def find_area(area_type: str = "VIEW_3D") -> bpy.types.Area:
    """The largest editor of one type; raises LookupError where the screen has none."""
    areas = [area for area in main_window().screen.areas if area.type == area_type]
    if not areas:
        raise LookupError(f"No editor of type {area_type} on the screen: open one, or ask for another type.")
    return max(areas, key=lambda area: area.width * area.height)


def find_region(area_type: str = "VIEW_3D", region_type: str = "UI") -> bpy.types.Region:
    """The region of that type in the largest editor of that type."""
    return next(region for region in find_area(area_type).regions if region.type == region_type)


def region_rectangle(area_type: str = "VIEW_3D", region_type: str = "UI") -> list[int]:
    """Left, bottom, width, height of a region, in pixels from the window's lower left corner."""
    region = find_region(area_type, region_type)
    return [region.x, region.y, region.width, region.height]


def in_region(area_type: str = "VIEW_3D", region_type: str = "UI") -> Any:
    """A context manager under which operators and `bpy.context` see the main window and this region."""
    return bpy.context.temp_override(
        window=main_window(), area=find_area(area_type), region=find_region(area_type, region_type)
    )


def show_sidebar(area_type: str = "VIEW_3D") -> None:
    """Opens the editor's sidebar (the N panel)."""
    space: Any = find_area(area_type).spaces.active
    space.show_region_ui = True
    redraw()


def active_tab(area_type: str = "VIEW_3D") -> str:
    """The name of the sidebar tab that is showing."""
    return str(find_region(area_type, "UI").active_panel_category)


def redraw() -> None:
    """Lays out and draws the whole window twice and shows it, at once."""
    with in_region(region_type="WINDOW"):
        bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=2)


def button_under_mouse(area_type: str = "VIEW_3D", region_type: str = "UI") -> str:
    """What the mouse is over: `scene.path.to.property[index]`, `category.operator(arguments)`, or nothing ("").

    Blender itself is asked, by what its own context menu offers ("Copy Python Command", "Copy Data Path"), so the
    answer does not depend on the interface's scale, theme, fonts or layout.
    """
    window_manager = bpy.context.window_manager
    copy_command: Any = bpy.ops.ui.copy_python_command_button
    with in_region(area_type, region_type):
        if copy_command.poll():
            before, window_manager.clipboard = window_manager.clipboard, ""
            copy_command()
            command, window_manager.clipboard = window_manager.clipboard, before
            return command.removeprefix("bpy.ops.")
        if bpy.context.property is not None:
            owner, path, index = bpy.context.property
            return f"{owner.id_type.lower()}.{path}" + (f"[{index}]" if index >= 0 else "")
    return ""


def panel_names(area_type: str = "VIEW_3D", region_type: str = "UI") -> list[str]:
    """What is written on the headers of the tab's panels, from the top, also of those inside open ones.

    Blender does not tell which panels are open; but it draws what is in those and in no others.
    """
    tab = active_tab(area_type)
    classes: list[Any] = [cls for cls in bpy.types.Panel.__subclasses__() if _is_in(cls, area_type, region_type, tab)]
    drawn: set[str] = set()
    draws = {cls: cls.draw for cls in classes}

    def watched(cls: Any) -> Any:
        def draw(panel: Any, context: bpy.types.Context) -> None:
            drawn.add(_identifier(cls))
            draws[cls](panel, context)

        return draw

    try:
        for cls in classes:
            cls.draw = watched(cls)
        redraw()
    finally:
        for cls, draw in draws.items():
            cls.draw = draw

    def names_in(parent: str) -> Iterator[str]:
        inside = [cls for cls in classes if getattr(cls, "bl_parent_id", "") == parent]
        for cls in sorted(inside, key=lambda cls: getattr(cls, "bl_order", 0)):
            if hasattr(cls, "poll") and not cls.poll(bpy.context):
                continue
            yield cls.bl_label
            if _identifier(cls) in drawn:
                yield from names_in(_identifier(cls))

    with in_region(area_type, region_type):
        return list(names_in(""))


def _identifier(cls: Any) -> str:
    return getattr(cls, "bl_idname", cls.__name__)


def _is_in(cls: Any, area_type: str, region_type: str, tab: str) -> bool:
    """Whether a class is a registered panel of one tab."""
    place = [getattr(cls, name, "") for name in ("bl_space_type", "bl_region_type", "bl_category")]
    return cls.is_registered and place == [area_type, region_type, tab]


def paint_panel_titles(color: list[float]) -> list[float]:
    """Gives the titles of panels a color (red, green, blue from 0 to 1); returns the one that they had."""
    theme: Any = bpy.context.preferences.themes[0]
    # Since Blender 5 one for all editors.
    own = hasattr(theme.user_interface, "panel_title")
    owner, name = (theme.user_interface, "panel_title") if own else (theme.view_3d.space, "title")
    before = list(getattr(owner, name))
    setattr(owner, name, color)
    redraw()
    return before


def _compile(source: str) -> tuple[CodeType, bool]:
    """The source's code, and whether it is an expression, whose value is the answer."""
    try:
        return compile(source, "<request>", "eval"), True
    except SyntaxError:
        return compile(source, "<request>", "exec"), False


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    names = {**globals(), **request["values"]}
    try:
        code, is_expression = _compile(request["source"])
        value = eval(code, names)
        plain = json.dumps(value if is_expression else names.get("result"), default=list)  # sets, vectors, collections
    except Exception:  # noqa: BLE001 - whatever the request raises belongs to the test that sent it
        return {"error": traceback.format_exc()}
    return {"value": json.loads(plain)}


def _write(name: str, content: dict[str, Any]) -> None:
    partial = _FOLDER / f".{name}"
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.rename(_FOLDER / name)


class _Mailbox:
    def __init__(self) -> None:
        self.number = 0  # of the request that comes next
        self.ticks_left = _SETTLING_TICKS
        self.busy_until = 0.0

    def tick(self) -> float:
        """One look into the folder; returns the seconds until the next."""
        if os.getppid() != _PARENT:
            os._exit(1)  # the test's process is gone, nobody would end this one
        request = _FOLDER / f"request-{self.number}.json"
        if not request.exists():
            return 0.0 if time.monotonic() < self.busy_until else _IDLE_SECONDS
        if self.ticks_left > 0:
            self.ticks_left -= 1
            return 0.0
        number, self.number, self.ticks_left = self.number, self.number + 1, _SETTLING_TICKS
        content = json.loads(request.read_text(encoding="utf-8"))
        request.unlink()
        _write(f"reply-{number}.json", _answer(content))
        self.busy_until = time.monotonic() + _BUSY_SECONDS
        return 0.0


def _first_tick() -> float | None:
    """Waits until the window is drawn, tells the test so, and hands over to the mailbox."""
    window = main_window()
    if window.screen is None or find_region(region_type="WINDOW").width < 2:
        return _IDLE_SECONDS
    redraw()
    _write("ready.json", {"version": bpy.app.version_string, "width": window.width, "height": window.height})
    bpy.app.timers.register(_Mailbox().tick, persistent=True)
    return None


def _prepare(preferences: bpy.types.Preferences) -> None:
    """Turns off what covers the window, what moves by itself, and what makes drawing without a GPU slow."""
    preferences.use_preferences_save = False
    preferences.view.show_splash = False
    preferences.view.show_tooltips = False
    preferences.view.smooth_view = 0
    if hasattr(preferences.view, "use_reduce_motion"):  # since Blender 5
        preferences.view.use_reduce_motion = True
    preferences.system.viewport_aa = "OFF"  # else every change draws the 3D view eight times
    preferences.system.use_overlay_smooth_wire = False
    preferences.system.use_edit_mode_smooth_wire = False


_prepare(bpy.context.preferences)
bpy.app.timers.register(_first_tick, persistent=True)
