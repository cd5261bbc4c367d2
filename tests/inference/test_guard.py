from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from deblur_cli.inference.guard import GuardedNetwork, Outcome, plausible
from tests.inference.fakes import FakeModel, NaNBelowFloat32

CPU = torch.device("cpu")


def page_of_text(height: int = 300, width: int = 400) -> np.ndarray:
    """Black strokes on white, about a third of them ink, `(H,W)` in [0,1]."""
    strokes = np.random.default_rng(0).random((height // 10, width // 4)) > 0.35
    return np.kron(strokes, np.ones((10, 4)))[:height, :width]


def as_batch(grey: np.ndarray) -> Tensor:
    return torch.from_numpy(grey).float().expand(1, 3, *grey.shape)


@pytest.mark.parametrize("radius", [3, 10, 22])
def test_perfect_deblurring_of_strongly_blurred_text_is_plausible(radius: int) -> None:
    sharp = page_of_text()
    blurred = ndimage.uniform_filter(sharp, 2 * radius + 1)
    assert plausible(as_batch(sharp), as_batch(blurred))


def test_a_hard_edge_along_a_cell_border_is_plausible() -> None:
    sharp = np.zeros((384, 384))
    sharp[128:256, 128:256] = 1
    assert plausible(as_batch(sharp), as_batch(ndimage.uniform_filter(sharp, 45)))


def test_moderate_ringing_is_plausible() -> None:
    sharp = page_of_text()
    ringing = sharp + 0.5 * (sharp - ndimage.gaussian_filter(sharp, 1.5))
    assert plausible(as_batch(ringing), as_batch(sharp))


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
    assert not plausible(damage(x), x)


def test_one_bad_cell_is_found_in_a_large_tile() -> None:
    x = torch.full((1, 3, 512, 512), 0.5)
    spoilt = x.clone()
    spoilt[..., 256:384, 128:256] = 1
    assert not plausible(spoilt, x)


def test_a_tile_that_fails_in_half_precision_is_redone_in_float32() -> None:
    x = torch.rand((1, 3, 20, 30))
    restored, outcome = GuardedNetwork(NaNBelowFloat32(), CPU, torch.bfloat16)(x)
    assert outcome is Outcome.REDONE
    torch.testing.assert_close(restored, x, rtol=0, atol=0)


def test_the_float32_original_is_not_rounded() -> None:
    model = NaNBelowFloat32()
    network = GuardedNetwork(model, CPU, torch.bfloat16)
    assert model.precision == torch.float32
    assert isinstance(network.working, NaNBelowFloat32)
    assert network.working.precision == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_stays_wrong_is_left_as_it_was(dtype: torch.dtype) -> None:
    x = torch.rand((1, 3, 20, 30))
    restored, outcome = GuardedNetwork(FakeModel(lambda x: x * torch.nan), CPU, dtype)(x)
    assert outcome is Outcome.KEPT
    assert restored is x
