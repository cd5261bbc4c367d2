from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
from skimage import data as photographs

from deblur_cli.errors import ImageReadError
from deblur_cli.imaging import Metadata, Photo, read_photo, write_photo
from deblur_cli.imaging.formats.jpeg2000 import Jpeg2000Encoding
from tests.shared import shared_file

PIXELS = photographs.astronaut()[100:164, 150:230]


def photo(channels: int, encoding: Jpeg2000Encoding) -> Photo:
    codes = (1 << encoding.bits) - 1
    full = 255 if encoding.bits == 8 else 65535
    dtype = np.uint8 if encoding.bits == 8 else np.uint16
    samples = np.rint(np.rint(PIXELS / 255 * codes) * full / codes).astype(dtype)
    return Photo(
        pixels=samples[:, :, :1].repeat(3, 2) if channels <= 2 else samples,
        encoding=encoding,
        alpha=np.ascontiguousarray(samples[:, :, 1]) if channels in (2, 4) else None,
        greyscale=channels <= 2,
    )


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("bare", [False, True])
def test_lossless_stays_lossless(tmp_path, channels, bits, bare):
    given = photo(channels, Jpeg2000Encoding(bits, bare=bare))
    write_photo(tmp_path / "a.jp2", given)
    after = read_photo(tmp_path / "a.jp2")
    np.testing.assert_array_equal(after.pixels, given.pixels)
    assert (after.encoding, after.greyscale) == (given.encoding, given.greyscale)
    np.testing.assert_array_equal(after.alpha, given.alpha)


def test_pillow_agrees(tmp_path):
    PIL.Image.fromarray(PIXELS).save(tmp_path / "a.jp2", irreversible=True)
    source = read_photo(tmp_path / "a.jp2")
    assert source.encoding == Jpeg2000Encoding(lossless=False)
    np.testing.assert_array_equal(source.pixels, np.asarray(PIL.Image.open(tmp_path / "a.jp2")))
    write_photo(tmp_path / "b.jp2", source)
    result = np.asarray(PIL.Image.open(tmp_path / "b.jp2")).astype(int)
    assert np.abs(result - source.pixels).mean() < 1


def test_metadata_survives(tmp_path):
    metadata = Metadata(exif=b"II*\0\x08\0\0\0\0\0\0\0\0\0", icc=b"a profile", xmp=b"<x/>")
    write_photo(tmp_path / "a.jp2", Photo(PIXELS, Jpeg2000Encoding(), metadata=metadata))
    after = read_photo(tmp_path / "a.jp2")
    assert after.metadata == metadata
    np.testing.assert_array_equal(after.pixels, np.asarray(PIL.Image.open(tmp_path / "a.jp2")))


def test_a_real_file_is_read_as_by_pillow():
    path = shared_file("odd", "other", "test-card-lossless.jp2")
    np.testing.assert_array_equal(read_photo(path).pixels, np.asarray(PIL.Image.open(path)))


@pytest.mark.parametrize("part", [0.2, 0.6, 0.99])
def test_a_file_that_is_cut_off_is_refused(tmp_path, part):
    write_photo(tmp_path / "a.jp2", photo(3, Jpeg2000Encoding()))
    content = (tmp_path / "a.jp2").read_bytes()
    (tmp_path / "a.jp2").write_bytes(content[: int(part * len(content))])
    with pytest.raises(ImageReadError, match="damaged or incomplete JPEG 2000"):
        read_photo(tmp_path / "a.jp2")
