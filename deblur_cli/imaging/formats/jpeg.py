"""JPEG: 8-bit pixels, and the settings a file was compressed with."""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

from PIL import JpegImagePlugin

from deblur_cli.imaging.formats import pillow
from deblur_cli.imaging.formats.photoshop import without_thumbnails
from deblur_cli.imaging.photo import Image, Metadata
from deblur_cli.imaging.source import Source, Stored, UnsupportedError

_SEGMENT_BYTES = 65533
_EXIF_PREFIX = b"Exif\0\0"
_PHOTOSHOP_PREFIX = b"Photoshop 3.0\0"
_CARRIED_PREFIXES = (_PHOTOSHOP_PREFIX, b"http://ns.adobe.com/xmp/extension/\0")
_JUMBF_PREFIX = b"JP"
_MARKERS_OF = {"APP1": 0xE1, "APP13": 0xED}
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA
_ARITHMETIC = frozenset({0xC9, 0xCA, 0xCB})


@dataclass(frozen=True)
class _Frame:
    marker: int
    bits: int


@dataclass(frozen=True)
class JpegEncoding:
    """JPEG with given quantisation tables; without any, of a quality.

    Attributes:
        quantisation: the table of each component in turn, 64 numbers in natural order; a component
            without one uses the last.
        subsampling: Pillow's code: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0; a rarer one becomes
            4:4:4.
        progressive: several scans, coarse to fine.
        comment: the COM segment.
        segments: (marker, content) of IPTC and extended XMP segments, unchanged.
        quality: 1 to 100, where there are no tables.
    """

    format: ClassVar[str] = "JPEG"
    suffix: ClassVar[str] = ".jpg"

    quantisation: tuple[tuple[int, ...], ...] = ()
    subsampling: int = 0
    progressive: bool = False
    comment: bytes | None = None
    segments: tuple[tuple[int, bytes], ...] = ()
    quality: int = 95

    def encode(self, samples: Image, metadata: Metadata) -> bytes:
        """The file's content; there is no alpha in it.

        It is saved to a file: only then other threads can go on meanwhile.
        """
        if samples.shape[2] in (2, 4):
            raise ValueError("it has no alpha channel")
        tables: dict[str, Any] = (
            {"qtables": [list(table) for table in self.quantisation]}
            if self.quantisation
            else {"quality": self.quality}
        )
        with tempfile.TemporaryFile() as file:
            pillow.to_pillow(samples).save(
                file,
                self.format,
                **tables,
                subsampling=self.subsampling,
                progressive=self.progressive,
                comment=self.comment,
                extra=_exif_segments(metadata.exif) + b"".join(_segment(*s) for s in self.segments),
                icc_profile=metadata.icc,
                xmp=metadata.xmp,
                dpi=metadata.dpi or (0, 0),
            )
            file.seek(0)
            return file.read()


def read(source: Source) -> Stored:
    """Decode a JPEG file of 8 bits per sample; CMYK becomes sRGB."""
    frame = _frame(source.file)
    if frame and frame.bits != 8:
        raise UnsupportedError(f"{frame.bits}-bit JPEGs")
    source.file.seek(0)
    with JpegImagePlugin.JpegImageFile(source.file) as image:
        pillow.check(image, source, "JPEG")
        return pillow.stored(image, _encoding(image), _notes(image, frame))


def _frame(file: BinaryIO) -> _Frame | None:
    file.seek(2)
    while len(head := file.read(4)) == 4:
        _, marker, length = struct.unpack(">BBH", head)
        if marker in _FRAME_HEADERS:
            return next((_Frame(marker, bits) for bits in file.read(1)), None)
        if marker == _START_OF_SCAN or head[0] != 0xFF:
            return None
        file.seek(length - 2, 1)
    return None


def _encoding(image: JpegImagePlugin.JpegImageFile) -> JpegEncoding:
    table_numbers = dict.fromkeys(table for _, _, _, table in image.layer)
    return JpegEncoding(
        quantisation=tuple(tuple(image.quantization[n]) for n in table_numbers),
        subsampling=max(JpegImagePlugin.get_sampling(image), 0),
        progressive=bool(image.info.get("progressive")),
        comment=image.info.get("comment"),
        segments=tuple(
            (_MARKERS_OF[name], _without_previews(content))
            for name, content in image.applist
            if name in _MARKERS_OF and content.startswith(_CARRIED_PREFIXES)
        ),
    )


def _without_previews(content: bytes) -> bytes:
    if not content.startswith(_PHOTOSHOP_PREFIX):
        return content
    return _PHOTOSHOP_PREFIX + without_thumbnails(content.removeprefix(_PHOTOSHOP_PREFIX))


def _notes(image: JpegImagePlugin.JpegImageFile, frame: _Frame | None) -> tuple[str, ...]:
    notes = []
    if "mp" in image.info:
        notes.append("its further pictures (stereo, depth or gain map) are left out")
    if any(name == "APP11" and data.startswith(_JUMBF_PREFIX) for name, data in image.applist):
        notes.append("its content credentials (C2PA) are left out, as they sign the old pixels")
    if frame and frame.marker in _ARITHMETIC:
        notes.append("its arithmetic coding becomes Huffman coding")
    return tuple(notes)


def _exif_segments(exif: bytes | None) -> bytes:
    size = _SEGMENT_BYTES - len(_EXIF_PREFIX)
    parts = [exif[i : i + size] for i in range(0, len(exif), size)] if exif else []
    return b"".join(_segment(_MARKERS_OF["APP1"], _EXIF_PREFIX + part) for part in parts)


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
