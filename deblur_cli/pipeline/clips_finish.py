"""A finished video: put together from its segments, verified, and given its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deblur_cli.errors import VideoWriteError
from deblur_cli.pipeline.clips_plan import ClipPlan
from deblur_cli.pipeline.clips_work import WorkFolder
from deblur_cli.pipeline.ledger import Ledger
from deblur_cli.pipeline.records import Fingerprint
from deblur_cli.video.assembly import Assembly
from deblur_cli.video.verification import verify


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
        VideoReadError: there is no segment.
        VideoWriteError: the result cannot be written.
    """
    job, clip = plan.job, plan.clip
    segments = work.segments()
    if not segments:
        raise plan.nothing_read()
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
        with _named_after(job.target):
            made = work.result(job.target)
            verify(made, assembly.write(made), len(shown), seconds)
            warnings = assembly.lost_metadata(made)
        begun = ledger.begin(job.source_file, fingerprint, job.target_file, settings)
        work.hand_over(job.target)
        ledger.finish(begun, job.target_file)
    except OSError as error:
        raise VideoWriteError(
            f"the result cannot be written: {error.strerror}",
            path=job.target,
            remedy="free some space; the same command resumes",
        ) from error
    return warnings


@contextmanager
def _named_after(target: Path) -> Iterator[None]:
    """Errors name the result, not the temporary file that becomes it."""
    try:
        yield
    except VideoWriteError as error:
        raise VideoWriteError(error.problem, path=target, remedy=error.remedy) from error
