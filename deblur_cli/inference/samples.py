"""Sample values of pictures as the unit range [0,1] and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from deblur_cli.errors import RestoreError

Image = npt.NDArray[Any]
"""HWC, RGB, uint8, uint16 or float32 in [0,1]."""

FULL_SCALE = {torch.uint8: 255, torch.uint16: 65535, torch.float32: 1}


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
    if image.dtype not in map(numpy_dtype, FULL_SCALE):
        raise RestoreError(
            f"samples are uint8, uint16 or float32, not {image.dtype}",
            remedy="convert the array",
        )


def numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    """The dtype of the same name."""
    return np.dtype(str(dtype).removeprefix("torch."))


def torch_dtype(dtype: np.dtype[Any]) -> torch.dtype:
    """The sample dtype of the same name."""
    found: torch.dtype = getattr(torch, dtype.name)
    return found


def to_unit(samples: Tensor) -> Tensor:
    """Samples `(B,H,W,3)` as channels_last `(B,3,H,W)` float32, full scale at 1."""
    values = samples.permute(0, 3, 1, 2)
    full_scale = FULL_SCALE[samples.dtype]
    return values if full_scale == 1 else values.to(torch.float32).div_(full_scale)


def from_unit(values: Tensor, dtype: torch.dtype) -> Tensor:
    """float32 values clipped to [0,1] and, for integer dtypes, rounded to the nearest sample."""
    clipped = values.clamp(0, 1)
    full_scale = FULL_SCALE[dtype]
    return clipped if full_scale == 1 else clipped.mul_(full_scale).round_().to(dtype)
