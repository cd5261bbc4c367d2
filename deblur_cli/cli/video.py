"""`deblur video`: restore the pictures of a video and keep everything else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deblur_cli.cli.config import tell_settings
from deblur_cli.cli.console import choose_console
from deblur_cli.cli.downloads import tell_downloads
from deblur_cli.cli.grouped import grouped
from deblur_cli.cli.log import open_log
from deblur_cli.cli.options import ModelOptions, sharp_from
from deblur_cli.cli.run_ray import check_for_cluster, restorer_by
from deblur_cli.cli.signals import INTERRUPTED, stop_on_signals
from deblur_cli.cli.video_options import (
    EncodingOptions,
    PartOptions,
    SourceOptions,
    TellingOptions,
)
from deblur_cli.cli.video_teller import VideoTeller
from deblur_cli.errors import UsageError

if TYPE_CHECKING:
    from deblur_cli.pipeline.clips.compare import Comparison
    from deblur_cli.pipeline.clips.job import ClipJob
    from deblur_cli.pipeline.clips.restorers import Restorer


@grouped
def video(
    *,
    context: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(metavar="IN", help="The video, or frames/%06d.png, or - for raw frames."),
    ],
    target: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="The result: .mp4, .mkv, …, or as IN."),
    ],
    part: PartOptions,
    encoding: EncodingOptions,
    taking: SourceOptions,
    network: ModelOptions,
    how: TellingOptions,
) -> None:
    """Sharpen a video: frames are restored, sound, subtitles and timestamps stay as they are.

    The result appears under its name only when it is complete. The same command goes on where an
    earlier run stopped. Exit codes: 0 done, 1 parts of the input could not be read, 2 wrong
    usage, 3 nothing could be done, 130 or 143 interrupted.
    """
    open_log(how.log)
    console = choose_console(how.quiet)
    tell_downloads(console, how.quiet)
    for line in tell_settings(context):
        console.note(line)
    if how.ray is not None:
        check_for_cluster(network.device)
    job = _job(source, target, part, encoding, taking)
    comparison = _comparison(job, how)
    job.check()
    with restorer_by(how.ray, network, console) as restorer:
        raise typer.Exit(_restore(job, comparison, restorer, VideoTeller(console, how.json)))


def _job(
    source: Path,
    target: Path,
    part: PartOptions,
    encoding: EncodingOptions,
    taking: SourceOptions,
) -> ClipJob:
    from deblur_cli.pipeline.clips.job import STREAM, ClipJob

    part.check()
    return ClipJob(
        source,
        target,
        encoding.wish,
        part.selection,
        part.strength,
        part.deinterlace,
        encoding.overwrite,
        taking.hints(encoding.pix_fmt, source == STREAM),
        sharp_from(part.skip_sharp),
    )


def _comparison(job: ClipJob, how: TellingOptions) -> Comparison | None:
    from deblur_cli.pipeline.clips.compare import Comparison
    from deblur_cli.pipeline.clips.job import STREAM

    if how.json and job.target == STREAM:
        raise UsageError("--json and raw frames cannot share stdout", remedy="leave out --json")
    if how.compare is None:
        return None
    comparison = Comparison(job, how.compare)
    comparison.check()
    return comparison


def _restore(
    job: ClipJob, comparison: Comparison | None, restorer: Restorer, teller: VideoTeller
) -> int:
    from deblur_cli.pipeline.clips.restoration import ClipRestoration

    restoration = ClipRestoration(job, restorer)
    teller.start(restorer)
    with stop_on_signals() as stop:
        try:
            with teller.showing():
                for event in restoration.run(stop.asked):
                    teller.tell(event)
            if comparison is not None and teller.complete:
                teller.comparing(comparison.path)
                for event in comparison.run(stop.asked):
                    teller.tell(event)
            ended_early = stop.exit_code
        except KeyboardInterrupt:
            ended_early = INTERRUPTED
    return teller.finish(ended_early)
