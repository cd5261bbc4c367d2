"""Which tile size to use: what was asked for, or what memory allows, smaller after a shortage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deblur_cli.errors import RestoreError, UsageError
from deblur_cli.inference.tiles import Size, smallest_tile, whole_tile

TileChoice = int | Literal["auto"]
"""Side in pixels, 0 for the whole picture, or `auto` for what memory allows."""


@dataclass(frozen=True)
class Cut:
    """How a picture is cut into tiles."""

    side: int
    """Longest side a tile may have, in pixels."""
    tile: Size
    """What tiles have."""
    together: int
    """Tiles that go through the network at a time."""


class TileSize:
    """The tile side in use; it only shrinks, and what was learnt holds for the next picture.

    Args:
        limit: largest side; None for whole pictures.
        overlap: pixels that neighbouring tiles share at least.
        multiple: the network's size multiple.
        at_once: pixels of all tiles that go through the network at a time; a single tile may have
            more.
    """

    def __init__(self, limit: int | None, overlap: int, multiple: int, at_once: int = 0) -> None:
        self.limit = limit
        self.at_once = at_once
        self._multiple = multiple
        self._smallest = smallest_tile(overlap, multiple)

    def side(self, picture: Size) -> int:
        """Side of the tiles for a picture of this size."""
        whole = max(whole_tile(picture, self._multiple), self._smallest)
        return whole if self.limit is None else min(whole, self.limit)

    def shrink(self, picture: Size, cut: Cut) -> str:
        """Halve what goes through the network at a time because it did not fit into memory.

        Args:
            picture: the size of the one at fault.
            cut: how that was cut.

        Returns:
            What has changed, for the user.

        Raises:
            RestoreError: it was a single tile of the smallest useful size.
        """
        if cut.together > 1:
            fewer = cut.together // 2
            self.at_once = fewer * cut.tile.pixels
            return f"out of memory: {cut.together} tiles at a time cut to {fewer}"
        if cut.side <= self._smallest:
            raise RestoreError(
                f"not enough memory even for tiles of {cut.side} pixels",
                remedy="close other programs, or use another device",
            )
        self.at_once = min(self.at_once, cut.tile.pixels // 2)
        self.limit = max(cut.side // 2 // self._multiple * self._multiple, self._smallest)
        return f"out of memory: tiles of {cut.side} cut to {self.side(picture)} pixels"


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
