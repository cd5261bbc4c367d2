"""How tensors reach the kernels: token-major views, described by addresses and strides."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from deblur_cli.errors import UsageError
from deblur_cli.ops.cpu.vectors import WIDTH

VIEW = np.dtype([("address", "i8"), ("batch", "i8"), ("row", "i8"), ("bytes", "i8")], align=True)
"""A token-major tensor: strides in elements, and the bytes of one (2: bfloat16, 4: float32)."""


def readable(tensor: Tensor) -> Tensor:
    """`tensor` in a dtype the kernels read; differentiable.

    Raises:
        UsageError: float64, which these kernels would silently degrade.
    """
    if tensor.dtype == torch.float64:
        raise UsageError(
            "the scan back end 'cpu' computes in float32 and was given float64",
            remedy="choose the back end 'reference', or convert the tensors",
        )
    if tensor.dtype in (torch.float32, torch.bfloat16):
        return tensor
    return tensor.float()


def token_major(tensor: Tensor) -> Tensor:
    """(B, D, L) as (B, L, D) with neighbouring channels; a view if memory allows."""
    rows = tensor.transpose(1, 2)
    return rows if rows.stride(2) == 1 or rows.shape[2] == 1 else rows.contiguous()


def view(rows: Tensor) -> tuple[int, int, int, int]:
    """The `VIEW` of a (B, L, D) tensor."""
    return rows.data_ptr(), rows.stride(0), rows.stride(1), rows.element_size()


def channel_blocks(matrix: Tensor) -> Tensor:
    """(D, M) as float32 (blocks, M, 16): sixteen channels side by side, zeros after the last."""
    channels, columns = matrix.shape
    padded = torch.zeros(-(-channels // WIDTH) * WIDTH, columns)
    padded[:channels] = matrix
    return padded.view(-1, WIDTH, columns).transpose(1, 2).contiguous()
