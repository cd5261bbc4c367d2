"""Interlaced PNG files (Adam7): each pass is decoded as a picture of its own.

libpng would decode them as a whole, too, but prints a warning whenever it does.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

import numpy as np

from deblur_cli.imaging.depth import Samples
from deblur_cli.imaging.formats.png_chunks import SIGNATURE, chunk, chunks_of

_HEADER = struct.Struct(">IIBBBBB")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


class _Pass(NamedTuple):
    """Which pixels a pass has: from (left, top) on, every so many columns and rows."""

    left: int
    top: int
    columns: int
    rows: int

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the pass in a picture of that size."""
        return -(-(width - self.left) // self.columns), -(-(height - self.top) // self.rows)


_PASSES = (
    _Pass(0, 0, 8, 8),
    _Pass(4, 0, 8, 8),
    _Pass(0, 4, 4, 8),
    _Pass(2, 0, 4, 4),
    _Pass(0, 2, 2, 4),
    _Pass(1, 0, 2, 2),
    _Pass(0, 1, 1, 2),
)


def decode_interlaced(content: bytes) -> Samples:
    """(H, W) or (H, W, C) samples of an interlaced PNG file, as `imagecodecs.png_decode` has them.

    Raises:
        ValueError, zlib.error, imagecodecs.PngError: it is damaged or cut off.
    """
    from imagecodecs import png_decode

    chunks = list(chunks_of(content))
    width, height, bits, colours, *_ = _HEADER.unpack(dict(chunks)[b"IHDR"])
    shared = b"".join(chunk(*each) for each in chunks if each[0] in (b"PLTE", b"tRNS"))
    sizes = {each: each.size(width, height) for each in _PASSES}
    lengths = {
        each: down * (1 + -(-across * bits * _CHANNELS[colours] // 8))
        for each, (across, down) in sizes.items()
        if across > 0 and down > 0
    }
    compressed = b"".join(data for kind, data in chunks if kind == b"IDAT")
    rows = _inflated(compressed, sum(lengths.values()))
    samples, start = np.empty(0), 0
    for part, length in lengths.items():
        header = _HEADER.pack(*sizes[part], bits, colours, 0, 0, 0)
        pixels = zlib.compress(rows[start : start + length], level=0)
        body = chunk(b"IHDR", header) + shared + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
        decoded = png_decode(SIGNATURE + body)
        if not start:
            samples = np.empty((height, width, *decoded.shape[2:]), decoded.dtype)
        samples[part.top :: part.rows, part.left :: part.columns] = decoded
        start += length
    return samples


def _inflated(compressed: bytes, length: int) -> bytes:
    engine = zlib.decompressobj()
    inflated = engine.decompress(compressed, length)
    engine.decompress(engine.unconsumed_tail, 1)  # compares the checksum
    if len(inflated) < length:
        raise ValueError("its pixels are cut off")
    return inflated
