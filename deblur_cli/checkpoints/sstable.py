"""Sorted string tables, as LevelDB and TensorFlow write them: bytes by name.

A table is a row of blocks. Its footer says where the index is: a block whose values say where the
others are. A block holds entries, each with its key's end only: the beginning is the last key's.
"""

from __future__ import annotations

from collections.abc import Iterator

from deblur_cli.checkpoints.crc32c import masked_crc32c
from deblur_cli.checkpoints.protobuf import read_varint

FOOTER = 48
MAGIC = 0xDB4775248B80FB57
TRAILER = 5
"""Bytes behind a block: its compression, and the masked CRC-32C of block and compression."""


def read_table(table: bytes) -> dict[bytes, bytes]:
    """Values by keys.

    Raises:
        ValueError: no such table, damaged, or compressed.
    """
    footer = table[-FOOTER:]
    if len(footer) < FOOTER or int.from_bytes(footer[-8:], "little") != MAGIC:
        raise ValueError("it is no sorted string table")
    _, _, position = _read_handle(footer, 0)
    start, size, _ = _read_handle(footer, position)
    found: dict[bytes, bytes] = {}
    for _, handle in _entries(_block(table, start, size)):
        start, size, _ = _read_handle(handle, 0)
        found.update(_entries(_block(table, start, size)))
    return found


def _read_handle(data: bytes, position: int) -> tuple[int, int, int]:
    """Where a block starts, how many bytes it has, and where the handle ends."""
    start, position = read_varint(data, position)
    size, position = read_varint(data, position)
    return start, size, position


def _block(table: bytes, start: int, size: int) -> bytes:
    end = start + size
    checksum = table[end + 1 : end + TRAILER]
    if len(checksum) < TRAILER - 1:
        raise ValueError("a block is cut off")
    if masked_crc32c(table[start : end + 1]) != int.from_bytes(checksum, "little"):
        raise ValueError("the checksum of a block is wrong")
    if table[end]:
        raise ValueError("it is compressed")
    return table[start:end]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values; behind them stand offsets for searching, and how many of those there are."""
    end = len(block) - 4 * (1 + int.from_bytes(block[-4:], "little"))
    position, key = 0, b""
    while position < end:
        shared, position = read_varint(block, position)
        own, position = read_varint(block, position)
        size, position = read_varint(block, position)
        key = key[:shared] + block[position : position + own]
        position += own
        yield key, block[position : position + size]
        position += size
