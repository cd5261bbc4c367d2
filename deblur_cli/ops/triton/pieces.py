"""The states that pieces of the tokens begin in, in either direction of time.

Over a piece of any length the state changes linearly: `after = exp2(decay * path) * before + end`,
with `path` the sum of the steps in the piece and `end` where the piece leads from zero. Both are
found for all pieces at once; the states between them then follow from one to the next. Of many
pieces, groups are taken as pieces in turn.
"""

from __future__ import annotations

import math

import torch
import triton.language as tl
from torch import Tensor

from deblur_cli.ops.triton.blocks import block_of_program, kernel, launching_on, read
from deblur_cli.ops.triton.problem import Problem

LONGEST_CHAIN = 64
"""Pieces that one program goes through one after the other."""


def states_between(problem: Problem, paths: Tensor, ends: Tensor, backward: bool) -> Tensor:
    """State (B, pieces, N, D) that each piece begins in.

    Args:
        problem: its decay, and how its channels are divided.
        paths: sums of the steps, (B, pieces, D), float32.
        ends: where each piece leads from zero, (B, pieces, N, D), float32.
        backward: from the last piece to the first.
    """
    batch, pieces = paths.shape[:2]
    if pieces <= LONGEST_CHAIN:
        return _follow(problem, paths, ends, torch.zeros_like(ends[:, :1]), pieces, backward)
    group = max(LONGEST_CHAIN // 2, math.isqrt(pieces))
    groups = -(-pieces // group)
    group_paths = paths.new_empty(batch, groups, problem.channels)
    group_ends = ends.new_empty(batch, groups, *ends.shape[2:])
    with launching_on(problem.device):
        _find_group_ends[problem.grid(groups)](
            paths,
            ends,
            problem.decay,
            group_paths,
            group_ends,
            group,
            pieces,
            problem.channels,
            problem.states,
            BACKWARD=backward,
            **problem.block,
            num_warps=1,
        )
    before = states_between(problem, group_paths, group_ends, backward)
    return _follow(problem, paths, ends, before, group, backward)


def _follow(
    problem: Problem, paths: Tensor, ends: Tensor, before: Tensor, group: int, backward: bool
) -> Tensor:
    """States that pieces begin in, from those (B, groups, N, D) that their groups begin in."""
    pieces, groups = paths.shape[1], before.shape[1]
    starts = torch.empty_like(ends)
    with launching_on(problem.device):
        _find_starts[problem.grid(groups)](
            paths,
            ends,
            problem.decay,
            before,
            starts,
            group,
            pieces,
            problem.channels,
            problem.states,
            BACKWARD=backward,
            **problem.block,
            num_warps=1,
        )
    return starts


@kernel("group", "pieces")
def _find_group_ends(  # type: ignore[no-untyped-def]
    paths,
    ends,
    decay,
    group_paths,
    group_ends,
    group,
    pieces,
    channels,
    states,
    BACKWARD: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    own = block_of_program(channels, states, BLOCK_N, BLOCK_D)
    image, number = tl.program_id(2).to(tl.int64), tl.program_id(0)
    rate = read(decay + own.place, own.has)
    path = tl.zeros([BLOCK_D], tl.float32)
    state = tl.zeros([BLOCK_N, BLOCK_D], tl.float32)
    first = number * group
    after = tl.minimum(first + group, pieces)
    for index in range(first, after):
        piece = image * pieces + (first + after - 1 - index if BACKWARD else index)
        step = read(paths + piece * channels + own.d, own.has_d)
        end = read(ends + piece * states * channels + own.place, own.has)
        state = tl.exp2(rate * step[None, :]) * state + end
        path += step
    target = image * tl.num_programs(0) + number
    tl.store(group_paths + target * channels + own.d, path, mask=own.has_d)
    tl.store(group_ends + target * states * channels + own.place, state, mask=own.has)


@kernel("group", "pieces")
def _find_starts(  # type: ignore[no-untyped-def]
    paths,
    ends,
    decay,
    before,
    starts,
    group,
    pieces,
    channels,
    states,
    BACKWARD: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    own = block_of_program(channels, states, BLOCK_N, BLOCK_D)
    image, number = tl.program_id(2).to(tl.int64), tl.program_id(0)
    rate = read(decay + own.place, own.has)
    source = image * tl.num_programs(0) + number
    state = read(before + source * states * channels + own.place, own.has)
    first = number * group
    after = tl.minimum(first + group, pieces)
    for index in range(first, after):
        piece = image * pieces + (first + after - 1 - index if BACKWARD else index)
        tl.store(starts + piece * states * channels + own.place, state, mask=own.has)
        step = read(paths + piece * channels + own.d, own.has_d)
        end = read(ends + piece * states * channels + own.place, own.has)
        state = tl.exp2(rate * step[None, :]) * state + end
