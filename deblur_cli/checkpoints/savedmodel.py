"""Arrays by name from the variables of a TensorFlow SavedModel or checkpoint, without TensorFlow.

`variables.index` is a sorted string table. Under the empty key it has a header, under each other
one an entry: dtype, shape, and where in the shards `variables.data-00000-of-00001` the bytes are,
with their masked CRC-32C. One string among them, the object graph, gives the names that the
variables had in the program: the keys themselves only number the layers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deblur_cli.checkpoints.crc32c import masked_crc32c
from deblur_cli.checkpoints.protobuf import integers, messages, read_varint
from deblur_cli.checkpoints.sstable import read_table
from deblur_cli.errors import WeightsError

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 10: "|b1", 19: "<f2"}
"""By TensorFlow's numbers; other variables, such as strings, are left out."""


@dataclass(frozen=True)
class _Slot:
    """Where a tensor is, and what it is."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    start: int
    size: int
    checksum: int


def shard_names(index: Path) -> list[str]:
    """Names of the files that belong beside a `….index`.

    Raises:
        WeightsError: it cannot be read, or is damaged.
    """
    shards, _ = _read_index(index)
    return [f"{index.stem}.data-{number:05}-of-{shards:05}" for number in range(shards)]


def read_variables(index: Path) -> dict[str, NDArray[Any]]:
    """Read all numerical variables.

    Args:
        index: `….index`, its shards beside it.

    Returns:
        Arrays by the variables' names in the program, such as `dense/kernel`.

    Raises:
        WeightsError: a file is missing, damaged, or in a form that is not understood here.
    """
    _, slots = _read_index(index)
    try:
        shards = [np.memmap(index.with_name(name), np.uint8, "r") for name in shard_names(index)]
        if OBJECT_GRAPH not in slots:
            raise ValueError("it has no object graph, which names the variables")
        names = _names_in_program(_string(slots[OBJECT_GRAPH], shards))
        return {
            names.get(key, key): _array(slot, shards, key)
            for key, slot in slots.items()
            if slot.dtype in DTYPES
        }
    except OSError as error:
        raise _unreadable(index, error) from error
    except (ValueError, IndexError) as error:
        raise _damaged(index, error) from error


def _read_index(index: Path) -> tuple[int, dict[str, _Slot]]:
    """How many shards there are, and the tensors by their keys."""
    try:
        table = read_table(index.read_bytes())
        header = integers(table.pop(b""))
        if header.get(2, 0):
            raise ValueError("it is big-endian")
        return header.get(1, 0), {key.decode(): _slot(entry) for key, entry in table.items()}
    except OSError as error:
        raise _unreadable(index, error) from error
    except (ValueError, KeyError) as error:
        raise _damaged(index, error) from error


def _slot(entry: bytes) -> _Slot:
    if any(messages(entry, 7)):
        raise ValueError("it holds variables in slices")
    known = integers(entry)
    shape = b"".join(messages(entry, 2))
    return _Slot(
        dtype=known.get(1, 0),
        shape=tuple(integers(size).get(1, 0) for size in messages(shape, 2)),
        shard=known.get(3, 0),
        start=known.get(4, 0),
        size=known.get(5, 0),
        checksum=known.get(6, 0),
    )


def _content(slot: _Slot, shards: Sequence[NDArray[np.uint8]], key: str) -> NDArray[np.uint8]:
    content = shards[slot.shard][slot.start : slot.start + slot.size]
    if len(content) < slot.size:
        raise ValueError(f"'{key}' is cut off")
    return content


def _array(slot: _Slot, shards: Sequence[NDArray[np.uint8]], key: str) -> NDArray[Any]:
    dtype = np.dtype(DTYPES[slot.dtype])
    if math.prod(slot.shape) * dtype.itemsize != slot.size:
        raise ValueError(f"'{key}' has {slot.size} bytes, which its shape {slot.shape} has not")
    content = np.array(_content(slot, shards, key))
    if masked_crc32c(content) != slot.checksum:
        raise ValueError(f"the checksum of '{key}' is wrong")
    return content.view(dtype).reshape(slot.shape)


def _string(slot: _Slot, shards: Sequence[NDArray[np.uint8]]) -> bytes:
    """A tensor that is one string: its length, a checksum of that, its bytes.

    The tensor's checksum is of the same, but for the length, which counts as four bytes.
    """
    data = _content(slot, shards, OBJECT_GRAPH).tobytes()
    length, position = read_varint(data, 0)
    if masked_crc32c(length.to_bytes(4, "little") + data[position:]) != slot.checksum:
        raise ValueError(f"the checksum of '{OBJECT_GRAPH}' is wrong")
    return data[position + 4 :]


def _names_in_program(graph: bytes) -> dict[str, str]:
    """Names by keys, but for names that several variables have."""
    names = {}
    for node in messages(graph, 1):
        for attribute in messages(node, 2):
            name, key = (b"".join(messages(attribute, number)).decode() for number in (2, 3))
            if name and key:
                names[key] = name
    times = Counter(names.values())
    return {key: name for key, name in names.items() if times[name] == 1}


def _unreadable(index: Path, error: OSError) -> WeightsError:
    return WeightsError(
        f"cannot be read: {error.strerror}", path=error.filename or index, remedy=_AGAIN
    )


def _damaged(index: Path, error: Exception) -> WeightsError:
    return WeightsError(
        f"is damaged, or lists no variables that are understood here: {error}",
        path=index,
        remedy=_AGAIN,
    )


_AGAIN = "fetch it again"
