"""Options that several commands share, declared once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from deblur_cli.errors import UsageError
from deblur_cli.pipeline.treatment import sharp_score

if TYPE_CHECKING:
    from deblur_cli import Deblurrer


class Dtype(StrEnum):
    """Precision of convolutions and projections; scan states and norms stay in float32."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


def parse_tile(text: str) -> int | str:
    """`auto`, or the side of a tile in pixels; 0 stands for whole pictures."""
    if text == "auto":
        return text
    if not text.isdecimal():
        raise typer.BadParameter(f"{text!r} is neither 'auto' nor a number of pixels")
    return int(text)


def check_strength(strength: float) -> float:
    """`strength`, if it lies in [0,1]; raises `UsageError` otherwise."""
    if not 0 <= strength <= 1:
        raise UsageError(f"--strength {strength} is not between 0 and 1")
    return strength


def parse_skip_sharp(text: str) -> float | str:
    """`auto`, or the score from which on a picture counts as sharp."""
    try:
        return text if text == "auto" else float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither 'auto' nor a score") from None


def sharp_from(choice: float | str | None) -> float | None:
    """The score that `--skip-sharp` means; raises `UsageError` if there is no such score."""
    if choice is None:
        return None
    score = sharp_score() if choice == "auto" else float(choice)
    if not 0 <= score <= 1:
        raise UsageError(f"--skip-sharp {choice} is not between 0 and 1")
    return score


Task = Annotated[str, typer.Option(help="What blurred the pictures: motion or defocus.")]
Model = Annotated[str | None, typer.Option(help="Id of the weights (see `deblur weights list`).")]
Weights = Annotated[
    str | None,
    typer.Option(help="Weights file, or hub:owner/repo/file@revision.", metavar="SOURCE"),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Devices = Annotated[
    str,
    typer.Option(
        "--device",
        help="auto, cpu, cuda, cuda:N or mps; several as cuda:0,cuda:1; or all CUDA GPUs.",
    ),
]
Precision = Annotated[Dtype, typer.Option("--dtype", help="Precision of the network.")]
Tile = Annotated[
    Any,
    typer.Option(
        parser=parse_tile, metavar="auto|PIXELS", help="Side of the tiles; 0: whole pictures."
    ),
]
Overlap = Annotated[
    int | None, typer.Option(min=0, metavar="PIXELS", help="How far tiles fade into each other.")
]
MaxMemory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Memory to aim for, such as 2GiB; decides the tiles."),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never open a network connection.")]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="auto|local|ADDRESS",
        help="Restore on a Ray cluster: the running one, one on this machine, or that of an "
        "address.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]
Log = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Append every event to this file, with time and level."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]


@dataclass(frozen=True)
class ModelOptions:
    """Everything that decides how a network is loaded and run; as `Deblurrer.from_pretrained`."""

    heading: ClassVar[str] = "Network"

    task: Task = "motion"
    model: Model = None
    weights: Weights = None
    device: Devices = "auto"
    dtype: Precision = Dtype.auto
    tile: Tile = "auto"
    overlap: Overlap = None
    max_memory: MaxMemory = None
    offline: Offline = False

    def load(self) -> Deblurrer:
        """The deblurrer they ask for; imports torch."""
        from deblur_cli import Deblurrer

        return Deblurrer.from_pretrained(**asdict(self))

    def load_fleet(self) -> dict[str, Deblurrer]:
        """The deblurrers of all devices they ask for, by the devices' names; imports torch."""
        from deblur_cli import Deblurrer

        return Deblurrer.fleet(**asdict(self))


@dataclass(frozen=True)
class OneDeviceOptions(ModelOptions):
    """The same for a command that restores on one device."""

    device: Device = "auto"
