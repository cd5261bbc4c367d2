"""A clip on a cluster: workers read, restore and encode its parts, side by side.

Parts begin with key frames. A worker reads its part from the clip, and leaves segments in the work
folder; this process decides what is a part, and joins the segments.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from deblur_cli.errors import (
    DeblurError,
    DeviceError,
    RestoreError,
    VideoReadError,
    VideoWriteError,
)
from deblur_cli.pipeline.clips.events import ClipDeviceLost, Shares
from deblur_cli.pipeline.clips.gaps import Part, Reach, gaps, parts_of
from deblur_cli.pipeline.clips.plan import ClipPlan
from deblur_cli.pipeline.clips.restorers import Course, InOrder, Outcome, Tally, Told
from deblur_cli.pipeline.clips.work import FEWEST_FRAMES, WorkFolder, frames_per_segment
from deblur_cli.pipeline.cluster.crew import LOSSES, Crew, Done, Loss, Task
from deblur_cli.pipeline.cluster.stream import ClusterDeblurrer
from deblur_cli.pipeline.cluster.worker import Blind, PartAnswer, PartMade, Unmade
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.video.keyframes import timeline_of
from deblur_cli.video.raw_output import RawRecorder
from deblur_cli.video.reader import listed
from deblur_cli.video.segments import Segment

_PARTS_FOR_EACH = 8
"""So many parts for each worker let all of them end at about the same time."""
_MOST_SEGMENTS = 10
"""In a part; what is restored of a part that is lost has to be restored again."""
_PATIENCE_SECONDS = 90.0
"""For a shared drive to show what is there."""


@dataclass
class PartTask(Task):
    """A part to be restored.

    Args:
        plan: of the clip.
        seen: the clip's file as this process sees it.
        work: where segments go.
        part: of the clip.
    """

    plan: ClipPlan
    seen: Fingerprint
    work: WorkFolder
    part: Part

    @property
    def order(self) -> tuple[str, tuple[Any, ...]]:
        """As `Worker.restore_part` takes it."""
        return "restore_part", (self.plan, self.seen, self.work, self.part)

    @property
    def seconds(self) -> float:
        """When it begins."""
        after = self.part.gap.after
        return 0.0 if after is None else self.plan.clip.seconds(after)

    def checked(self, answer: PartAnswer) -> PartAnswer:
        """The answer, unless the worker and this process see different things on the drive."""
        if isinstance(answer, Blind):
            try:
                self.plan.job.require_unchanged(self.seen)
            except DeblurError as error:
                return Unmade(error)
        if isinstance(answer, PartMade):
            missing = (record for record in answer.records if not record.exists())
            return next(map(Blind, missing), answer)
        return answer


class ByParts:
    """Restores clips with the workers of a crew.

    Args:
        crew: whose networks have equal settings.
        tell: is told why a clip is not dealt out in parts.
    """

    def __init__(self, crew: Crew[Any], tell: Callable[[str], object]) -> None:
        first = crew.first()
        self._crew = crew
        self._tell = tell
        self.settings = first.settings
        self.summary = first.summary
        self.warnings = first.warnings

    def fill(self, plan: ClipPlan, work: WorkFolder, stop: threading.Event) -> Course:
        """As `Restorer.fill`."""
        segments = [segment for _, segment in work.segments()]
        try:
            parts = self._parts(plan, segments, stop)
        except VideoReadError as error:
            self._tell(f"frames go to workers one by one: {error}")
            return (yield from self._in_order.fill(plan, work, stop))
        tally = Tally(plan.frames)
        tally.add(segments)
        return (yield from _Dealing(self._crew, plan, work, parts, tally).run(stop))

    def send(self, plan: ClipPlan, recorder: RawRecorder, stop: threading.Event) -> Course:
        """As `Restorer.send`: frames that are wanted in their order are dealt out one by one."""
        return self._in_order.send(plan, recorder, stop)

    @property
    def _in_order(self) -> InOrder:
        return InOrder(ClusterDeblurrer(self._crew))

    def _parts(
        self, plan: ClipPlan, segments: Sequence[Segment], stop: threading.Event
    ) -> list[Part]:
        """What is not restored yet; raises `VideoReadError` if the clip cannot be cut."""
        job, clip = plan.job, plan.clip
        if job.deinterlace or job.selection.every > 1:
            option = "--deinterlace" if job.deinterlace else "--every"
            raise VideoReadError(f"{option} needs the frames before", path=job.source)
        timeline = timeline_of(clip, stop.is_set)
        wanted = timeline.places(job.selection, clip)
        share = len(wanted) // (_PARTS_FOR_EACH * self._crew.places)
        longest = _MOST_SEGMENTS * frames_per_segment(clip.width, clip.height)
        frames = min(max(share, FEWEST_FRAMES), longest)
        reach = Reach.of(job.skip_sharp)
        return [
            part
            for gap in gaps(segments)
            for part in parts_of(gap, timeline, wanted, reach, frames)
        ]


class _Dealing:
    """Gives the parts of one clip to workers, and hears what becomes of them."""

    def __init__(
        self,
        crew: Crew[PartTask],
        plan: ClipPlan,
        work: WorkFolder,
        parts: Sequence[Part],
        tally: Tally,
    ) -> None:
        self._crew = crew
        self._work = work
        self._tally = tally
        seen = plan.job.fingerprint
        self._tasks = deque(PartTask(plan, seen, work, part) for part in parts)
        self._counted = set(work.records())
        self._looks_again = 0.0
        self._made: list[PartMade] = []
        self._shares = Shares()
        self._error: DeblurError | None = None
        self._poison: RestoreError | None = None

    def run(self, stop: threading.Event) -> Course:
        """As `Restorer.fill`."""
        self._crew.hands = 1
        is_halted = False
        while True:
            is_over = stop.is_set() or self._error is not None
            if is_over and not is_halted:
                self._crew.call("halt")
                is_halted = True
            if not is_over:
                self._deal()
            is_drained = not (self._tasks or self._crew.returned)
            if (is_over or is_drained) and not self._crew.in_hand:
                break
            if self._crew.is_lost:
                raise DeviceError("no worker is left", remedy="the same command resumes")
            for news in self._crew.news():
                yield from self._told(news)
            self._look()
            yield self._tally.progress(self._shares)
        if (error := self._error or self._poison) is not None and not stop.is_set():
            raise error
        self._await_records()
        told = [segment.problems for _, segment in self._work.segments()]
        told += [made.problems for made in self._made]
        return Outcome(listed(chain.from_iterable(told)), self._shares)

    def _deal(self) -> None:
        self._crew.retry()
        while self._tasks and self._crew.has_room:
            self._crew.take(self._tasks.popleft())

    def _told(self, news: Done[PartTask] | Loss[PartTask]) -> Iterator[Told]:
        if isinstance(news, Loss):
            yield ClipDeviceLost(news.worker, news.task.seconds, news.problem)
            if news.is_final:
                self._poison = _set_aside(news)
        elif isinstance(news.answer, Unmade):
            self._error = self._error or news.answer.error
        else:
            self._made.append(news.answer)
            self._shares += news.answer.shares
            self._count(news.answer.records)
            yield from self._tally.warnings(news.task.seconds, news.answer.warnings)

    def _look(self) -> None:
        """Count the segments of parts that are in hand, in a hundredth of the time at most."""
        began = time.monotonic()
        if began >= self._looks_again:
            self._count(self._work.records())
            now = time.monotonic()
            self._looks_again = now + 100 * (now - began)

    def _count(self, records: Iterable[Path]) -> None:
        for record in set(records) - self._counted:
            if (segment := self._work.read(record)) is not None:
                self._tally.add([segment])
                self._counted.add(record)

    def _await_records(self) -> None:
        """A network drive may show what is in a folder a while after it shows the file by name."""
        made = {record for made in self._made for record in made.records}
        given_up = time.monotonic() + _PATIENCE_SECONDS
        while missing := made - set(self._work.records()):
            if time.monotonic() > given_up:
                raise _unseen(missing.pop())
            time.sleep(0.5)


def _unseen(record: Path) -> VideoWriteError:
    return VideoWriteError(
        "a part that a worker has made does not appear here",
        path=record,
        remedy="look after the drive that all nodes share; the same command resumes",
    )


def _set_aside(loss: Loss[PartTask]) -> RestoreError:
    return RestoreError(
        f"{LOSSES} workers ended while they had the frames from {loss.task.seconds:.2f} s in hand: "
        f"{loss.problem}",
        path=loss.task.plan.job.source,
        remedy="the same command resumes; without --ray this machine restores them",
    )
