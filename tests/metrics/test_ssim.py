from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d
from scipy.signal.windows import gaussian
from skimage import data as photographs
from skimage.filters import gaussian as blur
from skimage.metrics import structural_similarity

from deblur_cli.errors import IncomparableError
from deblur_cli.metrics import ssim, ssim_both, ssim_matlab3d, ssim_uniform
from deblur_cli.metrics.ssim import similarity_map

PHOTO = photographs.astronaut()[100:228, 150:310]
BLURRED = np.round(255 * blur(PHOTO, 1, channel_axis=2)).astype(np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (2, 23, 17, 3), np.uint8)
BRIGHT = np.stack([np.full((40, 50, 3), 250, np.uint8), np.full((40, 50, 3), 252, np.uint8)])
ALIKE, UNLIKE = 1e-7, 5e-6
PAIRS = {
    "blurred": (BLURRED, PHOTO, ALIKE),
    "flat and bright": (*BRIGHT, ALIKE),
    "noise": (*NOISE, UNLIKE),
    "inverse": (255 - PHOTO, PHOTO, UNLIKE),
}
LARGE = np.tile(PHOTO, (2, 3, 1))[:243, :331]


def matlab3d_float64(restored, truth):
    weights = gaussian(11, 1.5)

    def smooth(volume):
        for axis in range(3):
            volume = correlate1d(volume, weights / weights.sum(), axis, mode="nearest")
        return volume

    x, y, c1, c2 = restored.astype(np.float64), truth.astype(np.float64), 2.55**2, 7.65**2
    mx, my = smooth(x), smooth(y)
    vx, vy, cov = smooth(x * x) - mx**2, smooth(y * y) - my**2, smooth(x * y) - mx * my
    return np.mean((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))


def scikit_float64(restored, truth, **options):
    images = (image.astype(np.float64) for image in (restored, truth))
    return structural_similarity(*images, channel_axis=2, data_range=255, **options)


GAUSSIAN = {"gaussian_weights": True, "use_sample_covariance": False}


@pytest.mark.parametrize(("restored", "truth", "error"), PAIRS.values(), ids=PAIRS.keys())
def test_ssim_equals_scikit_image(restored, truth, error):
    expected = scikit_float64(restored, truth, **GAUSSIAN)
    assert ssim(restored, truth) == pytest.approx(expected, abs=error)


@pytest.mark.parametrize(("restored", "truth", "error"), PAIRS.values(), ids=PAIRS.keys())
def test_ssim_uniform_equals_scikit_image_without_options(restored, truth, error):
    expected = scikit_float64(restored, truth)
    assert ssim_uniform(restored, truth) == pytest.approx(expected, abs=error)


@pytest.mark.parametrize(("restored", "truth", "error"), PAIRS.values(), ids=PAIRS.keys())
def test_ssim_matlab3d_equals_float64_convolution(restored, truth, error):
    expected = matlab3d_float64(restored, truth)
    assert ssim_matlab3d(restored, truth) == pytest.approx(expected, abs=error)


def test_images_of_several_tiles_are_judged_without_seams():
    restored = np.round(255 * blur(LARGE, 1, channel_axis=2)).astype(np.uint8)
    expected, each = structural_similarity(
        restored.astype(np.float64),
        LARGE.astype(np.float64),
        channel_axis=2,
        data_range=255,
        full=True,
        **GAUSSIAN,
    )
    inner = slice(5, -5)
    judged = similarity_map(restored, LARGE)
    np.testing.assert_allclose(judged[inner, inner], each[inner, inner], atol=1e-4)
    assert ssim(restored, LARGE) == pytest.approx(expected, abs=ALIKE)
    volume = matlab3d_float64(restored, LARGE)
    assert ssim_matlab3d(restored, LARGE) == pytest.approx(volume, abs=ALIKE)


@settings(deadline=None, max_examples=20)
@given(st.integers(11, 140), st.integers(11, 180))
def test_both_are_what_each_is_alone(height, width):
    pair = BLURRED[:height, :width], PHOTO[:height, :width]
    assert ssim_both(*pair) == pytest.approx((ssim(*pair), ssim_matlab3d(*pair)), abs=1e-9)


@pytest.mark.parametrize("metric", [ssim, ssim_matlab3d, ssim_uniform])
@pytest.mark.parametrize(("dtype", "scale"), [(np.uint16, 257), (np.float32, 1 / 255)])
def test_depth_does_not_matter(metric, dtype, scale):
    deep = [(image.astype(np.float64) * scale).astype(dtype) for image in (BLURRED, PHOTO)]
    assert metric(*deep) == pytest.approx(metric(BLURRED, PHOTO), abs=ALIKE)


@pytest.mark.parametrize("metric", [ssim, ssim_matlab3d, ssim_uniform])
def test_identical_images_are_fully_similar(metric):
    assert metric(PHOTO, PHOTO.copy()) == 1


def test_ssim_takes_grey_images():
    expected = np.mean([ssim(BLURRED[..., c], PHOTO[..., c]) for c in range(3)])
    assert ssim(BLURRED, PHOTO) == pytest.approx(expected, abs=ALIKE)


def test_ssim_needs_a_whole_window():
    with pytest.raises(IncomparableError, match="11 pixels a side"):
        ssim(PHOTO[:10], PHOTO[:10])


def test_ssim_uniform_needs_a_whole_window():
    with pytest.raises(IncomparableError, match="7 pixels a side"):
        ssim_uniform(PHOTO[:, :6], PHOTO[:, :6])


def test_ssim_matlab3d_takes_any_size():
    assert ssim_matlab3d(BLURRED[:1, :1], PHOTO[:1, :1]) == pytest.approx(
        matlab3d_float64(BLURRED[:1, :1], PHOTO[:1, :1]), abs=ALIKE
    )


@pytest.mark.parametrize("metric", [ssim_matlab3d, ssim_both])
def test_ssim_matlab3d_needs_channels(metric):
    with pytest.raises(IncomparableError, match="channels"):
        metric(PHOTO[..., 0], PHOTO[..., 0])
