"""The work folder of a video: what is restored so far, safe from any interruption."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from deblur_cli.errors import VideoWriteError
from deblur_cli.imaging.atomic import atomic_path
from deblur_cli.pipeline.clips.pictures import hand_over_pictures, place_of_result
from deblur_cli.video.segments import Segment, SegmentWriter
from deblur_cli.video.sequences import is_sequence

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from deblur_cli.video.clip import Clip
    from deblur_cli.video.encoding import Encoding
    from deblur_cli.video.reader import Frame

_SEGMENT, _RECORD = ".mkv", ".segment.json"
_PIXELS_PER_SEGMENT = 100_000_000
FEWEST_FRAMES = 24
"""In a segment, whatever the size of the pictures; shorter ones would cost the encoder too much."""
_MOST_FRAMES = 240


def frames_per_segment(width: int, height: int) -> int:
    """How many frames are encoded together, and lost at most when a process is killed."""
    return min(max(_PIXELS_PER_SEGMENT // (width * height), FEWEST_FRAMES), _MOST_FRAMES)


@dataclass(frozen=True)
class WorkFolder:
    """Complete segments, of one process or several; one is complete once its record is there.

    A segment's file has a name that no process gives to another one. Its record is named after the
    time where it begins, so a segment that is made twice counts once.
    """

    path: Path

    @classmethod
    def beside(cls, target: Path, key: str) -> WorkFolder:
        """The folder for a result; `key` tells apart inputs, settings and results."""
        return cls(target.with_name(f".deblur-work-{key[:16]}"))

    def open(self, manifest: Mapping[str, object]) -> None:
        """Make the folder, with a manifest that says what for; raises `VideoWriteError`.

        What an interrupted run has left of segments that it did not complete goes.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            complete = {file for file, _ in self.segments()}
            for file in set(self.path.glob(f"*{_SEGMENT}")) - complete:
                file.unlink(missing_ok=True)
            with atomic_path(self.manifest) as temporary:
                temporary.write_text(json.dumps(manifest, indent=1, default=str), "utf-8")
        except OSError as error:
            raise _unwritable(self.path, error) from error

    @property
    def manifest(self) -> Path:
        """What it is for; who sees this file sees the folder."""
        return self.path / "manifest.json"

    def segments(self) -> list[tuple[Path, Segment]]:
        """What is complete, in order, each with its file."""
        found = [segment for record in self.records() if (segment := self.read(record))]
        found.sort(key=lambda segment: segment.pts)
        return [(self.path / segment.file, segment) for segment in found]

    def records(self) -> list[Path]:
        """The records of all segments, which are complete unless the disk has lost something."""
        return list(self.path.glob(f"*{_RECORD}"))

    def read(self, record: Path) -> Segment | None:
        """The segment of a record, if it is whole."""
        try:
            segment = Segment.from_json(record.read_text("utf-8"))
            is_whole = (self.path / segment.file).stat().st_size == segment.bytes
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return segment if is_whole else None

    def record(self, segment: Segment) -> Path:
        """Declare a segment complete, by a record; raises `VideoWriteError`."""
        begin = "first" if segment.after is None else segment.after
        record = self.path / f"{begin}{_RECORD}"
        try:
            with (self.path / segment.file).open("rb+") as file:
                os.fsync(file.fileno())
            with atomic_path(record) as temporary:
                temporary.write_text(segment.to_json(), "utf-8")
        except OSError as error:
            raise _unwritable(self.path, error) from error
        return record

    def writer(self, clip: Clip, encoding: Encoding, after: int | None) -> SegmentWriter:
        """Begin a segment that follows a frame of that time."""
        return SegmentWriter(self.path / f"{uuid4().hex}{_SEGMENT}", clip, encoding, after)

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


class Recorder:
    """Encodes frames into segments of a work folder.

    Args:
        work: where they go.
        clip: whose frames they are.
        encoding: how they are written.
        problems: a growing list of what could not be read, for the segments' records.
        after: timestamp of the frame before the first one; None at the beginning of the clip.
    """

    def __init__(
        self,
        work: WorkFolder,
        clip: Clip,
        encoding: Encoding,
        problems: Sequence[str],
        after: int | None = None,
    ) -> None:
        self._work = work
        self._clip = clip
        self._encoding = encoding
        self._problems = problems
        self._after = after
        self._length = frames_per_segment(clip.width, clip.height)
        self._writer: SegmentWriter | None = None
        self._broken = False
        self.saved = 0
        """Frames in complete segments."""
        self.records: list[Path] = []
        """Of these segments."""
        self.left_alone = 0
        """Frames so far that are as they were."""
        self._left_before = 0

    def add(self, frame: Frame, picture: VideoFrame, left_alone: bool = False) -> None:
        """Encode what is to be seen in a frame's place; raises `VideoWriteError`.

        After that nothing is recorded any more: the frames would follow upon a gap.
        """
        if self._broken:
            return
        self._broken = True
        if self._writer is None:
            self._writer = self._work.writer(self._clip, self._encoding, self._after)
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
        segment = writer.close(self._problems, left_alone)
        self.records.append(self._work.record(segment))
        self._after = segment.pts[-1]
        self.saved += writer.frames


def _unwritable(path: Path, error: OSError) -> VideoWriteError:
    return VideoWriteError(
        f"the work folder cannot be written: {error.strerror}",
        path=path,
        remedy="free some space or choose another place for the output; the same command resumes",
    )
