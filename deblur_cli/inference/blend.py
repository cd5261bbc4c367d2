"""Joining overlapping tiles without a visible seam, in memory for one row of tiles.

Each piece is faded over what lies before it, `old + ramp * (new - old)`, first along a row of
tiles, then from row to row. The weights of old and new sum to one by construction, so whatever
two tiles agree on comes through unchanged, bit by bit. Everything stays on the tiles' device.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


@lru_cache(maxsize=16)
def ramp(length: int, device: torch.device) -> Tensor:
    """Weights rising from 0 to 1: half a cosine at pixel centres, `ramp + ramp[::-1] = 1`."""
    centres = (np.arange(length) + 0.5) / max(length, 1)
    return torch.from_numpy(((1 - np.cos(np.pi * centres)) / 2).astype(np.float32)).to(device)


class Band:
    """One row of tiles, joined from left to right.

    Args:
        width: of the picture.
        overlap: columns over which a tile fades into the next, the last of the earlier tile.
    """

    def __init__(self, width: int, overlap: int) -> None:
        self._width = width
        self._overlap = overlap
        self._covered = 0
        self._pixels: Tensor | None = None

    @property
    def complete(self) -> bool:
        """Whether the tiles so far reach the right border."""
        return self._covered == self._width

    @property
    def pixels(self) -> Tensor:
        """The joined tiles, `(h, width, C)` float32; empty columns where there is none yet."""
        if self._pixels is None:
            raise ValueError("no tiles to blend")
        return self._pixels

    def add(self, left: int, tile: Tensor) -> None:
        """Fade in a tile `(h,w,C)` whose left edge reaches at least `overlap` into the last."""
        if self._pixels is None:
            self._pixels = tile.new_empty((tile.shape[0], self._width, tile.shape[2]))
        fade = min(self._overlap, self._covered)
        start = self._covered - fade
        fresh = tile[:, start - left :]
        weights = ramp(fade, tile.device)[None, :, None]
        _fade_into(self._pixels[:, start : self._covered], fresh[:, :fade], weights)
        self._pixels[:, self._covered : left + tile.shape[1]] = fresh[:, fade:]
        self._covered = left + tile.shape[1]


class Canvas:
    """A result that is completed from the top down, one band of tiles after the other.

    Rows that the next band still fades into wait in float32; all above are handed out once.
    `finished` rows are final: a caller that changes its tile size may go on there.

    Args:
        height: of the picture.
        overlap: rows over which a band fades into the next.
    """

    def __init__(self, height: int, overlap: int) -> None:
        self.finished = 0
        self._height = height
        self._overlap = overlap
        self._waiting: Tensor | None = None

    @property
    def complete(self) -> bool:
        """Whether every row is final."""
        return self.finished == self._height

    def add(self, top: int, band: Tensor) -> Tensor:
        """Fade a band `(h,W,C)`, which is used up, over the rows that wait; it begins at `top`.

        Bands come from the top down and reach `overlap` rows or more into the one before.

        Returns:
            The rows from `finished` on that are final now, float32.
        """
        fresh = band[self.finished - top :]
        if self._waiting is not None:
            faded = len(self._waiting)
            weights = ramp(faded, band.device)[:, None, None]
            _fade_into(self._waiting, fresh[:faded], weights)
            fresh[:faded] = self._waiting
        bottom = top + len(band)
        keep = 0 if bottom == self._height else self._overlap
        ready = bottom - keep - self.finished
        self._waiting = fresh[ready:].clone()
        self.finished = bottom - keep
        return fresh[:ready]


def _fade_into(old: Tensor, new: Tensor, weights: Tensor) -> None:
    """`old + weights * (new - old)`, in place of `old`."""
    old += weights * (new - old)
