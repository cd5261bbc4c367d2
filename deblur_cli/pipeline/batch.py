"""What every batch of photos has in common: which jobs may be done, and how their ends are kept."""

from __future__ import annotations

import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

from deblur_cli.errors import DeblurError, DeviceError
from deblur_cli.imaging.read import require_readable
from deblur_cli.pipeline.events import (
    DeviceLost,
    Event,
    Failed,
    LeftSharp,
    Planned,
    Restored,
    Waiting,
)
from deblur_cli.pipeline.ledger.ledger import settings_hash
from deblur_cli.pipeline.ledger.ledgers import Ledgers
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.ledger.verdict import Verdict, seen_source
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.problems import described, foresee_folder, require_folder
from deblur_cli.pipeline.restoring import Restoring
from deblur_cli.pipeline.results import give_times
from deblur_cli.pipeline.sequences import Selected
from deblur_cli.pipeline.sheet import ELSEWHERE, write_missing_sheet
from deblur_cli.pipeline.treatment import Conduct, Treatment

_ACTIONS = {
    Verdict.FREE: "restore",
    Verdict.DONE: "already-done",
    Verdict.IN_THE_WAY: "replace",
}
_WAIT_SECONDS = 0.2, 0.6
"""Chosen anew each time, so that processes which wait for one another's pictures part ways."""


class AnyBatch(ABC):
    """A batch, wherever its pictures are restored.

    Args:
        settings: of the network.
        treatment: what is done to each picture besides.
        conduct: how the batch goes about it.
    """

    def __init__(
        self, settings: Mapping[str, object], treatment: Treatment, conduct: Conduct
    ) -> None:
        self._restoring = Restoring(treatment, conduct)
        self._conduct = conduct
        wanted = settings_hash({**settings, **treatment.settings})
        self._ledgers = Ledgers(wanted, conduct.overwrite)
        self._disk_full = False
        self.in_hand: set[Path] = set()
        """Inputs that are being read, restored or written now; for others to look at."""

    def choose(
        self, jobs: Sequence[Job], *, failed_only: bool = False, limit: int | None = None
    ) -> Sequence[Job]:
        """Those jobs whose last run failed, and of these no more than `limit` that are not done."""
        ledgers = self._ledgers
        ledgers.open(_folders_of(jobs))
        if failed_only:
            jobs = Selected(jobs, (i for i, job in enumerate(jobs) if ledgers.has_failed(job)))
        if limit is None:
            return jobs
        undone = (place for place, job in enumerate(jobs) if not ledgers.is_done(job))
        return jobs[: next(islice(undone, limit, None), None)]

    def preview(self, jobs: Sequence[Job]) -> Iterator[Planned | Failed]:
        """What `run` would do with each job, without doing it, as far as can be told undone.

        Raises:
            ImageWriteError: as `run`.
        """
        foresee = cache(foresee_folder)
        folders = _folders_of(jobs)
        for folder in folders:
            foresee(folder)
        self._ledgers.open(folders)
        for job in jobs:
            try:
                source_bytes = seen_source(job.source).size
                verdict = self._ledgers.verdict(job)
                if verdict is not Verdict.DONE:
                    require_readable(job.source)
                    foresee(job.target.parent)
                    if job.sheet is not None:
                        foresee(job.sheet.parent, ELSEWHERE)
            except DeblurError as error:
                yield Failed(job.source, error)
            else:
                if job.in_place and verdict is Verdict.FREE:
                    verdict = Verdict.IN_THE_WAY
                yield Planned(job.source, job.target, _ACTIONS[verdict], source_bytes)

    def run(
        self, jobs: Sequence[Job], stop: threading.Event
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
        upcoming = jobs
        folders = _folders_of(jobs)
        for folder in folders:
            require_folder(folder)
        self._ledgers.open(folders)

        def stopped() -> bool:
            return stop.is_set() or self._disk_full

        remaining, is_waiting = len(upcoming), False
        try:
            self._ledgers.sweep()
            while upcoming and not stopped() and self._works:
                held: list[Job] = []
                remaining -= yield from self._round(self._ledgers.free(upcoming, held), stopped)
                upcoming = held
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

    @property
    @abstractmethod
    def _works(self) -> bool:
        """Whether any device is left."""

    @abstractmethod
    def _round(
        self, jobs: Iterable[Job], stopped: Callable[[], bool]
    ) -> Generator[Event | DeviceLost, None, int]:
        """Do jobs; returns how many ended."""

    def _fail(self, job: Job, error: Exception) -> Failed:
        failed = Failed(job.source, described(error, job.source))
        self._ledgers.fail(job, failed.error)
        return failed

    def _make_up(self, job: Job) -> None:
        """What an earlier run was not asked for besides the result, or could not do any more."""
        if job.in_place:
            return
        write_missing_sheet(job)
        if self._conduct.preserve_times:
            give_times(job.target, job.source.stat())

    def _complete(
        self,
        job: Job,
        source_file: Fingerprint,
        event: Restored | LeftSharp,
        put: Callable[[], object],
    ) -> Event:
        """Let the result appear, by `put`, and record it."""
        times = job.source.stat() if self._conduct.preserve_times else None
        begun = self._ledgers.begin(job, source_file)
        started = time.perf_counter()
        try:
            put()
        except Exception:
            self._ledgers.abandon(job, begun)
            raise
        self._ledgers.finish(job, begun)
        if times is not None:
            give_times(job.target, times)
        if isinstance(event, LeftSharp):
            return event
        seconds = event.write_seconds + time.perf_counter() - started
        return replace(event, write_seconds=seconds)


def _folders_of(jobs: Iterable[Job]) -> set[Path]:
    """The output folders; each look at all jobs makes them anew."""
    return {job.folder for job in jobs}
