"""Boxes of the ISO base media file format, which HEIF, AVIF, JPEG 2000 and JPEG XL consist of."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEADER_BYTES = {b"meta": 4}
_PARENTS = frozenset({b"meta", b"iprp", b"ipco", b"jp2h"})


def boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of the boxes that lie one after the other; stops where they make no sense."""
    for kind, start, end in _spans(content):
        yield kind, content[start:end]


def require_complete(content: bytes) -> None:
    """Refuse a file that ends within one of its boxes; decoders may make up what is missing.

    Raises:
        ValueError: it is cut off.
    """
    if any(end > len(content) for _, _, end in _spans(content)):
        raise ValueError("it is cut off")


def _spans(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, and where the content begins and is said to end, of each box."""
    position = 0
    while position + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        head = 8
        if length == 1 and position + 16 <= len(content):
            (length,) = struct.unpack_from(">Q", content, position + 8)
            head = 16
        end = position + length if length else len(content)
        if end < position + head:
            return
        yield kind, position + head, end
        position = end


def find_boxes(content: bytes, wanted: bytes) -> list[bytes]:
    """The contents of all boxes of a type, those that lie in headers included."""
    found = []
    for kind, inner in boxes(content):
        if kind == wanted:
            found.append(inner)
        elif kind in _PARENTS:
            found += find_boxes(inner[_HEADER_BYTES.get(kind, 0) :], wanted)
    return found


def box(kind: bytes, content: bytes) -> bytes:
    """A box as bytes."""
    return struct.pack(">I4s", len(content) + 8, kind) + content
