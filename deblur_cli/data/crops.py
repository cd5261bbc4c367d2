"""Random crops and the joint augmentation of a pair."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from deblur_cli.data.camera import Picture

PicturePair = tuple[Picture, Picture]
"""Blurred picture and truth, of one shape."""

Augment = Callable[[np.random.Generator, PicturePair], PicturePair]
"""Changes both pictures of a pair alike; may return views."""

Cut = Callable[[np.random.Generator, PicturePair, int], PicturePair]
"""Makes squares of a side in pixels from a pair, such as ``random_crop``."""

FLAT = 6.0
"""Standard deviation of the Laplacian of the grey picture below which a crop holds no detail."""

PERMUTED_SHARE = 0.15
"""Share of patches whose colour channels change places."""

SATURATED_SHARE = 1 / 3
"""Share of patches whose saturation changes."""

SATURATION = (0.8, 1.2)
"""Range of the factor on their distance from grey."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the grey that a colour is compared with (BT.601)."""


def random_crop(rng: np.random.Generator, pair: PicturePair, size: int) -> PicturePair:
    """The same random square of ``size`` pixels from both pictures, as views.

    Raises:
        ValueError: the pictures are smaller than the crop.
    """
    height, width = pair[0].shape[:2]
    if min(height, width) < size:
        raise ValueError(f"cannot crop {size}x{size} from {width}x{height}")
    top, left = int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))
    blurred, sharp = (picture[top : top + size, left : left + size] for picture in pair)
    return blurred, sharp


def whole(rng: np.random.Generator, pair: PicturePair, size: int) -> PicturePair:
    """Both pictures shrunk or stretched to squares of ``size`` pixels; nothing is drawn."""
    blurred, sharp = (
        np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA))
        for picture in pair
    )
    return blurred, sharp


def unchanged(rng: np.random.Generator, pair: PicturePair) -> PicturePair:
    """The pair as it is; nothing is drawn."""
    return pair


def flips(rng: np.random.Generator, pair: PicturePair) -> PicturePair:
    """Both pictures mirrored alike, left to right and top to bottom with probability 1/2 each."""
    down, across = (-1 if rng.random() < 0.5 else 1 for _ in range(2))
    blurred, sharp = (picture[::down, ::across] for picture in pair)
    return blurred, sharp


def flips_and_rotations(rng: np.random.Generator, pair: PicturePair) -> PicturePair:
    """Both pictures turned and mirrored alike, one of 8 ways with equal probability."""
    turns, mirror = int(rng.integers(4)), -1 if rng.random() < 0.5 else 1
    blurred, sharp = (np.rot90(picture, turns)[:, ::mirror] for picture in pair)
    return blurred, sharp


def augment(rng: np.random.Generator, pair: PicturePair) -> PicturePair:
    """Both pictures turned and mirrored alike, sometimes with permuted channels."""
    blurred, sharp = flips_and_rotations(rng, pair)
    if rng.random() >= PERMUTED_SHARE:
        return blurred, sharp
    channels = rng.permutation(3)
    return blurred[..., channels], sharp[..., channels]


def flips_rotations_and_saturation(rng: np.random.Generator, pair: PicturePair) -> PicturePair:
    """Both pictures turned and mirrored alike, sometimes more or less colourful (MPRNet)."""
    pair = flips_and_rotations(rng, pair)
    if rng.random() >= SATURATED_SHARE:
        return pair
    factor = rng.uniform(*SATURATION)
    blurred, sharp = (saturated(picture, factor) for picture in pair)
    return blurred, sharp


def saturated(picture: Picture, factor: float) -> Picture:
    """The picture with every colour's distance from its grey times ``factor``, clipped."""
    grey = picture @ np.array(LUMA, np.float32)
    colours = grey[..., None] + np.float32(factor) * (picture - grey[..., None])
    return np.asarray(np.rint(np.clip(colours, 0, 255)), dtype=np.uint8)


def is_flat(picture: Picture) -> bool:
    """Whether a picture holds no detail to learn from, such as clear sky."""
    laplacian = cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_16S)
    return bool(cv2.meanStdDev(laplacian)[1][0, 0] < FLAT)


def squared_error(pair: PicturePair) -> float:
    """Mean squared difference of two pictures, in grey levels squared."""
    blurred, sharp = pair
    return float(cv2.norm(blurred, sharp, cv2.NORM_L2SQR)) / blurred.size
