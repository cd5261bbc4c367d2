from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from deblur_cli.data.camera import SRGB, Camera
from deblur_cli.data.defocus import DefocusBlur
from deblur_cli.data.distributions import LogNormal

CLEAN = DefocusBlur(camera=Camera(linear_share=1, noise_share=0, jpeg_share=0))
WIDE_OPEN = replace(
    CLEAN,
    radius=LogNormal(median=7, sigma=0.01, low=7, high=7),
    layers_share=0,
    soft_share=0,
    cat_eye_share=1,
)


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


@pytest.mark.parametrize("blur", [CLEAN, WIDE_OPEN])
def test_a_picture_of_one_colour_stays_so(blur: DefocusBlur) -> None:
    sharp = np.broadcast_to(np.array([40, 120, 220], np.uint8), (70, 90, 3)).copy()
    for seed in range(10):
        blurred, _ = blur(np.random.default_rng(seed), sharp)
        assert np.abs(blurred.astype(int) - sharp).max() <= 1


def spot(blur: DefocusBlur, y: int, x: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """The second moments about its centroid (xx, xy, yy) of what a point of light becomes."""
    sharp = np.zeros((121, 161, 3), np.uint8)
    sharp[y - 1 : y + 2, x - 1 : x + 2] = 255
    blurred, _ = blur(np.random.default_rng(seed), sharp)
    light = SRGB.to_light(blurred)[..., 0].astype(np.float64)
    light /= light.sum()
    rows, columns = np.indices(light.shape)
    assert (light * rows).sum() == pytest.approx(y, abs=0.3)
    assert (light * columns).sum() == pytest.approx(x, abs=0.3)
    dy, dx = rows - y, columns - x
    return np.array([(light * part).sum() for part in (dx * dx, dx * dy, dy * dy)])


def test_highlights_are_round_in_the_centre_and_cat_eyes_about_it() -> None:
    """Of a whole picture, so that its centre is the lens's axis."""
    blur = replace(WIDE_OPEN, cat_eye=(1.0, 1.0), window=(1.0, 1.0))
    xx, xy, yy = spot(blur, 60, 80)
    assert xx == pytest.approx(yy, rel=0.01)
    assert xy == pytest.approx(0, abs=0.1)
    left_xx, _, left_yy = spot(blur, 60, 30)
    assert left_xx < 0.8 * left_yy
    top_xx, _, top_yy = spot(blur, 20, 80)
    assert top_yy < 0.85 * top_xx
    _, corner_xy, _ = spot(blur, 25, 35)
    _, opposite_xy, _ = spot(blur, 25, 125)
    assert corner_xy < -1
    assert opposite_xy > 1


def test_a_small_window_of_a_picture_has_nearly_equal_cat_eyes() -> None:
    blur = replace(WIDE_OPEN, cat_eye=(1.0, 1.0), window=(0.02, 0.02))
    first, second = (spot(blur, 30, x, seed=4) for x in (40, 120))
    assert first == pytest.approx(second, rel=0.05, abs=0.2)
    other = spot(blur, 30, 40, seed=5)
    assert first != pytest.approx(other, rel=0.05, abs=0.2)


@pytest.mark.parametrize("size", [(1, 40), (3, 3)])
def test_cat_eyes_in_a_tiny_photo(size: tuple[int, int]) -> None:
    sharp = np.full((*size, 3), 90, np.uint8)
    blurred, _ = WIDE_OPEN(np.random.default_rng(0), sharp)
    assert np.abs(blurred.astype(int) - 90).max() <= 1
