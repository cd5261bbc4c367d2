"""The ledgers of a batch, one for each output folder, asked and told about jobs."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Set
from itertools import islice
from pathlib import Path

from deblur_cli.errors import DeblurError
from deblur_cli.pipeline.ahead import ahead
from deblur_cli.pipeline.discovery.walk import remember_all
from deblur_cli.pipeline.ledger.ledger import Ledger
from deblur_cli.pipeline.ledger.records import Fingerprint, Record
from deblur_cli.pipeline.ledger.verdict import Verdict
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.problems import in_the_way
from deblur_cli.storage.remote import RemotePath

_CLAIMS_AHEAD = 3
_LEAP = 16
"""More than another process claims ahead: who follows close behind it would get nothing."""


class Ledgers:
    """Which jobs are done, have failed, may be done now, and how they end.

    Args:
        settings: the hash of what decides the results.
        overwrite: other files in the place of a result are replaced.
    """

    def __init__(self, settings: str, overwrite: bool) -> None:
        self._settings = settings
        self._overwrite = overwrite
        self._by_folder: dict[Path, Ledger] = {}
        self._upcoming: Generator[Job, None, None] | None = None

    def open(self, folders: Set[Path]) -> None:
        """Open the ledgers of output folders; raises `ImageWriteError` if one cannot be read."""
        for folder in folders - self._by_folder.keys():
            if isinstance(folder, RemotePath):
                remember_all(folder)
            self._by_folder[folder] = Ledger(folder)

    def is_done(self, job: Job) -> bool:
        """Whether the result is complete."""
        try:
            return self._verdict(job, is_last=False) is Verdict.DONE
        except DeblurError:
            return False

    def has_failed(self, job: Job) -> bool:
        """Whether the last that is known of the result is that it could not be made."""
        return self._of(job).has_failed(job.target)

    def verdict(self, job: Job, *, is_last: bool = False) -> Verdict:
        """What stands in the result's place; raises `ImageWriteError` if it must stay.

        `is_last` before the result is written, as of `judged`.
        """
        verdict = self._verdict(job, is_last)
        if verdict is Verdict.IN_THE_WAY or job.in_place:
            self._of(job).refresh()
            verdict = self._verdict(job, is_last)
        if verdict is Verdict.IN_THE_WAY and not self._overwrite:
            raise in_the_way(job)
        return verdict

    def free(self, jobs: Iterable[Job], held: list[Job]) -> Iterator[Job]:
        """Jobs that this process may do now, each claimed; others have those put into `held`.

        A storage takes its time to answer, so it is asked while the jobs before are done, and not
        for what comes right behind a job of others before all the rest.

        Raises:
            ImageWriteError: a ledger cannot be read, or may not be written.
        """
        on_storage = any(isinstance(folder, RemotePath) for folder in self._by_folder)
        claimed = self._claimed(jobs, held, leap=_LEAP if on_storage else 0)
        if on_storage:
            claimed = ahead(claimed, _CLAIMS_AHEAD)
        self._upcoming = claimed
        return claimed

    def _claimed(
        self, jobs: Iterable[Job], held: list[Job], leap: int
    ) -> Generator[Job, None, None]:
        upcoming, left_out = iter(jobs), list[Job]()
        for job in upcoming:
            if self._is_free(job):
                yield job
            else:
                held.append(job)
                left_out.extend(islice(upcoming, leap))
        if left_out:
            yield from self._claimed(left_out, held, leap=0)

    def release(self, job: Job) -> None:
        """The job has ended, one way or another."""
        self._of(job).release(job.target)

    def begin(self, job: Job, source_file: Fingerprint) -> Record:
        """The result is about to appear; raises `ImageWriteError`."""
        return self._of(job).begin(job.source, source_file, job.target, self._settings)

    def finish(self, job: Job, begun: Record) -> None:
        """The result is complete; raises `ImageWriteError`."""
        self._of(job).finish(begun, job.target)

    def abandon(self, job: Job, begun: Record) -> None:
        """The result will not appear after all."""
        self._of(job).abandon(begun)

    def fail(self, job: Job, error: DeblurError) -> None:
        """The result could not be made."""
        self._of(job).fail(job.source, job.target, error.code, str(error))

    def sweep(self) -> None:
        """Remove what processes that died left half-written."""
        for ledger in self._by_folder.values():
            ledger.sweep()

    def close(self) -> None:
        """Close this process's files; nothing else is claimed."""
        if self._upcoming is not None:
            self._upcoming.close()
        for ledger in self._by_folder.values():
            ledger.close()

    def _of(self, job: Job) -> Ledger:
        return self._by_folder[job.folder]

    def _verdict(self, job: Job, is_last: bool) -> Verdict:
        if job.in_place:
            return self._of(job).verdict_in_place(job.target, self._settings)
        return self._of(job).verdict(job.source, job.target, self._settings, is_last=is_last)

    def _is_free(self, job: Job) -> bool:
        """Whether no other process has a job in hand; one that needs no work always is free."""
        try:
            if self.verdict(job) is Verdict.DONE:
                return True
        except DeblurError:
            return True
        return self._of(job).claim(job.target, () if job.sheet is None else (job.sheet,))
