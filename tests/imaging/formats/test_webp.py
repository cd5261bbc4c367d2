from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
from skimage import data as photographs

from deblur_cli.imaging import read_photo, write_photo
from deblur_cli.imaging.formats.webp import WebpEncoding

PIXELS = photographs.astronaut()[100:164, 150:230]


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("extras", [{}, {"icc_profile": b"icc", "xmp": b"<x/>"}])
def test_lossless_stays_lossless(tmp_path, lossless, extras):
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.webp", lossless=lossless, **extras)
    photo = read_photo(tmp_path / "a.webp")
    assert photo.encoding == WebpEncoding(lossless=lossless)
    write_photo(tmp_path / "b.webp", photo)
    after = read_photo(tmp_path / "b.webp")
    assert after.encoding == photo.encoding
    assert after.metadata == photo.metadata
    assert np.abs(after.pixels.astype(int) - photo.pixels).mean() < (0.5 if lossless else 4)


def test_transparent_colours_survive(tmp_path):
    samples = np.dstack([PIXELS, np.zeros(PIXELS.shape[:2], np.uint8)])
    PIL.Image.fromarray(samples).save(tmp_path / "a.webp", lossless=True, exact=True)
    write_photo(tmp_path / "b.webp", read_photo(tmp_path / "a.webp"))
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tmp_path / "b.webp")), samples)
