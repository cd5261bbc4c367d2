from __future__ import annotations

import pytest
import torch
from torch import Tensor

from deblur_cli.inference.cost import SAFETY, LiveTensors, bytes_per_pixel
from tests.inference.fakes import FakeModel

CPU = torch.device("cpu")


def widen(x: Tensor) -> Tensor:
    """At most 32 channels twice and the input: 64 * 4 + 12 bytes per pixel."""
    wide = x.mean(1, keepdim=True).repeat(1, 32, 1, 1)
    for _ in range(5):
        wide = wide + 1
    return wide[:, :3]


def test_the_cost_is_the_peak_of_live_tensors_per_pixel() -> None:
    assert bytes_per_pixel(FakeModel(widen), CPU) == pytest.approx(SAFETY * (2 * 128 + 12))


def test_views_and_work_in_place_cost_nothing() -> None:
    with LiveTensors() as live:
        x = torch.zeros((10, 10))
        x.add_(1).view(100)[::2].mul_(2)
        x.t().reshape(10, 10)[None]
    assert live.peak == 400


def test_freed_tensors_no_longer_count() -> None:
    with LiveTensors() as live:
        for _ in range(5):
            torch.zeros(1000)
    assert live.peak == 4000
