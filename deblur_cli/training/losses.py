"""The losses of the papers: terms that compare images, and the sum that a network is trained by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deblur_cli.errors import UsageError
from deblur_cli.training.contrast import Contrast
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


TERMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "charbonnier": charbonnier,
    "edge": edge,
    "frequency": frequency,
    "absolute": F.l1_loss,
}
"""What `LossWeights` weighs of an output and its truth alone, in the order of the sum."""


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


class Criterion(nn.Module):
    """The loss of a recipe: weighted terms, summed over all outputs of a network.

    With trust ratios, FCN's eq. 1: each output's error is weighted by a trainable ratio in [0,1].
    By the equation alone all ratios would fall to 0; here they are a softmax, so they sum to 1.

    Args:
        weights: factors of the terms.

    Raises:
        UsageError: a term needs what is not installed.
    """

    def __init__(self, weights: LossWeights) -> None:
        super().__init__()
        self.weights = weights
        self.contrast = Contrast() if weights.contrast else None
        self.trust = nn.Parameter(torch.zeros(weights.trust_ratios))
        """Logits of the trust ratios, in the order of the outputs; empty if there are none."""

    def forward(self, outputs: Sequence[Tensor], blurred: Tensor, sharp: Tensor) -> Tensor:
        """Compare what a network made of `blurred` with the truth.

        Args:
            outputs: restored `(B,3,h,w)` at any scales, in [0,1].
            blurred: `(B,3,H,W)`.
            sharp: the truth, `(B,3,H,W)`.

        Raises:
            UsageError: there are not as many outputs as trust ratios.
        """
        total = sharp.new_zeros(())
        for ratio, output in zip(self._ratios(len(outputs)), outputs, strict=True):
            for term in self._terms(output, blurred, sharp):
                total = total + (term if ratio is None else ratio * term)
        return total

    def _ratios(self, outputs: int) -> Sequence[Tensor | None]:
        if not len(self.trust):
            return [None] * outputs
        if len(self.trust) != outputs:
            raise UsageError(
                f"loss.trust_ratios is {len(self.trust)}, but the network has {outputs} outputs",
                remedy=f"set it to {outputs}, or to 0 for none",
            )
        return self.trust.softmax(0).unbind()

    def _terms(self, output: Tensor, blurred: Tensor, sharp: Tensor) -> Iterator[Tensor]:
        truth = resize_to(sharp, output)
        for name, term in TERMS.items():
            if factor := getattr(self.weights, name):
                yield factor * term(output, truth)
        if self.contrast is not None:
            yield self.weights.contrast * self.contrast(output, resize_to(blurred, output), truth)
