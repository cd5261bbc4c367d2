"""TIFF: sample depth by its first directory, and the tags a restored file keeps."""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, BinaryIO, ClassVar

import PIL.Image
from PIL import TiffImagePlugin
from PIL.ExifTags import IFD, Base

from deblur_cli.imaging.photo import Metadata

_XMP = 700
_REDUCED, _FLOAT = 1, 3
_DIRECTORIES = frozenset({IFD.Exif, IFD.GPSInfo})
_DESCRIPTIVE_TAGS = frozenset(
    {
        Base.DocumentName,
        Base.ImageDescription,
        Base.Make,
        Base.Model,
        Base.PageName,
        Base.Software,
        Base.DateTime,
        Base.Artist,
        Base.HostComputer,
        Base.Copyright,
        Base.Rating,
        Base.RatingPercent,
        Base.IPTCNAA,
        Base.XPTitle,
        Base.XPComment,
        Base.XPAuthor,
        Base.XPKeywords,
        Base.XPSubject,
    }
)
_LOSSLESS = frozenset({"raw", "packbits", "tiff_lzw", "tiff_adobe_deflate"})


def unsupported(file: BinaryIO) -> str | None:
    """What the file is, if raw sensor data, floats, or not 8 bits per sample; else None.

    None too where the directory does not tell the bits: that is for the decoder to judge, as the
    file is cut off, or has one bit by default, which Pillow's mode shows.
    """
    directory = _first_directory(file)
    bits = max(directory.get(Base.BitsPerSample, (8,)))
    if Base.DNGVersion in directory or directory.get(Base.NewSubfileType, 0) & _REDUCED:
        return "raw photo"
    if _FLOAT in directory.get(Base.SampleFormat, ()):
        return f"{bits}-bit floating-point TIFF"
    return None if bits == 8 else f"{bits}-bit TIFF"


def _first_directory(file: BinaryIO) -> TiffImagePlugin.ImageFileDirectory_v2:
    file.seek(0)
    header = file.read(8)
    if header[2:3] == b"+" or header[3:4] == b"+":
        header += file.read(8)
    directory = TiffImagePlugin.ImageFileDirectory_v2(header)
    file.seek(directory.next)
    directory.load(file)
    return directory


def read_exif(image: PIL.Image.Image) -> bytes | None:
    """The descriptive tags, EXIF and GPS directories of an opened TIFF file as an EXIF block.

    Tags that say how the pixels lie in the file are left to the writer.
    """
    source, kept = image.getexif(), PIL.Image.Exif()
    for tag in _DESCRIPTIVE_TAGS:
        if isinstance(value := source.get(tag), str | bytes | int):
            kept[tag] = value
    for directory in _DIRECTORIES:
        if content := source.get_ifd(directory):
            kept[directory] = {tag: value for tag, value in content.items() if tag != IFD.Interop}
    return kept.tobytes() if len(kept) else None


@dataclass(frozen=True)
class TiffEncoding:
    """TIFF with the source's compression if that is lossless and common, else with Deflate."""

    format: ClassVar[str] = "TIFF"

    compression: str = "tiff_adobe_deflate"

    @classmethod
    def of(cls, image: PIL.Image.Image, _file: BinaryIO) -> TiffEncoding:
        """The compression of an opened TIFF file."""
        compression = image.info.get("compression")
        return cls(compression) if compression in _LOSSLESS else cls()

    def encode(self, image: PIL.Image.Image, metadata: Metadata) -> bytes:
        """The file's content."""
        buffer = io.BytesIO()
        image.save(
            buffer,
            self.format,
            compression=self.compression,
            icc_profile=metadata.icc,
            dpi=metadata.dpi,
        )
        return _with_tags(buffer, _descriptive_tags(metadata))


def _descriptive_tags(metadata: Metadata) -> dict[int, Any]:
    exif = PIL.Image.Exif()
    if metadata.exif:
        exif.load(metadata.exif)
    tags = {tag: value for tag, value in exif.items() if tag in _DESCRIPTIVE_TAGS}
    tags |= {tag: exif.get_ifd(tag) for tag in _DIRECTORIES if tag in exif}
    return tags | ({_XMP: metadata.xmp} if metadata.xmp else {})


def _with_tags(file: io.BytesIO, tags: dict[int, Any]) -> bytes:
    """The one-picture file with more tags, EXIF and GPS directories included.

    Pillow hands a picture to be compressed to libtiff, which takes no directories from it; so its
    strips are put behind a new directory.
    """
    source = _first_directory(file)
    target = TiffImagePlugin.ImageFileDirectory_v2(prefix=source.prefix)
    for tag in source:
        target.tagtype[tag] = source.tagtype[tag]
        target[tag] = source[tag]
    for tag, value in tags.items():
        target[tag] = value
    content, lengths = file.getbuffer(), source[Base.StripByteCounts]
    target[Base.StripOffsets] = tuple(accumulate(lengths[:-1], initial=0))
    result = io.BytesIO()
    target.save(result)
    for start, length in zip(source[Base.StripOffsets], lengths, strict=True):
        result.write(content[start : start + length])
    return result.getvalue()
