from __future__ import annotations

import io
import struct
from itertools import product

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL.ExifTags import IFD, Base

from deblur_cli.imaging.exif import EMPTY, DamagedExifError, ExifBlock

THUMBNAIL = b"\xff\xd8thumbnail\xff\xd9"


def make_block(*, orientation=6, order="<", thumbnail=b""):
    """A block with orientation, maker, size and a maker note, and optionally a thumbnail."""
    note, maker = b"note with inner offsets", b"Maker of cameras\0"
    exif_at, maker_at = 8 + 2 + 3 * 12 + 4, 8 + 2 + 3 * 12 + 4 + 2 + 3 * 12 + 4
    note_at = maker_at + len(maker)
    thumbnail_at = note_at + len(note)
    jpeg_at = thumbnail_at + 2 + 2 * 12 + 4

    def directory(entries, following):
        packed = [struct.pack(order + "H", len(entries))]
        for tag, kind, count, value in entries:
            field = struct.pack(order + ("H2x" if kind == 3 else "I"), value)
            packed.append(struct.pack(order + "HHI", tag, kind, count) + field)
        return b"".join(packed) + struct.pack(order + "I", following)

    block = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    block += directory(
        [(0x010F, 2, len(maker), maker_at), (0x0112, 3, 1, orientation), (0x8769, 4, 1, exif_at)],
        thumbnail_at if thumbnail else 0,
    )
    block += directory(
        [(0x927C, 7, len(note), note_at), (0xA002, 4, 1, 4000), (0xA003, 3, 1, 3000)], 0
    )
    block += maker + note
    if thumbnail:
        block += directory([(0x0201, 4, 1, jpeg_at), (0x0202, 4, 1, len(thumbnail))], 0) + thumbnail
    return block


def directory_tags(block, order):
    """Tags of the first directory, in the order in which they are stored."""
    (start,) = struct.unpack_from(order + "I", block, 4)
    (count,) = struct.unpack_from(order + "H", block, start)
    return [struct.unpack_from(order + "H", block, start + 2 + 12 * i)[0] for i in range(count)]


def read(block):
    exif = PIL.Image.Exif()
    exif.load(block)
    return exif


def test_block_without_thumbnail_stays_as_it_is_however_long():
    block = make_block() + bytes(range(256)) * 1200
    exif = ExifBlock(block)
    exif.drop_thumbnail()
    assert exif.to_bytes() == block


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_read_and_reset(orientation, order):
    exif = ExifBlock(make_block(orientation=orientation, order=order))
    assert exif.orientation == orientation
    exif.describe_upright(30, 40)
    assert read(exif.to_bytes())[Base.Orientation] == 1


@pytest.mark.parametrize("nonsense", [0, 9, 65535])
def test_nonsense_means_upright(nonsense):
    assert ExifBlock(make_block(orientation=nonsense)).orientation == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_only_what_would_be_wrong_is_changed(order):
    before = make_block(order=order)
    exif = ExifBlock(before)
    exif.describe_upright(3000, 4000)
    exif.drop_thumbnail()
    after = exif.to_bytes()
    tags = read(after).get_ifd(IFD.Exif)
    assert (tags[Base.ExifImageWidth], tags[Base.ExifImageHeight]) == (3000, 4000)
    assert tags[Base.MakerNote] == b"note with inner offsets"
    assert read(after)[Base.Make] == "Maker of cameras"
    assert len(after) == len(before)
    assert sum(a != b for a, b in zip(after, before, strict=True)) <= 5


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_thumbnail_is_unlinked_and_removed(order):
    exif = ExifBlock(make_block(order=order, thumbnail=THUMBNAIL))
    exif.drop_thumbnail()
    assert THUMBNAIL not in exif.to_bytes()
    assert not read(exif.to_bytes()).get_ifd(IFD.IFD1)
    assert read(exif.to_bytes()).get_ifd(IFD.Exif)[Base.MakerNote] == b"note with inner offsets"


def test_a_thumbnail_before_other_data_is_blanked_in_place():
    block = make_block(thumbnail=THUMBNAIL) + b"and more"
    exif = ExifBlock(block)
    exif.drop_thumbnail()
    assert exif.to_bytes().endswith(bytes(len(THUMBNAIL)) + b"and more")


def test_a_thumbnail_pointing_at_other_data_harms_nothing():
    block = make_block(thumbnail=b"not a JPEG")
    exif = ExifBlock(block)
    exif.drop_thumbnail()
    assert exif.to_bytes().endswith(b"not a JPEG")


def test_a_size_too_large_for_its_tag_is_left():
    exif = ExifBlock(make_block())
    exif.describe_upright(70000, 70000)
    tags = read(exif.to_bytes()).get_ifd(IFD.Exif)
    assert (tags[Base.ExifImageWidth], tags[Base.ExifImageHeight]) == (70000, 3000)


@pytest.mark.parametrize("block", [b"", b"II*\0", b"no EXIF at all", b"II*\0\xff\xff\0\0"])
def test_a_damaged_header_is_reported(block):
    with pytest.raises(DamagedExifError):
        ExifBlock(block)


@given(st.data())
def test_damage_anywhere_is_survived_or_reported(data):
    block = bytearray(make_block(thumbnail=THUMBNAIL))
    for position in data.draw(st.lists(st.integers(0, len(block) - 1), max_size=6)):
        block[position] = data.draw(st.integers(0, 255))
    try:
        exif = ExifBlock(bytes(block[: data.draw(st.integers(0, len(block)))]))
    except DamagedExifError:
        return
    assert exif.orientation in range(1, 9)
    exif.describe_upright(3, 4)
    exif.drop_thumbnail()
    assert len(exif.to_bytes()) <= len(block) + 4
    assert exif.is_adobe_rgb in (True, False)
    assert isinstance(exif.software, str)
    exif.software = "deblur 1.0"
    assert exif.software == "deblur 1.0"


@pytest.mark.parametrize("order", ["<", ">"])
def test_software_is_added_and_nothing_else_moves(order):
    before = make_block(order=order)
    exif = ExifBlock(before)
    assert exif.software == ""
    exif.software = "deblur 1.0"
    assert exif.software == "deblur 1.0"
    exif.describe_upright(30, 40)
    after = exif.to_bytes()
    tags = read(after)
    assert tags[Base.Software] == "deblur 1.0"
    assert directory_tags(after, order) == [0x010F, 0x0112, 0x0131, 0x8769]
    assert tags[Base.Make] == "Maker of cameras"
    assert tags[Base.Orientation] == 1
    assert tags.get_ifd(IFD.Exif)[Base.ExifImageWidth] == 30
    assert after.index(b"note with inner offsets") == before.index(b"note with inner offsets")


@pytest.mark.parametrize("text", ["a much longer name of a program", "abc", ""])
def test_software_is_replaced(text):
    exif = ExifBlock(make_block(thumbnail=THUMBNAIL))
    exif.software = "Ver.1.00"
    directory = len(read(exif.to_bytes()))
    exif.software = text
    assert exif.software == text
    after = read(exif.to_bytes())
    assert after.get(Base.Software, "") == text
    assert len(after) == directory
    exif.drop_thumbnail()
    assert not read(exif.to_bytes()).get_ifd(IFD.IFD1)


def test_what_is_not_ascii_does_not_break_a_block():
    exif = ExifBlock(EMPTY)
    exif.software = "löwe 1.0"
    assert read(exif.to_bytes())[Base.Software] == "l?we 1.0"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("space", "rule"), list(product((1, 2, 0xFFFF), ("R98", "R03"))))
def test_adobe_rgb_is_recognised(space, rule, order):
    exif = PIL.Image.Exif()
    exif.endian = order
    exif[IFD.Exif] = {Base.ColorSpace: space, IFD.Interop: {1: rule}}
    block = ExifBlock(exif.tobytes().removeprefix(b"Exif\0\0"))
    assert block.is_adobe_rgb == (space == 0xFFFF and rule == "R03")
    assert not ExifBlock(make_block(order=order)).is_adobe_rgb


def test_blocks_written_by_pillow_are_understood():
    exif, buffer = PIL.Image.Exif(), io.BytesIO()
    exif[Base.Orientation] = 8
    exif[IFD.GPSInfo] = {1: "N"}
    PIL.Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(buffer, "PNG", exif=exif)
    block = PIL.Image.open(buffer).getexif().tobytes().removeprefix(b"Exif\0\0")
    upright = ExifBlock(block)
    assert upright.orientation == 8
    upright.describe_upright(2, 2)
    assert read(upright.to_bytes()).get_ifd(IFD.GPSInfo)[1] == "N"
