"""What is known of a video before it is restored, and which ones are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_cli.errors import UsageError, VideoReadError
from deblur_cli.video.containers import RAW, STREAM, USUAL_RATE, library, open_input, reason
from deblur_cli.video.h273 import HLG, PQ, UNSPECIFIED, Colours
from deblur_cli.video.light import Light
from deblur_cli.video.raw import RawFormat
from deblur_cli.video.sequences import PictureSequence, is_sequence
from deblur_cli.video.sidedata import display_matrix_of, side_data_of

if TYPE_CHECKING:
    import av

_DECODERS_OF_TRANSPARENCY = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_DYNAMIC_LIGHT = {"DYNAMIC_HDR_PLUS": "HDR10+", "DOVI_METADATA": "Dolby Vision"}
_MICROSECONDS = 1_000_000
_TIMES_MAY_JUMP = 0x200
"""libavformat's AVFMT_TS_DISCONT."""
_DURATION_TAG = re.compile("duration(-|$)", re.IGNORECASE)
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d\.\d+)")


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
    light: Light = field(default_factory=Light)
    """Static metadata of a high dynamic range."""
    decoder: str = ""
    """By which the pictures are decoded, where it is not FFmpeg's own for the codec."""
    cautions: tuple[str, ...] = ()
    """What of it cannot be kept, whatever the result."""
    epoch: Fraction = Fraction(0)
    """When it begins, in seconds, where that is by a clock of the broadcaster."""
    tells_decoding_times: bool = False
    """Whether its timestamps are not those of showing, as in AVI."""
    may_jump: bool = False
    """Whether its kind of file allows clocks that jump, as transport streams do."""

    @property
    def is_hdr(self) -> bool:
        """Whether its transfer is PQ or HLG."""
        return self.colours.transfer in (PQ, HLG)

    @property
    def is_stream(self) -> bool:
        """Whether its frames come from stdin, once."""
        return self.path == STREAM

    def open(self) -> av.container.InputContainer:
        """Open it for reading; raises `VideoReadError`."""
        if self.is_stream:
            return RawFormat(self.width, self.height, self.pix_fmt, self.rate).open()
        return open_input(self.path, self.rate)

    def place(self, pts: int) -> str:
        """Where a frame stands, for people: its second, or its file."""
        if is_sequence(self.path):
            sequence = PictureSequence(self.path)
            return f"in {sequence.picture(sequence.first() + pts).name}"
        return f"near {self.seconds(pts):.2f} s"

    def seconds(self, pts: int) -> float:
        """When a frame is shown."""
        return float(pts * self.time_base - self.epoch)

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


@dataclass(frozen=True)
class Hints:
    """What image sequences and raw frames do not say of themselves; None where it is not told."""

    rate: Fraction | None = None
    size: tuple[int, int] | None = None
    pix_fmt: str | None = None


def probe(path: Path, *, deinterlace: bool = False, hints: Hints | None = None) -> Clip:
    """Look at a video's headers and its first frame.

    Args:
        path: of the file, of an image sequence, or `STREAM` for raw frames, of which none is read.
        deinterlace: whether interlaced frames are welcome.
        hints: where the pictures do not say it themselves.

    Raises:
        VideoReadError: it cannot be decoded, or not be restored faithfully.
        UsageError: hints are missing, or make no sense for such an input.
        MissingExtraError: the extra `video` is not installed.
    """
    hints = hints or Hints()
    if path == STREAM:
        return _raw_clip(hints)
    if hints.size is not None:
        raise UsageError("--size is that of raw frames on stdin", path=path)
    if hints.rate is not None and not is_sequence(path):
        raise UsageError("--rate is that of image sequences and raw frames", path=path)
    with open_input(path, hints.rate) as container:
        stream = main_stream(container, path)
        name = _decoder_of(stream, path)
        frame = _first_frame(stream, decoder_of(stream, name), path)
        if frame.interlaced_frame and not deinterlace:
            raise VideoReadError(
                "it is interlaced: each frame shows two moments",
                path=path,
                remedy="add --deinterlace",
            )
        time_base = Fraction(stream.time_base)
        rate = Fraction(stream.average_rate or stream.guessed_rate or USUAL_RATE)
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
            display_matrix=display_matrix_of(frame),
            light=Light.of(frame),
            decoder=name,
            cautions=tuple(_lost_with(frame)),
            epoch=_epoch(container),
            may_jump=_may_jump(container),
            tells_decoding_times=container.format.name == "avi",
        )


def decoder_of(
    stream: av.video.stream.VideoStream, name: str
) -> av.video.codeccontext.VideoCodecContext:
    """What decodes a stream's packets: the decoder of that name, else FFmpeg's own."""
    if not name:
        return stream.codec_context
    decoder: av.video.codeccontext.VideoCodecContext = library().CodecContext.create(name, "r")
    return decoder


def _raw_clip(hints: Hints) -> Clip:
    if hints.size is None or hints.pix_fmt is None:
        raise UsageError(
            "raw frames on stdin need --size and --pix-fmt",
            remedy="such as --size 1920x1080 --pix-fmt yuv420p --rate 25",
        )
    raw = RawFormat(*hints.size, hints.pix_fmt, hints.rate or USUAL_RATE)
    raw.check()
    return Clip(
        path=STREAM,
        index=0,
        codec=RAW,
        width=raw.width,
        height=raw.height,
        pix_fmt=raw.pix_fmt,
        time_base=1 / raw.rate,
        rate=raw.rate,
        frames=0,
        end=0.0,
        aspect=None,
        colours=Colours(UNSPECIFIED, UNSPECIFIED, UNSPECIFIED, 0),
        display_matrix=None,
    )


def _decoder_of(stream: av.video.stream.VideoStream, path: Path) -> str:
    """The one that decodes transparency, which VP8 and VP9 hide beside their pictures."""
    if ("alpha_mode", "1") not in ((name.lower(), text) for name, text in stream.metadata.items()):
        return ""
    av = library()
    codec = stream.codec_context.name
    try:
        return str(av.Codec(_DECODERS_OF_TRANSPARENCY[codec], "r").name)
    except (KeyError, ValueError, av.FFmpegError) as error:
        raise VideoReadError(
            f"its transparency would be lost: it is hidden beside the {codec} pictures",
            path=path,
            remedy="convert it to ProRes 4444 or FFV1 with alpha first",
        ) from error


def _first_frame(
    stream: av.video.stream.VideoStream,
    decoder: av.video.codeccontext.VideoCodecContext,
    path: Path,
) -> av.video.frame.VideoFrame:
    av = library()
    problem = "no frame of it can be decoded"
    for packet in stream.container.demux(stream):
        try:
            for frame in decoder.decode(packet):
                return frame
        except av.FFmpegError as error:
            problem = f"no frame of it can be decoded: {reason(error)}"
    raise VideoReadError(problem, path=path, remedy="check that it is a complete video file")


def _lost_with(frame: av.video.frame.VideoFrame) -> Iterator[str]:
    """Light that is told anew for each scene, which no encoder here writes."""
    for kind in side_data_of(frame):
        if (name := _DYNAMIC_LIGHT.get(kind)) is not None:
            yield f"its {name} metadata are left behind; the picture is kept without them"


def _may_jump(container: av.container.InputContainer) -> bool:
    return bool(container.format.flags & _TIMES_MAY_JUMP)


def _epoch(container: av.container.InputContainer) -> Fraction:
    """Transport streams begin at any time, and result files at 0."""
    begins = container.start_time or 0
    return Fraction(begins, _MICROSECONDS) if _may_jump(container) else Fraction(0)


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
