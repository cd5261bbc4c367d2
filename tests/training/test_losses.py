"""Losses against the values and gradients of the official formulations."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from deblur_cli.training.losses import (
    charbonnier,
    deep_supervision,
    edge,
    frequency,
    laplacian,
    resize_to,
)
from tests.shared import shared_file

SCALES = ("x8", "x4", "x2", "x1")


@pytest.fixture(scope="module")
def truth() -> dict[str, Tensor]:
    return {
        k: v.double() for k, v in load_file(shared_file("fixtures", "losses.safetensors")).items()
    }


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


def test_total_and_its_gradients(truth: dict[str, Tensor]) -> None:
    outputs = [truth[f"pred.{scale}"].clone().requires_grad_() for scale in SCALES]
    total = deep_supervision(outputs, truth["target"])
    total.backward()
    assert total.item() == pytest.approx(truth["val.total"].item(), rel=1e-6)
    for scale, output in zip(SCALES, outputs, strict=True):
        expected = truth[f"grad.total.{scale}"]
        assert output.grad is not None
        assert (output.grad - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_equal_images_leave_only_epsilon() -> None:
    x = torch.rand(1, 3, 16, 16)
    assert charbonnier(x, x).item() == pytest.approx(1e-3)
    assert frequency(x, x).item() == 0
