from __future__ import annotations

import numpy as np

from deblur_cli.data.camera import Camera
from deblur_cli.data.unblurred import NoBlur


def test_without_noise_and_jpeg_a_photo_is_recorded_as_it_is() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    recorded, truth = NoBlur(Camera(noise_share=0, jpeg_share=0))(np.random.default_rng(1), photo)
    assert np.abs(recorded.astype(int) - photo).max() <= 1
    assert truth is photo


def test_noise_and_jpeg_are_in_the_input_only() -> None:
    photo = np.full((40, 50, 3), 128, np.uint8)
    noisy = NoBlur(Camera(noise_share=1, noise=(0.01, 0.01)))
    recorded, truth = noisy(np.random.default_rng(1), photo)
    assert recorded.std() > 0.5
    assert truth is photo
