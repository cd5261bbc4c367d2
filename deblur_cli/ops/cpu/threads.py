"""Running a kernel on as many threads as torch is allowed, each with its own scratch memory."""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from deblur_cli.ops.cpu.compile import Kernel

DIVISION = [(name, "i8") for name in ("items", "shares", "scratch", "scratch_bytes")]
"""Fields of a job about the work: pieces, the shares they are split into, and memory for each."""

_LINE = 64
"""Bytes of a cache line, and of sixteen lanes: shares never write to the same one."""

Job = npt.NDArray[Any]


def share_count(items: int) -> int:
    """Into how many shares `items` pieces of work are split."""
    return max(1, min(items, torch.get_num_threads()))


def run(kernel: Kernel, job: Job, items: int, scratch_bytes: int) -> None:
    """Set the `DIVISION` of `job`, an array of one record, and run `kernel(job, share)` for all."""
    shares = share_count(items)
    scratch_bytes = -(-scratch_bytes // _LINE) * _LINE
    memory = np.empty(shares * scratch_bytes + _LINE, np.uint8)
    job["items"], job["shares"], job["scratch_bytes"] = items, shares, scratch_bytes
    job["scratch"] = -(-memory.ctypes.data // _LINE) * _LINE
    if shares == 1:
        kernel(job, 0)
        return
    for done in [_pool(shares).submit(kernel, job, share) for share in range(shares)]:
        done.result()


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="selective-scan")


if hasattr(os, "register_at_fork"):  # a forked child has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
