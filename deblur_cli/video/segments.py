"""A run of frames, encoded by itself: it begins with a key frame and refers to no other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_cli.errors import VideoWriteError
from deblur_cli.video.clip import Clip
from deblur_cli.video.containers import library, open_input, reason
from deblur_cli.video.encoding import Encoding, configure, frame_rate
from deblur_cli.video.reader import Frame

if TYPE_CHECKING:
    import av

_CONTAINER = "matroska"
_CONTAINERS = {"png": "mov", "tiff": "mov"}
_STORED_TICK = Fraction(1, 100)
"""What frame numbers count in the segment's file, whose own unit is a millisecond."""


@dataclass(frozen=True)
class Segment:
    """What is to be known of a segment besides its packets.

    Args:
        after: timestamp of the frame of the clip that it follows; None at the beginning.
        file: name of its file.
        pts: timestamps of its frames in the order they are shown, in the clip's time base.
        durations: of its frames.
        reordered: by how many places packets come before frames that are shown earlier.
        bytes: of its file.
        next_number: of the first frame behind it, among all frames of the clip; None if nobody has
            counted those before.
        problems: what could not be read of the clip so far.
        left_alone: how many of its frames are as they were.
    """

    after: int | None
    file: str
    pts: tuple[int, ...]
    durations: tuple[int, ...]
    reordered: int
    bytes: int
    next_number: int | None
    problems: tuple[str, ...] = ()
    left_alone: int = 0

    def to_json(self) -> str:
        """The segment as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Segment:
        """The segment in one line; raises ValueError or TypeError if there is none."""
        fields = json.loads(text)
        lists = {name: tuple(fields[name]) for name in ("pts", "durations", "problems")}
        return cls(**fields | lists)


class SegmentWriter:
    """Encodes frames into one file.

    Args:
        path: of the file.
        clip: whose frames they are.
        encoding: how they are written.
        after: timestamp of the frame before the first one; None at the beginning of the clip.

    Raises:
        VideoWriteError: from each method, when the encoder or the disk fails.
    """

    def __init__(
        self, path: Path, clip: Clip, encoding: Encoding, after: int | None = None
    ) -> None:
        self._path = path
        self._after = after
        self._rate = frame_rate(clip)
        self._encoder = encoding.encoder
        self._frames: list[tuple[int | None, int, int]] = []
        self._order: list[int] = []
        with self._failing():
            self._file = library().open(
                f"file:{path}", "w", format=_CONTAINERS.get(encoding.encoder, _CONTAINER)
            )
        self._stream = self._file.add_stream(encoding.encoder, rate=self._rate)
        configure(self._stream.codec_context, encoding, clip)

    @property
    def frames(self) -> int:
        """How many it has been given."""
        return len(self._frames)

    def add(self, frame: Frame, picture: av.video.frame.VideoFrame) -> None:
        """Encode what is to be seen in a frame's place; frames come in their order."""
        picture.pts = len(self._frames)
        picture.time_base = 1 / self._rate
        picture.pict_type = 0
        self._frames.append((frame.number, frame.pts, frame.duration))
        self._encode(picture)

    def close(self, problems: Sequence[str] = (), left_alone: int = 0) -> Segment:
        """Encode what is still waiting and finish the file."""
        self._encode(None)
        with self._failing():
            self._file.close()
        if sorted(self._order) != list(range(len(self._frames))):
            raise VideoWriteError(
                f"the encoder {self._encoder} made {len(self._order)} pictures of "
                f"{len(self._frames)} frames",
                remedy="choose another --codec or --encoder-option",
            )
        reordered = max((place - shown for place, shown in enumerate(self._order)), default=0)
        numbers, pts, durations = zip(*self._frames, strict=True)
        return Segment(
            self._after,
            self._path.name,
            pts,
            durations,
            reordered,
            self._path.stat().st_size,
            None if numbers[-1] is None else numbers[-1] + 1,
            tuple(problems),
            left_alone,
        )

    def _encode(self, picture: av.video.frame.VideoFrame | None) -> None:
        with self._failing():
            for packet in self._stream.encode(picture):
                packet.pts = round(packet.pts * packet.time_base * self._rate)
                packet.dts = round(packet.dts * packet.time_base * self._rate)
                packet.duration = 1
                self._order.append(packet.pts)
                packet.time_base = _STORED_TICK
                self._file.mux(packet)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        av = library()
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            raise VideoWriteError(
                f"a part of the video cannot be encoded: {reason(error)}",
                path=self._path,
                remedy="free some space, or choose another --codec if the disk is not full",
            ) from error


def packets_in(path: Path) -> Iterator[tuple[int, av.packet.Packet]]:
    """The packets of a segment's file, each with its frame's number among the segment's."""
    with open_input(path) as file:
        packets = [packet for packet in file.demux(file.streams.video[0]) if packet.size]
        shown = sorted(packet.pts for packet in packets)
        numbers = {pts: number for number, pts in enumerate(shown)}
        for packet in packets:
            yield numbers[packet.pts], packet
