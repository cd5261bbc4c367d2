"""A before/after sheet: the most detailed part of each photo, its versions side by side."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Pixels = npt.NDArray[np.uint8]
"""``(H, W, 3)`` RGB."""

Row = tuple[tuple[str, Pixels], ...]
"""Labelled versions of one photo, all of one size, the truth last."""

CROP = 256
GAP = 8
CAPTION = 24


def draw_sheet(rows: list[Row]) -> Image.Image:
    """Draw one line per photo, crops of CROP x CROP pixels with their labels above."""
    columns = len(rows[0])
    width = GAP + columns * (CROP + GAP)
    height = GAP + len(rows) * (CAPTION + CROP + GAP)
    sheet = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=15)
    for line, versions in enumerate(rows):
        top, left = most_detailed_corner(versions[-1][1])
        y = GAP + line * (CAPTION + CROP + GAP)
        for column, (label, pixels) in enumerate(versions):
            x = GAP + column * (CROP + GAP)
            pen.text((x, y), label, fill="black", font=font)
            crop = pixels[top : top + CROP, left : left + CROP]
            sheet.paste(Image.fromarray(crop), (x, y + CAPTION))
    return sheet


def most_detailed_corner(photo: Pixels) -> tuple[int, int]:
    """Top and left of the CROP x CROP window with the greatest sum of gradient magnitudes."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float64)
    gradient = np.hypot(*np.gradient(grey))
    sums = cv2.integral(gradient)
    windows = sums[CROP:, CROP:] - sums[:-CROP, CROP:] - sums[CROP:, :-CROP] + sums[:-CROP, :-CROP]
    top, left = np.unravel_index(np.argmax(windows), windows.shape)
    return int(top), int(left)
