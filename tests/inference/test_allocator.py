from __future__ import annotations

import platform

import pytest
import torch

from deblur_cli.inference.allocator import reuse_freed_memory
from deblur_cli.inference.free_memory import resident_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the parameters are glibc's")
def test_glibc_accepts_the_parameters() -> None:
    assert reuse_freed_memory()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the parameters are glibc's")
def test_resident_memory_stays_at_the_peak_of_one_round() -> None:
    reuse_freed_memory()

    def one_round(side: int) -> int:
        kept = [torch.ones((side + 13 * i, side)) for i in range(12)]
        taken = sum(tensor.nbytes for tensor in kept)
        del kept[::2]
        return taken + torch.ones((4 * side, side)).nbytes

    peak = one_round(1000)
    after_first = resident_memory()
    for _ in range(20):
        one_round(1000)
    assert resident_memory() - after_first < peak
