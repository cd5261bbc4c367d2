from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.data.trajectory import Kernel, arc_path, blur_kernel, camera_path, fit_extent

seeds = st.integers(0, 2**32 - 1)
extents = st.floats(0.5, 60)


def kernel_centroid(kernel: Kernel) -> tuple[float, float]:
    reach = kernel.shape[0] // 2
    axis = np.arange(-reach, reach + 1)
    weights = kernel.astype(np.float64)
    return float((weights.sum(axis=0) * axis).sum()), float((weights.sum(axis=1) * axis).sum())


@settings(deadline=None)
@given(seeds, extents, st.sampled_from([0.0, 0.6, 1.0]))
def test_a_path_has_its_centroid_at_zero_and_the_extent_asked_for(
    seed: int, extent: float, straight_share: float
) -> None:
    path = camera_path(np.random.default_rng(seed), extent, straight_share)
    assert np.allclose(path.mean(axis=0), 0, atol=1e-9)
    assert np.ptp(path, axis=0).max() == pytest.approx(extent)


@settings(deadline=None)
@given(seeds, extents)
def test_a_kernel_is_a_distribution_with_its_centroid_at_the_centre(
    seed: int, extent: float
) -> None:
    kernel = blur_kernel(camera_path(np.random.default_rng(seed), extent))
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    assert kernel.min() >= 0
    assert kernel.sum(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    assert np.abs(kernel_centroid(kernel)).max() < 1e-4


def test_the_kernel_of_a_resting_camera_is_a_point() -> None:
    kernel = blur_kernel(np.zeros((15, 2)))
    assert kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] == 1


def test_the_kernel_of_an_even_horizontal_pan_is_a_box() -> None:
    path = np.stack([np.linspace(-4, 4, 9), np.zeros(9)], axis=1)
    row = blur_kernel(path)[5]
    assert row == pytest.approx([0] + [1 / 9] * 9 + [0])


def test_arcs_are_nearly_straight() -> None:
    rng = np.random.default_rng(3)
    paths = [fit_extent(arc_path(rng, 60), 30) for _ in range(200)]
    minor_to_major = [np.divide(*np.linalg.svd(path, compute_uv=False)[::-1]) for path in paths]
    assert np.median(minor_to_major) < 0.15


def test_equal_seeds_give_equal_paths() -> None:
    first, second = (camera_path(np.random.default_rng(5), 20) for _ in range(2))
    assert np.array_equal(first, second)
