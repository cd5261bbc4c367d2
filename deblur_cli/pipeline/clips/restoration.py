"""One video: decoded, restored frame by frame and encoded once, in segments that survive."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

from deblur_cli.errors import UsageError, VideoWriteError
from deblur_cli.pipeline.clips.events import (
    ClipAlreadyDone,
    ClipEvent,
    ClipProgress,
    ClipRestored,
    ClipWarned,
)
from deblur_cli.pipeline.clips.finish import finish
from deblur_cli.pipeline.clips.job import ClipJob
from deblur_cli.pipeline.clips.passage import FrameTreatment, Passage
from deblur_cli.pipeline.clips.pictures import refuse_other_pictures, size_of
from deblur_cli.pipeline.clips.plan import ClipPlan
from deblur_cli.pipeline.clips.sharp import CONTEXT
from deblur_cli.pipeline.clips.work import Recorder, WorkFolder, position
from deblur_cli.pipeline.ledger.ledger import Ledger, settings_hash
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.ledger.verdict import Verdict
from deblur_cli.pipeline.paths import is_regular_file, place
from deblur_cli.pipeline.problems import require_folder
from deblur_cli.video.raw_output import RawRecorder
from deblur_cli.video.reader import Frame, Reader

if TYPE_CHECKING:
    from deblur_cli.pipeline.loaded import FrameNetwork


class ClipRestoration:
    """Restores one video with one deblurrer, or several as one.

    Args:
        job: what is wanted; `check` has passed.
        deblurrer: the network on its device.

    Raises:
        VideoReadError, UsageError: as `ClipJob.check`.
    """

    def __init__(self, job: ClipJob, deblurrer: FrameNetwork) -> None:
        self._job = job
        self._plan = ClipPlan.of(job)
        self._clip, self._encoding = self._plan.clip, self._plan.encoding
        self._settings = self._plan.settings(deblurrer.settings)
        treatment = FrameTreatment(self._encoding.pix_fmt, job.strength, job.skip_sharp)
        self._passage = Passage(deblurrer, treatment)
        self._started = time.perf_counter()

    def run(self, stop: threading.Event) -> Iterator[ClipEvent]:
        """Restore the video and yield how it goes.

        Setting `stop` ends the run after the frames in hand, which the next one does not restore
        again; the last event is then no `ClipRestored`.

        Raises:
            VideoReadError: not a single frame could be read.
            VideoWriteError: the result or its work folder cannot be written.
            DeblurError: the network failed.
        """
        job = self._job
        if self._plan.container.is_stream:
            yield from self._send(stop)
            return
        require_folder(job.target.parent, remedy="choose another place for the result")
        with closing(Ledger(job.target.parent)) as ledger:
            settings = settings_hash(self._settings)
            if self._is_done(ledger, settings):
                problems = tuple(
                    failure.message
                    for target, failure in ledger.failures()
                    if place(target) == place(job.target_file)
                )
                yield ClipAlreadyDone(job.source, job.target, problems)
            elif ledger.claim(job.target_file):
                yield from self._make(ledger, settings, stop)
            else:
                raise VideoWriteError(
                    "another process is making it", path=job.target, remedy="wait for that one"
                )

    def _send(self, stop: threading.Event) -> Iterator[ClipEvent]:
        """Frames go to stdout as they are restored."""
        job = self._job
        reader = Reader(self._clip, job.selection, job.deinterlace)
        recorder = RawRecorder(self._clip, self._encoding)
        yield self._plan.started(None, 0)
        yield from self._restore(reader.frames(), 0, recorder, stop)
        if stop.is_set():
            return
        if not recorder.frames:
            raise self._plan.nothing_read()
        problems = (*reader.problems, *self._plan.shortfall(recorder.end))
        yield self._ending(recorder, recorder.frames, recorder.bytes, (), problems)

    def _make(self, ledger: Ledger, settings: str, stop: threading.Event) -> Iterator[ClipEvent]:
        fingerprint = self._job.fingerprint
        work = self._open_work(fingerprint)
        try:
            yield from self._fill(work, ledger, fingerprint, settings, stop)
        finally:
            if not self._plan.is_resumable:
                work.remove()

    def _fill(
        self,
        work: WorkFolder,
        ledger: Ledger,
        fingerprint: Fingerprint,
        settings: str,
        stop: threading.Event,
    ) -> Iterator[ClipEvent]:
        """Restore what is not in the work folder, and finish the result."""
        job = self._job
        segments = [segment for _, segment in work.segments()]
        problems = list(segments[-1].problems) if segments else []
        first = segments[-1].next_number if segments else 0
        reader = Reader(self._clip, job.selection, job.deinterlace, problems)
        recorder = Recorder(work, self._clip, self._encoding, problems)
        yield self._plan.started(work.path, recorder.saved)
        context = 0 if job.skip_sharp is None else CONTEXT
        frames = reader.frames(position(segments, context, job.selection.every))
        yield from self._restore(frames, first, recorder, stop)
        if stop.is_set():
            return
        warnings = finish(self._plan, work, ledger, fingerprint, settings)
        _, last = work.segments()[-1]
        ends = (last.pts[-1] + last.durations[-1]) * self._clip.time_base
        problems += self._plan.shortfall(float(ends))
        if problems:
            ledger.fail(job.source_file, job.target_file, "damaged", "; ".join(problems))
        work.remove()
        size = size_of(job.target)
        yield self._ending(recorder, recorder.saved, size, warnings, tuple(problems))

    def _ending(
        self,
        recorder: Recorder | RawRecorder,
        frames: int,
        size: int,
        warnings: tuple[str, ...],
        problems: tuple[str, ...],
    ) -> ClipRestored:
        return ClipRestored(
            self._job.source,
            self._job.target,
            frames,
            recorder.left_alone,
            size,
            time.perf_counter() - self._started,
            self._passage.shares,
            warnings,
            problems,
        )

    def _is_done(self, ledger: Ledger, settings: str) -> bool:
        job = self._job
        target = job.target_file
        if not job.overwrite and ledger.record(target) is None:
            refuse_other_pictures(job.target, target)
        if self._clip.is_stream:
            verdict = Verdict.IN_THE_WAY if target.exists() else Verdict.FREE
        else:
            verdict = ledger.verdict(job.source_file, target, settings)
        if verdict is Verdict.IN_THE_WAY:
            if not is_regular_file(target):
                raise UsageError("is no regular file", path=job.target, remedy="name another file")
            if not job.overwrite:
                raise VideoWriteError(
                    "another file stands there", path=target, remedy="--overwrite replaces it"
                )
        return verdict is Verdict.DONE

    def _open_work(self, fingerprint: Fingerprint) -> WorkFolder:
        """The folder of this input, these settings and this result."""
        manifest: dict[str, object] = {
            "source": str(place(self._job.source)),
            "source_file": asdict(fingerprint),
            "target": self._job.target.name,
            "settings": self._settings,
        }
        work = WorkFolder.beside(self._job.target, settings_hash(manifest))
        work.open(manifest)
        return work

    def _restore(
        self,
        frames: Iterator[Frame],
        first: int,
        recorder: Recorder | RawRecorder,
        stop: threading.Event,
    ) -> Iterator[ClipProgress | ClipWarned]:
        done, left_sharp = recorder.saved, recorder.left_alone
        told: set[str] = set()
        for passed in self._passage.run(frames, first, recorder, stop):
            done += 1
            left_sharp += passed.left_alone
            seconds = time.perf_counter() - self._started
            expected, shares = self._plan.frames, self._passage.shares
            yield ClipProgress(done, recorder.saved, left_sharp, expected, seconds, shares)
            for text in set(passed.warnings) - told:
                told.add(text)
                yield ClipWarned(float(passed.frame.pts * self._clip.time_base), text)
