"""Structural similarity (Wang et al. 2004), K 0.01 and 0.03, by the three conventions of the field.

They differ in the window. `ssim` filters each channel on its own with a Gaussian (11 taps, sigma
1.5) and judges only pixels whose window lies inside the image, as scikit-image does when asked for
it; `ssim_matlab3d` lets the same window reach over rows, columns and channels, repeating border
pixels, as MATLAB does with a colour array; `ssim_uniform` is scikit-image's default, 7x7 pixels of
equal weight.

They work in float32: within 1e-6 of float64 where the pictures resemble each other, as restored
ones and their truths do; where they do not, the fifth decimal may differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from deblur_cli.errors import IncomparableError
from deblur_cli.metrics.error import Array, check_comparable, peak

_K1, _K2 = 0.01, 0.03
_TAPS, _SIGMA = 11, 1.5
_SIDE = 7
_TILE = (120, 160)
"""Rows and columns worked on at a time: what is made of them stays in a core's cache."""

_Plane: TypeAlias = npt.NDArray[np.float32]


class _Window(NamedTuple):
    radius: int
    smooth: Callable[[_Plane], _Plane]
    bias: float = 1.0
    """What variances and covariances are multiplied with: N / (N - 1) for those of a sample."""


class _Moments(NamedTuple):
    """Of a tile of two images under a window, both less `grey`."""

    top: int
    left: int
    x: _Plane
    y: _Plane
    squares: _Plane
    """x^2 + y^2, smoothed."""
    difference: _Plane
    """(x - y)^2, smoothed."""
    grey: np.float32


def _gaussian(plane: _Plane) -> _Plane:
    smoothed: _Plane = cv2.GaussianBlur(plane, (_TAPS, _TAPS), _SIGMA)
    return smoothed


def _box(plane: _Plane) -> _Plane:
    smoothed: _Plane = cv2.blur(plane, (_SIDE, _SIDE))
    return smoothed


_GAUSSIAN = _Window(_TAPS // 2, _gaussian)
_UNIFORM = _Window(_SIDE // 2, _box, _SIDE**2 / (_SIDE**2 - 1))


def ssim(restored: Array, truth: Array) -> float:
    """2-D SSIM, mean over channels; 1 for identical images.

    Equals scikit-image's with `gaussian_weights=True, use_sample_covariance=False`.

    Raises:
        IncomparableError: shapes or dtypes differ, or a side is shorter than the window.
    """
    return _mean_inside(restored, truth, _GAUSSIAN)


def ssim_uniform(restored: Array, truth: Array) -> float:
    """2-D SSIM under 7x7 equal weights, mean over channels: the figure in papers on DPDD.

    Equals scikit-image's without options but `data_range`.

    Raises:
        IncomparableError: shapes or dtypes differ, or a side is shorter than the window.
    """
    return _mean_inside(restored, truth, _UNIFORM)


def ssim_matlab3d(restored: Array, truth: Array) -> float:
    """3-D SSIM of two (H, W, C) volumes: the figure in papers on GoPro and HIDE.

    Raises:
        IncomparableError: shapes or dtypes differ, or the images have no channels.
    """
    _check_channels(restored, truth)
    mixing = _channel_weights(truth.shape[2])
    tiles = _tiles(restored, truth, _GAUSSIAN)
    return sum(_total(_similarity(_mixed(tile, mixing), _GAUSSIAN)) for tile in tiles) / truth.size


def ssim_both(restored: Array, truth: Array) -> tuple[float, float]:
    """`ssim` and `ssim_matlab3d` in little more than the time of one: they share the smoothing.

    Raises:
        IncomparableError: as either.
    """
    check_comparable(restored, truth, smallest=_TAPS)
    _check_channels(restored, truth)
    mixing = _channel_weights(truth.shape[2])
    inside, volume = 0.0, 0.0
    for tile in _tiles(restored, truth, _GAUSSIAN):
        inside += _total(_inside(_similarity(tile, _GAUSSIAN), tile, truth, _GAUSSIAN.radius))
        volume += _total(_similarity(_mixed(tile, mixing), _GAUSSIAN))
    return inside / _size_inside(truth, _GAUSSIAN.radius), volume / truth.size


def similarity_map(restored: Array, truth: Array) -> _Plane:
    """What `ssim` is the mean of, before the border is left out: (H, W) or (H, W, C).

    Raises:
        IncomparableError: shapes or dtypes differ.
    """
    check_comparable(restored, truth)
    similarity = np.empty(truth.shape, np.float32)
    for tile in _tiles(restored, truth, _GAUSSIAN):
        part = _similarity(tile, _GAUSSIAN)
        rows, columns = part.shape[:2]
        similarity[tile.top : tile.top + rows, tile.left : tile.left + columns] = part
    return similarity


def _mean_inside(restored: Array, truth: Array, window: _Window) -> float:
    check_comparable(restored, truth, smallest=2 * window.radius + 1)
    total = sum(
        _total(_inside(_similarity(tile, window), tile, truth, window.radius))
        for tile in _tiles(restored, truth, window)
    )
    return total / _size_inside(truth, window.radius)


def _inside(similarity: _Plane, tile: _Moments, image: Array, radius: int) -> _Plane:
    """The pixels of a tile whose window lies inside the image."""
    rows, columns = (
        slice(max(radius - start, 0), max(length - radius - start, 0))
        for start, length in zip((tile.top, tile.left), image.shape[:2], strict=True)
    )
    return similarity[rows, columns]


def _size_inside(image: Array, radius: int) -> int:
    return image[radius:-radius, radius:-radius].size


def _total(plane: _Plane) -> float:
    return float(plane.sum(dtype=np.float64))


def _tiles(restored: Array, truth: Array, window: _Window) -> Iterator[_Moments]:
    """Moments of the images, tile by tile, border pixels repeated.

    The mean grey of each tile is taken off first: variances, which it does not change, then keep
    more of float32's digits.
    """
    radius, scale = window.radius, np.float32(1 / peak(truth))
    bordered = [_bordered(image, radius) for image in (restored, truth)]
    inner = slice(radius, -radius)
    for top, left in product(*map(range, (0, 0), truth.shape[:2], _TILE)):
        rows, columns = (
            slice(start, start + side + 2 * radius)
            for start, side in zip((top, left), _TILE, strict=True)
        )
        x, y = (np.multiply(image[rows, columns], scale, dtype=np.float32) for image in bordered)
        grey = y.mean()
        x -= grey
        y -= grey
        planes = (x, y, x * x + y * y, np.square(x - y))
        x, y, squares, difference = (window.smooth(plane)[inner, inner] for plane in planes)
        yield _Moments(top, left, x, y, squares, difference, grey)


def _bordered(image: Array, radius: int) -> Array:
    bordered: Array = cv2.copyMakeBorder(
        image, radius, radius, radius, radius, cv2.BORDER_REPLICATE
    )
    return bordered


def _similarity(moments: _Moments, window: _Window) -> _Plane:
    """Luminance times structure, each as 1 less what differs: alike images lose no digits."""
    x, y = moments.x, moments.y
    apart = np.square(x - y)
    spread = window.bias * (moments.squares - (x * x + y * y)) + _K2**2
    structure = 1 - window.bias * (moments.difference - apart) / spread
    x, y = x + moments.grey, y + moments.grey
    similarity: _Plane = structure * (1 - apart / (x * x + y * y + _K1**2))
    return similarity


def _mixed(moments: _Moments, mixing: npt.NDArray[np.float64]) -> _Moments:
    """Smoothed over channels too."""
    names = ("x", "y", "squares", "difference")
    return moments._replace(
        **{name: cv2.transform(getattr(moments, name), mixing) for name in names}
    )


def _check_channels(restored: Array, truth: Array) -> None:
    check_comparable(restored, truth)
    if truth.ndim != 3:
        raise IncomparableError("3-D SSIM needs (height, width, channels)")


def _channel_weights(channels: int) -> npt.NDArray[np.float64]:
    """(C, C): weight of each channel in each smoothed one, border channels repeated."""
    kernel = cv2.getGaussianKernel(_TAPS, _SIGMA).ravel()
    weights = np.zeros((channels, channels))
    for channel in range(channels):
        sources = np.clip(
            channel + np.arange(-_GAUSSIAN.radius, _GAUSSIAN.radius + 1), 0, channels - 1
        )
        np.add.at(weights[channel], sources, kernel)
    return weights
