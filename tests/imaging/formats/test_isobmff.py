from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deblur_cli.imaging.formats.isobmff import box, boxes, find_boxes, require_complete

KINDS = st.binary(min_size=4, max_size=4)


@given(st.lists(st.tuples(KINDS, st.binary(max_size=40))))
def test_boxes_come_back(given_boxes):
    content = b"".join(box(*each) for each in given_boxes)
    assert list(boxes(content)) == given_boxes
    require_complete(content)


@given(st.binary(max_size=60))
def test_nonsense_ends(content):
    assert len(list(boxes(content))) <= len(content)


def test_a_box_that_is_cut_off_is_refused():
    with pytest.raises(ValueError, match="cut off"):
        require_complete((box(b"ftyp", b"avif") + box(b"mdat", bytes(50)))[:-1])


def test_long_and_open_lengths_are_understood():
    long = b"\0\0\0\1free" + (18).to_bytes(8) + b"ab"
    assert list(boxes(long + b"\0\0\0\0mdatrest")) == [(b"free", b"ab"), (b"mdat", b"rest")]


def test_boxes_within_headers_are_found():
    inner = box(b"colr", b"nclx")
    content = box(b"meta", bytes(4) + box(b"iprp", box(b"ipco", inner)))
    assert find_boxes(content, b"colr") == [b"nclx"]
