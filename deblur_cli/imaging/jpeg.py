"""JPEG: sample depth by its frame header, and the settings a file was compressed with."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

import PIL.Image
from PIL import JpegImagePlugin

from deblur_cli.imaging.photo import Metadata

_SEGMENT_BYTES = 65533
_EXIF_PREFIX = b"Exif\0\0"
_CARRIED_PREFIXES = (b"Photoshop 3.0\0", b"http://ns.adobe.com/xmp/extension/\0")
_MARKERS_OF = {"APP1": 0xE1, "APP13": 0xED}
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA


def unsupported(file: BinaryIO) -> str | None:
    """What the file is, if a JPEG of a depth other than 8 bits; else None."""
    bits = _sample_bits(file)
    return None if bits in (None, 8) else f"{bits}-bit JPEG"


def _sample_bits(file: BinaryIO) -> int | None:
    file.seek(2)
    while len(head := file.read(4)) == 4:
        _, marker, length = struct.unpack(">BBH", head)
        if marker in _FRAME_HEADERS:
            return next(iter(file.read(1)), None)
        if marker == _START_OF_SCAN or head[0] != 0xFF:
            return None
        file.seek(length - 2, 1)
    return None


@dataclass(frozen=True)
class JpegEncoding:
    """JPEG with given quantisation tables; without any, quality 95 and full colour resolution.

    Attributes:
        quantisation: the table of each component in turn, 64 numbers in natural order; a component
            without one uses the last.
        subsampling: Pillow's code: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0; a rarer one becomes
            4:4:4.
        progressive: several scans, coarse to fine.
        comment: the COM segment.
        segments: (marker, content) of IPTC and extended XMP segments, unchanged.
    """

    format: ClassVar[str] = "JPEG"

    quantisation: tuple[tuple[int, ...], ...] = ()
    subsampling: int = 0
    progressive: bool = False
    comment: bytes | None = None
    segments: tuple[tuple[int, bytes], ...] = ()

    @classmethod
    def of(cls, image: PIL.Image.Image, _file: BinaryIO) -> JpegEncoding:
        """The settings of an opened JPEG file."""
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        table_numbers = dict.fromkeys(table for _, _, _, table in image.layer)
        return cls(
            quantisation=tuple(tuple(image.quantization[n]) for n in table_numbers),
            subsampling=max(JpegImagePlugin.get_sampling(image), 0),
            progressive=bool(image.info.get("progressive")),
            comment=image.info.get("comment"),
            segments=tuple(
                (_MARKERS_OF[name], content)
                for name, content in image.applist
                if name in _MARKERS_OF and content.startswith(_CARRIED_PREFIXES)
            ),
        )

    def encode(self, image: PIL.Image.Image, metadata: Metadata) -> bytes:
        """The file's content."""
        buffer = io.BytesIO()
        tables: dict[str, Any] = (
            {"qtables": [list(table) for table in self.quantisation]}
            if self.quantisation
            else {"quality": 95}
        )
        image.save(
            buffer,
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
        return buffer.getvalue()


def _exif_segments(exif: bytes | None) -> bytes:
    size = _SEGMENT_BYTES - len(_EXIF_PREFIX)
    parts = [exif[i : i + size] for i in range(0, len(exif), size)] if exif else []
    return b"".join(_segment(_MARKERS_OF["APP1"], _EXIF_PREFIX + part) for part in parts)


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
