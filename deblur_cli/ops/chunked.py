"""Back end `torch`: plain torch on any device, in memory that does not grow with L * D * N.

The tokens are taken span by span. Within a span all chunks advance together, one token each per
step: once from zero, to learn in which state each ends; then, from the states they therefore begin
in, to form the output. Where images and channels alone fill the machine, a span is one chunk and
the first pass is left out. A gradient keeps one state per span and runs through the span again.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from deblur_cli.ops.reference import causal_conv1d_silu, skip_and_gate, state_dtype, step_size

__all__ = ["causal_conv1d_silu", "selective_scan"]

_STEPS = 64
"""Tokens of a chunk."""

_ENOUGH_STATES = 1 << 14
"""States (images x channels x N) that are worth a call of torch by themselves."""


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    delta_softplus: bool,
) -> Tensor:
    """Two-level scan; in place where no gradient is wanted."""
    A = A.to(state_dtype(u, delta, A, B, C, D, z, delta_bias))
    state = A.new_zeros(u.shape[0], *A.shape)
    span = _chunks(state) * _STEPS
    outputs = []
    for start in range(0, u.shape[2], span):
        arguments: Any = (
            state,
            A,
            *(None if x is None else x[..., start : start + span] for x in (u, delta, B, C, z)),
            D,
            delta_bias,
            delta_softplus,
        )
        if torch.is_grad_enabled():
            y, state = checkpoint(scan_span, *arguments, use_reentrant=False)
        else:
            y, state = scan_span(*arguments)
        outputs.append(y)
    return torch.cat(outputs, -1)


def _chunks(state: Tensor) -> int:
    if state.numel() >= _ENOUGH_STATES:
        return 1
    at_once = 1 << (17 if state.device.type == "cpu" else 20)
    return max(1, at_once // state.numel())


def scan_span(
    state: Tensor,
    A: Tensor,
    u: Tensor,
    delta: Tensor,
    B: Tensor,
    C: Tensor,
    z: Tensor | None,
    D: Tensor | None,
    delta_bias: Tensor | None,
    delta_softplus: bool,
) -> tuple[Tensor, Tensor]:
    """Output (B, D, span) and the state (B, D, N) after it."""
    x = u.to(A.dtype)
    delta = step_size(delta.to(A.dtype), delta_bias, delta_softplus)
    step, drive, b, c = (_in_chunks(part) for part in (delta, delta * x, B.to(A), C.to(A)))
    starts = state[:, None]
    if step.shape[1] > 1:
        ends, _ = _sweep(
            torch.zeros_like(starts).expand(-1, step.shape[1], -1, -1), A, step, drive, b, None
        )
        decays = torch.exp(step.sum(2)[..., None] * A)
        starts = _carried_over(state, decays, ends)
    ends, y = _sweep(starts, A, step, drive, b, c)
    y = y.flatten(1, 2)[:, : u.shape[2]].transpose(1, 2)
    return skip_and_gate(y, x, D, z).to(u.dtype), ends[:, -1]


def _in_chunks(x: Tensor) -> Tensor:
    """(B, D, span) to (B, chunks, tokens, D); zeros after the last token change no state."""
    tokens = min(_STEPS, x.shape[2])
    padded = F.pad(x.transpose(1, 2), (0, 0, 0, -x.shape[2] % tokens))
    return padded.reshape(padded.shape[0], -1, tokens, padded.shape[2])


def _carried_over(state: Tensor, decays: Tensor, ends: Tensor) -> Tensor:
    """States (B, chunks, D, N) each chunk begins in, from those they end in when begun at zero."""
    starts = [state]
    for decay, end in zip(decays.unbind(1)[:-1], ends.unbind(1)[:-1], strict=True):
        starts.append(decay * starts[-1] + end)
    return torch.stack(starts, 1)


def _sweep(
    states: Tensor, A: Tensor, step: Tensor, drive: Tensor, b: Tensor, c: Tensor | None
) -> tuple[Tensor, Tensor]:
    """All chunks through their tokens: states (B, chunks, D, N) at the end, and the outputs.

    The outputs are (B, chunks, tokens, D), empty without `c`.
    """
    in_place = not torch.is_grad_enabled()
    states = states.clone()
    work = torch.empty_like(states)
    outputs = []
    tokens = (step[..., None], drive[..., None], b[..., None, :])
    for t, (delta, source, weight) in enumerate(zip(*(x.unbind(2) for x in tokens), strict=True)):
        if in_place:
            states.mul_(torch.mul(delta, A, out=work).exp_())
            states.add_(torch.mul(source, weight, out=work))
        else:
            states = torch.exp(delta * A) * states + source * weight
        if c is not None:
            outputs.append((states @ c[:, :, t, :, None])[..., 0])
    return states, torch.stack(outputs, 2) if outputs else drive.new_empty(0)
