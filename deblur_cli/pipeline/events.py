"""What can happen to one picture of a batch: frozen facts for the console and the JSON report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from deblur_cli.errors import DeblurError, ImageReadError, NothingToDoError


@dataclass(frozen=True)
class Restored:
    """A picture was restored and its result is complete.

    Args:
        source: the input.
        target: the result.
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        device: where it was restored.
        seconds: time on the device.
        tile: tile size in pixels, as it was used in the end.
        tiles: how many tiles there were.
        redone: tiles that were computed again in float32.
        kept: tiles that were left as the input.
        warnings: what the user should know about this picture.
        read_seconds: time for reading and decoding the input.
        write_seconds: time for encoding and writing the result.
    """

    source: Path
    target: Path
    height: int
    width: int
    device: str
    seconds: float
    tile: int
    tiles: int
    redone: int
    kept: int
    warnings: tuple[str, ...]
    read_seconds: float = 0.0
    write_seconds: float = 0.0


@dataclass(frozen=True)
class LeftSharp:
    """A picture needs no restoration; its result is complete, and shows what the input does.

    Args:
        source: the input.
        target: the result.
        score: how sharp it is, by `deblur_cli.imaging.sharpness`.
        warnings: what the user should know about this picture.
    """

    source: Path
    target: Path
    score: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class AlreadyDone:
    """An earlier run completed this picture with the same settings."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Failed:
    """A picture could not be restored; the error says why and what to do."""

    source: Path
    error: DeblurError


@dataclass(frozen=True)
class DeviceLost:
    """A device stopped working over a picture, which another one gets, if any is left."""

    device: str
    source: Path
    problem: str


@dataclass(frozen=True)
class Waiting:
    """What is left is in the hands of other processes; should they die, this one takes it over.

    Args:
        pictures: how many.
    """

    pictures: int


Event: TypeAlias = Restored | LeftSharp | AlreadyDone | Failed
"""How a picture ended."""


@dataclass(frozen=True)
class Planned:
    """What a dry run foresees for one picture: `restore`, `replace` or `already-done`."""

    source: Path
    target: Path
    action: str
    source_bytes: int


Told: TypeAlias = Event | DeviceLost | Waiting | Planned
"""Anything that a batch tells of."""


@dataclass
class Tally:
    """How many pictures ended how; `unreadable` is the part of `failed` that could not be read."""

    restored: int = 0
    left_sharp: int = 0
    already_done: int = 0
    failed: int = 0
    unreadable: int = 0

    def count(self, event: Event | Planned) -> None:
        """Take one event in; a plan counts as if it were carried out."""
        match event:
            case AlreadyDone() | Planned(action="already-done"):
                self.already_done += 1
            case Restored() | Planned():
                self.restored += 1
            case LeftSharp():
                self.left_sharp += 1
            case Failed(error=error):
                self.failed += 1
                self.unreadable += isinstance(error, ImageReadError)

    @property
    def ended(self) -> int:
        """Pictures that are through, one way or another."""
        return self.restored + self.left_sharp + self.already_done + self.failed

    @property
    def exit_code(self) -> int:
        """0 all done, 1 some failed, 3 not one input was readable."""
        if self.failed == 0:
            return 0
        nothing_readable = self.unreadable == self.ended
        return NothingToDoError.exit_code if nothing_readable else DeblurError.exit_code
