"""The selective scan as the networks call it: its contract, the checks, and the dispatch."""

from __future__ import annotations

import torch
from torch import Tensor

from deblur_cli.errors import UsageError
from deblur_cli.ops.backends import operators


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    backend: str | None = None,
) -> Tensor:
    """Run the input-dependent linear recurrence of Mamba over L tokens; differentiable.

    With `delta = softplus(delta + delta_bias)` (each part if asked for) and `h` zero at first,

        h[t, d, n] = exp(delta[t, d] * A[d, n]) * h[t-1, d, n] + delta[t, d] * B[t, n] * u[t, d]
        y[t, d]    = (sum_n C[t, n] * h[t, d, n] + D[d] * u[t, d]) * silu(z[t, d])

    (Gu & Dao 2023, algorithm 2, with the Euler rule for B). All tensors are floating point, each
    of its own dtype, and may have any strides; token-major memory, as `x.transpose(1, 2)` of a
    contiguous (B, L, D) tensor, is read without a copy by the back end `cpu`. The state is kept in
    float32, or in float64 where an input is (back ends `reference` and `torch` only).

    Args:
        u: input, (B, D, L).
        delta: step size, (B, D, L).
        A: decay of each state, (D, N), negative.
        B: input weights of each token, (B, N, L).
        C: output weights of each token, (B, N, L).
        D: weight of the skip connection, (D,).
        z: gate, (B, D, L).
        delta_bias: added to `delta`, (D,).
        delta_softplus: whether `delta` goes through a softplus.
        backend: one of `deblur_cli.ops.backends.BACKENDS`; chosen by `resolve_backend` if None.

    Returns:
        (B, D, L) in the dtype of `u`.

    Raises:
        UsageError: shapes do not fit, or the back end is unknown or cannot take the dtype.
        DeviceError: the back end does not run where the tensors are.
    """
    _check_shapes(u, delta, A, B, C, D, z, delta_bias)
    implementation = operators(backend, u.device)
    with torch.autocast(u.device.type, enabled=False):
        return implementation.selective_scan(u, delta, A, B, C, D, z, delta_bias, delta_softplus)


def _check_shapes(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
) -> None:
    if u.dim() != 3 or A.dim() != 2:
        raise UsageError(f"u must be (B, D, L) and A (D, N), not {_shape(u)} and {_shape(A)}")
    if u.numel() == 0:
        raise UsageError(f"u must hold at least one value, not {_shape(u)}")
    batch, channels, length = u.shape
    states = A.shape[1]
    expected = {
        "u": (u, (batch, channels, length)),
        "delta": (delta, (batch, channels, length)),
        "A": (A, (channels, states)),
        "B": (B, (batch, states, length)),
        "C": (C, (batch, states, length)),
        "D": (D, (channels,)),
        "z": (z, (batch, channels, length)),
        "delta_bias": (delta_bias, (channels,)),
    }
    for name, (tensor, shape) in expected.items():
        if tensor is None:
            continue
        if tensor.shape != shape:
            raise UsageError(f"{name} must have shape {shape} to fit u, not {_shape(tensor)}")
        if not tensor.is_floating_point():
            raise UsageError(f"{name} must be floating point, not {tensor.dtype}")
        if tensor.device != u.device:
            raise UsageError(f"{name} is on {tensor.device}, but u is on {u.device}")


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
