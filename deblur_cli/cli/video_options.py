"""The options of `deblur video`, in groups."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from deblur_cli.cli import options
from deblur_cli.cli.options import check_strength
from deblur_cli.errors import UsageError

if TYPE_CHECKING:
    from deblur_cli.pipeline.clips.job import Hints, Selection, Wish


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


def parse_size(text: str) -> tuple[int, int]:
    """`WIDTHxHEIGHT`."""
    match = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no size, such as 1920x1080")
    return int(match[1]), int(match[2])


def parse_rate(text: str) -> Fraction:
    """Frames per second, as `25`, `23.976` or `30000/1001`."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 100_000:
        raise typer.BadParameter(f"{text!r} is no frame rate, such as 25 or 30000/1001")
    return rate


@dataclass(frozen=True)
class SourceOptions:
    """What raw frames and image sequences do not say of themselves."""

    heading: ClassVar[str] = "Image sequences and raw frames"

    rate: Annotated[
        Any,
        typer.Option(
            parser=parse_rate, metavar="FPS", help="Of them, such as 30000/1001. [default: 25]"
        ),
    ] = None
    size: Annotated[
        Any,
        typer.Option(parser=parse_size, metavar="WxH", help="Of raw frames on stdin."),
    ] = None
    input_pix_fmt: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of raw frames on stdin. [default: --pix-fmt]"),
    ] = None

    def hints(self, pix_fmt: str | None, is_stream: bool) -> Hints:
        """Them, with the result's pixel format; raises `UsageError`."""
        from deblur_cli.pipeline.clips.job import Hints

        if self.input_pix_fmt is not None and not is_stream:
            raise UsageError(
                "--input-pix-fmt is that of raw frames on stdin, and the input is none"
            )
        return Hints(self.rate, self.size, self.input_pix_fmt or pix_fmt)


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
    skip_sharp: Annotated[
        Any,
        typer.Option(
            parser=options.parse_skip_sharp,
            metavar="auto|SCORE",
            help="Leave frames as they are that are as sharp as this, from 0 to 1, or nearly so "
            "and sharper than those around them; auto: 0.5, nothing is blurred by more than a "
            "pixel.",
        ),
    ] = None
    deinterlace: Annotated[
        bool, typer.Option("--deinterlace", help="Make interlaced frames progressive first.")
    ] = False

    @property
    def selection(self) -> Selection:
        """The frames that are wanted."""
        from deblur_cli.pipeline.clips.job import Selection

        return Selection(self.start or 0.0, self.end, self.every)

    def check(self) -> None:
        """Refuse what makes no sense; raises `UsageError`."""
        check_strength(self.strength)
        options.sharp_from(self.skip_sharp)


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
    lossless: Annotated[bool, typer.Option("--lossless", help="Lose nothing; larger by far.")] = (
        False
    )
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

    @property
    def wish(self) -> Wish:
        """What is asked for; raises `UsageError`."""
        from deblur_cli.pipeline.clips.job import Wish

        pairs = dict(_pair(text) for text in self.encoder_option)
        return Wish(self.codec, self.crf, self.preset, self.pix_fmt, pairs, self.lossless)


@dataclass(frozen=True)
class TellingOptions:
    """Who works, and what is told."""

    heading: ClassVar[str] = "Output"

    ray: options.Ray = None

    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also make a clip: the input at the left, the result at the right."
        ),
    ] = None
    log: options.Log = None
    json: options.Json = False
    quiet: options.Quiet = False


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UsageError(f"--encoder-option {text} is not of the form KEY=VALUE")
    return name, value
