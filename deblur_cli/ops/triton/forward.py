"""The fused scan: bias, softplus, recurrence, skip and gate in one pass over the tokens.

Where images and channels alone do not fill the device, the tokens are split into pieces, and a pass
before it finds where each piece leads.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from deblur_cli.ops.triton.blocks import (
    block_of_program,
    kernel,
    launching_on,
    read,
    read_row,
    rows,
    seek,
    sigmoid,
    step_size,
    write_row,
)
from deblur_cli.ops.triton.pieces import states_between
from deblur_cli.ops.triton.problem import Problem


def scan(problem: Problem) -> Tensor:
    """Output (B, L, D) in the dtype of `u`."""
    piece = problem.piece
    pieces = -(-problem.length // piece)
    starts = None
    if pieces > 1:
        starts = states_between(problem, *paths_and_ends(problem, piece), backward=False)
    u, nothing = problem.u, problem.decay
    y = torch.empty(u.shape, dtype=u.dtype, device=u.device)
    with launching_on(problem.device):
        _find_outputs[problem.grid(pieces)](
            rows(u, u),
            rows(problem.delta, u),
            rows(problem.B, u),
            rows(problem.C, u),
            rows(problem.z, u),
            rows(y, u),
            problem.decay,
            nothing if problem.skip is None else problem.skip,
            nothing if problem.bias is None else problem.bias,
            nothing if starts is None else starts,
            piece,
            **problem.sizes,
            **problem.options,
            STARTS=starts is not None,
            **problem.block,
            num_warps=1,
        )
    return y


def paths_and_ends(problem: Problem, piece: int) -> tuple[Tensor, Tensor]:
    """Of each piece: the sum of its steps (B, pieces, D), and the state it leads to from zero.

    The states are (B, pieces, N, D); both are float32.
    """
    pieces = -(-problem.length // piece)
    paths = problem.decay.new_empty(problem.batch, pieces, problem.channels)
    ends = problem.decay.new_empty(problem.batch, pieces, problem.states, problem.channels)
    u = problem.u
    with launching_on(problem.device):
        _find_ends[problem.grid(pieces)](
            rows(u, u),
            rows(problem.delta, u),
            rows(problem.B, u),
            problem.decay,
            problem.decay if problem.bias is None else problem.bias,
            paths,
            ends,
            piece,
            **problem.sizes,
            BIAS=problem.bias is not None,
            SOFTPLUS=problem.softplus,
            **problem.block,
            num_warps=1,
        )
    return paths, ends


@kernel("piece", "length")
def _find_ends(  # type: ignore[no-untyped-def]
    u,
    delta,
    B,
    decay,
    bias,
    paths,
    ends,
    piece,
    length,
    channels,
    states,
    BIAS: tl.constexpr,
    SOFTPLUS: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    own = block_of_program(channels, states, BLOCK_N, BLOCK_D)
    image, number = tl.program_id(2).to(tl.int64), tl.program_id(0).to(tl.int64)
    first = number * piece
    u, delta, B = seek(u, image, first), seek(delta, image, first), seek(B, image, first)
    rate, shift = read(decay + own.place, own.has), read(bias + own.d, own.has_d & BIAS)
    path = tl.zeros([BLOCK_D], tl.float32)
    state = tl.zeros([BLOCK_N, BLOCK_D], tl.float32)
    for _ in range(tl.minimum(piece, length - first)):
        step = step_size(read_row(delta, 0, own.d, own.has_d), shift, own.has_d, SOFTPLUS)
        drive = step * read_row(u, 0, own.d, own.has_d)
        b = read_row(B, 0, own.n, own.has_n)
        state = tl.exp2(rate * step[None, :]) * state + drive[None, :] * b[:, None]
        path += step
        u, delta, B = seek(u, 0, 1), seek(delta, 0, 1), seek(B, 0, 1)
    target = image * tl.num_programs(0) + number
    tl.store(paths + target * channels + own.d, path, mask=own.has_d)
    tl.store(ends + target * states * channels + own.place, state, mask=own.has)


@kernel("piece", "length")
def _find_outputs(  # type: ignore[no-untyped-def]
    u,
    delta,
    B,
    C,
    z,
    y,
    decay,
    skip,
    bias,
    starts,
    piece,
    length,
    channels,
    states,
    BIAS: tl.constexpr,
    SOFTPLUS: tl.constexpr,
    SKIP: tl.constexpr,
    GATE: tl.constexpr,
    STARTS: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    own = block_of_program(channels, states, BLOCK_N, BLOCK_D)
    image, number = tl.program_id(2).to(tl.int64), tl.program_id(0).to(tl.int64)
    first = number * piece
    u, delta, B = seek(u, image, first), seek(delta, image, first), seek(B, image, first)
    C, z, y = seek(C, image, first), seek(z, image, first), seek(y, image, first)
    rate, shift = read(decay + own.place, own.has), read(bias + own.d, own.has_d & BIAS)
    pass_on = read(skip + own.d, own.has_d & SKIP)
    source = (image * tl.num_programs(0) + number) * states * channels
    state = read(starts + source + own.place, own.has & STARTS)
    for _ in range(tl.minimum(piece, length - first)):
        step = step_size(read_row(delta, 0, own.d, own.has_d), shift, own.has_d, SOFTPLUS)
        x = read_row(u, 0, own.d, own.has_d)
        b, c = read_row(B, 0, own.n, own.has_n), read_row(C, 0, own.n, own.has_n)
        state = tl.exp2(rate * step[None, :]) * state + (step * x)[None, :] * b[:, None]
        result = tl.sum(state * c[:, None], axis=0) + pass_on * x
        if GATE:
            gate = read_row(z, 0, own.d, own.has_d)
            result *= gate * sigmoid(gate)
        write_row(y, 0, own.d, result, own.has_d)
        u, delta, B = seek(u, 0, 1), seek(delta, 0, 1), seek(B, 0, 1)
        C, z, y = seek(C, 0, 1), seek(z, 0, 1), seek(y, 0, 1)
