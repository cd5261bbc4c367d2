from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from deblur_cli.data.convolution import convolve


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    reach=st.integers(0, 25),
    height=st.integers(26, 40),
    width=st.integers(26, 40),
    density=st.sampled_from([0.02, 1.0]),
)
def test_agrees_with_scipy_in_float64(
    seed: int, reach: int, height: int, width: int, density: float
) -> None:
    rng = np.random.default_rng(seed)
    light = rng.random((height, width, 3), dtype=np.float32)
    size = 2 * reach + 1
    kernel = (rng.random((size, size)) * (rng.random((size, size)) < density)).astype(np.float32)
    expected = ndimage.convolve(
        light.astype(np.float64), kernel.astype(np.float64)[..., None], mode="mirror"
    )
    assert convolve(light, kernel) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_point_of_light_draws_the_kernel() -> None:
    kernel = np.random.default_rng(0).random((27, 27), dtype=np.float32)
    light = np.zeros((61, 61), np.float32)
    light[30, 30] = 1
    assert np.allclose(convolve(light, kernel)[17:44, 17:44], kernel)


def test_a_kernel_may_be_wider_than_the_picture() -> None:
    kernel = np.full((41, 41), 1 / 41**2, np.float32)
    assert convolve(np.ones((12, 15, 3), np.float32), kernel) == pytest.approx(1, abs=1e-5)
