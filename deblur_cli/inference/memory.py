"""The tile size a memory budget allows, and what counts as running out of memory."""

from __future__ import annotations

import math
import re

import torch

from deblur_cli.errors import UsageError
from deblur_cli.inference.free_memory import free_memory, resident_memory

SHARE_OF_FREE = 0.5
"""Without a budget, the network may use this share of the memory that is free."""

CPU_BUDGET = 3 << 29
"""... and on a CPU no more than this (1.5 GiB): a photo of 24 megapixels then fits into 3 GiB."""

LARGEST_TILE = 1024
"""Side of the largest automatic tile; beyond it nothing gets faster."""

_CPU_SHORTAGES = ("DefaultCPUAllocator", "could not create a primitive")

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
    """Bytes the network's tensors may take while it restores one tile.

    Args:
        device: where the network runs.
        max_memory: bytes the whole program may take on that device; None for a safe share of what
            is free. On a CPU, what the process already holds is taken off.

    Raises:
        UsageError: the program alone takes more than `max_memory`.
    """
    if max_memory is None:
        share = int(free_memory(device) * SHARE_OF_FREE)
        return min(share, CPU_BUDGET) if device.type == "cpu" else share
    held = resident_memory() if device.type == "cpu" else 0
    if held >= max_memory:
        raise UsageError(
            f"the memory limit of {max_memory >> 20} MiB is used up before the first tile",
            remedy=f"allow more than {held >> 20} MiB",
        )
    return max_memory - held


def affordable_tile(budget: int, bytes_per_pixel: float, multiple: int) -> int:
    """Side of the largest tile within `budget` bytes and `LARGEST_TILE`, in steps of `multiple`."""
    side = min(LARGEST_TILE, math.isqrt(int(budget / bytes_per_pixel)))
    return side // multiple * multiple


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of torch or numpy means that an allocation failed.

    On the CPU torch has no class of its own for that, only its allocator's message or oneDNN's.
    """
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in _CPU_SHORTAGES)
    )
