"""Kernels of the causal convolution as a differentiable function."""

from __future__ import annotations

from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from deblur_cli.ops.layout import token_major


class Kernels(Protocol):
    """What the module of a compiled back end offers; x, y and grad_y are (B, L, D)."""

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The output."""

    def gradients(
        self, x: Tensor, weight: Tensor, bias: Tensor, grad_y: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of x, weight and bias; those of the parameters may be in float32."""


def convolution(kernels: Kernels, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(B, D, L) to (B, D, L); the gradient runs through the convolution again."""
    y = cast(Tensor, _Convolution.apply(kernels, x, weight, bias))  # type: ignore[no-untyped-call]
    return y.transpose(1, 2)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernels: Kernels, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.kernels = kernels
        ctx.save_for_backward(x, weight, bias)
        return kernels.convolve(token_major(x), weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
        x, weight, bias = ctx.saved_tensors
        by_x, by_weight, by_bias = ctx.kernels.gradients(
            token_major(x), weight, bias, token_major(grad_y.transpose(1, 2))
        )
        return None, by_x.transpose(1, 2), by_weight.to(weight.dtype), by_bias.to(bias.dtype)
