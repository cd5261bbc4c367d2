"""Which tile size to use: what was asked for, or what memory allows, smaller after a shortage."""

from __future__ import annotations

from typing import Literal

from deblur_cli.errors import RestoreError, UsageError
from deblur_cli.inference.tiles import Size, smallest_tile, whole_tile

TileChoice = int | Literal["auto"]
"""Side in pixels, 0 for the whole picture, or `auto` for what memory allows."""

DEFAULT_OVERLAP = 32


class TileSize:
    """The tile side in use; it only shrinks, and what was learnt holds for the next picture.

    Args:
        limit: largest side; None for whole pictures.
        overlap: pixels that neighbouring tiles share at least.
        multiple: the network's size multiple.
    """

    def __init__(self, limit: int | None, overlap: int, multiple: int) -> None:
        self._limit = limit
        self._multiple = multiple
        self._smallest = smallest_tile(overlap, multiple)

    def side(self, picture: Size) -> int:
        """Side of the tiles for a picture of this size."""
        whole = max(whole_tile(picture, self._multiple), self._smallest)
        return whole if self._limit is None else min(whole, self._limit)

    def shrink(self, side: int) -> None:
        """Halve the tiles because `side` did not fit into memory.

        Raises:
            RestoreError: `side` is the smallest useful tile already.
        """
        if side <= self._smallest:
            raise RestoreError(
                f"not enough memory even for tiles of {side} pixels",
                remedy="close other programs, or use another device",
            )
        self._limit = max(side // 2 // self._multiple * self._multiple, self._smallest)


def check_tile(tile: TileChoice, overlap: int, multiple: int) -> None:
    """Refuse tiles that leave nothing between their overlaps.

    Raises:
        UsageError: names the smallest tile there is for this overlap and network.
    """
    if overlap < 0:
        raise UsageError(f"an overlap of {overlap} pixels makes no sense", remedy="use 0 or more")
    smallest = smallest_tile(overlap, multiple)
    if tile not in ("auto", 0) and int(tile) < smallest:
        raise UsageError(
            f"tiles of {tile} pixels are too small for an overlap of {overlap}",
            remedy=f"use --tile {smallest} or more, or 0 for the whole picture",
        )
