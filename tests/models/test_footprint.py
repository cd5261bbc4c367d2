from __future__ import annotations

import torch
from torch import Tensor

from deblur_cli.models import SizeRule
from deblur_cli.models.footprint import LiveTensors, bytes_per_pixel
from tests.inference.fakes import FakeModel

CPU = torch.device("cpu")


def widen(x: Tensor) -> Tensor:
    """At most 32 channels twice and the input: 64 * 4 + 12 bytes per pixel."""
    wide = x.mean(1, keepdim=True).repeat(1, 32, 1, 1)
    for _ in range(5):
        wide = wide + 1
    return wide[:, :3]


def test_the_cost_is_the_peak_of_live_tensors_per_pixel() -> None:
    assert bytes_per_pixel(FakeModel(widen), SizeRule(1), CPU) == 2 * 128 + 12


def test_the_probe_suits_the_network() -> None:
    seen: list[tuple[int, ...]] = []
    model = FakeModel(lambda x: seen.append(tuple(x.shape)) or x)  # type: ignore[func-returns-value]
    bytes_per_pixel(model, SizeRule(48, 160), CPU)
    assert seen == [(1, 3, 192, 192)]


def test_views_and_work_in_place_cost_nothing() -> None:
    with LiveTensors() as live:
        x = torch.zeros((10, 10))
        x.add_(1).view(100)[::2].mul_(2)
        x.t().reshape(10, 10)[None]
    assert live.peak == 400


def test_what_a_function_makes_inside_is_seen() -> None:
    with LiveTensors() as live, torch.autocast("cpu", torch.bfloat16):
        torch.nn.functional.linear(torch.zeros((100, 10)), torch.zeros((10, 10)))
    assert live.peak == 4 * 1100 + 2 * 1100 + 2 * 1000


def test_freed_tensors_no_longer_count() -> None:
    with LiveTensors() as live:
        for _ in range(5):
            torch.zeros(1000)
    assert live.peak == 4000
