from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks import shake
from deblur_cli.data.camera import SRGB
from deblur_cli.data.trajectory import blur_kernel, camera_path
from deblur_cli.imaging.formats.png import PngEncoding
from deblur_cli.imaging.photo import Photo
from deblur_cli.imaging.write import write_photo
from deblur_cli.inference.engine import Deblurrer
from tests.data.layouts import textured
from tests.inference.fakes import FakeModel


def test_shake_is_a_convolution_in_linear_light() -> None:
    [(sharp, _)] = textured(1, 40, 50)
    kernel = blur_kernel(camera_path(np.random.default_rng(3), 9.0)).astype(np.float64)
    light = SRGB.to_light(sharp).astype(np.float64)
    expected = ndimage.convolve(light, kernel[:, :, None], mode="mirror")
    found = shake.shaken(sharp, 9.0, 3)
    assert np.abs(found.astype(int) - SRGB.to_picture(expected.astype(np.float32))).max() <= 1


def test_what_does_nothing_gains_nothing(tmp_path: Path) -> None:
    for number, (picture, _) in enumerate(textured(3)):
        write_photo(tmp_path / f"{number}.png", Photo(picture, PngEncoding()))
    deblurrer = Deblurrer(FakeModel(lambda x: x), device="cpu", dtype="float32")
    measured = shake.measure_shaken(tmp_path, deblurrer)
    assert list(measured.pictures) == ["0, 6.0 px", "1, 17.0 px", "2, 28.0 px"]
    assert measured.mean["psnr_gain"] == 0
    assert measured.mean["psnr_before"] < 40
