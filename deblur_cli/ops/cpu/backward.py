"""The gradient of the scan by every input, chunk by chunk from the last token to the first."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor

from deblur_cli.ops.cpu import threads
from deblur_cli.ops.cpu.adjoint import advance_and_keep, retreat
from deblur_cli.ops.cpu.compile import kernel, subroutine
from deblur_cli.ops.cpu.forward import prepare_steps
from deblur_cli.ops.cpu.intrinsics import (
    add_to_doubles,
    load,
    safe_exponents,
    splat,
    store,
    vector_sigmoid,
)
from deblur_cli.ops.cpu.layout import VIEW, view
from deblur_cli.ops.cpu.problem import CHECKPOINT, PROBLEM_FIELDS, Problem
from deblur_cli.ops.cpu.recurrence import STATES
from deblur_cli.ops.cpu.tiles import (
    Tile,
    deliver,
    in_scratch,
    load_rows,
    place_of,
    read,
    tile_to_read,
    tile_to_write,
    write,
)
from deblur_cli.ops.cpu.vectors import LN_2, WIDTH

_TILE = CHECKPOINT * WIDTH * 4
"""Bytes of scratch memory for sixteen channels between two checkpoints."""

_JOB = np.dtype(
    [
        *PROBLEM_FIELDS,
        *((name, VIEW) for name in ("grad_y", "grad_u", "grad_delta", "grad_z")),
        *((name, "i8") for name in ("checkpoints", "grad_h", "grad_weights")),
        *((name, "i8") for name in ("grad_decay", "grad_skip", "grad_bias")),
    ],
    align=True,
)

_U, _DELTA, _STEP, _DRIVE, _Y, _Z, _GRAD_Y, _GRAD_GATED, _GRAD_STEP, _GRAD_DRIVE = (
    _TILE * place for place in range(10)
)
_DECAYS = 10 * _TILE
_DECAYED = _DECAYS + STATES * _TILE
_WEIGHTS = _DECAYED + STATES * _TILE


class Gradients(NamedTuple):
    """By each input: token-major in its dtype, or float32 for A, D and delta_bias."""

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor
    z: Tensor | None
    delta_bias: Tensor


def gradients(problem: Problem, checkpoints: Tensor, grad_y: Tensor) -> Gradients:
    """From the gradient by the output, (B, L, D), and what `forward.scan` kept."""
    batch, length, channels = problem.u.shape
    inner = problem.B.shape[2]
    groups = problem.groups(torch.get_num_threads())
    blocks, padded_inner, _ = problem.state_shape
    grad_u, grad_delta = (torch.empty(x.shape, dtype=x.dtype) for x in (problem.u, problem.delta))
    grad_z = None if problem.z is None else torch.empty(problem.z.shape, dtype=problem.z.dtype)
    grad_h = torch.zeros(batch, *problem.state_shape)
    grad_weights = torch.zeros(groups, batch, length, padded_inner // STATES, 2, STATES)
    grad_decay = torch.zeros(batch, *problem.state_shape, dtype=torch.float64)
    grad_skip = torch.zeros(batch, blocks, WIDTH, dtype=torch.float64)
    grad_bias = torch.zeros_like(grad_skip)

    job = np.zeros(1, _JOB)
    problem.fill(job)
    job["groups"] = groups
    job["grad_y"], job["grad_u"], job["grad_delta"] = map(view, (grad_y, grad_u, grad_delta))
    if grad_z is not None:
        job["grad_z"] = view(grad_z)
    job["checkpoints"] = checkpoints.data_ptr()
    job["grad_h"] = grad_h.data_ptr()
    job["grad_weights"] = grad_weights.data_ptr()
    job["grad_decay"] = grad_decay.data_ptr()
    job["grad_skip"] = grad_skip.data_ptr()
    job["grad_bias"] = grad_bias.data_ptr()
    threads.run(_gradients, job, batch * groups, _WEIGHTS + 2 * problem.weight_bytes(CHECKPOINT))

    weights = grad_weights[0] if groups == 1 else grad_weights.sum(0)
    by_b, by_c = (
        weights[:, :, :, which].flatten(2)[:, :, :inner].to(tensor.dtype)
        for which, tensor in enumerate((problem.B, problem.C))
    )
    by_a = grad_decay.sum(0).transpose(1, 2).flatten(0, 1)[:channels, :inner]
    by_d, by_bias = (total.sum(0).flatten()[:channels].float() for total in (grad_skip, grad_bias))
    return Gradients(grad_u, grad_delta, by_a.float(), by_b, by_c, by_d, grad_z, by_bias)


class _Tiles(NamedTuple):
    """Of the inputs, and of the gradient by the output."""

    u: Tile
    delta: Tile
    z: Tile
    grad_y: Tile


@subroutine
def _tiles_of(job: Any, place: Any, scratch: int) -> Any:
    u = tile_to_read(job.u, place, scratch + _U)
    delta = tile_to_read(job.delta, place, scratch + _DELTA)
    grad_y = tile_to_read(job.grad_y, place, scratch + _GRAD_Y)
    z = in_scratch(scratch + _Z)
    if job.gated:
        z = tile_to_read(job.z, place, z.address)
    return _Tiles(u, delta, z, grad_y)


@subroutine
def _ungate(job: Any, tokens: int, tiles: Any, scratch: int) -> None:
    """Gradient by the output before the gate."""
    for t in range(tokens):
        grad = read(tiles.grad_y, t)
        if job.gated:
            gate = read(tiles.z, t)
            grad = grad * gate * vector_sigmoid(gate)
        store(scratch + _GRAD_GATED, 16 * t, grad)
        store(scratch + _GRAD_STEP, 16 * t, splat(0.0))
        store(scratch + _GRAD_DRIVE, 16 * t, splat(0.0))


@subroutine
def _finish_inputs(job: Any, place: Any, block: int, tiles: Any, scratch: int) -> None:
    """Gradients by u and delta; sums for D and the bias."""
    grad_u = tile_to_write(job.grad_u, place, scratch + _U)
    grad_delta = tile_to_write(job.grad_delta, place, scratch + _DELTA)
    bias, skip = load(job.bias, 16 * block), load(job.skip, 16 * block)
    by_skip, by_bias = splat(0.0), splat(0.0)
    for t in range(place.tokens):
        value, step = read(tiles.u, t), load(scratch + _STEP, 16 * t)
        grad = load(scratch + _GRAD_GATED, 16 * t)
        by_drive = load(scratch + _GRAD_DRIVE, 16 * t)
        by_step = load(scratch + _GRAD_STEP, 16 * t) * splat(LN_2) + by_drive * value
        if job.softplus:
            by_step = by_step * vector_sigmoid(read(tiles.delta, t) + bias)
        by_skip = by_skip + grad * value
        by_bias = by_bias + by_step
        write(grad_u, t, by_drive * step + grad * skip)
        write(grad_delta, t, by_step)
    deliver(job.grad_u, place, grad_u)
    deliver(job.grad_delta, place, grad_delta)
    sums = (place.batch * job.blocks + block) * 128
    add_to_doubles(job.grad_skip + sums, by_skip)
    add_to_doubles(job.grad_bias + sums, by_bias)


@subroutine
def _finish_gate(job: Any, place: Any, tiles: Any, scratch: int) -> None:
    """Gradient by z."""
    grad_z = tile_to_write(job.grad_z, place, scratch + _Z)
    one = splat(1.0)
    for t in range(place.tokens):
        gate = read(tiles.z, t)
        share = vector_sigmoid(gate)
        slope = share * (one + gate * (one - share))
        write(grad_z, t, read(tiles.grad_y, t) * load(scratch + _Y, 16 * t) * slope)
    deliver(job.grad_z, place, grad_z)


@subroutine
def _backward_block(job: Any, place: Any, group: int, block: int, scratch: int) -> None:
    """One chunk of tokens of one block of channels."""
    batch, first, tokens = place.batch, place.first, place.tokens
    step, drive, y = scratch + _STEP, scratch + _DRIVE, scratch + _Y
    tiles = _tiles_of(job, place, scratch)
    _, peak = prepare_steps(job, block, tokens, tiles.u, tiles.delta, step, drive, y)
    safe = safe_exponents(peak * load(job.decay_bound, 16 * block))
    _ungate(job, tokens, tiles, scratch)

    row = (job.inner + 15) // 16 * 16
    b = scratch + _WEIGHTS
    c = b + CHECKPOINT * row * 4
    chunks = (job.length + CHECKPOINT - 1) // CHECKPOINT
    kept = ((batch * chunks + first // CHECKPOINT) * job.blocks + block) * job.padded_inner
    cell = (batch * job.blocks + block) * job.padded_inner
    batches = job.items // job.groups
    weights_row = 2 * job.padded_inner
    weights = ((group * batches + batch) * job.length + first) * weights_row
    for n in range(0, job.padded_inner, 8):
        decay = job.decay + (block * job.padded_inner + n) * 64
        advance_and_keep(
            step,
            drive,
            y,
            job.checkpoints + (kept + n) * 64,
            decay,
            b + n * 4,
            c + n * 4,
            row,
            tokens,
            scratch + _DECAYS,
            scratch + _DECAYED,
            safe,
        )
        retreat(
            step,
            drive,
            scratch + _GRAD_GATED,
            scratch + _GRAD_STEP,
            scratch + _GRAD_DRIVE,
            job.grad_h + (cell + n) * 64,
            job.grad_decay + (cell + n) * 128,
            decay,
            b + n * 4,
            c + n * 4,
            row,
            tokens,
            scratch + _DECAYS,
            scratch + _DECAYED,
            job.grad_weights + (weights + 2 * n) * 4,
            weights_row,
        )
    _finish_inputs(job, place, block, tiles, scratch)
    if job.gated:
        _finish_gate(job, place, tiles, scratch)


@subroutine
def _backward_item(job: Any, batch: int, group: int, scratch: int) -> None:
    """All tokens of one image, for one group of channel blocks."""
    blocks = range(job.blocks * group // job.groups, job.blocks * (group + 1) // job.groups)
    row = (job.inner + 15) // 16 * 16
    b = scratch + _WEIGHTS
    for chunk in range((job.length + CHECKPOINT - 1) // CHECKPOINT - 1, -1, -1):
        first = chunk * CHECKPOINT
        tokens = min(CHECKPOINT, job.length - first)
        load_rows(job.B, batch, first, tokens, -CHECKPOINT, job.inner, b, row)
        load_rows(
            job.C, batch, first, tokens, -CHECKPOINT, job.inner, b + CHECKPOINT * row * 4, row
        )
        for block in blocks:
            place = place_of(batch, first, tokens, block, blocks, job.channels, -CHECKPOINT)
            _backward_block(job, place, group, block, scratch)


@kernel(numba.from_dtype(_JOB)[::1], numba.int64)
def _gradients(jobs: Any, share: int) -> None:
    job = jobs[0]
    scratch = job.scratch + share * job.scratch_bytes
    for item in range(job.items * share // job.shares, job.items * (share + 1) // job.shares):
        _backward_item(job, item // job.groups, item % job.groups, scratch)
