"""How a finished picture takes its place: encoded, or as a copy where nothing was done to it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from deblur_cli.errors import ImageWriteError
from deblur_cli.imaging.photo import Photo
from deblur_cli.imaging.write import encoded, new_file
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.problems import require_same
from deblur_cli.storage.remote import RemotePath

NewFile = Callable[[Path], AbstractContextManager[Path]]


def put_photo(job: Job, photo: Photo, source_file: Fingerprint, new: NewFile = new_file) -> Path:
    """Write what was restored from one version of the input.

    In place it keeps the input's owner, mode and extended attributes, as far as that is allowed.

    Args:
        job: the input and its result.
        photo: the result.
        source_file: the version of the input.
        new: `new_file`, or `new_draft` for a result that waits for its name.

    Returns:
        The path of the temporary file, which is the result's now, or waits.

    Raises:
        ImageReadError: the input is another file by now.
        ImageWriteError: the result cannot be encoded or written.
    """
    content = encoded(photo, job.target)
    with new(job.target) as temporary:
        temporary.write_bytes(content)
        if job.in_place:
            _liken(temporary, job.source)
        require_same(job, source_file)
    return temporary


def put_copy(job: Job, source_file: Fingerprint, new: NewFile = new_file) -> Path:
    """Let the result be a copy of that version of the input; otherwise as `put_photo`."""
    with new(job.target) as temporary:
        if isinstance(job.source, RemotePath):
            temporary.write_bytes(job.source.read_bytes())
        else:
            shutil.copyfile(job.source, temporary)
        require_same(job, source_file)
    return temporary


def _liken(temporary: Path, source: Path) -> None:
    if os.name == "posix":
        status = source.stat()
        with suppress(PermissionError):
            os.chown(temporary, status.st_uid, status.st_gid)
    shutil.copystat(source, temporary)
    os.utime(temporary)


def give_times(target: Path, source: os.stat_result) -> None:
    """Let a result be as old as its input was, to the nanosecond; raises `ImageWriteError`."""
    try:
        if isinstance(target, RemotePath):
            raise OSError(errno.ENOTSUP, "a storage sets the times itself")
        os.utime(target, ns=(source.st_atime_ns, source.st_mtime_ns))
    except OSError as error:
        raise ImageWriteError(
            f"its times cannot be set: {error.strerror}",
            path=target,
            remedy="leave out --preserve-times",
        ) from error
