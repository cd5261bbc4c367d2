from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deblur_cli.errors import IncomparableError
from deblur_cli.metrics import mae

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=20).map(lambda s: (*s, 3))


@settings(deadline=None)
@given(st.data(), st.sampled_from([(np.uint8, 255), (np.uint16, 65535)]), SHAPES)
def test_mae_equals_float64(data, kind, shape):
    dtype, white = kind
    a, b = (data.draw(arrays.arrays(dtype, shape)) for _ in range(2))
    expected = np.abs(a.astype(np.float64) - b).mean() / white
    assert mae(a, b) == pytest.approx(expected, rel=1e-12)


def test_mae_of_floats_is_in_units_of_white():
    truth = np.zeros((4, 5, 3), np.float32)
    assert mae(truth + np.float32(0.25), truth) == 0.25


@pytest.mark.parametrize(
    "other", [np.zeros((4, 6, 3), np.uint8), np.zeros((4, 5, 3), np.float32)], ids=["size", "dtype"]
)
def test_different_kinds_of_image_are_not_compared(other):
    with pytest.raises(IncomparableError, match="cannot compare"):
        mae(np.zeros((4, 5, 3), np.uint8), other)
