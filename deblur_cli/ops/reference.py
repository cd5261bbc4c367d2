"""Back end `reference`: the definitions written down in plain torch. Slow, and the truth."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor


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
    """One token after the other, every state kept for the gradient."""
    precision = state_dtype(u, delta, A, B, C, D, z, delta_bias)
    x, A, B, C = (tensor.to(precision) for tensor in (u, A, B, C))
    step = step_size(delta.to(precision), delta_bias, delta_softplus)
    drive = step * x
    state = A.new_zeros(u.shape[0], *A.shape)
    outputs = []
    for delta_t, drive_t, B_t, C_t in zip(
        *(v.unbind(-1) for v in (step, drive, B, C)), strict=True
    ):
        state = torch.exp(delta_t[..., None] * A) * state + drive_t[..., None] * B_t[:, None]
        outputs.append((state * C_t[:, None]).sum(-1))
    return skip_and_gate(torch.stack(outputs, -1), x, D, z).to(u.dtype)


def causal_conv1d_silu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Torch's own grouped convolution on the padded input."""
    precision = state_dtype(x, weight, bias)
    channels, taps = weight.shape
    padded = F.pad(x.to(precision), (taps - 1, 0))
    filters = weight.to(precision)[:, None]
    return F.silu(F.conv1d(padded, filters, bias.to(precision), groups=channels)).to(x.dtype)


def state_dtype(*tensors: Tensor | None) -> torch.dtype:
    """float64 if one of `tensors` is, else float32: half precision never carries the state."""
    dtypes = (tensor.dtype for tensor in tensors if tensor is not None)
    return functools.reduce(torch.promote_types, dtypes, torch.float32)


def step_size(delta: Tensor, delta_bias: Tensor | None, delta_softplus: bool) -> Tensor:
    """`delta` (B, D, L) with its bias (D,) and softplus."""
    if delta_bias is not None:
        delta = delta + delta_bias[:, None].to(delta.dtype)
    return F.softplus(delta) if delta_softplus else delta


def skip_and_gate(y: Tensor, x: Tensor, D: Tensor | None, z: Tensor | None) -> Tensor:
    """`(y + D * x) * silu(z)` for (B, D, L) tensors, each part if it is there."""
    if D is not None:
        y = y + D[:, None].to(y.dtype) * x
    return y if z is None else y * F.silu(z.to(y.dtype))
