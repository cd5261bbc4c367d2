"""PNG: sample depth by its header, and the chunks a restored file keeps."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

import PIL.Image
from PIL import PngImagePlugin

from deblur_cli.imaging.photo import Metadata

_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_COLOUR_CHUNKS = frozenset({b"cHRM", b"cICP", b"gAMA", b"sRGB"})
_TEXT_CHUNKS = frozenset({b"tEXt", b"zTXt", b"iTXt"})


def unsupported(file: BinaryIO) -> str | None:
    """What the file is, if a PNG of more than 8 bits per sample; else None."""
    file.seek(8)
    header = file.read(17)
    is_deep = header[4:8] == b"IHDR" and header[16:] > b"\x08"
    return f"{header[16]}-bit PNG" if is_deep else None


@dataclass(frozen=True)
class PngEncoding:
    """PNG with the source's colour space and text chunks, unchanged.

    Attributes:
        chunks: (type, content), in the file's order.
    """

    format: ClassVar[str] = "PNG"

    chunks: tuple[tuple[bytes, bytes], ...] = ()

    @classmethod
    def of(cls, _image: PIL.Image.Image, file: BinaryIO) -> PngEncoding:
        """The chunks of a PNG file worth keeping."""
        return cls(tuple(_kept_chunks(file)))

    def encode(self, image: PIL.Image.Image, metadata: Metadata) -> bytes:
        """The file's content."""
        buffer = io.BytesIO()
        info = PngImagePlugin.PngInfo()
        for kind, content in self.chunks:
            info.add(kind, content)
        if metadata.xmp:
            info.add(b"iTXt", _XMP_KEYWORD + b"\0\0\0\0" + metadata.xmp)
        image.save(
            buffer,
            self.format,
            pnginfo=info,
            icc_profile=metadata.icc,
            exif=metadata.exif,
            dpi=metadata.dpi,
        )
        return buffer.getvalue()


def _kept_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind not in _COLOUR_CHUNKS | _TEXT_CHUNKS:
            file.seek(length + 4, 1)
            continue
        content = file.read(length)
        file.seek(4, 1)
        if not content.startswith(_XMP_KEYWORD):
            yield kind, content
