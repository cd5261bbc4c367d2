"""Who restores the frames of a clip, and the plainest way: one after the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Protocol, TypeAlias

from deblur_cli.pipeline.clips.events import ClipDeviceLost, ClipProgress, ClipWarned, Shares
from deblur_cli.pipeline.clips.gaps import Gap, Part, Reach, whole_gaps
from deblur_cli.pipeline.clips.passage import FrameTreatment, Passage
from deblur_cli.pipeline.clips.plan import ClipPlan
from deblur_cli.pipeline.clips.work import Recorder, WorkFolder
from deblur_cli.pipeline.loaded import Described
from deblur_cli.video.raw_output import RawRecorder
from deblur_cli.video.reader import Reader, listed
from deblur_cli.video.segments import Segment

if TYPE_CHECKING:
    from deblur_cli.pipeline.loaded import FrameNetwork

Told: TypeAlias = ClipProgress | ClipWarned | ClipDeviceLost


@dataclass(frozen=True)
class Outcome:
    """What is to be told of frames that are restored.

    Args:
        problems: what of the clip could not be read.
        shares: how long each stage has worked.
    """

    problems: list[str]
    shares: Shares


Course: TypeAlias = Generator[Told, None, Outcome]


class Restorer(Described, Protocol):
    """Restores the frames of clips, whoever it is and wherever."""

    def fill(self, plan: ClipPlan, work: WorkFolder, stop: threading.Event) -> Course:
        """Make the segments that a work folder lacks; fewer, once `stop` is set.

        Raises:
            VideoReadError: frames cannot be restored faithfully.
            VideoWriteError: segments cannot be written.
            DeblurError: the network failed.
        """

    def send(self, plan: ClipPlan, recorder: RawRecorder, stop: threading.Event) -> Course:
        """Restore frames for stdout, in their order; raises as `fill`."""


@dataclass
class Tally:
    """Counts what is restored.

    Args:
        expected: frames in all, as far as anybody knows.
        saved: frames in segments.
        left_sharp: frames that are as they were.
    """

    expected: int
    saved: int = 0
    left_sharp: int = 0
    _told: set[str] = field(default_factory=set)
    _began: float = field(default_factory=time.perf_counter)

    def add(self, segments: Iterable[Segment]) -> None:
        """Count what is in segments."""
        for segment in segments:
            self.saved += len(segment.pts)
            self.left_sharp += segment.left_alone

    def progress(
        self, shares: Shares, done: int = 0, saved: int = 0, left_sharp: int = 0
    ) -> ClipProgress:
        """How far it is, with so many frames besides those that were counted."""
        return ClipProgress(
            self.saved + done,
            self.saved + saved,
            self.left_sharp + left_sharp,
            self.expected,
            time.perf_counter() - self._began,
            shares,
        )

    def warnings(self, seconds: float, texts: Iterable[str]) -> Iterator[ClipWarned]:
        """Of a frame that is shown at that time; each warning once."""
        for text in dict.fromkeys(texts):
            if text not in self._told:
                self._told.add(text)
                yield ClipWarned(seconds, text)


class InOrder:
    """Brings the frames of a clip through one deblurrer, or several as one.

    Args:
        deblurrer: the network on its device.
    """

    def __init__(self, deblurrer: FrameNetwork) -> None:
        self._deblurrer = deblurrer
        self.settings = deblurrer.settings
        self.summary = deblurrer.summary
        self.warnings = deblurrer.warnings

    def fill(self, plan: ClipPlan, work: WorkFolder, stop: threading.Event) -> Course:
        """As `Restorer.fill`."""
        segments = [segment for _, segment in work.segments()]
        reader, passage = reader_of(plan, segments), passage_of(plan, self._deblurrer)
        tally = Tally(plan.frames)
        tally.add(segments)
        reach = Reach.of(plan.job.skip_sharp)
        for part in whole_gaps(segments, reach, plan.job.selection.every):
            recorder = Recorder(work, plan.clip, plan.encoding, reader.problems, part.gap.after)
            yield from _restored(part, reader, passage, recorder, stop, tally)
            if stop.is_set():
                break
        return Outcome(reader.problems, passage.shares)

    def send(self, plan: ClipPlan, recorder: RawRecorder, stop: threading.Event) -> Course:
        """As `Restorer.send`."""
        reader, passage = reader_of(plan, ()), passage_of(plan, self._deblurrer)
        everything = Part(Gap(), None, None)
        yield from _restored(everything, reader, passage, recorder, stop, Tally(plan.frames))
        return Outcome(reader.problems, passage.shares)


def reader_of(plan: ClipPlan, segments: Iterable[Segment]) -> Reader:
    """Reads a clip; knows already what could not be read for those segments."""
    problems = chain.from_iterable(segment.problems for segment in segments)
    return Reader(plan.clip, plan.job.selection, plan.job.deinterlace, listed(problems))


def passage_of(plan: ClipPlan, deblurrer: FrameNetwork) -> Passage:
    """The way of a clip's frames through a network."""
    job = plan.job
    treatment = FrameTreatment(plan.encoding.pix_fmt, job.strength, job.skip_sharp)
    return Passage(deblurrer, treatment)


def _restored(
    part: Part,
    reader: Reader,
    passage: Passage,
    recorder: Recorder | RawRecorder,
    stop: threading.Event,
    tally: Tally,
) -> Iterator[Told]:
    done, left_sharp = 0, 0
    frames = reader.frames(part.start, part.last)
    for passed in passage.run(frames, part.gap, recorder, stop):
        done += 1
        left_sharp += passed.left_alone
        yield tally.progress(passage.shares, done, recorder.saved, left_sharp)
        yield from tally.warnings(reader.clip.seconds(passed.frame.pts), passed.warnings)
    tally.saved += done
    tally.left_sharp += left_sharp
