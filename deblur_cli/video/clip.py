"""What is known of a video before it is restored, and which ones are refused."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_cli.errors import VideoReadError
from deblur_cli.video.containers import library, open_input, reason

if TYPE_CHECKING:
    import av

UNSPECIFIED = 2
"""ITU-T H.273 for primaries, transfer and matrix that nobody states."""

_HDR = {16: "PQ", 18: "HLG"}
_USUAL_RATE = Fraction(25)
_MICROSECONDS = 1_000_000
_DURATION_TAG = re.compile("duration(-|$)", re.IGNORECASE)
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d\.\d+)")


@dataclass(frozen=True)
class Colours:
    """Code points of ITU-T H.273, and 1 for limited, 2 for full range, 0 for unknown."""

    primaries: int
    transfer: int
    matrix: int
    range: int


@dataclass(frozen=True)
class Clip:
    """The video stream that is restored, and its file."""

    path: Path
    index: int
    """Of the stream, among all of the file."""
    codec: str
    width: int
    height: int
    pix_fmt: str
    time_base: Fraction
    """Seconds per unit of all its timestamps."""
    rate: Fraction
    """Frames per second, on average."""
    frames: int
    """How many the file lets expect; 0 where it says nothing."""
    end: float
    """When the last of them should be over, in seconds; 0 where the file says nothing."""
    aspect: Fraction | None
    """Width of a pixel by its height."""
    colours: Colours
    display_matrix: tuple[int, ...] | None
    """How to turn and mirror the picture for display: nine numbers, as containers store them."""

    @property
    def tick(self) -> int:
        """How long one frame lasts on average, in units of the time base."""
        return max(1, round(1 / (self.rate * self.time_base)))


def main_stream(container: av.container.InputContainer, path: Path) -> av.video.stream.VideoStream:
    """The video stream to be restored: the default one, else the first; covers are not asked for.

    Raises:
        VideoReadError: there is none, or nothing that can decode it.
    """
    disposition = library().stream.Disposition
    moving = [
        stream
        for stream in container.streams.video
        if not stream.disposition & disposition.attached_pic
    ]
    if not moving:
        raise VideoReadError("there is no video stream in it", path=path)
    preferred = [stream for stream in moving if stream.disposition & disposition.default]
    stream = (preferred or moving)[0]
    if stream.codec_context is None:
        raise VideoReadError(
            "its video codec cannot be decoded here",
            path=path,
            remedy="convert it to H.264, HEVC, VP9 or AV1 first",
        )
    return stream


def probe(path: Path, *, deinterlace: bool = False) -> Clip:
    """Look at a video's headers and its first frame.

    Args:
        path: of the file.
        deinterlace: whether interlaced frames are welcome.

    Raises:
        VideoReadError: it cannot be decoded, or not be restored faithfully.
        MissingExtraError: the extra `video` is not installed.
    """
    with open_input(path) as container:
        stream = main_stream(container, path)
        frame = _first_frame(container, stream, path)
        _refuse_unfaithful(stream, frame, path, deinterlace)
        time_base = Fraction(stream.time_base)
        rate = Fraction(stream.average_rate or stream.guessed_rate or _USUAL_RATE)
        return Clip(
            path=path,
            index=stream.index,
            codec=stream.codec_context.codec.canonical_name,
            width=frame.width,
            height=frame.height,
            pix_fmt=frame.format.name,
            time_base=time_base,
            rate=rate,
            frames=stream.frames or round((container.duration or 0) / _MICROSECONDS * rate),
            end=_end(container, stream),
            aspect=stream.sample_aspect_ratio or None,
            colours=Colours(
                int(frame.color_primaries),
                int(frame.color_trc),
                int(frame.colorspace),
                int(frame.color_range),
            ),
            display_matrix=_display_matrix(frame),
        )


def _first_frame(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, path: Path
) -> av.video.frame.VideoFrame:
    av = library()
    problem = "no frame of it can be decoded"
    for packet in container.demux(stream):
        try:
            for frame in packet.decode():
                return frame
        except av.FFmpegError as error:
            problem = f"no frame of it can be decoded: {reason(error)}"
    raise VideoReadError(problem, path=path, remedy="check that it is a complete video file")


def _refuse_unfaithful(
    stream: av.video.stream.VideoStream,
    frame: av.video.frame.VideoFrame,
    path: Path,
    deinterlace: bool,
) -> None:
    transfer = _HDR.get(int(frame.color_trc))
    if transfer is not None:
        raise VideoReadError(
            f"it has a high dynamic range ({transfer}), and the networks know only the usual one",
            path=path,
            remedy="convert it to SDR first",
        )
    if stream.metadata.get("alpha_mode") == "1":
        raise VideoReadError(
            f"its transparency would be lost: it is hidden beside the {stream.codec_context.name} "
            "pictures",
            path=path,
            remedy="convert it to ProRes 4444 or FFV1 with alpha first",
        )
    if frame.interlaced_frame and not deinterlace:
        raise VideoReadError(
            "it is interlaced: each frame shows two moments", path=path, remedy="add --deinterlace"
        )


def _end(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> float:
    """By the stream's header, by Matroska's tag, or by the file's header if there is no other."""
    if stream.duration is not None:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    for name, text in stream.metadata.items():
        if _DURATION_TAG.match(name) and (clock := _CLOCK.match(text)):
            hours, minutes, seconds = map(float, clock.groups())
            return 3600 * hours + 60 * minutes + seconds
    if len(container.streams) > 1:
        return 0.0
    return ((container.start_time or 0) + (container.duration or 0)) / _MICROSECONDS


def _display_matrix(frame: av.video.frame.VideoFrame) -> tuple[int, ...] | None:
    stored = library().sidedata.sidedata.Type.DISPLAYMATRIX
    for side_data in frame.side_data.keys():  # noqa: SIM118  it is no plain mapping
        if side_data.type == stored:
            return struct.unpack("=9i", bytes(side_data)[:36])
    return None
