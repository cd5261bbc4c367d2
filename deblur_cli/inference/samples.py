"""Sample values of pictures as the unit range [0,1] and back, in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from deblur_cli.errors import RestoreError

Image = npt.NDArray[Any]
"""HWC, RGB, uint8, uint16 or float32 in [0,1]."""

FULL_SCALE = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535, np.dtype(np.float32): 1}


def check_image(image: Image) -> None:
    """Refuse what is not an HWC picture of three channels in a supported dtype.

    Raises:
        RestoreError: names the shape or dtype found.
    """
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise RestoreError(
            f"a picture has the shape (height, width, 3), this one has {image.shape}",
            remedy="convert it to RGB",
        )
    if image.dtype not in FULL_SCALE:
        raise RestoreError(
            f"samples are uint8, uint16 or float32, not {image.dtype}",
            remedy="convert the array",
        )


def to_unit(image: Image) -> npt.NDArray[np.float32]:
    """Samples of any supported dtype as float32 in C order, full scale at 1."""
    return image.astype(np.float32, order="C") / np.float32(FULL_SCALE[image.dtype])


def from_unit(values: npt.NDArray[np.float32], dtype: npt.DTypeLike) -> Image:
    """float32 values clipped to [0,1] and, for integer dtypes, rounded to the nearest sample."""
    clipped = np.clip(values, 0, 1)
    kind = np.dtype(dtype)
    if kind == np.float32:
        return clipped
    clipped *= FULL_SCALE[kind]
    return np.rint(clipped, out=clipped).astype(kind)
