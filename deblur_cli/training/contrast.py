"""XYScanNet's contrast: restored images closer to the truth than to the blur, in VGG's features."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast
from urllib.error import URLError

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deblur_cli.errors import UsageError

RELU3_1 = 12
"""Layers of VGG19's features up to and including relu3_1: 256 channels at a quarter of the size."""

MIDDLE_GREY = 0.5
"""The release feeds images in [-0.5,0.5], as its network sees them."""

NEARLY_EQUAL = 0.01
"""Mean difference of sharp and blurred channels up to which a pixel does not count."""

INSTEAD = "train without it: --set loss.contrast=0"


class Contrast(nn.Module):
    """Mean, over the pixels that blur has changed, of distance to truth over distance to blur.

    Args:
        features: images `(B,3,H,W)` to features `(B,C,H/4,W/4)`; None for VGG19's.

    Raises:
        UsageError: VGG19 or its weights are not here.
    """

    def __init__(self, features: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self._features = [vgg19_features() if features is None else features]
        """In a list, so that they are no part of the training's parameters and state."""

    def forward(self, restored: Tensor, blurred: Tensor, sharp: Tensor) -> Tensor:
        """The contrast of `(B,3,H,W)` images in [0,1]; 0 where blur has changed no pixel."""
        with torch.no_grad():
            of_sharp, of_blurred = self._see(sharp), self._see(blurred)
            changed = (sharp - blurred).abs().mean(1, keepdim=True) > NEARLY_EQUAL
        return contrast_of_features(self._see(restored), of_blurred, of_sharp, changed)

    def _see(self, images: Tensor) -> Tensor:
        if isinstance(features := self._features[0], nn.Module):
            features.to(images.device)
        return features(images - MIDDLE_GREY)


def contrast_of_features(
    restored: Tensor, blurred: Tensor, sharp: Tensor, changed: Tensor
) -> Tensor:
    """The contrast of features `(B,C,H/4,W/4)`.

    Args:
        restored: features of the restored images; only they have a gradient.
        blurred: features of the blurred images.
        sharp: features of the truth.
        changed: `(B,1,H,W)`, which pixels of the images count.
    """
    counted = F.interpolate(
        changed.to(restored.dtype), restored.shape[-2:], mode="bilinear", align_corners=False
    )
    to_sharp = (restored - sharp).abs().mean(1, keepdim=True)
    to_blurred = (restored - blurred).abs().mean(1, keepdim=True)
    least = torch.finfo(restored.dtype).tiny
    return (to_sharp / (to_blurred + 1e-7) * counted).sum() / counted.sum().clamp(min=least)


def vgg19_features() -> nn.Module:
    """VGG19 up to relu3_1 with torchvision's ImageNet weights, fetched at the first use; frozen.

    Raises:
        UsageError: torchvision is not installed, or the weights are not here and cannot be fetched.
    """
    try:
        from torchvision.models import VGG19_Weights, vgg19
    except ImportError as error:
        raise UsageError(
            "the contrast loss needs VGG19 from torchvision, which is not installed",
            remedy=f"pip install torchvision, or {INSTEAD}",
        ) from error
    try:
        network = vgg19(weights=VGG19_Weights.IMAGENET1K_V1)
    except (URLError, OSError, RuntimeError) as error:
        raise UsageError(
            f"the weights of VGG19, for the contrast loss, cannot be fetched: {error}",
            remedy=f"try again with a network, or {INSTEAD}",
        ) from error
    features = cast(nn.Sequential, network.features)[:RELU3_1]
    return features.eval().requires_grad_(False)
