"""Features of natural scenes, of which NIQE makes its model (Mittal, Soundararajan, Bovik 2013).

Grey values, less their local mean and divided by their local deviation, follow a generalised
Gaussian in an undistorted photograph, and products of neighbours an asymmetric one. Their
parameters in each block of 96x96 pixels, at full and at half size, are its 36 features. Every
constant and rounding is that of the authors' MATLAB program.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from deblur_cli.errors import IncomparableError
from deblur_cli.metrics.error import Array, peak

Floats: TypeAlias = npt.NDArray[np.float64]

BLOCK = 96
_TAPS, _SIGMA = 7, 7 / 6
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
_LUMA = (0.2989, 0.5870, 0.1140)


class Blocks(NamedTuple):
    """What is known of each block of a picture."""

    features: Floats
    """(blocks, 36); not a number where a block is too flat."""

    sharpness: Floats
    """(blocks,): mean local deviation in grey levels of 255."""


def block_features(picture: Array) -> Blocks:
    """Features of the whole blocks of an (H, W) or (H, W, 3) RGB picture.

    Raises:
        IncomparableError: it has fewer than two of them.
    """
    rows, columns = (side // BLOCK for side in picture.shape[:2])
    if rows * columns < 2:
        raise IncomparableError(
            f"NIQE needs two blocks of {BLOCK}x{BLOCK} pixels, and the picture has"
            f" {picture.shape[1]}x{picture.shape[0]} pixels"
        )
    grey = _grey(picture)[: rows * BLOCK, : columns * BLOCK]
    normal, deviation = _normalised(grey)
    halved, _ = _normalised(_halved(grey))
    features = [_features(_split(normal, BLOCK)), _features(_split(halved, BLOCK // 2))]
    return Blocks(np.concatenate(features, axis=1), _split(deviation, BLOCK).mean(axis=(1, 2)))


def _grey(picture: Array) -> Floats:
    """(H, W) whole numbers in [0, 255], by the luma of BT.601."""
    levels = picture.astype(np.float64) * (255 / peak(picture))
    return np.round(levels if picture.ndim == 2 else levels @ np.array(_LUMA))


def _normalised(grey: Floats) -> tuple[Floats, Floats]:
    """Values less the local mean, divided by the local deviation plus 1; and the deviation."""
    mean = _smooth(grey)
    deviation = np.sqrt(np.abs(_smooth(grey * grey) - mean * mean))
    return (grey - mean) / (deviation + 1), deviation


def _smooth(grey: Floats) -> Floats:
    smoothed: Floats = cv2.GaussianBlur(
        grey, (_TAPS, _TAPS), _SIGMA, borderType=cv2.BORDER_REPLICATE
    )
    return smoothed


def _halved(grey: Floats) -> Floats:
    """Half the size, by the cubic kernel (a = -1/2) stretched twofold, border pixels mirrored."""
    distance = np.abs(np.arange(8) - 3.5) / 2
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    taps = np.where(distance <= 1, near, far)
    taps /= taps.sum()
    filtered = cv2.sepFilter2D(
        grey, cv2.CV_64F, taps, taps, anchor=(3, 3), borderType=cv2.BORDER_REFLECT
    )
    return np.ascontiguousarray(filtered[::2, ::2])


def _split(plane: Floats, side: int) -> Floats:
    """(blocks, side, side)."""
    rows, columns = (length // side for length in plane.shape)
    blocks = plane.reshape(rows, side, columns, side).swapaxes(1, 2)
    return blocks.reshape(-1, side, side)


def _features(blocks: Floats) -> Floats:
    """(blocks, 18): of the values, then of their products with each neighbour (cyclic)."""
    shape, left, right = _asymmetric_gaussian(blocks)
    features = [shape, (left + right) / 2]
    for neighbour in _NEIGHBOURS:
        products = blocks * np.roll(blocks, neighbour, axis=(1, 2))
        shape, left, right = _asymmetric_gaussian(products)
        mean = (right - left) * _gammas(2 / shape) / _gammas(1 / shape)
        features += [shape, mean, left, right]
    return np.stack(features, axis=1)


def _asymmetric_gaussian(blocks: Floats) -> tuple[Floats, Floats, Floats]:
    """Shape, left and right scale of each block's values, by matching moments (eqs. 3 to 5)."""
    values = blocks.reshape(len(blocks), -1)
    squares = values * values
    below, above = values < 0, values > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.sqrt((squares * below).sum(axis=1) / below.sum(axis=1))
        right = np.sqrt((squares * above).sum(axis=1) / above.sum(axis=1))
        ratio = left / right
        moments = np.abs(values).mean(axis=1) ** 2 / squares.mean(axis=1)
        target = moments * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, generalised = _table()
    middles = (generalised[1:] + generalised[:-1]) / 2
    shape = shapes[np.where(np.isnan(target), 0, np.searchsorted(middles, target))]
    scale = np.sqrt(_gammas(1 / shape) / _gammas(3 / shape))
    return shape, left * scale, right * scale


@functools.cache
def _table() -> tuple[Floats, Floats]:
    """Shapes from 0.2 to 10 and the ratio of moments that belongs to each, which rises."""
    shapes = np.arange(200, 10001) / 1000
    ratios = _gammas(2 / shapes) ** 2 / (_gammas(1 / shapes) * _gammas(3 / shapes))
    return shapes, ratios


def _gammas(values: Floats) -> Floats:
    return np.array([math.gamma(value) for value in values])
