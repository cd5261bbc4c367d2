"""Which tags of a TIFF file describe the photo, as an EXIF block and back into a file."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from PIL.ExifTags import Base

from deblur_cli.imaging.formats.tiff_directory import (
    SUB_DIRECTORIES,
    DamagedDirectoryError,
    Directory,
    Layout,
    Read,
    Value,
    directory_bytes,
    read_first_directory,
)

_BYTE = 1
_XMP = 700
_HEADER_BYTES = 8
_REDUCED = 1
_SENSOR_COLOURS = frozenset({32803, 34892})
_DESCRIPTIVE_TAGS = SUB_DIRECTORIES | {
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


def read_directory(file: BinaryIO) -> tuple[Directory, Layout]:
    """The first directory of a TIFF file.

    Raises:
        DamagedDirectoryError: there is none.
    """

    return read_first_directory(reader_of(file))


def reader_of(file: BinaryIO) -> Read:
    """Reads parts of a file; nothing where they reach beyond its end."""
    size = file.seek(0, os.SEEK_END)

    def read(position: int, length: int) -> bytes:
        if position + length > size:
            return b""
        file.seek(position)
        return file.read(length)

    return read


def is_raw(directory: Directory, layout: Layout) -> bool:
    """Whether a first directory is a raw photo's: a DNG's, sensor data, or a reduced preview."""
    kind = _integer(directory.get(Base.NewSubfileType), layout)
    colours = _integer(directory.get(Base.PhotometricInterpretation), layout)
    return Base.DNGVersion in directory or bool(kind & _REDUCED) or colours in _SENSOR_COLOURS


def _integer(value: Value | Directory | None, layout: Layout) -> int:
    content = value.content if isinstance(value, Value) else b""
    return int.from_bytes(content, "little" if layout.order == "<" else "big")


def exif_of(directory: Directory, layout: Layout) -> bytes | None:
    """The orientation and the descriptive tags as a bare EXIF block; None if there are none.

    Tags that say how the pixels lie in the file are left to the writer.
    """
    wanted = _DESCRIPTIVE_TAGS | {Base.Orientation}
    kept = {
        tag: _converted(value, layout, Layout(layout.order))
        for tag, value in directory.items()
        if tag in wanted
    }
    if not kept:
        return None
    start = struct.pack(layout.order + "HI", 42, _HEADER_BYTES)
    mark = b"II" if layout.order == "<" else b"MM"
    return mark + start + directory_bytes(kept, Layout(layout.order), _HEADER_BYTES)


def with_tags(content: bytes, exif: bytes | None, xmp: bytes | None) -> bytes:
    """A TIFF file with the descriptive tags of an EXIF block, and XMP, in its directory."""
    directory, layout = read_first_directory(lambda start, length: content[start : start + length])
    directory |= _descriptive(exif, layout)
    if xmp:
        directory[_XMP] = Value(_BYTE, xmp)
    content += bytes(len(content) % 2)
    head, body = content[: layout.first_link], content[layout.first_link + layout.offset.size :]
    link = layout.offset.pack(len(content))
    return head + link + body + directory_bytes(directory, layout, len(content))


def _descriptive(exif: bytes | None, target: Layout) -> Directory:
    if not exif:
        return {}
    try:
        directory, layout = read_first_directory(lambda start, length: exif[start : start + length])
    except DamagedDirectoryError:
        return {}
    return {
        tag: _converted(value, layout, target)
        for tag, value in directory.items()
        if tag in _DESCRIPTIVE_TAGS
    }


def _converted(value: Value | Directory, source: Layout, target: Layout) -> Value | Directory:
    if isinstance(value, dict):
        return {tag: _converted(inner, source, target) for tag, inner in value.items()}
    return source.converted(value, target)
