"""A finished video: put together from its segments, verified, and given its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from deblur_cli.errors import VideoWriteError
from deblur_cli.pipeline.clips.plan import ClipPlan
from deblur_cli.pipeline.clips.work import WorkFolder
from deblur_cli.pipeline.ledger.ledger import Ledger
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.problems import says_disk_full
from deblur_cli.video.assembly import Assembly
from deblur_cli.video.verification import verify

_FREE_SPACE = "free some space; the same command resumes"


def finish(
    plan: ClipPlan, work: WorkFolder, ledger: Ledger, fingerprint: Fingerprint, settings: str
) -> tuple[str, ...]:
    """Make the result of a work folder.

    Args:
        plan: whose frames they are.
        work: holds all segments.
        ledger: of the result's folder.
        fingerprint: of the input.
        settings: their hash.

    Returns:
        Warnings.

    Raises:
        VideoReadError: there is no segment, or the input has changed.
        VideoWriteError: the result cannot be written.
    """
    job, clip = plan.job, plan.clip
    segments = work.segments()
    if not segments:
        raise plan.nothing_read()
    begin_anew = f"remove {work.path} to begin anew"
    for (_, earlier), (_, later) in pairwise(segments):
        if later.pts[0] <= earlier.pts[-1]:
            raise VideoWriteError(
                "some of its frames were made twice", path=job.target, remedy=begin_anew
            )
    assembly = Assembly(
        clip,
        plan.container,
        plan.encoding,
        segments,
        job.selection,
        plan.streams,
        job.first_number,
    )
    shown = [pts for _, segment in segments for pts in segment.pts]
    seconds = float((shown[-1] - shown[0]) * clip.time_base)
    try:
        made = work.result(job.target)
        with _named_after(job.target):
            index = assembly.write(made)
        with _named_after(job.target, f"{begin_anew}, or change --codec"):
            verify(made, index, len(shown), seconds)
        warnings = assembly.lost_metadata(made)
        job.require_unchanged(fingerprint)
        begun = ledger.begin(job.source_file, fingerprint, job.target_file, settings)
        work.hand_over(job.target)
        ledger.finish(begun, job.target_file)
    except OSError as error:
        raise VideoWriteError(
            f"the result cannot be written: {error.strerror}",
            path=job.target,
            remedy=_FREE_SPACE,
        ) from error
    return warnings


@contextmanager
def _named_after(target: Path, remedy: str | None = None) -> Iterator[None]:
    """Errors name the result, not the temporary file that becomes it."""
    try:
        yield
    except VideoWriteError as error:
        fitting = _FREE_SPACE if says_disk_full(error) else remedy or error.remedy
        raise VideoWriteError(error.problem, path=target, remedy=fitting) from error
