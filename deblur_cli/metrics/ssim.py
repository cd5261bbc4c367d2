"""Structural similarity (Wang et al. 2004): Gaussian weights, 11 taps, sigma 1.5, K 0.01 and 0.03.

The two variants differ in the window: `ssim` filters each channel on its own and judges only pixels
whose window lies inside the image, as scikit-image does; `ssim_matlab3d` lets the window reach over
rows, columns and channels, repeating border pixels, as MATLAB does with a colour array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from deblur_cli.errors import IncomparableError
from deblur_cli.metrics.error import Array, check_comparable, peak

_TAPS, _SIGMA = 11, 1.5
_RADIUS = _TAPS // 2
_K1, _K2 = 0.01, 0.03

_Plane: TypeAlias = npt.NDArray[np.float32]


def ssim(restored: Array, truth: Array) -> float:
    """2-D SSIM, mean over channels; 1 for identical images.

    Equals scikit-image's with `gaussian_weights=True, use_sample_covariance=False`.

    Raises:
        IncomparableError: shapes or dtypes differ, or a side is shorter than the window.
    """
    check_comparable(restored, truth, smallest=_TAPS)
    inner = slice(_RADIUS, -_RADIUS)
    return float(_similarity(restored, truth, _smooth)[inner, inner].mean(dtype=np.float64))


def ssim_matlab3d(restored: Array, truth: Array) -> float:
    """3-D SSIM of two (H, W, C) volumes: the figure in papers on GoPro and HIDE.

    Raises:
        IncomparableError: shapes or dtypes differ, or the images have no channels.
    """
    check_comparable(restored, truth)
    if truth.ndim != 3:
        raise IncomparableError("3-D SSIM needs (height, width, channels)")
    mixing = _channel_weights(truth.shape[2])
    similarity = _similarity(restored, truth, lambda x: cv2.transform(_smooth(x), mixing))
    return float(similarity.mean(dtype=np.float64))


def _similarity(restored: Array, truth: Array, smooth: Callable[[_Plane], _Plane]) -> _Plane:
    """Map of the similarity, (H, W) or (H, W, C).

    The mean grey is taken off first: variances, which it does not change, then keep more of
    float32's digits.
    """
    white = np.float32(peak(truth))
    grey = np.float32(truth.mean(dtype=np.float64)) / white
    x, y = (image.astype(np.float32) / white - grey for image in (restored, truth))
    mean_x, mean_y = smooth(x), smooth(y)
    covariance = smooth(x * y) - mean_x * mean_y
    variances = smooth(x * x + y * y) - (mean_x * mean_x + mean_y * mean_y)
    mean_x, mean_y = mean_x + grey, mean_y + grey
    luminance = (2 * mean_x * mean_y + _K1**2) / (mean_x * mean_x + mean_y * mean_y + _K1**2)
    return luminance * (2 * covariance + _K2**2) / (variances + _K2**2)


def _smooth(image: _Plane) -> _Plane:
    smoothed: _Plane = cv2.GaussianBlur(
        image, (_TAPS, _TAPS), _SIGMA, borderType=cv2.BORDER_REPLICATE
    )
    return smoothed


def _channel_weights(channels: int) -> npt.NDArray[np.float64]:
    """(C, C): weight of each channel in each smoothed one, border channels repeated."""
    kernel = cv2.getGaussianKernel(_TAPS, _SIGMA).ravel()
    weights = np.zeros((channels, channels))
    for channel in range(channels):
        sources = np.clip(channel + np.arange(-_RADIUS, _RADIUS + 1), 0, channels - 1)
        np.add.at(weights[channel], sources, kernel)
    return weights
