"""What tests of the extension in a window share: its modules by short names, and how to wait for them."""

from __future__ import annotations

from typing import Any

PACKAGE = "bl_ext.user_default.gen3d.blender_addon"
#: Names for what runs inside Blender.
MODULES = f"""
from importlib import import_module
jobs, slider, objects = (import_module("{PACKAGE}." + name) for name in ("jobs", "slider", "objects"))
trainings, models, outliers = (import_module("{PACKAGE}." + name) for name in ("trainings", "models", "outliers"))
pictures, clock = import_module("{PACKAGE}.pictures"), import_module("{PACKAGE}.clock")
status, calls = import_module("{PACKAGE}.status").status, import_module("{PACKAGE}.calls")
shapes = [obj for obj in bpy.context.scene.objects if obj.type == "MESH"]
blend = next((obj for obj in shapes if obj.gen3d.task == "interpolate"), None)
def fresh(obj):
    return slider.wanted(obj).key == objects.shown(obj.data)
"""


def ask(window: Any, expression: str) -> Any:
    """The value of an expression inside Blender."""
    return window.call(f"{MODULES}\nresult = {expression}")


def until(window: Any, expression: str, seconds: float = 300.0) -> None:
    """Waits for an expression to become true inside Blender; fails at once where the panel shows an error instead."""
    check = f"result = bool({expression}) or (str(status.error) if status.error else False)"
    value = window.wait_until(f"{MODULES}\n{check}", seconds=seconds)
    assert value is True, value


def turn(window: Any, *panels: str) -> None:
    """Opens panels that are closed, and closes those that are open, by a click on each one's header."""
    for name in panels:
        window.click(*window.panels()[name].center)
