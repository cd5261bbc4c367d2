"""What a run tells about itself while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from deblur_cli.data.camera import Picture


@dataclass(frozen=True)
class Start:
    """What was chosen; everything is loaded, and the first step follows."""

    device: str
    """Of the first process."""
    processes: int
    dtype: str
    workers: int
    parameters: int
    """Of the network."""
    step: int
    """Where an interrupted run goes on; 0 for a new one."""
    progress: float
    """Share of the run that is done."""
    loading_seconds: float
    """They count in the budget."""
    seconds_left: float
    """Of the budget; infinite if the run ends by its iterations."""
    iterations: int | None
    """After which the run ends; None if it ends by its budget."""
    validation_pairs: int
    """By which the best weights are chosen; 0 if none are named."""


@dataclass(frozen=True)
class Note:
    """Something is odd or left out, but no reason to stop."""

    text: str


@dataclass(frozen=True)
class Stepped:
    """A step was queued."""

    step: int
    progress: float


@dataclass(frozen=True)
class Report:
    """A line of the training log."""

    step: int
    seconds: float
    """Of training so far, over all sittings."""
    progress: float
    learning_rate: float
    loss: float
    """Running mean."""
    gain: float
    """Running mean of `floored_gain`, in dB."""
    patches_per_second: float
    """Mean over this sitting."""
    skipped: int
    """Steps of the whole run that were left out, since a gradient was infinite or NaN."""


@dataclass(frozen=True)
class Example:
    """A picture of the validation, `(H,W,3)` uint8 each."""

    blurred: Picture
    restored: Picture
    sharp: Picture


@dataclass(frozen=True)
class Validation:
    """How well the weights restore whole pictures that they were not trained on."""

    step: int
    seconds: float
    """Of training so far, over all sittings."""
    psnr: float
    """Mean over pictures, in dB."""
    gain: float
    """Mean over pictures of the PSNR gained over the blurred picture, in dB."""
    best: bool
    """Whether no earlier weights of the run were better; then they were kept."""
    examples: Sequence[Example]
    """The first few pictures."""


@dataclass(frozen=True)
class Saved:
    """The state was written, and at the end the weights."""

    step: int


Event: TypeAlias = Start | Note | Stepped | Report | Validation | Saved
Observer: TypeAlias = Callable[[Event], None]
"""Who is told."""
