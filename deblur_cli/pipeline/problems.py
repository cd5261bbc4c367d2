"""What can go wrong over one picture, and what it means: for the user, its device, the batch."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deblur_cli.errors import (
    DeblurError,
    DeviceError,
    ImageReadError,
    ImageWriteError,
    RestoreError,
)
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.stages import WorkerLostError
from deblur_cli.storage.remote import RemotePath, require_bucket

_ELSEWHERE = "choose another folder with -o"


def require_folder(folder: Path, remedy: str = _ELSEWHERE) -> None:
    """Make an output folder; raises `ImageWriteError` if it cannot be had or written to."""
    with _folder_needed(folder, remedy):
        if isinstance(folder, RemotePath):
            require_bucket(folder.bucket)
            return
        folder.mkdir(parents=True, exist_ok=True)
        _require_access(folder)


def foresee_folder(folder: Path, remedy: str = _ELSEWHERE) -> None:
    """Raise `ImageWriteError` if `require_folder` would; nothing is made."""
    with _folder_needed(folder, remedy):
        if isinstance(folder, RemotePath):
            require_bucket(folder.bucket)
        else:
            _require_access(_nearest(folder))


def _nearest(folder: Path) -> Path:
    """The folder itself, or the one in which it would be made; raises `OSError`."""
    for path in (folder, *folder.parents):
        with suppress(FileNotFoundError):
            if not stat.S_ISDIR(path.stat().st_mode):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            return path
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _require_access(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@contextmanager
def _folder_needed(folder: Path, remedy: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImageWriteError(
            f"results cannot be written there: {error.strerror}",
            path=folder,
            remedy=remedy,
        ) from error


def in_the_way(job: Job) -> ImageWriteError:
    """The error of a result whose place is taken."""
    if job.in_place:
        return ImageWriteError(
            "was restored in place before, with other settings, or has changed since",
            path=job.target,
            remedy="--overwrite restores it once more",
        )
    return ImageWriteError(
        "exists, and is not the result of this input with these settings",
        path=job.target,
        remedy="--overwrite replaces it, -o writes elsewhere",
    )


def require_same(job: Job, source_file: Fingerprint) -> None:
    """Raise `ImageReadError` if the input is another file than was read."""
    if Fingerprint.of(job.source) != source_file:
        raise ImageReadError(
            "was changed while it was restored",
            path=job.source,
            remedy="the same command restores it as it is now",
        )


def says_disk_full(error: Exception) -> bool:
    """Whether no other result could be written either."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


def means_loss(error: Exception, device: str) -> bool:
    """Whether the device will not work again, rather than this picture being the trouble."""
    if isinstance(error, DeblurError):
        return isinstance(error, DeviceError)
    from deblur_cli.inference.device import still_works

    return not still_works(device)


def described(error: Exception, source: Path) -> DeblurError:
    """The error as the user is told of it, with the file's name; one made from another keeps it."""
    told: DeblurError
    match error:
        case RestoreError(path=None):
            told = RestoreError(error.problem, path=source, remedy=error.remedy)
        case DeblurError():
            return error
        case WorkerLostError():
            told = DeviceError(str(error), path=source, remedy="the same command resumes")
        case MemoryError():
            told = RestoreError(
                "there is not enough memory for it", path=source, remedy="lower --max-memory"
            )
        case _:
            told = RestoreError(
                f"unexpected {type(error).__name__}: {error}",
                path=source,
                remedy="DEBLUR_DEBUG=1 shows where it happened",
            )
    told.__cause__ = error
    return told
