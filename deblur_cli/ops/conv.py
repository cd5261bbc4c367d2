"""The short causal convolution before the scan: its contract, the checks, and the dispatch."""

from __future__ import annotations

import torch
from torch import Tensor

from deblur_cli.errors import UsageError
from deblur_cli.ops.backends import operators


def causal_conv1d_silu(
    x: Tensor, weight: Tensor, bias: Tensor, backend: str | None = None
) -> Tensor:
    """Depth-wise causal convolution along the tokens, then SiLU; differentiable.

        y[t, d] = silu(bias[d] + sum_k weight[d, k] * x[t - (K - 1) + k, d])

    with zeros before the first token. Strides, dtypes and token-major memory are treated as in
    `selective_scan`; sums are formed in float32 (float64 where an input is).

    Args:
        x: input, (B, D, L).
        weight: one filter per channel, (D, K); the last tap weighs the current token.
        bias: (D,).
        backend: as in `selective_scan`.

    Returns:
        (B, D, L) in the dtype of `x`.

    Raises:
        UsageError: shapes do not fit, or the back end is unknown or cannot take the dtype.
        DeviceError: the back end does not run where the tensors are.
    """
    if x.dim() != 3 or weight.dim() != 2 or weight.shape[0] != x.shape[1] or weight.shape[1] < 1:
        raise UsageError(
            f"x must be (B, D, L) and weight (D, K), not {tuple(x.shape)} and {tuple(weight.shape)}"
        )
    if bias.shape != weight.shape[:1]:
        raise UsageError(f"bias must have shape {tuple(weight.shape[:1])}, not {tuple(bias.shape)}")
    if not x.device == weight.device == bias.device:
        raise UsageError(f"x, weight and bias are on {x.device}, {weight.device} and {bias.device}")
    implementation = operators(backend, x.device)
    with torch.autocast(x.device.type, enabled=False):
        return implementation.causal_conv1d_silu(x, weight, bias)
