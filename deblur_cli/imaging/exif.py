"""An EXIF block made true for the upright picture, changed in place so that all else survives.

It is a TIFF file without pixels: directories of 12-byte entries (tag, type, count, value or
offset). Only the values that would become wrong are overwritten; nothing moves, so maker notes,
whose inner offsets depend on their position, stay readable.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

UPRIGHT = 1
"""The orientation of a picture whose first row is its top and first column its left."""

_ORIENTATION = 0x0112
_EXIF_FOLDER = 0x8769
_WIDTH_TAGS = (0x0100, 0xA002)
_HEIGHT_TAGS = (0x0101, 0xA003)
_THUMBNAIL_START, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_JPEG_START = b"\xff\xd8"
_INTEGERS = {3: "H", 4: "I"}


class DamagedExifError(ValueError):
    """The block's header or first directory cannot be followed."""


@dataclass(frozen=True)
class _Entry:
    tag: int
    kind: int
    position: int


class ExifBlock:
    """One EXIF block (a bare TIFF structure, either byte order) open for changes.

    Raises:
        DamagedExifError: the structure leads nowhere.
    """

    def __init__(self, block: bytes) -> None:
        self._bytes = bytearray(block)
        self._order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4], "")
        if not self._order:
            raise DamagedExifError("no TIFF header")
        self._entries = self._directory(self._read("I", 4))
        self._next_link = self._read("I", 4) + 2 + 12 * len(self._entries)

    def to_bytes(self) -> bytes:
        """The block as it is now."""
        return bytes(self._bytes)

    @property
    def orientation(self) -> int:
        """1 to 8 as in the EXIF standard; 1, upright, where the tag is absent or nonsense."""
        values = [self._value(entry) for entry in self._entries if entry.tag == _ORIENTATION]
        return values[0] if values and values[0] in range(1, 9) else UPRIGHT

    def describe_upright(self, width: int, height: int) -> None:
        """Set the orientation to 1 and every width and height tag to the upright picture's."""
        for entry in self._all_entries():
            if entry.tag == _ORIENTATION:
                self._write(entry, UPRIGHT)
            elif entry.tag in _WIDTH_TAGS:
                self._write(entry, width)
            elif entry.tag in _HEIGHT_TAGS:
                self._write(entry, height)

    def drop_thumbnail(self) -> None:
        """Unlink the thumbnail directory and blank the preview it points to, cut off at the end."""
        start, stop = self._thumbnail_range()
        self._bytes[self._next_link : self._next_link + 4] = bytes(4)
        if self._bytes[start : start + 2] != _JPEG_START or stop > len(self._bytes):
            return
        self._bytes[start:stop] = bytes(stop - start)
        if stop == len(self._bytes):
            del self._bytes[start:]

    def _thumbnail_range(self) -> tuple[int, int]:
        try:
            directory = self._directory(self._read("I", self._next_link))
        except DamagedExifError:
            return 0, 0
        values = {entry.tag: self._value(entry) for entry in directory}
        start = values.get(_THUMBNAIL_START, 0)
        return start, start + values.get(_THUMBNAIL_LENGTH, 0)

    def _all_entries(self) -> Iterator[_Entry]:
        for entry in self._entries:
            yield entry
            if entry.tag == _EXIF_FOLDER:
                try:
                    yield from self._directory(self._value(entry))
                except DamagedExifError:
                    continue

    def _directory(self, offset: int) -> list[_Entry]:
        starts = [offset + 2 + 12 * i for i in range(self._read("H", offset))]
        return [self._entry(start) for start in starts]

    def _entry(self, start: int) -> _Entry:
        entry = _Entry(self._read("H", start), self._read("H", start + 2), start + 8)
        self._read("I", entry.position)
        return entry

    def _value(self, entry: _Entry) -> int:
        return self._read(_INTEGERS.get(entry.kind, "I"), entry.position)

    def _write(self, entry: _Entry, value: int) -> None:
        code = _INTEGERS.get(entry.kind)
        if code and value < 1 << 8 * struct.calcsize(code):
            struct.pack_into(self._order + code, self._bytes, entry.position, value)

    def _read(self, code: str, position: int) -> int:
        try:
            (value,) = struct.unpack_from(self._order + code, self._bytes, position)
        except struct.error as error:
            raise DamagedExifError(str(error)) from error
        return int(value)
