"""A video whose frames show two moments."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from tests.video.clips import picture

_INTERLACED_CODING = 1 << 18 | 1 << 29


def write_interlaced(path: Path, frames: int = 12, size: tuple[int, int] = (64, 48)) -> Path:
    """Write H.264 whose even lines are half a frame later than the odd ones."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"x264-params": "tff=1"})
        stream.width, stream.height = size
        stream.codec_context.flags |= _INTERLACED_CODING
        for number in range(frames):
            both = picture(number, size)
            both[::2] = picture(number + 6, size)[::2]
            frame = av.VideoFrame.from_ndarray(both, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path
