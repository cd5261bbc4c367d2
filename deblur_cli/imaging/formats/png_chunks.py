"""The chunks that a PNG file consists of."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk as it lies in a file: length, type, data and checksum."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def chunks_of(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and data of each whole chunk of a file."""
    position = len(SIGNATURE)
    while len(head := content[position : position + 8]) == 8:
        length, kind = struct.unpack(">I4s", head)
        end = position + length + 12
        if end > len(content):
            return
        yield kind, content[position + 8 : end - 4]
        position = end
