from __future__ import annotations

import numpy as np
import PIL.Image
import pytest

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import read_photo, write_photo

COLOURS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


@pytest.mark.parametrize("samples", [COLOURS, np.ascontiguousarray(COLOURS[:, :, 0])])
def test_pixels_come_back(tmp_path, samples):
    PIL.Image.fromarray(samples).save(tmp_path / "a.bmp", dpi=(300, 200))
    photo = read_photo(tmp_path / "a.bmp")
    assert photo.greyscale == (samples.ndim == 2)
    write_photo(tmp_path / "b.bmp", photo)
    after = PIL.Image.open(tmp_path / "b.bmp")
    np.testing.assert_array_equal(np.asarray(after), samples)
    assert np.allclose(after.info["dpi"], (300, 200), atol=0.05)


def test_a_palette_becomes_colour(tmp_path):
    picture = PIL.Image.fromarray(COLOURS).quantize(8)
    picture.save(tmp_path / "a.bmp")
    photo = read_photo(tmp_path / "a.bmp")
    np.testing.assert_array_equal(photo.pixels, np.asarray(picture.convert("RGB")))
    assert photo.notes == ("its palette becomes full colour",)


def test_transparency_is_refused(tmp_path):
    head = b"BM" + (70 + 4).to_bytes(4, "little") + bytes(4) + (70).to_bytes(4, "little")
    info = (56).to_bytes(4, "little") + (1).to_bytes(4, "little") * 2 + b"\1\0\x20\0\3\0\0\0"
    masks = b"".join(bytes(i) + b"\xff" + bytes(3 - i) for i in (2, 1, 0, 3))
    (tmp_path / "a.bmp").write_bytes(head + info + bytes(20) + masks + b"\1\2\3\x80")
    with pytest.raises(ImageReadError, match="BMPs with transparency are not supported"):
        read_photo(tmp_path / "a.bmp")
