"""Peak signal-to-noise ratio, plain and with what a blur leaves undetermined taken out."""

from __future__ import annotations

import math

import cv2
import numpy as np

from deblur_cli.metrics.error import Array, check_comparable, mean_squared_error, peak


def psnr(restored: Array, truth: Array) -> float:
    """PSNR in dB over all pixels and channels; infinite for identical images.

    Papers on GoPro and HIDE report the mean of this over images rounded to uint8.

    Raises:
        IncomparableError: shapes or dtypes differ.
    """
    check_comparable(restored, truth)
    return _decibels(mean_squared_error(restored, truth), peak(truth))


def psnr_best_shift(restored: Array, truth: Array, radius: int = 6) -> float:
    """Highest PSNR in dB over all integer shifts of the restored image up to `radius` pixels.

    A uniform blur kernel leaves the position of the sharp image undetermined. Every shift is judged
    on the same pixels: the truth without a border of `radius`.

    Raises:
        IncomparableError: shapes or dtypes differ, or nothing is left inside the border.
    """
    check_comparable(restored, truth, smallest=2 * radius + 1)
    height, width = truth.shape[0] - 2 * radius, truth.shape[1] - 2 * radius
    inner = truth[radius : radius + height, radius : radius + width]
    errors = (
        mean_squared_error(restored[y : y + height, x : x + width], inner)
        for y in range(2 * radius + 1)
        for x in range(2 * radius + 1)
    )
    return _decibels(min(errors), peak(truth))


def psnr_colour_fit(restored: Array, truth: Array) -> float:
    """PSNR in dB after the affine map per channel that brings the restored image nearest the truth.

    For pairs that differ in exposure, such as DPDD's. The mapped image is neither clipped nor
    rounded; the error left by a least-squares fit is var(t) - cov(r, t)^2 / var(r).

    Raises:
        IncomparableError: shapes or dtypes differ.
    """
    check_comparable(restored, truth)
    channels = zip(_channels(restored), _channels(truth), strict=True)
    return _decibels(float(np.mean([_fit_residual(r, t) for r, t in channels])), peak(truth))


def _channels(image: Array) -> list[Array]:
    return [np.ascontiguousarray(c) for c in np.moveaxis(np.atleast_3d(image), 2, 0)]


def _fit_residual(restored: Array, truth: Array) -> float:
    r, t = (channel.astype(np.float64) - channel.mean() for channel in (restored, truth))
    spread = cv2.norm(r, cv2.NORM_L2SQR)
    gain = float(np.vdot(r, t)) / spread if spread > 0 else 0.0
    return float(np.mean(np.square(t - gain * r)))


def _decibels(squared_error: float, white: float) -> float:
    return math.inf if squared_error == 0 else 10 * math.log10(white**2 / squared_error)
