"""Drawing with nothing but numpy, OpenCV and Pillow: heat maps, bars, and sheets with titles."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Pixels = npt.NDArray[np.uint8]
"""`(h,w,3)` RGB."""

PANEL_SIDE = 256
"""Longest side of a picture in a sheet, in pixels."""

BARS = (PANEL_SIDE * 2, 96)
"""Width and height of a bar chart."""

_MARGIN = 12
_HEADING, _TITLE = 16, 12
"""Sizes of the letters."""
_INK, _PAPER, _AXIS = (32, 32, 32), (255, 255, 255), (160, 160, 160)


@dataclass(frozen=True)
class Panel:
    """A picture and what stands above it."""

    title: str
    pixels: Pixels


def heat_map(values: npt.NDArray[Any], low: float, high: float, side: int = PANEL_SIDE) -> Pixels:
    """Colours from dark blue at `low` to yellow at `high` for `(h,w)` values, `fitted`."""
    span = high - low if high > low else 1.0
    levels = np.clip((values - low) / span * 255, 0, 255).astype(np.uint8)
    coloured = cv2.applyColorMap(fitted(levels, side), cv2.COLORMAP_VIRIDIS)
    pixels: Pixels = np.ascontiguousarray(coloured[..., ::-1])
    return pixels


def colour_bar(width: int) -> Pixels:
    """The colours of `heat_map` from left to right."""
    ramp = np.tile(np.linspace(0, 1, width), (width // 32, 1))
    return heat_map(ramp, 0, 1, width)


def fitted(picture: npt.NDArray[np.uint8], side: int = PANEL_SIDE) -> npt.NDArray[np.uint8]:
    """A picture with its longest side brought to `side`; enlarged pixels stay squares."""
    height, width = picture.shape[:2]
    factor = side / max(height, width)
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    method = cv2.INTER_NEAREST if factor > 1 else cv2.INTER_AREA
    resized: npt.NDArray[np.uint8] = cv2.resize(picture, size, interpolation=method)
    return resized


def bar_chart(values: npt.NDArray[Any], colour: tuple[int, int, int]) -> Pixels:
    """One bar per value `(n,)` from left to right, the largest at full height; none below zero."""
    width, height = BARS
    chart: Pixels = np.full((height, width, 3), 255, np.uint8)
    largest = float(values.max()) or 1.0
    heights = np.clip(np.rint(values / largest * (height - 2)), 0, height - 2).astype(int)
    edges = np.linspace(0, width, len(values) + 1).astype(int)
    for bar, first, last in zip(heights, edges, edges[1:], strict=False):
        gap = int(last - first > 3)
        chart[height - 1 - bar : height - 1, first : max(last - gap, first + 1)] = colour
    chart[-1] = _AXIS
    return chart


def sheet(heading: Sequence[str], rows: Sequence[Sequence[Panel]]) -> bytes:
    """Panels in rows and columns below some lines of text, as the content of a PNG file."""
    titles = max((panel.title.count("\n") + 1 for row in rows for panel in row), default=1)
    above = titles * (_TITLE + 4) + 4
    columns = max(map(len, rows))
    widths = [_column_width(rows, column) for column in range(columns)]
    heights = [max(len(panel.pixels) for panel in row) + above + _MARGIN for row in rows]
    top = _MARGIN + len(heading) * (_HEADING + 6) + _MARGIN
    text_width = max(int(_font(_HEADING).getlength(line)) for line in heading) + 2 * _MARGIN
    width = max(sum(widths) + (columns + 1) * _MARGIN, text_width)
    canvas = Image.new("RGB", (width, top + sum(heights)), _PAPER)
    pen = ImageDraw.Draw(canvas)
    for index, line in enumerate(heading):
        pen.text((_MARGIN, _MARGIN + index * (_HEADING + 6)), line, _INK, _font(_HEADING))
    for row, height in zip(rows, heights, strict=True):
        left = _MARGIN
        for panel, column in zip(row, widths, strict=False):
            pen.text((left, top), panel.title, _INK, _font(_TITLE))
            canvas.paste(Image.fromarray(panel.pixels), (left, top + above))
            left += column + _MARGIN
        top += height
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG")
    return buffer.getvalue()


def _column_width(rows: Sequence[Sequence[Panel]], column: int) -> int:
    """Of the widest picture or line of text."""
    panels = [row[column] for row in rows if column < len(row)]
    lines = [line for panel in panels for line in panel.title.split("\n")]
    text = max(int(_font(_TITLE).getlength(line)) for line in lines)
    return max(text, *(int(panel.pixels.shape[1]) for panel in panels))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
