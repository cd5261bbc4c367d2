"""Mean errors between two images, and what makes two images comparable at all."""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from deblur_cli.errors import IncomparableError

Array: TypeAlias = npt.NDArray[Any]
"""(H, W) or (H, W, C): uint8, uint16, or a float type in [0, 1]."""


def mae(restored: Array, truth: Array) -> float:
    """Mean absolute error in [0, 1], as the DPDD benchmark reports it.

    Raises:
        IncomparableError: shapes or dtypes differ.
    """
    check_comparable(restored, truth)
    return float(cv2.norm(restored, truth, cv2.NORM_L1)) / truth.size / peak(truth)


def mean_squared_error(restored: Array, truth: Array) -> float:
    """Mean squared error in squared grey levels of the dtype."""
    return float(cv2.norm(restored, truth, cv2.NORM_L2SQR)) / truth.size


def peak(image: Array) -> float:
    """The value of white: 255 for uint8, 65535 for uint16, 1 for floats."""
    return float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 1.0


def check_comparable(restored: Array, truth: Array, smallest: int = 1) -> None:
    """Raise `IncomparableError` unless shapes and dtypes agree and no side is below `smallest`."""
    if restored.shape != truth.shape or restored.dtype != truth.dtype:
        raise IncomparableError(
            f"cannot compare a {_describe(restored)} image with a {_describe(truth)} one",
            remedy="give both the same size and depth",
        )
    if min(truth.shape[:2]) < smallest:
        raise IncomparableError(
            f"a {_describe(truth)} image is too small: {smallest} pixels a side are needed"
        )


def check_colour(image: Array) -> None:
    """Raise `IncomparableError` unless an image is (H, W, 3)."""
    if image.ndim != 3 or image.shape[2] != 3:
        raise IncomparableError(f"a {_describe(image)} image is not red, green and blue")


def _describe(image: Array) -> str:
    return f"{'x'.join(map(str, image.shape))} {image.dtype}"
