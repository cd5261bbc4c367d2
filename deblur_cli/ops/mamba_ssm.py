"""Back end `mamba-ssm`: that package's CUDA kernels, given what they can take.

The scan is `selective_scan_fn` of the package `mamba_ssm` or, without it, of `hub_kernel`. The
convolution is `causal_conv1d_fn` of the package `causal_conv1d`, for two to four taps; without that
package, and for other filters, it is the plain torch of `reference`.

The kernels want one dtype (float32, float16 or bfloat16) for everything that runs along the tokens
and float32 for the rest, and neighbouring tokens side by side in memory: token-major tensors are
copied. They count elements in 32 bits, and read whole vectors from wherever they are told to.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch import Tensor

from deblur_cli.errors import UsageError
from deblur_cli.ops import hub_kernel, reference

LARGEST_STATE = 256
MOST_ELEMENTS = 2**32
TAPS = range(2, 5)

_ALIGNMENT = 16
"""Bytes of the vectors that the kernels read."""


def _load_scan() -> Callable[..., Tensor]:
    if find_spec("mamba_ssm") is None:
        scan: Callable[..., Tensor] = hub_kernel.load().selective_scan_fn
    else:
        scan = importlib.import_module("mamba_ssm.ops.selective_scan_interface").selective_scan_fn
    return scan


def _load_convolution() -> Callable[..., Tensor] | None:
    if find_spec("causal_conv1d") is None:
        return None
    convolution: Callable[..., Tensor] = importlib.import_module("causal_conv1d").causal_conv1d_fn
    return convolution


_scan = _load_scan()
_convolution = _load_convolution()


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
    """One kernel; inputs of different dtypes meet in one that holds them all."""
    _check(u, delta, A, B, C, D, z, delta_bias)
    if A.shape[1] > LARGEST_STATE:
        raise UsageError(
            f"the scan back end 'mamba-ssm' takes at most {LARGEST_STATE} states, not {A.shape[1]}",
            remedy="choose another back end",
        )
    along_tokens = (u, delta, B, C) if z is None else (u, delta, B, C, z)
    dtype = functools.reduce(torch.promote_types, (tensor.dtype for tensor in along_tokens))
    y = _scan(
        _readable(u, dtype),
        _readable(delta, dtype),
        _readable(A, torch.float32),
        _readable(B, dtype),
        _readable(C, dtype),
        D=None if D is None else _readable(D, torch.float32),
        z=None if z is None else _readable(z, dtype),
        delta_bias=None if delta_bias is None else _readable(delta_bias, torch.float32),
        delta_softplus=delta_softplus,
    )
    return y.to(u.dtype)


def causal_conv1d_silu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One kernel where there is one for it, else plain torch."""
    _check(x, weight, bias)
    if _convolution is None or weight.shape[1] not in TAPS:
        return reference.causal_conv1d_silu(x, weight, bias)
    return _convolution(
        _readable(x, x.dtype),
        _readable(weight, torch.float32),
        _readable(bias, torch.float32),
        activation="silu",
    )


def _check(*tensors: Tensor | None) -> None:
    for tensor in tensors:
        if tensor is None:
            continue
        if tensor.dtype == torch.float64:
            raise UsageError(
                "the scan back end 'mamba-ssm' computes in float32 and was given float64",
                remedy="choose the back end 'reference', or convert the tensors",
            )
        if tensor.numel() > MOST_ELEMENTS:
            raise UsageError(
                f"the scan back end 'mamba-ssm' cannot address {tensor.numel()} elements",
                remedy="use smaller tiles or another back end",
            )


def _readable(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """`tensor` in `dtype`, contiguous and aligned; differentiable."""
    tensor = tensor.to(dtype)
    in_order = tensor.is_contiguous() and tensor.stride(-1) == 1
    if in_order and tensor.data_ptr() % _ALIGNMENT == 0:
        return tensor
    return tensor.clone(memory_format=torch.contiguous_format)
