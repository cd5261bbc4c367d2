from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage import data as photographs
from skimage.metrics import peak_signal_noise_ratio

from deblur_cli.errors import IncomparableError
from deblur_cli.metrics import psnr, psnr_best_shift, psnr_colour_fit

RNG = np.random.default_rng(0)
PHOTO = photographs.astronaut()[100:228, 150:310]
NOISY = np.clip(PHOTO + RNG.normal(0, 8, PHOTO.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(np.uint8, 1), (np.uint16, 257), (np.float32, 1 / 255), (np.float64, 1 / 255)],
)
def test_psnr_equals_scikit_image(dtype, scale):
    restored, truth = ((image.astype(np.float64) * scale).astype(dtype) for image in (NOISY, PHOTO))
    white = scale * 255
    expected = peak_signal_noise_ratio(
        truth.astype(np.float64), restored.astype(np.float64), data_range=white
    )
    assert psnr(restored, truth) == pytest.approx(expected, rel=1e-6)


@settings(deadline=None)
@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=3, max_side=9)))
def test_identical_images_have_infinite_psnr(image):
    assert psnr(image, image.copy()) == math.inf


def test_opposite_images_have_zero_psnr_even_if_large():
    black = np.zeros((3000, 3000, 3), np.uint8)
    assert psnr(black, black + np.uint8(255)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("metric", [psnr, psnr_colour_fit])
def test_broken_images_are_not_perfect(metric):
    broken = (PHOTO / 255).astype(np.float32)
    broken[3, 4] = np.nan
    assert math.isnan(metric(broken, (PHOTO / 255).astype(np.float32)))


def test_views_are_compared_like_copies():
    assert psnr(NOISY[::2, ::-1, 1], PHOTO[::2, ::-1, 1]) == psnr(
        NOISY[::2, ::-1, 1].copy(), PHOTO[::2, ::-1, 1].copy()
    )


@settings(deadline=None)
@given(st.integers(-6, 6), st.integers(-6, 6))
def test_best_shift_finds_a_moved_image(dy, dx):
    moved = np.roll(PHOTO, (dy, dx), (0, 1))
    assert psnr_best_shift(moved, PHOTO) == math.inf


def test_best_shift_without_radius_is_the_plain_psnr():
    assert psnr_best_shift(NOISY, PHOTO, radius=0) == psnr(NOISY, PHOTO)


def test_best_shift_needs_pixels_inside_the_border():
    small = np.zeros((12, 40, 3), np.uint8)
    with pytest.raises(IncomparableError, match="13 pixels a side"):
        psnr_best_shift(small, small)


@settings(deadline=None)
@given(st.floats(0.2, 3), st.floats(-0.5, 0.5))
def test_colour_fit_undoes_an_affine_change_of_the_truth(gain, offset):
    truth = PHOTO / 255
    changed = truth * [gain, 1, 1 / gain] + [offset, 0, -offset]
    assert psnr_colour_fit(changed, truth) > 200


def test_colour_fit_equals_least_squares():
    expected = []
    for channel in range(3):
        r, t = (image[..., channel].ravel().astype(np.float64) for image in (NOISY, PHOTO))
        _, residual, *_ = np.linalg.lstsq(np.stack([r, np.ones_like(r)], 1), t)
        expected.append(residual[0] / t.size)
    assert psnr_colour_fit(NOISY, PHOTO) == pytest.approx(
        10 * math.log10(255**2 / np.mean(expected)), rel=1e-9
    )


def test_colour_fit_of_a_flat_image_leaves_the_spread_of_the_truth():
    flat = np.full_like(PHOTO, 7)
    expected = 10 * math.log10(255**2 / PHOTO.var(axis=(0, 1)).mean())
    assert psnr_colour_fit(flat, PHOTO) == pytest.approx(expected)
