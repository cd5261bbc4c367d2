"""Back end `triton`: the kernels as differentiable torch functions."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from deblur_cli.ops.differentiable import convolution
from deblur_cli.ops.layout import readable, token_major
from deblur_cli.ops.triton import conv
from deblur_cli.ops.triton.backward import gradients
from deblur_cli.ops.triton.forward import scan
from deblur_cli.ops.triton.problem import Problem

DTYPES = frozenset({torch.float32, torch.bfloat16, torch.float16})


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    delta_softplus: bool,
) -> Tensor:
    """Fused over the tokens; the gradient keeps nothing but the arguments and runs again."""
    tensors = [None if x is None else _readable(x) for x in (u, delta, A, B, C, D, z, delta_bias)]
    y = cast(Tensor, _Scan.apply(*tensors, delta_softplus))  # type: ignore[no-untyped-call]
    return y.transpose(1, 2).to(u.dtype)


def causal_conv1d_silu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One fused pass; the gradient runs through the convolution again."""
    y = convolution(conv, *(_readable(tensor) for tensor in (x, weight, bias)))
    return y.to(x.dtype)


def _readable(tensor: Tensor) -> Tensor:
    return readable(tensor, DTYPES, "triton")


class _Scan(torch.autograd.Function):
    """The arguments of `selective_scan` to its output, (B, L, D)."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        *tensors, ctx.softplus = arguments
        ctx.save_for_backward(*tensors)
        return scan(Problem.of(*arguments))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors
        arguments: Any = (*tensors, ctx.softplus)
        found = gradients(Problem.of(*arguments), token_major(grad_y.transpose(1, 2)))
        return (
            *(
                None if tensor is None or gradient is None else gradient.to(tensor.dtype)
                for tensor, gradient in zip(tensors, found, strict=True)
            ),
            None,
        )
