from __future__ import annotations

import struct

import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.ExifTags import IFD, Base

from deblur_cli.imaging.formats.tiff_directory import (
    EXIF,
    DamagedDirectoryError,
    Layout,
    Value,
    directory_bytes,
    read_first_directory,
)

KINDS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 10: 8, 12: 8}
VALUES = st.sampled_from(sorted(KINDS)).flatmap(
    lambda kind: st.integers(1, 9).flatmap(
        lambda count: st.binary(min_size=count * KINDS[kind], max_size=count * KINDS[kind]).map(
            lambda content: Value(kind, content)
        )
    )
)
TAGS = st.integers(1, 0x7FFF)
DIRECTORIES = st.dictionaries(TAGS, VALUES, min_size=1, max_size=8)
LAYOUTS = [Layout("<"), Layout(">"), Layout("<", big=True), Layout(">", big=True)]


def structure(directory, layout: Layout) -> bytes:
    mark, version = ("II" if layout.order == "<" else "MM"), (43 if layout.big else 42)
    head = mark.encode() + struct.pack(layout.order + "H", version)
    head += struct.pack(
        layout.order + ("HHQ" if layout.big else "I"), *((8, 0, 16) if layout.big else (8,))
    )
    return head + directory_bytes(directory, layout, len(head))


def reader(content: bytes):
    return lambda start, length: content[start : start + length]


@settings(max_examples=50, deadline=None)
@given(DIRECTORIES, DIRECTORIES, st.sampled_from(LAYOUTS))
def test_every_value_comes_back(directory, inner, layout):
    whole = {**directory, EXIF: inner}
    assert read_first_directory(reader(structure(whole, layout))) == (whole, layout)


@given(VALUES)
def test_byte_order_can_be_changed_and_back(value):
    little, big = Layout("<"), Layout(">")
    assert big.converted(little.converted(value, big), little) == value


def test_pillow_reads_what_is_written():
    little, big = Layout("<"), Layout(">")
    inner = {int(Base.ISOSpeedRatings): little.converted(Value(3, b"\x90\x01"), big)}
    content = structure({int(Base.Artist): Value(2, b"someone\0"), EXIF: inner}, big)
    exif = PIL.Image.Exif()
    exif.load(content)
    assert exif[Base.Artist] == "someone"
    assert exif.get_ifd(IFD.Exif)[Base.ISOSpeedRatings] == 400


@given(st.binary(max_size=60), st.sampled_from([b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b""]))
def test_nonsense_is_refused_or_read_in_part(rest, head):
    try:
        read_first_directory(reader(head + rest))
    except DamagedDirectoryError as error:
        assert str(error)


def test_directories_that_contain_themselves_end():
    entry = struct.pack("<HHII", EXIF, 4, 1, 8)
    content = b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    directory, _ = read_first_directory(reader(content))
    assert directory[EXIF][EXIF][EXIF] == {}


def test_no_structure_is_refused():
    with pytest.raises(DamagedDirectoryError, match="no TIFF header"):
        read_first_directory(reader(b"words"))
