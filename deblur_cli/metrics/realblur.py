"""The protocol of RealBlur-J and -R (Rim et al. 2020): align first, judge what both pictures show.

The camera that took the truth is not exactly where the other was, and exposures differ. So the
restored picture is scaled to the truth, warped onto it by the homography that maximises the
enhanced correlation coefficient (ECC; Evangelidis and Psarakis 2008), and compared where the warp
has left something to compare.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from deblur_cli.metrics.error import Array, check_colour, check_comparable, peak
from deblur_cli.metrics.ssim import similarity_map

Floats: TypeAlias = npt.NDArray[np.float32]

_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 0)
_GAUSSIAN_TAPS = 5
_BORDER = 5
"""Pixels cropped from the map of the similarity: the radius of its window."""


class Aligned(NamedTuple):
    """A restored picture laid over the truth."""

    picture: Floats
    """(H, W, 3) in units of white: scaled, warped, 0 outside the mask."""

    mask: npt.NDArray[np.bool_]
    """(H, W): where the warped picture shows something."""

    converged: bool
    """Whether ECC found a homography; if not, the picture is scaled and not warped."""


def align(restored: Array, truth: Array) -> Aligned:
    """Scale and warp a restored picture onto the truth, both (H, W, 3) RGB.

    The scale is the least-squares one. ECC runs 100 iterations on grey pictures, smoothed by 5
    taps. Its figures change with OpenCV's version: state `cv2.__version__` beside them.

    Raises:
        IncomparableError: shapes or dtypes differ, a side is below 11 pixels, or it is not RGB.
    """
    check_comparable(restored, truth, smallest=2 * _BORDER + 1)
    check_colour(truth)
    target, picture = _floats(truth), _floats(restored)
    energy = np.sum(picture * picture, dtype=np.float64)
    if energy > 0:
        picture *= np.float32(np.sum(target * picture, dtype=np.float64) / energy)
    size = truth.shape[1::-1]
    homography = _homography(picture, target)
    if homography is None:
        return Aligned(picture, np.ones(truth.shape[:2], np.bool_), converged=False)
    inverse = cv2.WARP_INVERSE_MAP
    shown = cv2.warpPerspective(
        np.ones(truth.shape[:2], np.uint8), homography, size, flags=cv2.INTER_NEAREST | inverse
    )
    warped = cv2.warpPerspective(
        picture,
        homography,
        size,
        flags=cv2.INTER_CUBIC | inverse,
        borderMode=cv2.BORDER_REFLECT,
    )
    return Aligned(warped * shown[..., None], shown.astype(np.bool_), converged=True)


def realblur_psnr(aligned: Aligned, truth: Array) -> float:
    """PSNR in dB over the pixels of the mask; infinite where nothing differs.

    Args:
        aligned: what `align` gave for this truth.
        truth: (H, W, 3).
    """
    difference = aligned.picture - _masked(truth, aligned)
    error = float(np.square(difference, dtype=np.float64).sum())
    shown = 3 * int(aligned.mask.sum())
    return math.inf if error == 0 else 10 * math.log10(shown / error)


def realblur_ssim(aligned: Aligned, truth: Array) -> float:
    """2-D SSIM (as `ssim`), mean over the pixels of the mask that are no border.

    Args:
        aligned: what `align` gave for this truth.
        truth: (H, W, 3).
    """
    similarity = similarity_map(aligned.picture, _masked(truth, aligned))
    inner = slice(_BORDER, -_BORDER)
    shown = aligned.mask[inner, inner]
    return float(similarity[inner, inner][shown].mean(dtype=np.float64))


def _homography(picture: Floats, truth: Floats) -> npt.NDArray[np.float32] | None:
    """(3, 3) from a place in the truth to that in the picture; None if ECC does not converge."""
    try:
        _, homography = cv2.findTransformECC(
            cv2.cvtColor(truth, cv2.COLOR_RGB2GRAY),
            cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY),
            np.eye(3, dtype=np.float32),
            cv2.MOTION_HOMOGRAPHY,
            _CRITERIA,
            None,
            _GAUSSIAN_TAPS,
        )
    except cv2.error as error:
        if error.code != cv2.Error.StsNoConv:
            raise
        return None
    found: npt.NDArray[np.float32] = homography
    return found


def _masked(truth: Array, aligned: Aligned) -> Floats:
    return _floats(truth) * aligned.mask[..., None]


def _floats(image: Array) -> Floats:
    return image.astype(np.float32) / np.float32(peak(image))
