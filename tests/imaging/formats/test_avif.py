from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
from PIL import ImageOps
from PIL.ExifTags import Base
from skimage import data as photographs

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import Photo, read_photo, write_photo
from deblur_cli.imaging.cicp import profile
from deblur_cli.imaging.formats.avif import AvifEncoding
from tests.shared import shared_file

PIXELS = photographs.astronaut()[100:164, 150:230]


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_pixels_and_depth_come_back(tmp_path, bits):
    pixels = PIXELS if bits == 8 else PIXELS.astype(np.uint16) * 257
    alpha = np.ascontiguousarray(pixels[:, :, 0])
    write_photo(tmp_path / "a.avif", Photo(pixels, AvifEncoding(bits), alpha=alpha))
    after = read_photo(tmp_path / "a.avif")
    full = np.iinfo(pixels.dtype).max
    assert after.encoding == AvifEncoding(bits)
    assert np.abs(after.pixels.astype(float) - pixels).mean() < 0.02 * full
    assert np.abs(after.alpha.astype(float) - alpha).mean() < 0.02 * full


def test_twelve_bits_are_not_eight(tmp_path):
    ramp = np.linspace(20000, 24000, 64 * 64).astype(np.uint16).reshape(64, 64, 1).repeat(3, 2)
    write_photo(tmp_path / "a.avif", Photo(ramp, AvifEncoding(12, quality=100)))
    after = read_photo(tmp_path / "a.avif").pixels
    assert len(np.unique(after)) > 100
    assert np.abs(after.astype(int) - ramp).max() <= 3 * 65535 / 4095


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(tmp_path, orientation):
    exif = PIL.Image.Exif()
    exif[Base.Orientation] = orientation
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.avif", exif=exif, quality=95)
    upright = np.asarray(ImageOps.exif_transpose(PIL.Image.open(tmp_path / "a.avif")))
    np.testing.assert_array_equal(read_photo(tmp_path / "a.avif").pixels, upright)


def test_a_gamut_told_by_code_points_becomes_a_profile(tmp_path):
    from imagecodecs import avif_encode

    (tmp_path / "a.avif").write_bytes(avif_encode(PIXELS, primaries=12, transfer=13))
    assert read_photo(tmp_path / "a.avif").metadata.icc == profile(12, 13)
    (tmp_path / "b.avif").write_bytes(avif_encode(PIXELS, primaries=9, transfer=16))
    with pytest.raises(ImageReadError, match=r"HDR \(PQ\) pictures are not supported"):
        read_photo(tmp_path / "b.avif")


def test_real_metadata_survives(tmp_path):
    for name in ("exif", "icc_profile"):
        source = read_photo(shared_file("odd", "avif", f"{name}.avif"))
        write_photo(tmp_path / "a.avif", source)
        after = read_photo(tmp_path / "a.avif")
        assert after.metadata == source.metadata
        assert after.metadata.exif or after.metadata.icc
