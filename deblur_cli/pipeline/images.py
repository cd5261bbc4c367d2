"""The batch of photos: each job read, restored, written and recorded, while the others go on."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_cli.errors import DeblurError, ImageWriteError, RestoreError
from deblur_cli.imaging.photo import Photo
from deblur_cli.imaging.read import read_photo
from deblur_cli.imaging.write import write_photo
from deblur_cli.pipeline.events import AlreadyDone, Event, Failed, Planned, Restored
from deblur_cli.pipeline.ledger import Fingerprint, Ledger, Verdict, settings_hash
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.stages import overlapped

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
    """Restores jobs with one deblurrer.

    Args:
        deblurrer: the network with its device, dtype and tiles.
        strength: 0 leaves the pictures as they are, 1 takes the network's result.
        overwrite: replace files that stand at the place of a result. What an earlier run completed
            from the same inputs with the same settings is kept all the same.
    """

    def __init__(
        self, deblurrer: Deblurrer, strength: float = 1.0, overwrite: bool = False
    ) -> None:
        self._deblurrer = deblurrer
        self._strength = strength
        self._overwrite = overwrite
        self._settings = settings_hash({**deblurrer.settings, "strength": strength})
        self._ledgers: dict[Path, Ledger] = {}
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

    def run(self, jobs: Iterable[Job], stop: threading.Event) -> Iterator[Event]:
        """Restore every job and yield how each ended.

        Setting `stop` ends the batch after the picture in hand, and so does a full disk: no other
        result could be written.

        Raises:
            ImageWriteError: an output folder cannot be made or written to, or its ledger cannot be
                read; nothing was done.
        """
        jobs = tuple(jobs)
        for folder in {job.folder for job in jobs}:
            _require_folder(folder)
        self._open_ledgers(jobs)

        def stopped() -> bool:
            return stop.is_set() or self._disk_full

        stages = overlapped(jobs, self._load, self._restore, self._store, stop=stopped)
        try:
            for outcome in stages:
                if outcome.value is not None:
                    yield outcome.value
                elif outcome.error is not None:
                    self._disk_full = self._disk_full or _says_disk_full(outcome.error)
                    yield Failed(outcome.item.source, _described(outcome.error))
        finally:
            stages.close()
            for ledger in self._ledgers.values():
                ledger.close()

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

    def _restore(self, job: Job, loaded: _Loaded | AlreadyDone) -> _Result | AlreadyDone:
        if isinstance(loaded, AlreadyDone):
            return loaded
        started = time.perf_counter()
        restoration = self._deblurrer.restore(loaded.photo.pixels, strength=self._strength)
        height, width = restoration.image.shape[:2]
        event = Restored(
            source=job.source,
            target=job.target,
            height=height,
            width=width,
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


def _described(error: Exception) -> DeblurError:
    """The error as the user is told of it; what was not foreseen keeps its cause."""
    if isinstance(error, DeblurError):
        return error
    if isinstance(error, MemoryError):
        described = RestoreError("there is not enough memory for it", remedy="lower --max-memory")
    else:
        described = RestoreError(
            f"unexpected {type(error).__name__}: {error}",
            remedy="DEBLUR_DEBUG=1 shows where it happened",
        )
    described.__cause__ = error
    return described
