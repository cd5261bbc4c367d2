"""WebP: whether a file is lossless, and how it is written back."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

import PIL.Image

from deblur_cli.imaging.photo import Metadata

_LOSSY_QUALITY = 90


def unsupported(_file: BinaryIO) -> None:
    """None: every WebP file has 8 bits per sample."""


@dataclass(frozen=True)
class WebpEncoding:
    """Lossless WebP, or lossy at quality 90: a file does not tell the quality it was made with."""

    format: ClassVar[str] = "WEBP"

    lossless: bool = True

    @classmethod
    def of(cls, _image: PIL.Image.Image, file: BinaryIO) -> WebpEncoding:
        """Lossless if the picture lies in a `VP8L` chunk."""
        file.seek(12)
        while len(head := file.read(8)) == 8:
            kind, length = struct.unpack("<4sI", head)
            if kind in (b"VP8L", b"VP8 "):
                return cls(lossless=kind == b"VP8L")
            file.seek(length + length % 2, 1)
        return cls()

    def encode(self, image: PIL.Image.Image, metadata: Metadata) -> bytes:
        """The file's content."""
        buffer = io.BytesIO()
        image.save(
            buffer,
            self.format,
            lossless=self.lossless,
            exact=self.lossless,
            quality=_LOSSY_QUALITY,
            icc_profile=metadata.icc,
            exif=metadata.exif or b"",
            xmp=metadata.xmp or b"",
        )
        return buffer.getvalue()
