"""XYScanNet's contrast: with given features, with a stand-in for VGG19, and without torchvision."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from deblur_cli.errors import UsageError
from deblur_cli.training.contrast import Contrast, contrast_of_features, vgg19_features
from deblur_cli.training.losses import Criterion, charbonnier
from deblur_cli.training.recipe import LossWeights
from tests.shared import shared_file


def images(count: int) -> list[Tensor]:
    noise = torch.Generator().manual_seed(0)
    return [torch.rand((2, 3, 16, 24), generator=noise, dtype=torch.float64) for _ in range(count)]


def quarter(x: Tensor) -> Tensor:
    """Stand-in for VGG19: means of 4x4 pixels, squared so that a shift of the values shows."""
    return F.avg_pool2d(x, 4).square()


def test_it_agrees_with_the_release_in_value_and_gradient() -> None:
    truth = {
        key.removeprefix("contrast."): value.double()
        for key, value in load_file(shared_file("fixtures", "losses.safetensors")).items()
    }
    restored = truth["feat_restore"].clone().requires_grad_()
    changed = (truth["sharp"] - truth["blur"]).abs().mean(1, keepdim=True) > 0.01
    loss = contrast_of_features(restored, truth["feat_blur"], truth["feat_sharp"], changed)
    loss.backward()
    assert loss.item() == pytest.approx(truth["val.contrast"].item(), rel=1e-6)
    expected = truth["grad.feat_restore"]
    assert restored.grad is not None
    assert (restored.grad - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_it_follows_its_formula_on_images() -> None:
    restored, blurred, sharp = images(3)
    blurred[0] = sharp[0]  # counts nowhere
    seen = [quarter(picture - 0.5).numpy() for picture in (restored, blurred, sharp)]
    ratio = np.abs(seen[0] - seen[2]).mean(1) / (np.abs(seen[0] - seen[1]).mean(1) + 1e-7)
    loss = Contrast(quarter)(restored, blurred, sharp)
    assert loss.item() == pytest.approx(ratio[1].mean())


def test_photos_without_blur_give_no_loss() -> None:
    restored, sharp = (picture.requires_grad_() for picture in images(2))
    loss = Contrast(quarter)(restored, sharp, sharp)
    loss.backward()
    assert loss.item() == 0
    assert restored.grad is not None
    assert restored.grad.abs().max() == 0


def fake_torchvision(monkeypatch: pytest.MonkeyPatch, failure: Exception | None = None) -> None:
    def vgg19(weights: str) -> Any:
        assert weights == "of ImageNet"
        if failure is not None:
            raise failure
        layers = (nn.Conv2d(3, 3, 1) if number == 0 else nn.Identity() for number in range(37))
        return SimpleNamespace(features=nn.Sequential(*layers))

    models = ModuleType("torchvision.models")
    models.__dict__.update(vgg19=vgg19, VGG19_Weights=SimpleNamespace(IMAGENET1K_V1="of ImageNet"))
    package = ModuleType("torchvision")
    package.__dict__.update(models=models)
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)


def test_vgg19_ends_after_relu3_1_and_is_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_torchvision(monkeypatch)
    features = vgg19_features()
    assert len(list(features.children())) == 12
    assert not any(parameter.requires_grad for parameter in features.parameters())


def test_the_criterion_adds_it_and_does_not_train_its_features(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_torchvision(monkeypatch)
    criterion = Criterion(LossWeights(edge=0.0, frequency=0.0, contrast=0.5))
    assert [parameter.numel() for parameter in criterion.parameters()] == [0]
    assert criterion.contrast is not None
    monkeypatch.setattr(criterion.contrast, "_features", [quarter])
    restored, blurred, sharp = images(3)
    expected = charbonnier(restored, sharp) + 0.5 * Contrast(quarter)(restored, blurred, sharp)
    assert torch.isclose(criterion([restored], blurred, sharp), expected)


def test_without_torchvision_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(UsageError, match=r"pip install torchvision.*--set loss\.contrast=0"):
        Contrast()


def test_weights_that_cannot_be_fetched_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_torchvision(monkeypatch, URLError("no route to host"))
    with pytest.raises(UsageError, match=r"VGG19.*no route to host.*--set loss\.contrast=0"):
        vgg19_features()
