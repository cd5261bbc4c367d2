from __future__ import annotations

import cv2
import numpy as np
import pytest

from deblur_cli.data.camera import (
    IDENTITY,
    SRGB,
    Camera,
    Picture,
    Response,
    fit_exposure,
    through_jpeg,
    with_noise,
)

CLEAN = Camera(noise_share=0, jpeg_share=0)


def textured(seed: int, height: int = 96, width: int = 128) -> Picture:
    coarse = np.random.default_rng(seed).integers(30, 200, (height // 32, width // 32, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))


@pytest.mark.parametrize("response", [SRGB, IDENTITY], ids=lambda response: response.name)
def test_a_response_gives_every_value_back(response: Response) -> None:
    picture = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert np.array_equal(response.to_picture(response.to_light(picture)), picture)


def test_srgb_follows_its_standard() -> None:
    picture = np.array([[[0, 10, 188]]], np.uint8)
    assert SRGB.to_light(picture).ravel() == pytest.approx([0, 10 / 255 / 12.92, 0.5], abs=0.003)


def test_light_outside_the_range_is_clipped() -> None:
    light = np.array([[[-0.5, 0.5, 7.0]]], np.float32)
    assert IDENTITY.to_picture(light).ravel().tolist() == [0, 128, 255]


def test_noise_has_the_level_asked_for_at_white_and_a_third_at_black() -> None:
    rng = np.random.default_rng(0)
    white, black = (
        np.std(with_noise(rng, np.full((200, 200, 3), value, np.float32), 0.03) - value)
        for value in (1.0, 0.0)
    )
    assert white == pytest.approx(0.03, rel=0.02)
    assert black == pytest.approx(0.01, rel=0.02)


def test_jpeg_keeps_the_colours_apart() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    saved = through_jpeg(red, quality=95)
    assert saved.dtype == np.uint8
    assert np.abs(saved.astype(int) - red).max() <= 3


def test_a_camera_without_noise_and_jpeg_only_applies_the_response() -> None:
    picture = textured(1)
    recorded = CLEAN.record(np.random.default_rng(0), SRGB.to_light(picture), SRGB)
    assert np.array_equal(recorded, picture)


def test_the_share_of_linear_pictures_is_as_asked() -> None:
    rng = np.random.default_rng(0)
    linear = [Camera(linear_share=0.25).response(rng) is SRGB for _ in range(2000)]
    assert np.mean(linear) == pytest.approx(0.25, abs=0.03)


def test_exposure_and_colour_are_recovered_in_spite_of_the_blur() -> None:
    sharp = textured(2, 512, 512)
    gains, offsets = np.array([0.8, 1.1, 0.95]), np.array([9.0, -5.0, 3.0])
    graded = np.rint(sharp * gains + offsets).astype(np.uint8)
    blurred = cv2.GaussianBlur(graded, (0, 0), 3)
    fitted = fit_exposure(sharp, blurred)
    assert fitted.dtype == np.uint8
    error = fitted.astype(float) - graded
    assert np.abs(error.mean(axis=(0, 1))).max() < 0.5
    assert np.abs(error).max() <= 5


def test_a_picture_of_one_colour_takes_the_other_ones_level() -> None:
    sharp, blurred = (np.full((40, 40, 3), value, np.uint8) for value in (100, 120))
    assert np.array_equal(fit_exposure(sharp, blurred), blurred)
