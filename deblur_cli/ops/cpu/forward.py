"""The scan itself: one fused pass over the tokens for each image and group of channel blocks."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from deblur_cli.ops.cpu import threads
from deblur_cli.ops.cpu.compile import kernel, subroutine
from deblur_cli.ops.cpu.intrinsics import (
    larger_magnitude,
    load,
    safe_exponents,
    splat,
    store,
    vector_sigmoid,
    vector_softplus,
)
from deblur_cli.ops.cpu.layout import VIEW, view
from deblur_cli.ops.cpu.problem import CHECKPOINT, PROBLEM_FIELDS, Problem
from deblur_cli.ops.cpu.recurrence import (
    STATES,
    advance,
    advance_with_output,
)
from deblur_cli.ops.cpu.tiles import (
    deliver,
    load_rows,
    place_of,
    read,
    store_tile,
    tile_to_read,
    tile_to_write,
    write,
)
from deblur_cli.ops.cpu.vectors import WIDTH

_CHUNK = 16
"""Tokens treated together: their scratch memory stays in the first-level cache."""

_TILE = _CHUNK * WIDTH * 4
"""Bytes of scratch memory for sixteen channels over a chunk."""

_JOB = np.dtype(
    [
        *PROBLEM_FIELDS,
        ("y", VIEW),
        *((name, "i8") for name in ("outputs", "states", "delays", "checkpoints")),
        *((name, "i8") for name in ("segments", "segment_tokens")),
    ],
    align=True,
)


def scan(problem: Problem, keep_checkpoints: bool) -> tuple[Tensor, Tensor | None]:
    """Output (B, L, D) in the dtype of u, and if asked for the states at all checkpoints.

    The tokens are split into segments, at the cost of running through most of them twice, only
    where images and channel blocks are too few to occupy every thread.
    """
    batch, length, _ = problem.u.shape
    workers = torch.get_num_threads()
    groups = problem.groups(workers)
    segments = min(-(-workers // (batch * problem.blocks)), -(-problem.checkpoints // 4))
    states = torch.zeros(batch, segments, *problem.state_shape)
    y = torch.empty(problem.u.shape, dtype=problem.u.dtype)
    checkpoints = None
    if keep_checkpoints:
        checkpoints = torch.empty(batch, problem.checkpoints, *problem.state_shape)

    job = np.zeros(1, _JOB)
    problem.fill(job)
    job["y"] = view(y)
    job["states"] = states.data_ptr()
    job["segments"] = segments
    job["segment_tokens"] = -(-length // (segments * CHECKPOINT)) * CHECKPOINT
    job["groups"] = groups
    items = batch * segments * groups
    scratch_bytes = 4 * _TILE + 2 * problem.weight_bytes(_CHUNK)
    if segments > 1:
        delays = torch.zeros(batch, segments, problem.blocks, 16)
        job["delays"] = delays.data_ptr()
        threads.run(_scan, job, items, scratch_bytes)
        _carry_over(states, delays, problem.decay)
    job["outputs"] = 1
    if checkpoints is not None:
        job["checkpoints"] = checkpoints.data_ptr()
    threads.run(_scan, job, items, scratch_bytes)
    return y, checkpoints


def _carry_over(states: Tensor, delays: Tensor, decay: Tensor) -> None:
    """From the state each segment ends in when begun at zero to the state it really begins in."""
    state = torch.zeros_like(states[:, 0])
    for segment in range(states.shape[1]):
        own = states[:, segment].clone()
        states[:, segment] = state
        state = torch.exp2(decay * delays[:, segment, :, None]) * state + own


@subroutine
def prepare_steps(
    job: Any, block: int, tokens: int, u: Any, delta: Any, step: int, drive: int, y: int
) -> Any:
    """From tiles of u and delta those of the step size, its product with u, and D * u.

    Returns the sum of the steps and the largest magnitude. `step` may be where `delta` is.
    """
    bias, skip = load(job.bias, 16 * block), load(job.skip, 16 * block)
    total, peak = splat(0.0), splat(0.0)
    for t in range(tokens):
        size = read(delta, t) + bias
        if job.softplus:
            size = vector_softplus(size)
        value = read(u, t)
        store(step, 16 * t, size)
        store(drive, 16 * t, size * value)
        store(y, 16 * t, skip * value)
        total, peak = total + size, larger_magnitude(size, peak)
    return total, peak


@subroutine
def _gate(job: Any, place: Any, y: int, scratch: int) -> None:
    """Write `y * silu(z)`."""
    z, gated = tile_to_read(job.z, place, scratch), tile_to_write(job.y, place, y)
    for t in range(place.tokens):
        gate = read(z, t)
        write(gated, t, load(y, 16 * t) * gate * vector_sigmoid(gate))
    deliver(job.y, place, gated)


@subroutine
def _scan_block(job: Any, place: Any, block: int, h: int, total: int, scratch: int) -> None:
    """One chunk of tokens of one block of channels."""
    spare, step, drive, y = scratch, scratch + _TILE, scratch + 2 * _TILE, scratch + 3 * _TILE
    row = (job.inner + 15) // 16 * 16
    b = scratch + 4 * _TILE
    c = b + _CHUNK * row * 4
    tokens = place.tokens
    u, delta = tile_to_read(job.u, place, spare), tile_to_read(job.delta, place, step)
    delay, peak = prepare_steps(job, block, tokens, u, delta, step, drive, y)
    decay = job.decay + block * job.padded_inner * 64
    if not job.outputs:
        for n in range(0, job.padded_inner, STATES):
            advance(step, drive, h + n * 64, decay + n * 64, b + n * 4, row, tokens)
        store(total, 0, load(total, 0) + delay)
        return
    safe = safe_exponents(peak * load(job.decay_bound, 16 * block))
    for n in range(0, job.padded_inner, STATES):
        advance_with_output(
            step, drive, y, h + n * 64, decay + n * 64, b + n * 4, c + n * 4, row, tokens, safe
        )
    if job.gated:
        _gate(job, place, y, spare)
    else:
        store_tile(job.y, place, y)


@subroutine
def _scan_item(job: Any, batch: int, segment: int, group: int, scratch: int) -> None:
    """One segment of the tokens of one image, for one group of channel blocks."""
    blocks = range(job.blocks * group // job.groups, job.blocks * (group + 1) // job.groups)
    state_bytes = job.padded_inner * 64
    begin = segment * job.segment_tokens
    end = min(job.length, begin + job.segment_tokens)
    row = (job.inner + 15) // 16 * 16
    b = scratch + 4 * _TILE
    for first in range(begin, end, _CHUNK):
        tokens = min(_CHUNK, end - first)
        load_rows(job.B, batch, first, tokens, _CHUNK, job.inner, b, row)
        load_rows(job.C, batch, first, tokens, _CHUNK, job.inner, b + _CHUNK * row * 4, row)
        for block in blocks:
            cell = (batch * job.segments + segment) * job.blocks + block
            h = job.states + cell * state_bytes
            if job.checkpoints and first % CHECKPOINT == 0:
                kept = (job.length + CHECKPOINT - 1) // CHECKPOINT
                checkpoint = (batch * kept + first // CHECKPOINT) * job.blocks + block
                for n in range(job.padded_inner):
                    store(job.checkpoints + checkpoint * state_bytes, 16 * n, load(h, 16 * n))
            place = place_of(batch, first, tokens, block, blocks, job.channels, _CHUNK)
            _scan_block(job, place, block, h, job.delays + cell * 64, scratch)


@kernel(numba.from_dtype(_JOB)[::1], numba.int64)
def _scan(jobs: Any, share: int) -> None:
    job = jobs[0]
    scratch = job.scratch + share * job.scratch_bytes
    for item in range(job.items * share // job.shares, job.items * (share + 1) // job.shares):
        segment = item % job.segments
        group = item // job.segments % job.groups
        _scan_item(job, item // (job.segments * job.groups), segment, group, scratch)
