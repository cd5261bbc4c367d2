"""Photoshop's image resources, the blocks in which JPEG files carry IPTC data."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_SIGNATURES = (b"8BIM", b"8B64", b"MeSa", b"AgHg", b"PHUT", b"DCSR")
_THUMBNAILS = (1033, 1036)


def without_thumbnails(resources: bytes) -> bytes:
    """The resources without the small pictures that show the photo as it was.

    What follows a damaged block stays as it is.
    """
    kept = [block for number, block in _blocks(resources) if number not in _THUMBNAILS]
    return b"".join(kept)


def _blocks(resources: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and whole content of each block; 0 for a rest that is none."""
    start = 0
    while resources.startswith(_SIGNATURES, start):
        name_at = start + 6
        length_at = name_at + _even(1 + int.from_bytes(resources[name_at : name_at + 1]))
        content_at = length_at + 4
        length = int.from_bytes(resources[length_at:content_at])
        if content_at + length > len(resources):
            break
        stop = content_at + _even(length)
        (number,) = struct.unpack_from(">H", resources, start + 4)
        yield number, resources[start:stop]
        start = stop
    yield 0, resources[start:]


def _even(length: int) -> int:
    return length + length % 2
