from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from deblur_cli.data.convolution import convolve, convolve_varying


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


def test_an_unvarying_kernel_gives_the_plain_convolution() -> None:
    rng = np.random.default_rng(0)
    light = rng.random((37, 52, 3), dtype=np.float32)
    kernel = rng.random((15, 15), dtype=np.float32)
    varying = convolve_varying(light, lambda x, y: kernel, nodes=4)
    assert varying == pytest.approx(convolve(light, kernel), rel=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(3, 30),
    width=st.integers(3, 30),
    nodes=st.integers(2, 5),
)
def test_a_varying_kernel_is_mixed_bilinearly_between_the_nodes(
    seed: int, height: int, width: int, nodes: int
) -> None:
    """Against scipy in float64, one whole convolution for each node."""
    rng = np.random.default_rng(seed)
    light = rng.random((height, width, 3), dtype=np.float32)
    kernels = rng.random((nodes, nodes, 5, 5)).astype(np.float32)
    down, across = ((length - 1) / (nodes - 1) for length in (height, width))
    expected = np.zeros((height, width, 3))
    rows, columns = np.indices((height, width))
    for i in range(nodes):
        for j in range(nodes):
            share = np.clip(1 - np.abs(rows / down - i), 0, 1)
            share *= np.clip(1 - np.abs(columns / across - j), 0, 1)
            kernel = kernels[i, j].astype(np.float64)[..., None]
            blurred = ndimage.convolve(light.astype(np.float64), kernel, mode="mirror")
            expected += share[..., None] * blurred
    varying = convolve_varying(
        light, lambda x, y: kernels[round(y / down), round(x / across)], nodes
    )
    assert varying == pytest.approx(expected, rel=1e-4, abs=1e-4)
