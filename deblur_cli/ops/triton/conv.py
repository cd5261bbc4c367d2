"""The causal convolution along the tokens, fused with its SiLU, and its gradients."""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from deblur_cli.ops.triton.blocks import (
    inlined,
    kernel,
    launching_on,
    power_of_two,
    read,
    rows,
    seek,
    sigmoid,
    write,
)

TOKENS = 16
"""Rows of a tile."""

TILES = 16
"""Tiles that one program of the gradient adds up."""


@inlined
def _tile(rows, t, d, valid_t, valid_d):  # type: ignore[no-untyped-def]
    """The tokens `t` and channels `d` of an image that `rows` begin with."""
    pointers = rows.memory + t.to(tl.int64)[:, None] * rows.token + d[None, :]
    return read(pointers, valid_t[:, None] & valid_d[None, :])


@inlined
def _linear(  # type: ignore[no-untyped-def]
    x, weight, bias, t, d, here, length, TAPS: tl.constexpr, BLOCK_T: tl.constexpr
):
    """Output before the SiLU for the tokens `t` and channels `d`."""
    result = read(bias + d, here)[None, :] + tl.zeros([BLOCK_T, 1], tl.float32)
    for tap in tl.static_range(TAPS):
        at = t - (TAPS - 1 - tap)
        values = _tile(x, at, d, (at >= 0) & (at < length), here)
        result += values * read(weight + d * TAPS + tap, here)[None, :]
    return result


@kernel("length")
def _convolve(  # type: ignore[no-untyped-def]
    x,
    weight,
    bias,
    y,
    length,
    channels,
    TAPS: tl.constexpr,
    BLOCK_T: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    t = tl.program_id(0) * BLOCK_T + tl.arange(0, BLOCK_T)
    d = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    image = tl.program_id(2).to(tl.int64)
    here = d < channels
    linear = _linear(seek(x, image, 0), weight, bias, t, d, here, length, TAPS, BLOCK_T)
    place = (image * length + t)[:, None] * channels + d[None, :]
    write(y + place, linear * sigmoid(linear), (t < length)[:, None] & here[None, :])


@kernel("length")
def _differentiate_silu(  # type: ignore[no-untyped-def]
    x,
    weight,
    bias,
    grad_y,
    grad_linear,  # (B, L, D), contiguous
    grad_weight,  # (B, programs, TAPS, D)
    grad_bias,  # (B, programs, D)
    length,
    channels,
    TAPS: tl.constexpr,
    TILES: tl.constexpr,
    BLOCK_T: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    d = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    here = d < channels
    image, number = tl.program_id(2).to(tl.int64), tl.program_id(0)
    own = image * tl.num_programs(0) + number
    x, grad_y = seek(x, image, 0), seek(grad_y, image, 0)
    by_bias = tl.zeros([BLOCK_D], tl.float32)
    taps = tl.arange(0, BLOCK_T)
    by_weight = tl.zeros([BLOCK_T, BLOCK_D], tl.float32)
    for tile in range(TILES):
        t = (number * TILES + tile) * BLOCK_T + tl.arange(0, BLOCK_T)
        linear = _linear(x, weight, bias, t, d, here, length, TAPS, BLOCK_T)
        open_ = sigmoid(linear)
        arriving = _tile(grad_y, t, d, t < length, here)
        inner = arriving * open_ * (1.0 + linear * (1.0 - open_))
        place = (image * length + t)[:, None] * channels + d[None, :]
        write(grad_linear + place, inner, (t < length)[:, None] & here[None, :])
        by_bias += tl.sum(inner, axis=0)
        for tap in tl.static_range(TAPS):
            at = t - (TAPS - 1 - tap)
            values = _tile(x, at, d, (at >= 0) & (t < length), here)
            total = tl.sum(inner * values, axis=0)
            by_weight += tl.where((taps == tap)[:, None], total[None, :], 0.0)
    tl.store(grad_bias + own * channels + d, by_bias, mask=here)
    rows = (taps < TAPS)[:, None] & here[None, :]
    tl.store(
        grad_weight + (own * TAPS + taps[:, None]) * channels + d[None, :], by_weight, mask=rows
    )


@kernel("length")
def _spread(  # type: ignore[no-untyped-def]
    grad_linear,  # (B, L, D), contiguous
    weight,
    grad_x,  # (B, L, D), contiguous
    length,
    channels,
    TAPS: tl.constexpr,
    BLOCK_T: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    t = tl.program_id(0) * BLOCK_T + tl.arange(0, BLOCK_T)
    d = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    image = tl.program_id(2).to(tl.int64)
    here = d < channels
    result = tl.zeros([BLOCK_T, BLOCK_D], tl.float32)
    for tap in tl.static_range(TAPS):
        at = t + (TAPS - 1 - tap)
        place = (image * length + at)[:, None] * channels + d[None, :]
        values = read(grad_linear + place, (at < length)[:, None] & here[None, :])
        result += values * read(weight + d * TAPS + tap, here)[None, :]
    place = (image * length + t)[:, None] * channels + d[None, :]
    write(grad_x + place, result, (t < length)[:, None] & here[None, :])


def convolve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Output (B, L, D), in the dtype of `x` (B, L, D); weight (D, K), bias (D,)."""
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    block = _block(x, weight)
    with launching_on(x.device):
        _convolve[_grid(x, block, 1)](
            rows(x, x), weight.contiguous(), bias, y, *x.shape[1:], **block, num_warps=4
        )
    return y


def gradients(
    x: Tensor, weight: Tensor, bias: Tensor, grad_y: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Of x (B, L, D) in its dtype, of weight (D, K) and bias (D,) in float32."""
    block = _block(x, weight)
    many, few = _grid(x, block, 1), _grid(x, block, TILES)
    weight = weight.contiguous()
    grad_linear = torch.empty(x.shape, dtype=torch.float32, device=x.device)
    grad_x = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    by_weight = grad_linear.new_empty(x.shape[0], few[0], weight.shape[1], x.shape[2])
    by_bias = grad_linear.new_empty(x.shape[0], few[0], x.shape[2])
    with launching_on(x.device):
        _differentiate_silu[few](
            rows(x, x),
            weight,
            bias,
            rows(grad_y, x),
            grad_linear,
            by_weight,
            by_bias,
            *x.shape[1:],
            TILES=TILES,
            **block,
            num_warps=4,
        )
        _spread[many](grad_linear, weight, grad_x, *x.shape[1:], **block, num_warps=4)
    return grad_x, by_weight.sum((0, 1)).t(), by_bias.sum((0, 1))


def _block(x: Tensor, weight: Tensor) -> dict[str, int]:
    taps = weight.shape[1]
    tokens, channels = max(TOKENS, power_of_two(taps)), min(64, power_of_two(x.shape[2]))
    return {"TAPS": taps, "BLOCK_T": tokens, "BLOCK_D": channels}


def _grid(x: Tensor, block: dict[str, int], tiles: int) -> tuple[int, int, int]:
    batch, length, channels = x.shape
    tokens = tiles * block["BLOCK_T"]
    return -(-length // tokens), -(-channels // block["BLOCK_D"]), batch
