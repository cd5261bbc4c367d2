"""WebP: whether a file is lossless, and how it is written back."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

from PIL import WebPImagePlugin

from deblur_cli.imaging.formats import pillow
from deblur_cli.imaging.photo import Image, Metadata
from deblur_cli.imaging.source import Source, Stored


@dataclass(frozen=True)
class WebpEncoding:
    """Lossless WebP, or lossy: a file does not tell the quality it was made with."""

    format: ClassVar[str] = "WebP"
    suffix: ClassVar[str] = ".webp"

    lossless: bool = True
    quality: int = 90

    def encode(self, samples: Image, metadata: Metadata) -> bytes:
        """The file's content."""
        buffer = io.BytesIO()
        pillow.to_pillow(samples).save(
            buffer,
            self.format,
            lossless=self.lossless,
            exact=self.lossless,
            quality=self.quality,
            icc_profile=metadata.icc,
            exif=metadata.exif or b"",
            xmp=metadata.xmp or b"",
        )
        return buffer.getvalue()


def read(source: Source) -> Stored:
    """Decode a WebP file of a single frame."""
    encoding = WebpEncoding(lossless=_is_lossless(source.file))
    source.file.seek(0)
    with WebPImagePlugin.WebPImageFile(source.file) as image:
        pillow.check(image, source, "WebP")
        return pillow.stored(image, encoding)


def _is_lossless(file: BinaryIO) -> bool:
    """Whether the picture lies in a `VP8L` chunk."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        if kind in (b"VP8L", b"VP8 "):
            return bool(kind == b"VP8L")
        file.seek(length + length % 2, 1)
    return True
