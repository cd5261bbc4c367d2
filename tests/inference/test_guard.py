from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from deblur_cli.inference import guard
from deblur_cli.inference.guard import CELL, GuardedNetwork, Outcome, plausible
from tests.inference.fakes import FakeModel, NaNBelowFloat32
from tests.waiting import NoWaiting

CPU = torch.device("cpu")


def page_of_text(height: int = 300, width: int = 400) -> np.ndarray:
    """Black strokes on white, about a third of them ink, `(H,W)` in [0,1]."""
    strokes = np.random.default_rng(0).random((height // 10, width // 4)) > 0.35
    return np.kron(strokes, np.ones((10, 4)))[:height, :width]


def as_batch(grey: np.ndarray) -> Tensor:
    return torch.from_numpy(grey).float().expand(1, 3, *grey.shape)


def is_plausible(restored: Tensor, original: Tensor) -> bool:
    (passed,) = plausible(restored, original).tolist()
    return bool(passed)


@pytest.mark.parametrize("radius", [3, 10, 22])
def test_perfect_deblurring_of_strongly_blurred_text_is_plausible(radius: int) -> None:
    sharp = page_of_text()
    blurred = ndimage.uniform_filter(sharp, 2 * radius + 1)
    assert is_plausible(as_batch(sharp), as_batch(blurred))


def test_a_hard_edge_along_a_cell_border_is_plausible() -> None:
    sharp = np.zeros((384, 384))
    sharp[128:256, 128:256] = 1
    assert is_plausible(as_batch(sharp), as_batch(ndimage.uniform_filter(sharp, 45)))


def test_moderate_ringing_is_plausible() -> None:
    sharp = page_of_text()
    ringing = sharp + 0.5 * (sharp - ndimage.gaussian_filter(sharp, 1.5))
    assert is_plausible(as_batch(ringing), as_batch(sharp))


@pytest.mark.parametrize(
    "damage",
    [
        lambda x: x * torch.nan,
        lambda x: x + torch.inf * (torch.arange(x.shape[-1]) == 7),
        lambda x: torch.zeros_like(x),
        lambda x: x + torch.tensor([0.0, 0.4, 0.0]).view(1, 3, 1, 1),
        lambda x: x + 0.8 * (-1) ** torch.arange(x.shape[-1]),
    ],
    ids=["nan", "one infinite column", "black", "green cast", "checkerboard"],
)
def test_damage_is_implausible(damage: object) -> None:
    x = as_batch(0.3 + 0.4 * page_of_text())
    assert callable(damage)
    assert not is_plausible(damage(x), x)


def test_one_bad_cell_is_found_in_a_large_tile() -> None:
    x = torch.full((1, 3, 512, 512), 0.5)
    spoilt = x.clone()
    spoilt[..., 256:384, 128:256] = 1
    assert not is_plausible(spoilt, x)


@pytest.mark.parametrize("size", [(1, 1), (127, 300), (128, 128), (200, 129)])
def test_cells_have_their_means_whatever_the_size(size: tuple[int, int]) -> None:
    values = torch.rand((2, 3, *size), generator=torch.Generator().manual_seed(0)) - 0.6
    cells = [-(-side // CELL) for side in size]
    bounds = [
        [(i * side // n, -(-(i + 1) * side // n)) for i in range(n)]
        for side, n in zip(size, cells, strict=True)
    ]
    means = [
        values[..., top:bottom, left:right].mean((-2, -1)).abs().amax(1)
        for top, bottom in bounds[0]
        for left, right in bounds[1]
    ]
    found = guard._largest_cell_mean(values)
    torch.testing.assert_close(found, torch.stack(means).amax(0), atol=1e-6, rtol=1e-5)


def test_every_image_of_a_batch_is_judged_by_itself() -> None:
    x = torch.full((4, 3, 200, 300), 0.5)
    restored = x.clone()
    restored[1, 2, 100, 250] = torch.nan
    restored[3, 0, :, :150] += 0.4
    assert plausible(restored, x).tolist() == [True, False, True, False]


def test_a_tile_that_fails_in_half_precision_is_redone_in_float32() -> None:
    x = torch.rand((1, 3, 20, 30))
    network = GuardedNetwork(NaNBelowFloat32(), CPU, torch.bfloat16)
    attempt, passed = network.attempt(x)
    assert passed.tolist() == [False]
    restored, outcome = network.judge(x, attempt, False)
    assert outcome is Outcome.REDONE
    torch.testing.assert_close(restored, x, rtol=0, atol=0)


def test_what_passed_is_taken_as_it_is() -> None:
    x = torch.rand((1, 3, 20, 30))
    network = GuardedNetwork(FakeModel(lambda x: x * 0.9), CPU, torch.bfloat16)
    attempt, passed = network.attempt(x)
    restored, outcome = network.judge(x, attempt, bool(passed))
    assert outcome is Outcome.RESTORED and restored is attempt


def test_the_float32_original_is_not_rounded() -> None:
    model = NaNBelowFloat32()
    network = GuardedNetwork(model, CPU, torch.bfloat16)
    assert model.precision == torch.float32
    assert isinstance(network.working, NaNBelowFloat32)
    assert network.working.precision == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_stays_wrong_is_left_as_it_was(dtype: torch.dtype) -> None:
    x = torch.rand((1, 3, 20, 30))
    network = GuardedNetwork(FakeModel(lambda x: x * torch.nan), CPU, dtype)
    attempt, _ = network.attempt(x)
    restored, outcome = network.judge(x, attempt, False)
    assert outcome is Outcome.KEPT
    assert restored is x


def test_attempts_and_verdicts_do_not_wait_for_the_device() -> None:
    network = GuardedNetwork(FakeModel(lambda x: x * 0.9), CPU, torch.float32)
    x = torch.rand((2, 3, 150, 30))
    network.attempt(x)  # which brings there, once per size, how to average
    with NoWaiting():
        _, passed = network.attempt(x)
        with pytest.raises(AssertionError, match="waits for the device"):
            bool(passed.all())
