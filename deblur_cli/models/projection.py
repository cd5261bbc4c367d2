"""Linear maps over the channels of every pixel, with the activation that follows them.

A GELU of its own costs torch on a CPU more than the map before it; oneDNN applies it to the sums
while they are in registers.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Projection(nn.Linear):
    """A linear map of the last dimension, `(...,Cin)` to `(...,Cout)`, in the dtype of the weight.

    The bias may stay in float32.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Compute `W x + b`."""
        return _project(x, self.weight, self.bias, gelu=False)

    def gelu(self, x: Tensor) -> Tensor:
        """Compute GELU (its tanh approximation) of `W x + b`."""
        return _project(x, self.weight, self.bias, gelu=True)

    def gelu_halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both halves of `gelu(x)`, each contiguous."""
        weights, biases = self.weight.chunk(2), self.bias.chunk(2)
        first, second = (
            _project(x, weight, bias, gelu=True)
            for weight, bias in zip(weights, biases, strict=True)
        )
        return first, second


def _project(x: Tensor, weight: Tensor, bias: Tensor, gelu: bool) -> Tensor:
    if _onednn_takes(x, weight):
        activation, kind = ("gelu", "tanh") if gelu else ("none", "")
        fused = torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], kind)
        return cast(Tensor, fused)
    projected = F.linear(x, weight, bias.to(weight.dtype))
    return F.gelu(projected, approximate="tanh") if gelu else projected


def _onednn_takes(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN's linear map with activation, which has no gradient, can stand in."""
    return (
        x.device.type == "cpu"
        and x.dtype == weight.dtype
        and x.dtype in (torch.float32, torch.bfloat16)
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and not torch.is_grad_enabled()
    )
