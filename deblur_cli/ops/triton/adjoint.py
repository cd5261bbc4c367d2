"""The kernels of the gradient: the adjoint of the recurrence, from the last token to the first."""

from __future__ import annotations

from typing import Any, NamedTuple

import triton.language as tl

from deblur_cli.ops.triton.blocks import (
    LN_2,
    block_of_program,
    inlined,
    kernel,
    read,
    read_row,
    seek,
    sigmoid,
    step_size,
    write_row,
)

KEPT = tl.constexpr(4)
"""Tokens whose states a program holds at the same time."""


@kernel("piece", "length")
def find_adjoint_ends(  # type: ignore[no-untyped-def]
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
    """Where a piece leads from zero, from its last token to its first."""
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


class _Inputs(NamedTuple):
    """What a piece reads, from its first token on."""

    u: Any
    delta: Any
    B: Any
    C: Any
    z: Any
    grad_y: Any


class _Results(NamedTuple):
    """What a piece writes for each token, from its first token on."""

    u: Any
    delta: Any
    z: Any
    B: Any
    C: Any


class _Parameters(NamedTuple):
    """What holds for all tokens: the decay, delta_bias and D of a block."""

    rate: Any
    shift: Any
    pass_on: Any


class _Totals(NamedTuple):
    """Gradients of the parameters, summed over tokens."""

    A: Any
    skip: Any
    bias: Any


@inlined
def _advance(state, inputs, parameters, own, t, exists, SOFTPLUS: tl.constexpr):  # type: ignore[no-untyped-def]
    """What the decay over token t leaves of `state`, the decay, and what the token adds."""
    here = own.has_d & exists
    delta = read_row(inputs.delta, t, own.d, here)
    step = step_size(delta, parameters.shift, here, SOFTPLUS)
    drive = step * read_row(inputs.u, t, own.d, here)
    b = read_row(inputs.B, t, own.n, own.has_n & exists)
    decay = tl.exp2(parameters.rate * step[None, :])
    return decay * state, decay, drive[None, :] * b[:, None]


@inlined
def _differentiate(  # type: ignore[no-untyped-def]
    left,
    adjoint,
    totals,
    inputs,
    results,
    parameters,
    own,
    t,
    exists,
    SOFTPLUS: tl.constexpr,
    GATE: tl.constexpr,
):
    """Gradients of token t, given what is left of the state before it.

    `adjoint` is the gradient of the state after the token that comes from later ones; returned
    with the token's own share.
    """
    here, known = own.has_d & exists, own.has_n & exists
    raw = read_row(inputs.delta, t, own.d, here) + parameters.shift
    step = step_size(raw, 0.0, here, SOFTPLUS)
    x = read_row(inputs.u, t, own.d, here)
    b, c = read_row(inputs.B, t, own.n, known), read_row(inputs.C, t, own.n, known)
    drive = step * x
    state = left + drive[None, :] * b[:, None]
    arriving = read_row(inputs.grad_y, t, own.d, here)
    if GATE:
        gate = read_row(inputs.z, t, own.d, here)
        open_ = sigmoid(gate)
        result = tl.sum(state * c[:, None], axis=0) + parameters.pass_on * x
        by_z = arriving * result * open_ * (1.0 + gate * (1.0 - open_))
        write_row(results.z, t, own.d, by_z, here)
        arriving *= gate * open_
    adjoint += arriving[None, :] * c[:, None]
    write_row(results.C, t, own.n, tl.sum(state * arriving[None, :], axis=1), known)
    write_row(results.B, t, own.n, tl.sum(adjoint * drive[None, :], axis=1), known)
    by_drive = tl.sum(adjoint * b[:, None], axis=0)
    meeting = adjoint * left
    by_step = tl.sum(meeting * parameters.rate, axis=0) * LN_2 + by_drive * x
    if SOFTPLUS:
        by_step *= sigmoid(raw)
    write_row(results.delta, t, own.d, by_step, here)
    write_row(results.u, t, own.d, by_drive * step + parameters.pass_on * arriving, here)
    totals = _Totals(
        totals.A + meeting * step[None, :],
        totals.skip + arriving * x,
        totals.bias + tl.where(here, by_step, 0.0),
    )
    return adjoint, totals


@inlined
def _state_before(t, start, inputs, parameters, own, SOFTPLUS: tl.constexpr):  # type: ignore[no-untyped-def]
    """The state that token t meets, given the piece's first."""
    state = start
    for earlier in range(t):
        left, _, added = _advance(state, inputs, parameters, own, earlier, True, SOFTPLUS)
        state = left + added
    return state


@inlined
def _differentiate_group(  # type: ignore[no-untyped-def]
    state,
    adjoint,
    totals,
    inputs,
    results,
    parameters,
    own,
    beginning,
    count,
    SOFTPLUS: tl.constexpr,
    GATE: tl.constexpr,
):
    """Gradients of `KEPT` tokens, the last first, given the state that the first one meets.

    `adjoint` comes from the tokens after them, and is returned as it comes to those before.
    """
    kept = ()
    for offset in tl.static_range(KEPT):
        t = beginning + offset
        left, over, added = _advance(state, inputs, parameters, own, t, t < count, SOFTPLUS)
        kept = kept + ((left, over),)  # type: ignore[assignment]  # noqa: RUF005
        state = left + added
    for offset in tl.static_range(KEPT):
        t = beginning + KEPT - 1 - offset
        left, over = kept[KEPT - 1 - offset]
        adjoint, totals = _differentiate(
            left,
            adjoint,
            totals,
            inputs,
            results,
            parameters,
            own,
            t,
            t < count,
            SOFTPLUS,
            GATE,
        )
        adjoint *= over
    return adjoint, totals


@inlined
def _differentiate_piece(  # type: ignore[no-untyped-def]
    start,
    adjoint,
    inputs,
    results,
    parameters,
    own,
    count,
    SOFTPLUS: tl.constexpr,
    GATE: tl.constexpr,
):
    """Gradients of all tokens, given the first state and what comes from the tokens after them."""
    nothing = tl.zeros_like(parameters.shift)
    totals = _Totals(tl.zeros_like(start), nothing, nothing)
    groups = tl.cdiv(count, KEPT)
    for group in range(groups):
        beginning = (groups - 1 - group) * KEPT
        state = _state_before(beginning, start, inputs, parameters, own, SOFTPLUS)
        adjoint, totals = _differentiate_group(
            state,
            adjoint,
            totals,
            inputs,
            results,
            parameters,
            own,
            beginning,
            count,
            SOFTPLUS,
            GATE,
        )
    return totals


@kernel("piece", "length")
def find_gradients(  # type: ignore[no-untyped-def]
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
    """Gradients of the tokens of a piece, and the piece's share of the parameters' gradients."""
    own = block_of_program(channels, states, BLOCK_N, BLOCK_D)
    image, number = tl.program_id(2).to(tl.int64), tl.program_id(0).to(tl.int64)
    first = number * piece
    count = tl.minimum(piece, length - first)
    inputs = _Inputs(
        seek(u, image, first),
        seek(delta, image, first),
        seek(B, image, first),
        seek(C, image, first),
        seek(z, image, first),
        seek(grad_y, image, first),
    )
    row = image + tl.program_id(1).to(tl.int64) * tl.num_programs(2)
    results = _Results(
        seek(by_u, image, first),
        seek(by_delta, image, first),
        seek(by_z, image, first),
        seek(by_B, row, first),
        seek(by_C, row, first),
    )
    parameters = _Parameters(
        read(decay + own.place, own.has),
        read(bias + own.d, own.has_d & BIAS),
        read(skip + own.d, own.has_d & SKIP),
    )
    source = image * tl.num_programs(0) + number
    starts += source * states * channels
    start = read(starts + own.place, own.has)
    adjoint = read(adjoints + source * states * channels + own.place, own.has)
    totals = _differentiate_piece(
        start, adjoint, inputs, results, parameters, own, count, SOFTPLUS, GATE
    )
    tl.store(starts + own.place, totals.A, mask=own.has)
    tl.store(by_skip + source * channels + own.d, totals.skip, mask=own.has_d)
    tl.store(by_bias + source * channels + own.d, totals.bias, mask=own.has_d)
