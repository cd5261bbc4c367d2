"""Gradients of the fused scan.

The gradient l of the state runs through the tokens from the last to the first,

    l[t] = C[t] * dy[t] + exp(delta[t+1] * A) * l[t+1],

and meets the states that ran from the first to the last. The tokens are split into short pieces:
both are found where pieces meet, for all pieces at once. Within a piece the states are computed
again from its start, and kept for a few tokens at a time.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from deblur_cli.ops.triton.blocks import (
    LN_2,
    block_of_program,
    inlined,
    kernel,
    launching_on,
    read,
    read_row,
    rows,
    seek,
    sigmoid,
    step_size,
    write,
)
from deblur_cli.ops.triton.forward import paths_and_ends
from deblur_cli.ops.triton.pieces import states_between
from deblur_cli.ops.triton.problem import Problem

PIECE = 16
"""Tokens of a piece."""

KEPT = tl.constexpr(4)
"""Tokens whose states a program holds at the same time."""


def gradients(problem: Problem, grad_y: Tensor) -> tuple[Tensor | None, ...]:
    """Of u, delta, A, B, C, D, z and delta_bias, in the layout of `selective_scan`.

    Args:
        problem: the scan.
        grad_y: of its output, (B, L, D), neighbouring channels side by side.
    """
    batch, length, channels = problem.u.shape
    paths, ends = paths_and_ends(problem, PIECE)
    starts = states_between(problem, paths, ends, backward=False)
    adjoints = states_between(problem, paths, _adjoint_ends(problem, grad_y, ends), backward=True)
    pieces, blocks, _ = grid = problem.grid(paths.shape[1])
    u, nothing = problem.u, problem.decay
    by_u, by_delta, by_z = (
        None if x is None else torch.empty(x.shape, dtype=x.dtype, device=x.device)
        for x in (problem.u, problem.delta, problem.z)
    )
    by_B, by_C = nothing.new_empty(2, blocks, batch, length, problem.states)
    by_skip, by_bias = nothing.new_empty(2, batch, pieces, channels)
    with launching_on(problem.device):
        _find_gradients[grid](
            rows(u, u),
            rows(problem.delta, u),
            rows(problem.B, u),
            rows(problem.C, u),
            rows(problem.z, u),
            rows(grad_y, u),
            problem.decay,
            nothing if problem.skip is None else problem.skip,
            nothing if problem.bias is None else problem.bias,
            starts,
            adjoints,
            rows(by_u, u),
            rows(by_delta, u),
            rows(by_z, u),
            rows(by_B[0], u),
            rows(by_C[0], u),
            by_skip,
            by_bias,
            PIECE,
            **problem.sizes,
            **problem.options,
            **problem.block,
            num_warps=1,
        )
    return (
        _channel_major(by_u),
        _channel_major(by_delta),
        starts.sum((0, 1)).t(),
        _channel_major(by_B.sum(0)),
        _channel_major(by_C.sum(0)),
        by_skip.sum((0, 1)),
        _channel_major(by_z),
        by_bias.sum((0, 1)),
    )


def _channel_major(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.transpose(1, 2)


def _adjoint_ends(problem: Problem, grad_y: Tensor, target: Tensor) -> Tensor:
    """Where each piece leads from zero, backward in time; written over `target`."""
    u = problem.u
    with launching_on(problem.device):
        _find_adjoint_ends[problem.grid(target.shape[1])](
            rows(problem.delta, u),
            rows(problem.C, u),
            rows(problem.z, u),
            rows(grad_y, u),
            problem.decay,
            problem.decay if problem.bias is None else problem.bias,
            target,
            PIECE,
            **problem.sizes,
            **problem.options,
            **problem.block,
            num_warps=1,
        )
    return target


@kernel("piece", "length")
def _find_adjoint_ends(  # type: ignore[no-untyped-def]
    delta,
    C,
    z,
    grad_y,
    decay,
    bias,
    ends,
    piece,
    length,
    channels,
    states,
    BIAS: tl.constexpr,
    SOFTPLUS: tl.constexpr,
    SKIP: tl.constexpr,
    GATE: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    own = block_of_program(channels, states, BLOCK_N, BLOCK_D)
    image, number = tl.program_id(2).to(tl.int64), tl.program_id(0).to(tl.int64)
    first = number * piece
    last = tl.minimum(first + piece, length) - 1
    delta, C = seek(delta, image, last), seek(C, image, last)
    z, grad_y = seek(z, image, last), seek(grad_y, image, last)
    rate, shift = read(decay + own.place, own.has), read(bias + own.d, own.has_d & BIAS)
    adjoint = tl.zeros([BLOCK_N, BLOCK_D], tl.float32)
    for _ in range(last + 1 - first):
        step = step_size(read_row(delta, 0, own.d, own.has_d), shift, own.has_d, SOFTPLUS)
        arriving = read_row(grad_y, 0, own.d, own.has_d)
        if GATE:
            gate = read_row(z, 0, own.d, own.has_d)
            arriving *= gate * sigmoid(gate)
        adjoint += arriving[None, :] * read_row(C, 0, own.n, own.has_n)[:, None]
        adjoint *= tl.exp2(rate * step[None, :])
        delta, C = seek(delta, 0, -1), seek(C, 0, -1)
        z, grad_y = seek(z, 0, -1), seek(grad_y, 0, -1)
    target = image * tl.num_programs(0) + number
    tl.store(ends + target * states * channels + own.place, adjoint, mask=own.has)


@inlined
def _advance(state, own, rate, shift, u, delta, B, t, exists, SOFTPLUS: tl.constexpr):  # type: ignore[no-untyped-def]
    """What the decay over token t leaves of `state`, the decay, and what the token adds."""
    here = own.has_d & exists
    step = step_size(read_row(delta, t, own.d, here), shift, here, SOFTPLUS)
    drive = step * read_row(u, t, own.d, here)
    b = read_row(B, t, own.n, own.has_n & exists)
    decay = tl.exp2(rate * step[None, :])
    left = decay * state
    return left, decay, drive[None, :] * b[:, None]


@kernel("piece", "length")
def _find_gradients(  # type: ignore[no-untyped-def]
    u,
    delta,
    B,
    C,
    z,
    grad_y,
    decay,
    skip,
    bias,
    starts,  # takes what each piece gives to the gradient of A
    adjoints,
    by_u,
    by_delta,
    by_z,
    by_B,  # one for each block of channels
    by_C,  # likewise
    by_skip,  # one for each piece
    by_bias,  # likewise
    piece,
    length,
    channels,
    states,
    BIAS: tl.constexpr,
    SOFTPLUS: tl.constexpr,
    SKIP: tl.constexpr,
    GATE: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    own = block_of_program(channels, states, BLOCK_N, BLOCK_D)
    image, number = tl.program_id(2).to(tl.int64), tl.program_id(0).to(tl.int64)
    first = number * piece
    count = tl.minimum(piece, length - first)
    u, delta, B = seek(u, image, first), seek(delta, image, first), seek(B, image, first)
    C, z, grad_y = seek(C, image, first), seek(z, image, first), seek(grad_y, image, first)
    by_u, by_delta, by_z = (
        seek(by_u, image, first),
        seek(by_delta, image, first),
        seek(by_z, image, first),
    )
    row = image + tl.program_id(1).to(tl.int64) * tl.num_programs(2)
    by_B, by_C = seek(by_B, row, first), seek(by_C, row, first)
    rate, shift = read(decay + own.place, own.has), read(bias + own.d, own.has_d & BIAS)
    pass_on = read(skip + own.d, own.has_d & SKIP)
    source = image * tl.num_programs(0) + number
    starts += source * states * channels
    start = read(starts + own.place, own.has)
    adjoint = read(adjoints + source * states * channels + own.place, own.has)
    from_A = tl.zeros([BLOCK_N, BLOCK_D], tl.float32)
    from_skip = tl.zeros([BLOCK_D], tl.float32)
    from_bias = tl.zeros([BLOCK_D], tl.float32)
    groups = tl.cdiv(count, KEPT)
    for group in range(groups):
        beginning = (groups - 1 - group) * KEPT
        state = start
        for t in range(beginning):
            left, _, added = _advance(state, own, rate, shift, u, delta, B, t, True, SOFTPLUS)
            state = left + added
        kept = ()
        for offset in tl.static_range(KEPT):
            t = beginning + offset
            left, over, added = _advance(
                state, own, rate, shift, u, delta, B, t, t < count, SOFTPLUS
            )
            kept = kept + ((left, over),)  # type: ignore[assignment]  # noqa: RUF005
            state = left + added
        for offset in tl.static_range(KEPT):
            t = beginning + KEPT - 1 - offset
            left, over = kept[KEPT - 1 - offset]
            here, known = own.has_d & (t < count), own.has_n & (t < count)
            raw = read_row(delta, t, own.d, here) + shift
            step = step_size(raw, 0.0, here, SOFTPLUS)
            x, b, c = (
                read_row(u, t, own.d, here),
                read_row(B, t, own.n, known),
                read_row(C, t, own.n, known),
            )
            drive = step * x
            state = left + drive[None, :] * b[:, None]
            arriving = read_row(grad_y, t, own.d, here)
            if GATE:
                gate = read_row(z, t, own.d, here)
                open_ = sigmoid(gate)
                result = tl.sum(state * c[:, None], axis=0) + pass_on * x
                slope = open_ * (1.0 + gate * (1.0 - open_))
                write(by_z.memory + t * by_z.token + own.d, arriving * result * slope, here)
                arriving *= gate * open_
            adjoint += arriving[None, :] * c[:, None]
            write(
                by_C.memory + t * by_C.token + own.n,
                tl.sum(state * arriving[None, :], axis=1),
                known,
            )
            write(
                by_B.memory + t * by_B.token + own.n,
                tl.sum(adjoint * drive[None, :], axis=1),
                known,
            )
            by_drive = tl.sum(adjoint * b[:, None], axis=0)
            meeting = adjoint * left
            from_A += meeting * step[None, :]
            by_step = tl.sum(meeting * rate, axis=0) * LN_2 + by_drive * x
            if SOFTPLUS:
                by_step *= sigmoid(raw)
            write(by_delta.memory + t * by_delta.token + own.d, by_step, here)
            write(by_u.memory + t * by_u.token + own.d, by_drive * step + pass_on * arriving, here)
            from_skip += arriving * x
            from_bias += tl.where(here, by_step, 0.0)
            adjoint *= over
    tl.store(starts + own.place, from_A, mask=own.has)
    tl.store(by_skip + source * channels + own.d, from_skip, mask=own.has_d)
    tl.store(by_bias + source * channels + own.d, from_bias, mask=own.has_d)
