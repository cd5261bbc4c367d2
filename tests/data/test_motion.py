from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deblur_cli.data.camera import Camera, Picture
from deblur_cli.data.distributions import LogNormal
from deblur_cli.data.motion import (
    EASY_MOTION,
    MotionBlur,
    brighten_highlights,
    with_moving_object,
)

CLEAN = Camera(noise_share=0, jpeg_share=0)
SHAKE = MotionBlur(affine_share=0, lights_share=0, camera=CLEAN)
TURN = MotionBlur(affine_share=1, lights_share=0, camera=CLEAN)
BRANCHES = {"easy": EASY_MOTION, "shake": SHAKE, "turn": TURN, "all": MotionBlur()}
each_branch = pytest.mark.parametrize("blur", BRANCHES.values(), ids=BRANCHES.keys())


def noise_picture(height: int, width: int) -> Picture:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@each_branch
@pytest.mark.parametrize("size", [(64, 64), (120, 181), (33, 200)])
def test_a_photo_of_any_shape_keeps_it(blur: MotionBlur, size: tuple[int, int]) -> None:
    sharp = noise_picture(*size)
    for seed in range(4):
        blurred, truth = blur(np.random.default_rng(seed), sharp)
        assert blurred.shape == truth.shape == sharp.shape
        assert blurred.dtype == truth.dtype == np.uint8
        assert blurred.astype(float).std() < 0.8 * sharp.astype(float).std()


@each_branch
def test_equal_seeds_give_equal_pairs_and_others_do_not(blur: MotionBlur) -> None:
    sharp = noise_picture(64, 80)
    first, again, other = (blur(np.random.default_rng(seed), sharp)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@each_branch
def test_the_input_is_left_as_it_is(blur: MotionBlur) -> None:
    sharp = noise_picture(64, 64)
    before = sharp.copy()
    blur(np.random.default_rng(1), sharp)
    assert np.array_equal(sharp, before)


@pytest.mark.parametrize("blur", [EASY_MOTION, SHAKE, TURN], ids=["easy", "shake", "turn"])
def test_a_picture_of_one_colour_stays_so(blur: MotionBlur) -> None:
    sharp = np.broadcast_to(np.array([40, 120, 220], np.uint8), (70, 90, 3)).copy()
    for seed in range(10):
        blurred, _ = blur(np.random.default_rng(seed), sharp)
        assert np.abs(blurred.astype(int) - sharp).max() <= 1


@pytest.mark.parametrize("blur", [EASY_MOTION, SHAKE, TURN], ids=["easy", "shake", "turn"])
def test_blur_keeps_the_energy_and_the_place_of_a_light(blur: MotionBlur) -> None:
    plain = replace(
        blur,
        extent=LogNormal(12, 0.1, 10, 14),
        mixed_share=0,
        object_share=0,
        turn=0,
        zoom=0,
        camera=replace(CLEAN, linear_share=0),
    )
    sharp = np.zeros((81, 81, 3), np.uint8)
    sharp[36:45, 36:45] = 240
    axis = np.arange(81.0)
    for seed in range(8):
        blurred, _ = plain(np.random.default_rng(seed), sharp)
        light = blurred[..., 0].astype(float)
        assert light.sum() == pytest.approx(sharp[..., 0].sum(dtype=float), rel=0.02)
        centre = [(light.sum(axis=side) * axis).sum() / light.sum() for side in (0, 1)]
        assert centre == pytest.approx([40, 40], abs=0.3)


def test_highlights_streak_and_the_truth_stays_clipped() -> None:
    sharp = np.full((61, 61, 3), 20, np.uint8)
    sharp[28:33, 28:33] = 255
    lights = replace(EASY_MOTION, lights_share=1.0)
    for seed in range(5):
        streaked, truth = lights(np.random.default_rng(seed), sharp)
        assert np.array_equal(truth, sharp)
        assert streaked.sum(dtype=int) > 1.02 * sharp.sum(dtype=int)


def test_only_light_near_white_is_brightened() -> None:
    light = np.array([[[0.5, 0.5, 0.5], [1, 1, 1], [1, 1, 0.2]]], np.float32)
    expected = np.array([[[0.5, 0.5, 0.5], [4, 4, 4], [1, 1, 0.2]]])
    assert brighten_highlights(light, gain=4) == pytest.approx(expected)


def test_an_object_hides_what_lies_behind_it() -> None:
    light = np.full((50, 50, 3), 0.25, np.float32)
    light[15:35, 15:35] = 0.75
    mask = np.zeros((50, 50, 1), np.float32)
    mask[15:35, 15:35] = 1
    path = np.stack([np.linspace(-3, 3, 13), np.zeros(13)], axis=1)
    scene = with_moving_object(np.full_like(light, 0.25), light, mask, path)
    assert scene[25, 25] == pytest.approx(0.75, abs=1e-5)
    assert scene[5, 25] == pytest.approx(0.25, abs=1e-5)
    assert 0.3 < scene[25, 14, 0] < 0.7
