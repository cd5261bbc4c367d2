"""RGB and the planes of luma and chroma that most videos are made of, by ITU-T H.273.

What libswscale does with accurate rounding, in less time: chroma is interpolated by a
cubic between its sites, which lie in the middle of the pixels they stand for, and averaged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[Any]
Image = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.3, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
"""Of red and blue in luma, by H.273's number of the matrix."""
_PLANAR = re.compile(r"yuv[aj]?4(?:20|22|40|44)p(\d+le)?")
_FINENESS = 32
"""Integer differences are counted in this part of a sample."""
_BAND = 64
"""Rows that are dealt with at a time, so that what is between stays in the processor's cache."""


@dataclass(frozen=True)
class Coding:
    """How samples of luma and chroma stand for colours.

    Args:
        matrix: H.273's number.
        full: whether samples use the whole range.
        bits: of a sample.
    """

    matrix: int
    full: bool
    bits: int

    @classmethod
    def of(cls, pix_fmt: str, matrix: int, full: bool, bits: int) -> Coding | None:
        """That of a pixel format; None if it is not made of such planes."""
        known = matrix in _WEIGHTS and _PLANAR.fullmatch(pix_fmt) is not None
        return cls(matrix, full, bits) if known else None


def to_rgb(planes: Sequence[Samples], coding: Coding) -> Image:
    """The picture, `(H,W,3)`: uint8 of 8-bit samples, else uint16.

    Args:
        planes: luma `(H,W)`, two of chroma, which may be smaller; uint8 or uint16.
        coding: of the samples.
    """
    import cv2

    luma, *chroma = planes
    height, width = luma.shape
    wide = [_stretched(plane, height, width) for plane in chroma]
    matrix, offset = _colours(coding)
    backward = np.linalg.inv(matrix)
    affine = np.column_stack([backward, -backward @ offset])
    rgb: Image = cv2.transform(cv2.merge([luma, *wide]), affine)
    return rgb


def add_difference(planes: Sequence[Samples], before: Image, after: Image, coding: Coding) -> None:
    """Add `after - before` to the samples, which stay within what their bits can hold.

    Args:
        planes: as for `to_rgb`; changed.
        before, after: `(H,W,3)`, uint8 of 8-bit samples, else uint16.
        coding: of the samples.
    """
    height = before.shape[0]
    for top in range(0, height, _BAND):
        bottom = min(top + _BAND, height)
        parts = [_rows(plane, top, bottom, height) for plane in planes]
        _add_to_band(parts, before[top:bottom], after[top:bottom], coding)


def _add_to_band(planes: Sequence[Samples], before: Image, after: Image, coding: Coding) -> None:
    import cv2

    small = before.dtype == np.uint8
    exact, rounded = (np.int16, cv2.CV_16S) if small else (np.float32, cv2.CV_16U)
    matrix, _ = _colours(coding)
    change: Samples = after.astype(exact)
    change -= before
    largest = (1 << coding.bits) - 1
    all_steps = cv2.split(cv2.transform(change, matrix * _FINENESS))
    for plane, steps in zip(planes, all_steps, strict=True):
        mine, more = plane.astype(exact), _shrunk(steps, *plane.shape)
        changed = cv2.addWeighted(mine, 1, more, 1 / _FINENESS, 0, dtype=rounded)
        plane[...] = np.clip(changed, 0, largest, out=changed)


def _rows(plane: Samples, top: int, bottom: int, height: int) -> Samples:
    """The samples of a plane that stand for some rows of a picture."""
    down = _sharing(height, plane.shape[0])
    return plane[top // down : -(-bottom // down)]


def _sharing(pixels: int, samples: int) -> int:
    """How many pixels in a row, 1 or 2, share a sample."""
    return -(-pixels // samples)


@cache
def _colours(coding: Coding) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """`samples = matrix @ rgb + offset`, H.273 equations 20 to 43, with RGB at its full scale."""
    red, blue = _WEIGHTS[coding.matrix]
    luma = np.array([red, 1 - red - blue, blue])
    cb = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    cr = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    unit = 1 << (coding.bits - 8)
    largest = (1 << coding.bits) - 1
    scales = [largest] * 3 if coding.full else [219 * unit, 224 * unit, 224 * unit]
    offset = np.array([0 if coding.full else 16 * unit, 128 * unit, 128 * unit])
    full_scale = 255 if coding.bits == 8 else 65535
    return np.stack([luma, cb, cr]) * np.array(scales)[:, None] / full_scale, offset


def _stretched(plane: Samples, height: int, width: int) -> Samples:
    """A plane at the size of the luma's."""
    import cv2

    down, across = _sharing(height, plane.shape[0]), _sharing(width, plane.shape[1])
    if down == across == 1:
        return plane
    size = (plane.shape[1] * across, plane.shape[0] * down)
    wide: Samples = cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC)
    return wide[:height, :width]


def _shrunk(steps: Samples, height: int, width: int) -> Samples:
    """Means of the pixels that each sample of a plane stands for."""
    import cv2

    down, across = _sharing(steps.shape[0], height), _sharing(steps.shape[1], width)
    if down == across == 1:
        return steps
    below, beside = height * down - steps.shape[0], width * across - steps.shape[1]
    if below or beside:
        steps = cv2.copyMakeBorder(steps, 0, below, 0, beside, cv2.BORDER_REPLICATE)
    small: Samples = cv2.resize(steps, (width, height), interpolation=cv2.INTER_AREA)
    return small
