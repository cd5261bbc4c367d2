"""The batch of photos: each job read, restored, written and recorded, while the others go on."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_cli.errors import DeblurError, DeviceError, ImageWriteError, RestoreError
from deblur_cli.imaging.photo import Photo
from deblur_cli.imaging.read import read_photo
from deblur_cli.imaging.write import write_photo
from deblur_cli.pipeline.events import (
    AlreadyDone,
    DeviceLost,
    Event,
    Failed,
    Planned,
    Restored,
)
from deblur_cli.pipeline.ledger import Fingerprint, Ledger, Verdict, settings_hash
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.stages import WorkerLostError, overlapped

if TYPE_CHECKING:
    from deblur_cli.inference.engine import Deblurrer

_ACTIONS = {
    Verdict.FREE: "restore",
    Verdict.DONE: "already-done",
    Verdict.IN_THE_WAY: "replace",
}


@dataclass(frozen=True)
class _Loaded:
    source_file: Fingerprint
    photo: Photo


@dataclass(frozen=True)
class _Result:
    source_file: Fingerprint
    photo: Photo
    event: Restored


class Batch:
    """Restores jobs with one deblurrer or, side by side, with several.

    Args:
        fleet: by the names of their devices, deblurrers of equal settings: the network with its
            dtype and tiles on each device.
        strength: 0 leaves the pictures as they are, 1 takes the network's result.
        overwrite: replace files that stand at the place of a result. What an earlier run completed
            from the same inputs with the same settings is kept all the same.
    """

    def __init__(
        self, fleet: Mapping[str, Deblurrer], strength: float = 1.0, overwrite: bool = False
    ) -> None:
        self._fleet = fleet
        self._strength = strength
        self._overwrite = overwrite
        (self._settings,) = {
            settings_hash({**deblurrer.settings, "strength": strength})
            for deblurrer in fleet.values()
        }
        self._ledgers: dict[Path, Ledger] = {}
        self._lost: deque[DeviceLost] = deque()
        self._disk_full = False

    def preview(self, jobs: Iterable[Job]) -> Iterator[Planned | Failed]:
        """What `run` would do with each job, without doing it."""
        jobs = tuple(jobs)
        self._open_ledgers(jobs)
        for job in jobs:
            try:
                source_bytes = Fingerprint.of(job.source).size
                action = _ACTIONS[self._allowed_verdict(job)]
            except DeblurError as error:
                yield Failed(job.source, error)
            else:
                yield Planned(job.source, job.target, action, source_bytes)

    def run(self, jobs: Iterable[Job], stop: threading.Event) -> Iterator[Event | DeviceLost]:
        """Restore every job and yield how each ended, and which devices stopped working.

        Setting `stop` ends the batch after the pictures in hand, and so does a full disk: no other
        result could be written.

        Raises:
            ImageWriteError: an output folder cannot be made or written to, or its ledger cannot be
                read; nothing was done.
            DeviceError: pictures remain, and no device works any more.
        """
        jobs = tuple(jobs)
        for folder in {job.folder for job in jobs}:
            _require_folder(folder)
        self._open_ledgers(jobs)

        def stopped() -> bool:
            return stop.is_set() or self._disk_full

        workers = [partial(self._restore, *on_device) for on_device in self._fleet.items()]
        stages = overlapped(jobs, self._load, workers, self._store, stop=stopped)
        remaining = len(jobs)
        try:
            for outcome in stages:
                remaining -= 1
                while self._lost:
                    yield self._lost.popleft()
                if outcome.value is not None:
                    yield outcome.value
                elif outcome.error is not None:
                    source = outcome.item.source
                    yield Failed(source, _described(outcome.error, source))
        finally:
            stages.close()
            for ledger in self._ledgers.values():
                ledger.close()
        if remaining and not stopped():
            raise DeviceError("no device is left that works", remedy="the same command resumes")

    def _open_ledgers(self, jobs: Iterable[Job]) -> None:
        self._ledgers = {folder: Ledger(folder) for folder in {job.folder for job in jobs}}

    def _allowed_verdict(self, job: Job) -> Verdict:
        """What stands in the result's place; raises `ImageWriteError` if it must stay."""
        ledger = self._ledgers[job.folder]
        verdict = ledger.verdict(job.source, job.target, self._settings)
        if verdict is Verdict.IN_THE_WAY:
            ledger.refresh()
            verdict = ledger.verdict(job.source, job.target, self._settings)
        if verdict is Verdict.IN_THE_WAY and not self._overwrite:
            raise ImageWriteError(
                "exists, and is not the result of this input with these settings",
                path=job.target,
                remedy="--overwrite replaces it, -o writes elsewhere",
            )
        return verdict

    def _load(self, job: Job) -> _Loaded | AlreadyDone:
        source_file = Fingerprint.of(job.source)
        if self._allowed_verdict(job) is Verdict.DONE:
            return AlreadyDone(job.source, job.target)
        return _Loaded(source_file, read_photo(job.source))

    def _restore(
        self, device: str, deblurrer: Deblurrer, job: Job, loaded: _Loaded | AlreadyDone
    ) -> _Result | AlreadyDone:
        if isinstance(loaded, AlreadyDone):
            return loaded
        started = time.perf_counter()
        try:
            restoration = deblurrer.restore(loaded.photo.pixels, strength=self._strength)
        except Exception as error:
            if not _means_loss(error, device):
                raise
            problem = str(error).partition("\n")[0]
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
            warnings=(*loaded.photo.notes, *restoration.warnings),
        )
        return _Result(loaded.source_file, loaded.photo.with_pixels(restoration.image), event)

    def _store(self, job: Job, result: _Result | AlreadyDone) -> Event:
        if isinstance(result, AlreadyDone):
            return result
        try:
            return self._write(job, result)
        except Exception as error:
            self._disk_full = self._disk_full or _says_disk_full(error)
            raise

    def _write(self, job: Job, result: _Result) -> Event:
        if self._allowed_verdict(job) is Verdict.DONE:  # by another process, meanwhile
            return AlreadyDone(job.source, job.target)
        ledger = self._ledgers[job.folder]
        _require_folder(job.target.parent)
        begun = ledger.begin(job.source, result.source_file, job.target, self._settings)
        try:
            write_photo(job.target, result.photo)
        except Exception:
            ledger.abandon(begun)
            raise
        ledger.finish(begun, job.target)
        return result.event


def _require_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise ImageWriteError(
            f"results cannot be written there: {error.strerror}",
            path=folder,
            remedy="choose another folder with -o",
        ) from error


def _says_disk_full(error: Exception) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


def _means_loss(error: Exception, device: str) -> bool:
    """Whether the device will not work again, rather than this picture being the trouble."""
    if isinstance(error, DeblurError):
        return isinstance(error, DeviceError)
    from deblur_cli.inference.device import still_works

    return not still_works(device)


def _described(error: Exception, source: Path) -> DeblurError:
    """The error as the user is told of it, with the file's name; one made from another keeps it."""
    described: DeblurError
    match error:
        case RestoreError(path=None):
            described = RestoreError(error.problem, path=source, remedy=error.remedy)
        case DeblurError():
            return error
        case WorkerLostError():
            described = DeviceError(str(error), path=source, remedy="the same command resumes")
        case MemoryError():
            described = RestoreError(
                "there is not enough memory for it", path=source, remedy="lower --max-memory"
            )
        case _:
            described = RestoreError(
                f"unexpected {type(error).__name__}: {error}",
                path=source,
                remedy="DEBLUR_DEBUG=1 shows where it happened",
            )
    described.__cause__ = error
    return described
