"""What is wanted of every picture of a batch: what decides the results, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deblur_cli.imaging.photo import Image


class Depth(StrEnum):
    """How samples are stored."""

    eight = "8"
    sixteen = "16"
    float = "float"


def sharp_score() -> float:
    """The score from which on a picture counts as sharp, unless another is given."""
    from deblur_cli.imaging.sharpness import SHARP

    return SHARP


@dataclass(frozen=True)
class Treatment:
    """Everything besides the network that decides what is in a result.

    Args:
        strength: 0 leaves the pictures as they are, 1 takes the network's result.
        format: of the results, by its usual ending without the dot; None keeps the input's.
        depth: of the samples; None keeps the input's.
        quality: of lossy formats, 1 to 100; None comes near the input's.
        strip: leave out the metadata that the picture can do without.
        skip_sharp: pictures of this score or more are copied, not restored; None restores all.
    """

    strength: float = 1.0
    format: str | None = None
    depth: Depth | None = None
    quality: int | None = None
    strip: bool = False
    skip_sharp: float | None = None

    @property
    def settings(self) -> dict[str, str | int | float]:
        """What was asked for, for the ledger; what was not is left out, so that old ones hold."""
        wishes = asdict(self).items()
        return {name: value for name, value in wishes if value is not None and value is not False}

    @property
    def keeps_file(self) -> bool:
        """Whether the result of a picture that is not restored is the very file."""
        return (self.format, self.depth, self.quality, self.strip) == (None, None, None, False)


@dataclass(frozen=True)
class Conduct:
    """How a batch goes about it.

    Args:
        overwrite: replace files that stand at the place of a result. What an earlier run completed
            from the same inputs with the same settings is kept all the same.
        preserve_times: give results the times of their inputs.
        max_pixels: larger pictures are refused; None for the usual bound.
        software: what results name as their maker, unless they are stripped; empty for nothing.
        witness: called with each input that is restored, and its pixels before and after as
            `(H, W, 3)` sRGB, just before the result is written, in the thread that does so.
        scout: the same for a cluster: called there, in the process that restores. Can be pickled,
            as can what it returns, which `hears` is called with here.
        hears: called with each input that is restored, and what `scout` returned.
    """

    overwrite: bool = False
    preserve_times: bool = False
    max_pixels: int | None = None
    software: str = ""
    witness: Callable[[Path, Image, Image], object] | None = None
    scout: Callable[[Image, Image], Any] | None = None
    hears: Callable[[Path, Any], object] | None = None
