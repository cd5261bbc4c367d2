"""The causal convolution with SiLU, and its gradient; each chunk of tokens is a piece of work."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from deblur_cli.ops.cpu import threads
from deblur_cli.ops.cpu.compile import kernel, subroutine
from deblur_cli.ops.cpu.intrinsics import add_to_doubles, load, splat, store, vector_sigmoid
from deblur_cli.ops.cpu.layout import VIEW, channel_blocks, view
from deblur_cli.ops.cpu.tiles import load_tile, place_of, store_tile

_CHUNK = 64
"""Tokens of a piece of work."""

_JOB = np.dtype(
    [
        *((name, VIEW) for name in ("x", "y", "grad_y", "grad_x")),
        *((name, "i8") for name in ("weight", "bias", "grad_weight")),
        *((name, "i8") for name in ("length", "channels", "blocks", "taps")),
        *threads.DIVISION,
    ],
    align=True,
)


def convolve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """silu(conv(x)), (B, L, D) in the dtype of x (B, L, D); weight (D, K), bias (D,)."""
    weight, bias = channel_blocks(weight), channel_blocks(bias[:, None])
    y = torch.empty(x.shape, dtype=x.dtype)
    job = _job(x, weight, bias)
    job["y"] = view(y)
    threads.run(_convolve, job, _pieces(x), _row_bytes(2 * _CHUNK + weight.shape[1]))
    return y


def gradients(
    x: Tensor, weight: Tensor, bias: Tensor, grad_y: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """By x (in its dtype), weight and bias (in float32), from that by the output (B, L, D)."""
    channels, taps = weight.shape
    weight, bias = channel_blocks(weight), channel_blocks(bias[:, None])
    grad_x = torch.empty(x.shape, dtype=x.dtype)
    items = _pieces(x)
    sums = torch.zeros(
        threads.share_count(items), weight.shape[0], taps + 1, 16, dtype=torch.float64
    )
    job = _job(x, weight, bias)
    job["grad_y"], job["grad_x"] = view(grad_y), view(grad_x)
    job["grad_weight"] = sums.data_ptr()
    threads.run(_convolve_back, job, items, _row_bytes(3 * (_CHUNK + 2 * taps)))
    totals = sums.sum(0).transpose(1, 2).flatten(0, 1)[:channels].float()
    return grad_x, totals[:, :taps], totals[:, taps]


def _job(x: Tensor, weight: Tensor, bias: Tensor) -> threads.Job:
    job = np.zeros(1, _JOB)
    job["x"], job["weight"], job["bias"] = view(x), weight.data_ptr(), bias.data_ptr()
    _, job["length"], job["channels"] = x.shape
    job["blocks"], job["taps"], _ = weight.shape
    return job


def _pieces(x: Tensor) -> int:
    return x.shape[0] * -(-x.shape[1] // _CHUNK)


def _row_bytes(rows: int) -> int:
    return rows * 64


@subroutine
def _place(job: Any, batch: int, first: int, tokens: int, block: int) -> Any:
    return place_of(batch, first, tokens, block, range(job.blocks), job.channels, _CHUNK)


@subroutine
def _load_with_past(job: Any, batch: int, first: int, tokens: int, block: int, tile: int) -> None:
    """K - 1 tokens before `first`, zeros where there are none, and `tokens` from there on."""
    missing = max(0, job.taps - 1 - first)
    for t in range(missing):
        store(tile, 16 * t, splat(0.0))
    past = job.taps - 1 - missing
    place = _place(job, batch, first - past, past + tokens, block)
    load_tile(job.x, place, tile + 64 * missing, 16)


@subroutine
def _weighted(job: Any, block: int, t: int, x: int) -> Any:
    """The convolution at token `t` of the piece."""
    weight = job.weight + block * job.taps * 64
    total = load(job.bias, 16 * block)
    for k in range(job.taps):
        total = total + load(weight, 16 * k) * load(x, 16 * (t + k))
    return total


@subroutine
def _convolve_item(job: Any, batch: int, first: int, scratch: int) -> None:
    tokens = min(_CHUNK, job.length - first)
    y = scratch + (_CHUNK + job.taps) * 64
    for block in range(job.blocks):
        _load_with_past(job, batch, first, tokens, block, scratch)
        for t in range(tokens):
            total = _weighted(job, block, t, scratch)
            store(y, 16 * t, total * vector_sigmoid(total))
        store_tile(job.y, _place(job, batch, first, tokens, block), y)


@subroutine
def _convolve_back_item(job: Any, batch: int, first: int, sums: int, scratch: int) -> None:
    tokens = min(_CHUNK, job.length - first)
    ahead = min(job.taps - 1, job.length - first - tokens)
    rows = (_CHUNK + 2 * job.taps) * 64
    x, grad, grad_x = scratch, scratch + rows, scratch + 2 * rows
    one, zero = splat(1.0), splat(0.0)
    for block in range(job.blocks):
        _load_with_past(job, batch, first, tokens + ahead, block, x)
        load_tile(job.grad_y, _place(job, batch, first, tokens + ahead, block), grad, 16)
        for t in range(tokens + ahead):
            total = _weighted(job, block, t, x)
            share = vector_sigmoid(total)
            slope = share * (one + total * (one - share))
            store(grad, 16 * t, load(grad, 16 * t) * slope)
        for t in range(tokens + ahead, tokens + job.taps - 1):
            store(grad, 16 * t, zero)

        weight = job.weight + block * job.taps * 64
        for t in range(tokens):
            total = zero
            for k in range(job.taps):
                total = total + load(weight, 16 * k) * load(grad, 16 * (t + job.taps - 1 - k))
            store(grad_x, 16 * t, total)
        store_tile(job.grad_x, _place(job, batch, first, tokens, block), grad_x)

        by_weight = sums + block * (job.taps + 1) * 128
        for k in range(job.taps + 1):
            total = zero
            for t in range(tokens):
                factor = load(x, 16 * (t + k)) if k < job.taps else one
                total = total + load(grad, 16 * t) * factor
            add_to_doubles(by_weight + 128 * k, total)


@kernel(numba.from_dtype(_JOB)[::1], numba.int64)
def _convolve(jobs: Any, share: int) -> None:
    job = jobs[0]
    scratch = job.scratch + share * job.scratch_bytes
    chunks = (job.length + _CHUNK - 1) // _CHUNK
    for item in range(job.items * share // job.shares, job.items * (share + 1) // job.shares):
        _convolve_item(job, item // chunks, item % chunks * _CHUNK, scratch)


@kernel(numba.from_dtype(_JOB)[::1], numba.int64)
def _convolve_back(jobs: Any, share: int) -> None:
    job = jobs[0]
    scratch = job.scratch + share * job.scratch_bytes
    sums = job.grad_weight + share * job.blocks * (job.taps + 1) * 128
    chunks = (job.length + _CHUNK - 1) // _CHUNK
    for item in range(job.items * share // job.shares, job.items * (share + 1) // job.shares):
        _convolve_back_item(job, item // chunks, item % chunks * _CHUNK, sums, scratch)
