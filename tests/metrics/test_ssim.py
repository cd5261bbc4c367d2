from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import correlate1d
from scipy.signal.windows import gaussian
from skimage import data as photographs
from skimage.filters import gaussian as blur
from skimage.metrics import structural_similarity

from deblur_cli.errors import IncomparableError
from deblur_cli.metrics import ssim, ssim_matlab3d

PHOTO = photographs.astronaut()[100:228, 150:310]
BLURRED = np.round(255 * blur(PHOTO, 1, channel_axis=2)).astype(np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (2, 23, 17, 3), np.uint8)
BRIGHT = np.stack([np.full((40, 50, 3), 250, np.uint8), np.full((40, 50, 3), 252, np.uint8)])
PAIRS = {
    "blurred": (BLURRED, PHOTO),
    "noise": tuple(NOISE),
    "flat and bright": tuple(BRIGHT),
    "inverse": (255 - PHOTO, PHOTO),
}


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


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())
def test_ssim_equals_scikit_image(pair):
    expected = structural_similarity(
        *(image.astype(np.float64) for image in pair),
        channel_axis=2,
        gaussian_weights=True,
        use_sample_covariance=False,
        data_range=255,
    )
    assert ssim(*pair) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())
def test_ssim_matlab3d_equals_float64_convolution(pair):
    assert ssim_matlab3d(*pair) == pytest.approx(matlab3d_float64(*pair), abs=2e-6)


@pytest.mark.parametrize("metric", [ssim, ssim_matlab3d])
@pytest.mark.parametrize(("dtype", "scale"), [(np.uint16, 257), (np.float32, 1 / 255)])
def test_depth_does_not_matter(metric, dtype, scale):
    deep = [(image.astype(np.float64) * scale).astype(dtype) for image in (BLURRED, PHOTO)]
    assert metric(*deep) == pytest.approx(metric(BLURRED, PHOTO), abs=2e-6)


@pytest.mark.parametrize("metric", [ssim, ssim_matlab3d])
def test_identical_images_are_fully_similar(metric):
    assert metric(PHOTO, PHOTO.copy()) == pytest.approx(1, abs=1e-7)


def test_ssim_takes_grey_images():
    expected = np.mean([ssim(BLURRED[..., c], PHOTO[..., c]) for c in range(3)])
    assert ssim(BLURRED, PHOTO) == pytest.approx(expected, abs=2e-6)


def test_ssim_needs_a_whole_window():
    with pytest.raises(IncomparableError, match="11 pixels a side"):
        ssim(PHOTO[:10], PHOTO[:10])


def test_ssim_matlab3d_takes_any_size():
    assert ssim_matlab3d(BLURRED[:1, :1], PHOTO[:1, :1]) == pytest.approx(
        matlab3d_float64(BLURRED[:1, :1], PHOTO[:1, :1]), abs=2e-6
    )


def test_ssim_matlab3d_needs_channels():
    with pytest.raises(IncomparableError, match="channels"):
        ssim_matlab3d(PHOTO[..., 0], PHOTO[..., 0])
