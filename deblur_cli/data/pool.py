"""A rolling pool of synthesised pairs, so that each costly pair serves several draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deblur_cli.data.crops import PicturePair

Source = Callable[[np.random.Generator], PicturePair]
"""Anything that draws a pair."""


class RollingPool:
    """A window that rolls along an endless sequence of pairs; draws fall anywhere inside it.

    Pair number i of the sequence depends on the seed and i alone and is made when first drawn.
    So the pool needs no filling before the first draw, and is restored by its ``draws`` alone.
    A pool of 256 pairs of 256x256 pixels holds 100 MB.
    """

    def __init__(
        self,
        source: Source,
        seed: int,
        *,
        capacity: int = 256,
        reuse: float = 5.0,
        first: int = 16,
    ) -> None:
        """Take what makes the pairs.

        Args:
            source: called with a generator of its own for each pair.
            seed: of the sequence.
            capacity: pairs in the window once it is fully grown.
            reuse: draws after which the window moves on by one pair, hence the mean number of
                times a pair is drawn.
            first: pairs in the window at the first draw.
        """
        self.source = source
        self.seed = seed
        self.capacity = capacity
        self.reuse = reuse
        self.first = min(first, capacity)
        self.draws = 0
        self._slots: dict[int, tuple[int, PicturePair]] = {}

    @property
    def window(self) -> range:
        """Numbers of the pairs that the next draw chooses from."""
        end = self.first + int(self.draws / self.reuse)
        return range(max(0, end - self.capacity), end)

    def __call__(self, rng: np.random.Generator) -> PicturePair:
        """One pair of the window, which then rolls on."""
        window = self.window
        self.draws += 1
        return self._pair(int(rng.integers(window.start, window.stop)))

    def _pair(self, number: int) -> PicturePair:
        slot = number % self.capacity
        held = self._slots.get(slot)
        if held is None or held[0] != number:
            sequence = np.random.SeedSequence(self.seed, spawn_key=(number,))
            held = number, self.source(np.random.default_rng(sequence))
            self._slots[slot] = held
        return held[1]
