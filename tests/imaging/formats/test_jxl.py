from __future__ import annotations

import numpy as np
import pytest
from skimage import data as photographs

from deblur_cli.imaging import read_photo, target_suffix, write_photo
from deblur_cli.imaging.formats.isobmff import box
from deblur_cli.imaging.formats.jxl import _codestream, _size
from tests.shared import shared_file

pytest.importorskip("pillow_jxl")
imagecodecs = pytest.importorskip("imagecodecs")

PIXELS = photographs.astronaut()[100:164, 150:230]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_any_depth_becomes_a_tiff_of_it(tmp_path, dtype, channels):
    full = 1 if dtype == np.float32 else np.iinfo(dtype).max
    samples = np.dstack([PIXELS, PIXELS[:, :, :1]])[:, :, :channels].astype(float) / 255 * full
    stored = samples.astype(dtype)
    path = tmp_path / "a.jxl"
    path.write_bytes(imagecodecs.jpegxl_encode(np.squeeze(stored), lossless=True))
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.pixels[:, :, 0], stored[:, :, 0])
    assert photo.pixels.dtype == dtype
    assert (photo.alpha is not None, photo.greyscale) == (channels == 4, channels == 1)
    assert target_suffix(path) == photo.encoding.suffix == ".tif"
    write_photo(tmp_path / "a.tif", photo)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.tif").pixels, photo.pixels)


@pytest.mark.parametrize("size", [(8, 8), (256, 256), (64, 80), (9, 500), (600, 800), (513, 1)])
def test_the_size_is_known_without_decoding(size):
    content = imagecodecs.jpegxl_encode(np.zeros((*size, 3), np.uint8))
    assert _size(_codestream(bytes(content))) == size[::-1]


def test_exif_lies_behind_its_offset_also_compressed(tmp_path):
    block = b"II*\0\x08\0\0\0\0\0\0\0\0\0"
    bare = bytes(imagecodecs.jpegxl_encode(PIXELS, usecontainer=False))
    head = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    squeezed = b"Exif" + bytes(imagecodecs.brotli_encode(bytes(4) + block))
    for exif in (box(b"Exif", bytes(4) + block), box(b"brob", squeezed)):
        (tmp_path / "a.jxl").write_bytes(head + exif + box(b"jxlc", bare))
        assert read_photo(tmp_path / "a.jxl").metadata.exif == block


def test_a_real_file_has_alpha_and_a_profile():
    photo = read_photo(shared_file("odd", "jxl", "dice.jxl"))
    assert photo.pixels.shape == (600, 800, 3)
    assert photo.alpha.min() == 0
    assert photo.metadata.icc
