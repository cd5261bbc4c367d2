"""Directories of TIFF structures, classic or big, value by value as bytes: nothing is lost.

An EXIF block is such a structure without pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
SUB_DIRECTORIES = frozenset({EXIF, GPS, INTEROPERABILITY})
_MAX_ENTRIES = 4096
_UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}
_UNITS |= {16: 8, 17: 8, 18: 8}
_NUMBERS_PER_VALUE = {5: 2, 10: 2}
_LONG = 4
_POINTERS = {4: "I", 13: "I", 18: "Q"}


class DamagedDirectoryError(ValueError):
    """The structure's header or first directory cannot be followed."""


@dataclass(frozen=True)
class Value:
    """What a tag holds: its TIFF type, and the values in the structure's byte order."""

    kind: int
    content: bytes

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.content) // (_UNITS[self.kind] * _NUMBERS_PER_VALUE.get(self.kind, 1))


Directory: TypeAlias = "dict[int, Value | Directory]"


@dataclass(frozen=True)
class Layout:
    """How a structure's numbers lie: `<` or `>`, and whether it is a BigTIFF."""

    order: str
    big: bool = False

    @classmethod
    def of(cls, header: bytes) -> Layout:
        """The layout by a file's first bytes.

        Raises:
            DamagedDirectoryError: they are no TIFF header.
        """
        known = {b"II*\0": ("<", False), b"MM\0*": (">", False)}
        known |= {b"II+\0": ("<", True), b"MM\0+": (">", True)}
        if header[:4] not in known:
            raise DamagedDirectoryError("no TIFF header")
        return cls(*known[header[:4]])

    @property
    def count(self) -> struct.Struct:
        """The number of entries of a directory."""
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def entry(self) -> struct.Struct:
        """Tag, type, count, and the values or where they lie."""
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))

    @property
    def offset(self) -> struct.Struct:
        """A position in the structure."""
        return struct.Struct(self.order + ("Q" if self.big else "I"))

    @property
    def first_link(self) -> int:
        """Where the header says where the first directory lies."""
        return 8 if self.big else 4

    def converted(self, value: Value, target: Layout) -> Value:
        """The value in another structure's byte order."""
        unit = _UNITS[value.kind]
        if self.order == target.order or unit == 1:
            return value
        swapped = np.frombuffer(value.content, f"V{unit}").copy().view(f"u{unit}").byteswap()
        return Value(value.kind, swapped.tobytes())


Read: TypeAlias = Callable[[int, int], bytes]
"""Gives so many bytes from a position; fewer, or none, where they reach beyond the end."""


def read_first_directory(read: Read) -> tuple[Directory, Layout]:
    """The first directory of a structure, with those that EXIF, GPS and Interoperability point to.

    Entries that cannot be followed are left out.

    Raises:
        DamagedDirectoryError: there is no directory.
    """
    layout = Layout.of(read(0, 4))
    start = _number(layout.offset, read(layout.first_link, layout.offset.size))
    return dict(_entries(read, layout, start, depth=0)), layout


def directory_bytes(directory: Directory, layout: Layout, start: int) -> bytes:
    """A directory and all its values as bytes that are to lie at `start` of a structure."""
    entries, values = [], b""
    head = layout.count.size + len(directory) * layout.entry.size + layout.offset.size
    for tag, value in sorted(directory.items()):
        position = start + head + len(values)
        if isinstance(value, dict):
            values += _padded(directory_bytes(value, layout, position))
            value = Value(_LONG, struct.pack(layout.order + "I", position))
        kept = value.content
        if len(kept) > layout.offset.size:
            values += _padded(kept)
            kept = layout.offset.pack(position)
        entries.append(layout.entry.pack(tag, value.kind, value.count, kept))
    return layout.count.pack(len(entries)) + b"".join(entries) + layout.offset.pack(0) + values


def _entries(
    read: Read, layout: Layout, start: int, depth: int
) -> Iterator[tuple[int, Value | Directory]]:
    count = _number(layout.count, read(start, layout.count.size))
    if count > _MAX_ENTRIES:
        raise DamagedDirectoryError(f"a directory of {count} entries")
    size = layout.entry.size
    table = read(start + layout.count.size, count * size)
    for head in (table[i : i + size] for i in range(0, len(table) - size + 1, size)):
        tag, kind, number, place = layout.entry.unpack(head)
        length = _UNITS.get(kind, 0) * _NUMBERS_PER_VALUE.get(kind, 1) * number
        is_apart = length > layout.offset.size
        content = read(_number(layout.offset, place), length) if is_apart else place[:length]
        if not length or len(content) != length:
            continue
        if tag not in SUB_DIRECTORIES:
            yield tag, Value(kind, content)
        elif depth < len(SUB_DIRECTORIES) and kind in _POINTERS:
            try:
                where = _number(struct.Struct(layout.order + _POINTERS[kind]), content)
                yield tag, dict(_entries(read, layout, where, depth + 1))
            except DamagedDirectoryError:
                continue


def _number(form: struct.Struct, content: bytes) -> int:
    try:
        (value,) = form.unpack(content)
    except struct.error as error:
        raise DamagedDirectoryError("cut off") from error
    return int(value)


def _padded(content: bytes) -> bytes:
    return content + bytes(len(content) % 2)
