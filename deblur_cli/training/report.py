"""What a run tells about itself while it goes on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from deblur_cli.training.state import Progress

SMOOTHING = 0.99

ERROR_FLOOR = 1e-4
"""Mean squared error (40 dB) that is added to every error in the logged gain.

Smaller errors then count nearly alike: for patches that came unblurred, what little the network
changes would otherwise outweigh what it gains on the others.
"""


@dataclass(frozen=True)
class Start:
    """What was chosen, when everything is loaded."""

    device: torch.device
    dtype: str
    workers: int
    parameters: int
    """Of the network."""
    step: int
    """Where an interrupted run goes on; 0 for a new one."""
    loading_seconds: float
    """They count in the budget."""
    seconds_left: float
    """Of the budget."""


@dataclass(frozen=True)
class Report:
    """A line of the training log."""

    step: int
    progress: float
    """Share of the budget that is spent."""
    learning_rate: float
    loss: float
    """Running mean."""
    gain: float
    """Running mean of `floored_gain`, in dB."""
    patches_per_second: float
    """Mean over this sitting."""
    skipped: int
    """Steps of the whole run that were left out, since a gradient was infinite or NaN."""


class Observer(Protocol):
    """Who is told."""

    def started(self, start: Start) -> None:
        """Everything is loaded; the first step follows."""

    def report(self, report: Report) -> None:
        """Some steps were done."""


def floored_gain(blurred: Tensor, restored: Tensor, sharp: Tensor) -> Tensor:
    """Mean over patches `(B,3,H,W)` in [0,1] of the PSNR gained, errors raised by `ERROR_FLOOR`."""

    def log_error(images: Tensor) -> Tensor:
        return 10 * torch.log10((images - sharp).square().mean((1, 2, 3)) + ERROR_FLOOR)

    return (log_error(blurred) - log_error(restored.float().clamp(0, 1))).mean()


class Tally:
    """Counts steps and keeps exponential means, on the device: only reading them waits for it."""

    def __init__(self, start: Progress, device: torch.device) -> None:
        self.step = start.step
        self._skipped = torch.tensor(start.skipped, device=device)
        self._weight_loss_gain = torch.zeros(3, device=device)
        self._patches = 0
        self._began = time.monotonic()

    def add(self, loss: Tensor, gain: Tensor, finite: Tensor, patches: int) -> None:
        """Count a step; its loss and gain enter the means if its gradients were finite."""
        self.step += 1
        self._patches += patches
        self._skipped += ~finite
        values = torch.where(finite, torch.stack((torch.ones_like(loss), loss, gain)), 0.0)
        self._weight_loss_gain = SMOOTHING * self._weight_loss_gain + (1 - SMOOTHING) * values

    def reached(self, spent: float) -> Progress:
        """Where the run stands after `spent` seconds of its budget."""
        return Progress(self.step, spent, int(self._skipped))

    def report(self, progress: float, learning_rate: float) -> Report:
        """The means and counts so far; the means are NaN if no step counted."""
        _, loss, gain = (self._weight_loss_gain / self._weight_loss_gain[0]).tolist()
        return Report(
            step=self.step,
            progress=progress,
            learning_rate=learning_rate,
            loss=loss,
            gain=gain,
            patches_per_second=self._patches / (time.monotonic() - self._began),
            skipped=int(self._skipped),
        )
