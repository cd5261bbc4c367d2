"""Protocol buffers' wire format: the fields of a message, without its schema."""

from __future__ import annotations

from collections.abc import Iterator


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field, in their order.

    Varints and fixed widths come as unsigned integers, everything with a length as bytes.

    Raises:
        ValueError: the bytes are no message.
    """
    position = 0
    while position < len(message):
        tag, position = read_varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, position = read_varint(message, position)
            yield number, value
            continue
        if kind == 2:
            length, position = read_varint(message, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of unknown kind {kind}")
        content = message[position : position + length]
        if len(content) < length:
            raise ValueError("a field is cut off")
        position += length
        yield number, content if kind == 2 else int.from_bytes(content, "little")


def integers(message: bytes) -> dict[int, int]:
    """The fields that are integers, by their numbers; of repeated ones the last."""
    return {number: value for number, value in fields(message) if isinstance(value, int)}


def messages(message: bytes, number: int) -> Iterator[bytes]:
    """What is in the fields of this number: messages, text or bytes."""
    return (
        value for found, value in fields(message) if found == number and isinstance(value, bytes)
    )


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """An unsigned integer in groups of seven bits, the lowest first, and where it ends.

    Raises:
        ValueError: it is cut off, or longer than 64 bits.
    """
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number is cut off")
