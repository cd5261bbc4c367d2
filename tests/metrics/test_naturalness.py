from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import convolve
from scipy.signal.windows import gaussian
from scipy.special import gamma
from scipy.stats import gennorm
from skimage import data as photographs
from skimage.color import rgb2gray

from deblur_cli.errors import IncomparableError
from deblur_cli.metrics.naturalness import _asymmetric_gaussian, block_features

PHOTO = photographs.astronaut()[40:250, 120:320]
SHAPES = np.arange(0.2, 10.001, 0.001)
RATIOS = gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES))


def matlab_grey(picture):
    return np.round(picture.astype(np.float64) @ [0.2989, 0.5870, 0.1140])


def matlab_normalised(grey):
    taps = gaussian(7, 7 / 6)
    window = np.outer(taps, taps) / taps.sum() ** 2
    mean = convolve(grey, window, mode="nearest")
    deviation = np.sqrt(np.abs(convolve(grey**2, window, mode="nearest") - mean**2))
    return (grey - mean) / (deviation + 1), deviation


def matlab_cubic(x):
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def matlab_imresize_half(grey):
    """Row by row of the matrix that imresize(., 0.5) multiplies with."""

    def matrix(length):
        weights = np.zeros((length // 2, length))
        for row in range(length // 2):
            centre = 2 * row + 0.5
            for source in range(2 * row - 5, 2 * row + 7):
                mirrored = source if 0 <= source < length else -1 - source
                mirrored = mirrored if mirrored >= 0 else 2 * length + mirrored
                weights[row, mirrored] += 0.5 * matlab_cubic(0.5 * (source - centre))
        return weights / weights.sum(axis=1, keepdims=True)

    return matrix(grey.shape[0]) @ grey @ matrix(grey.shape[1]).T


def matlab_aggd(values):
    left = np.sqrt(np.mean(values[values < 0] ** 2))
    right = np.sqrt(np.mean(values[values > 0] ** 2))
    ratio = left / right
    target = np.mean(np.abs(values)) ** 2 / np.mean(values**2)
    target *= (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shape = SHAPES[np.argmin((RATIOS - target) ** 2)]
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale


def matlab_features(block):
    shape, left, right = matlab_aggd(block.ravel())
    features = [shape, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (-1, 1)):
        shape, left, right = matlab_aggd((block * np.roll(block, shift, (0, 1))).ravel())
        features += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return features


def blocks_of(plane, side):
    rows, columns = (length // side for length in plane.shape)
    return [
        plane[side * r : side * (r + 1), side * c : side * (c + 1)]
        for r in range(rows)
        for c in range(columns)
    ]


def test_features_equal_the_authors_program_in_float64():
    grey = matlab_grey(PHOTO)[:192, :192]
    normal, deviation = matlab_normalised(grey)
    halved, _ = matlab_normalised(matlab_imresize_half(grey))
    expected = [
        matlab_features(fine) + matlab_features(coarse)
        for fine, coarse in zip(blocks_of(normal, 96), blocks_of(halved, 48), strict=True)
    ]
    blocks = block_features(PHOTO)
    assert blocks.features.shape == (4, 36)
    np.testing.assert_allclose(blocks.features, expected, rtol=1e-9, atol=1e-9)
    sharpness = [block.mean() for block in blocks_of(deviation, 96)]
    np.testing.assert_allclose(blocks.sharpness, sharpness, rtol=1e-9)


@pytest.mark.parametrize("shape", [0.8, 1.5, 3.0])
def test_shape_of_generalised_gaussian_noise_is_found(shape):
    noise = gennorm.rvs(shape, scale=2, size=(2, 300, 300), random_state=0)
    found, left, right = _asymmetric_gaussian(noise)
    np.testing.assert_allclose(found, shape, rtol=0.03)
    np.testing.assert_allclose([left, right], 2, rtol=0.05)


@pytest.mark.parametrize(
    ("dtype", "white", "error"), [(np.uint16, 65535, 0), (np.float32, 1, 0.01)]
)
def test_depth_does_not_matter(dtype, white, error):
    """But for grey values halfway between two levels."""
    deep, eight = block_features((PHOTO * (white / 255)).astype(dtype)), block_features(PHOTO)
    np.testing.assert_allclose(deep.features, eight.features, rtol=0, atol=error)
    np.testing.assert_allclose(deep.sharpness, eight.sharpness, rtol=error)


def test_grey_pictures_are_taken_as_they_are():
    grey = np.round(255 * rgb2gray(PHOTO)).astype(np.uint8)
    repeated = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_allclose(
        block_features(grey).features, block_features(repeated).features, rtol=1e-6
    )


def test_flat_blocks_have_no_features():
    half = PHOTO[:96, :192].copy()
    half[:, 96:] = 0
    features = block_features(half).features
    assert np.isfinite(features[0]).all()
    assert np.isnan(features[1]).any()


@pytest.mark.parametrize("size", [(96, 191), (95, 400), (20, 20)])
def test_two_blocks_are_needed(size):
    with pytest.raises(IncomparableError, match=f"{size[1]}x{size[0]} pixels"):
        block_features(np.zeros((*size, 3), np.uint8))
