"""Layer norm of rows whose length is a multiple of sixteen; sixteen rows are a piece of work."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from deblur_cli.ops.cpu import threads
from deblur_cli.ops.cpu.compile import kernel, subroutine
from deblur_cli.ops.cpu.intrinsics import (
    broadcast,
    inverse_root,
    load,
    load_bfloat16,
    row_sums,
    splat,
    store,
    store_bfloat16,
)
from deblur_cli.ops.cpu.vectors import WIDTH

_SQUARE = 4 * WIDTH * WIDTH
"""Bytes of sixteen floats for each of sixteen rows."""

_JOB = np.dtype(
    [
        *((name, "i8") for name in ("x", "y", "weight", "bias", "rows", "blocks", "bytes")),
        ("eps", "f8"),
        *threads.DIVISION,
    ],
    align=True,
)


def normalise(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Over the last dimension of (..., D), contiguous, in its dtype; weight and bias float32."""
    y = torch.empty(x.shape, dtype=x.dtype)
    rows = x.numel() // x.shape[-1]
    job = np.zeros(1, _JOB)
    job["x"], job["y"], job["bytes"] = x.data_ptr(), y.data_ptr(), x.element_size()
    job["weight"], job["bias"], job["eps"] = weight.data_ptr(), bias.data_ptr(), eps
    job["rows"], job["blocks"] = rows, x.shape[-1] // WIDTH
    threads.run(_normalise, job, -(-rows // WIDTH), _SQUARE + 2 * 4 * WIDTH)
    return y


@subroutine
def _read(row: int, size: int, block: int) -> Any:
    if size == 2:
        return load_bfloat16(row, WIDTH * block)
    return load(row, WIDTH * block)


@subroutine
def _write(row: int, size: int, block: int, lanes: Any) -> None:
    if size == 2:
        store_bfloat16(row, WIDTH * block, lanes)
    else:
        store(row, WIDTH * block, lanes)


@subroutine
def _find_means(x: int, size: int, blocks: int, count: int, scratch: int, means: int) -> None:
    for r in range(count):
        row, total = x + r * size * blocks * WIDTH, splat(0.0)
        for block in range(blocks):
            total = total + _read(row, size, block)
        store(scratch, WIDTH * r, total)
    store(means, 0, row_sums(scratch) * splat(1.0 / (WIDTH * blocks)))


@subroutine
def _find_variances(x: int, size: int, blocks: int, count: int, scratch: int, means: int) -> Any:
    for r in range(count):
        row, mean, total = x + r * size * blocks * WIDTH, broadcast(means, r), splat(0.0)
        for block in range(blocks):
            difference = _read(row, size, block) - mean
            total = total + difference * difference
        store(scratch, WIDTH * r, total)
    return row_sums(scratch) * splat(1.0 / (WIDTH * blocks))


@subroutine
def _normalise_item(job: Any, first: int, scratch: int) -> None:
    """What loops need of the job is read before them: for all LLVM knows, stores change it."""
    count, blocks, size = min(WIDTH, job.rows - first), job.blocks, job.bytes
    weights, biases, bytes_per_row = job.weight, job.bias, size * blocks * WIDTH
    x, y = job.x + first * bytes_per_row, job.y + first * bytes_per_row
    for r in range(count, WIDTH):
        store(scratch, WIDTH * r, splat(0.0))
    means, scales = scratch + _SQUARE, scratch + _SQUARE + 4 * WIDTH
    _find_means(x, size, blocks, count, scratch, means)
    variances = _find_variances(x, size, blocks, count, scratch, means)
    store(scales, 0, inverse_root(variances + splat(job.eps)))
    for r in range(count):
        mean, scale = broadcast(means, r), broadcast(scales, r)
        for block in range(blocks):
            weight, bias = load(weights, WIDTH * block), load(biases, WIDTH * block)
            centred = _read(x + r * bytes_per_row, size, block) - mean
            _write(y + r * bytes_per_row, size, block, centred * scale * weight + bias)


@kernel(numba.from_dtype(_JOB)[::1], numba.int64)
def _normalise(jobs: Any, share: int) -> None:
    job = jobs[0]
    scratch = job.scratch + share * job.scratch_bytes
    for item in range(job.items * share // job.shares, job.items * (share + 1) // job.shares):
        _normalise_item(job, WIDTH * item, scratch)
