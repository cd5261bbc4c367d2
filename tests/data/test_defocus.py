from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.data.camera import Camera
from deblur_cli.data.defocus import DefocusBlur, aperture_kernel, softened

CLEAN = DefocusBlur(camera=Camera(linear_share=1, noise_share=0, jpeg_share=0))


@settings(deadline=None)
@given(st.floats(2, 12), st.sampled_from([0, 5, 6, 7, 8]), st.floats(0, 6.3))
def test_an_aperture_has_the_area_and_second_moment_of_its_shape(
    radius: float, blades: int, rotation: float
) -> None:
    kernel = aperture_kernel(radius, blades, rotation).astype(np.float64)
    reach = kernel.shape[0] // 2
    axis = np.arange(-reach, reach + 1)
    x, y = np.meshgrid(axis, axis)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert (kernel * x).sum() == pytest.approx(0, abs=0.03)
    assert (kernel * y).sum() == pytest.approx(0, abs=0.03)
    spread = (kernel * (x**2 + y**2)).sum()
    assert spread == pytest.approx(radius**2 / 2 + 1 / 6, rel=0.08)
    assert 1 / kernel.max() == pytest.approx(np.pi * radius**2, rel=0.05)


def test_a_disk_is_zero_beyond_its_radius_and_even_within() -> None:
    kernel = aperture_kernel(6.0)
    reach = kernel.shape[0] // 2
    axis = np.arange(-reach, reach + 1)
    distance = np.hypot(*np.meshgrid(axis, axis))
    assert np.all(kernel[distance > 7] == 0)
    assert np.ptp(kernel[distance < 5]) < 1e-7


def test_a_small_disk_gives_each_pixel_the_area_it_covers() -> None:
    kernel = aperture_kernel(1.0)
    assert kernel.max() == pytest.approx(1 / np.pi, rel=0.02)


def test_softening_keeps_the_sum_and_adds_the_gaussians_spread() -> None:
    kernel = softened(aperture_kernel(4.0), sigma=1.5)
    reach = kernel.shape[0] // 2
    axis = np.arange(-reach, reach + 1)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    variance = (kernel.sum(axis=0) * axis**2).sum()
    assert variance == pytest.approx(4**2 / 4 + 1 / 12 + 1.5**2, rel=0.03)


@pytest.mark.parametrize("size", [(64, 64), (120, 181), (33, 200)])
def test_a_photo_of_any_shape_keeps_it_and_the_truth_is_the_photo(size: tuple[int, int]) -> None:
    sharp = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    blurred, truth = DefocusBlur()(np.random.default_rng(2), sharp)
    assert blurred.shape == sharp.shape
    assert blurred.dtype == np.uint8
    assert truth is sharp


def test_equal_seeds_give_equal_pairs_and_others_do_not() -> None:
    sharp = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    first, again, other = (
        DefocusBlur()(np.random.default_rng(seed), sharp)[0] for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_picture_of_one_colour_stays_so() -> None:
    sharp = np.broadcast_to(np.array([40, 120, 220], np.uint8), (70, 90, 3)).copy()
    for seed in range(10):
        blurred, _ = CLEAN(np.random.default_rng(seed), sharp)
        assert np.abs(blurred.astype(int) - sharp).max() <= 1
