from __future__ import annotations

import os

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL.ExifTags import IFD, Base

from deblur_cli.errors import ImageWriteError
from deblur_cli.imaging import Metadata, Photo, read_photo, write_photo
from deblur_cli.imaging.formats.jpeg import JpegEncoding
from deblur_cli.imaging.formats.png import PngEncoding
from deblur_cli.imaging.formats.tiff import TiffEncoding
from deblur_cli.imaging.formats.webp import WebpEncoding

PHOTO = Photo(np.full((6, 5, 3), 99, np.uint8), PngEncoding())
ENCODINGS = {
    "png": PngEncoding(),
    "webp": WebpEncoding(lossless=True),
    "tiff raw": TiffEncoding("NONE", predictor=False, strip=1),
    "tiff lzw": TiffEncoding("LZW", strip=1),
    "tiff packbits": TiffEncoding("PACKBITS", predictor=False, order=">", strip=1),
    "tiff zstd": TiffEncoding("ZSTD", tile=(16, 32)),
    "tiff deflate": TiffEncoding(big=True, strip=1),
}
SIZES = st.tuples(st.integers(1, 24), st.integers(1, 24))


def make_exif(text: str) -> bytes:
    exif = PIL.Image.Exif()
    exif[Base.Artist] = text
    exif[Base.Orientation] = 1
    exif[IFD.Exif] = {Base.ISOSpeedRatings: 400, Base.ExposureTime: 1 / 8}
    exif[IFD.GPSInfo] = {1: "N"}
    return exif.tobytes().removeprefix(b"Exif\0\0")


def exif_content(block: bytes) -> dict:
    exif = PIL.Image.Exif()
    exif.load(block)
    return {
        "artist": exif.get(Base.Artist),
        "camera": exif.get_ifd(IFD.Exif),
        "place": exif.get_ifd(IFD.GPSInfo),
    }


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
@given(
    data=st.data(), size=SIZES, name=st.sampled_from(sorted(ENCODINGS)), icc=st.binary(min_size=1)
)
def test_lossless_formats_return_everything(tmp_path, data, size, name, icc):
    encoding = ENCODINGS[name]
    greyscale = encoding.format != "WebP" and data.draw(st.booleans())
    samples = data.draw(arrays.arrays(np.uint8, (*size, 1 if greyscale else 3)))
    photo = Photo(
        pixels=np.repeat(samples, 3, axis=2) if greyscale else samples,
        alpha=data.draw(st.none() | arrays.arrays(np.uint8, size)),
        greyscale=greyscale,
        encoding=encoding,
        metadata=Metadata(exif=make_exif("someone"), icc=icc, xmp=b"<x:xmpmeta/>", dpi=(300, 200)),
    )
    write_photo(tmp_path / "a", photo)
    after = read_photo(tmp_path / "a")
    np.testing.assert_array_equal(after.pixels, photo.pixels)
    assert after.greyscale == greyscale
    if encoding.format == "WebP" and photo.alpha is not None and photo.alpha.min() == 255:
        assert after.alpha is None
    else:
        np.testing.assert_array_equal(after.alpha, photo.alpha)
    assert after.encoding == encoding
    assert (after.metadata.icc, after.metadata.xmp) == (icc, b"<x:xmpmeta/>")
    assert exif_content(after.metadata.exif) == exif_content(photo.metadata.exif)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
@given(size=SIZES, greyscale=st.booleans(), length=st.integers(0, 150_000))
def test_jpeg_returns_all_metadata(tmp_path, size, greyscale, length):
    metadata = Metadata(
        exif=make_exif("x" * length), icc=b"i" * (length + 1), xmp=b"<x/>", dpi=(300.0, 200.0)
    )
    photo = Photo(
        pixels=np.full((*size, 3), 99, np.uint8),
        greyscale=greyscale,
        encoding=JpegEncoding(),
        metadata=metadata,
    )
    write_photo(tmp_path / "a.jpg", photo)
    after = read_photo(tmp_path / "a.jpg")
    assert after.metadata == metadata
    assert after.greyscale == greyscale
    np.testing.assert_allclose(after.pixels, photo.pixels, atol=2)


@pytest.mark.parametrize("name", ["żółw 照片 📷.png", "a" * 251 + ".png", " .png", "-o.png"])
def test_any_name_is_written_and_read(tmp_path, name):
    write_photo(tmp_path / name, PHOTO)
    np.testing.assert_array_equal(read_photo(tmp_path / name).pixels, PHOTO.pixels)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ImageWriteError, match=r"a\.png: cannot be written: No space left"):
        write_photo(tmp_path / "a.png", PHOTO)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["absent/a.png", "file/a.png", "folder"])
def test_a_place_that_takes_no_file_is_one_clear_error(tmp_path, where):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ImageWriteError, match="cannot be written"):
        write_photo(tmp_path / where, PHOTO)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_what_the_format_cannot_hold_is_one_clear_error(tmp_path):
    deep = Photo(np.zeros((2, 2, 3), np.uint16), WebpEncoding())
    with pytest.raises(ImageWriteError, match="uint16, not uint8"):
        write_photo(tmp_path / "a.webp", deep)
    wide = Photo(np.zeros((1, 20000, 3), np.uint8), WebpEncoding())
    with pytest.raises(ImageWriteError, match="cannot be encoded as WebP"):
        write_photo(tmp_path / "a.webp", wide)
    assert list(tmp_path.iterdir()) == []
