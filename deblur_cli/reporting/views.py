"""What a page shows of one picture: scores, and JPEGs of it before and after."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import PIL.Image

from deblur_cli.imaging.photo import Image
from deblur_cli.imaging.sharpness import sharpness
from deblur_cli.pipeline.sheet import Box, Pixels, in_8_bits, most_changed

LONGEST = 1200
"""The longest side in pixels of a whole picture on the page; larger ones are shrunk."""

_CROP = (384, 256)
_CROPS = 3
_NO_CROPS_BELOW = 600
_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Scores:
    """How a picture changed.

    Attributes:
        before: sharpness of the input, 0 to 1, by `deblur_cli.imaging.sharpness`.
        after: sharpness of the result.
        change: mean absolute difference of the samples, as a share of their full range.
    """

    before: float
    after: float
    change: float


@dataclass(frozen=True)
class Pair:
    """The same part of a picture before and after.

    Attributes:
        before: a JPEG file.
        after: a JPEG file of the same size.
        width: of the JPEGs, in pixels.
        height: of the JPEGs, in pixels.
        box: the part, in pixels of the picture.
    """

    before: bytes
    after: bytes
    width: int
    height: int
    box: Box


@dataclass(frozen=True)
class View:
    """The whole picture, and crops at 100 % where it changed most, the most first."""

    whole: Pair
    crops: tuple[Pair, ...]


def compared(before: Image, after: Image) -> Scores:
    """The scores of a picture; `(H, W, 3)` sRGB, both uint8, uint16, or float32 in [0, 1]."""
    dtype: np.dtype[Any] = before.dtype
    full = 1 if dtype == np.float32 else np.iinfo(dtype).max
    change = cv2.norm(before, after, cv2.NORM_L1) / (before.size * full)
    return Scores(sharpness(before), sharpness(after), change)


def drawn(before: Image, after: Image) -> View:
    """The view of a picture; pixels as for `compared`. A small picture has no crops."""
    first, second = in_8_bits(before), in_8_bits(after)
    height, width = first.shape[:2]
    longest = max(height, width)
    boxes = most_changed(first, second, _CROP, _CROPS) if longest > _NO_CROPS_BELOW else []
    scale = min(1.0, LONGEST / longest)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    whole = _pair(first, second, (0, 0, width, height), size)
    return View(whole, tuple(_pair(first, second, box) for box in boxes))


def _pair(before: Pixels, after: Pixels, box: Box, size: tuple[int, int] | None = None) -> Pair:
    left, top, right, bottom = box
    width, height = size or (right - left, bottom - top)
    first, second = (
        _jpeg(each[top:bottom, left:right], (width, height)) for each in (before, after)
    )
    return Pair(first, second, width, height, box)


def _jpeg(pixels: Pixels, size: tuple[int, int]) -> bytes:
    picture = PIL.Image.fromarray(np.ascontiguousarray(pixels))
    if picture.size != size:
        picture = picture.resize(size, PIL.Image.Resampling.LANCZOS, reducing_gap=3.0)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()
