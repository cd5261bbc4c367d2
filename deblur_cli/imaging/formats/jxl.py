"""JPEG XL: read in any depth, needs the extra `jxl`; written as TIFF.

The libraries write no colour profile into a JPEG XL file, so colours would change.
"""

from __future__ import annotations

import struct
from types import ModuleType

import numpy as np

from deblur_cli.errors import MissingExtraError
from deblur_cli.imaging.formats.isobmff import boxes, require_complete
from deblur_cli.imaging.formats.tiff import TiffEncoding
from deblur_cli.imaging.photo import Metadata
from deblur_cli.imaging.source import Source, Stored, UnsupportedError

_CODESTREAM = b"\xff\x0a"
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_SIZE_BITS = (9, 13, 18, 30)


def require_library() -> ModuleType:
    """The module `pillow_jxl`; raises `MissingExtraError` where it is not installed."""
    try:
        import pillow_jxl
    except ImportError as error:
        raise MissingExtraError("JPEG XL", "jxl") from error
    return pillow_jxl


def read(source: Source) -> Stored:
    """Decode a JPEG XL file of a single frame; the library turns it upright."""
    library = require_library()
    from imagecodecs import jpegxl_decode

    content = source.content()
    if content[:2] != _CODESTREAM:
        require_complete(content)
    source.admit(*_size(_codestream(content)))
    samples = jpegxl_decode(content)
    if samples.ndim > 3:
        raise UnsupportedError("animated JPEG XL files")
    samples = np.atleast_3d(samples)
    *_, icc, _ = library.Decoder(num_threads=0)(content)
    found = dict(_opened(*box) for box in boxes(content)) if content[:2] != _CODESTREAM else {}
    return Stored(
        samples=samples.astype(np.float32) if samples.dtype == np.float16 else samples,
        encoding=TiffEncoding(half=samples.dtype == np.float16),
        metadata=Metadata(
            exif=_exif(found.get(b"Exif", b"")), icc=icc or None, xmp=found.get(b"xml ") or None
        ),
        is_upright=True,
        notes=("a JPEG XL becomes a TIFF",),
    )


def _codestream(content: bytes) -> bytes:
    """The beginning of the compressed picture."""
    if content[:2] == _CODESTREAM:
        return content
    for kind, inner in boxes(content):
        if kind == b"jxlc":
            return inner
        if kind == b"jxlp":
            return inner[4:]
    raise ValueError("it has no picture")


def _size(codestream: bytes) -> tuple[int, int]:
    """(width, height) of the size header, which follows the two bytes of the signature."""
    bits = _Bits(int.from_bytes(codestream[2:16], "little"))
    is_small = bits.take(1)
    height = (bits.take(5) + 1) * 8 if is_small else bits.take(_SIZE_BITS[bits.take(2)]) + 1
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height
    width = (bits.take(5) + 1) * 8 if is_small else bits.take(_SIZE_BITS[bits.take(2)]) + 1
    return width, height


class _Bits:
    """Numbers from the low end of one long number."""

    def __init__(self, rest: int) -> None:
        self._rest = rest

    def take(self, count: int) -> int:
        value = self._rest & ((1 << count) - 1)
        self._rest >>= count
        return value


def _opened(kind: bytes, content: bytes) -> tuple[bytes, bytes]:
    """A box as it is, or what a compressed one (`brob`) holds."""
    from imagecodecs import BrotliError, brotli_decode

    if kind != b"brob":
        return kind, content
    try:
        return content[:4], bytes(brotli_decode(content[4:]))
    except BrotliError:
        return kind, content


def _exif(content: bytes) -> bytes | None:
    """The EXIF block, behind the offset that the box begins with."""
    if len(content) <= 4:
        return None
    (offset,) = struct.unpack_from(">I", content)
    return content[4 + offset :] or None
