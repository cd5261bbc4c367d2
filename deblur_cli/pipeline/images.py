"""The batch of photos: each job read, restored, written and recorded, while the others go on."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_cli.errors import DeblurError, DeviceError
from deblur_cli.imaging.convert import with_depth
from deblur_cli.imaging.photo import Image, Photo
from deblur_cli.imaging.provenance import signed, stripped
from deblur_cli.pipeline.events import (
    AlreadyDone,
    DeviceLost,
    Event,
    Failed,
    LeftSharp,
    Planned,
    Restored,
    Waiting,
)
from deblur_cli.pipeline.formats import same_format
from deblur_cli.pipeline.ledger import Verdict, settings_hash
from deblur_cli.pipeline.ledgers import Ledgers
from deblur_cli.pipeline.pictures import Picture, read_picture
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.problems import (
    described,
    means_loss,
    require_folder,
    require_same,
    says_disk_full,
)
from deblur_cli.pipeline.records import Fingerprint
from deblur_cli.pipeline.results import give_times, put_copy, put_photo
from deblur_cli.pipeline.sheet import write_missing_sheet, write_sheet
from deblur_cli.pipeline.stages import WorkerLostError, overlapped
from deblur_cli.pipeline.treatment import Conduct, Treatment

if TYPE_CHECKING:
    from deblur_cli.inference.engine import Deblurrer

_ACTIONS = {
    Verdict.FREE: "restore",
    Verdict.DONE: "already-done",
    Verdict.IN_THE_WAY: "replace",
}
_RESTORE_ALL, _AS_USUAL = Treatment(), Conduct()
_HANDS = 2
"""Threads that read for each device, and as many that write: decoding may be the slower work."""
_WAIT_SECONDS = 0.2, 0.6
"""Chosen anew each time, so that processes which wait for one another's pictures part ways."""


@dataclass(frozen=True)
class _Result:
    """A picture to be written; `pixels` is what became of its rendition."""

    picture: Picture
    pixels: Image
    event: Restored | LeftSharp


class Batch:
    """Restores jobs with one deblurrer or, side by side, with several.

    Args:
        fleet: by the names of their devices, deblurrers of equal settings: the network with its
            dtype and tiles on each device.
        treatment: what is done to each picture besides.
        conduct: how the batch goes about it.
    """

    def __init__(
        self,
        fleet: Mapping[str, Deblurrer],
        treatment: Treatment = _RESTORE_ALL,
        conduct: Conduct = _AS_USUAL,
    ) -> None:
        self._fleet = fleet
        self._treatment = treatment
        self._conduct = conduct
        (settings,) = {
            settings_hash({**deblurrer.settings, **treatment.settings})
            for deblurrer in fleet.values()
        }
        self._ledgers = Ledgers(settings, conduct.overwrite)
        self._lost: deque[DeviceLost] = deque()
        self._without: set[str] = set()
        self._disk_full = False
        self.in_hand: set[Path] = set()
        """Inputs that are being read, restored or written now; for others to look at."""

    def choose(
        self, jobs: Iterable[Job], *, failed_only: bool = False, limit: int | None = None
    ) -> tuple[Job, ...]:
        """Those jobs whose last run failed, and of these no more than `limit` that are not done."""
        jobs = tuple(jobs)
        self._ledgers.open(jobs)
        if failed_only:
            jobs = tuple(job for job in jobs if self._ledgers.has_failed(job))
        if limit is None:
            return jobs
        undone = [place for place, job in enumerate(jobs) if not self._ledgers.is_done(job)]
        return jobs if len(undone) <= limit else jobs[: undone[limit]]

    def preview(self, jobs: Iterable[Job]) -> Iterator[Planned | Failed]:
        """What `run` would do with each job, without doing it."""
        jobs = tuple(jobs)
        self._ledgers.open(jobs)
        for job in jobs:
            try:
                source_bytes = Fingerprint.of(job.source).size
                verdict = self._ledgers.verdict(job)
            except DeblurError as error:
                yield Failed(job.source, error)
            else:
                if job.in_place and verdict is Verdict.FREE:
                    verdict = Verdict.IN_THE_WAY
                yield Planned(job.source, job.target, _ACTIONS[verdict], source_bytes)

    def run(
        self, jobs: Iterable[Job], stop: threading.Event
    ) -> Iterator[Event | DeviceLost | Waiting]:
        """Restore every job and yield how each ended, and which devices stopped working.

        Jobs that other processes have in hand come last: they are waited for, and done if those
        processes leave them. Setting `stop` ends the batch after the pictures in hand, and so does
        a full disk: no other result could be written.

        Raises:
            ImageWriteError: an output folder cannot be made or written to, or its ledger cannot be
                read; nothing was done.
            DeviceError: pictures remain, and no device works any more.
        """
        upcoming = tuple(jobs)
        for folder in {job.folder for job in upcoming}:
            require_folder(folder)
        self._ledgers.open(upcoming)

        def stopped() -> bool:
            return stop.is_set() or self._disk_full

        remaining, is_waiting = len(upcoming), False
        try:
            self._ledgers.sweep()
            while upcoming and not stopped() and self._without != self._fleet.keys():
                held: list[Job] = []
                remaining -= yield from self._round(self._ledgers.free(upcoming, held), stopped)
                upcoming = tuple(held)
                if held and not stopped():
                    if not is_waiting:
                        yield Waiting(len(held))
                    is_waiting = True
                    stop.wait(random.uniform(*_WAIT_SECONDS))
            self._ledgers.sweep()
        finally:
            self._ledgers.close()
        if remaining and not stopped():
            raise DeviceError("no device is left that works", remedy="the same command resumes")

    def _round(
        self, jobs: Iterable[Job], stopped: Callable[[], bool]
    ) -> Generator[Event | DeviceLost, None, int]:
        """Do jobs; returns how many ended."""
        working = [device for device in self._fleet if device not in self._without]
        workers = [partial(self._restore, device, self._fleet[device]) for device in working]
        threads = _HANDS * len(workers)
        stages = overlapped(jobs, self._load, workers, self._store, threads=threads, stop=stopped)
        ended = 0
        try:
            for outcome in stages:
                ended += 1
                self.in_hand.discard(outcome.item.source)
                while self._lost:
                    yield self._lost.popleft()
                if outcome.error is not None:
                    yield self._fail(outcome.item, outcome.error)
                elif outcome.value is not None:
                    self._ledgers.release(outcome.item)
                    yield outcome.value
        finally:
            stages.close()
        return ended

    def _fail(self, job: Job, error: Exception) -> Failed:
        failed = Failed(job.source, described(error, job.source))
        self._ledgers.fail(job, failed.error)
        return failed

    def _load(self, job: Job) -> Picture | AlreadyDone:
        self.in_hand.add(job.source)
        if self._ledgers.verdict(job) is Verdict.DONE:
            self._make_up(job)
            return AlreadyDone(job.source, job.target)
        return read_picture(job, self._treatment, self._conduct.max_pixels)

    def _make_up(self, job: Job) -> None:
        """What an earlier run was not asked for besides the result, or could not do any more."""
        if job.in_place:
            return
        write_missing_sheet(job)
        if self._conduct.preserve_times:
            give_times(job.target, job.source.stat())

    def _restore(
        self, device: str, deblurrer: Deblurrer, job: Job, loaded: Picture | AlreadyDone
    ) -> _Result | AlreadyDone:
        if isinstance(loaded, AlreadyDone):
            return loaded
        rendition = loaded.rendition
        if loaded.score is not None:
            left = LeftSharp(job.source, job.target, loaded.score)
            return _Result(loaded, rendition.pixels, left)
        started = time.perf_counter()
        try:
            restoration = deblurrer.restore(rendition.pixels, strength=self._treatment.strength)
        except Exception as error:
            if not means_loss(error, device):
                raise
            problem = str(error).partition("\n")[0]
            self._without.add(device)
            self._lost.append(DeviceLost(device, job.source, problem))
            raise WorkerLostError(f"{device} stopped working: {problem}") from error
        height, width = restoration.image.shape[:2]
        event = Restored(
            source=job.source,
            target=job.target,
            height=height,
            width=width,
            device=device,
            seconds=time.perf_counter() - started,
            tile=restoration.tile,
            tiles=restoration.tiles,
            redone=restoration.redone,
            kept=restoration.kept,
            warnings=(*rendition.photo.notes, *restoration.warnings),
            read_seconds=loaded.seconds,
        )
        return _Result(loaded, restoration.image, event)

    def _store(self, job: Job, result: _Result | AlreadyDone) -> Event:
        if isinstance(result, AlreadyDone):
            return result
        try:
            return self._write(job, result)
        except Exception as error:
            self._disk_full = self._disk_full or says_disk_full(error)
            raise

    def _write(self, job: Job, result: _Result) -> Event:
        if self._ledgers.verdict(job) is Verdict.DONE:  # by another process, meanwhile
            return AlreadyDone(job.source, job.target)
        require_same(job, result.picture.source_file)
        if isinstance(result.event, LeftSharp) and job.in_place:
            return result.event
        require_folder(job.target.parent)
        self._show(job, result)
        source = job.source.stat()
        begun = self._ledgers.begin(job, result.picture.source_file)
        started = time.perf_counter()
        try:
            self._put(job, result)
        except Exception:
            self._ledgers.abandon(job, begun)
            raise
        self._ledgers.finish(job, begun)
        if self._conduct.preserve_times:
            give_times(job.target, source)
        if isinstance(result.event, Restored):
            return replace(result.event, write_seconds=time.perf_counter() - started)
        return result.event

    def _show(self, job: Job, result: _Result) -> None:
        """Let others see what the network got and gave."""
        before, after = result.picture.rendition.pixels, result.pixels
        if job.sheet is not None:
            write_sheet(job.sheet, before, after)
        if self._conduct.witness is not None and isinstance(result.event, Restored):
            self._conduct.witness(job.source, before, after)

    def _put(self, job: Job, result: _Result) -> None:
        is_copy = same_format(job.source.suffix, job.target.suffix) and self._treatment.keeps_file
        if isinstance(result.event, LeftSharp) and is_copy:
            put_copy(job, result.picture.source_file)
        else:
            put_photo(job, self._marked(result), result.picture.source_file)

    def _marked(self, result: _Result) -> Photo:
        """The photo with what it shall say of where it comes from."""
        picture = result.picture
        photo = with_depth(picture.rendition.restored(result.pixels), picture.dtype)
        if self._treatment.strip:
            return stripped(photo)
        is_ours = self._conduct.software and isinstance(result.event, Restored)
        return signed(photo, self._conduct.software) if is_ours else photo
