from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.checkpoints.protobuf import fields, integers, messages, read_varint
from tests.checkpoints.tensorflow_files import number, text, varint

MESSAGE = (
    number(1, 300)
    + text(2, b"one")
    + text(2, b"two")
    + varint(3 << 3 | 5)
    + struct.pack("<I", 2**31)
    + varint(20 << 3 | 1)
    + struct.pack("<Q", 2**63)
)


def test_every_kind_of_field_is_read() -> None:
    assert list(fields(MESSAGE)) == [(1, 300), (2, b"one"), (2, b"two"), (3, 2**31), (20, 2**63)]
    assert integers(MESSAGE) == {1: 300, 3: 2**31, 20: 2**63}
    assert list(messages(MESSAGE, 2)) == [b"one", b"two"]
    assert list(messages(MESSAGE, 1)) == []


@given(st.integers(0, 2**64 - 1))
@settings(deadline=None)
def test_varints_come_back(value: int) -> None:
    assert read_varint(b"?" + varint(value) + b"!", 1) == (value, 1 + len(varint(value)))


@pytest.mark.parametrize(
    "message", [MESSAGE[:-1], MESSAGE[:5], b"\x80", b"\x08" + b"\xff" * 11, varint(1 << 3 | 3)]
)
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|unknown kind"):
        list(fields(message))
