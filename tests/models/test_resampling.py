"""Resampling by powers of two against its formula and torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deblur_cli.models.resampling import enlarge, shrink

factors = st.sampled_from([1, 2, 4, 8])
sides = st.integers(1, 5)


def triangles(length: int, factor: int) -> Tensor:
    """The matrix that makes an axis shorter: a triangle around each centre, of sum one."""
    centres = (torch.arange(length // factor, dtype=torch.float64) + 0.5) * factor
    distances = (torch.arange(length) + 0.5 - centres[:, None]).abs()
    weights = (1 - distances / factor).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)


@given(factors, sides, sides)
@settings(max_examples=20, deadline=None)
def test_shrinking_follows_its_formula(factor: int, rows: int, columns: int) -> None:
    height, width = factor * rows, factor * columns
    x = torch.rand(2, 3, height, width, dtype=torch.float64)
    expected = triangles(height, factor) @ x @ triangles(width, factor).T
    torch.testing.assert_close(shrink(x, factor), expected)


def test_shrinking_equals_torchs_antialiased_bilinear() -> None:
    x = torch.rand(2, 3, 24, 32, dtype=torch.float64)
    expected = F.interpolate(x, (6, 8), mode="bilinear", align_corners=False, antialias=True)
    torch.testing.assert_close(shrink(x, 4), expected)


@given(factors, sides, sides)
@settings(max_examples=20, deadline=None)
def test_enlarging_equals_torchs_bilinear(factor: int, rows: int, columns: int) -> None:
    x = torch.rand(2, 3, rows, columns, dtype=torch.float64)
    size = (factor * rows, factor * columns)
    expected = F.interpolate(x, size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(enlarge(x, factor), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_shrinks_as_well(dtype: torch.dtype) -> None:
    x = torch.rand(1, 4, 16, 24)
    shrunk = shrink(x.to(dtype), 4)
    assert shrunk.dtype == dtype
    torch.testing.assert_close(shrunk.float(), shrink(x, 4), rtol=0, atol=0.01)
