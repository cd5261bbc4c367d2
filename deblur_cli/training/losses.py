"""The losses of ALGNet (eq. 2 to 5): Charbonnier, edge and frequency terms, at every scale."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from deblur_cli.training.recipe import LossWeights

EPSILON = 1e-3
_BINOMIAL = (0.05, 0.25, 0.4, 0.25, 0.05)


def charbonnier(restored: Tensor, sharp: Tensor) -> Tensor:
    """Mean of `sqrt(difference^2 + EPSILON^2)` over all elements."""
    return torch.sqrt((restored - sharp).square() + EPSILON**2).mean()


def edge(restored: Tensor, sharp: Tensor) -> Tensor:
    """Charbonnier distance of the Laplacians of `(B,C,H,W)`."""
    return charbonnier(laplacian(restored), laplacian(sharp))


def frequency(restored: Tensor, sharp: Tensor) -> Tensor:
    """Mean absolute difference of the real and imaginary parts of the full 2-D spectra."""
    spectrum = torch.fft.fft2(restored - sharp)
    mean: Tensor = spectrum.real.abs().mean() + spectrum.imag.abs().mean()
    return mean / 2


def laplacian(x: Tensor) -> Tensor:
    """What `(B,C,H,W)` loses by one reduction and expansion of a Gaussian pyramid."""
    blurred = _blur(x)
    zero_stuffed = torch.zeros_like(blurred)
    zero_stuffed[..., ::2, ::2] = 4 * blurred[..., ::2, ::2]
    return x - _blur(zero_stuffed)


def _blur(x: Tensor) -> Tensor:
    channels = x.shape[1]
    kernel = _binomial_kernel(x.dtype, x.device).expand(channels, 1, 5, 5)
    return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), kernel, groups=channels)


@cache
def _binomial_kernel(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Kept, since to send it to a GPU would wait for the steps under way there."""
    taps = torch.tensor(_BINOMIAL, dtype=dtype, device=device)
    return torch.outer(taps, taps)


def resize_to(sharp: Tensor, like: Tensor) -> Tensor:
    """The truth at a coarser scale: bilinear from full resolution, not antialiased."""
    if sharp.shape == like.shape:
        return sharp
    return F.interpolate(sharp, like.shape[-2:], mode="bilinear", align_corners=False)


def deep_supervision(
    outputs: Sequence[Tensor], sharp: Tensor, weights: LossWeights | None = None
) -> Tensor:
    """Sum of the three weighted terms over all scales.

    Args:
        outputs: restored `(B,3,h,w)` at any scales.
        sharp: the truth `(B,3,H,W)` at full resolution, in [0,1].
        weights: the factors of the terms.
    """
    weights = weights or LossWeights()
    total = sharp.new_zeros(())
    for output in outputs:
        truth = resize_to(sharp, output)
        total = total + weights.charbonnier * charbonnier(output, truth)
        total = total + weights.edge * edge(output, truth)
        total = total + weights.frequency * frequency(output, truth)
    return total
