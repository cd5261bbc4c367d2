"""Back end `cpu`: the compiled kernels as differentiable torch functions."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from deblur_cli.ops.cpu import conv
from deblur_cli.ops.cpu.backward import gradients
from deblur_cli.ops.cpu.forward import scan
from deblur_cli.ops.cpu.problem import Problem
from deblur_cli.ops.differentiable import convolution
from deblur_cli.ops.layout import readable, token_major

DTYPES = frozenset({torch.float32, torch.bfloat16})


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
    """One fused pass; for a gradient, one state in every `CHECKPOINT` tokens is kept."""
    tensors = [None if x is None else _readable(x) for x in (u, delta, A, B, C, D, z, delta_bias)]
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors):
        y = _apply(_Scan, *tensors, delta_softplus)
    else:
        arguments: Any = (*tensors, delta_softplus)
        y, _ = scan(Problem.of(*arguments), keep_checkpoints=False)
    return y.transpose(1, 2).to(u.dtype)


def causal_conv1d_silu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One fused pass; the gradient runs through the convolution again."""
    y = convolution(conv, *(_readable(tensor) for tensor in (x, weight, bias)))
    return y.to(x.dtype)


def _readable(tensor: Tensor) -> Tensor:
    return readable(tensor, DTYPES, "cpu")


def _apply(function: type[torch.autograd.Function], *arguments: Any) -> Tensor:
    return cast(Tensor, function.apply(*arguments))  # type: ignore[no-untyped-call]


class _Scan(torch.autograd.Function):
    """The arguments of `selective_scan` to its output, (B, L, D)."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        *tensors, ctx.softplus = arguments
        y, checkpoints = scan(Problem.of(*arguments), keep_checkpoints=True)
        ctx.save_for_backward(*tensors, checkpoints)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        *tensors, checkpoints = ctx.saved_tensors
        arguments: Any = (*tensors, ctx.softplus)
        found = gradients(Problem.of(*arguments), checkpoints, token_major(grad_y.transpose(1, 2)))
        _, _, A, _, _, D, _, delta_bias = tensors
        return (
            found.u.transpose(1, 2),
            found.delta.transpose(1, 2),
            found.A.to(A.dtype),
            found.B.transpose(1, 2),
            found.C.transpose(1, 2),
            None if D is None else found.D.to(D.dtype),
            None if found.z is None else found.z.transpose(1, 2),
            None if delta_bias is None else found.delta_bias.to(delta_bias.dtype),
            None,
        )
