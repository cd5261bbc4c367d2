"""Where a clip can be cut: its key frames, found by its packets, without decoding one."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from deblur_cli.errors import VideoReadError
from deblur_cli.video.clip import Clip
from deblur_cli.video.containers import packets_of
from deblur_cli.video.reader import Position, Selection
from deblur_cli.video.sequences import PictureSequence, is_sequence

_MOST_FRAMES_BETWEEN = 1000
"""Key frames farther apart make a worker decode more than it restores."""


@dataclass(frozen=True)
class Timeline:
    """When the frames of a clip are shown, in order, in units of its time base.

    Args:
        shown: all of them.
        keys: those by which a decoder can begin.
    """

    shown: Sequence[int]
    keys: Sequence[int]

    def before(self, place: int) -> Position | None:
        """Where reading begins with the frame of a place; None for the beginning of the clip."""
        key = bisect_right(self.keys, self.shown[place]) if place > 0 else 0
        return Position(self.shown[place - 1], key=self.keys[key - 1]) if key else None

    def places(self, selection: Selection, clip: Clip) -> range:
        """Of the clip's frames within the times of a selection."""
        end = len(self.shown)
        if selection.end is not None:
            end = bisect_left(self.shown, selection.end, key=clip.seconds)
        return range(bisect_left(self.shown, selection.start, key=clip.seconds), end)


def timeline_of(clip: Clip, stopped: Callable[[], bool] = lambda: False) -> Timeline:
    """Look through a clip.

    Args:
        clip: from `probe`.
        stopped: whether what was seen so far will do, as nobody needs the rest any more.

    Raises:
        VideoReadError: nobody can tell where frames begin that need none before.
    """
    if is_sequence(clip.path):
        places = range(len(PictureSequence(clip.path).numbers()))
        return Timeline(places, places)
    if clip.is_stream:
        raise _unknown(clip, "its frames come once")
    if clip.tells_decoding_times:
        raise _unknown(clip, "its file does not tell when frames are shown")
    timeline = _by_packets(clip, stopped)
    if any(earlier == later for earlier, later in pairwise(timeline.shown)):
        raise _unknown(clip, "several frames have the same time")
    begins = [bisect_left(timeline.shown, key) for key in timeline.keys]
    longest = max(end - begin for begin, end in pairwise([0, *begins, len(timeline.shown)]))
    if longest > _MOST_FRAMES_BETWEEN:
        raise _unknown(clip, f"its key frames are {longest} frames apart")
    return timeline


def _by_packets(clip: Clip, stopped: Callable[[], bool]) -> Timeline:
    shown, keys = array("q"), array("q")
    earlier = None
    with clip.open() as container:
        stream = container.streams[clip.index]
        for packet in packets_of(container, stream, note=lambda problem: None):
            if stopped():
                break
            if not packet.size or packet.is_discard:
                continue
            if packet.pts is None:
                raise _unknown(clip, "not every frame tells when it is shown")
            if packet.dts is not None:
                if earlier is not None and packet.dts < earlier:
                    raise _unknown(clip, "its clock jumps back")
                earlier = packet.dts
            shown.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
    return Timeline(array("q", sorted(shown)), array("q", sorted(keys)))


def _unknown(clip: Clip, why: str) -> VideoReadError:
    return VideoReadError(f"it cannot be cut into parts: {why}", path=clip.path)
