from __future__ import annotations

import pytest
import torch

from deblur_cli.errors import UsageError
from deblur_cli.inference import memory
from deblur_cli.inference.memory import (
    CPU_BUDGET,
    LARGEST_TILE,
    LARGEST_TILE_ELSEWHERE,
    affordable_pixels,
    check_budget,
    network_budget,
    parse_memory,
    ran_out_of_memory,
)
from deblur_cli.inference.tiles import Size, tile_grid

CPU = torch.device("cpu")
GPU = torch.device("cuda")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3GiB", 3 << 30),
        ("800M", 800 << 20),
        ("1.5 gb", 3 << 29),
        ("123456789", 123456789),
        ("2TB", 2 << 40),
    ],
)
def test_amounts_of_memory_are_read(text: str, expected: int) -> None:
    assert parse_memory(text) == expected


@pytest.mark.parametrize("text", ["", "lots", "-3GiB", "3XiB", "0", "0GiB", "GiB"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no amount of memory"):
        parse_memory(text)


def test_without_a_limit_the_budget_is_half_of_what_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda device: 1 << 30)
    assert network_budget(CPU, None) == 1 << 29


def test_without_a_limit_the_budget_has_a_ceiling_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda device: 1 << 40)
    assert network_budget(CPU, None) == CPU_BUDGET


def test_a_limit_counts_what_the_process_holds_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "resident_memory", lambda: 400 << 20)
    assert network_budget(CPU, 1 << 30) == 624 << 20
    with pytest.raises(UsageError, match="allow more than 400 MiB"):
        network_budget(CPU, 300 << 20)


def test_on_a_gpu_half_of_a_limit_is_for_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda device: 40 << 30)
    monkeypatch.setattr(memory, "resident_memory", lambda: 1 << 40)
    assert network_budget(GPU, None) == 20 << 30
    assert network_budget(GPU, 8 << 30) == 4 << 30


@pytest.mark.parametrize("device", [CPU, GPU])
def test_a_limit_that_is_too_small_names_one_that_is_not(
    device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "resident_memory", lambda: 100 << 20)
    needed = 50 << 20
    limit = 101 << 20 if device == CPU else 60 << 20
    with pytest.raises(UsageError, match="too small for this network") as caught:
        check_budget(device, limit, network_budget(device, limit), needed)
    enough = int(str(caught.value.remedy).split()[1]) << 20
    check_budget(device, enough, network_budget(device, enough), needed)
    tight = enough - (2 << 20)
    with pytest.raises(UsageError):
        check_budget(device, tight, network_budget(device, tight), needed)


def test_what_goes_through_the_network_fits_the_budget() -> None:
    assert affordable_pixels(CPU, 1000 * 500**2, 1000) == 500**2
    assert affordable_pixels(CPU, 1000, 1000) == 1
    assert affordable_pixels(CPU, 1 << 50, 1000) == LARGEST_TILE_ELSEWHERE**2
    assert affordable_pixels(GPU, 1 << 50, 1000) == LARGEST_TILE["cuda"] ** 2


def test_a_frame_is_one_tile_on_a_gpu_and_a_large_photo_a_few() -> None:
    largest = LARGEST_TILE["cuda"]
    assert largest >= 1280
    grid = tile_grid(Size(4000, 6000), largest, 32, 16)
    assert len(grid.tops) * len(grid.lefts) <= 6


def test_the_real_cpu_allocator_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert ran_out_of_memory(caught.value)


def test_a_shortage_inside_onednn_is_recognised() -> None:
    assert ran_out_of_memory(RuntimeError("could not create a primitive"))


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: out of memory\nCUDA kernel errors might be reported later",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    ],
)
def test_a_shortage_inside_a_gpu_library_is_recognised(message: str) -> None:
    assert ran_out_of_memory(RuntimeError(message))


def test_other_errors_are_not_taken_for_a_shortage() -> None:
    assert ran_out_of_memory(MemoryError())
    assert ran_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not ran_out_of_memory(RuntimeError("size mismatch"))
    assert not ran_out_of_memory(ValueError("DefaultCPUAllocator"))
