"""Colours that a file stores multiplied by their alpha, made straight and back."""

from __future__ import annotations

import numpy as np

from deblur_cli.imaging.depth import Samples, full_scale
from deblur_cli.imaging.photo import Image


def straightened(samples: Image) -> Image:
    """(H, W, C) samples, alpha last, whose colours are multiplied by alpha, as straight ones.

    Colours where alpha is 0 stay as they are. `multiplied` gives the same integers back wherever
    no colour exceeds its alpha, and the same floats but for rounding.
    """
    return _scaled(samples, full_scale(samples.dtype) / _divisor(samples))


def multiplied(samples: Image) -> Image:
    """Straight (H, W, C) samples, alpha last, with colours multiplied by alpha unless that is 0."""
    return _scaled(samples, _divisor(samples) / full_scale(samples.dtype))


def _divisor(samples: Samples) -> Samples:
    """Alpha, and full opacity where it is 0."""
    alpha = samples[:, :, -1:]
    return np.where(alpha == 0, np.array(full_scale(samples.dtype), samples.dtype), alpha)


def _scaled(samples: Samples, factor: Samples) -> Image:
    colours = samples[:, :, :-1] * factor
    if samples.dtype.kind != "f":
        colours = np.rint(colours).clip(0, full_scale(samples.dtype))
    return np.dstack([colours.astype(samples.dtype), samples[:, :, -1]])
