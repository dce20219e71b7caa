"""The learning curve as a picture: losses over steps, one panel a stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..preview import save_png
from .history import Row

Colour = tuple[int, int, int]
#: Distinct for colour-blind eyes too (Okabe and Ito, 2008).
COLOURS: tuple[Colour, ...] = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167))
PAPER, INK, LINES = (255, 255, 255), (40, 40, 40), (225, 225, 225)
#: Drawn larger and made smaller: lines come out smooth.
FINE = 2
#: The mean that is drawn over the single values reaches so far to either side, as a share of them all.
SMOOTH = 0.03
#: A single early value should not press the rest flat: the axis shows this share of the values.
SHOWN = 0.97


def draw(rows: Sequence[Row], width: int = 720, height: int = 360) -> NDArray[np.uint8]:
    """The picture, with shape (height, width, 3), sRGB.

    Args:
        rows: of the history, in order.
        width, height: in pixels.
    """
    image = Image.new("RGB", (width * FINE, height * FINE), PAPER)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(12 * FINE)
    stages = list(dict.fromkeys(row.stage for row in rows))
    if not stages:
        pen.text((width * FINE / 2, height * FINE / 2), "no losses yet", INK, font, anchor="mm")
    for i, stage in enumerate(stages):
        box = (i * width * FINE // len(stages), 0, (i + 1) * width * FINE // len(stages), height * FINE)
        _panel(pen, font, box, stage, [row for row in rows if row.stage == stage])
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


def save(path: Path, rows: Sequence[Row]) -> None:
    """Writes the picture as PNG, beside its place and then into it.

    Raises:
        OSError: it cannot be written.
    """
    save_png(path, draw(rows))


def _panel(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    box: tuple[int, int, int, int],
    stage: str,
    rows: Sequence[Row],
) -> None:
    """Axes, marks, curves and names of one stage."""
    left, right, top, bottom = box[0] + 62 * FINE, box[2] - 14 * FINE, box[1] + 42 * FINE, box[3] - 46 * FINE
    finite = [row for row in rows if math.isfinite(row.value)]
    first, last = min(row.step for row in rows), max(row.step for row in rows)
    values = np.sort([row.value for row in finite]) if finite else np.zeros(1)
    low, high = float(values[0]), float(values[min(int(SHOWN * len(values)), len(values) - 1)])
    if low >= high:
        low, high = low - 0.5 * abs(low) - 1e-6, high + 0.5 * abs(high) + 1e-6

    def place(step: float, value: float) -> tuple[float, float]:
        across = (step - first) / max(last - first, 1)
        upward = min(max((value - low) / (high - low), 0.0), 1.0)
        return left + across * (right - left), bottom - upward * (bottom - top)

    for mark in _marks(low, high):
        _, y = place(first, mark)
        pen.line([(left, y), (right, y)], LINES, FINE)
        pen.text((left - 6 * FINE, y), f"{mark:.4g}", INK, font, anchor="rm")
    for mark in _marks(first, max(last, first + 1), least=1):
        x, _ = place(mark, low)
        pen.line([(x, bottom), (x, bottom + 4 * FINE)], INK, FINE)
        pen.text((x, bottom + 7 * FINE), f"{mark:g}", INK, font, anchor="mt")
    pen.line([(left, top), (left, bottom), (right, bottom)], INK, FINE)
    pen.text(((left + right) / 2, box[3] - 8 * FINE), "step", INK, font, anchor="mb")
    pen.text((box[0] + 8 * FINE, top - 10 * FINE), "loss", INK, font, anchor="lb")
    pen.text(((left + right) / 2, box[1] + 6 * FINE), stage, INK, font, anchor="mt")
    for i, name in enumerate(dict.fromkeys(row.name for row in finite)):
        colour = COLOURS[i % len(COLOURS)]
        mine = [row for row in finite if row.name == name]
        faint = tuple(round(c + (255 - c) * 0.65) for c in colour)
        smooth = [place(row.step, mean) for row, mean in zip(mine, _smooth([row.value for row in mine]), strict=True)]
        if len(mine) > 1:
            pen.line([place(row.step, row.value) for row in mine], faint, FINE)
            pen.line(smooth, colour, 2 * FINE, joint="curve")
        else:
            x, y = smooth[0]
            pen.ellipse([x - 3 * FINE, y - 3 * FINE, x + 3 * FINE, y + 3 * FINE], colour)
        pen.text((right, top + i * 16 * FINE), name, colour, font, anchor="rb" if i == 0 else "rm")


def _smooth(values: Sequence[float]) -> NDArray[np.float64]:
    """The mean of each value and its neighbours; at the ends of those that there are."""
    reach = max(int(SMOOTH * len(values)), 1)
    window = np.ones(2 * reach + 1)
    sums, counts = (np.convolve(v, window)[reach:-reach] for v in (np.asarray(values), np.ones(len(values))))
    return sums / counts


def _marks(low: float, high: float, least: float = 0.0) -> list[float]:
    """Three to six round numbers between two bounds, at least ``least`` apart."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = max(next(k * power for k in (1, 2, 5, 10) if k * power >= rough), least)
    start = math.ceil(low / step)
    return [k * step for k in range(start, math.floor(high / step) + 1)]
