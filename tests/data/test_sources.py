from __future__ import annotations

import numpy as np
import pytest

from deblur_cli.data.camera import Picture
from deblur_cli.data.crops import PicturePair
from deblur_cli.data.motion import EASY_MOTION
from deblur_cli.data.sources import RealPairs, SyntheticPairs, grown
from deblur_cli.errors import UsageError


def gravel(height: int, width: int, seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def dimmed(rng: np.random.Generator, sharp: Picture) -> PicturePair:
    return sharp // 2, sharp


def unblurred(rng: np.random.Generator, sharp: Picture) -> PicturePair:
    return sharp, sharp


@pytest.mark.parametrize("size", [(200, 300), (40, 500), (50, 30)])
def test_synthetic_pairs_have_one_size_whatever_the_photo(size: tuple[int, int]) -> None:
    source = SyntheticPairs([gravel(*size)], dimmed, size=64, margin=8)
    for seed in range(10):
        blurred, sharp = source(np.random.default_rng(seed))
        assert blurred.shape == sharp.shape == (64, 64, 3)
        assert np.array_equal(blurred, sharp // 2)


def test_light_comes_in_over_the_margin() -> None:
    photo = gravel(120, 120)
    source = SyntheticPairs([photo], EASY_MOTION, size=104, margin=8, reduced_share=0)
    blurred, sharp = source(np.random.default_rng(0))
    assert np.array_equal(sharp, photo[8:-8, 8:-8])
    assert not np.array_equal(blurred, EASY_MOTION(np.random.default_rng(0), sharp)[0])


def test_crops_without_detail_are_drawn_again() -> None:
    photo = np.full((64, 640, 3), 90, np.uint8)
    photo[:, 320:] = gravel(64, 320)
    source = SyntheticPairs([photo], dimmed, size=48, margin=8, reduced_share=0)
    detailed = [np.ptp(source(np.random.default_rng(seed))[1]) > 0 for seed in range(60)]
    assert np.mean(detailed) > 0.85


def test_pairs_that_hardly_differ_are_drawn_again() -> None:
    calls = []

    def counted(rng: np.random.Generator, sharp: Picture) -> PicturePair:
        calls.append(sharp)
        return unblurred(rng, sharp)

    source = SyntheticPairs([gravel(64, 64)], counted, size=32, margin=4)
    for seed in range(20):
        source(np.random.default_rng(seed))
    assert len(calls) > 20 * 3


def test_real_pairs_are_cropped_alike_and_blurred_ones_preferred() -> None:
    sharp = gravel(90, 70)
    source = RealPairs([(sharp, sharp), (sharp // 2, sharp)], size=32)
    pairs = [source(np.random.default_rng(seed)) for seed in range(60)]
    assert all(np.array_equal(b, s // 2) or np.array_equal(b, s) for b, s in pairs)
    assert np.mean([not np.array_equal(b, s) for b, s in pairs]) > 0.8


def test_real_pairs_smaller_than_the_crop_are_refused() -> None:
    small = gravel(31, 200)
    with pytest.raises(UsageError, match="200x31"):
        RealPairs([(gravel(40, 40), gravel(40, 40)), (small, small)], size=32)


def test_a_small_photo_grows_by_mirroring() -> None:
    photo = gravel(5, 9)
    large = grown(photo, 8)
    assert large.shape == (8, 9, 3)
    assert np.array_equal(large[:5], photo)
    assert np.array_equal(large[5], photo[3])
    assert grown(photo, 4) is photo


def test_a_source_may_ask_for_pairs_without_difference() -> None:
    calls = []

    def counted(rng: np.random.Generator, sharp: Picture) -> PicturePair:
        calls.append(sharp)
        return unblurred(rng, sharp)

    source = SyntheticPairs([gravel(90, 90)], counted, size=64, margin=8, least_difference=0)
    source(np.random.default_rng(0))
    assert len(calls) == 1
