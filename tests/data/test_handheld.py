from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deblur_cli.data.camera import Camera, Picture
from deblur_cli.data.handheld import MOST_STEPS, HandheldVideo, Motion, mean_view

CLEAN = HandheldVideo(soft_share=0, camera=Camera(linear_share=0, noise_share=0, jpeg_share=0))
PLAIN = replace(CLEAN, depth_share=0, object_share=0)
each_kind = pytest.mark.parametrize("blur", [HandheldVideo(), CLEAN, PLAIN])


def noise_picture(height: int, width: int) -> Picture:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@each_kind
@pytest.mark.parametrize("size", [(64, 64), (120, 181), (33, 200)])
def test_a_photo_of_any_shape_keeps_it(blur: HandheldVideo, size: tuple[int, int]) -> None:
    sharp = noise_picture(*size)
    before = sharp.copy()
    for seed in range(4):
        blurred, truth = blur(np.random.default_rng(seed), sharp)
        assert blurred.shape == truth.shape == sharp.shape
        assert blurred.dtype == truth.dtype == np.uint8
        assert blurred.astype(float).std() < 0.8 * sharp.astype(float).std()
    assert np.array_equal(sharp, before)


@each_kind
def test_equal_seeds_give_equal_pairs_and_others_do_not(blur: HandheldVideo) -> None:
    sharp = noise_picture(64, 80)
    first, again, other = (blur(np.random.default_rng(seed), sharp)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_picture_of_one_colour_stays_so() -> None:
    sharp = np.broadcast_to(np.array([40, 120, 220], np.uint8), (70, 90, 3)).copy()
    for seed in range(10):
        blurred, _ = CLEAN(np.random.default_rng(seed), sharp)
        assert np.abs(blurred.astype(int) - sharp).max() <= 1


def test_the_truth_is_the_view_in_the_middle() -> None:
    sharp = noise_picture(60, 70)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        assert np.array_equal(CLEAN(rng, sharp)[1], sharp)
        middle = CLEAN._motion(rng, 30, 60, 70).view(0)
        np.testing.assert_allclose(middle, np.eye(2, 3), atol=1e-12)


def test_softened_photos_have_a_softened_truth() -> None:
    sharp = noise_picture(60, 70)
    _, truth = replace(CLEAN, soft_share=1)(np.random.default_rng(0), sharp)
    assert truth.astype(float).std() < 0.9 * sharp.astype(float).std()


def test_a_mean_over_whole_pixels_is_that_of_shifted_pictures() -> None:
    light = np.random.default_rng(1).random((30, 40, 3), np.float32)
    still = np.zeros(3)
    way = Motion(np.array([[3.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), still, still, np.zeros(2))
    found = mean_view(light, way, np.array([[-1.0], [0.0], [1.0]]))
    shifted = [np.roll(light, shift, (0, 1)) for shift in ((2, -3), (0, 0), (2, 3))]
    inner = np.s_[4:-4, 4:-4]
    np.testing.assert_allclose(found[inner], np.mean(shifted, axis=0)[inner], atol=1e-5)


@pytest.mark.parametrize("shutter", [0.0, 0.5, 1.0])
def test_light_is_taken_evenly_around_the_middle_of_each_frame(shutter: float) -> None:
    blur = replace(PLAIN, frames=(7, 13), shutter=(shutter, shutter))
    counts = set()
    for seed in range(30):
        times = blur._times(np.random.default_rng(seed), extent=40)
        frames = len(times)
        counts.add(frames)
        step = 2 / (frames - 1)
        np.testing.assert_allclose(times.mean(1), np.linspace(-1, 1, frames), atol=1e-12)
        assert np.ptp(times, axis=1).max() <= shutter * step
        assert times.shape[1] <= MOST_STEPS
    assert counts == {7, 9, 11, 13}


def test_the_way_is_as_long_as_drawn() -> None:
    straight = replace(PLAIN, bend=0)
    ways = [straight._motion(np.random.default_rng(seed), 20, 100, 100) for seed in range(200)]
    lengths = [2 * float(np.linalg.norm(way.shift[0])) for way in ways]
    assert 8 <= min(lengths) < 9
    assert 19 < max(lengths) <= 20
