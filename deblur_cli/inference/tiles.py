"""Where tiles lie on a picture: integers only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SMALLEST_TILE = 64


@dataclass(frozen=True, slots=True)
class Size:
    """Height and width in pixels."""

    height: int
    width: int

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.height * self.width


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of pixels; `picture[region.rows, region.columns]` cuts it out."""

    top: int
    left: int
    size: Size

    @property
    def rows(self) -> slice:
        """Its rows in the picture."""
        return slice(self.top, self.top + self.size.height)

    @property
    def columns(self) -> slice:
        """Its columns in the picture."""
        return slice(self.left, self.left + self.size.width)


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Tiles of one size at every crossing of `tops` and `lefts`, both ascending from 0."""

    tile: Size
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    def rows(self) -> Iterator[tuple[Region, ...]]:
        """The tiles row by row, each from left to right."""
        for top in self.tops:
            yield tuple(Region(top, left, self.tile) for left in self.lefts)


def tile_grid(
    size: Size, tile: int, overlap: int, multiple: int, step: int | None = None
) -> TileGrid:
    """The fewest tiles that cover a picture exactly, all equal and as small as their number allows.

    A side not longer than `tile` is covered whole. Otherwise tiles start at multiples of `step` so
    that a network's subsampling keeps its phase, except the last, which is moved inside the
    picture; there the overlap is larger than asked for.

    Args:
        size: the picture.
        tile: longest side of a tile in pixels.
        overlap: pixels that neighbouring tiles share at least.
        multiple: the network's size multiple.
        step: divides `multiple`; None for the same.

    Raises:
        ValueError: the tile is smaller than `smallest_tile(overlap, multiple)`.
    """
    if overlap < 0 or tile < smallest_tile(overlap, multiple):
        raise ValueError(f"tiles of {tile} cannot overlap by {overlap} in steps of {multiple}")
    step = step or multiple
    height, tops = _cover(size.height, tile, overlap, multiple, step)
    width, lefts = _cover(size.width, tile, overlap, multiple, step)
    return TileGrid(Size(height, width), tops, lefts)


def smallest_tile(overlap: int, multiple: int) -> int:
    """Side of the smallest useful tile: a multiple of `multiple`, at least half of it its own."""
    stride = _round_up(max(overlap, 1), multiple)
    return max(_round_up(SMALLEST_TILE, multiple), _round_up(stride + overlap, multiple))


def whole_tile(size: Size, multiple: int) -> int:
    """Side of the one tile that holds the whole picture."""
    return _round_up(max(size.height, size.width), multiple)


def _cover(
    length: int, longest: int, overlap: int, multiple: int, step: int
) -> tuple[int, tuple[int, ...]]:
    """Side and starts of the tiles along one axis."""
    if length <= longest:
        return length, (0,)

    def starts(side: int) -> tuple[int, ...]:
        apart = (side - overlap) // step * step
        return (*range(0, length - side, apart), length - side)

    longest = longest // multiple * multiple
    fewest = len(starts(longest))
    sides = range(smallest_tile(overlap, multiple), longest + 1, multiple)
    side = next(side for side in sides if len(starts(side)) == fewest)
    return side, starts(side)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
