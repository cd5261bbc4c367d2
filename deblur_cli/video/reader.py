"""Decoding: the frames of a clip in the order they are shown, each with its own timestamp."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, count, dropwhile, islice, repeat
from typing import TYPE_CHECKING

from deblur_cli.errors import VideoReadError
from deblur_cli.video.clip import Clip, decoder_of
from deblur_cli.video.containers import library, packets_of, reason
from deblur_cli.video.deinterlacing import deinterlaced
from deblur_cli.video.sequences import is_sequence

if TYPE_CHECKING:
    import av


_MOST_PROBLEMS = 100
_MORE = "more of it is damaged, which is not listed"
FARTHEST_BACK = 1
"""Seconds; a frame that is earlier than the one before by more begins another recording."""
_SECONDS_BACK = (0, 1, 4, 16)
"""So much before a frame a key frame is sought, one after the other."""


@dataclass(frozen=True)
class Selection:
    """Which frames of a clip: by time in seconds, `end` excluded, and of these each `every`th."""

    start: float = 0.0
    end: float | None = None
    every: int = 1


@dataclass(frozen=True)
class Frame:
    """A decoded frame; timestamp and duration in units of the clip's time base."""

    number: int | None
    """Its place among all frames of the clip, from 0; None if nobody has counted those before."""
    pts: int
    duration: int
    picture: av.video.frame.VideoFrame


@dataclass(frozen=True)
class Position:
    """Behind a frame.

    Args:
        pts: its timestamp.
        number: of the one that follows, among all frames of the clip; None if nobody has counted.
        key: timestamp of the key frame by which a decoder gets there; None if nobody knows.
    """

    pts: int
    number: int | None = None
    key: int | None = None


@dataclass
class Reader:
    """Reads a clip; what it could not read stands in `problems` when all is read.

    Args:
        clip: from `probe`.
        selection: the frames that are wanted.
        deinterlace: whether frames of two moments are made into frames of one.
        problems: what an earlier reader of the same frames could not read.
    """

    clip: Clip
    selection: Selection = field(default_factory=Selection)
    deinterlace: bool = False
    problems: list[str] = field(default_factory=list)

    def frames(self, start: Position | None = None, last: int | None = None) -> Iterator[Frame]:
        """The frames that are wanted.

        Args:
            start: where they begin; None for the beginning of the clip. A selection of each
                so-manyeth frame needs one with a number.
            last: no frame later than this timestamp comes.

        Raises:
            VideoReadError: frames cannot be restored faithfully.
        """
        chosen, unit = self.selection, self.clip.time_base
        tick = self.clip.tick
        latest = None if start is None else start.pts
        counted = 0 if start is None else start.number
        pictures = self._decoded() if start is None else self._decoded_behind(start)
        for number, picture in _numbered(pictures, counted):
            pts = self._units(picture.pts, picture)
            if pts is None:
                pts = 0 if latest is None else latest + tick
            if latest is not None and (latest - pts) * unit > FARTHEST_BACK:
                place = self.clip.place(latest)
                self._note(f"its clock jumps back {place}: what follows is left out")
                return
            latest = pts if latest is None else max(pts, latest + 1)
            if last is not None and latest > last:
                return
            seconds = self.clip.seconds(latest)
            if chosen.end is not None and seconds >= chosen.end:
                return
            if seconds >= chosen.start and (number is None or number % chosen.every == 0):
                duration = self._units(picture.duration, picture) or tick
                yield Frame(number, latest, duration, picture)

    def _units(self, stamp: int | None, picture: av.video.frame.VideoFrame) -> int | None:
        """A picture's time in units of the clip, which those of a filter are not."""
        if stamp is None:
            return None
        unit: Fraction = picture.time_base
        return round(stamp * unit / self.clip.time_base)

    def _decoded_behind(self, start: Position) -> Iterator[av.video.frame.VideoFrame]:
        """From a key frame before; from the beginning where seeking does not lead to one."""
        known = list(self.problems)
        goal = start.pts if start.key is None else start.key
        for near in self._nears(start, goal):
            pictures = self._decoded(near)
            first = next(pictures, None)
            self.problems[:] = known
            own = None if first is None else self._units(first.pts, first)
            if own is not None and own <= goal:
                return self._later(start.pts, chain([first], pictures))
        if start.number is None:
            return self._later(start.pts, self._decoded())
        return islice(self._decoded(), start.number, None)

    def _nears(self, start: Position, goal: int) -> Iterator[int]:
        """Where to seek a key frame: many files tell when it is decoded, not when it is shown."""
        if self.clip.tells_decoding_times or (self.clip.may_jump and start.key is None):
            return
        for seconds in _SECONDS_BACK:
            yield goal - round(seconds / self.clip.time_base)

    def _later(
        self, pts: int, pictures: Iterator[av.video.frame.VideoFrame]
    ) -> Iterator[av.video.frame.VideoFrame]:
        """Those later than that; what is wrong with those before does not count."""
        known = list(self.problems)
        for picture in pictures:
            own = self._units(picture.pts, picture)
            if own is None or own > pts:
                self.problems[:] = known
                yield picture
                yield from pictures

    def _decoded(self, near: int | None = None) -> Iterator[av.video.frame.VideoFrame]:
        """From the beginning, or from the key frame where seeking leads."""
        av = library()
        with self.clip.open() as container:
            stream = container.streams[self.clip.index]
            stream.thread_type = "SLICE" if is_sequence(self.clip.path) else "AUTO"
            if near is not None:
                with suppress(av.FFmpegError):
                    container.seek(near, stream=stream)
            packets = self._packets(container, stream)
            if near is not None:
                packets = dropwhile(lambda packet: not packet.is_keyframe, packets)
            pictures = self._pictures(packets, stream)
            if self.clip.tells_decoding_times:
                pictures = _shown_as_decoded(pictures)
            yield from deinterlaced(pictures, stream) if self.deinterlace else pictures

    def _pictures(
        self, packets: Iterator[av.packet.Packet], stream: av.video.stream.VideoStream
    ) -> Iterator[av.video.frame.VideoFrame]:
        av = library()
        decoder = decoder_of(stream, self.clip.decoder)
        for packet in packets:
            try:
                pictures = decoder.decode(packet)
            except av.FFmpegError as error:
                self._note(f"damaged {self.clip.place(packet.pts or 0)}: {reason(error)}")
                continue
            for picture in pictures:
                self._check(picture)
                yield picture

    def _packets(
        self, container: av.container.InputContainer, stream: av.video.stream.VideoStream
    ) -> Iterator[av.packet.Packet]:
        """All packets, and at last the empty one that ends decoding, whatever is broken before."""
        ended = False
        for packet in packets_of(container, stream, self._note):
            ended = not packet.size
            yield packet
        if ended:
            return
        end = library().Packet()
        end.stream = stream
        yield end

    def _check(self, picture: av.video.frame.VideoFrame) -> None:
        clip = self.clip
        if picture.is_corrupt:
            self._note(f"the frame {clip.place(picture.pts or 0)} is damaged")
        if (picture.width, picture.height) != (clip.width, clip.height):
            raise VideoReadError(
                f"its size changes {clip.place(picture.pts or 0)}",
                path=clip.path,
                remedy="restore a part of it with --start and --end",
            )
        if picture.interlaced_frame and not self.deinterlace:
            raise VideoReadError(
                f"it is interlaced {clip.place(picture.pts or 0)}: each frame shows two moments",
                path=clip.path,
                remedy="add --deinterlace",
            )

    def _note(self, problem: str) -> None:
        self.problems[:] = listed([*self.problems, problem])


def listed(problems: Iterable[str]) -> list[str]:
    """Each once, as many as somebody may read, and whether there are more."""
    once = dict.fromkeys(problems)
    told = [problem for problem in once if problem != _MORE][:_MOST_PROBLEMS]
    return told if len(told) == len(once) else [*told, _MORE]


def _numbered(
    pictures: Iterator[av.video.frame.VideoFrame], first: int | None
) -> Iterator[tuple[int | None, av.video.frame.VideoFrame]]:
    numbers = repeat(None) if first is None else count(first)
    return zip(numbers, pictures, strict=False)


def _shown_as_decoded(
    pictures: Iterator[av.video.frame.VideoFrame],
) -> Iterator[av.video.frame.VideoFrame]:
    """Each with the decoding time as that of its showing, from 0, in place of a guessed one."""
    early = None
    for picture in pictures:
        if early is None:
            early = picture.dts or 0
        picture.pts = None if picture.dts is None else picture.dts - early
        yield picture
