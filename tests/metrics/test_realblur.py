from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from skimage import data as photographs
from skimage.metrics import structural_similarity

from deblur_cli.errors import IncomparableError
from deblur_cli.metrics import psnr, ssim
from deblur_cli.metrics.realblur import Aligned, align, realblur_psnr, realblur_ssim

TRUTH = (photographs.astronaut()[60:220, 130:330] / 255).astype(np.float32)
HOMOGRAPHY = np.array([[1.004, 0.003, 3.2], [-0.002, 0.997, -2.1], [2e-6, 1e-6, 1]])


def moved(truth: np.ndarray) -> np.ndarray:
    """Seen by a camera a little elsewhere, darker: sampled with SciPy's cubic splines."""
    y, x = np.mgrid[: truth.shape[0], : truth.shape[1]]
    source = HOMOGRAPHY @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    places = (source[:2] / source[2])[::-1]
    channels = [map_coordinates(truth[..., c], places, order=3, mode="mirror") for c in range(3)]
    return np.float32(0.8) * np.stack(channels, -1).reshape(truth.shape).clip(0, 1)


@pytest.fixture(scope="module")
def aligned() -> Aligned:
    return align(moved(TRUTH), TRUTH)


def test_alignment_undoes_a_homography_and_an_exposure(aligned):
    assert aligned.converged
    assert psnr(moved(TRUTH), TRUTH) < 18
    assert realblur_psnr(aligned, TRUTH) > 32
    assert realblur_ssim(aligned, TRUTH) > 0.97


def test_mask_leaves_out_what_the_restored_picture_does_not_show(aligned):
    height, width = TRUTH.shape[:2]
    y, x = np.mgrid[:height, :width]
    source = np.linalg.inv(HOMOGRAPHY) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    column, row = (source[:2] / source[2]).reshape(2, height, width)
    margin = 1
    inside = (column > margin) & (column < width - 1 - margin)
    inside &= (row > margin) & (row < height - 1 - margin)
    outside = (column < -margin) | (column > width - 1 + margin)
    outside |= (row < -margin) | (row > height - 1 + margin)
    assert aligned.mask[inside].all()
    assert outside.any()
    assert not aligned.mask[outside].any()
    assert not aligned.picture[~aligned.mask].any()


def test_figures_equal_float64_over_the_mask(aligned):
    picture, mask = aligned.picture.astype(np.float64), aligned.mask[..., None]
    truth = TRUTH.astype(np.float64) * mask
    error = np.sum((truth - picture) ** 2) / np.sum(np.broadcast_to(mask, truth.shape))
    _, similarity = structural_similarity(
        truth,
        picture,
        channel_axis=2,
        gaussian_weights=True,
        use_sample_covariance=False,
        data_range=1,
        full=True,
    )
    inner = (slice(5, -5), slice(5, -5))
    each = (similarity * mask)[inner].sum((0, 1)) / mask[inner].sum((0, 1))
    assert realblur_psnr(aligned, TRUTH) == pytest.approx(10 * math.log10(1 / error), abs=1e-4)
    assert realblur_ssim(aligned, TRUTH) == pytest.approx(each.mean(), abs=1e-6)


def test_scale_is_the_least_squares_one_in_any_depth():
    deep = np.round(TRUTH * 65535).astype(np.uint16)
    half = align(deep // 2, deep)
    assert half.converged
    assert realblur_psnr(half, deep) > 80


def test_pictures_without_common_structure_are_scaled_and_reported():
    result = align(np.full_like(TRUTH, 0.25), TRUTH)
    assert not result.converged
    assert result.mask.all()
    np.testing.assert_allclose(result.picture, TRUTH.mean(dtype=np.float64), rtol=1e-5)
    assert realblur_psnr(result, TRUTH) == pytest.approx(psnr(result.picture, TRUTH), abs=1e-4)
    assert realblur_ssim(result, TRUTH) == pytest.approx(ssim(result.picture, TRUTH), abs=1e-6)


def test_black_pictures_have_no_scale():
    result = align(np.zeros_like(TRUTH), TRUTH)
    assert not result.converged
    assert not result.picture.any()


def test_other_errors_of_the_alignment_are_no_failure_to_converge(monkeypatch):
    def broken(*_):
        cv2.cvtColor(np.zeros((2, 2), np.float32), cv2.COLOR_RGB2GRAY)

    monkeypatch.setattr(cv2, "findTransformECC", broken)
    with pytest.raises(cv2.error):
        align(TRUTH, TRUTH)


def test_pictures_of_different_sizes_are_not_aligned():
    with pytest.raises(IncomparableError, match="cannot compare"):
        align(TRUTH[1:], TRUTH)


def test_grey_pictures_are_not_aligned():
    with pytest.raises(IncomparableError, match="160x200 float32 image is not red"):
        align(TRUTH[..., 0], TRUTH[..., 0])


def test_perfect_pictures_have_infinite_psnr():
    whole = Aligned(TRUTH, np.ones(TRUTH.shape[:2], np.bool_), converged=True)
    assert realblur_psnr(whole, TRUTH) == math.inf
    assert realblur_ssim(whole, TRUTH) == 1
