"""GELU against its formula in float64, by whichever kernel computes it."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.ops import gelu as module
from deblur_cli.ops.gelu import gelu

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6, torch.bfloat16: 2**-8}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    rows=st.integers(1, 600),
    columns=st.sampled_from([1, 5, 16, 48]),
    scale=st.sampled_from([0.1, 1.0, 30.0]),
    dtype=st.sampled_from(sorted(TOLERANCE, key=str)),
    threads=st.integers(1, 3),
    learning=st.booleans(),
)
def test_every_number_follows_the_formula(
    rows: int, columns: int, scale: float, dtype: torch.dtype, threads: int, learning: bool
) -> None:
    generator = torch.Generator().manual_seed(rows)
    x = (scale * torch.randn(rows, columns, generator=generator)).to(dtype)
    exact = x.double()
    inner = math.sqrt(2 / math.pi) * (exact + 0.044715 * exact**3)
    expected = exact * torch.sigmoid(2 * inner)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.set_grad_enabled(learning):
            found = gelu(x)
    finally:
        torch.set_num_threads(before)
    assert found.dtype == dtype
    torch.testing.assert_close(
        found.double(), expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype]
    )


def test_the_kernel_is_what_runs_without_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(module.F, "gelu")
    with torch.no_grad():
        gelu(torch.randn(3, 32))
        with pytest.raises(AttributeError):
            gelu(torch.randn(3, 33))


def test_extremes_keep_their_place() -> None:
    x = torch.zeros(32)
    x[[1, 2, 3]] = torch.tensor([torch.nan, 1e30, -1e30])
    with torch.no_grad():
        found = gelu(x)
    assert found.isnan().nonzero().tolist() == [[1]]
    assert found[2] == 1e30
    assert (found[3:] == 0).all()


def test_it_learns() -> None:
    x = torch.randn(4, 16, requires_grad=True)
    gelu(x).square().sum().backward()
    assert x.grad is not None
    assert x.grad.any()
