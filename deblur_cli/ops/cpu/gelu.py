"""GELU in place; 256 vectors are a piece of work."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from torch import Tensor

from deblur_cli.ops.cpu import threads
from deblur_cli.ops.cpu.compile import kernel
from deblur_cli.ops.cpu.intrinsics import load, load_bfloat16, store, store_bfloat16, vector_gelu
from deblur_cli.ops.cpu.vectors import WIDTH

_PIECE = 256

_JOB = np.dtype(
    [*((name, "i8") for name in ("x", "bytes", "vectors")), *threads.DIVISION], align=True
)


def gelu_(x: Tensor) -> Tensor:
    """Overwrite a contiguous tensor, float32 or bfloat16, of a multiple of sixteen numbers."""
    job = np.zeros(1, _JOB)
    job["x"], job["bytes"], job["vectors"] = x.data_ptr(), x.element_size(), x.numel() // WIDTH
    threads.run(_gelu, job, -(-x.numel() // (WIDTH * _PIECE)), 0)
    return x


@kernel(numba.from_dtype(_JOB)[::1], numba.int64)
def _gelu(jobs: Any, share: int) -> None:
    job = jobs[0]
    x, size = job.x, job.bytes
    first = job.items * share // job.shares * _PIECE
    last = min(job.items * (share + 1) // job.shares * _PIECE, job.vectors)
    if size == 2:
        for vector in range(first, last):
            y = vector_gelu(load_bfloat16(x, WIDTH * vector))
            store_bfloat16(x, WIDTH * vector, y)
    else:
        for vector in range(first, last):
            store(x, WIDTH * vector, vector_gelu(load(x, WIDTH * vector)))
