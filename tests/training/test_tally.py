"""The running figures of a run."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deblur_cli.training.tally import ERROR_FLOOR, SMOOTHING, Progress, Tally, floored_gain


def test_the_gain_counts_patches_without_error_little() -> None:
    sharp = torch.full((2, 3, 8, 8), 0.5)
    blurred = sharp + torch.tensor([0.1, 0.0]).view(2, 1, 1, 1)
    restored = sharp + torch.tensor([0.05, 0.001]).view(2, 1, 1, 1)
    halved = 10 * np.log10((0.01 + ERROR_FLOOR) / (0.0025 + ERROR_FLOOR))
    assert float(floored_gain(blurred, restored, sharp)) == pytest.approx(halved / 2, abs=0.05)
    assert floored_gain(blurred, blurred, sharp) == 0


def test_means_are_exponential_over_the_steps_that_counted() -> None:
    tally = Tally(Progress(step=10, skipped=1), torch.device("cpu"))
    losses = [3.0, np.nan, 1.0, 2.0]
    for loss in losses:
        value = torch.tensor(loss)
        tally.add(value, -value, value.isfinite(), patches=4)
    report = tally.report(7.0, 0.5, 1e-3)
    weights = SMOOTHING ** np.arange(3, -1, -1)[np.isfinite(losses)]
    mean = np.average([3.0, 1.0, 2.0], weights=weights)
    assert report.loss == pytest.approx(mean)
    assert report.gain == pytest.approx(-mean)
    assert (report.step, report.skipped) == (14, 2)
    reached = tally.reached(7.0)
    assert (reached.step, reached.spent, reached.skipped) == (14, 7.0, 2)
    assert Tally(reached, torch.device("cpu")).report(7.0, 0.5, 1e-3).loss == report.loss
