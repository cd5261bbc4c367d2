"""Tiles of sixteen channels: in the tensors themselves, or copied to float32 scratch memory.

Here alone dtypes and channel counts that are no multiple of sixteen exist; the arithmetic sees
tiles of one full float32 row of sixteen channels per token.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from deblur_cli.ops.cpu.compile import subroutine
from deblur_cli.ops.cpu.intrinsics import (
    copy_bytes,
    load,
    load_bfloat16,
    prefetch,
    splat,
    store,
    store_bfloat16,
)


class Place(NamedTuple):
    """`lanes` channels over some tokens of an image, and how far on the next such place lies."""

    batch: int
    first: int
    tokens: int
    channel: int
    lanes: int
    ahead_tokens: int
    ahead_channels: int


@subroutine
def place_of(
    batch: int, first: int, tokens: int, block: int, blocks: Any, channels: int, ahead: int
) -> Any:
    """Of one of a range of `blocks`; after the last, the work goes on `ahead` tokens further on."""
    lanes = min(16, channels - 16 * block)
    if block + 1 < blocks.stop:
        return Place(batch, first, tokens, 16 * block, lanes, 0, 16)
    return Place(batch, first, tokens, 16 * block, lanes, ahead, 16 * (blocks.start - block))


class Tile(NamedTuple):
    """Sixteen float32 of each token, `row` floats apart; the next tile is `ahead` bytes on."""

    address: int
    row: int
    ahead: int


@subroutine
def read(tile: Any, t: int) -> Any:
    """Sixteen channels of one token."""
    prefetch(tile.address + 4 * t * tile.row + tile.ahead)
    return load(tile.address, t * tile.row)


@subroutine
def write(tile: Any, t: int, lanes: Any) -> None:
    """Set sixteen channels of one token."""
    prefetch(tile.address + 4 * t * tile.row + tile.ahead)
    store(tile.address, t * tile.row, lanes)


@subroutine
def in_scratch(address: int) -> Any:
    """The tile at an address of scratch memory."""
    return Tile(address, 16, 0)


@subroutine
def tile_to_write(view: Any, place: Any, scratch: int) -> Any:
    """The tensor's own memory where it is a tile, otherwise scratch memory to `deliver`."""
    if _is_tile(view, place):
        return Tile(_start(view, place), view.row, _ahead(view, place))
    return in_scratch(scratch)


@subroutine
def tile_to_read(view: Any, place: Any, scratch: int) -> Any:
    """The tensor's own memory where it is a tile, otherwise a copy in scratch memory."""
    tile = tile_to_write(view, place, scratch)
    if not _is_tile(view, place):
        load_tile(view, place, scratch, 16)
    return tile


@subroutine
def deliver(view: Any, place: Any, tile: Any) -> None:
    """Copy what was written to scratch memory into the tensor; spoils the tile."""
    if not _is_tile(view, place):
        store_tile(view, place, tile.address)


@subroutine
def load_tile(view: Any, place: Any, tile: int, row: int) -> None:
    """Copy to rows of sixteen floats, `row` floats apart; zeros in the lanes that are left over."""
    source, ahead, stride = _start(view, place), _ahead(view, place), view.row * view.bytes
    if place.lanes < 16:
        for t in range(place.tokens):
            store(tile, t * row, splat(0.0))
            copy_bytes(tile + 4 * t * row, source + t * stride, place.lanes * view.bytes)
            if view.bytes == 2:
                store(tile, t * row, load_bfloat16(tile, 2 * t * row))
    elif view.bytes == 2:
        for t in range(place.tokens):
            prefetch(source + t * stride + ahead)
            store(tile, t * row, load_bfloat16(source + t * stride, 0))
    else:
        for t in range(place.tokens):
            prefetch(source + t * stride + ahead)
            store(tile, t * row, load(source + t * stride, 0))


@subroutine
def load_rows(
    view: Any, batch: int, first: int, tokens: int, ahead: int, width: int, rows: int, row: int
) -> None:
    """Copy all `width` values of each token into rows of `row` floats, a multiple of sixteen."""
    for start in range(0, width, 16):
        place = Place(batch, first, tokens, start, min(16, width - start), ahead, 0)
        load_tile(view, place, rows + 4 * start, row)


@subroutine
def store_tile(view: Any, place: Any, tile: int) -> None:
    """Write rows of sixteen floats back; a tile is spoilt where fewer lanes are wanted."""
    target, ahead, stride = _start(view, place), _ahead(view, place), view.row * view.bytes
    if place.lanes < 16:
        for t in range(place.tokens):
            if view.bytes == 2:
                store_bfloat16(tile, 32 * t, load(tile, 16 * t))
            copy_bytes(target + t * stride, tile + 64 * t, place.lanes * view.bytes)
    elif view.bytes == 2:
        for t in range(place.tokens):
            prefetch(target + t * stride + ahead)
            store_bfloat16(target + t * stride, 0, load(tile, 16 * t))
    else:
        for t in range(place.tokens):
            prefetch(target + t * stride + ahead)
            store(target + t * stride, 0, load(tile, 16 * t))


@subroutine
def _is_tile(view: Any, place: Any) -> Any:
    return view.bytes == 4 and place.lanes == 16


@subroutine
def _start(view: Any, place: Any) -> Any:
    element = place.batch * view.batch + place.first * view.row + place.channel
    return view.address + element * view.bytes


@subroutine
def _ahead(view: Any, place: Any) -> Any:
    return (place.ahead_tokens * view.row + place.ahead_channels) * view.bytes
