"""Sentences in a layout, which itself knows single lines only."""

import textwrap

import bpy
from bpy.types import Context, UILayout

#: Average width of a letter of Blender's interface, in pixels at a scale of 1.
LETTER_PIXELS = 6.6
MARGIN_LETTERS = 6
ICON_LETTERS = 3


def letters(context: Context) -> int:
    """How many letters a line of the drawn region holds."""
    assert context.region is not None
    return int(context.region.width / (bpy.context.preferences.system.ui_scale * LETTER_PIXELS)) - MARGIN_LETTERS


def draw_text(layout: UILayout, text: str, width: int, icon: str = "NONE") -> None:
    """A sentence, in as many lines as it takes.

    Args:
        layout: where.
        text: what.
        width: of a line, in letters.
        icon: before the first line.
    """
    column = layout.column(align=True)
    following = "NONE" if icon == "NONE" else "BLANK1"
    width -= 0 if icon == "NONE" else ICON_LETTERS
    for number, line in enumerate(textwrap.wrap(text, max(width, 16))):
        column.label(text=line, icon=following if number else icon)  # pyright: ignore[reportArgumentType]
