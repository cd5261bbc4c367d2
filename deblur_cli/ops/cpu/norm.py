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
def _read(job: Any, row: int, block: int) -> Any:
    place = WIDTH * (row * job.blocks + block)
    if job.bytes == 2:
        return load_bfloat16(job.x, place)
    return load(job.x, place)


@subroutine
def _write(job: Any, row: int, block: int, lanes: Any) -> None:
    place = WIDTH * (row * job.blocks + block)
    if job.bytes == 2:
        store_bfloat16(job.y, place, lanes)
    else:
        store(job.y, place, lanes)


@subroutine
def _find_means(job: Any, first: int, count: int, scratch: int, means: int) -> None:
    for r in range(count):
        total = splat(0.0)
        for block in range(job.blocks):
            total = total + _read(job, first + r, block)
        store(scratch, WIDTH * r, total)
    store(means, 0, row_sums(scratch) * splat(1.0 / (WIDTH * job.blocks)))


@subroutine
def _find_scales(job: Any, first: int, count: int, scratch: int, means: int, scales: int) -> None:
    for r in range(count):
        mean, total = broadcast(means, r), splat(0.0)
        for block in range(job.blocks):
            difference = _read(job, first + r, block) - mean
            total = total + difference * difference
        store(scratch, WIDTH * r, total)
    variances = row_sums(scratch) * splat(1.0 / (WIDTH * job.blocks))
    store(scales, 0, inverse_root(variances + splat(job.eps)))


@subroutine
def _normalise_item(job: Any, first: int, scratch: int) -> None:
    count = min(WIDTH, job.rows - first)
    for r in range(count, WIDTH):
        store(scratch, WIDTH * r, splat(0.0))
    means, scales = scratch + _SQUARE, scratch + _SQUARE + 4 * WIDTH
    _find_means(job, first, count, scratch, means)
    _find_scales(job, first, count, scratch, means, scales)
    for r in range(count):
        mean, scale = broadcast(means, r), broadcast(scales, r)
        for block in range(job.blocks):
            weight, bias = load(job.weight, WIDTH * block), load(job.bias, WIDTH * block)
            centred = _read(job, first + r, block) - mean
            _write(job, first + r, block, centred * scale * weight + bias)


@kernel(numba.from_dtype(_JOB)[::1], numba.int64)
def _normalise(jobs: Any, share: int) -> None:
    job = jobs[0]
    scratch = job.scratch + share * job.scratch_bytes
    for item in range(job.items * share // job.shares, job.items * (share + 1) // job.shares):
        _normalise_item(job, WIDTH * item, scratch)
