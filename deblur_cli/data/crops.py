"""Random crops and the joint augmentation of a pair."""

from __future__ import annotations

import cv2
import numpy as np

from deblur_cli.data.camera import Picture

PicturePair = tuple[Picture, Picture]
"""Blurred picture and truth, of one shape."""

FLAT = 6.0
"""Standard deviation of the Laplacian of the grey picture below which a crop holds no detail."""

PERMUTED_SHARE = 0.15
"""Share of patches whose colour channels change places."""


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


def augment(rng: np.random.Generator, pair: PicturePair) -> PicturePair:
    """Both pictures turned or mirrored alike (one of 8 ways), sometimes with permuted channels."""
    turns, mirrored = int(rng.integers(4)), rng.random() < 0.5
    channels = rng.permutation(3) if rng.random() < PERMUTED_SHARE else None

    def transformed(picture: Picture) -> Picture:
        turned = np.rot90(picture, turns)
        if mirrored:
            turned = turned[:, ::-1]
        return turned if channels is None else turned[..., channels]

    return transformed(pair[0]), transformed(pair[1])


def is_flat(picture: Picture) -> bool:
    """Whether a picture holds no detail to learn from, such as clear sky."""
    laplacian = cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_16S)
    return bool(cv2.meanStdDev(laplacian)[1][0, 0] < FLAT)


def squared_error(pair: PicturePair) -> float:
    """Mean squared difference of two pictures, in grey levels squared."""
    blurred, sharp = pair
    return float(cv2.norm(blurred, sharp, cv2.NORM_L2SQR)) / blurred.size
