"""Layer norm over the last dimension: torch's, or on CPUs and GPUs faster kernels.

Torch takes one row after the other: for rows of 32 to 128 values that costs more than reading them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from deblur_cli.ops.backends import probe

LANES = 16

GPU_CHANNELS = 4096
"""Of the longest rows that the kernel for GPUs takes."""


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Zero mean and unit variance of every row, then `weight * x + bias`; float32 inside.

    Args:
        x: (..., D).
        weight, bias: (D,), float32, or in the dtype of `x`.
        eps: added to the variance.

    Returns:
        (..., D) in the dtype of `x`.
    """
    if gpu_kernel_takes(x):
        from deblur_cli.ops.triton import norm

        return norm.layer_norm(x, weight, bias, eps)
    if weight.dtype != torch.float32 or x.shape[-1] % LANES or not kernel_takes(x):
        return F.layer_norm(x, weight.shape, weight, bias, eps)
    from deblur_cli.ops.cpu.norm import normalise

    return normalise(x, weight.contiguous(), bias.contiguous(), eps)


def kernel_takes(x: Tensor) -> bool:
    """Whether a kernel that has no gradient can stand in, and reads vectors of sixteen from `x`."""
    return (
        x.device.type == "cpu"
        and probe("cpu").name == "cpu"
        and x.dtype in (torch.float32, torch.bfloat16)
        and x.numel() % LANES == 0
        and x.numel() > 0
        and x.is_contiguous()
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
    )


def gpu_kernel_takes(x: Tensor) -> bool:
    """Whether the kernel for GPUs takes `x`; with and without gradients, weights of any dtype."""
    return (
        x.device.type == "cuda"
        and probe("cuda").name == "triton"
        and x.dtype in (torch.float32, torch.bfloat16, torch.float16)
        and x.numel() > 0
        and x.shape[-1] <= GPU_CHANNELS
    )
