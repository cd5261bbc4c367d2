"""Linear maps over the channels of every pixel, with what follows them.

On a CPU, oneDNN adds or multiplies other features while the sums are in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deblur_cli.ops.gelu import gelu


class Projection(nn.Linear):
    """A linear map of the last dimension, `(...,Cin)` to `(...,Cout)`, in the dtype of the weight.

    The bias may stay in float32.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Compute `W x + b`."""
        return _project(x, self.weight, self.bias)

    def gelu(self, x: Tensor) -> Tensor:
        """Compute GELU (its tanh approximation) of `W x + b`."""
        return gelu(self(x))

    def gelu_halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both halves of `gelu(x)`, each contiguous."""
        weights, biases = self.weight.chunk(2), self.bias.chunk(2)
        first, second = (
            gelu(_project(x, weight, bias)) for weight, bias in zip(weights, biases, strict=True)
        )
        return first, second

    def plus(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """Compute `W x + b + shortcut`."""
        return self._joined(x, shortcut, "add", torch.add)

    def times(self, x: Tensor, factor: Tensor) -> Tensor:
        """Compute `(W x + b) * factor`."""
        return self._joined(x, factor, "mul", torch.mul)

    def _joined(self, x: Tensor, other: Tensor, name: str, join: Callable[..., Tensor]) -> Tensor:
        if _onednn_takes(x, self.weight):
            bias = self.bias.to(x.dtype)
            fused = torch.ops.mkldnn._linear_pointwise.binary(x, other, self.weight, bias, name)
            return cast(Tensor, fused)
        return join(self(x), other)


def _project(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if _onednn_takes(x, weight):
        return cast(Tensor, torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], ""))
    return F.linear(x, weight, bias.to(weight.dtype))


def _onednn_takes(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN's linear map, which has no gradient, can stand in."""
    return (
        x.device.type == "cpu"
        and x.dtype == weight.dtype
        and x.dtype in (torch.float32, torch.bfloat16)
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and not torch.is_grad_enabled()
    )
