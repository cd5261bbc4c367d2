"""Layer norm over rows of channels, and its gradients; torch's takes a block of threads per row."""

from __future__ import annotations

from typing import Any, cast

import torch
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from deblur_cli.ops.triton.blocks import (
    inlined,
    kernel,
    launching_on,
    power_of_two,
    read,
    write,
)
from deblur_cli.ops.triton.problem import programs_that_fill

TILE = 4096
"""Values that a program holds at a time: 32 in each thread."""

WARPS = 4


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """As `deblur_cli.ops.norm.layer_norm`, differentiable; at most as many channels as `TILE`."""
    y = _LayerNorm.apply(x, weight, bias, eps)  # type: ignore[no-untyped-call]
    return cast(Tensor, y)


class _LayerNorm(torch.autograd.Function):
    """Keeps the rows, and mean and inverse deviation of each."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        x, weight, bias = x.contiguous(), weight.contiguous(), bias.contiguous()
        rows, channels = x.numel() // x.shape[-1], x.shape[-1]
        y = torch.empty_like(x)
        statistics = torch.empty(2, rows, dtype=torch.float32, device=x.device)
        block = _block(rows, channels)
        with launching_on(x.device):
            _normalise[(-(-rows // block["BLOCK_R"]),)](
                x, weight, bias, y, statistics, rows, channels, eps, **block, num_warps=WARPS
            )
        ctx.save_for_backward(x, weight, statistics)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, statistics = ctx.saved_tensors
        grad_y = grad_y.contiguous()
        rows, channels = x.numel() // x.shape[-1], x.shape[-1]
        grad_x = torch.empty_like(x)
        block = _block(rows, channels)
        programs = min(-(-rows // block["BLOCK_R"]), programs_that_fill(x.device) // WARPS)
        sums = torch.empty(programs, 2, channels, dtype=torch.float32, device=x.device)
        with launching_on(x.device):
            _differentiate[(programs,)](
                x, weight, grad_y, grad_x, statistics, sums, rows, channels, **block,
                num_warps=WARPS,
            )  # fmt: skip
        grad_weight, grad_bias = sums.sum(0).to(weight.dtype)
        return grad_x, grad_weight, grad_bias, None


def _block(rows: int, channels: int) -> dict[str, int]:
    width = power_of_two(channels)
    return {"BLOCK_R": max(1, min(TILE // width, power_of_two(rows))), "BLOCK_C": width}


@inlined
def _tile(memory, r, c, rows, channels):  # type: ignore[no-untyped-def]
    """The rows `r` of a (rows, channels) tensor, as float32."""
    pointers = memory + r.to(tl.int64)[:, None] * channels + c[None, :]
    return read(pointers, (r < rows)[:, None] & (c < channels)[None, :])


@inlined
def _write_tile(memory, r, c, rows, channels, values):  # type: ignore[no-untyped-def]
    pointers = memory + r.to(tl.int64)[:, None] * channels + c[None, :]
    write(pointers, values, (r < rows)[:, None] & (c < channels)[None, :])


@kernel("rows")
def _normalise(  # type: ignore[no-untyped-def]
    x,
    weight,
    bias,
    y,
    statistics,
    rows,
    channels,
    eps,
    BLOCK_R: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    r, c = tl.program_id(0) * BLOCK_R + tl.arange(0, BLOCK_R), tl.arange(0, BLOCK_C)
    has_c = c < channels
    values = _tile(x, r, c, rows, channels)
    mean = tl.sum(values, axis=1) / channels
    centred = tl.where(has_c[None, :], values - mean[:, None], 0.0)
    inverse = 1.0 / tl.sqrt(tl.sum(centred * centred, axis=1) / channels + eps)
    w, b = read(weight + c, has_c), read(bias + c, has_c)
    _write_tile(y, r, c, rows, channels, centred * inverse[:, None] * w[None, :] + b[None, :])
    tl.store(statistics + r, mean, mask=r < rows)
    tl.store(statistics + rows + r, inverse, mask=r < rows)


@kernel("rows")
def _differentiate(  # type: ignore[no-untyped-def]
    x,
    weight,
    grad_y,
    grad_x,
    statistics,
    sums,
    rows,
    channels,
    BLOCK_R: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    c = tl.arange(0, BLOCK_C)
    has_c = c < channels
    w = read(weight + c, has_c)
    of_weight = tl.zeros([BLOCK_R, BLOCK_C], tl.float32)
    of_bias = tl.zeros([BLOCK_R, BLOCK_C], tl.float32)
    for start in range(tl.program_id(0) * BLOCK_R, rows, tl.num_programs(0) * BLOCK_R):
        r = start + tl.arange(0, BLOCK_R)
        mean, inverse = read(statistics + r, r < rows), read(statistics + rows + r, r < rows)
        centred = _tile(x, r, c, rows, channels) - mean[:, None]
        normed = tl.where(has_c[None, :], centred * inverse[:, None], 0.0)
        upper = _tile(grad_y, r, c, rows, channels)
        of_weight += upper * normed
        of_bias += upper
        upper = upper * w[None, :]
        along = tl.sum(upper * normed, axis=1) / channels
        common = tl.sum(upper, axis=1) / channels
        found = (upper - common[:, None] - normed * along[:, None]) * inverse[:, None]
        _write_tile(grad_x, r, c, rows, channels, found)
    target = sums + tl.program_id(0) * 2 * channels + c
    tl.store(target, tl.sum(of_weight, axis=0), mask=has_c)
    tl.store(target + channels, tl.sum(of_bias, axis=0), mask=has_c)
