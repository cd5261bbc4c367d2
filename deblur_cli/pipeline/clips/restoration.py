"""One video: decoded, restored frame by frame and encoded once, in segments that survive."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict

from deblur_cli.errors import UsageError, VideoWriteError
from deblur_cli.pipeline.clips.events import ClipAlreadyDone, ClipEvent, ClipRestored
from deblur_cli.pipeline.clips.finish import finish
from deblur_cli.pipeline.clips.job import ClipJob
from deblur_cli.pipeline.clips.pictures import refuse_other_pictures, size_of
from deblur_cli.pipeline.clips.plan import ClipPlan
from deblur_cli.pipeline.clips.restorers import Restorer
from deblur_cli.pipeline.clips.work import WorkFolder
from deblur_cli.pipeline.ledger.ledger import Ledger, settings_hash
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.ledger.verdict import Verdict
from deblur_cli.pipeline.paths import is_regular_file, place
from deblur_cli.pipeline.problems import require_folder
from deblur_cli.video.raw_output import RawRecorder


class ClipRestoration:
    """Restores one video.

    Args:
        job: what is wanted; `check` has passed.
        restorer: who restores its frames.

    Raises:
        VideoReadError, UsageError: as `ClipJob.check`.
    """

    def __init__(self, job: ClipJob, restorer: Restorer) -> None:
        self._job = job
        self._plan = ClipPlan.of(job)
        self._clip, self._encoding = self._plan.clip, self._plan.encoding
        self._restorer = restorer
        self._settings = self._plan.settings(restorer.settings)
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
        recorder = RawRecorder(self._clip, self._encoding)
        yield self._plan.started(None, 0)
        outcome = yield from self._restorer.send(self._plan, recorder, stop)
        if stop.is_set():
            return
        if not recorder.frames:
            raise self._plan.nothing_read()
        problems = (*outcome.problems, *self._plan.shortfall(recorder.end))
        yield ClipRestored(
            job.source,
            job.target,
            recorder.frames,
            recorder.left_alone,
            recorder.bytes,
            time.perf_counter() - self._started,
            outcome.shares,
            (),
            problems,
        )

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
        done = sum(len(segment.pts) for _, segment in work.segments())
        yield self._plan.started(work.path, done)
        outcome = yield from self._restorer.fill(self._plan, work, stop)
        if stop.is_set():
            return
        warnings = finish(self._plan, work, ledger, fingerprint, settings)
        segments = [segment for _, segment in work.segments()]
        last = segments[-1]
        ends = (last.pts[-1] + last.durations[-1]) * self._clip.time_base
        problems = (*outcome.problems, *self._plan.shortfall(float(ends)))
        if problems:
            ledger.fail(job.source_file, job.target_file, "damaged", "; ".join(problems))
        work.remove()
        yield ClipRestored(
            job.source,
            job.target,
            sum(len(segment.pts) for segment in segments),
            sum(segment.left_alone for segment in segments),
            size_of(job.target),
            time.perf_counter() - self._started,
            outcome.shares,
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
