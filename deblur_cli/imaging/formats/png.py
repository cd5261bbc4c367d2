"""PNG: pixels of any depth, and the chunks a restored file keeps."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

import numpy as np

from deblur_cli.imaging.cicp import profile
from deblur_cli.imaging.depth import Samples, packed, require
from deblur_cli.imaging.formats.png_chunks import SIGNATURE, chunk
from deblur_cli.imaging.formats.png_interlaced import decode_interlaced
from deblur_cli.imaging.photo import Image, Metadata
from deblur_cli.imaging.source import Source, Stored, UnsupportedError

_AFTER_HEADER = 33
_INTERLACE = 28
_MAX_INFLATED_BYTES = 16 << 20
_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_EXIF_KEYWORDS = (b"Raw profile type exif\0", b"Raw profile type APP1\0")
_EXIF_PREFIX = b"Exif\0\0"
_CREDENTIALS = b"caBX"
COLOUR_CHUNKS = frozenset({b"cHRM", b"cICP", b"gAMA", b"sRGB"})
TEXT_CHUNKS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_METADATA_CHUNKS = frozenset({b"eXIf", b"iCCP", b"pHYs"})
_PALETTE = 3
_METRES_PER_INCH = 0.0254


@dataclass(frozen=True)
class PngEncoding:
    """PNG with the source's colour space and text chunks, unchanged.

    Attributes:
        chunks: (type, content), in the file's order.
    """

    format: ClassVar[str] = "PNG"
    suffix: ClassVar[str] = ".png"

    chunks: tuple[tuple[bytes, bytes], ...] = ()

    def encode(self, samples: Image, metadata: Metadata) -> bytes:
        """The file's content; uint8 or uint16 samples."""
        from imagecodecs import png_encode

        require(samples, np.uint8, np.uint16)
        content = bytes(png_encode(packed(samples)))
        chunks = b"".join(chunk(kind, data) for kind, data in self._all_chunks(metadata))
        return content[:_AFTER_HEADER] + chunks + content[_AFTER_HEADER:]

    def _all_chunks(self, metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
        if metadata.icc:
            yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc)
        if metadata.dpi:
            steps = (round(value / _METRES_PER_INCH) for value in metadata.dpi)
            yield b"pHYs", struct.pack(">IIB", *steps, 1)
        yield from self.chunks
        if metadata.exif:
            yield b"eXIf", metadata.exif
        if metadata.xmp:
            yield b"iTXt", _XMP_KEYWORD + b"\0\0\0\0" + metadata.xmp


def read(source: Source) -> Stored:
    """Decode a PNG file of 1 to 16 bits per sample; fewer than 8 become 8."""
    width, height, bits, colour_type = _header(source.file)
    source.admit(width, height)
    chunks = tuple(_chunks(source.file))
    if any(kind == b"acTL" and data[:4] > b"\0\0\0\1" for kind, data in chunks):
        raise UnsupportedError("animated PNGs")
    samples = np.atleast_3d(_decoded(_pixels_alone(source.content())))
    if samples.dtype != (np.uint16 if bits == 16 else np.uint8):
        raise ValueError(f"decoded as {samples.dtype}, declared as {bits} bits")
    return Stored(
        samples=samples,
        encoding=PngEncoding(tuple(each for each in chunks if _is_kept(*each))),
        metadata=_metadata(chunks),
        notes=tuple(_notes(bits, colour_type, chunks)),
    )


def _decoded(content: bytes) -> Samples:
    from imagecodecs import png_decode

    is_interlaced = content[_INTERLACE : _INTERLACE + 1] == b"\1"
    return decode_interlaced(content) if is_interlaced else np.asarray(png_decode(content))


def _pixels_alone(content: bytes) -> bytes:
    """The file without what the decoder has no need of: it would print warnings of it."""
    parts, position = [SIGNATURE], len(SIGNATURE)
    while len(head := content[position : position + 8]) == 8:
        length, kind = struct.unpack(">I4s", head)
        end = position + length + 12
        if kind[:1].isupper() or kind == b"tRNS":
            parts.append(content[position:end])
        position = end
    return b"".join(parts)


def _header(file: BinaryIO) -> tuple[int, int, int, int]:
    file.seek(len(SIGNATURE))
    head = file.read(18)
    if len(head) < 18 or head[4:8] != b"IHDR":
        raise ValueError("it has no header")
    width, height, bits, colour_type = struct.unpack(">IIBB", head[8:])
    return width, height, bits, colour_type


def _notes(bits: int, colour_type: int, chunks: tuple[tuple[bytes, bytes], ...]) -> Iterator[str]:
    if colour_type == _PALETTE:
        yield "its palette becomes full colour"
    elif bits < 8:
        yield f"its {bits}-bit grey becomes 8-bit"
    if any(kind == _CREDENTIALS for kind, _ in chunks):
        yield "its content credentials (C2PA) are left out, as they sign the old pixels"


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of every chunk that is no pixel data."""
    wanted = COLOUR_CHUNKS | TEXT_CHUNKS | _METADATA_CHUNKS | {b"acTL", _CREDENTIALS}
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in wanted:
            yield kind, file.read(length)
            file.seek(4, 1)
        else:
            file.seek(length + 4, 1)


def _is_kept(kind: bytes, content: bytes) -> bool:
    if kind in TEXT_CHUNKS:
        return not content.startswith(_XMP_KEYWORD) and _exif_text(kind, content) is None
    return kind in COLOUR_CHUNKS


def _metadata(chunks: tuple[tuple[bytes, bytes], ...]) -> Metadata:
    first = dict(reversed(chunks))
    return Metadata(
        exif=first.get(b"eXIf") or next(filter(None, (_exif_text(*each) for each in chunks)), None),
        icc=_profile(first.get(b"iCCP", b"")) or _stated(first.get(b"cICP", b"")),
        xmp=next(filter(None, (_xmp(data) for kind, data in chunks if kind == b"iTXt")), None),
        dpi=_resolution(first.get(b"pHYs", b"")),
    )


def _profile(content: bytes) -> bytes | None:
    _, _, compressed = content.partition(b"\0")
    return _inflated(compressed[1:])


def _stated(code_points: bytes) -> bytes | None:
    return profile(*code_points[:2]) if len(code_points) == 4 else None


def _exif_text(kind: bytes, content: bytes) -> bytes | None:
    """EXIF as hexadecimal text, as programs wrote it before there was a chunk for it."""
    if kind not in (b"tEXt", b"zTXt") or not content.startswith(_EXIF_KEYWORDS):
        return None
    text = content.split(b"\0", 1)[1]
    lines = ((_inflated(text[1:]) or b"") if kind == b"zTXt" else text).split(b"\n")
    try:
        block = bytes.fromhex(b"".join(lines[3:]).decode("ascii"))
    except ValueError:
        return None
    return block.removeprefix(_EXIF_PREFIX) if block.startswith(_EXIF_PREFIX) else None


def _xmp(content: bytes) -> bytes | None:
    if not content.startswith(_XMP_KEYWORD):
        return None
    is_compressed, rest = content[len(_XMP_KEYWORD) :][:1], content[len(_XMP_KEYWORD) + 2 :]
    text = rest.split(b"\0", 2)[-1]
    return _inflated(text) if is_compressed == b"\1" else text or None


def _inflated(content: bytes) -> bytes | None:
    """None where it is damaged, empty, or of a size no metadata has."""
    engine = zlib.decompressobj()
    try:
        inflated = engine.decompress(content, _MAX_INFLATED_BYTES)
    except zlib.error:
        return None
    return None if engine.unconsumed_tail else inflated or None


def _resolution(content: bytes) -> tuple[float, float] | None:
    if len(content) != 9 or content[8] != 1:
        return None
    horizontal, vertical = struct.unpack(">II", content[:8])
    return horizontal * _METRES_PER_INCH, vertical * _METRES_PER_INCH
