from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.errors import UsageError
from deblur_cli.ops import causal_conv1d_silu
from tests.ops.problems import (
    assert_convolution_agrees,
    channel_major,
    token_major,
)

EVERY_BACKEND = pytest.mark.parametrize("backend", ["cpu", "torch", "reference"])


def test_reference_is_the_definition_written_out() -> None:
    x, weight, bias = torch.randn(1, 2, 5), torch.randn(2, 3), torch.randn(2)
    expected = torch.empty_like(x)
    for t in range(5):
        taps = [weight[:, k] * x[0, :, t - 2 + k] for k in range(3) if t - 2 + k >= 0]
        expected[0, :, t] = F.silu(bias + torch.stack(taps).sum(0))
    found = causal_conv1d_silu(x, weight, bias, backend="reference")
    torch.testing.assert_close(found, expected)


@EVERY_BACKEND
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 40),
    length=st.integers(1, 140),
    taps=st.integers(1, 9) | st.just(4),
    layout=st.sampled_from([token_major, channel_major]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
)
def test_values_and_gradients_agree_with_float64(backend: str, **sizes: object) -> None:
    assert_convolution_agrees(backend, **sizes)  # type: ignore[arg-type]


def test_token_major_output_for_token_major_input() -> None:
    x = torch.randn(2, 30, 16).transpose(1, 2)
    y = causal_conv1d_silu(x, torch.randn(16, 4), torch.randn(16), backend="cpu")
    assert y.transpose(1, 2).is_contiguous()


def test_misfits_are_named() -> None:
    x, weight, bias = torch.randn(1, 2, 5), torch.randn(2, 3), torch.randn(2)
    with pytest.raises(UsageError, match=r"weight \(D, K\)"):
        causal_conv1d_silu(x, weight[:1], bias)
    with pytest.raises(UsageError, match=r"bias must have shape \(2,\)"):
        causal_conv1d_silu(x, weight, bias[:1])
