from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
import tifffile
from PIL.ExifTags import IFD, Base

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import read_photo, write_photo
from tests.shared import shared_file

pytest.importorskip("rawpy")

WHITE = 4000
GREEN, RED, BLUE = 1000, 500, 250


def dng(path, orientation: int = 1):
    """A grey card as a sensor with weak red and blue sees it, the left half dark."""
    sensor = np.full((64, 96), GREEN, np.uint16)
    sensor[::2, ::2], sensor[1::2, 1::2] = RED, BLUE
    sensor[:, :48] //= 10
    matrix = [(value, 10000) for value in (10000, 0, 0, 0, 10000, 0, 0, 0, 10000)]
    flat = [part for pair in matrix for part in pair]
    neutral = [RED, GREEN, GREEN, GREEN, BLUE, GREEN]
    tags = [
        (33421, 3, 2, (2, 2), True),
        (33422, 1, 4, b"\0\1\1\2", True),
        (50706, 1, 4, b"\1\4\0\0", True),
        (50707, 1, 4, b"\1\1\0\0", True),
        (50708, 2, None, "Test Camera", True),
        (50714, 4, 1, 0, True),
        (50717, 4, 1, WHITE, True),
        (50721, 10, 9, flat, True),
        (50728, 5, 3, neutral, True),
        (50778, 3, 1, 21, True),
        (271, 2, None, "Maker", True),
        (272, 2, None, "Test Camera", True),
        (274, 3, 1, orientation, True),
    ]
    tifffile.imwrite(path, sensor, photometric="cfa", extratags=tags, metadata=None, software=False)
    return path


def test_white_balance_is_the_cameras_and_nothing_is_brightened(tmp_path):
    photo = read_photo(dng(tmp_path / "a.dng"))
    assert photo.pixels.dtype == np.uint16
    bright, dark = photo.pixels[20:40, 70:90], photo.pixels[20:40, 10:30]
    assert np.ptp(bright.mean((0, 1))) < 0.02 * 65535
    encoded = bright.mean() / 65535
    linear = ((encoded + 0.055) / 1.055) ** 2.4
    assert linear == pytest.approx(GREEN / WHITE, rel=0.05)
    assert dark.mean() < bright.mean() / 2


@pytest.mark.parametrize(
    ("orientation", "dark"), [(1, "left"), (3, "right"), (6, "top"), (8, "bottom")]
)
def test_orientation_is_applied_once(tmp_path, orientation, dark):
    photo = read_photo(dng(tmp_path / "a.dng", orientation))
    light = photo.pixels.mean(2)
    height, width = light.shape
    halves = {
        "left": light[:, : width // 3],
        "right": light[:, -width // 3 :],
        "top": light[: height // 3],
        "bottom": light[-height // 3 :],
    }
    assert min(halves, key=lambda name: halves[name].mean()) == dark
    assert (height > width) == (orientation in (6, 8))


def test_the_result_is_a_tiff_of_16_bits_with_the_cameras_data(tmp_path):
    photo = read_photo(dng(tmp_path / "a.dng", 6))
    write_photo(tmp_path / "a.tif", photo)
    result = PIL.Image.open(tmp_path / "a.tif")
    assert result.getexif()[Base.Model] == "Test Camera"
    assert result.getexif().get(Base.Orientation, 1) == 1
    after = read_photo(tmp_path / "a.tif")
    np.testing.assert_array_equal(after.pixels, photo.pixels)
    assert after.metadata.icc == photo.metadata.icc


def test_real_camera_data_survives(tmp_path):
    photo = read_photo(shared_file("odd", "raw", "RAW_KODAK_DC50.KDC"))
    write_photo(tmp_path / "a.tif", photo)
    tags = PIL.Image.open(tmp_path / "a.tif").getexif()
    assert "Kodak" in tags[Base.Make] + tags[Base.Model]
    assert tags.get_ifd(IFD.Exif) or tags


def test_a_raw_photo_that_is_cut_off_is_refused(tmp_path):
    path = dng(tmp_path / "a.dng")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageReadError, match="damaged or incomplete raw photo"):
        read_photo(path)
