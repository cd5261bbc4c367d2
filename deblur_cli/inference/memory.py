"""The tile size a memory budget allows, and what counts as running out of memory."""

from __future__ import annotations

import re

import torch

from deblur_cli.errors import UsageError
from deblur_cli.inference.free_memory import free_memory, resident_memory

SHARE = 0.5
"""The network's share of what is free, or, on a GPU, of what it may take at most. The rest is for
pictures, for what the allocator keeps, and on a GPU for CUDA graphs, as large as the network."""

CPU_BUDGET = 3 << 29
"""On a CPU no more than this (1.5 GiB): a photo of 24 megapixels then fits into 3 GiB."""

LARGEST_TILE = {"cuda": 2048}
"""Side of the largest automatic tile by type of device; beyond it nothing gets faster."""

LARGEST_TILE_ELSEWHERE = 1024

_SHORTAGES = (
    "DefaultCPUAllocator",
    "could not create a primitive",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_memory(text: str) -> int:
    """Bytes in `3GiB`, `800M`, `1.5 GB` or `1073741824`; K, M, G and T are powers of 1024.

    Raises:
        UsageError: not an amount of memory.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    amount = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if amount == 0:
        raise UsageError(f"'{text}' is no amount of memory", remedy="for example 3GiB or 800MiB")
    return amount


def network_budget(device: torch.device, max_memory: int | None) -> int:
    """Bytes the network's tensors may take while it restores what goes through it at a time.

    Args:
        device: where the network runs.
        max_memory: bytes the whole program may take on that device; None for a safe share of what
            is free. On a CPU, what the process already holds is taken off.

    Raises:
        UsageError: the program alone takes more than `max_memory`.
    """
    if device.type != "cpu":
        return int((free_memory(device) if max_memory is None else max_memory) * SHARE)
    if max_memory is None:
        return min(int(free_memory(device) * SHARE), CPU_BUDGET)
    held = resident_memory()
    if held >= max_memory:
        raise UsageError(
            f"the memory limit of {max_memory >> 20} MiB is used up before the first tile",
            remedy=f"allow more than {held >> 20} MiB",
        )
    return max_memory - held


def check_budget(device: torch.device, max_memory: int, budget: int, needed: int) -> None:
    """Refuse a limit within which not even the smallest tile can be restored.

    Args:
        device: where the network runs.
        max_memory: the limit.
        budget: what `network_budget` made of it.
        needed: bytes the network takes for the smallest tile.

    Raises:
        UsageError: names the limit it takes.
    """
    if needed <= budget:
        return
    enough = max_memory - budget + needed if device.type == "cpu" else int(needed / SHARE)
    raise UsageError(
        f"the memory limit of {max_memory >> 20} MiB is too small for this network",
        remedy=f"allow {(enough >> 20) + 1} MiB or more",
    )


def affordable_pixels(device: torch.device, budget: int, bytes_per_pixel: float) -> int:
    """Pixels that may go through the network at a time: within `budget`, and worth it."""
    largest = LARGEST_TILE.get(device.type, LARGEST_TILE_ELSEWHERE)
    return min(largest**2, int(budget / bytes_per_pixel))


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of torch or numpy means that an allocation failed.

    Torch has a class of its own for its GPU allocator; the CPU's and the libraries it calls have
    only their messages.
    """
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SHORTAGES)
    )
