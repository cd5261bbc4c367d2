"""How tensors reach compiled kernels: token-major, in a dtype that the kernels read."""

from __future__ import annotations

import torch
from torch import Tensor

from deblur_cli.errors import UsageError


def token_major(tensor: Tensor) -> Tensor:
    """(B, D, L) as (B, L, D) with neighbouring channels; a view if memory allows."""
    rows = tensor.transpose(1, 2)
    return rows if rows.stride(2) == 1 or rows.shape[2] == 1 else rows.contiguous()


def readable(tensor: Tensor, dtypes: frozenset[torch.dtype], backend: str) -> Tensor:
    """`tensor` in one of `dtypes`, else in float32; differentiable.

    Raises:
        UsageError: float64, which kernels with a float32 state would silently degrade.
    """
    if tensor.dtype == torch.float64:
        raise UsageError(
            f"the scan back end '{backend}' computes in float32 and was given float64",
            remedy="choose the back end 'reference', or convert the tensors",
        )
    return tensor if tensor.dtype in dtypes else tensor.float()
