"""The batch of photos on a cluster: workers make the results, this process names and records them.

A worker writes a result beside its place, under a temporary name; it gets its own name here, once
the ledger has it. So whatever becomes of workers, or of this process, each result appears once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from deblur_cli.errors import ImageReadError, RestoreError
from deblur_cli.imaging.atomic import owner, sweep
from deblur_cli.imaging.write import publish_draft
from deblur_cli.pipeline.batch import AnyBatch
from deblur_cli.pipeline.cluster.crew import LOSSES, Crew, Done, Loss, Task
from deblur_cli.pipeline.cluster.worker import Answer, Blind, Made, Unmade
from deblur_cli.pipeline.events import AlreadyDone, DeviceLost, Event
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.ledger.verdict import Verdict
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.problems import require_same, says_disk_full
from deblur_cli.pipeline.restoring import Restoring
from deblur_cli.pipeline.treatment import Conduct, Treatment


@dataclass
class PictureTask(Task):
    """A picture to be restored.

    Args:
        job: what is to be done.
        seen: the input as this process sees it.
        restoring: how.
    """

    job: Job
    seen: Fingerprint
    restoring: Restoring

    @property
    def order(self) -> tuple[str, tuple[Any, ...]]:
        """As `Worker.make` takes it."""
        return "make", (self.job, self.seen, self.restoring)

    def checked(self, answer: Answer) -> Answer:
        """The answer, unless the worker and this process see different things on the drive."""
        if isinstance(answer, Blind):
            try:
                require_same(self.job, self.seen)
            except ImageReadError as error:
                return Unmade(error)
        if isinstance(answer, Made) and answer.draft is not None and not answer.draft.exists():
            return Blind(answer.draft)
        return answer


class ClusterBatch(AnyBatch):
    """Restores jobs with the workers of a crew.

    Args:
        crew: whose networks have equal settings.
        treatment: what is done to each picture besides.
        conduct: how the batch goes about it.
    """

    def __init__(self, crew: Crew[PictureTask], treatment: Treatment, conduct: Conduct) -> None:
        super().__init__(crew.first().settings, treatment, conduct)
        self._order = Restoring(treatment, replace(conduct, hears=None))
        self._crew = crew
        self._littered: set[Path] = set()

    @property
    def _works(self) -> bool:
        return not self._crew.is_lost

    def _round(
        self, jobs: Iterable[Job], stopped: Callable[[], bool]
    ) -> Generator[Event | DeviceLost, None, int]:
        try:
            return (yield from self._dealt(iter(jobs), stopped))
        finally:
            self._note_litter(self._crew.abandon())
            for folder in self._littered:
                sweep(folder, {owner()})

    def _dealt(
        self, upcoming: Iterator[Job], stopped: Callable[[], bool]
    ) -> Generator[Event | DeviceLost, None, int]:
        ended, is_drained = 0, False
        while self._works:
            if not stopped():
                self._crew.retry()
            while self._crew.has_room and not (stopped() or is_drained):
                job = next(upcoming, None)
                is_drained = job is None
                if job is not None and (event := self._begun(job)) is not None:
                    ended += 1
                    yield event
            is_over = stopped() or (is_drained and not self._crew.returned)
            if is_over and not self._crew.in_hand:
                break
            for news in self._crew.news():
                for told in self._told(news):
                    ended += not isinstance(told, DeviceLost)
                    yield told
        return ended

    def _note_litter(self, tasks: Iterable[PictureTask]) -> None:
        """Workers that ended over these may have left something half-written."""
        for task in tasks:
            results = (task.job.target, task.job.sheet)
            self._littered |= {path.parent for path in results if path is not None}

    def _begun(self, job: Job) -> Event | None:
        """Give a job to a worker, or say how it has ended if it needs none."""
        try:
            if self._ledgers.verdict(job) is Verdict.DONE:
                self._make_up(job)
                self._ledgers.release(job)
                return AlreadyDone(job.source, job.target)
            self._crew.take(PictureTask(job, Fingerprint.of(job.source), self._order))
        except Exception as error:
            return self._fail(job, error)
        self.in_hand.add(job.source)
        return None

    def _told(self, news: Done[PictureTask] | Loss[PictureTask]) -> Iterator[Event | DeviceLost]:
        if isinstance(news, Loss):
            job = news.task.job
            self._note_litter([news.task])
            yield DeviceLost(news.worker, job.source, news.problem)
            if news.is_final:
                self.in_hand.discard(job.source)
                yield self._fail(job, _set_aside(job, news.problem))
        else:
            job = news.task.job
            self.in_hand.discard(job.source)
            yield self._ended(job, news.answer)

    def _ended(self, job: Job, answer: Made | Unmade) -> Event:
        if isinstance(answer, Unmade):
            self._disk_full |= answer.is_disk_full
            return self._fail(job, answer.error)
        try:
            event = self._accept(job, answer)
        except Exception as error:
            self._disk_full |= says_disk_full(error)
            if answer.draft is not None:
                answer.draft.unlink(missing_ok=True)
            return self._fail(job, error)
        self._ledgers.release(job)
        return event

    def _accept(self, job: Job, made: Made) -> Event:
        """Let the result of a worker appear; raises as a `Batch` does."""
        require_same(job, made.source_file)
        if made.draft is None:
            return made.event
        if self._ledgers.verdict(job) is Verdict.DONE:  # by another process, meanwhile
            made.draft.unlink(missing_ok=True)
            return AlreadyDone(job.source, job.target)
        put = partial(publish_draft, made.draft, job.target)
        event = self._complete(job, made.source_file, made.event, put)
        if self._conduct.hears is not None and made.seen is not None:
            self._conduct.hears(job.source, made.seen)
        return event


def _set_aside(job: Job, problem: str) -> RestoreError:
    return RestoreError(
        f"{LOSSES} workers ended while they had it in hand: {problem}",
        path=job.source,
        remedy="try it alone, without --ray; the next run tries it again",
    )
