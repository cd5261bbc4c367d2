"""How colours are coded, by the numbers of ITU-T H.273."""

from __future__ import annotations

from dataclasses import dataclass

UNSPECIFIED = 2
"""Primaries, transfer and matrix that nobody states."""

RGB = 0
"""The matrix of pictures that are no luma and chroma."""

PQ, HLG = 16, 18
"""Transfers of a high dynamic range."""

_BT709, _BT601 = 1, 6
_HD_HEIGHT = 720


@dataclass(frozen=True)
class Colours:
    """Their code points, and 1 for limited, 2 for full range, 0 for unknown."""

    primaries: int
    transfer: int
    matrix: int
    range: int


def usual_matrix(height: int) -> int:
    """What pictures of so many lines have where no matrix is stated: BT.709 or BT.601."""
    return _BT709 if height >= _HD_HEIGHT else _BT601
