"""An EXIF block made true for the upright picture, changed in place so that all else survives.

It is a TIFF file without pixels: directories of 12-byte entries (tag, type, count, value or
offset). Only the values that would become wrong are overwritten, and new ones stand at the end;
nothing else moves, so maker notes, whose inner offsets depend on their position, stay readable.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

UPRIGHT = 1
"""The orientation of a picture whose first row is its top and first column its left."""

_ORIENTATION = 0x0112
_SOFTWARE = 0x0131
_EXIF_FOLDER = 0x8769
_COLOUR_SPACE, _UNCALIBRATED = 0xA001, 0xFFFF
_INTEROPERABILITY_FOLDER, _RULE = 0xA005, 0x0001
_WIDTH_TAGS = (0x0100, 0xA002)
_HEIGHT_TAGS = (0x0101, 0xA003)
_THUMBNAIL_START, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_JPEG_START = b"\xff\xd8"
_ASCII = 2
_INLINE_BYTES = 4
_HEADER_BYTES = 8
_INTEGERS = {3: "H", 4: "I"}

EMPTY = b"II*\0" + struct.pack("<IHI", 8, 0, 0)
"""A block that says nothing."""


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
        self._find_directory()

    def _find_directory(self) -> None:
        start = self._read("I", 4)
        self._entries = self._directory(start)
        self._next_link = start + 2 + 12 * len(self._entries)

    def to_bytes(self) -> bytes:
        """The block as it is now."""
        return bytes(self._bytes)

    @property
    def orientation(self) -> int:
        """1 to 8 as in the EXIF standard; 1, upright, where the tag is absent or nonsense."""
        values = [self._value(entry) for entry in self._entries if entry.tag == _ORIENTATION]
        return values[0] if values and values[0] in range(1, 9) else UPRIGHT

    @property
    def is_adobe_rgb(self) -> bool:
        """Whether the colours are Adobe RGB (1998): by DCF "uncalibrated", with the rule R03."""
        values = {entry.tag: entry for entry in self._all_entries()}
        space, interoperability = values.get(_COLOUR_SPACE), values.get(_INTEROPERABILITY_FOLDER)
        if space is None or interoperability is None or self._value(space) != _UNCALIBRATED:
            return False
        rules = self._linked(interoperability)
        return any(self._text(rule) == "R03" for rule in rules if rule.tag == _RULE)

    @property
    def software(self) -> str:
        """The tag `Software`; empty where it is absent."""
        return next((self._text(entry) for entry in self._entries if entry.tag == _SOFTWARE), "")

    @software.setter
    def software(self, text: str) -> None:
        if all(entry.tag != _SOFTWARE for entry in self._entries):
            self._move_directory_to_end(with_tag=_SOFTWARE)
        entry = next(entry for entry in self._entries if entry.tag == _SOFTWARE)
        content = text.encode("ascii", "replace") + b"\0"
        struct.pack_into(self._order + "HI", self._bytes, entry.position - 6, _ASCII, len(content))
        if len(content) <= _INLINE_BYTES:
            field = content.ljust(_INLINE_BYTES, b"\0")
        else:
            field = struct.pack(self._order + "I", self._append(content))
        self._bytes[entry.position : entry.position + _INLINE_BYTES] = field

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
                yield from self._linked(entry)

    def _linked(self, entry: _Entry) -> list[_Entry]:
        """The directory an entry points to; empty if it cannot be followed."""
        try:
            return self._directory(self._value(entry))
        except DamagedExifError:
            return []

    def _move_directory_to_end(self, with_tag: int) -> None:
        """Copy the first directory behind all else, where it has room for one more entry."""
        packed = [self._bytes[entry.position - 8 : entry.position + 4] for entry in self._entries]
        new = struct.pack(self._order + "HHII", with_tag, _ASCII, 0, 0)
        packed.insert(sum(entry.tag < with_tag for entry in self._entries), bytearray(new))
        following = self._bytes[self._next_link : self._next_link + 4].ljust(4, b"\0")
        count = struct.pack(self._order + "H", len(packed))
        place = self._append(count + b"".join(packed) + following)
        struct.pack_into(self._order + "I", self._bytes, 4, place)
        self._find_directory()

    def _append(self, content: bytes) -> int:
        """Put something at the end, on a word boundary, and say where."""
        self._bytes += bytes(len(self._bytes) % 2)
        place = len(self._bytes)
        self._bytes += content
        return place

    def _directory(self, offset: int) -> list[_Entry]:
        first, count = offset + 2, self._read("H", offset)
        if offset < _HEADER_BYTES or first + 12 * count > len(self._bytes):
            raise DamagedExifError(f"no directory of {count} entries can be at {offset}")
        return [self._entry(first + 12 * i) for i in range(count)]

    def _entry(self, start: int) -> _Entry:
        entry = _Entry(self._read("H", start), self._read("H", start + 2), start + 8)
        self._read("I", entry.position)
        return entry

    def _value(self, entry: _Entry) -> int:
        return self._read(_INTEGERS.get(entry.kind, "I"), entry.position)

    def _text(self, entry: _Entry) -> str:
        length = self._read("I", entry.position - 4)
        start = entry.position if length <= _INLINE_BYTES else self._read("I", entry.position)
        text = bytes(self._bytes[start : start + length]).partition(b"\0")[0]
        return text.decode("ascii", "replace").strip()

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
