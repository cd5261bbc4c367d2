"""Samples of any depth spread over the whole range of their dtype, and back without a loss."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from deblur_cli.imaging.photo import Image

Samples: TypeAlias = npt.NDArray[Any]


def full_scale(dtype: np.dtype[Any]) -> int:
    """The sample that means white: 1 for floats, the greatest of integers."""
    return 1 if dtype.kind == "f" else int(np.iinfo(dtype).max)


def spread(samples: Samples, maximum: int) -> Image:
    """Integers of 0 to `maximum` as uint8 (up to 255) or uint16 that use the whole range.

    `gathered` gives exactly the same integers back.
    """
    dtype = np.dtype(np.uint8) if maximum <= 255 else np.dtype(np.uint16)
    full = full_scale(dtype)
    if maximum == full:
        return np.asarray(samples.astype(dtype, copy=False))
    codes = np.arange(maximum + 1, dtype=np.uint64)
    table = ((codes * full + maximum // 2) // maximum).astype(dtype)
    return np.asarray(table[np.minimum(samples, maximum)])


def gathered(samples: Samples, maximum: int) -> Samples:
    """Samples that use the whole range of uint8 or uint16, as integers of 0 to `maximum`."""
    full = full_scale(samples.dtype)
    if maximum == full:
        return samples
    codes = np.arange(full + 1, dtype=np.uint64)
    table = ((codes * maximum + full // 2) // full).astype(samples.dtype)
    return np.asarray(table[samples])


def packed(samples: Samples) -> Samples:
    """(H, W, C) samples as a new array; (H, W) if C is 1. Encoders insist on usual strides."""
    return np.array(samples[:, :, 0] if samples.shape[2] == 1 else samples, order="C")


def require(samples: Samples, *dtypes: type[np.generic]) -> None:
    """Refuse samples a format cannot hold.

    Raises:
        ValueError: the dtype is none of these.
    """
    if samples.dtype not in dtypes:
        names = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise ValueError(f"pixels are {samples.dtype}, not {names}")
