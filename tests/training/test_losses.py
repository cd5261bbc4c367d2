"""Losses against the values and gradients of the official formulations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from deblur_cli.errors import UsageError
from deblur_cli.training.losses import (
    Criterion,
    charbonnier,
    edge,
    frequency,
    laplacian,
    resize_to,
)
from deblur_cli.training.recipe import LossWeights, load_recipe
from tests.shared import shared_file

SCALES = ("x8", "x4", "x2", "x1")
MPRNET = LossWeights(charbonnier=1.0, edge=0.05, frequency=0.0)
TRUST = LossWeights(charbonnier=0.0, edge=0.0, frequency=0.0, absolute=1.0, trust_ratios=3)


@pytest.fixture(scope="module")
def truth() -> dict[str, Tensor]:
    return {
        k: v.double() for k, v in load_file(shared_file("fixtures", "losses.safetensors")).items()
    }


def images(count: int, height: int = 12, width: int = 20) -> list[Tensor]:
    noise = torch.Generator().manual_seed(0)
    shape = (2, 3, height, width)
    return [torch.rand(shape, generator=noise, dtype=torch.float64) for _ in range(count)]


@pytest.mark.parametrize("scale", SCALES)
def test_terms(truth: dict[str, Tensor], scale: str) -> None:
    restored, sharp = truth[f"pred.{scale}"], truth[f"target_bilinear.{scale}"]
    for name, term in (("char", charbonnier), ("edge", edge), ("freq", frequency)):
        expected = truth[f"val.{scale}.{name}"].item()
        assert term(restored, sharp).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("scale", SCALES)
def test_coarse_truths_are_bilinear(truth: dict[str, Tensor], scale: str) -> None:
    resized = resize_to(truth["target"], truth[f"pred.{scale}"])
    torch.testing.assert_close(resized, truth[f"target_bilinear.{scale}"], rtol=0, atol=1e-6)


def test_laplacian(truth: dict[str, Tensor]) -> None:
    expected = truth["laplacian.target"]
    torch.testing.assert_close(laplacian(truth["target"]), expected, rtol=0, atol=1e-6)


def test_the_sum_over_scales_and_its_gradients(truth: dict[str, Tensor]) -> None:
    outputs = [truth[f"pred.{scale}"].clone().requires_grad_() for scale in SCALES]
    total = Criterion(LossWeights())(outputs, truth["target"], truth["target"])
    total.backward()
    assert total.item() == pytest.approx(truth["val.total"].item(), rel=1e-6)
    for scale, output in zip(SCALES, outputs, strict=True):
        expected = truth[f"grad.total.{scale}"]
        assert output.grad is not None
        assert (output.grad - expected).abs().max() <= 1e-5 * expected.abs().max()


def gaussian_by_hand(picture: np.ndarray) -> np.ndarray:
    taps = (0.05, 0.25, 0.4, 0.25, 0.05)
    padded = np.pad(picture, 2, mode="edge")
    height, width = picture.shape
    rows = sum(tap * padded[k : k + height] for k, tap in enumerate(taps))
    return np.asarray(sum(tap * rows[:, k : k + width] for k, tap in enumerate(taps)))


def test_terms_follow_their_formulas() -> None:
    restored, sharp = images(2)
    difference = (restored - sharp).numpy()
    spectrum = np.fft.fft2(difference)
    assert charbonnier(restored, sharp).item() == pytest.approx(
        np.sqrt(difference**2 + 1e-6).mean()
    )
    assert frequency(restored, sharp).item() == pytest.approx(
        (np.abs(spectrum.real).mean() + np.abs(spectrum.imag).mean()) / 2
    )
    channel = restored[0, 0].numpy()
    spread = np.zeros_like(channel)
    spread[::2, ::2] = 4 * gaussian_by_hand(channel)[::2, ::2]
    expected = channel - gaussian_by_hand(spread)
    np.testing.assert_allclose(laplacian(restored)[0, 0].numpy(), expected, atol=1e-7)


def test_equal_images_leave_only_epsilon() -> None:
    x = torch.rand(1, 3, 16, 16)
    assert charbonnier(x, x).item() == pytest.approx(1e-3)
    assert frequency(x, x).item() == 0


def test_mprnets_loss_compares_every_stage_at_full_size() -> None:
    *outputs, blurred, sharp = images(5)
    expected = sum(charbonnier(o, sharp) + 0.05 * edge(o, sharp) for o in outputs)
    assert torch.isclose(Criterion(MPRNET)(outputs, blurred, sharp), torch.as_tensor(expected))
    release = load_recipe("fcn-gopro-release").loss
    assert release == MPRNET


def test_trust_ratios_weigh_the_absolute_errors_and_sum_to_one() -> None:
    *outputs, blurred, sharp = images(5)
    criterion = Criterion(TRUST).double()
    errors = torch.stack([(output - sharp).abs().mean() for output in outputs])
    assert torch.isclose(criterion(outputs, blurred, sharp), errors.mean())
    logits = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    criterion.trust.data.copy_(logits)
    ratios = logits.exp() / logits.exp().sum()
    assert torch.isclose(criterion(outputs, blurred, sharp), (ratios * errors).sum())


def test_trust_ratios_learn_to_trust_the_better_output() -> None:
    blurred, sharp = images(2)
    outputs = [blurred, 0.9 * sharp + 0.1 * blurred, sharp]
    criterion = Criterion(TRUST).double()
    criterion(outputs, blurred, sharp).backward()
    assert criterion.trust.grad is not None
    assert criterion.trust.grad[0] > criterion.trust.grad[1] > criterion.trust.grad[2]
    assert criterion.trust.grad.sum().abs() < 1e-12


def test_as_many_outputs_as_trust_ratios_are_needed() -> None:
    *outputs, blurred, sharp = images(4)
    with pytest.raises(UsageError, match=r"loss\.trust_ratios is 3, but the network has 2"):
        Criterion(TRUST)(outputs, blurred, sharp)


def test_only_trust_ratios_are_trained_besides_the_network() -> None:
    assert [p.numel() for p in Criterion(LossWeights()).parameters()] == [0]
    assert [p.numel() for p in Criterion(TRUST).parameters()] == [3]
