from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.ops import norm
from deblur_cli.ops.norm import layer_norm

TOLERANCE = {torch.float64: 1e-12, torch.float32: 5e-6, torch.bfloat16: 1e-2}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    rows=st.integers(1, 50),
    channels=st.sampled_from([16, 32, 48, 128]) | st.integers(2, 40),
    offset=st.sampled_from([0.0, 3.0, -20.0]),
    dtype=st.sampled_from(sorted(TOLERANCE, key=str)),
    threads=st.integers(1, 3),
    learning=st.booleans(),
)
def test_every_row_follows_the_formula(
    rows: int, channels: int, offset: float, dtype: torch.dtype, threads: int, learning: bool
) -> None:
    generator = torch.Generator().manual_seed(rows)
    x = (torch.randn(2, rows, channels, generator=generator) + offset).to(dtype)
    parameter_dtype = torch.promote_types(dtype, torch.float32)
    weight, bias = torch.randn(2, channels, generator=generator).to(parameter_dtype)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.set_grad_enabled(learning):
            found = layer_norm(x, weight, bias, 1e-6)
    finally:
        torch.set_num_threads(before)
    exact = x.double()
    centred = exact - exact.mean(-1, keepdim=True)
    deviation = (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    expected = centred / deviation * weight + bias
    assert found.dtype == dtype
    torch.testing.assert_close(
        found.double(), expected, rtol=TOLERANCE[dtype], atol=10 * TOLERANCE[dtype]
    )


def test_the_kernel_is_what_runs_without_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(norm.F, "layer_norm")
    x, weight, bias = torch.randn(3, 5, 32), torch.ones(32), torch.zeros(32)
    with torch.no_grad():
        layer_norm(x, weight, bias, 1e-6)
        with pytest.raises(AttributeError):
            layer_norm(x.transpose(0, 1), weight, bias, 1e-6)


def test_constant_rows_become_the_bias() -> None:
    bias = torch.arange(16.0)
    with torch.no_grad():
        found = layer_norm(torch.full((7, 16), 3.25), torch.ones(16), bias, 1e-6)
    assert torch.equal(found, bias.expand(7, 16))


def test_what_is_not_a_number_stays_in_its_row() -> None:
    x = torch.randn(40, 32)
    x[21, 3] = torch.nan
    with torch.no_grad():
        found = layer_norm(x, torch.ones(32), torch.zeros(32), 1e-6)
    assert found.isnan().all(1).nonzero().tolist() == [[21]]
    assert found.isnan().sum() == 32


def test_it_learns() -> None:
    x = torch.randn(5, 32, requires_grad=True)
    weight = torch.ones(32, requires_grad=True)
    layer_norm(x, weight, torch.zeros(32), 1e-6).square().sum().backward()
    assert x.grad is not None
    assert weight.grad is not None
