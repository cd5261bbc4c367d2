"""`deblur video`: restore the pictures of a video and keep everything else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from deblur_cli.cli import options
from deblur_cli.cli.console import choose_console
from deblur_cli.cli.grouped import grouped
from deblur_cli.cli.options import ModelOptions, check_strength
from deblur_cli.cli.signals import INTERRUPTED, stop_on_signals
from deblur_cli.cli.video_teller import VideoTeller
from deblur_cli.errors import UsageError

if TYPE_CHECKING:
    from deblur_cli.pipeline.clips_job import ClipJob


def parse_time(text: str) -> float:
    """Seconds, or `MINUTES:SECONDS`, or `HOURS:MINUTES:SECONDS`."""
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or not all(0 <= part < float("inf") for part in parts):
        raise typer.BadParameter(f"{text!r} is no time, such as 12.5 or 1:02:03")
    seconds = 0.0
    for part in parts:
        seconds = 60 * seconds + part
    return seconds


@dataclass(frozen=True)
class PartOptions:
    """Which frames, and how much is done to them."""

    heading: ClassVar[str] = "Restoration"

    start: Annotated[
        Any, typer.Option(parser=parse_time, metavar="TIME", help="Begin there, for a trial.")
    ] = None
    end: Annotated[
        Any, typer.Option(parser=parse_time, metavar="TIME", help="End there, for a trial.")
    ] = None
    every: Annotated[
        int, typer.Option(min=1, metavar="N", help="Only each Nth frame, for a trial.")
    ] = 1
    strength: Annotated[
        float, typer.Option(help="From 0, the input, to 1, the network's result.")
    ] = 1.0
    deinterlace: Annotated[
        bool, typer.Option("--deinterlace", help="Make interlaced frames progressive first.")
    ] = False


@dataclass(frozen=True)
class EncodingOptions:
    """How the result is written."""

    heading: ClassVar[str] = "Encoding"

    codec: Annotated[
        str | None,
        typer.Option(
            metavar="ENCODER",
            help="Such as libx264, libx265, hevc_nvenc, ffv1. [default: the source's codec]",
        ),
    ] = None
    crf: Annotated[
        float | None, typer.Option(metavar="NUMBER", help="Quality; less is better and larger.")
    ] = None
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="The encoder's speed, such as slow.")
    ] = None
    pix_fmt: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Such as yuv420p10le. [default: as the source]"),
    ] = None
    encoder_option: Annotated[
        list[str], typer.Option(metavar="KEY=VALUE", help="Anything else; repeatable.")
    ] = field(default_factory=list)
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that stands in the result's place.")
    ] = False


@dataclass(frozen=True)
class TellingOptions:
    """What is told."""

    heading: ClassVar[str] = "Output"

    json: options.Json = False
    quiet: options.Quiet = False


@grouped
def video(
    *,
    source: Annotated[Path, typer.Argument(metavar="IN", help="The video.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The result: .mp4, .mkv, …")],
    part: PartOptions,
    encoding: EncodingOptions,
    network: ModelOptions,
    how: TellingOptions,
) -> None:
    """Sharpen a video: frames are restored, sound, subtitles and timestamps stay as they are.

    The result appears under its name only when it is complete. The same command goes on where an
    earlier run stopped. Exit codes: 0 done, 1 parts of the input could not be read, 2 wrong
    usage, 3 nothing could be done, 130 or 143 interrupted.
    """
    job = _job(source, target, part, encoding)
    job.check()
    raise typer.Exit(_restore(job, network, how))


def _job(source: Path, target: Path, part: PartOptions, encoding: EncodingOptions) -> ClipJob:
    from deblur_cli.pipeline.clips_job import ClipJob, Selection, Wish

    return ClipJob(
        source,
        target,
        Wish(
            encoding.codec,
            encoding.crf,
            encoding.preset,
            encoding.pix_fmt,
            dict(_pair(text) for text in encoding.encoder_option),
        ),
        Selection(part.start or 0.0, part.end, part.every),
        check_strength(part.strength),
        part.deinterlace,
        encoding.overwrite,
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UsageError(f"--encoder-option {text} is not of the form KEY=VALUE")
    return name, value


def _restore(job: ClipJob, network: ModelOptions, how: TellingOptions) -> int:
    from deblur_cli.pipeline.clips import ClipRestoration

    deblurrer = network.load()
    restoration = ClipRestoration(job, deblurrer)
    teller = VideoTeller(choose_console(how.quiet), how.json)
    teller.start(deblurrer)
    with stop_on_signals() as stop:
        try:
            with teller.showing():
                for event in restoration.run(stop.asked):
                    teller.tell(event)
            ended_early = stop.exit_code
        except KeyboardInterrupt:
            ended_early = INTERRUPTED
    return teller.finish(ended_early)
