from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deblur_cli.imaging import read_photo, write_photo
from deblur_cli.imaging.premultiplied import multiplied, straightened


@given(st.data(), st.sampled_from([np.uint8, np.uint16]), st.sampled_from([2, 4]))
def test_integers_come_back_exactly(data, dtype, channels):
    stored = data.draw(arrays.arrays(dtype, (3, 4, channels)))
    alpha = stored[:, :, -1:]
    stored[:, :, :-1] = np.where(
        alpha == 0, stored[:, :, :-1], np.minimum(stored[:, :, :-1], alpha)
    )
    np.testing.assert_array_equal(multiplied(straightened(stored)), stored)


def test_colours_of_half_opacity_are_doubled():
    stored = np.array([[[0.25, 3.0, 0.5]]], np.float32)
    np.testing.assert_array_equal(straightened(stored), [[[0.5, 6.0, 0.5]]])


@pytest.mark.parametrize(("extra", "red"), [("assocalpha", 200), ("unassalpha", 100)])
def test_a_file_says_whether_its_colours_are_multiplied(tmp_path, extra, red):
    samples = np.full((4, 5, 4), (100, 50, 0, 128), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=[extra])
    photo = read_photo(tmp_path / "a.tif")
    assert abs(int(photo.pixels[0, 0, 0]) - red) <= 1
    write_photo(tmp_path / "b.tif", photo)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), samples)
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.pages.first.extrasamples[0].name.lower() == extra
