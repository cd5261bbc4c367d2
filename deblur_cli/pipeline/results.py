"""How a finished picture takes its place: encoded, or as a copy where nothing was done to it."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from deblur_cli.errors import ImageWriteError
from deblur_cli.imaging.photo import Photo
from deblur_cli.imaging.write import encoded, new_file
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.problems import require_same
from deblur_cli.pipeline.records import Fingerprint


def put_photo(job: Job, photo: Photo, source_file: Fingerprint) -> None:
    """Write what was restored from one version of the input; in place it keeps the input's mode.

    Raises:
        ImageReadError: the input is another file by now.
        ImageWriteError: the result cannot be encoded or written.
    """
    content = encoded(photo, job.target)
    with new_file(job.target) as temporary:
        temporary.write_bytes(content)
        if job.in_place:
            temporary.chmod(stat.S_IMODE(job.source.stat().st_mode))
        require_same(job, source_file)


def put_copy(job: Job, source_file: Fingerprint) -> None:
    """Let the result be a copy of that version of the input; raises as `put_photo`."""
    with new_file(job.target) as temporary:
        shutil.copyfile(job.source, temporary)
        require_same(job, source_file)


def give_times(target: Path, source: os.stat_result) -> None:
    """Let a result be as old as its input was, to the nanosecond; raises `ImageWriteError`."""
    try:
        os.utime(target, ns=(source.st_atime_ns, source.st_mtime_ns))
    except OSError as error:
        raise ImageWriteError(
            f"its times cannot be set: {error.strerror}",
            path=target,
            remedy="leave out --preserve-times",
        ) from error
