"""Where training pairs come from: blur synthesised on sharp photos, or real pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from deblur_cli.data.camera import Picture
from deblur_cli.data.crops import PicturePair, is_flat, random_crop, squared_error
from deblur_cli.errors import UsageError

Blur = Callable[[np.random.Generator, Picture], PicturePair]
"""What blurs one sharp picture, such as ``MotionBlur`` or ``DefocusBlur``."""

ATTEMPTS = 4
"""How often a crop without detail, or a pair without blur, is drawn again."""

NEARLY_EQUAL = 6.0
"""Mean squared difference (grey levels squared) below which a pair hardly differs."""

NEARLY_EQUAL_KEPT = 0.05
"""Share of such pairs that are kept: they teach the network to leave sharp photos alone."""


class SyntheticPairs:
    """Draws square pairs by blurring random crops of sharp photos, often reduced in size."""

    def __init__(
        self,
        photos: Sequence[Picture],
        blur: Blur,
        size: int = 256,
        *,
        margin: int = 24,
        reduced_share: float = 0.7,
        smallest_scale: float = 0.5,
        least_difference: float = NEARLY_EQUAL,
    ) -> None:
        """Take photos and a blur.

        Args:
            photos: ``(H, W, 3)`` RGB uint8, any sizes; small ones are continued by mirroring.
            blur: applied to each crop.
            size: side of the pairs, in pixels.
            margin: pixels blurred beyond each side and cut off, so that light comes in from there.
            reduced_share: share of crops taken larger and reduced by area averaging.
            smallest_scale: of a reduced crop.
            least_difference: mean squared difference (grey levels squared) that a pair must have,
                but for a few; 0 for sources of unblurred photos.
        """
        self.photos = photos
        self.blur = blur
        self.size = size
        self.margin = margin
        self.reduced_share = reduced_share
        self.smallest_scale = smallest_scale
        self.least_difference = least_difference

    def __call__(self, rng: np.random.Generator) -> PicturePair:
        """One pair, both ``(size, size, 3)`` RGB uint8."""
        inner = slice(self.margin, self.margin + self.size)
        pair = self.blur(rng, self._detailed_crop(rng))
        for _ in range(ATTEMPTS - 1):
            blurred_enough = squared_error(pair) >= self.least_difference
            if blurred_enough or rng.random() < NEARLY_EQUAL_KEPT:
                break
            pair = self.blur(rng, self._detailed_crop(rng))
        blurred, sharp = (np.ascontiguousarray(picture[inner, inner]) for picture in pair)
        return blurred, sharp

    def _detailed_crop(self, rng: np.random.Generator) -> Picture:
        crop = self._crop(rng)
        for _ in range(ATTEMPTS - 1):
            if not is_flat(crop):
                break
            crop = self._crop(rng)
        return crop

    def _crop(self, rng: np.random.Generator) -> Picture:
        side = self.size + 2 * self.margin
        photo = grown(self.photos[int(rng.integers(len(self.photos)))], side)
        reduced = rng.random() < self.reduced_share
        scale = rng.uniform(self.smallest_scale, 1.0) if reduced else 1.0
        wanted = min(round(side / scale), *photo.shape[:2])
        crop, _ = random_crop(rng, (photo, photo), wanted)
        if wanted == side:
            return crop
        return np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA))


class RealPairs:
    """Draws square crops from pairs that were photographed or averaged from video."""

    def __init__(self, pairs: Sequence[PicturePair], size: int = 256) -> None:
        """Take pairs of ``(H, W, 3)`` RGB uint8 pictures.

        Raises:
            UsageError: a pair is smaller than ``size`` pixels.
        """
        for sharp in (sharp for _, sharp in pairs if min(sharp.shape[:2]) < size):
            raise UsageError(
                f"a pair of {sharp.shape[1]}x{sharp.shape[0]} pixels is too small",
                remedy=f"train on pairs of at least {size}x{size}",
            )
        self.pairs = pairs
        self.size = size

    def __call__(self, rng: np.random.Generator) -> PicturePair:
        """One pair, both ``(size, size, 3)`` RGB uint8 views."""
        for _ in range(ATTEMPTS):
            pair = random_crop(rng, self.pairs[int(rng.integers(len(self.pairs)))], self.size)
            blurred = squared_error(pair) >= NEARLY_EQUAL or rng.random() < NEARLY_EQUAL_KEPT
            if blurred and not is_flat(pair[1]):
                break
        return pair


def grown(photo: Picture, side: int) -> Picture:
    """The photo, continued by mirroring at its right and bottom to at least ``side`` pixels."""
    down, right = (max(0, side - length) for length in photo.shape[:2])
    if not (down or right):
        return photo
    return np.asarray(cv2.copyMakeBorder(photo, 0, down, 0, right, cv2.BORDER_REFLECT_101))
