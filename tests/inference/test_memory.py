from __future__ import annotations

import pytest
import torch

from deblur_cli.errors import UsageError
from deblur_cli.inference import memory
from deblur_cli.inference.memory import (
    CPU_BUDGET,
    LARGEST_TILE,
    affordable_tile,
    network_budget,
    parse_memory,
    ran_out_of_memory,
)

CPU = torch.device("cpu")


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


def test_the_tile_fits_the_budget_and_the_multiple() -> None:
    assert affordable_tile(1000 * 500**2, 1000, 16) == 496
    assert affordable_tile(1 << 50, 1000, 16) == LARGEST_TILE
    assert affordable_tile(1000, 1000, 16) == 0


def test_the_real_cpu_allocator_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert ran_out_of_memory(caught.value)


def test_a_shortage_inside_onednn_is_recognised() -> None:
    assert ran_out_of_memory(RuntimeError("could not create a primitive"))


def test_other_errors_are_not_taken_for_a_shortage() -> None:
    assert ran_out_of_memory(MemoryError())
    assert ran_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not ran_out_of_memory(RuntimeError("size mismatch"))
    assert not ran_out_of_memory(ValueError("DefaultCPUAllocator"))
