"""JPEG 2000: integers of up to 16 bits, lossless or not as the source."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from deblur_cli.imaging.depth import gathered, packed, require, spread
from deblur_cli.imaging.formats.isobmff import box, boxes, find_boxes, require_complete
from deblur_cli.imaging.photo import Image, Metadata
from deblur_cli.imaging.source import Source, Stored, UnsupportedError

_CODESTREAM = b"\xff\x4f\xff\x51"
_CODING_STYLE = b"\xff\x52"
_START_OF_TILE = b"\xff\x90"
_XMP_ID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF_ID = b"JpgTiffExif->JP2"
_ICC_METHODS = (b"\2", b"\3")
_ICC = b"\2\0\0"
_LOSSY_PSNR = 50


@dataclass(frozen=True)
class Jpeg2000Encoding:
    """JPEG 2000 in its file format, or as a bare codestream without metadata.

    Attributes:
        bits: per sample, 8 to 16.
        lossless: by the reversible transform; else at a PSNR of 50 dB.
        bare: a codestream alone.
    """

    format: ClassVar[str] = "JPEG 2000"
    suffix: ClassVar[str] = ".jp2"

    bits: int = 8
    lossless: bool = True
    bare: bool = False

    def encode(self, samples: Image, metadata: Metadata) -> bytes:
        """The file's content; uint8 samples for 8 bits, else uint16."""
        from imagecodecs import jpeg2k_encode

        require(samples, np.uint8 if self.bits <= 8 else np.uint16)
        codes = gathered(samples, (1 << self.bits) - 1)
        content = bytes(
            jpeg2k_encode(
                packed(codes),
                level=0 if self.lossless else _LOSSY_PSNR,
                reversible=self.lossless,
                bitspersample=self.bits,
                codecformat="j2k" if self.bare else "jp2",
            )
        )
        return content if self.bare else _with_metadata(content, metadata)


def read(source: Source) -> Stored:
    """Decode a JPEG 2000 file of unsigned samples of equal depth and size."""
    from imagecodecs import jpeg2k_decode

    content = source.content()
    start = content.find(_CODESTREAM)
    if start > 0:
        require_complete(content)
    if start < 0:
        raise ValueError("it has no codestream")
    width, height, depths = _size(content[start:])
    source.admit(width, height)
    bits = depths[0] + 1
    if len(set(depths)) > 1 or len(depths) > 4 or bits > 16:
        raise UnsupportedError("JPEG 2000 files of signed, unequal or more than four channels")
    samples = np.atleast_3d(jpeg2k_decode(content))
    return Stored(
        samples=spread(samples, (1 << bits) - 1),
        encoding=Jpeg2000Encoding(max(bits, 8), _is_lossless(content[start:]), start == 0),
        metadata=_metadata(content),
        notes=(f"its {bits}-bit samples become 8-bit",) if bits < 8 else (),
    )


def _size(codestream: bytes) -> tuple[int, int, list[int]]:
    """Width, height and the depth bytes of the SIZ segment: bits less 1, plus 128 if signed."""
    right, lower, left, upper = struct.unpack_from(">4I", codestream, 8)
    (components,) = struct.unpack_from(">H", codestream, 40)
    depths = list(codestream[42 : 42 + 3 * components : 3])
    if not depths:
        raise ValueError("it has no channels")
    return right - left, lower - upper, depths


def _is_lossless(codestream: bytes) -> bool:
    """Whether the coding style names the reversible wavelet."""
    start = codestream.find(_CODING_STYLE, 0, codestream.find(_START_OF_TILE))
    return start >= 0 and codestream[start + 13 : start + 14] == b"\1"


def _metadata(content: bytes) -> Metadata:
    colours = [c[3:] for c in find_boxes(content, b"colr") if c[:1] in _ICC_METHODS]
    labelled = {c[:16]: c[16:] for kind, c in boxes(content) if kind == b"uuid"}
    return Metadata(
        exif=labelled.get(_EXIF_ID) or None,
        icc=colours[0] if colours else None,
        xmp=labelled.get(_XMP_ID) or None,
    )


def _with_metadata(content: bytes, metadata: Metadata) -> bytes:
    parts = []
    for kind, inner in boxes(content):
        if kind == b"jp2h" and metadata.icc:
            colours = box(b"colr", _ICC + metadata.icc)
            headers = (box(*header) for header in boxes(inner) if header[0] != b"colr")
            inner = b"".join(headers) + colours
        if kind == b"jp2c":
            parts += [box(b"uuid", _EXIF_ID + metadata.exif)] if metadata.exif else []
            parts += [box(b"uuid", _XMP_ID + metadata.xmp)] if metadata.xmp else []
        parts.append(box(kind, inner))
    return b"".join(parts)
