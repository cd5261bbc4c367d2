"""The batch of photos: each job read, restored, written and recorded, while the others go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from deblur_cli.pipeline.batch import AnyBatch
from deblur_cli.pipeline.events import (
    AlreadyDone,
    DeviceLost,
    Event,
    LeftSharp,
)
from deblur_cli.pipeline.ledger.verdict import Verdict
from deblur_cli.pipeline.pictures import Picture
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.problems import (
    means_loss,
    require_folder,
    require_same,
    says_disk_full,
)
from deblur_cli.pipeline.restoring import Result
from deblur_cli.pipeline.stages import WorkerLostError, overlapped
from deblur_cli.pipeline.treatment import Conduct, Treatment
from deblur_cli.storage.remote import RemotePath

if TYPE_CHECKING:
    from deblur_cli.inference.engine import Deblurrer

_RESTORE_ALL, _AS_USUAL = Treatment(), Conduct()
_HANDS = 2
"""Threads that read for each device, and as many that write: decoding may be the slower work."""


class Batch(AnyBatch):
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
        (settings,) = {tuple(sorted(deblurrer.settings.items())) for deblurrer in fleet.values()}
        super().__init__(dict(settings), treatment, conduct)
        self._lost: deque[DeviceLost] = deque()
        self._without: set[str] = set()

    @property
    def _works(self) -> bool:
        return self._without != self._fleet.keys()

    def _round(
        self, jobs: Iterable[Job], stopped: Callable[[], bool]
    ) -> Generator[Event | DeviceLost, None, int]:
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

    def _load(self, job: Job) -> Picture | AlreadyDone:
        self.in_hand.add(job.source)
        if self._ledgers.verdict(job) is Verdict.DONE:
            self._make_up(job)
            return AlreadyDone(job.source, job.target)
        return self._restoring.read(job)

    def _restore(
        self, device: str, deblurrer: Deblurrer, job: Job, loaded: Picture | AlreadyDone
    ) -> Result | AlreadyDone:
        if isinstance(loaded, AlreadyDone):
            return loaded
        try:
            return self._restoring.restore(job, loaded, device, deblurrer)
        except Exception as error:
            if not means_loss(error, device):
                raise
            problem = str(error).partition("\n")[0]
            self._without.add(device)
            self._lost.append(DeviceLost(device, job.source, problem))
            raise WorkerLostError(f"{device} stopped working: {problem}") from error

    def _store(self, job: Job, result: Result | AlreadyDone) -> Event:
        if isinstance(result, AlreadyDone):
            return result
        try:
            return self._write(job, result)
        except Exception as error:
            self._disk_full = self._disk_full or says_disk_full(error)
            raise

    def _write(self, job: Job, result: Result) -> Event:
        if self._ledgers.verdict(job, is_last=True) is Verdict.DONE:  # by another process
            return AlreadyDone(job.source, job.target)
        if not isinstance(job.source, RemotePath):  # which is asked once, before the result is put
            require_same(job, result.picture.source_file)
        if isinstance(result.event, LeftSharp) and job.in_place:
            return result.event
        require_folder(job.target.parent)
        self._restoring.show(job, result)
        put = partial(self._restoring.put, job, result)
        return self._complete(job, result.picture.source_file, result.event, put)
