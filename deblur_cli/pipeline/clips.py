"""One video: decoded, restored frame by frame and encoded once, in segments that survive."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_cli.errors import UsageError, VideoReadError, VideoWriteError
from deblur_cli.pipeline.clips_events import (
    ClipAlreadyDone,
    ClipEvent,
    ClipProgress,
    ClipRestored,
    ClipStarted,
    ClipWarned,
    Shares,
)
from deblur_cli.pipeline.clips_job import ClipJob
from deblur_cli.pipeline.clips_stages import Clock, ahead, behind, clocked
from deblur_cli.pipeline.clips_work import Recorder, WorkFolder
from deblur_cli.pipeline.ledger import Ledger, Verdict, settings_hash
from deblur_cli.pipeline.paths import is_regular_file, place
from deblur_cli.pipeline.problems import require_folder
from deblur_cli.pipeline.records import Fingerprint
from deblur_cli.video.assembly import Assembly
from deblur_cli.video.clip import probe
from deblur_cli.video.colour import Image, repainted, to_rgb
from deblur_cli.video.containers import Container
from deblur_cli.video.encoding import choose_encoding
from deblur_cli.video.reader import Frame, Reader
from deblur_cli.video.verification import verify

if TYPE_CHECKING:
    from deblur_cli.inference.engine import Deblurrer

_FRAMES_AHEAD = 4
_FRAMES_BEHIND = 4


class ClipRestoration:
    """Restores one video with one deblurrer.

    Args:
        job: what is wanted; `check` has passed.
        deblurrer: the network on its device.

    Raises:
        VideoReadError, UsageError: as `ClipJob.check`.
    """

    def __init__(self, job: ClipJob, deblurrer: Deblurrer) -> None:
        self._job = job
        self._deblurrer = deblurrer
        self._container = Container.of(job.target)
        self._clip = probe(job.source, deinterlace=job.deinterlace)
        self._encoding = choose_encoding(self._clip, self._container, job.wish)
        self._settings = {
            **deblurrer.settings,
            **asdict(job.selection),
            **self._encoding.settings,
            "strength": job.strength,
            "deinterlace": job.deinterlace,
            "muxer": self._container.muxer,
        }
        self._clocks = {stage: Clock() for stage in ("decode", "network", "encode", "waiting")}
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
        require_folder(job.target.parent)
        with closing(Ledger(job.target.parent)) as ledger:
            settings = settings_hash(self._settings)
            if self._is_done(ledger, settings):
                problems = tuple(
                    failure.message
                    for target, failure in ledger.failures()
                    if place(target) == place(job.target)
                )
                yield ClipAlreadyDone(job.source, job.target, problems)
            elif ledger.claim(job.target):
                yield from self._make(ledger, settings, stop)
            else:
                raise VideoWriteError(
                    "another process is making it", path=job.target, remedy="wait for that one"
                )

    def _make(self, ledger: Ledger, settings: str, stop: threading.Event) -> Iterator[ClipEvent]:
        job = self._job
        fingerprint = Fingerprint.of(job.source)
        work = self._open_work(fingerprint)
        latest = work.segments()[-1:]
        problems = [problem for _, segment in latest for problem in segment.problems]
        reader = Reader(self._clip, job.selection, job.deinterlace, problems)
        recorder = Recorder(work, self._clip, self._encoding, problems)
        yield self._start(work, recorder.saved)
        frames = reader.frames(*(segment.end for _, segment in latest))
        yield from self._restore(frames, recorder, stop)
        if stop.is_set():
            return
        warnings = self._assemble(work, ledger, fingerprint, settings)
        problems += self._shortfall(work)
        if problems:
            ledger.fail(job.source, job.target, "damaged", "; ".join(problems))
        work.remove()
        yield ClipRestored(
            job.source,
            job.target,
            recorder.saved,
            job.target.stat().st_size,
            time.perf_counter() - self._started,
            self._shares(),
            warnings,
            tuple(problems),
        )

    def _is_done(self, ledger: Ledger, settings: str) -> bool:
        job = self._job
        verdict = ledger.verdict(job.source, job.target, settings)
        if verdict is Verdict.IN_THE_WAY:
            if not is_regular_file(job.target):
                raise UsageError("is no regular file", path=job.target, remedy="name another file")
            if not job.overwrite:
                raise VideoWriteError(
                    "another file stands there", path=job.target, remedy="--overwrite replaces it"
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

    def _start(self, work: WorkFolder, done: int) -> ClipStarted:
        clip, job = self._clip, self._job
        return ClipStarted(
            job.source,
            job.target,
            clip.width,
            clip.height,
            self._expected,
            done,
            self._encoding.summary,
            work.path,
            (*self._encoding.warnings, *job.shortage_of_space),
        )

    @property
    def _expected(self) -> int:
        """Frames of the selection, as far as the headers tell."""
        clip, chosen = self._clip, self._job.selection
        first = round(chosen.start * clip.rate)
        last = clip.frames
        if chosen.end is not None:
            last = min(round(chosen.end * clip.rate), last or round(chosen.end * clip.rate))
        return max(0, last - first) // chosen.every

    def _restore(
        self, frames: Iterator[Frame], recorder: Recorder, stop: threading.Event
    ) -> Iterator[ClipProgress | ClipWarned]:
        done = recorder.saved
        told: set[str] = set()
        clocks = self._clocks
        pictures = ahead(clocked(_pictures(frames), clocks["decode"]), _FRAMES_AHEAD)
        in_hand: deque[tuple[Frame, Image]] = deque()

        def images() -> Iterator[Image]:
            for frame, image in clocked(pictures, clocks["waiting"]):
                if stop.is_set():
                    return
                in_hand.append((frame, image))
                yield image

        restored = self._deblurrer.stream(images(), self._job.strength)
        with closing(pictures), behind(_FRAMES_BEHIND) as submit:
            try:
                for restoration in clocked(iter(restored), clocks["network"]):
                    frame, before = in_hand.popleft()
                    submit(partial(self._encode, recorder, frame, before, restoration.image))
                    done += 1
                    yield self._progress(done, recorder.saved)
                    for text in set(restoration.warnings) - told:
                        told.add(text)
                        yield ClipWarned(float(frame.pts * self._clip.time_base), text)
            finally:
                submit(recorder.finish)

    def _progress(self, done: int, saved: int) -> ClipProgress:
        seconds = time.perf_counter() - self._started
        return ClipProgress(done, saved, self._expected, seconds, self._shares())

    def _encode(self, recorder: Recorder, frame: Frame, before: Image, after: Image) -> None:
        with self._clocks["encode"].running():
            picture = repainted(frame.picture, before, after, self._encoding.pix_fmt)
            recorder.add(frame, picture)

    def _shares(self) -> Shares:
        seconds = {stage: clock.seconds for stage, clock in self._clocks.items()}
        network = max(0.0, seconds["network"] - seconds["waiting"])
        return Shares(seconds["decode"], network, seconds["encode"])

    def _assemble(
        self, work: WorkFolder, ledger: Ledger, fingerprint: Fingerprint, settings: str
    ) -> tuple[str, ...]:
        job, clip = self._job, self._clip
        segments = work.segments()
        if not segments:
            raise VideoReadError(
                "there is no frame to restore", path=job.source, remedy="check --start and --end"
            )
        assembly = Assembly(clip, self._container, self._encoding, segments, job.selection)
        shown = [pts for _, segment in segments for pts in segment.pts]
        seconds = float((shown[-1] - shown[0]) * clip.time_base)
        try:
            with _named_after(job.target):
                index, warnings = assembly.write(work.result)
                verify(work.result, index, len(shown), seconds)
            begun = ledger.begin(job.source, fingerprint, job.target, settings)
            work.hand_over(job.target)
            ledger.finish(begun, job.target)
        except OSError as error:
            raise VideoWriteError(
                f"the result cannot be written: {error.strerror}",
                path=job.target,
                remedy="free some space; the same command resumes",
            ) from error
        return warnings

    def _shortfall(self, work: WorkFolder) -> list[str]:
        """What the headers promise and the file does not hold."""
        clip = self._clip
        if self._job.selection.end is not None or not clip.end:
            return []
        _, last = work.segments()[-1]
        ends = float((last.pts[-1] + last.durations[-1]) * clip.time_base)
        missing = clip.end - ends
        if missing <= 2 * self._job.selection.every / clip.rate:
            return []
        return [f"it ends at {ends:.2f} s, {missing:.2f} s before it should"]


@contextmanager
def _named_after(target: Path) -> Iterator[None]:
    """Errors name the result, not the temporary file that becomes it."""
    try:
        yield
    except VideoWriteError as error:
        raise VideoWriteError(error.problem, path=target, remedy=error.remedy) from error


def _pictures(frames: Iterator[Frame]) -> Iterator[tuple[Frame, Image]]:
    for frame in frames:
        yield frame, to_rgb(frame.picture)
