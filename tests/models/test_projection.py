"""Projections with their activation, fused or not, against the formula in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from deblur_cli.models.projection import Projection


def gelu(x: Tensor) -> Tensor:
    """The tanh approximation."""
    return x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@pytest.mark.parametrize("learning", [True, False], ids=["with-gradient", "without"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [
        (torch.float64, 1e-12),
        (torch.float32, 1e-5),
        (torch.bfloat16, 0.03),
        (torch.float16, 0.005),
    ],
)
def test_it_follows_its_formula(dtype: torch.dtype, tolerance: float, learning: bool) -> None:
    torch.manual_seed(0)
    layer = Projection(12, 10).double()
    x = 2 * torch.randn(2, 5, 3, 12, dtype=torch.float64)
    other = torch.randn(2, 5, 3, 10, dtype=torch.float64)
    expected = x @ layer.weight.T + layer.bias
    layer.weight.data = layer.weight.data.to(dtype)
    if dtype != torch.float64:
        layer.bias.data = layer.bias.data.float()
    with torch.set_grad_enabled(learning):
        plain, activated = layer(x.to(dtype)), layer.gelu(x.to(dtype))
        halves = layer.gelu_halves(x.to(dtype))
        added, weighed = (
            layer.plus(x.to(dtype), other.to(dtype)),
            layer.times(x.to(dtype), other.to(dtype)),
        )
    for found, truth in (
        (plain, expected),
        (activated, gelu(expected)),
        (torch.cat(halves, dim=-1), gelu(expected)),
        (added, expected + other),
        (weighed, expected * other),
    ):
        assert found.dtype == dtype
        torch.testing.assert_close(found.double(), truth, rtol=tolerance, atol=tolerance)
    assert all(half.is_contiguous() for half in halves)


def test_it_learns() -> None:
    layer, x, other = Projection(6, 4), torch.randn(3, 6), torch.randn(3, 4)
    halves = torch.cat(layer.gelu_halves(x), dim=-1)
    for result in (halves, layer.gelu(x), layer.plus(x, other), layer.times(x, other)):
        (by_weight,) = torch.autograd.grad(result.square().sum(), layer.weight)
        assert by_weight.isfinite().all()
        assert by_weight.any()
