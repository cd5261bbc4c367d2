"""Joining overlapping tiles without a visible seam, in memory for one row of tiles.

Each piece is faded over what lies before it, `old + ramp * (new - old)`, first along a row of
tiles, then from row to row. The weights of old and new sum to one by construction, so whatever
two tiles agree on comes through unchanged, bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from deblur_cli.inference.samples import Image, from_unit

Float = npt.NDArray[np.float32]


@lru_cache(maxsize=16)
def ramp(length: int) -> Float:
    """Weights rising from 0 to 1: half a cosine at pixel centres, `ramp + ramp[::-1] = 1`."""
    centres = (np.arange(length) + 0.5) / max(length, 1)
    return ((1 - np.cos(np.pi * centres)) / 2).astype(np.float32)


def blend_across(tiles: Iterable[tuple[int, Float]], width: int, overlap: int) -> Float:
    """One row of tiles as a band `(h, width, C)` float32.

    Args:
        tiles: left edge and pixels `(h, w, C)` of each tile from left to right; neighbours share
            at least `overlap` columns.
        width: of the picture.
        overlap: columns over which a tile fades into the next, the last of the earlier tile.
    """
    band: Float | None = None
    covered = 0
    for left, tile in tiles:
        if band is None:
            band = np.empty((tile.shape[0], width, tile.shape[2]), np.float32)
        fade = min(overlap, covered)
        start = covered - fade
        fresh = tile[:, start - left :]
        _fade_into(band[:, start:covered], fresh[:, :fade], ramp(fade)[None, :, None])
        band[:, covered : left + tile.shape[1]] = fresh[:, fade:]
        covered = left + tile.shape[1]
    if band is None:
        raise ValueError("no tiles to blend")
    return band


class Canvas:
    """A result that is completed from the top down, one band of tiles after the other.

    Rows that the next band still fades into wait in float32; all above are rounded once into
    the result. `finished` rows are final: a caller that changes its tile size may go on there.
    """

    def __init__(self, shape: tuple[int, int, int], dtype: npt.DTypeLike, overlap: int) -> None:
        self.result: Image = np.empty(shape, dtype)
        self.finished = 0
        self._overlap = overlap
        self._waiting = np.empty((0, *shape[1:]), np.float32)

    @property
    def complete(self) -> bool:
        """Whether every row is final."""
        return self.finished == len(self.result)

    def add(self, top: int, band: Float) -> None:
        """Fade a band `(h, W, C)`, which is used up, over the rows that wait; it begins at `top`.

        Bands come from the top down and reach `overlap` rows or more into the one before.
        """
        fresh = band[self.finished - top :]
        waiting = len(self._waiting)
        _fade_into(self._waiting, fresh[:waiting], ramp(waiting)[:, None, None])
        fresh[:waiting] = self._waiting
        bottom = top + len(band)
        keep = 0 if bottom == len(self.result) else self._overlap
        end = bottom - keep
        ready = end - self.finished
        self.result[self.finished : end] = from_unit(fresh[:ready], self.result.dtype)
        self._waiting = fresh[ready:].copy()
        self.finished = end


def _fade_into(old: Float, new: Float, weights: Float) -> None:
    """`old + weights * (new - old)`, in place of `old`."""
    old += weights * (new - old)
