"""Gradients of the fused scan.

The gradient l of the state runs through the tokens from the last to the first,

    l[t] = C[t] * dy[t] + exp(delta[t+1] * A) * l[t+1],

and meets the states that ran from the first to the last. The tokens are split into short pieces:
both are found where pieces meet, for all pieces at once. Within a piece the states are computed
again from its start, and kept for a few tokens at a time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deblur_cli.ops.triton.adjoint import find_adjoint_ends, find_gradients
from deblur_cli.ops.triton.blocks import launching_on, rows
from deblur_cli.ops.triton.forward import paths_and_ends
from deblur_cli.ops.triton.pieces import states_between
from deblur_cli.ops.triton.problem import Problem

PIECE = 16
"""Tokens of a piece."""


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
        for x in (u, problem.delta, problem.z)
    )
    by_B, by_C = nothing.new_empty(2, blocks, batch, length, problem.states)
    by_skip, by_bias = nothing.new_empty(2, batch, pieces, channels)
    inputs = (u, problem.delta, problem.B, problem.C, problem.z, grad_y)
    results = (by_u, by_delta, by_z, by_B[0], by_C[0])
    with launching_on(problem.device):
        find_gradients[grid](
            *(rows(each, u) for each in inputs),
            problem.decay,
            nothing if problem.skip is None else problem.skip,
            nothing if problem.bias is None else problem.bias,
            starts,
            adjoints,
            *(rows(each, u) for each in results),
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
        find_adjoint_ends[problem.grid(target.shape[1])](
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
