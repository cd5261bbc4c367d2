from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from imagecodecs import cms_profile

from deblur_cli.imaging.convert import DEPTHS, check_depth, format_of, recast, with_depth
from deblur_cli.imaging.formats.jpeg import JpegEncoding
from deblur_cli.imaging.formats.png import PngEncoding
from deblur_cli.imaging.formats.tiff import TiffEncoding
from deblur_cli.imaging.formats.webp import WebpEncoding
from deblur_cli.imaging.photo import Metadata, Photo
from tests.imaging.profiles import linear_srgb_of, profile

PIXELS = np.arange(60, dtype=np.uint8).reshape(4, 5, 3) * 4
ICC = b"any profile"


def _photo(dtype: str = "uint8", **fields: object) -> Photo:
    full = 255 if dtype == "uint8" else 65535
    pixels = PIXELS.astype(dtype) * (full // 255)
    return Photo(pixels, fields.pop("encoding", PngEncoding()), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("suffix", "name"),
    [("jpg", "JPEG"), ("JPEG", "JPEG"), (".tif", "TIFF"), ("jp2", "JPEG 2000"), ("heic", "HEIF")],
)
def test_formats_by_their_endings(suffix: str, name: str) -> None:
    assert format_of(suffix) == name


@pytest.mark.parametrize("suffix", ["gif", "dng", "docx", "", "."])
def test_formats_that_cannot_be_written(suffix: str) -> None:
    with pytest.raises(ValueError, match=r"jpg, png, tif, webp"):
        format_of(suffix)


def test_nothing_asked_for_changes_nothing() -> None:
    photo = _photo("uint16")
    same, dtype = recast(photo, None, None, None)
    assert same is photo
    assert dtype == np.uint16


def test_shallower_format_takes_its_deepest_and_says_so() -> None:
    photo, dtype = recast(_photo("uint16"), "JPEG", None, 80)
    assert photo.encoding == JpegEncoding(quality=80)
    assert photo.pixels.dtype == np.uint16
    assert dtype == np.uint8
    assert photo.notes == ("its depth of 16 becomes 8",)
    np.testing.assert_array_equal(with_depth(photo, dtype).pixels, PIXELS)


def test_deeper_one_is_there_before_the_work() -> None:
    photo, dtype = recast(_photo(), None, "16", None)
    assert photo.pixels.dtype == dtype == np.uint16
    np.testing.assert_array_equal(photo.pixels, PIXELS.astype(np.uint16) * 257)
    assert photo.notes == ()


def test_bits_of_the_source_do_not_bind_another_depth() -> None:
    source = _photo("uint16", encoding=TiffEncoding(bits=12, compression="LZW"))
    photo, _ = recast(source, None, "8", None)
    assert photo.encoding == TiffEncoding(compression="LZW")


def test_quality_of_lossy_formats() -> None:
    tables = JpegEncoding(quantisation=((1,) * 64,), subsampling=2)
    photo, _ = recast(_photo(encoding=tables), None, None, 70)
    assert photo.encoding == JpegEncoding(subsampling=2, quality=70)
    photo, _ = recast(_photo(encoding=WebpEncoding(lossless=True)), None, None, 70)
    assert photo.encoding == WebpEncoding(lossless=False, quality=70)
    assert recast(_photo(), None, None, 70)[0].encoding == PngEncoding()


def test_what_a_format_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="transparency"):
        recast(_photo(alpha=PIXELS[:, :, 0]), "JPEG", None, None)
    with pytest.raises(ValueError, match=r"JPEG has no depth of 16 \(PNG, TIFF"):
        check_depth("JPEG", "16")
    with pytest.raises(ValueError, match="WebP has no depth of float"):
        recast(_photo(encoding=WebpEncoding()), None, "float", None)


def test_floats_without_a_profile_are_linear_light() -> None:
    light = with_depth(_photo(), DEPTHS["float"]).pixels
    encoded = PIXELS / 255
    expected = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(light, expected, atol=1e-5)
    with_profile = with_depth(_photo(metadata=Metadata(icc=ICC)), DEPTHS["float"]).pixels
    np.testing.assert_allclose(with_profile, encoded, atol=1e-6)


@settings(deadline=None, max_examples=25)
@given(arrays(np.uint8, (3, 4, 3)), st.sampled_from(["16", "float"]), st.booleans())
def test_deeper_and_back_is_the_same(samples: np.ndarray, depth: str, has_profile: bool) -> None:
    metadata = Metadata(icc=ICC if has_profile else None)
    photo = Photo(samples, PngEncoding(), alpha=samples[:, :, 1], metadata=metadata)
    back = with_depth(with_depth(photo, DEPTHS[depth]), DEPTHS["8"])
    np.testing.assert_array_equal(back.pixels, samples)
    np.testing.assert_array_equal(back.alpha, samples[:, :, 1])


def test_floats_beyond_white_end_there() -> None:
    pixels = np.array([[[-0.5, 0.5, 7.0], [np.nan, 1.0, np.inf]]], np.float32)
    photo = Photo(pixels, TiffEncoding(), metadata=Metadata(icc=ICC))
    np.testing.assert_array_equal(
        with_depth(photo, DEPTHS["8"]).pixels, [[[0, 128, 255], [0, 255, 255]]]
    )


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("name", ["Display P3", "Adobe RGB"])
def test_openexr_holds_no_profile_so_its_samples_are_linear_srgb(name: str, dtype: str) -> None:
    photo = _photo(dtype, metadata=Metadata(icc=profile(name)), alpha=None)
    written, depth = recast(photo, "OpenEXR", None, None)
    assert depth == written.pixels.dtype == np.float32
    assert written.metadata.icc is None
    expected = linear_srgb_of(name, PIXELS / 255)
    np.testing.assert_allclose(written.pixels, expected, atol=2e-3)


def test_openexr_of_srgb_is_the_same_with_its_profile_and_without() -> None:
    alpha = PIXELS[:, :, 0]
    bare, _ = recast(_photo(alpha=alpha), "OpenEXR", None, None)
    for icc in (bytes(cms_profile("srgb")), ICC):
        marked, _ = recast(_photo(alpha=alpha, metadata=Metadata(icc=icc)), "OpenEXR", None, None)
        np.testing.assert_array_equal(marked.pixels, bare.pixels)
        np.testing.assert_array_equal(marked.alpha, alpha / np.float32(255))


def test_float_with_a_profile_is_linear_srgb_in_openexr() -> None:
    pixels = (PIXELS / 255).astype(np.float32)
    source = Photo(pixels, TiffEncoding(), metadata=Metadata(icc=profile("Adobe RGB")))
    written, _ = recast(source, "OpenEXR", None, None)
    np.testing.assert_allclose(written.pixels, linear_srgb_of("Adobe RGB", pixels), atol=2e-3)


def test_what_another_format_has_no_place_for_is_said() -> None:
    jpeg = JpegEncoding(comment=b"by hand", segments=((0xED, b"any"),))
    text = PngEncoding(((b"tEXt", b"Title\0A walk"),))
    described = Metadata(exif=b"any", xmp=b"any")
    said = [
        recast(photo, form, None, None)[0].notes
        for photo, form in [
            (_photo(encoding=jpeg, metadata=described), "PNG"),
            (_photo(encoding=text), "TIFF"),
            (_photo(encoding=text), "PNG"),
            (_photo(metadata=described), "OpenEXR"),
            (_photo(metadata=described), "WebP"),
        ]
    ]
    assert said == [
        ("left out in PNG: its comment, its IPTC or extended XMP",),
        ("left out in TIFF: its text",),
        (),
        ("left out in OpenEXR: its EXIF, its XMP",),
        (),
    ]
