"""How tensors are described to the kernels: by addresses and strides."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from deblur_cli.ops.cpu.vectors import WIDTH

VIEW = np.dtype([("address", "i8"), ("batch", "i8"), ("row", "i8"), ("bytes", "i8")], align=True)
"""A token-major tensor: strides in elements, and the bytes of one (2: bfloat16, 4: float32)."""


def view(rows: Tensor) -> tuple[int, int, int, int]:
    """The `VIEW` of a (B, L, D) tensor."""
    return rows.data_ptr(), rows.stride(0), rows.stride(1), rows.element_size()


def channel_blocks(matrix: Tensor) -> Tensor:
    """(D, M) as float32 (blocks, M, 16): sixteen channels side by side, zeros after the last."""
    channels, columns = matrix.shape
    padded = torch.zeros(-(-channels // WIDTH) * WIDTH, columns)
    padded[:channels] = matrix
    return padded.view(-1, WIDTH, columns).transpose(1, 2).contiguous()
