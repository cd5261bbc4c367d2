"""What decoded frames carry beside their samples."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

_DISPLAY_MATRIX = "DISPLAYMATRIX"
_ONE, _ONE_OF_W = 1 << 16, 1 << 30


def side_data_of(frame: av.video.frame.VideoFrame) -> dict[str, bytes]:
    """By the names that PyAV gives to the kinds.

    Beside a kind that PyAV does not know, it shows none at all but for the rotation.
    """
    try:
        return {data.type.name: bytes(data) for data in frame.side_data.keys()}  # noqa: SIM118
    except ValueError:
        return {_DISPLAY_MATRIX: _rotated_by(frame.rotation)} if frame.rotation else {}


def display_matrix_of(frame: av.video.frame.VideoFrame) -> tuple[int, ...] | None:
    """How to turn and mirror a frame for display: nine numbers, as containers store them."""
    stored = side_data_of(frame).get(_DISPLAY_MATRIX)
    return None if stored is None else struct.unpack("=9i", stored[:36])


def _rotated_by(degrees: int) -> bytes:
    """The matrix of a rotation against the clock."""
    sine, cosine = (round(_ONE * turn(math.radians(degrees))) for turn in (math.sin, math.cos))
    return struct.pack("=9i", cosine, -sine, 0, sine, cosine, 0, 0, 0, _ONE_OF_W)
