"""Inks to sRGB, through the profile that the file embeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from deblur_cli.imaging.photo import Image

_PERCEPTUAL = 0


def cmyk_to_srgb(inks: npt.NDArray[Any], icc: bytes | None) -> tuple[Image, str]:
    """Turn ink coverage into sRGB samples of the same dtype, and say how.

    Args:
        inks: (H, W, 4) cyan, magenta, yellow and black, uint8 or uint16; the dtype's greatest
            value is full coverage.
        icc: the CMYK profile; without one, or with a damaged one, each ink takes away its colour
            in proportion.

    Returns:
        (H, W, 3) RGB, and a note for the user.
    """
    if icc:
        converted = _through_profile(inks, icc)
        if converted is not None:
            return converted, "its CMYK colours become sRGB, through its profile"
    full = int(np.iinfo(inks.dtype).max)
    paper = (full - inks).astype(np.uint32)
    rgb = (paper[..., :3] * paper[..., 3:] + full // 2) // full
    return rgb.astype(inks.dtype), "its CMYK colours, without a usable profile, become sRGB roughly"


def _through_profile(inks: npt.NDArray[Any], icc: bytes) -> Image | None:
    from imagecodecs import CmsError, cms_profile, cms_transform

    try:
        return np.asarray(
            cms_transform(
                np.ascontiguousarray(inks),
                icc,
                cms_profile("srgb"),
                colorspace="cmyk",
                outcolorspace="rgb",
                intent=_PERCEPTUAL,
            )
        )
    except CmsError:
        return None
