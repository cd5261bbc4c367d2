"""What of a clip is not restored yet, and what has to be read to restore it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deblur_cli.pipeline.clips.sharp import AHEAD, CONTEXT
from deblur_cli.video.keyframes import Timeline
from deblur_cli.video.reader import Position
from deblur_cli.video.segments import Segment


@dataclass(frozen=True)
class Gap:
    """The frames later than `after` and not later than `last`: timestamps; None has no bound."""

    after: int | None = None
    last: int | None = None

    def holds(self, pts: int) -> bool:
        """Whether a frame of that time is one of them."""
        is_later = self.after is None or pts > self.after
        return is_later and (self.last is None or pts <= self.last)


@dataclass(frozen=True)
class Part:
    """A gap, and the frames that are read for it.

    Args:
        gap: to be restored.
        start: where reading begins; None at the beginning of the clip.
        last: timestamp of the last frame to be read; None reads to the end.
    """

    gap: Gap
    start: Position | None
    last: int | None


@dataclass(frozen=True)
class Reach:
    """Frames before and after a gap that have a say in what its frames get."""

    before: int
    ahead: int

    @classmethod
    def of(cls, skip_sharp: float | None) -> Reach:
        """None, unless sharp frames are to be left alone."""
        return cls(0, 0) if skip_sharp is None else cls(CONTEXT, AHEAD)


def gaps(segments: Sequence[Segment]) -> Iterator[Gap]:
    """What is between segments and behind the last one, in order."""
    after = None
    for segment in segments:
        if segment.after != after:
            yield Gap(after, segment.after)
        after = segment.pts[-1]
    yield Gap(after)


def whole_gaps(segments: Sequence[Segment], reach: Reach, every: int) -> Iterator[Part]:
    """Each gap as one part, in a clip of which no more is known than its segments.

    Args:
        segments: in order.
        reach: of what is to be read besides.
        every: how many frames of the clip come for one that is wanted.
    """
    shown = [pts for segment in segments for pts in segment.pts]
    firsts = [segment.pts[0] for segment in segments]
    for gap in gaps(segments):
        place = 0 if gap.after is None else bisect_right(shown, gap.after)
        start = None
        if place > reach.before:
            behind = shown[place - 1 - reach.before]
            segment = segments[bisect_right(firsts, behind) - 1]
            start = Position(behind, _number_behind(behind, segment, every))
        last = gap.last
        if last is not None and reach.ahead:
            last = shown[place : place + reach.ahead][-1]
        yield Part(gap, start, last)


def _number_behind(pts: int, segment: Segment, every: int) -> int | None:
    """The number of the frame that follows one of a segment, if its frames were counted."""
    if segment.next_number is None:
        return None
    return segment.next_number - every * (len(segment.pts) - 1 - segment.pts.index(pts))


def parts_of(
    gap: Gap, timeline: Timeline, selected: range, reach: Reach, frames: int
) -> Iterator[Part]:
    """A gap in parts that begin with key frames.

    Args:
        gap: to be restored.
        timeline: of the clip.
        selected: the places in it of the frames that are wanted.
        reach: of what is to be read besides.
        frames: a part has at least so many, but for the last one.
    """
    shown = timeline.shown
    begin = 0 if gap.after is None else bisect_right(shown, gap.after)
    end = len(shown) if gap.last is None else bisect_right(shown, gap.last)
    begin, end = max(begin, selected.start), min(end, selected.stop)
    keys = timeline.keys
    while begin < end:
        next_key = bisect_left(keys, shown[begin + frames]) if begin + frames < end else len(keys)
        behind = bisect_left(shown, keys[next_key]) if next_key < len(keys) else end
        behind = min(behind, end)
        yield Part(
            Gap(shown[begin - 1] if begin else None, shown[behind - 1]),
            timeline.before(begin - reach.before),
            shown[min(behind + reach.ahead, len(shown)) - 1],
        )
        begin = behind
