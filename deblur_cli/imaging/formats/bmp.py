"""BMP: 8 bits per sample, uncompressed."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import ClassVar

from deblur_cli.imaging.formats import pillow
from deblur_cli.imaging.photo import Image, Metadata
from deblur_cli.imaging.source import Source, Stored, UnsupportedError


@dataclass(frozen=True)
class BmpEncoding:
    """BMP without compression, the resolution kept."""

    format: ClassVar[str] = "BMP"
    suffix: ClassVar[str] = ".bmp"

    def encode(self, samples: Image, metadata: Metadata) -> bytes:
        """The file's content; the format holds neither alpha nor EXIF, ICC or XMP."""
        if samples.shape[2] in (2, 4):
            raise ValueError("it has no alpha channel")
        buffer = io.BytesIO()
        pillow.to_pillow(samples).save(buffer, self.format, dpi=metadata.dpi or (0, 0))
        return buffer.getvalue()


def read(source: Source) -> Stored:
    """Decode a BMP file without transparency."""
    from PIL import BmpImagePlugin

    with BmpImagePlugin.BmpImageFile(source.file) as image:
        pillow.check(image, source, "BMP")
        if image.has_transparency_data:
            raise UnsupportedError("BMPs with transparency")
        return pillow.stored(image, BmpEncoding())
