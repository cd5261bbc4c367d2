from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deblur_cli.imaging.formats.photoshop import without_thumbnails


def block(number, content, name=b""):
    title = bytes([len(name)]) + name
    title += bytes(len(title) % 2)
    padding = bytes(len(content) % 2)
    head = b"8BIM" + struct.pack(">H", number) + title
    return head + struct.pack(">I", len(content)) + content + padding


IPTC = block(1028, b"\x1c\x02\x78\0\5title")
PATH = block(2000, b"path", name=b"outline")


@pytest.mark.parametrize("number", [1033, 1036])
def test_thumbnails_go_and_all_else_stays(number):
    thumbnail = block(number, b"\xff\xd8 odd\xff\xd9")
    assert without_thumbnails(IPTC + thumbnail + PATH + thumbnail) == IPTC + PATH


def test_thumbnails_may_have_names():
    assert without_thumbnails(block(1036, b"jpeg", name=b"ab") + IPTC) == IPTC


@pytest.mark.parametrize(
    "rest", [b"8BIM", b"8BIM\4\x0c", b"nothing known", block(1036, b"abc")[:-3]]
)
def test_a_damaged_rest_stays(rest):
    assert without_thumbnails(IPTC + rest) == IPTC + rest


@given(st.binary(max_size=60))
def test_anything_is_survived(noise):
    for resources in (noise, IPTC[:20] + noise, b"8BIM" + noise):
        kept = without_thumbnails(resources)
        assert len(kept) <= len(resources)
