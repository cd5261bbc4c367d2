"""CRC-32C (Castagnoli), masked as in TensorFlow's files, where checksums are summed up again."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

POLYNOMIAL = 0x82F63B78
"""Bit-reversed."""


def masked_crc32c(data: bytes | NDArray[Any]) -> int:
    """The checksum as it is stored: turned right by 15 bits, plus a constant."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes | NDArray[Any]) -> int:
    """The checksum of bytes, or of an array's bytes in C order."""
    array = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
    return int(_update()(np.ascontiguousarray(array).reshape(-1).view(np.uint8), _table()))


@cache
def _table() -> NDArray[np.uint32]:
    """What a byte does to the checksum, for each byte."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(POLYNOMIAL), table >> 1)
    return table


@cache
def _update() -> Callable[[NDArray[np.uint8], NDArray[np.uint32]], int]:
    """The loop over the bytes, compiled when it is first needed."""
    from numba import njit

    @njit  # type: ignore[untyped-decorator]
    def update(data: NDArray[np.uint8], table: NDArray[np.uint32]) -> int:
        crc = np.uint32(0xFFFFFFFF)
        for byte in data:
            crc = table[(crc ^ byte) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
        return int(crc ^ np.uint32(0xFFFFFFFF))

    return update  # type: ignore[no-any-return]
