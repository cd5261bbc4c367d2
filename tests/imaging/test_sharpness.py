from __future__ import annotations

import cv2
import numpy as np
import pytest

from deblur_cli.imaging.sharpness import SHARP, sharpness
from tests.shared import shared_file


def scene(seed=0, size=(300, 420)):
    """Overlapping shapes, drawn four times as large and shrunk: sharp to the pixel."""
    rng = np.random.default_rng(seed)
    canvas = np.full((4 * size[0], 4 * size[1], 3), 128, np.uint8)
    for _ in range(250):
        centre = rng.integers(0, canvas.shape[1::-1])
        colour = rng.integers(0, 256, 3).tolist()
        if rng.random() < 0.5:
            corner = centre + rng.integers(60, 300, 2)
            cv2.rectangle(canvas, centre.tolist(), corner.tolist(), colour, -1)
        else:
            cv2.circle(canvas, centre.tolist(), int(rng.integers(40, 160)), colour, -1)
    return cv2.resize(canvas, size[::-1], interpolation=cv2.INTER_AREA)


def shaken(image, length):
    """Motion blur along the rows."""
    return cv2.blur(image, (length, 1))


def noisy(image, sigma):
    noise = np.random.default_rng(1).normal(0, sigma, image.shape)
    return np.rint(image + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.0, 3.0])
def test_the_score_tells_the_width_of_a_gaussian(sigma):
    score = sharpness(cv2.GaussianBlur(scene(), (0, 0), sigma))
    assert 1 / score - 1 == pytest.approx(sigma, rel=0.3)


def test_sharp_pictures_pass_and_blurred_ones_do_not():
    for seed in range(3):
        sharp = scene(seed)
        assert sharpness(sharp) > SHARP
        assert sharpness(cv2.GaussianBlur(sharp, (0, 0), 1.5)) < SHARP
        assert sharpness(shaken(sharp, 9)) < SHARP


def test_more_blur_never_scores_better():
    scores = [sharpness(cv2.GaussianBlur(scene(), (0, 0), s)) for s in (0.6, 1, 1.5, 2, 3, 5)]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("sigma", [3, 8])
def test_noise_does_not_pass_for_sharpness(sigma):
    assert sharpness(noisy(scene(), sigma)) > SHARP
    assert sharpness(noisy(cv2.GaussianBlur(scene(), (0, 0), 2), sigma)) < SHARP


def test_one_blurred_part_is_enough():
    image = scene()
    image[:, :140] = cv2.GaussianBlur(image, (0, 0), 3)[:, :140]
    assert sharpness(image) < SHARP


def test_flat_parts_do_not_count():
    image = scene()
    image[:150] = 200
    assert sharpness(image) > SHARP


@pytest.mark.parametrize("value", [0, 90, 255])
def test_without_edges_there_is_nothing_sharp(value):
    assert sharpness(np.full((60, 80, 3), value, np.uint8)) == 0


def test_depth_does_not_matter():
    image = scene()
    deep = image.astype(np.uint16) * 257
    light = image.astype(np.float32) / 255
    assert sharpness(deep) == pytest.approx(sharpness(image), abs=1e-3)
    assert sharpness(light) == pytest.approx(sharpness(image), abs=1e-3)


def test_size_does_not_matter():
    assert sharpness(np.tile(scene(), (6, 6, 1))) == pytest.approx(sharpness(scene()), abs=0.1)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 50, 3), (5, 7, 3), (64, 3, 3)])
def test_tiny_pictures_are_scored(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert 0 <= sharpness(image) <= 1


@pytest.mark.parametrize("task", ["motion-gopro", "defocus-dpdd1024"])
def test_real_blur_is_told_from_its_sharp_twin(task):
    folder = shared_file("pairs", task, "val")
    for blurred in sorted((folder / "blur").iterdir())[:3]:
        scores = [sharpness(cv2.imread(str(p))) for p in (blurred, folder / "sharp" / blurred.name)]
        assert scores[0] < SHARP
        assert scores[0] < scores[1]
