"""What can happen to a video: frozen facts for the console and the JSON report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True)
class ClipStarted:
    """Work on a video begins.

    Args:
        source: the input.
        target: the result.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        frames: how many are expected, 0 if nobody knows.
        done: how many an earlier run has restored.
        encoding: encoder, samples and options.
        work: where the restored part lies until all is done; None for frames to stdout.
        resumable: whether the same command goes on where a run stopped.
        warnings: what the user should know.
    """

    source: Path
    target: Path
    width: int
    height: int
    frames: int
    done: int
    encoding: str
    work: Path | None
    resumable: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Shares:
    """Seconds that each stage has worked; they overlap."""

    decode: float = 0.0
    network: float = 0.0
    encode: float = 0.0

    def __add__(self, other: Shares) -> Shares:
        """Of work that was done here and there."""
        return Shares(
            self.decode + other.decode, self.network + other.network, self.encode + other.encode
        )


@dataclass(frozen=True)
class ClipProgress:
    """Frames that are done; `saved` of them an interrupted run would not lose.

    Of those done `left_sharp` were left as they are.
    """

    done: int
    saved: int
    left_sharp: int
    frames: int
    seconds: float
    shares: Shares


@dataclass(frozen=True)
class ClipRestored:
    """The video is complete under its name, and was decoded once more to make sure.

    Args:
        source: the input.
        target: the result.
        frames: in it.
        left_sharp: of these were left as they are.
        bytes: of it.
        seconds: that this run took.
        shares: of the stages.
        warnings: what the user should know, such as streams that were left out.
        problems: parts of the input that could not be read; the result lacks them.
    """

    source: Path
    target: Path
    frames: int
    left_sharp: int
    bytes: int
    seconds: float
    shares: Shares
    warnings: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class ClipWarned:
    """What the user should know of a frame, for the first one of which it is true."""

    seconds: float
    warning: str


@dataclass(frozen=True)
class ClipDeviceLost:
    """A worker on a cluster ended over a part of the video, which goes to another one.

    Args:
        device: the worker's name.
        seconds: where the part begins.
        problem: why, as far as it is known.
    """

    device: str
    seconds: float
    problem: str


@dataclass(frozen=True)
class ClipAlreadyDone:
    """An earlier run completed this video with the same settings.

    Args:
        source: the input.
        target: the result.
        problems: parts of the input that could not be read then; the result lacks them.
    """

    source: Path
    target: Path
    problems: tuple[str, ...]


@dataclass(frozen=True)
class ClipCompared:
    """A clip that shows the input beside the result is complete."""

    target: Path
    frames: int
    bytes: int


ClipEvent: TypeAlias = (
    ClipStarted
    | ClipProgress
    | ClipWarned
    | ClipDeviceLost
    | ClipRestored
    | ClipAlreadyDone
    | ClipCompared
)
