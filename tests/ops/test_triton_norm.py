"""The layer norm for GPUs, run by Triton's interpreter."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("triton", reason="triton comes for Linux only")

from deblur_cli.ops.triton import norm

TOLERANCE = {torch.float32: 5e-6, torch.bfloat16: 2e-2, torch.float16: 2e-3}


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    rows=st.integers(1, 90),
    channels=st.sampled_from([1, 32, 64, 100, 256]),
    offset=st.sampled_from([0.0, 3.0, -20.0]),
    dtype=st.sampled_from(sorted(TOLERANCE, key=str)),
    half_weights=st.booleans(),
    tile=st.sampled_from([256, 1024]),
)
def test_values_and_gradients_are_those_of_torch_in_float64(
    rows: int,
    channels: int,
    offset: float,
    dtype: torch.dtype,
    half_weights: bool,
    tile: int,
) -> None:
    generator = torch.Generator().manual_seed(rows)
    x = (torch.randn(2, rows, channels, generator=generator) + offset).to(dtype)
    weight, bias = torch.randn(2, channels, generator=generator)
    upper = torch.randn(2, rows, channels, generator=generator).to(dtype)
    leaves = [
        one.to(dtype if half_weights else one.dtype).requires_grad_() for one in (weight, bias)
    ]
    leaves.insert(0, x.requires_grad_())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(norm, "TILE", tile)
        found = norm.layer_norm(*leaves, 1e-2)
        found.backward(upper)
    exact = [one.detach().double().requires_grad_() for one in leaves]
    expected = torch.nn.functional.layer_norm(exact[0], (channels,), *exact[1:], 1e-2)
    expected.backward(upper.double())
    assert found.dtype == dtype
    for one, truth in [
        (found, expected),
        *((leaf.grad, other.grad) for leaf, other in zip(leaves, exact, strict=True)),
    ]:
        assert one is not None
        assert truth is not None
        error = (one.detach().double() - truth.detach()).abs().max()
        assert float(error / truth.detach().abs().max().clamp(min=1)) < 4 * TOLERANCE[dtype]
