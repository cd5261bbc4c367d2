"""Training crops from pairs that stay on disk, with as many kept decoded as memory allows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deblur_cli.data.crops import Augment, Cut, PicturePair, random_crop, unchanged
from deblur_cli.data.pairs import Pair
from deblur_cli.data.pool import RollingPool
from deblur_cli.data.skipping import SkippingReader, in_words
from deblur_cli.errors import DeblurError, UsageError

REUSE = 8.0
"""How often a decoded crop is drawn, on average, before another takes its place."""


class DiskPairs:
    """Draws square crops from pairs on disk, decoding one pair for each.

    Pairs that are damaged, of two sizes or too small are skipped; `faults` names them. What is
    drawn depends on the generator and the files alone.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        patch: int,
        side: int,
        augment: Augment = unchanged,
        cut: Cut = random_crop,
    ) -> None:
        """Take the pairs without reading them.

        Args:
            pairs: with truth.
            patch: side of the patches that the crops are for (px); smaller pictures are skipped.
            side: of the crops (px), at least ``patch``; less where a picture is smaller.
            augment: applied to each crop.
            cut: how a crop is made of a pair.

        Raises:
            UsageError: there is no pair, or one without truth.
        """
        if not pairs:
            raise UsageError("there is no pair to train on", remedy="name a set of pairs")
        if blind := [pair for pair in pairs if pair.sharp is None]:
            raise UsageError(
                "has no truth to train on", path=blind[0].blurred, remedy="name a set of pairs"
            )
        self.pairs = pairs
        self.side = max(side, patch)
        self.augment = augment
        self.cut = cut
        self._reader = SkippingReader(smallest=patch)

    @property
    def faults(self) -> dict[Pair, str]:
        """What is wrong with each pair skipped so far."""
        return self._reader.faults

    @property
    def crop_bytes(self) -> int:
        """Memory that one crop takes: two pictures of three bytes a pixel."""
        return 2 * 3 * self.side**2

    def __call__(self, rng: np.random.Generator) -> PicturePair:
        """One pair, both ``(side, side, 3)`` RGB uint8 or smaller squares.

        Raises:
            DeblurError: not one pair can be used.
        """
        while True:
            pictures = self._reader.read(self.pairs[int(rng.integers(len(self.pairs)))])
            if pictures is not None:
                return self._crop(rng, pictures)
            if len(self.faults) == len(self.pairs):
                raise DeblurError(in_words(self.faults, len(self.pairs)))

    def _crop(self, rng: np.random.Generator, pictures: PicturePair) -> PicturePair:
        side = min(self.side, *pictures[0].shape[:2])
        crop = self.augment(rng, self.cut(rng, pictures, side))
        blurred, sharp = (picture.copy() for picture in crop)  # a view would keep all of the pair
        return blurred, sharp


def kept_decoded(source: DiskPairs, seed: int, memory: int, reuse: float = REUSE) -> RollingPool:
    """The source behind a rolling pool of at most ``memory`` bytes of decoded crops.

    Each process that draws patches holds a pool of its own.

    Args:
        source: what decodes the crops.
        seed: of their sequence.
        memory: bound in bytes.
        reuse: draws that each crop serves, on average.

    Raises:
        UsageError: not one crop fits.
    """
    if memory < source.crop_bytes:
        raise UsageError(
            f"{memory:,} bytes hold no crop of {source.side}x{source.side} pixels",
            remedy=f"at least {source.crop_bytes:,} bytes, and better a thousand times that",
        )
    return RollingPool(source, seed, capacity=memory // source.crop_bytes, reuse=reuse)
