"""Where a run stands, and its running figures."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from deblur_cli.training.events import Report

SMOOTHING = 0.99

ERROR_FLOOR = 1e-4
"""Mean squared error (40 dB) that is added to every error in the logged gain.

Smaller errors then count nearly alike: for patches that came unblurred, what little the network
changes would otherwise outweigh what it gains on the others.
"""


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    step: int = 0
    spent: float = 0.0
    """Seconds of training so far, over all sittings."""
    skipped: int = 0
    """Steps whose gradients were not finite."""
    means: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Exponential sums of 1, loss and gain over the steps that counted."""


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
        self._weight_loss_gain = torch.tensor(start.means, device=device)
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
        """Where the run stands after `spent` seconds."""
        weight, loss, gain = self._weight_loss_gain.tolist()
        return Progress(self.step, spent, int(self._skipped), (weight, loss, gain))

    def report(self, spent: float, progress: float, learning_rate: float) -> Report:
        """The means and counts so far; the means are NaN if no step counted."""
        _, loss, gain = (self._weight_loss_gain / self._weight_loss_gain[0]).tolist()
        return Report(
            step=self.step,
            seconds=spent,
            progress=progress,
            learning_rate=learning_rate,
            loss=loss,
            gain=gain,
            patches_per_second=self._patches / (time.monotonic() - self._began),
            skipped=int(self._skipped),
        )
