"""The work folder of a video: what is restored so far, safe from any interruption."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_cli.errors import VideoWriteError
from deblur_cli.imaging.atomic import atomic_path
from deblur_cli.pipeline.clips.pictures import hand_over_pictures, place_of_result
from deblur_cli.video.reader import Position
from deblur_cli.video.segments import Segment, SegmentWriter
from deblur_cli.video.sequences import is_sequence

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from deblur_cli.video.clip import Clip
    from deblur_cli.video.encoding import Encoding
    from deblur_cli.video.reader import Frame

_PIXELS_PER_SEGMENT = 100_000_000
_FEWEST_FRAMES, _MOST_FRAMES = 24, 240


def frames_per_segment(width: int, height: int) -> int:
    """How many frames are encoded together, and lost at most when a process is killed."""
    return min(max(_PIXELS_PER_SEGMENT // (width * height), _FEWEST_FRAMES), _MOST_FRAMES)


@dataclass(frozen=True)
class WorkFolder:
    """Complete segments in their order; one is complete once its record is there."""

    path: Path

    @classmethod
    def beside(cls, target: Path, key: str) -> WorkFolder:
        """The folder for a result; `key` tells apart inputs, settings and results."""
        return cls(target.with_name(f".deblur-work-{key[:16]}"))

    def open(self, manifest: Mapping[str, object]) -> None:
        """Make the folder, with a manifest that says what for; raises `VideoWriteError`."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with atomic_path(self.path / "manifest.json") as temporary:
                temporary.write_text(json.dumps(manifest, indent=1, default=str), "utf-8")
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def segments(self) -> list[tuple[Path, Segment]]:
        """What is complete, up to the first gap."""
        found: list[tuple[Path, Segment]] = []
        while (segment := self._segment(len(found))) is not None:
            found.append((self._file(len(found)), segment))
        return found

    def record(self, number: int, segment: Segment) -> None:
        """Declare a segment complete; raises `VideoWriteError`."""
        try:
            with self._file(number).open("rb+") as file:
                os.fsync(file.fileno())
            with atomic_path(self._record(number)) as temporary:
                temporary.write_text(segment.to_json(), "utf-8")
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def writer(self, number: int, clip: Clip, encoding: Encoding) -> SegmentWriter:
        """Begin a segment, over whatever an interrupted run left there."""
        return SegmentWriter(self._file(number), clip, encoding)

    def result(self, target: Path) -> Path:
        """Where the finished file or sequence is put together; raises `OSError`."""
        return place_of_result(self.path / "result", target)

    def hand_over(self, target: Path) -> None:
        """Flush what is finished to disk and give it its name; raises `OSError`."""
        made = self.result(target)
        if is_sequence(target):
            hand_over_pictures(made, target)
            return
        with made.open("rb+") as file:
            os.fsync(file.fileno())
        made.replace(target)

    def remove(self) -> None:
        """Everything in it is part of the result now."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _segment(self, number: int) -> Segment | None:
        try:
            segment = Segment.from_json(self._record(number).read_text("utf-8"))
            is_whole = self._file(number).stat().st_size == segment.bytes
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return segment if is_whole else None

    def _file(self, number: int) -> Path:
        return self.path / f"{number:06d}.mkv"

    def _record(self, number: int) -> Path:
        return self.path / f"{number:06d}.json"


def position(segments: Sequence[Segment], context: int, every: int) -> Position | None:
    """Where reading goes on: `context` frames before the end of the last segment.

    Args:
        segments: that are complete.
        context: frames to be read again.
        every: how many frames of the clip come for one that is wanted.

    Returns:
        None for the beginning.
    """
    shown = [pts for segment in segments for pts in segment.pts]
    if len(shown) <= context:
        return None
    return Position(shown[-1 - context], segments[-1].next_number - context * every)


class Recorder:
    """Encodes frames into the segments of a work folder, after those that are there.

    Args:
        work: where they go.
        clip: whose frames they are.
        encoding: how they are written.
        problems: a growing list of what could not be read, for the segments' records.
    """

    def __init__(
        self, work: WorkFolder, clip: Clip, encoding: Encoding, problems: Sequence[str]
    ) -> None:
        segments = work.segments()
        self._work = work
        self._clip = clip
        self._encoding = encoding
        self._problems = problems
        self._number = len(segments)
        self._length = frames_per_segment(clip.width, clip.height)
        self._writer: SegmentWriter | None = None
        self._broken = False
        self.saved = sum(len(segment.pts) for _, segment in segments)
        """Frames in complete segments."""
        self.left_alone = sum(segment.left_alone for _, segment in segments)
        """Frames so far that are as they were."""
        self._left_before = self.left_alone

    def add(self, frame: Frame, picture: VideoFrame, left_alone: bool = False) -> None:
        """Encode what is to be seen in a frame's place; raises `VideoWriteError`.

        After that nothing is recorded any more: the frames would follow upon a gap.
        """
        if self._broken:
            return
        self._broken = True
        if self._writer is None:
            self._writer = self._work.writer(self._number, self._clip, self._encoding)
        self._writer.add(frame, picture)
        self.left_alone += left_alone
        if self._writer.frames == self._length:
            self._finish(self._writer)
        self._broken = False

    def finish(self) -> None:
        """Complete the segment that was begun, if there is one; raises `VideoWriteError`."""
        if self._writer is not None and not self._broken:
            self._finish(self._writer)

    def _finish(self, writer: SegmentWriter) -> None:
        self._writer = None
        left_alone = self.left_alone - self._left_before
        self._left_before = self.left_alone
        self._work.record(self._number, writer.close(self._problems, left_alone))
        self._number += 1
        self.saved += writer.frames


def _unwritable(path: Path, error: OSError) -> VideoWriteError:
    return VideoWriteError(
        f"the work folder cannot be written: {error.strerror}",
        path=path,
        remedy="free some space or choose another place for the output; the same command resumes",
    )
